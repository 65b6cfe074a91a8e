"""What a session needs of the user agent it lives in: how we are called on the wire, fresh tokens, the transactions."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.sip.headers import MAGIC
from gateway.sip.hop import Hop
from gateway.sip.large import UDP_LIMIT, Large
from gateway.sip.transaction import Timers
from gateway.sip.transaction_layer import TransactionLayer


@dataclass(frozen=True, slots=True)
class UserAgentSettings:
    """``advertised``: for each transport the address that stands in our Via and Contact; ``advertised6``: likewise
    towards IPv6 peers, where that is another one."""

    advertised: Mapping[str, Hop]
    advertised6: Mapping[str, Hop] = field(default_factory=dict)
    product: str = "Maskline"
    timers: Timers = field(default_factory=Timers)
    udp_limit: int = UDP_LIMIT


class Wire:
    """``token()`` gives fresh unguessable text for tags, branches and Call-IDs."""

    __slots__ = ("_advertised", "_advertised6", "large", "layer", "token")

    def __init__(self, settings: UserAgentSettings, token: Callable[[], str]) -> None:
        self._advertised = settings.advertised
        self._advertised6 = settings.advertised6
        self.token = token
        self.large = Large(settings.udp_limit, self.via)
        self.layer = TransactionLayer(settings.timers, self.large)

    def via(self, hop: Hop, branch: str = "") -> str:
        """A Via for a new request to ``hop``, with a fresh branch when none is given."""
        shown = self._shown(hop)
        sent_by = f"{shown.host_text}:{shown.port}"
        # RFC 5923: whoever takes our connection may send its own requests on it.
        alias = ";alias" if hop.transport in ("tcp", "tls") else ""
        return f"SIP/2.0/{hop.transport.upper()} {sent_by};branch={branch or MAGIC + self.token()};rport{alias}"

    def contact(self, hop: Hop, *, sips: bool = False) -> str:
        """Our Contact towards ``hop``; ``sips``: as a ``sips:`` URI, where there is one to be had: what came by another
        transport than TLS (a proxy may do that) is called back by it."""
        shown = self._shown(hop) if hop.secure else self._table(hop).get("tls")
        if sips and shown is not None:
            return f"<sips:{shown.host_text}:{shown.port}{hop.uri_transport if hop.transport == 'wss' else ''}>"
        shown = self._shown(hop)
        return f"<sip:{shown.host_text}:{shown.port}{hop.uri_transport}>"

    def chance(self) -> float:
        """A random number in 0..1."""
        return zlib.crc32(self.token().encode()) / 0xFFFFFFFF

    def _shown(self, hop: Hop) -> Hop:
        table = self._table(hop)
        shown = table.get(hop.transport)
        return shown if shown is not None else next(iter(table.values()))

    def _table(self, hop: Hop) -> Mapping[str, Hop]:
        return self._advertised6 if self._advertised6 and ":" in hop.host else self._advertised
