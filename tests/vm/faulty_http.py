#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A store server that lies: serves a store as static_http.py does, but with one byte flipped in one path, or with a
canned freshness statement. Reports of nodes are kept, one JSON document a line.

Anything it does not have itself is asked of --upstream (a live overlayd), so that the rest of a boot is real.
"""
import argparse
import http.server
import os
import re
import sys
import urllib.error
import urllib.request

import static_http


class Handler(static_http.Handler):
    options = None

    def answer(self, body):
        path = self.path.split("?")[0]
        if path == "/v1/freshness" and self.options.freshness:
            with open(self.options.freshness, "rb") as f:
                return self.send_bytes(f.read(), body)
        full = os.path.realpath(os.path.join(self.root, path.lstrip("/")))
        if full.startswith(self.root + "/") and os.path.isfile(full):
            if self.flipped(path):
                return self.send_flipped(full, body)
            return super().answer(body)
        if not self.options.upstream:
            return self.send_error(404)
        try:
            with urllib.request.urlopen(self.options.upstream.rstrip("/") + self.path, timeout=20) as reply:
                data = reply.read()
        except urllib.error.HTTPError as error:
            return self.send_error(error.code)
        except OSError:
            return self.send_error(502)
        return self.send_bytes(self.flip(data) if self.flipped(path) else data, body)

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.options.reports:
            with open(self.options.reports, "ab") as f:
                f.write(data.replace(b"\n", b" ") + b"\n")
        self.send_response(204)
        self.end_headers()

    def flipped(self, path):
        return bool(self.options.flip) and path.endswith(self.options.flip)

    def flip(self, data):
        at = len(data) // 2 if self.options.at is None else self.options.at % len(data)
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]

    def send_flipped(self, full, body):
        with open(full, "rb") as f:
            data = self.flip(f.read())
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match:
            first, last = int(match[1]), min(int(match[2] or len(data) - 1), len(data) - 1)
            return self.send_bytes(data[first:last + 1], body, 206, f"bytes {first}-{last}/{len(data)}")
        return self.send_bytes(data, body)

    def send_bytes(self, data, body, code=200, content_range=None):
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if body:
            self.wfile.write(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--upstream", help="base URL of a live overlayd for everything that is no file of the store")
    parser.add_argument("--flip", help="end of the path whose bytes are to be wrong")
    parser.add_argument("--at", type=int, help="offset of the wrong byte; the middle otherwise, negative counts from the end")
    parser.add_argument("--freshness", help="file to answer every freshness question with")
    parser.add_argument("--reports", help="file to append reports to")
    Handler.options = parser.parse_args()
    Handler.root = os.path.realpath(Handler.options.root)
    http.server.ThreadingHTTPServer.daemon_threads = True
    with http.server.ThreadingHTTPServer((Handler.options.bind, Handler.options.port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
