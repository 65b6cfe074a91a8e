"""The configuration: one frozen typed tree, read once at start, handed out by section. No global.

Sources, later ones win: the defaults below, a TOML file, the environment. A key ``[section] key`` is overridden by
``MASKLINE_SECTION__KEY``, the first table of a list (``[[trunk]]``) by ``MASKLINE_TRUNK__0__KEY``; a value that reads
as JSON (numbers, booleans, lists) is taken as such, anything else as text. :func:`load` raises :class:`ConfigError`
with every fault at once, each with its key's path.
"""

from __future__ import annotations

import json
import os
import socket
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from gateway.numbers import NumberError, PhoneNumber
from gateway.sip.hop import Hop

PREFIX = "MASKLINE_"
_CODECS = {"PCMA": 8, "PCMU": 0}


class ConfigError(Exception):
    """Every fault of a configuration: ``faults`` is a list of (key path, what is wrong)."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{path}: {text}" for path, text in faults))
        self.faults = faults


def _hop(value: object) -> Hop:
    return value if isinstance(value, Hop) else Hop.parse(str(value))


def _phone_numbers(value: object) -> tuple[PhoneNumber, ...]:
    """One number, or a range ``+8617000000001..+8617000000009`` of at most 100 000 numbers."""
    first_text, dots, last_text = str(value).partition("..")
    try:
        first = PhoneNumber.parse(first_text)
        last = PhoneNumber.parse(last_text) if dots else first
    except NumberError as error:
        raise ValueError(f"must be a number like +8617000000001, or a range of two with '..' ({error})") from None
    low, high = int(first.e164[1:]), int(last.e164[1:])
    if not low <= high < low + 100_000 or len(first.e164) != len(last.e164):
        raise ValueError("the range must run upwards and hold at most 100000 numbers")
    return tuple(PhoneNumber(f"+{number}") for number in range(low, high + 1))


def _ports(value: object) -> tuple[int, int]:
    low_text, dash, high_text = str(value).partition("-")
    if not dash or not low_text.isdecimal() or not high_text.isdecimal():
        raise ValueError("must look like 20000-29999")
    low, high = int(low_text), int(high_text)
    if not 1024 <= low < high <= 65535 or high - low < 3:
        raise ValueError("must lie in 1024-65535 and hold at least two port pairs (four ports)")
    return low, high


def _web_address(value: object) -> tuple[str, int]:
    hop = Hop.parse(f"tcp:{value}")
    return hop.host, hop.port


def _address(text: str) -> str:
    if text:
        ip_address(text)
    return text


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("must be an http:// or https:// address")
    return text


def _file_url(text: str) -> str:
    """``file:///absolute`` as it is; ``file:relative`` is taken from the working directory."""
    if not text.startswith("file:") or len(text) < 6 or (text.startswith("file://") and not text[7:].startswith("/")):
        raise ValueError("must look like file:///var/lib/maskline/recordings")
    return text if text.startswith("file:///") else "file://" + str(Path(text[5:]).resolve())


def _database_url(text: str) -> str:
    if not text.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
        raise ValueError("must start with sqlite+aiosqlite:// or postgresql+asyncpg://")
    return text


