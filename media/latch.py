"""Whose packets a leg accepts, and where its own go (security.md "RTP sources", RFC 7362 §5).

Only the address and port that the SDP names, or an address of the trunk's listed media networks, and from the first
packet on. Once a packet was accepted, only its source, until the next offer/answer. A leg behind NAT (``learn_from``)
takes the first source from the address that its SIP comes from, once; the SDP's own address wins whenever it appears.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Source = tuple[str, int]


class Latch:
    """``locked`` is the source that is accepted, None before the first packet; ``target`` where to send, None when the
    SDP names no usable address (an old hold's 0.0.0.0, port 0); ``sure``: the source can't change any more."""

    __slots__ = ("_learn_from", "_learned", "_networks", "_signalled", "locked")

    def __init__(self, host: str, port: int, networks: tuple[str, ...] = (), learn_from: str = "") -> None:
        self._signalled = (_canonical(host), port)
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(text) for text in networks)
        self._learn_from = _canonical(learn_from)
        self._learned = False
        self.locked: Source | None = None

    @property
    def target(self) -> Source | None:
        """The learnt source, else what the SDP says."""
        if self._learned:
            return self.locked
        return self._signalled if all(self._signalled) else None

    @property
    def signalled(self) -> Source:
        """What the SDP says; "" for an address that is none."""
        return self._signalled

    @property
    def host(self) -> str:
        """The address that the party's RTCP comes from too."""
        return self.locked[0] if self.locked is not None else self._signalled[0]

    @property
    def learned(self) -> bool:
        """The source is not what the SDP says, which may still appear."""
        return self._learned

    @property
    def sure(self) -> bool:
        """The source is the very address that we send to: the kernel may filter."""
        return self.locked is not None and self.locked == self._signalled

    def admits(self, source: Source) -> bool:
        """Whether a packet of ``source`` is the party's; the first that is locks."""
        if source == self.locked:
            return True
        if source == self._signalled:
            if self.locked is None or self._learned:
                self.locked, self._learned = source, False
                return True
            return False
        if self.locked is not None:
            return False
        if self._learn_from and source[0] == self._learn_from:
            self.locked, self._learned = source, True
            return True
        if self._networks and any(ip_address(source[0]) in network for network in self._networks):
            self.locked = source
            return True
        return False


def _canonical(host: str) -> str:
    """An IP literal as sockets write it; "" for what is none, or says "nowhere"."""
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    return "" if address.is_unspecified else str(address)
