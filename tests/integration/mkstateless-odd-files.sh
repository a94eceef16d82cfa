#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever a package can hold arrives in the image, as unsquashfs, the kernel, rpm and veritysetup see it; and scriptlets see a world
# without network, other processes or the builder's environment.
source "$(dirname "$0")/lib-mkstateless.sh"
need rpmbuild createrepo_c busybox gcc unsquashfs veritysetup getcap

kernel_package
shell_package
package odd <<'E'
%description
test
%install
d=%{buildroot}/opt/odd
mkdir -p "$d/many" "$d/sticky" "$d/empty-dir" %{buildroot}/dev
echo setuid >"$d/setuid"; echo setgid >"$d/setgid"; echo caps >"$d/caps"
echo linked >"$d/link-a"; ln "$d/link-a" "$d/link-b"; ln "$d/link-a" "$d/many/link-c"
truncate -s 9M "$d/sparse"; echo end >>"$d/sparse"
: >"$d/empty"
head -c 131072 /dev/zero | tr '\0' a >"$d/block"
head -c 131073 /dev/zero | tr '\0' b >"$d/block-and-one"
seq 1 200000 >"$d/numbers"
cp "$d/numbers" "$d/numbers-again"
for i in $(seq 1 3000); do echo $i >"$d/many/file-with-a-long-name-$i"; done
echo name >"$d/a name  with spaces"
echo name >"$d/$(printf 'latin-\377-name')"
echo name >"$d/ünïcödé"
echo name >"$d/-dash"
echo name >"$d/quote'and\"quote"
echo name >"$d/$(printf 'x%.0s' $(seq 1 240))"
ln -s /nowhere/at/all "$d/dangling"
ln -s link-a "$d/symlink"
mkfifo "$d/fifo"
%files
%dir /opt/odd
%attr(4755,root,root) /opt/odd/setuid
%attr(2755,root,root) /opt/odd/setgid
%caps(cap_net_raw=ep) /opt/odd/caps
%attr(1777,root,root) %dir /opt/odd/sticky
/opt/odd/[!sc]*
/opt/odd/s[!et]*
%dev(c,5,1) %attr(0600,root,root) /opt/odd/console
%dev(c,1,3) %attr(0666,root,root) /dev/null
%dev(b,7,0) %attr(0660,root,root) /opt/odd/disk
E
seconds=$((200000 + RANDOM))  # nobody else on this machine sleeps that long
sed "s/SECONDS/$seconds/" >"$WORK/spy" <<'E'
Requires: testshell
%description
test
%post
mkdir -p /opt/spy
env >/opt/spy/env
id >/opt/spy/id
umask >/opt/spy/umask
hostname >/opt/spy/hostname
ls /proc >/opt/spy/proc
cat /proc/net/dev >/opt/spy/net
ls /dev >/opt/spy/dev
ls /proc/self/fd >/opt/spy/fds
ls / >/opt/spy/root
sleep SECONDS &
%triggerin -- odd
echo trigger >>/opt/trigger
%filetriggerin -- /opt/odd
cat >>/opt/filetrigger
E
package spy <"$WORK/spy"
make_repo "$WORK/repo" "$WORK"/rpms/*.rpm
printf '%s\n' odd spy testkernel >"$WORK/list"
SECRET_OF_THE_BUILDER=1 expect 0 "@" "$MKSTATELESS" build "$WORK/list" --store "$WORK/store" --name odd --work "$WORK/work" --repo "$WORK/repo" --agent "$AGENT"
! grep -qasE "sleep[^.]$seconds" /proc/[0-9]*/cmdline || fail "a scriptlet's process lives on"
image=$(image_file "$WORK/store" odd)

