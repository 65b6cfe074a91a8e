"""Whose packets a leg accepts (security.md "RTP sources", RFC 7362 §5).

Only the address and port that the SDP names, or an address of the trunk's listed media networks, and from the first
packet on. Once a packet was accepted, only its source, until the next offer/answer. A leg behind NAT (``learn``) takes
the first source from the address that its SIP comes from, once; the SDP's own address wins whenever it appears.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Source = tuple[str, int]


class Latch:
    """``locked`` is the source that is accepted, None before the first packet."""

    __slots__ = ("_learn_from", "_networks", "_signalled", "learned", "locked")

    def __init__(self, host: str, port: int, networks: tuple[str, ...], learn_from: str) -> None:
        self._signalled = (host, port)
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(text) for text in networks)
        self._learn_from = learn_from
        self.locked: Source | None = None
        self.learned = False

    def admits(self, source: Source) -> bool:
        """Whether a packet of ``source`` is the party's; the first that is locks."""
        if source == self.locked:
            return True
        if source == self._signalled:
            if self.locked is None or self.learned:
                self.locked, self.learned = source, False
                return True
            return False
        if self.locked is not None:
            return False
        if self._learn_from and source[0] == self._learn_from:
            self.locked, self.learned = source, True
            return True
        if self._networks and any(ip_address(source[0]) in network for network in self._networks):
            self.locked = source
            return True
        return False
