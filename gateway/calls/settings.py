"""What the exchange has to be told by the configuration: trunks, tone files, limits and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from ipaddress import IPv4Network, IPv6Network

from gateway.calls.policy import IdentityPolicy
from gateway.numbers import NumberRules
from gateway.sip.hop import Hop
from gateway.sip.policy import Policy, Reliable
from gateway.sip.registrar import RegistrarSettings

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Rank:
    """When one of several is tried (gateway.calls.ways): low priorities first, of one priority by weight."""

    priority: int
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """Calls of ``application`` ("": any) to numbers that start with one of ``prefixes`` (none: any) go by ``trunks``.

    ``ranks``: one for each trunk, or none: tried in their order.
    """

    trunks: tuple[str, ...]
    application: str = ""
    prefixes: tuple[str, ...] = ()
    ranks: tuple[Rank, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class AccountSettings:
    """Credentials: ours at a trunk, or a trunk's at ours. ``integrity``: auth-int wherever it is offered."""

    user: str
    password: str
    realm: str
    integrity: bool = False


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """OPTIONS to a trunk's peers every ``interval`` seconds (gateway.calls.probing)."""

    interval: float = 30.0
    down_after: int = 3
    up_after: int = 2
    patience: float = 8.0


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """We register ``user``@``domain`` with the trunk (gateway.calls.registration); times in seconds, ``keep_alive`` 0:
    no signs of life between refreshes."""

    user: str
    domain: str
    expires: int = 3600
    keep_alive: float = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkSettings:
    """One carrier's trunk. Calls come from ``allow`` and go to the first of ``peers`` that takes them, numbered by
    ``rules``; ``ranks`` as those of a route. ``max_calls`` limits its calls in both directions together,
    ``max_calls_in`` and ``calls_per_second`` those that come from it, those with ``_out`` calls to it.

    ``domain`` stands in the URIs written for this trunk (empty: our address in From, the peer's in To).
    ``codecs`` are RTP payload types, preferred first. ``media_networks``: prefixes that RTP may come from besides the
    address in the SDP. ``nat``: the peer sits behind NAT, so its RTP source is learnt once. ``secure``: it is heard
    over TLS only. None: no limit.
    """

    name: str
    peers: Sequence[Hop]
    allow: tuple[Network, ...]
    rules: NumberRules = field(default_factory=NumberRules)
    codecs: tuple[int, ...] = (8, 0)
    early_media: bool = True
    media_networks: tuple[Network, ...] = ()
    max_calls: int | None = None
    max_calls_in: int | None = None
    calls_per_second: float | None = None
    max_calls_out: int | None = None
    calls_per_second_out: float | None = None
    ranks: tuple[Rank, ...] = ()
    account: AccountSettings | None = None
    challenge: AccountSettings | None = None
    """What it has to answer challenges with, of ``challenge_algorithms``; None: its address says enough."""
    challenge_algorithms: tuple[str, ...] = ("SHA-256", "MD5")
    identity: IdentityPolicy = field(default_factory=IdentityPolicy)
    probe: ProbeSettings | None = None
    registration: RegistrationSettings | None = None
    domain: str = ""
    nat: bool = False
    srtp: str = "off"
    """off, optional (RFC 8643) or required (RTP/SAVP)."""
    secure: bool = False
    policy: Policy = field(default_factory=lambda: Policy(1800, Reliable.SUPPORTED))
    """Session timers and reliable provisional responses."""
    p_early_media: bool = False
    """We say P-Early-Media to it."""
    sms_as_3gpp: bool = False
    """Short messages go to it as application/vnd.3gpp.sms, a MESSAGE for each part; else as text, whole."""
    contacts: tuple[str, ...] = ()
    """The Request-URIs of ``peers``, all of which ring at once: a phone's (phones.py). A carrier's trunk has none."""


