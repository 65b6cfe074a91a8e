"""What ``load.c`` does, for a machine without a C compiler: same arguments, same lines on stdin and stdout."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys
import time

PERIOD = 0.02
LINGER = 0.1


def run(sockets: list[socket.socket], poll: select.epoll, seconds: float, seq: int) -> int:
    """Send for ``seconds`` and print what came back; the next sequence number."""
    by_fd = {sock.fileno(): sock for sock in sockets}
    legs, rounds = len(sockets), int(seconds / PERIOD)
    total, due, late = legs * rounds, 0, []
    start = time.monotonic()
    while True:
        now = time.monotonic()
        while due < total and start + due * PERIOD / legs <= now:
            number, leg = divmod(due, legs)
            header = struct.pack(">BBHII", 0x80, 8, (seq + number) & 0xFFFF, int(now * 8000) & 0xFFFFFFFF, 4096 + leg)
            with contextlib.suppress(OSError):
                sockets[leg].send(header + struct.pack("d", now) + b"\xd5" * 152)
            due += 1
        for fd, _ in poll.poll(0):
            with contextlib.suppress(OSError):
                packet = by_fd[fd].recv(2048)
                if len(packet) == 172:  # not RTCP
                    late.append(time.monotonic() - struct.unpack_from("d", packet, 12)[0])
        if due == total and now > start + rounds * PERIOD + LINGER:
            break
    late.sort()
    marks = [round(late[int((len(late) - 1) * part)] * 1e6) if late else 0 for part in (0.5, 0.99, 1.0)]
    print(total, len(late), *marks, flush=True)
    return seq + rounds


def main() -> None:
    sockets, poll, seq = [], select.epoll(), 1
    for _ in range(int(sys.argv[1])):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind(("127.0.0.1", 0))
        poll.register(sock.fileno(), select.EPOLLIN)
        sockets.append(sock)
        print(sock.getsockname()[1], flush=True)
    for sock in sockets:
        sock.connect(("127.0.0.1", int(sys.stdin.readline())))
    for line in sys.stdin:
        seq = run(sockets, poll, float(line.split()[1]), seq)


if __name__ == "__main__":
    main()
