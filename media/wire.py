"""[IO] The sockets of a leg, locked on its party or open to anybody.

A locked socket is read and written by ``_port.Port`` where that has been compiled, which costs a fifth less a packet;
else by the socket itself, which has the same face.
"""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Callable
from typing import Protocol

from media.session import Leg

_AF_UNSPEC = b"\0" * 16
_libc = ctypes.CDLL(None)


class _Face(Protocol):
    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes, /) -> int: ...


try:
    from media._port import Port

    def _face(rtp: socket.socket) -> _Face:
        return Port(rtp.fileno())

except ImportError:

    def _face(rtp: socket.socket) -> _Face:
        return rtp


class Wire:
    """``deliver`` sends bytes as they are to the connected party, or to the leg's target; ``receive`` takes a datagram
    of the locked socket, ``send`` a packet for it: both through the leg's guard where it is SRTP."""

    __slots__ = ("_send", "deliver", "leg", "peer", "receive", "recv", "rtcp", "rtp", "send")

    def __init__(self, leg: Leg, rtp: socket.socket, rtcp: socket.socket) -> None:
        self.leg = leg
        self.rtp = rtp
        self.rtcp = rtcp
        port = _face(rtp)
        self.recv = port.recv
        self._send = port.send
        self.receive: Callable[[bytes, float], bytes | None] = leg.receive
        self.deliver: Callable[[bytes], int] = self._send_to_target
        self.send: Callable[[bytes], int] = self._send_to_target
        self.peer: Wire
        """The wire of the other leg."""

    def _send_to_target(self, data: bytes) -> int:
        target = self.leg.target
        return self.rtp.sendto(data, target) if target is not None else 0

    def _open(self, data: bytes, now: float) -> bytes | None:
        clear = self.leg.open(data)
        return None if clear is None else self.leg.receive(clear, now)

    def _seal(self, packet: bytes) -> int:
        guard = self.leg.guard
        data = None if guard is None else guard.seal(packet)
        return 0 if data is None else self.deliver(data)

    def connect(self) -> None:
        """Lock on: only the leg's target is heard and sent to. OSError."""
        assert self.leg.target is not None
        self.rtp.connect(self.leg.target)
        self.deliver = self._send
        self.follow()

    def dissolve(self) -> None:
        """Hear anybody again; the latch decides."""
        # Connecting to AF_UNSPEC dissolves the association (connect(2)); Python has no name for that address.
        _libc.connect(self.rtp.fileno(), _AF_UNSPEC, len(_AF_UNSPEC))
        self.deliver = self._send_to_target
        self.follow()

    def follow(self) -> None:
        """As the leg says now: SRTP or not. A leg without costs nothing for those with."""
        guarded = self.leg.guard is not None
        self.receive = self._open if guarded else self.leg.receive
        self.send = self._seal if guarded else self.deliver
