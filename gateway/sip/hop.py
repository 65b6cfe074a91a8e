"""Where a SIP message goes, or where it came from: transport, address, port.

A hop is what is left of a URI or a Via after RFC 3263 has been applied: an IP literal and a port. The same value
identifies the remote end of a stream connection, so a reply finds the connection that its request came on.

transport   port   carries          we listen, we connect
udp         5060   datagrams        both
tcp         5060   a stream         both
tls         5061   TLS on TCP       both; who is connected to must prove ``name``
ws, wss     80 443 RFC 7118         we only listen: what goes there goes on a connection that stands
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}
TRANSPORTS = tuple(DEFAULT_PORTS)
DIALLED = ("udp", "tcp", "tls")
RELIABLE = frozenset({"tcp", "tls", "ws", "wss"})
SECURE = frozenset({"tls", "wss"})


@dataclass(frozen=True, slots=True)
class Hop:
    """One SIP hop. ``transport`` is lower case, ``host`` an IP literal without brackets, ``port`` 1..65535.

    ``target``: a name that is to be looked up first (target.py), while the address is where to go if DNS doesn't know;
    or an address to go to when the connection to this one is gone (named_hops.py).
    ``name``: the domain that the other end of TLS must prove (RFC 5922); "" stands for the address.
    """

    transport: str
    host: str
    port: int
    name: str = ""
    target: str = ""

    @classmethod
    def parse(cls, text: str) -> Hop:
        """Read ``udp:192.0.2.1:5060`` or ``tls:[2001:db8::1]``; a missing port is the transport's. ValueError if
        wrong."""
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
        number = int(port) if port else DEFAULT_PORTS[transport]
        if not 0 < number < 65536:
            raise ValueError(f"{text!r}: port {number} is not in 1..65535")
        return cls(transport, host, number)

    @property
    def reliable(self) -> bool:
        """True for stream transports, whose transactions need no retransmission (RFC 3261 §17)."""
        return self.transport in RELIABLE

    @property
    def secure(self) -> bool:
        """Whether nobody on the way can read or write."""
        return self.transport in SECURE

    @property
    def host_text(self) -> str:
        """The host as it stands in a URI or a Via: IPv6 in brackets."""
        return f"[{self.host}]" if isinstance(ip_address(self.host), IPv6Address) else self.host

    @property
    def uri_transport(self) -> str:
        """The parameter of a URI that leads here: "" for UDP; ``ws`` for both of RFC 7118 §5.2."""
        if self.transport == "udp":
            return ""
        return f";transport={'ws' if self.transport == 'wss' else self.transport}"

    def __str__(self) -> str:
        return f"{self.transport}:{self.host_text}:{self.port}"


def is_address(host: str) -> bool:
    """Whether a host is an IP literal, without brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
