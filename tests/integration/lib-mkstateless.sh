# SPDX-License-Identifier: Apache-2.0
# Sourced by the mkstateless-*.sh tests: a scratch directory, tiny RPM packages made on the spot, a signed repository of them.
#
# Sets WORK (removed at the end), MKSTATELESS, AGENT. Functions: expect, fail, need, package, make_key, sign, make_repo, kernel_package,
# shell_package, image_file.
set -euo pipefail
: "${STATELESS_BUILD:?set it to the build directory}"
MKSTATELESS=$STATELESS_BUILD/imagebuilder/mkstateless
AGENT=$STATELESS_BUILD/initramfs/stateless-agent
WORK=$(mktemp -d /var/tmp/mkstateless-test-XXXXXX)
PIDS=()
cleanup() {
  local pid
  for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
  mountpoint -q "$WORK/mnt" && umount "$WORK/mnt"
  [[ -n ${GNUPGHOME:-} ]] && gpgconf --kill all 2>/dev/null || true
  rm -rf "$WORK"
}
trap cleanup EXIT
export LC_ALL=C

fail() { echo "FAIL: $*" >&2; exit 1; }
skip() { echo "$*"; exit 77; }
need() {
  local tool
  for tool in "$@"; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
  [[ $(id -u) = 0 ]] || skip "needs root"
  [[ -x $MKSTATELESS && -x $AGENT ]] || skip "mkstateless or the agent is not built"
}

# expect CODE WORDS COMMAND...: the exit code, and words (a regular expression) in what it says.
expect() {
  local code=$1 words=$2 got=0
  shift 2
  if [[ $(type -t "$1") = function ]]; then
    "$@" >"$WORK/out" 2>"$WORK/err" || got=$?
  else
    timeout 120 "$@" >"$WORK/out" 2>"$WORK/err" || got=$?
  fi
  if [[ ! $got =~ ^$code$ ]]; then
    cat "$WORK/out" "$WORK/err" >&2
    fail "$* ended with $got instead of $code"
  fi
  if [[ -n $words ]] && ! cat "$WORK/out" "$WORK/err" | grep -qE -- "$words"; then
    cat "$WORK/out" "$WORK/err" >&2
    fail "$* did not say '$words'"
  fi
}

# package NAME [VERSION] < extra lines of the spec (tags, %install body, scriptlets, %files). Goes to $WORK/rpms.
package() {
  local name=$1 version=${2:-1} spec=$WORK/specs/$1-${2:-1}.spec
  mkdir -p "$WORK/specs" "$WORK/rpms"
  {
    echo "Name: $name"
    echo "Version: $version"
    echo "Release: 1"
    echo "Summary: test package"
    echo "License: none"
    echo "AutoReqProv: no"
    tee "$spec.body"
    grep -q '^%description' "$spec.body" || printf '%%description\ntest\n'
    grep -q '^%files' "$spec.body" || printf '%%files\n'
  } >>"$spec"
  SOURCE_DATE_EPOCH=1700000000 rpmbuild --quiet -bb --target x86_64 \
    -D "_topdir $WORK/rpmbuild" -D "_rpmdir $WORK/rpms" -D "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" \
    -D "_buildhost test" -D "use_source_date_epoch_as_buildtime 1" -D "clamp_mtime_to_source_date_epoch 1" -D "_binary_payload w1.zstdio" -D "__strip /bin/true" \
    -D "__os_install_post %{nil}" -D "_build_id_links none" -D "debug_package %{nil}" -D "_invalid_encoding_terminates_build 0" -D "__spec_install_post %{nil}" \
    "$spec" >"$WORK/rpmbuild.log" 2>&1 || { cat "$spec" "$WORK/rpmbuild.log" >&2; fail "rpmbuild of $name"; }
}

# make_key ID: a throw-away key, its public half in $WORK/ID.asc
make_key() {
  export GNUPGHOME=${GNUPGHOME:-$WORK/gnupg}
  mkdir -p -m 700 "$GNUPGHOME"
  gpg --batch --quiet --passphrase '' --quick-gen-key "$1 <$1@test.invalid>" rsa2048 sign never 2>/dev/null
  gpg --batch --quiet --armor --export "$1@test.invalid" >"$WORK/$1.asc"
}
sign() {
  local key=$1
  shift
  rpmsign -D "_gpg_name $key@test.invalid" -D "__gpg $(command -v gpg)" --addsign "$@" >"$WORK/sign.log" 2>&1 || { cat "$WORK/sign.log" >&2; fail "rpmsign"; }
}

# make_repo DIR RPM...
make_repo() {
  local dir=$1
  shift
  rm -rf "$dir"
  mkdir -p "$dir"
  cp "$@" "$dir/"
  createrepo_c --quiet --revision 1 --set-timestamp-to-revision "$dir" 2>/dev/null
}

# A kernel that never ran: an ELF file with a build id, and the indexes of a release without modules.
kernel_package() {
  mkdir -p "$WORK/kernel"
  echo 'int main(void) { return 0; }' >"$WORK/kernel/a.c"
  gcc -Wl,--build-id=sha1 -o "$WORK/kernel/vmlinuz" "$WORK/kernel/a.c"
  package testkernel 6.1 <<EOF
%description
test
%install
d=%{buildroot}/usr/lib/modules/6.1.0-test
mkdir -p \$d %{buildroot}/boot
cp $WORK/kernel/vmlinuz %{buildroot}/boot/vmlinuz-6.1.0-test
touch \$d/modules.dep \$d/modules.alias \$d/modules.softdep \$d/modules.order
cat >\$d/modules.builtin <<END
kernel/drivers/block/loop.ko
kernel/drivers/md/dm-mod.ko
kernel/drivers/md/dm-verity.ko
kernel/fs/squashfs/squashfs.ko
kernel/fs/overlayfs/overlay.ko
END
%files
%dir /usr/lib/modules
/usr/lib/modules/6.1.0-test
/boot/vmlinuz-6.1.0-test
EOF
}

# /bin/sh for scriptlets: one static busybox under the names they use.
shell_package() {
  package testshell <<EOF
Provides: /bin/sh
%description
test
%install
mkdir -p %{buildroot}/usr/bin
cp $(command -v busybox) %{buildroot}/usr/bin/busybox
for n in sh cat date echo env id ls mkdir sleep hostname mount; do ln -s busybox %{buildroot}/usr/bin/\$n; done
ln -s usr/bin %{buildroot}/bin
%files
/usr/bin/*
/bin
EOF
}

# image_file STORE NAME: path of the root image; the manifest is in $WORK/manifest.json
image_file() {
  "$MKSTATELESS" show "$2" --store "$1" --json >"$WORK/manifest.json"
  local digest
  digest=$(/usr/bin/python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["root"]["image"]["digest"][7:])' "$WORK/manifest.json")
  echo "$1/objects/sha256/${digest:0:2}/$digest"
}
manifest_value() { /usr/bin/python3 -c 'import json,sys
v=json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."): v=v[k]
print(v)' "$WORK/manifest.json" "$1"; }

# No image, no unfinished file: what a failed build must leave of a store.
no_image_in() {
  local left
  left=$(find "$1/images" "$1/tmp" -mindepth 1 2>/dev/null || true)
  [[ -z $left ]] || fail "a failed build left: $left"
  [[ -z $(find "$WORK/work" -mindepth 1 2>/dev/null) ]] || fail "a failed build left: $(find "$WORK/work" | head)"
  ! grep -q mkstateless /proc/mounts || fail "a failed build left a mount: $(grep mkstateless /proc/mounts)"
}
