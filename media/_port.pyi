"""A connected UDP socket whose recv and send cost no more than their system calls (_port.c; there when compiled).

The same face as a non-blocking ``socket.socket``'s, which stands in where this is not there: one code path.
"""

class Port:
    def __new__(cls, fd: int, /) -> Port:
        """``fd`` is borrowed: who opened it closes it."""

    def recv(self, size: int, /) -> bytes:
        """The next datagram, whatever ``size``, up to 2048 octets. OSError."""

    def send(self, data: bytes, /) -> int:
        """Send to the connected peer. OSError."""