veritysetup verify --hash-offset="$(manifest_value root.verity.hash_offset)" "$image" "$image" "$(manifest_value root.verity.root_hash)" || fail "veritysetup verify"
# One flipped bit, in data and in tree.
for offset in 100000 $(( $(stat -c %s "$image") - 100 )); do
  cp "$image" "$WORK/flipped"
  /usr/bin/python3 -c 'import sys; f=open(sys.argv[1],"r+b"); f.seek(int(sys.argv[2])); b=f.read(1)[0]; f.seek(int(sys.argv[2])); f.write(bytes([b^1]))' "$WORK/flipped" "$offset"
  ! veritysetup verify --hash-offset="$(manifest_value root.verity.hash_offset)" "$WORK/flipped" "$WORK/flipped" "$(manifest_value root.verity.root_hash)" 2>/dev/null || fail "veritysetup took a flipped bit at $offset"
done

unsquashfs -lls "$image" >"$WORK/lls"
line() { grep -qE -- "$1" "$WORK/lls" || fail "unsquashfs does not show: $1"; }
line '^-rwsr-xr-x root/root +7 .* squashfs-root/opt/odd/setuid$'
line '^-rwxr-sr-x .* squashfs-root/opt/odd/setgid$'
line '^drwxrwxrwt .* squashfs-root/opt/odd/sticky$'
line '^crw------- root/root +5, +1 .* squashfs-root/opt/odd/console$'
line '^brw-rw---- root/root +7, +0 .* squashfs-root/opt/odd/disk$'
line '^crw-rw-rw- root/root +1, +3 .* squashfs-root/dev/null$'
line '^p.* squashfs-root/opt/odd/fifo$'
line '^l.* squashfs-root/opt/odd/dangling -> /nowhere/at/all$'
[[ $(grep -c 'squashfs-root/dev/' "$WORK/lls") = 1 ]] || fail "device nodes of the build are in the image: $(grep squashfs-root/dev/ "$WORK/lls")"
[[ $(grep -c 'odd/many/' "$WORK/lls") = 3001 ]] || fail "entries are missing in a large directory"

mkdir "$WORK/mnt"
mount -t squashfs -o loop,ro "$image" "$WORK/mnt"
m=$WORK/mnt
[[ $(getcap "$m/opt/odd/caps") = *cap_net_raw=ep ]] || fail "file capability lost"
[[ $(stat -c %h "$m/opt/odd/link-a") = 3 && $(stat -c %i "$m/opt/odd/link-b") = $(stat -c %i "$m/opt/odd/many/link-c") ]] || fail "hard links lost"
[[ $(stat -c %h "$m/opt/odd") = 5 ]] || fail "a directory's link count is $(stat -c %h "$m/opt/odd")"
[[ $(stat -c %s "$m/opt/odd/sparse") = 9437188 && $(tail -c 4 "$m/opt/odd/sparse") = end ]] || fail "sparse file"
[[ $(stat -c %s "$image") -lt 3000000 ]] || fail "zeros or doubled files take room"
cmp "$m/opt/odd/numbers" <(seq 1 200000) || fail "content"
cmp "$m/opt/odd/numbers-again" <(seq 1 200000) || fail "content of an equal file"
[[ $(wc -c <"$m/opt/odd/block") = 131072 && $(tr -d b <"$m/opt/odd/block-and-one" | wc -c) = 0 ]] || fail "block sizes"
[[ -f "$m/opt/odd/"$'latin-\xff-name' && -f "$m/opt/odd/quote'and\"quote" && -f "$m/opt/odd/ünïcödé" && -f "$m/opt/odd/-dash" ]] || fail "odd names"
diff <(rpm --root "$m" --dbpath /usr/lib/sysimage/rpm -qa 2>/dev/null | sort) <("$MKSTATELESS" show odd --store "$WORK/store" --packages | sort) || fail "rpm -qa"
verdict=$(rpm --root "$m" --dbpath /usr/lib/sysimage/rpm -Va 2>&1 || true)
[[ -z $verdict ]] || fail "rpm -Va says: $verdict"
[[ ! -e $m/usr/lib/sysimage/rpm/rpmdb.sqlite-wal && ! -e $m/usr/lib/sysimage/rpm/.rpm.lock ]] || fail "rpm left locks"

