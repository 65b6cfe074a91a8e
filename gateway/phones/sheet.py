"""What has to be typed into a phone."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.calls.phones import user_of
from gateway.numbers import PhoneNumber
from gateway.sip.hop import Hop


@dataclass(frozen=True, slots=True)
class PhoneServer:
    """Where phones register: the address that is advertised, and what is listened on there. ``enabled``: they may."""

    host: str
    listen: tuple[Hop, ...]
    realm: str
    enabled: bool

    @property
    def ways(self) -> list[str]:
        """``udp 5060`` and so on, the first as the one to begin with."""
        return [f"{hop.transport} {hop.port}" for hop in dict.fromkeys(self.listen)]


def sheet(server: PhoneServer, number: PhoneNumber, password: str) -> list[tuple[str, str]]:
    """Line by line."""
    return [
        ("server", server.host),
        ("transport and port", " or ".join(server.ways)),
        ("user", user_of(number)),
        ("password", password),
        ("realm", server.realm),
    ]
