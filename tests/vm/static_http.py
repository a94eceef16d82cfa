#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A plain static web server with byte ranges: what any site has, for boots without overlayd.

Prints one line a request, and answers GET and HEAD for regular files below one directory only.
"""
import argparse
import http.server
import os
import re
import sys
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = "/"

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        path = os.path.realpath(os.path.join(self.root, urllib.parse.unquote(self.path.split("?")[0]).lstrip("/")))
        if not path.startswith(self.root + "/") or not os.path.isfile(path):
            self.send_error(404)
            return
        with open(path, "rb") as f:
            size = os.fstat(f.fileno()).st_size
            first, last, code = 0, size - 1, 200
            match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
            if match and (match[1] or match[2]):
                if match[1]:
                    first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
                else:
                    first = max(0, size - int(match[2]))
                code = 206
                if first > last:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{size}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
            self.send_response(code)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(last - first + 1))
            if code == 206:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            if not body:
                return
            self.wfile.flush()
            offset, left = first, last - first + 1
            while left > 0:
                sent = os.sendfile(self.connection.fileno(), f.fileno(), offset, min(left, 1 << 20))
                if sent == 0:
                    return
                offset, left = offset + sent, left - sent

    def log_message(self, format, *args):
        sys.stderr.write(f"{self.client_address[0]} {format % args} {self.headers.get('Range', '') if hasattr(self, 'headers') else ''}\n")
        sys.stderr.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    args = parser.parse_args()
    Handler.root = os.path.realpath(args.root)
    http.server.ThreadingHTTPServer.daemon_threads = True
    with http.server.ThreadingHTTPServer((args.bind, args.port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
