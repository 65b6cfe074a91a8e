"""A SIP server by name, and what DNS knows of it: the question and the answer of RFC 3263.

sip:trunk.example.com                    transport, addresses and ports as DNS has them (NAPTR, SRV, A, AAAA)
sip:trunk.example.com;transport=tcp      likewise, of that transport (SRV, A, AAAA)
tls:trunk.example.com                    likewise; sips: is the same but for NAPTR
udp:trunk.example.com:5080               addresses only: a port says that there is nothing to be asked (§4.2)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.sip.hop import DIALLED, Hop

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?\Z")
_TARGET = re.compile(r"([A-Za-z]+):([^:;\[\]]+)(?::(\d{1,5}))?(?:;transport=([A-Za-z]+))?\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """``transport`` "" and ``port`` None: as DNS says. ``secure``: by nothing but TLS."""

    name: str
    port: int | None = None
    transport: str = ""
    secure: bool = False

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read one of the forms above. ValueError if it is none."""
        match = _TARGET.match(text)
        if match is None or not NAME.match(match[2]):
            raise ValueError(f"{text!r} must look like udp:192.0.2.1:5060, tls:sbc.example.com or sip:example.com")
        scheme, name, port, transport = match[1].lower(), match[2], match[3], (match[4] or "").lower()
        if scheme not in ("sip", "sips"):
            if transport:
                raise ValueError(f"{text!r} names its transport twice")
            scheme, transport = "sip", scheme
        if transport and transport not in DIALLED:
            raise ValueError(f"{text!r}: nobody is called by {transport} (transports: {', '.join(DIALLED)})")
        if match[2].rstrip(".").rpartition(".")[2].isdecimal():
            raise ValueError(f"{text!r}: {match[2]} is neither an address nor a name")
        secure = scheme == "sips" or transport == "tls"
        if secure and transport == "udp":
            raise ValueError(f"{text!r}: TLS does not run over UDP")
        if port and not 0 < int(port) < 65536:
            raise ValueError(f"{text!r}: port {port} is not in 1..65535")
        number = int(port) if port else None
        return cls(name.rstrip(".").lower(), number, "tls" if secure and transport else transport, secure)

    @property
    def host_port(self) -> str:
        """How it stands in a URI."""
        return self.name if self.port is None else f"{self.name}:{self.port}"

    def __str__(self) -> str:
        return f"{self.transport or ('sips' if self.secure else 'sip')}:{self.host_port}"


@dataclass(frozen=True, slots=True)
class Located:
    """One place where a target is; ``priority`` and ``weight`` as of an SRV record (RFC 2782)."""

    hop: Hop
    priority: int = 0
    weight: int = 1
