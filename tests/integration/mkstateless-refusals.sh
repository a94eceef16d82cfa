#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything that a build must refuse: the exit code, a sentence that names the culprit, and nothing left behind.
source "$(dirname "$0")/lib-mkstateless.sh"
need rpmbuild rpmsign gpg createrepo_c busybox gcc

kernel_package
shell_package
package good </dev/null
package needy <<'E'
Requires: does-not-exist >= 4
E
package left <<'E'
Conflicts: right
E
package right </dev/null
for side in a b; do
  package file-$side <<E
%description
test
%install
mkdir -p %{buildroot}/etc
echo $side >%{buildroot}/etc/same
%files
/etc/same
E
done
package bad-post <<'E'
Requires: testshell
%description
test
%post
echo first line of output
echo to the other stream >&2
exit 3
E
package bad-pre <<'E'
Requires(pre): testshell
%description
test
%pre
echo no good
exit 4
E
package bad-lua <<'E'
%description
test
%post -p <lua>
error("boom from lua")
E
package bad-trans <<'E'
Requires: testshell
%description
test
%posttrans
exit 5
E
package unsigned </dev/null
package foreign </dev/null
make_key site
make_key other
sign other "$WORK"/rpms/foreign-1-1.x86_64.rpm
sign site $(ls "$WORK"/rpms/*.rpm | grep -v -e unsigned -e foreign)
make_repo "$WORK/repo" "$WORK"/rpms/*.rpm

build() {  # build LIST-WORDS... -- OPTIONS
  local words=()
  while [[ $1 != -- ]]; do words+=("$1"); shift; done
  shift
  printf '%s\n' "${words[@]}" >"$WORK/list"
  timeout 120 "$MKSTATELESS" build "$WORK/list" --store "${STORE-$WORK/store}" --name test --work "${WORKDIR-$WORK/work}" --cache "${CACHE-$WORK/cache}" --agent "$AGENT" "$@"
}
signed=(-- --repo "$WORK/repo" --key "$WORK/site.asc")

expect 3 "list:2: no package in the repositories is named 'no-such-thing'" build good no-such-thing "${signed[@]}"
expect 3 "did you mean 'good'" build goud "${signed[@]}"
expect 3 "nothing provides does-not-exist >= 4 needed by needy-1-1.x86_64" build needy "${signed[@]}"
expect 3 "left-1-1.x86_64 conflicts with right" build left right "${signed[@]}"
expect 3 "file /etc/same conflicts between attempted installs of file-" build file-a file-b testkernel "${signed[@]}"
no_image_in "$WORK/store"
expect 1 "%post scriptlet of bad-post-1-1.x86_64 failed" build bad-post testkernel "${signed[@]}"
grep -q "first line of output" "$WORK/err" || fail "the scriptlet's output is not shown"
grep -q "to the other stream" "$WORK/err" || fail "the scriptlet's error output is not shown"
expect 1 "%pre scriptlet of bad-pre-1-1.x86_64 failed" build bad-pre testkernel "${signed[@]}"
expect 1 "%post scriptlet of bad-lua-1-1.x86_64 failed" build bad-lua testkernel "${signed[@]}"
grep -q "boom from lua" "$WORK/err" || fail "the lua error is not shown"
expect 1 "%posttrans scriptlet of bad-trans-1-1.x86_64 failed" build bad-trans testkernel "${signed[@]}"
no_image_in "$WORK/store"
expect 1 "no package of the list brings a kernel" build good "${signed[@]}"
expect 1 "no-such-dir.*there is no such directory" build good -- --repo "$WORK/no-such-dir" --key "$WORK/site.asc"
mkdir "$WORK/empty"
expect 1 "it has no repodata/repomd.xml" build good -- --repo "$WORK/empty" --key "$WORK/site.asc"
expect 2 "no key was given" build good -- --repo http://127.0.0.1:9/
expect 1 "cannot use repository http://127.0.0.1:9" build good -- --repo http://127.0.0.1:9 --no-gpgcheck
expect 4 "unsigned-1-1.x86_64 is refused: it is not signed" build unsigned testkernel "${signed[@]}"
expect 4 "foreign-1-1.x86_64 is refused: it is signed with key [0-9a-f]{16}, which is not among" build foreign testkernel "${signed[@]}"
expect 1 "there is no OpenPGP public key" build good -- --repo "$WORK/repo" --key "$WORK/list"
expect 2 "" build good -- --repo "$WORK/repo" --key "$WORK/site.asc" --name 'bad name'
for option in "--epoch -1" "--epoch 4294967296" "--level -5" "--kernel-argument stateless.x=1"; do
  expect 2 "cannot|not in range|not convert|boot word" build good testkernel "${signed[@]}" $option
done
STORE="" expect 2 "cannot use --store: it names no directory" build good testkernel "${signed[@]}"
expect 2 "is not one word" build good testkernel "${signed[@]}" --kernel-argument "two words"
AGENT=$WORK/list expect 1 "it is no program" build good testkernel "${signed[@]}"
CACHE=$WORK/list/x expect 1 "cannot make the cache directory .*Not a directory" build good testkernel "${signed[@]}"
WORKDIR=$WORK/list/x expect 1 "cannot make the work directory .*Not a directory" build good testkernel "${signed[@]}"
no_image_in "$WORK/store"

# Bytes that are not what the metadata says, in each part of a package.
damage() {  # damage OFFSET
  make_repo "$WORK/damaged" "$WORK"/rpms/*.rpm
  /usr/bin/python3 - "$WORK/damaged/good-1-1.x86_64.rpm" "$1" <<'P'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[2])] ^= 1
open(sys.argv[1], "wb").write(data)
P
}
damage -1
expect 4 "good-1-1.x86_64 is refused: its file has SHA-256" build good testkernel -- --repo "$WORK/damaged" --key "$WORK/site.asc"
# The same, with metadata made to match: now only the signature stands in the way.
createrepo_c --quiet "$WORK/damaged"
expect 4 "good-1-1.x86_64 is refused: its payload is damaged or was tampered with" build good testkernel -- --repo "$WORK/damaged" --key "$WORK/site.asc"
size=$(stat -c %s "$WORK/rpms/good-1-1.x86_64.rpm")
# A changed header, with lying metadata that fits it (createrepo_c itself would not take such a package).
make_repo "$WORK/damaged" "$WORK"/rpms/*.rpm
/usr/bin/python3 - "$WORK/damaged" <<'P'
import glob, gzip, hashlib, re, sys
directory = sys.argv[1]
rpm = directory + "/good-1-1.x86_64.rpm"
data = open(rpm, "rb").read()
at = data.rindex(b"test package")
changed = data[:at] + b"best package" + data[at + 12:]
open(rpm, "wb").write(changed)
sha = lambda b: hashlib.sha256(b).hexdigest()
primary = glob.glob(directory + "/repodata/*-primary.xml.gz")[0]
old = open(primary, "rb").read()
new = gzip.compress(gzip.decompress(old).replace(sha(data).encode(), sha(changed).encode()))
open(primary.replace(sha(old), sha(new)), "wb").write(new)
repomd = open(directory + "/repodata/repomd.xml").read().replace(sha(old), sha(new))
open(directory + "/repodata/repomd.xml", "w").write(repomd)
P
expect 4 "good-1-1.x86_64 is refused: its header is damaged or was tampered with" build good testkernel -- --repo "$WORK/damaged" --key "$WORK/site.asc"
make_repo "$WORK/damaged" "$WORK"/rpms/*.rpm
truncate -s $((size / 2)) "$WORK/damaged/good-1-1.x86_64.rpm"
expect 4 "good-1-1.x86_64 is refused" build good testkernel -- --repo "$WORK/damaged" --key "$WORK/site.asc"
rm "$WORK/damaged/good-1-1.x86_64.rpm"
expect 1 "good-1-1.x86_64: .*No such file" build good testkernel -- --repo "$WORK/damaged" --key "$WORK/site.asc"
mkfifo "$WORK/damaged/good-1-1.x86_64.rpm"
expect 1 "good-1-1.x86_64: .* is not a file" build good testkernel -- --repo "$WORK/damaged" --key "$WORK/site.asc"
make_repo "$WORK/damaged" "$WORK"/rpms/*.rpm
printf x >>"$(echo "$WORK"/damaged/repodata/*-primary.xml.*)"
expect 4 "repomd.xml says" build good testkernel -- --repo "$WORK/damaged" --key "$WORK/site.asc"
make_repo "$WORK/damaged" "$WORK"/rpms/*.rpm
echo '<nonsense' >"$WORK/damaged/repodata/repomd.xml"
expect 1 "repomd.xml: Parse error at line: .*nonsense[)]$" build good testkernel -- --repo "$WORK/damaged" --key "$WORK/site.asc"
no_image_in "$WORK/store"

# And the good ones do build.
expect 0 "test@[0-9a-f]{64}" build good left testkernel "${signed[@]}"
expect 0 "is good" "$MKSTATELESS" verify test --store "$WORK/store"
# One flipped byte in the store is found.
shown=$(echo "$WORK"/store/images/test/[0-9a-f]*)
cp "$shown" "$WORK/shown"
printf '\x55' | dd of="$shown" bs=1 seek=50 conv=notrunc status=none
expect 4 "is not the manifest that it is named after" "$MKSTATELESS" verify test --store "$WORK/store"
cp "$WORK/shown" "$shown"
image=$(image_file "$WORK/store" test)
printf '\x55' | dd of="$image" bs=1 seek=5000 conv=notrunc status=none
expect 4 "is damaged: object sha256:[0-9a-f]{64} has other bytes" "$MKSTATELESS" verify test --store "$WORK/store"
echo "ok"
