"""The sections, their keys and defaults; and the addresses that follow from them."""

from __future__ import annotations

import socket
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, model_validator

from gateway.config.forms import (
    Address,
    DatabaseUrl,
    HopField,
    Hours,
    HttpUrl,
    PhoneNumbers,
    Ports,
    Seconds,
    Section,
    TimeZone,
    WebAddress,
)
from gateway.config.phones import Phones
from gateway.config.printing import plain
from gateway.config.recordings import Recordings
from gateway.config.sip import Sip
from gateway.config.telemetry import Otel
from gateway.config.trunk import Route, Trunk


class Node(Section):
    """This machine: ``name`` marks its rows in the database and stands in the CDR as host name."""

    name: str = Field(default_factory=socket.gethostname, min_length=1, max_length=128)
    drain_seconds: Seconds = 900
    log: Literal["text", "json"] = "text"


class Defence(Section):
    """The door (gateway.sip.gate): how much SIP a source may send, and what bans one that belongs to no trunk."""

    trunk_messages_per_second: float = Field(5000, gt=0)
    messages_per_second: float = Field(100, gt=0)
    others_messages_per_second: float = Field(1000, gt=0)
    registers_per_minute: float = Field(120, gt=0)
    strikes: int = Field(10, ge=1)
    strike_seconds: Seconds = 60
    ban_seconds: Seconds = 3600


class Media(Section):
    """The RTP workers. ``listen`` is the address that they bind, ``advertised`` what stands in SDP."""

    ports: Ports = (20000, 29999)
    workers: int = Field(1, ge=1, le=64)
    listen: Address = ""
    advertised: Address = ""
    rest_seconds: Seconds = 30
    timeout_seconds: Seconds = 30
    dscp: int = Field(46, ge=0, le=63)

    @model_validator(mode="after")
    def _enough_ports(self) -> Media:
        if (self.ports[1] - self.ports[0] + 1) // self.workers < 4:
            raise ValueError("ports: too few for the number of workers (four a call)")
        return self


class Webrtc(Section):
    """The edge for browsers that are phones. ``addresses``: where it listens for them, the best first; ``advertised``:
    what they are told instead, one for each (a NAT that changes addresses alone); ``stun``: a server's host:port."""

    enabled: bool = False
    addresses: tuple[Address, ...] = ()
    advertised: tuple[Address, ...] = ()
    stun: Annotated[str, Field(pattern=r"^$|^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$")] = ""
    ports: Ports = (30000, 30999)

    @model_validator(mode="after")
    def _one_for_each(self) -> Webrtc:
        if self.advertised and len(self.advertised) != max(1, len(self.addresses)):
            raise ValueError("advertised: one for each of addresses")
        return self


class Web(Section):
    """The REST API. ``public_url`` is what recording links start with (default: the address the client called).

    ``certificate`` and ``key``: PEM files; with them the API speaks HTTPS only. ``old_tls``: TLS 1.0 and 1.1 as well.
    ``address_delay_seconds``: until a callback address that is changed by the management API acts (the vendor: 600).
    The last seven: what a slow client and a crowd of connections get (gateway.api.guard).
    """

    listen: WebAddress = ("127.0.0.1", 8080)
    public_url: HttpUrl = ""
    link_seconds: int = Field(3600, ge=60, le=604800)
    requests_per_second: float = Field(100, gt=0)
    created_window_seconds: int = Field(86400, ge=60)
    certificate: str = ""
    key: str = ""
    old_tls: bool = False
    address_delay_seconds: int = Field(0, ge=0, le=86400)
    handshake_seconds: Seconds = 10
    head_seconds: Seconds = 10
    body_seconds: Seconds = 60
    idle_seconds: Seconds = 30
    stall_seconds: Seconds = 30
    connections: int = Field(1000, ge=1)
    connections_per_host: int = Field(200, ge=1)


class Database(Section):
    """SQLAlchemy's URL of the database, and the file of keys that encrypt real numbers and secrets in it."""

    url: DatabaseUrl = "sqlite+aiosqlite:////var/lib/maskline/maskline.db"
    key_file: str = ""

    @property
    def location(self) -> str:
        """What gateway.database opens: the URL, and the key file with it."""
        if not self.key_file:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}key_file={quote(self.key_file)}"


