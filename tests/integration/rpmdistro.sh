#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The RPM distribution of tests/rpmdistro: all of `base` goes into an empty root by rpm alone, with every scriptlet and no
# complaint, and is what a server needs; making it again changes nothing, making a package again gives the same bytes.
set -euo pipefail
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
out=${STATELESS_RPMDISTRO:-${RPMDISTRO_OUT:-/var/tmp/rpmdistro}}
[[ $(id -u) -eq 0 ]] || { echo "needs root"; exit 77; }
[[ -d $out/base/repodata ]] || { echo "$out/base is not made: tests/rpmdistro/make --set base --out $out"; exit 77; }
work=$(mktemp -d /var/tmp/rpmdistro-test-XXXXXX)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }
export HOME=$work

/usr/bin/python3 "$top/tests/rpmdistro/test_rpmdistro.py" || fail "unit tests"

# A copy by hard links, so that what follows cannot spoil the original.
cp -al "$out" "$work/out"
rm -f "$work/out/.lock"
make=("$top/tests/rpmdistro/make" --set base --extras --out "$work/out")
before=$(sha256sum <"$out/base/repodata/repomd.xml")
"${make[@]}" 2>"$work/again" || { cat "$work/again"; fail "make"; }
! grep -q '^\[' "$work/again" || { cat "$work/again"; fail "nothing had changed, and yet packages were made"; }
[[ $(sha256sum <"$work/out/base/repodata/repomd.xml") == "$before" ]] || fail "the metadata changed"

digests() { rpm -qp --nosignature --qf '%{name} %{sha256header} %{payloaddigest}\n' "$work"/out/base/Packages/{openssh-server,iputils-ping,filesystem,base-passwd}-[0-9]*.rpm; }
digests >"$work/first"
rm -r "$work"/out/pool/{openssh-server,iputils-ping,filesystem,base-passwd}
"${make[@]}" 2>"$work/again" || { cat "$work/again"; fail "make of four packages"; }
[[ $(grep -c '^\[' "$work/again") -eq 4 ]] || { cat "$work/again"; fail "not just the four packages were made again"; }
digests >"$work/second"
cmp "$work/first" "$work/second" || { diff "$work/first" "$work/second"; fail "the same package has other bytes"; }

# Signatures: all of base good, the odd ones as announced.
rpmkeys --dbpath "$work/keys" --import "$work/out/base/RPM-GPG-KEY-rpmdistro"
check() { rpmkeys --dbpath "$work/keys" --checksig "$@" 2>&1 || true; }
bad=$(check "$work"/out/base/Packages/*.rpm | grep -v ': digests signatures OK$' || true)
[[ -z $bad ]] || fail "signatures: $bad"
[[ $(check "$work"/out/oddities/Packages/odd-unsigned-*.rpm) == *": digests OK" ]] || fail "odd-unsigned is signed"
[[ $(check "$work"/out/oddities/Packages/odd-stranger-*.rpm) == *"NOT OK" ]] || fail "odd-stranger passes"
for kind in header payload signature truncated stale; do
  [[ $(check "$work/out/broken/$kind"/Packages/*.rpm) == *"NOT OK" ]] || fail "broken/$kind passes"
done

# Everything into an empty root; of the kernel only kernel-core, which must do for the modules looked for below.
root=$work/root
mkdir "$root"
rpm --root "$root" --dbpath /usr/lib/sysimage/rpm --import "$out/base/RPM-GPG-KEY-rpmdistro" 2>/dev/null
mapfile -t rpms < <(ls "$out"/base/Packages/*.rpm | grep -Ev '/(network-config-dhcp|kernel-modules|kernel|linux-image-amd64)-[0-9]')
env -i PATH="$PATH" HOME="$HOME" SOURCE_DATE_EPOCH=1700000000 rpm --root "$root" --dbpath /usr/lib/sysimage/rpm \
  --define '_pkgverify_level all' -i "${rpms[@]}" >"$work/install" 2>&1 || { cat "$work/install"; fail "rpm -i"; }
complaints=$(grep -Ei 'warning|error|failed|not found' "$work/install" || true)
[[ -z $complaints ]] || fail "complaints during installation: $complaints"

installed=$(chroot "$root" rpm -qa --qf '%{name}\n' | grep -vc '^gpg-pubkey$')
[[ $installed -eq ${#rpms[@]} ]] || fail "the root's own rpm finds $installed packages instead of ${#rpms[@]}"
# Accounts grow by scriptlets; /proc and /sys are as the package says since nothing is mounted there.
changed=$(chroot "$root" rpm -Va | grep -vE '^S\.5\.\.\.\.T\.  c /etc/(passwd|group|shadow|gshadow)$' || true)
[[ -z $changed ]] || fail "rpm -Va: $changed"
[[ -z $(find "$root" -nouser -o -nogroup) ]] || fail "files of nobody: $(find "$root" -nouser -o -nogroup | head)"

is() { [[ $(stat -c "$2" "$root$1") == "$3" ]] || fail "$1: $(stat -c "$2" "$root$1") instead of $3"; }
is /usr/bin/su '%a %U' '4755 root'
is /usr/bin/chage '%a' 2755
[[ $(chroot "$root" stat -c '%a %U %G' /usr/lib/dbus-1.0/dbus-daemon-launch-helper) == "4754 root messagebus" ]] || fail "dbus-daemon-launch-helper"
[[ $(getcap "$root/usr/bin/ping") == *"cap_net_raw=ep" ]] || fail "ping has no capability"
is /tmp '%a' 1777
[[ $(readlink "$root/bin") == usr/bin && $(readlink "$root/var/run") == /run ]] || fail "links of filesystem"
for user in messagebus sshd systemd-network; do grep -q "^$user:x:" "$root/etc/passwd" || fail "no user $user"; done
[[ $(readlink "$root/etc/systemd/system/multi-user.target.wants/ssh.service") == *ssh.service ]] || fail "sshd is not enabled"
[[ ! -e $root/etc/systemd/system/multi-user.target.wants/systemd-networkd.service ]] || fail "networkd is enabled"
[[ -f $root/etc/machine-id && ! -s $root/etc/machine-id ]] || fail "machine-id is not empty"
[[ -z $(find "$root/etc/ssh" -name 'ssh_host_*') ]] || fail "host keys in the root"
[[ -s $root/etc/ld.so.cache ]] || fail "no ld.so.cache"

release=$(ls "$root/usr/lib/modules")
is "/usr/lib/modules/$release/vmlinuz" %i "$(stat -c %i "$root/boot/vmlinuz-$release")"
for module in virtio_net virtio_blk virtio_pci e1000 e1000e vmxnet3 igb ixgbe overlay squashfs dm_verity loop nbd nfs nfsv4 nvme ahci ext4 xfs erofs zram; do
  modprobe -d "$root" -S "$release" --show-depends "$module" >/dev/null 2>&1 || fail "no module $module"
done
echo "base: $installed packages, kernel $release: good"