HopField = Annotated[Hop, BeforeValidator(_hop)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Address = Annotated[str, AfterValidator(_address)]
Seconds = Annotated[float, Field(ge=0, le=86400)]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Node(Section):
    """This machine: ``name`` marks its rows in the database and stands in the CDR as host name."""

    name: str = Field(default_factory=socket.gethostname, min_length=1, max_length=128)
    drain_seconds: Seconds = 900
    log: Literal["text", "json"] = "text"


class Sip(Section):
    """Where SIP is heard and which address we write into Via, Contact and SDP."""

    listen: tuple[HopField, ...] = (Hop("udp", "0.0.0.0", 5060), Hop("tcp", "0.0.0.0", 5060))
    advertised: Address = ""
    product: str = Field("Maskline", pattern=r"^[A-Za-z0-9._/-]{1,40}$")


class NumberForm(Section):
    """How a trunk writes numbers; the fields are those of gateway.numbers.NumberRules."""

    form: Literal["e164", "digits", "national"] = "e164"
    country: str = Field("86", pattern=r"^[1-9][0-9]{0,2}$")
    add: str = Field("", pattern=r"^[0-9+*#]{0,16}$")
    strip: str = Field("", pattern=r"^[0-9+*#]{0,16}$")
    strip_in: str = Field("", pattern=r"^[0-9+*#]{0,16}$")


class Trunk(Section):
    """A carrier: whom we call, from where it may call us, and how it writes numbers."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    peers: tuple[HopField, ...] = Field(min_length=1)
    allow: tuple[IPv4Network | IPv6Network, ...] = Field(min_length=1)
    domain: str = ""
    numbers: NumberForm = NumberForm()
    codecs: tuple[Literal["PCMA", "PCMU"], ...] = Field(("PCMA", "PCMU"), min_length=1)
    early_media: bool = True
    media_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    nat: bool = False
    max_calls: int | None = Field(None, ge=1)
    calls_per_second: float | None = Field(None, gt=0)

    @property
    def payload_types(self) -> tuple[int, ...]:
        """The RTP payload types of ``codecs``, in order."""
        return tuple(_CODECS[name] for name in self.codecs)


class Media(Section):
    """The RTP workers. ``listen`` is the address that they bind, ``advertised`` what stands in SDP."""

    ports: Annotated[tuple[int, int], BeforeValidator(_ports)] = (20000, 29999)
    workers: int = Field(1, ge=1, le=64)
    listen: Address = ""
    advertised: Address = ""
    rest_seconds: Seconds = 30
    timeout_seconds: Seconds = 30

    @model_validator(mode="after")
    def _enough_ports(self) -> Media:
        if (self.ports[1] - self.ports[0] + 1) // self.workers < 4:
            raise ValueError("ports: too few for the number of workers (four a call)")
        return self


class Web(Section):
    """The REST API. ``public_url`` is what recording links start with (default: the address the client called)."""

    listen: Annotated[tuple[str, int], BeforeValidator(_web_address)] = ("127.0.0.1", 8080)
    public_url: HttpUrl = ""
    link_seconds: int = Field(3600, ge=60, le=604800)
    requests_per_second: float = Field(100, gt=0)
    created_window_seconds: int = Field(86400, ge=60)


class Database(Section):
    """SQLAlchemy's URL of the database."""

    url: Annotated[str, AfterValidator(_database_url)] = "sqlite+aiosqlite:////var/lib/maskline/maskline.db"


class Recordings(Section):
    """Where finished recordings lie (``url``), where raw packets are spooled, and for how many days both stay."""

    url: Annotated[str, AfterValidator(_file_url)] = "file:///var/lib/maskline/recordings"
    spool: str = Field("/var/lib/maskline/spool", min_length=1)
    retention_days: int = Field(7, ge=1, le=3650)


class Calls(Section):
    """Policy of the call path. Times in seconds."""

    ring_seconds: Seconds = 60
    connect_seconds: Seconds = 90
    early_media_seconds: Seconds = 0.4
    min_recording_seconds: Seconds = 3
    max_calls: int | None = Field(None, ge=1)
    calls_per_second: float | None = Field(None, gt=0)
    default_trunk: str = ""


class Events(Section):
    """Delivery to customers' servers: waits between tries in minutes, merging of CDRs, time for one request."""

    retry_minutes: tuple[float, ...] = (1, 4, 9, 106, 203, 300)
    merge_seconds: Seconds = 0.2
    timeout_seconds: Seconds = 10


class Tones(Section):
    """``folder`` holds customers' tones: ``<folder>/<application key>/<name>.wav``."""

    folder: str = ""


class ApplicationEntry(Section):
    """An application given by file. ``mode`` decides which API it may call."""

    key: str = Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")
    secret: SecretStr = Field(min_length=1)
    mode: Literal["AXB", "AX"]
    account: str = Field("maskline", min_length=1, max_length=32)
    recording: bool = False
    memory_callback: bool = False
    notice: str = "notice.wav"
    waiting: str = ""
    signature: Literal["WSSE", "AKSK", "both"] = "WSSE"
    status_url: HttpUrl = ""
    fee_url: HttpUrl = ""
    private_callbacks: bool = False
    allowed_ips: tuple[IPv4Network | IPv6Network, ...] = ()


class NumberEntry(Section):
    """X numbers given by file: one, or a range with ``..``; they belong to ``application``."""

    number: Annotated[tuple[PhoneNumber, ...], BeforeValidator(_phone_numbers)]
    application: str
    area_code: str = Field("", pattern=r"^(0[0-9]{2,3})?$")
    province: str = ""


class Config(Section):
    """The whole tree."""

    node: Node = Field(default_factory=Node)
    sip: Sip = Sip()
    trunk: tuple[Trunk, ...] = Field(default=(), min_length=1, validate_default=True)
    media: Media = Media()
    web: Web = Web()
    database: Database = Database()
    recordings: Recordings = Recordings()
    calls: Calls = Calls()
    events: Events = Events()
    tones: Tones = Tones()
    application: tuple[ApplicationEntry, ...] = ()
    number: tuple[NumberEntry, ...] = ()

    def without_secrets(self) -> dict[str, Any]:
        """The effective configuration as plain values, secrets starred, for ``serve --check``."""
        return _plain(self)  # type: ignore[no-any-return]


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration file. ConfigError lists every fault with its key's path."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([(str(path), f"can't be read: {error.strerror}")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([(str(path), f"is not TOML: {error}")]) from None
    faults = _overlay(tree, os.environ if environment is None else environment)
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(faults + _readable(error)) from None
    faults += _contradictions(config)
    if faults:
        raise ConfigError(faults)
    return config


def _overlay(tree: dict[str, Any], environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Lay ``MASKLINE_SECTION__KEY`` variables over the tree; returns the faults of the variables themselves."""
    faults = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        parts = name[len(PREFIX) :].lower().split("__")
        here: Any = tree
        try:
            for part in parts[:-1]:
                here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
            last: Any = int(parts[-1]) if isinstance(here, list) else parts[-1]
            here[last] = _value(environment[name])
        except (ValueError, IndexError, TypeError, AttributeError):
            faults.append((name, "names no key of the configuration"))
    return faults


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _readable(error: ValidationError) -> list[tuple[str, str]]:
    """pydantic's faults as (path, text), less those that only follow from a fault further down."""
    rows = [(_path(row["loc"]), row["type"], row["msg"].removeprefix("Value error, ")) for row in error.errors()]
    texts = {"extra_forbidden": "is no key of the configuration", "missing": "is required"}
    return [
        (path, texts.get(kind, message))
        for path, kind, message in rows
        if kind != "too_short" or not any(other.startswith(path) and other != path for other, _, _ in rows)
    ]


def _path(location: tuple[int | str, ...]) -> str:
    """``("trunk", 0, "peers", 1)`` as ``trunk[0].peers[1]``; the branches of a union are left out."""
    out = ""
    for part in location:
        if isinstance(part, int):
            out += f"[{part}]"
        elif part.isidentifier() and part[:1].islower():
            out += f".{part}" if out else part
    return out or "(configuration)"


def _contradictions(config: Config) -> list[tuple[str, str]]:
    """What each key alone doesn't show: addresses nobody can reach, references to nothing, doubles."""
    faults = _advertised_faults(config)
    keys = [entry.key for entry in config.application]
    names = [trunk.name for trunk in config.trunk]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            faults.append((f"application[{index}].key", f"{key!r} is given twice"))
    for index, name in enumerate(names):
        if name in names[:index]:
            faults.append((f"trunk[{index}].name", f"{name!r} is given twice"))
    if config.calls.default_trunk and config.calls.default_trunk not in names:
        faults.append(("calls.default_trunk", f"no [[trunk]] is named {config.calls.default_trunk!r}"))
    owned: set[PhoneNumber] = set()
    for index, entry in enumerate(config.number):
        if entry.application not in keys:
            faults.append((f"number[{index}].application", f"no [[application]] has the key {entry.application!r}"))
        if owned.intersection(entry.number):
            faults.append((f"number[{index}].number", "a number is given twice"))
        owned.update(entry.number)
    return faults


def _advertised_faults(config: Config) -> list[tuple[str, str]]:
    """An address in Via, Contact and SDP that the trunk can't reach loses every ACK (pains.md P2): refuse it here."""
    faults: list[tuple[str, str]] = []
    if not config.sip.listen:
        return [("sip.listen", "names no address to listen on")]
    for key, text, listens in (
        ("sip.advertised", config.sip.advertised, [hop.host for hop in config.sip.listen]),
        ("media.advertised", config.media.advertised, [media_listen(config)]),
    ):
        shown = ip_address(text) if text else None
        bound = [ip_address(host) for host in listens]
        wild = any(address.is_unspecified for address in bound)
        if shown is None:
            if wild and key == "sip.advertised":
                faults.append(
                    (key, "must be set when sip.listen is 0.0.0.0 or ::, since peers must be told an address")
                )
            elif wild and not config.sip.advertised:
                faults.append((key, "must be set when media.listen is 0.0.0.0 or ::"))
            continue
        if shown.is_unspecified or shown.is_multicast or str(shown) == "255.255.255.255":
            faults.append((key, f"{text} is unroutable: nobody can send to it"))
        elif all(address.is_loopback for address in bound) and not shown.is_loopback:
            faults.append((key, f"{text} is unroutable: we listen on loopback only ({listens[0]})"))
        elif shown.is_loopback and not all(address.is_loopback for address in bound):
            faults.append((key, f"{text} is unroutable for peers of {listens[0]}: it is loopback"))
        elif all(address.version != shown.version for address in bound):
            faults.append((key, f"{text} is of another IP version than what we listen on"))
    return faults


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


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
        case tuple() | list():
            return [_plain(item) for item in value]
        case PhoneNumber():
            return value.e164
        case bool() | int() | float() | None:
            return value
        case _:
            return str(value)