# What scriptlets saw.
[[ $(sort "$m/opt/spy/env" | grep -v -e ^_= -e ^SHLVL= -e ^PWD= -e ^OLDPWD=) = "HOME=/root
LC_ALL=C.UTF-8
PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/X11R6/bin
SOURCE_DATE_EPOCH=1700000000
TERM=dumb
TZ=UTC" ]] || fail "environment: $(cat "$m/opt/spy/env")"
grep -q 'uid=0.* gid=0' "$m/opt/spy/id" && ! grep -q 'groups=.*,' "$m/opt/spy/id" || fail "id: $(cat "$m/opt/spy/id")"
[[ $(cat "$m/opt/spy/umask") = 0022 ]] || fail "umask"
[[ $(cat "$m/opt/spy/hostname") = localhost ]] || fail "host name"
[[ $(grep -cE '^[0-9]+$' "$m/opt/spy/proc") -le 6 && $(grep -E '^[0-9]+$' "$m/opt/spy/proc" | sort -n | tail -n 1) -lt 1000 ]] || fail "scriptlets see other processes: $(cat "$m/opt/spy/proc")"
[[ $(grep -c : "$m/opt/spy/net") = 1 ]] || fail "scriptlets see a network: $(cat "$m/opt/spy/net")"
[[ $(grep -c . "$m/opt/spy/fds") -le 4 ]] || fail "scriptlets inherit files: $(cat "$m/opt/spy/fds")"
grep -qx null "$m/opt/spy/dev" && grep -qx urandom "$m/opt/spy/dev" || fail "devices: $(cat "$m/opt/spy/dev")"
grep -q . "$m/opt/trigger" && grep -q /opt/odd "$m/opt/filetrigger" || fail "triggers did not run"

# The file list says the same as the mounted image.
"$MKSTATELESS" show odd --store "$WORK/store" --files >"$WORK/files"
/usr/bin/python3 - "$m" "$WORK/files" <<'P' || fail "file list"
import base64, hashlib, json, os, re, stat, sys
root, listed = os.fsencode(sys.argv[1]), {}
unescape = lambda t: re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), t.encode())
lines = open(sys.argv[2]).read().split("\n")
assert json.loads(lines[0])["type"] == "file-list"
paths = []
for line in lines[1:]:
    if line:
        entry = json.loads(line)
        paths.append(unescape(entry["path"]))
        listed[paths[-1]] = entry
assert paths == sorted(paths), "not sorted"
found = set()
for base, directories, files in os.walk(root):
    for name in directories + files:
        path = os.path.join(base, name)
        key = os.path.relpath(path, root)
        found.add(key)
        entry, status = listed[key], os.lstat(path)
        kind = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFCHR: "char", stat.S_IFBLK: "block",
                stat.S_IFIFO: "fifo"}[stat.S_IFMT(status.st_mode)]
        assert entry["type"] == kind, key
        assert (entry["uid"], entry["gid"]) == (status.st_uid, status.st_gid), key
        if kind != "symlink":
            assert entry["mode"] == stat.S_IMODE(status.st_mode), key
        if kind == "file":
            data = open(path, "rb").read()
            assert entry["size"] == len(data) and entry["digest"] == "sha256:" + hashlib.sha256(data).hexdigest(), key
        if kind == "symlink":
            assert unescape(entry["target"]) == os.readlink(path), key
        if kind in ("char", "block"):
            assert (entry["major"], entry["minor"]) == (os.major(status.st_rdev), os.minor(status.st_rdev)), key
        names = {n: os.getxattr(path, n, follow_symlinks=False) for n in os.listxattr(path, follow_symlinks=False)}
        assert {n: base64.b64decode(v) for n, v in entry.get("xattrs", {}).items()} == names, (key, names)
assert found == set(listed), found ^ set(listed)
assert listed[b"opt/odd/link-b"]["link"] == "opt/odd/link-a" and "link" not in listed[b"opt/odd/link-a"]
assert listed[b"opt/odd/setuid"]["origin"] == "odd-1-1.x86_64"
assert listed[b"etc/machine-id"]["origin"] == "build:machine-id" if b"etc/machine-id" in listed else True
P
umount "$m"
echo "ok"
