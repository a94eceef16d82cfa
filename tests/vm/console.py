# SPDX-License-Identifier: Apache-2.0
"""Serial consoles of lab machines: reading the log that QEMU writes, and talking through its unix socket."""
import os
import re
import select
import socket
import sys
import termios
import tty

# Terminal control of firmware and boot loaders: CSI and two-character sequences, carriage returns, NUL.
_CONTROL = re.compile(rb"\x1b\[[0-9;?=]*[ -/]*[@-~]|\x1b[()][0-9A-B]|\x1b[@-_]|[\r\x00]")


def plain(raw):
    """Console bytes as text without terminal control."""
    return _CONTROL.sub(b"", raw).decode("utf-8", errors="replace")


class Log:
    """The growing log of one console. A mark is a byte offset; searches start there."""

    def __init__(self, path):
        self.path = path

    def size(self):
        try:
            return os.path.getsize(self.path)
        except OSError:
            return 0

    def text(self, mark=0):
        try:
            with open(self.path, "rb") as f:
                f.seek(mark)
                return plain(f.read())
        except OSError:
            return ""

    def search(self, pattern, mark=0):
        return re.search(pattern, self.text(mark), re.MULTILINE)

    def tail(self, lines=25, mark=0):
        return "\n".join(self.text(mark).splitlines()[-lines:])


def connect(directory, name):
    """Connects to a unix socket in a directory whose path may be longer than a socket address can be."""
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(f"/proc/self/fd/{handle}/{name}")
        return s
    finally:
        os.close(handle)


def interactive(directory, name):
    """Joins this terminal and a console socket until Ctrl-]."""
    with connect(directory, name) as s:
        stdin = sys.stdin.fileno()
        saved = termios.tcgetattr(stdin) if os.isatty(stdin) else None
        try:
            if saved:
                tty.setraw(stdin)
            while True:
                ready, _, _ = select.select([s, stdin], [], [])
                if s in ready:
                    data = s.recv(4096)
                    if not data:
                        return
                    os.write(sys.stdout.fileno(), data)
                if stdin in ready:
                    data = os.read(stdin, 4096)
                    if not data or b"\x1d" in data:
                        return
                    s.sendall(data)
        finally:
            if saved:
                termios.tcsetattr(stdin, termios.TCSADRAIN, saved)