class Calls(Section):
    """Policy of the call path. Times in seconds. Numbers that don't start with ``home`` are abroad; a callee's number
    must start with one of ``allowed_prefixes``, if there are any. ``longest_seconds``: the longest that any call may
    last, 0 for no end. ``surge_factor``: so many times an application's usual hour are told of (0: never), from
    ``surge_floor`` calls on."""

    ring_seconds: Seconds = 60
    connect_seconds: Seconds = 90
    early_media_seconds: Seconds = 0.4
    min_recording_seconds: Seconds = 3
    max_calls: int | None = Field(None, ge=1)
    calls_per_second: float | None = Field(None, gt=0)
    default_trunk: str = ""
    first_digit_seconds: Seconds = 10
    next_digit_seconds: Seconds = 5
    home: str = Field("+86", pattern=r"^\+[1-9][0-9]{0,3}$")
    international_in: bool = False
    international_out: bool = False
    allowed_prefixes: tuple[Annotated[str, Field(pattern=r"^\+[0-9]{1,15}$")], ...] = ()
    longest_seconds: int = Field(0, ge=0)
    surge_factor: float = Field(3, ge=0)
    surge_floor: int = Field(50, ge=1)


class Events(Section):
    """Delivery to customers' servers: waits between tries in minutes, merging of CDRs, time for one request, time for
    the answer to a question of X mode, serviceType of the CDR where the vendor's is not known."""

    retry_minutes: tuple[float, ...] = (1, 4, 9, 106, 203, 300)
    merge_seconds: Seconds = 0.2
    timeout_seconds: Seconds = 10
    question_seconds: Annotated[float, Field(gt=0, le=30)] = 5
    service_types: dict[Literal["AXB", "AX", "AXE", "AXYB", "X"], str] = Field(default_factory=dict)


class Mail(Section):
    """The SMTP server by which contacts are told; without ``host`` nobody is."""

    host: str = ""
    port: int = Field(587, ge=1, le=65535)
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = Field("", pattern=r"^([^@\s<>]+@[^@\s<>]+)?$")
    tls: Literal["starttls", "tls", "none"] = "starttls"

    @model_validator(mode="after")
    def _has_sender(self) -> Mail:
        if self.host and not self.sender:
            raise ValueError("sender: needed, since host is given")
        return self


class Records(Section):
    """For how many days CDRs, short messages and the ledger can be searched, and statistics asked for; whose days these
    are."""

    days: int = Field(31, ge=1, le=3650)
    statistics_days: int = Field(731, ge=31, le=3650)
    time_zone: TimeZone = "Asia/Shanghai"


