#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Repositories that lie, cut connections, answer errors or fall silent, and disks that are full: a sentence, the right exit code, nothing
# half-made in the store, no hang.
source "$(dirname "$0")/lib-mkstateless.sh"
need createrepo_c rpmbuild busybox gcc
kernel_package
package big <<'E'
%description
test
%install
mkdir -p %{buildroot}/opt
head -c 8000000 /dev/urandom >%{buildroot}/opt/big
%files
/opt/big
E
make_repo "$WORK/repo" "$WORK"/rpms/*.rpm
printf '%s\n' testkernel big >"$WORK/list"

# MODE is the first component of the path: /MODE/repodata/repomd.xml
cat >"$WORK/server.py" <<'P'
import http.server, os, sys, time
root = sys.argv[1]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *words):
        pass
    def do_GET(self):
        mode, path = self.path.lstrip("/").split("/", 1)
        try:
            data = open(os.path.join(root, path), "rb").read()
        except OSError:
            return self.send_error(404)
        rpm, meta = path.endswith(".rpm"), "primary" in path
        if mode == "error" and rpm:
            return self.send_error(500)
        if mode == "swapped" and rpm:
            data = bytes(len(data))
        if mode == "swapped-metadata" and meta:
            data = bytes(len(data))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data) // 2 if mode == "short" and rpm else len(data)))
        self.end_headers()
        if mode == "short" and rpm:
            data = data[:len(data) // 2]
        if mode == "cut" and rpm:
            self.wfile.write(data[:len(data) // 2])
            self.wfile.flush()
            self.connection.close()
            return
        if mode == "cut-once" and "big" in path and not os.path.exists(root + "/../cut-once"):
            open(root + "/../cut-once", "w").close()
            self.wfile.write(data[:len(data) // 2])
            self.wfile.flush()
            self.connection.close()
            return
        if mode == "silent" and rpm:
            self.wfile.write(data[:100])
            self.wfile.flush()
            time.sleep(600)
        self.wfile.write(data)
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    def handle_error(self, *words):
        pass
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
P
/usr/bin/python3 "$WORK/server.py" "$WORK/repo" >"$WORK/port" &
PIDS+=($!)
for _ in $(seq 100); do [[ -s $WORK/port ]] && break; sleep 0.1; done
url=http://127.0.0.1:$(cat "$WORK/port")
build() {
  rm -rf "$WORK/cache"
  timeout 120 "$MKSTATELESS" build "$WORK/list" --store "$WORK/store" --name test --work "$WORK/work" --cache "$WORK/cache" --repo "$1" --agent "$AGENT" \
    --no-gpgcheck --progress none "${@:2}"
}
expect 1 "(big|testkernel).*rpm" build "$url/error"
expect 1 "(big|testkernel).*rpm" build "$url/cut"
expect '[14]' "(big|testkernel)" build "$url/short"
expect 4 "(big|testkernel)-.* is refused: what the repository sent has SHA-256" build "$url/swapped"
expect 4 "repomd.xml says" build "$url/swapped-metadata"
expect 1 "cannot use repository $url/nothing/here" build "$url/nothing/here"
no_image_in "$WORK/store"
# A silent server: Ctrl-C works meanwhile.
rm -rf "$WORK/cache"
"$MKSTATELESS" build "$WORK/list" --store "$WORK/store" --name test --work "$WORK/work" --cache "$WORK/cache" --repo "$url/silent" --agent "$AGENT" --no-gpgcheck \
  >"$WORK/out" 2>"$WORK/err" &
pid=$!
sleep 2
kill -INT $pid
for _ in $(seq 100); do kill -0 $pid 2>/dev/null || break; sleep 0.1; done
! kill -0 $pid 2>/dev/null || { kill -9 $pid; fail "Ctrl-C does not end a silent download within ten seconds"; }
code=0; wait $pid || code=$?
[[ $code = 130 ]] || { cat "$WORK/err" >&2; fail "a silent download ended with $code"; }
no_image_in "$WORK/store"

# No room: in the store, in the scratch directory on disk, in the cache.
mkdir "$WORK/small"
for place in store work cache; do
  mount -t tmpfs -o size=6m tmpfs "$WORK/small"
  mkdir "$WORK/small/d"
  code=0
  store=$WORK/store work=$WORK/work cache=$WORK/cache from=$WORK/repo more=()
  case $place in
    store) store=$WORK/small/d ;;
    work) work=$WORK/small/d more=(--root-in disk) ;;
    cache) cache=$WORK/small/d from=$url/plain ;;
  esac
  timeout 120 "$MKSTATELESS" build "$WORK/list" --store "$store" --name test --work "$work" --cache "$cache" --agent "$AGENT" --no-gpgcheck \
    --progress none --repo "$from" "${more[@]}" >"$WORK/out" 2>"$WORK/err" || code=$?
  left=$(find "$WORK/small/d/images" "$WORK/small/d/tmp" -mindepth 1 2>/dev/null || true)
  [[ $place = cache ]] || [[ -z $(find "$WORK/small/d" -maxdepth 1 -name 'mkstateless-*') ]] || left=scratch
  umount "$WORK/small"
  [[ $code = 1 ]] || { cat "$WORK/err" >&2; fail "no room in $place: ended with $code"; }
  [[ $place = cache ]] || grep -qiE 'no space|space' "$WORK/err" || { cat "$WORK/err" >&2; fail "no room in $place: not said"; }
  [[ -z $left ]] || fail "no room in $place: left $left"
done
no_image_in "$WORK/store"
expect 0 "test@" build "$url/plain"
expect 0 "test@" build "$url/cut-once"
echo "ok"
