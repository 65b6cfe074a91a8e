"""UDP port pairs: even for RTP, the next odd one for RTCP (RFC 3550 §11); a pair rests before it is used again.

Packets of a call that has ended may still be under way, so a pair that was given back stays quiet for ``rest`` seconds,
and the pair that has rested longest goes first (security.md "RTP sources").
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class PortPool:
    """The even ports of ``low..high``."""

    __slots__ = ("_free", "_out", "_rest", "size")

    def __init__(self, low: int, high: int, rest: float) -> None:
        ports = range(low + low % 2, high, 2)
        self._free: deque[tuple[float, int]] = deque((float("-inf"), port) for port in ports)
        self._out: set[int] = set()
        self._rest = rest
        self.size = len(self._free)

    def take(self, now: float) -> int | None:
        """An even port, None when none has rested long enough."""
        if not self._free or self._free[0][0] > now:
            return None
        port = self._free.popleft()[1]
        self._out.add(port)
        return port

    def claim(self, port: int) -> bool:
        """Take this one, whether it has rested or not. False when it is out, or none of these."""
        for place, (_, free) in enumerate(self._free):
            if free == port:
                del self._free[place]
                self._out.add(port)
                return True
        return False

    def rest(self, ports: Iterable[int], now: float) -> None:
        """Let those of ``ports`` that are free rest: somebody had them a moment ago."""
        wanted = set(ports)
        resting = [port for _, port in self._free if port in wanted]
        self._free = deque(row for row in self._free if row[1] not in wanted)
        self._free.extend((now + self._rest, port) for port in resting)

    def give_back(self, port: int, now: float) -> None:
        """The pair of ``port`` is no longer used. ValueError when it was not out."""
        if port not in self._out:
            raise ValueError(f"port {port} was not taken")
        self._out.remove(port)
        self._free.append((now + self._rest, port))

    def put_back(self, port: int) -> None:
        """The pair of ``port`` was not used after all: it is the next to be taken. ValueError when it was not out."""
        if port not in self._out:
            raise ValueError(f"port {port} was not taken")
        self._out.remove(port)
        self._free.appendleft((float("-inf"), port))

    def resting(self, now: float) -> int:
        """Pairs that are not used and can't be taken yet."""
        count = 0
        for ready, _ in reversed(self._free):
            if ready <= now:
                break
            count += 1
        return count

    @property
    def out(self) -> int:
        """Pairs in use."""
        return len(self._out)
