"""Where a SIP message goes, or where it came from: transport, address, port.

A hop is what is left of a URI or a Via after RFC 3263 has been applied: an IP literal and a port, no names. The same
value identifies the remote end of a stream connection, so a reply finds the connection that its request came on.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

TRANSPORTS = ("udp", "tcp")
RELIABLE = frozenset({"tcp", "tls", "ws", "wss"})


@dataclass(frozen=True, slots=True)
class Hop:
    """One SIP hop. ``transport`` is lower case, ``host`` an IP literal without brackets, ``port`` 1..65535."""

    transport: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Hop:
        """Read ``udp:192.0.2.1:5060`` or ``tcp:[2001:db8::1]:5060``; a missing port is 5060. ValueError if wrong."""
        transport, colon, rest = text.partition(":")
        transport = transport.lower()
        if not colon or transport not in TRANSPORTS:
            raise ValueError(f"{text!r} must look like udp:192.0.2.1:5060 (transports: {', '.join(TRANSPORTS)})")
        if rest.startswith("["):
            host, bracket, port = rest[1:].partition("]")
            if not bracket or (port and not port.startswith(":")):
                raise ValueError(f"{text!r} has an unbalanced [IPv6] address")
            port = port[1:]
        else:
            host, _, port = rest.partition(":")
        ip_address(host)
        number = int(port) if port else 5060
        if not 0 < number < 65536:
            raise ValueError(f"{text!r}: port {number} is not in 1..65535")
        return cls(transport, host, number)

    @property
    def reliable(self) -> bool:
        """True for stream transports, whose transactions need no retransmission (RFC 3261 §17)."""
        return self.transport in RELIABLE

    @property
    def host_text(self) -> str:
        """The host as it stands in a URI or a Via: IPv6 in brackets."""
        return f"[{self.host}]" if isinstance(ip_address(self.host), IPv6Address) else self.host

    def __str__(self) -> str:
        return f"{self.transport}:{self.host_text}:{self.port}"
