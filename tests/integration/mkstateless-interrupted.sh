#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ctrl-C and kill -9 at many moments: no image, mount, process or scratch directory stays, and the next build succeeds with the same image.
source "$(dirname "$0")/lib-mkstateless.sh"
need createrepo_c rpmbuild busybox gcc
kernel_package
shell_package
for i in 1 2 3 4 5 6; do
  package slow$i <<'E'
Requires: testshell
%description
test
%install
mkdir -p %{buildroot}/opt
head -c 3000000 /dev/urandom >%{buildroot}/opt/%{name}
%post
sleep 0.05
sleep 4711 &
%files
/opt/*
E
done
make_repo "$WORK/repo" "$WORK"/rpms/*.rpm
printf '%s\n' testkernel slow{1..6} >"$WORK/list"
build=("$MKSTATELESS" build "$WORK/list" --store "$WORK/store" --name cut --work "$WORK/work" --cache "$WORK/cache" --repo "$WORK/repo" --agent "$AGENT" --no-gpgcheck)
begin=$(date +%s%N)
expect 0 "" timeout 120 "${build[@]}"
took=$(( ($(date +%s%N) - begin) / 1000000 ))
first=$(grep ^cut@ "$WORK/out")
processes_left() { grep -lasE 'sleep[^.]4711' /proc/[0-9]*/cmdline 2>/dev/null | grep -v "/$$/" || true; }
for signal in INT TERM KILL; do
  for i in $(seq 1 "${ROUNDS:-6}"); do
    rm -rf "$WORK/store" "$WORK/work"
    "${build[@]}" >"$WORK/out" 2>"$WORK/err" &
    pid=$!
    sleep "$(printf '0.%03d' $((took * i / 7 % 1000)))"
    kill -$signal $pid 2>/dev/null || true
    code=0
    wait $pid || code=$?
    for _ in $(seq 50); do [[ -z $(processes_left) ]] && break; sleep 0.1; done
    [[ -z $(processes_left) ]] || fail "$signal in round $i left processes: $(processes_left)"
    ! grep -q mkstateless /proc/mounts || fail "$signal in round $i left a mount"
    if [[ $code = 0 ]]; then
      continue  # it was done before the signal came
    fi
    [[ -z $(find "$WORK/store/images" -type f 2>/dev/null) ]] || fail "$signal in round $i left an image"
    if [[ $signal != KILL ]]; then
      [[ $code = 130 ]] || { cat "$WORK/err" >&2; fail "$signal in round $i ended with $code"; }
      [[ -z $(find "$WORK/store/tmp" -mindepth 1 2>/dev/null) ]] || fail "$signal in round $i left a temporary file"
      [[ -z $(find "$WORK/work" -mindepth 1 2>/dev/null) ]] || fail "$signal in round $i left a scratch directory"
    fi
  done
done
expect 0 "" timeout 120 "${build[@]}"
[[ $(grep ^cut@ "$WORK/out") = "$first" ]] || fail "the build after the interrupted ones gave another image"
[[ -z $(find "$WORK/work" -mindepth 1) ]] || fail "scratch directories of killed builds stay"
echo "ok"
