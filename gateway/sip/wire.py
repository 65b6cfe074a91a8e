"""What a session needs of the user agent it lives in: how we are called on the wire, fresh tokens, the transactions."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.sip.headers import MAGIC
from gateway.sip.hop import Hop
from gateway.sip.transaction import Timers
from gateway.sip.transaction_layer import TransactionLayer


@dataclass(frozen=True, slots=True)
class UserAgentSettings:
    """``advertised``: for each transport the address that stands in our Via and Contact."""

    advertised: Mapping[str, Hop]
    product: str = "Maskline"
    timers: Timers = field(default_factory=Timers)


class Wire:
    """``token()`` gives fresh unguessable text for tags, branches and Call-IDs."""

    __slots__ = ("_advertised", "layer", "token")

    def __init__(self, settings: UserAgentSettings, token: Callable[[], str]) -> None:
        self._advertised = settings.advertised
        self.token = token
        self.layer = TransactionLayer(settings.timers)

    def via(self, hop: Hop) -> str:
        """A Via for a new request to ``hop``, with a fresh branch."""
        shown = self._shown(hop)
        return f"SIP/2.0/{hop.transport.upper()} {shown.host_text}:{shown.port};branch={MAGIC}{self.token()};rport"

    def contact(self, hop: Hop) -> str:
        """Our Contact towards ``hop``."""
        shown = self._shown(hop)
        return f"<sip:{shown.host_text}:{shown.port}{hop.uri_transport}>"

    def chance(self) -> float:
        """A random number in 0..1."""
        return zlib.crc32(self.token().encode()) / 0xFFFFFFFF

    def _shown(self, hop: Hop) -> Hop:
        shown = self._advertised.get(hop.transport)
        return shown if shown is not None else next(iter(self._advertised.values()))