class Metrics(Section):
    """Who may read ``GET /metrics`` on the API's port."""

    allow: tuple[IPv4Network | IPv6Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


class Trace(Section):
    """How many traced calls are kept, and for how long; `maskline trace`."""

    keep_calls: int = Field(200, ge=1, le=100_000)
    keep_days: int = Field(7, ge=1, le=365)


class Hep(Section):
    """A HEPv3 collector (Homer) that is told of all SIP by UDP. ``numbers``: unmasked."""

    collector: HopField | None = None
    agent: int = Field(2001, ge=1, le=0xFFFFFFFF)
    key: SecretStr = SecretStr("")
    numbers: bool = False


class Tones(Section):
    """``folder`` holds customers' tones: ``<folder>/<application key>/<name>.wav``. ``approved`` is where we put
    what was uploaded and approved; nobody else should."""

    folder: str = ""
    approved: str = Field("/var/lib/maskline/tones", min_length=1)


TONE_USES = (
    "no_permission", "no_binding", "failed", "enter_extension", "wrong_extension", "wrong_goodbye", "no_extension",
    "ringing",
)  # fmt: skip


class ApplicationEntry(Section):
    """An application given by file. ``mode`` decides which API it may call; see models.Application for the others."""

    key: str = Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")
    secret: SecretStr = Field(min_length=1)
    mode: Literal["AXB", "AX", "AXE", "AXYB", "X"]
    account: str = Field("maskline", min_length=1, max_length=32)
    recording: bool = False
    recording_required: bool = False
    recording_form: Literal["", "wav", "flac"] = ""
    recording_mono: bool = False
    recording_days: int | None = Field(None, ge=1, le=3650)
    notice_first: bool = False
    memory_callback: bool = False
    notice: str = "notice.wav"
    waiting: str = ""
    signature: Literal["WSSE", "AKSK", "both"] = "WSSE"
    status_url: HttpUrl = ""
    fee_url: HttpUrl = ""
    callin_url: HttpUrl = ""
    sms: bool = False
    sms_url: HttpUrl = ""
    sms_control_url: HttpUrl = ""
    number_status_url: HttpUrl = ""
    push_number_status: bool = False
    sms_content: bool = False
    keywords_required: tuple[str, ...] = ()
    keywords_forbidden: tuple[str, ...] = ()
    private_callbacks: bool = False
    allowed_ips: tuple[IPv4Network | IPv6Network, ...] = ()
    tones: dict[Literal[TONE_USES], str] = Field(default_factory=dict)  # type: ignore[valid-type]
    extension_length: int = Field(4, ge=1, le=4)
    extension_tries: int = Field(3, ge=1, le=10)
    max_extensions: int = Field(9999, ge=1, le=10000)
    bind_hours: int = Field(0, ge=0, le=720)
    may_show_caller: bool = True
    registered_only: bool = False
    max_calls: int | None = Field(None, ge=1)
    calls_per_second: float | None = Field(None, gt=0)
    max_calls_per_x: int | None = Field(None, ge=1)
    calls_per_caller_minute: int | None = Field(None, ge=1)
    calls_per_caller_hour: int | None = Field(None, ge=1)
    calls_per_callee_hour: int | None = Field(None, ge=1)
    calls_per_x_hour: int | None = Field(None, ge=1)
    minutes_per_day: int | None = Field(None, ge=1)
    hours: Hours = ""
    time_zone: TimeZone = "Asia/Shanghai"


class NumberEntry(Section):
    """X numbers given by file: one, or a range with ``..``; they belong to ``application``."""

    number: PhoneNumbers
    application: str
    area_code: str = Field("", pattern=r"^(0[0-9]{2,3})?$")
    province: str = ""


class Config(Section):
    """The whole tree."""

    node: Node = Field(default_factory=Node)
    sip: Sip = Sip()
    defence: Defence = Defence()
    trunk: tuple[Trunk, ...] = Field(default=(), min_length=1, validate_default=True)
    phones: Phones = Phones()
    media: Media = Media()
    webrtc: Webrtc = Webrtc()
    web: Web = Web()
    database: Database = Database()
    recordings: Recordings = Recordings()
    calls: Calls = Calls()
    events: Events = Events()
    tones: Tones = Tones()
    mail: Mail = Mail()
    records: Records = Records()
    route: tuple[Route, ...] = ()
    metrics: Metrics = Metrics()
    trace: Trace = Trace()
    hep: Hep = Hep()
    otel: Otel = Otel()
    application: tuple[ApplicationEntry, ...] = ()
    number: tuple[NumberEntry, ...] = ()

    def without_secrets(self) -> dict[str, Any]:
        """The effective configuration as plain values, secrets starred, for ``serve --check``."""
        return plain(self)  # type: ignore[no-any-return]


def media_listen(config: Config) -> str:
    """The address that media workers bind: ``media.listen``, else that of the first SIP socket."""
    return config.media.listen or config.sip.listen[0].host


def advertised(config: Config) -> str:
    """The address that stands in Via and Contact."""
    return config.sip.advertised or config.sip.listen[0].host


def media_advertised(config: Config) -> str:
    """The address that stands in SDP."""
    if config.media.advertised:
        return config.media.advertised
    bound = media_listen(config)
    return advertised(config) if ip_address(bound).is_unspecified else bound


def webrtc_addresses(config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where the edge listens for browsers, and what they are told instead (none: those)."""
    said = config.webrtc
    if said.addresses:
        return said.addresses, said.advertised
    bound, shown = media_listen(config), media_advertised(config)
    if ip_address(bound).is_unspecified:
        return (shown,), said.advertised
    return (bound,), said.advertised or ((shown,) if shown != bound else ())
