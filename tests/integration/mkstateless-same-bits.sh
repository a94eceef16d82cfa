#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same list and packages give the same image: another directory, umask, locale, time zone, environment, number of processors,
# order of the list, copy of the repository, way to fetch it (HTTP), cold and warm cache, memory and disk.
source "$(dirname "$0")/lib-mkstateless.sh"
need createrepo_c taskset unsquashfs
if [[ -f ${STATELESS_RPMDISTRO:-/nonexistent}/base/repodata/repomd.xml ]]; then
  repo=$STATELESS_RPMDISTRO/base
  printf '%s\n' base-files base-passwd bash coreutils systemd systemd-sysv udev dbus openssh-server iproute2 kmod login rpm linux-image-amd64 >"$WORK/list"
else
  need rpmbuild busybox gcc
  kernel_package
  shell_package
  package alpha <<'E'
Requires: testshell
%description
test
%post
mkdir -p /opt; echo alpha >>/opt/order
mkdir -p /var/log /tmp /run /var/cache/ldconfig
date >/var/log/alpha; date >/tmp/alpha; date >/run/alpha; date >/var/cache/ldconfig/aux-cache
E
  package beta <<'E'
Requires: testshell
%description
test
%post
mkdir -p /opt; echo beta >>/opt/order
E
  make_repo "$WORK/repo" "$WORK"/rpms/*.rpm
  repo=$WORK/repo
  printf '%s\n' testkernel testshell alpha beta >"$WORK/list"
fi
key=()
[[ -f $repo/RPM-GPG-KEY-rpmdistro ]] && key=(--key "$repo/RPM-GPG-KEY-rpmdistro")
build() {  # build STORE LIST REPO
  "$MKSTATELESS" build "$2" --store "$1" --name same --work "$WORK/work" --cache "$WORK/cache" --repo "$3" --agent "$AGENT" --drivers virtio \
    "${key[@]:---no-gpgcheck}" --progress none "${@:4}"
}
expect 0 "" build "$WORK/a" "$WORK/list" "$repo"
first=$(grep ^same@ "$WORK/out")
sleep 1.1
cp -r "$repo" "$WORK/copy"
mkdir "$WORK/elsewhere"
sort -R "$WORK/list" | sed 's/^/  /; s/$/   # a comment/' >"$WORK/elsewhere/shuffled"
(
  cd "$WORK/elsewhere"
  umask 077
  expect 0 "" env -u TERM TZ=America/New_York LANG=de_DE.UTF-8 LC_ALL=de_DE.UTF-8 HOME=/nowhere FOO=bar taskset -c 0 "$MKSTATELESS" build shuffled --store other-store --name same --work other-work --cache other-cache --repo "$WORK/copy" \
    --agent "$AGENT" --drivers virtio "${key[@]:---no-gpgcheck}" --progress none
)
[[ $(grep ^same@ "$WORK/out") = "$first" ]] || {
  unsquashfs -lln "$(image_file "$WORK/a" same)" >"$WORK/a.lls" || true
  unsquashfs -lln "$(image_file "$WORK/elsewhere/other-store" same)" >"$WORK/b.lls" || true
  diff "$WORK/a.lls" "$WORK/b.lls" | head -20 >&2
  fail "another directory, umask, locale, processor count, order: another image"
}
/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory "$WORK/copy" 0 >"$WORK/http.log" 2>&1 &
PIDS+=($!)
port=
for _ in $(seq 100); do
  port=$(sed -n 's/.*port \([0-9]*\).*/\1/p' "$WORK/http.log")
  [[ -n $port ]] && break
  sleep 0.1
done
[[ -n $port ]] || fail "the HTTP server did not start"
expect 0 "" build "$WORK/b" "$WORK/list" "http://127.0.0.1:$port/"
[[ $(grep ^same@ "$WORK/out") = "$first" ]] || fail "fetched by HTTP: another image"
[[ $(grep -c 'GET .*\.rpm' "$WORK/http.log") -gt 2 ]] || fail "nothing was fetched"
before=$(grep -c 'GET .*\.rpm' "$WORK/http.log")
expect 0 "" build "$WORK/c" "$WORK/list" "http://127.0.0.1:$port"
[[ $(grep ^same@ "$WORK/out") = "$first" ]] || fail "from a warm cache: another image"
[[ $(grep -c 'GET .*\.rpm' "$WORK/http.log") = "$before" ]] || fail "cached packages were fetched again"
expect 0 "building the root on disk" build "$WORK/e" "$WORK/list" "$repo" --root-in disk
[[ $(grep ^same@ "$WORK/out") = "$first" ]] || fail "built on disk: another image"
# A damaged cache is noticed.
victim=$(find "$WORK/cache/packages" -name '*.rpm' -print -quit)
printf x >>"$victim"
expect 4 "is refused: its file has SHA-256" build "$WORK/d" "$WORK/list" "http://127.0.0.1:$port"
echo "ok: $first"