PHONES = "phones"
"""The name that phones have as a trunk: in CDRs, and for limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSettings:
    """What phones need that register with us. ``trunk`` is what they are as a trunk; ``key`` signs nonces and is made
    anew at each start; ``algorithms`` of digest in order of preference."""

    trunk: TrunkSettings
    realm: str
    key: bytes
    algorithms: tuple[str, ...] = ("SHA-256",)
    registrar: RegistrarSettings = field(default_factory=RegistrarSettings)


def _no_tone(application: str, name: str) -> str | None:
    return None


FALLBACKS = {"wrong_extension": "enter_extension", "no_extension": "wrong_goodbye", "wrong_goodbye": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneFiles:
    """Paths of the tones that ship, by kind (None: nothing is played). ``lookup(application, name)`` finds a file that
    a binding or an application names, None when it is missing; an application has its own names for these kinds
    (privatenumber.md section 11):

    =================== ============================================================================================
    no_binding          the caller has no binding on X, or nobody to reach
    no_permission       the application or the number is off
    failed              any other fault
    enter_extension     AXE: the prompt
    wrong_extension     AXE: another try (falls back on ``enter_extension``)
    wrong_goodbye       AXE: no further try
    no_extension        AXE: nothing was dialled (falls back on ``wrong_goodbye``)
    ringing             AXE: what a caller hears while A's phone rings; without it his ring-back
    =================== ============================================================================================
    """

    ringback: str
    no_binding: str | None = None
    no_permission: str | None = None
    failed: str | None = None
    enter_extension: str | None = None
    wrong_extension: str | None = None
    wrong_goodbye: str | None = None
    no_extension: str | None = None
    lookup: Callable[[str, str], str | None] = _no_tone

    def find(self, application: str, kind: str, own: Mapping[str, str]) -> str | None:
        """The file for a kind: the application's own (``own``: names by kind), else what ships, else the fallback's."""
        while kind:
            name = own.get(kind, "")
            file = self.lookup(application, name) if name else None
            file = file or getattr(self, kind, None)
            if file is not None:
                return str(file)
            kind = FALLBACKS.get(kind, "")
        return None


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """32 random bytes that seal a recording, and the same as its file is to keep them: sealed."""

    secret: bytes = b""
    kept: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """Times are seconds. ``wall`` turns a monotonic time into an aware datetime; ``spool`` is the spool folder.
    ``sip_host``: our address in identities; "": ``media_host``.

    ``allowed_prefixes``: what a callee's number must start with, one of them (none: anything); numbers that don't start
    with ``home`` are abroad. ``longest``: seconds from the answer after which any call ends, 0 for none.
    ``surge_factor`` and ``surge_floor``: see surge.py. ``zone``: whose days an application's minutes are counted by.

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
    question_timeout          X mode: for the customer's answer to come
    first_digit_timeout       AXE: from the end of the prompt to the first digit
    next_digit_timeout        AXE: from a digit to the next; what was dialled by then counts
    prompt_cap                AXE: the longest that a prompt may last
    ========================= ====================================================================================
    """

    trunks: tuple[TrunkSettings, ...]
    tones: ToneFiles
    media_host: str
    spool: str
    wall: Callable[[float], datetime]
    phones: PhoneSettings | None = None
    sip_host: str = ""
    default_trunk: str | None = None
    routes: tuple[RouteSettings, ...] = ()
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
    question_timeout: float = 6.0
    first_digit_timeout: float = 10.0
    next_digit_timeout: float = 5.0
    prompt_cap: float = 60.0
    allowed_prefixes: tuple[str, ...] = ()
    longest: float = 0.0
    surge_factor: float = 3.0
    surge_floor: int = 50
    zone: tzinfo = UTC
    home: str = "+86"
    recording_required: bool = False
    notice_first: bool = False
    low_percent: float = 10.0
    least_room: int = 64 << 20
    """Of the volumes of recordings: what is warned of, and bytes below which the spool takes none that must be."""
    data_key: Callable[[], DataKey] | None = None
    """Gives a fresh one for each recording; None: recordings are not sealed."""
    international_in: bool = False
    international_out: bool = False

    @property
    def our_host(self) -> str:
        """Our address as it stands in URIs of trunks without a domain."""
        host = self.sip_host or self.media_host
        return f"[{host}]" if ":" in host else host
