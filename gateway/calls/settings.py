"""What the exchange has to be told by the configuration: trunks, tone files, limits and times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network

from gateway.numbers import NumberRules
from gateway.sip.hop import Hop

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkSettings:
    """One carrier's trunk. Calls come from ``allow`` and go to the first of ``peers`` that takes them, numbered by
    ``rules``.

    ``domain`` stands in the URIs written for this trunk (empty: our address in From, the peer's in To).
    ``codecs`` are RTP payload types, preferred first. ``media_networks``: prefixes that RTP may come from besides the
    address in the SDP. ``nat``: the peer sits behind NAT, so its RTP source is learnt once. None: no limit.
    """

    name: str
    peers: tuple[Hop, ...]
    allow: tuple[Network, ...]
    rules: NumberRules = field(default_factory=NumberRules)
    codecs: tuple[int, ...] = (8, 0)
    early_media: bool = True
    media_networks: tuple[Network, ...] = ()
    max_calls: int | None = None
    calls_per_second: float | None = None
    domain: str = ""
    nat: bool = False


def _no_tone(application: str, name: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneFiles:
    """Paths of tone files. ``lookup(application, name)`` finds a file that a binding names, None when it is missing."""

    ringback: str
    no_binding: str | None = None
    no_permission: str | None = None
    failed: str | None = None
    lookup: Callable[[str, str], str | None] = _no_tone

    def refusal(self, kind: str) -> str | None:
        """The file for a routing decision's ``tone``; None: nothing is played."""
        return {"no_binding": self.no_binding, "no_permission": self.no_permission, "failed": self.failed}.get(kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """Times are seconds. ``wall`` turns a monotonic time into an aware datetime; ``spool`` is the spool folder.

    ========================= ====================================================================================
    ring_timeout              from the callee's first 180 to giving up (NO_ANSWER)
    connect_timeout           from the callee's INVITE to giving up when it never rang (CONNECT_TIMEOUT)
    early_media_patience      from an SDP in a 18x to our own ringback when no RTP has come (pains.md P13)
    peer_patience             for a trunk's peer to say anything at all, when there is another to try (P24)
    ringing_patience          from the callee's INVITE to our own ringback when no 18x has come at all (P13)
    media_timeout             silence of a side that should send, until the call is ended
    min_recording             shorter talks leave no recording (privatenumber.md section 5)
    route_timeout             for ``routed`` to come
    media_reply_timeout       for a media worker's Opened or Closed to come
    refusal_cap               the longest that a tone delays a refusal
    last_minute               how long before ``max_seconds`` the last-minute tone plays
    ========================= ====================================================================================
    """

    trunks: tuple[TrunkSettings, ...]
    tones: ToneFiles
    media_host: str
    spool: str
    wall: Callable[[float], datetime]
    default_trunk: str | None = None
    max_calls: int | None = None
    calls_per_second: float | None = None
    ring_timeout: float = 60.0
    connect_timeout: float = 90.0
    early_media_patience: float = 0.4
    peer_patience: float = 4.0
    ringing_patience: float = 3.0
    media_timeout: float = 30.0
    min_recording: float = 3.0
    route_timeout: float = 5.0
    media_reply_timeout: float = 2.0
    refusal_cap: float = 15.0
    last_minute: float = 60.0
