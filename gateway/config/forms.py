"""The forms of values: what stands in the file as text is read and checked here. And the base of all sections."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from gateway.numbers import NumberError, PhoneNumber
from gateway.sip.hop import DIALLED, Hop
from gateway.sip.target import Target


def _hop(value: object) -> Hop:
    return value if isinstance(value, Hop) else Hop.parse(str(value))


def _peer(value: object) -> Hop | Target:
    """An address, else a name."""
    if isinstance(value, Hop | Target):
        return value
    text = str(value)
    try:
        return Hop.parse(text)
    except ValueError:
        # What is no transport of ours, or no address, may be a URI or a name; else that is what is told.
        if not text.lower().startswith(("sip:", "sips:", *(f"{transport}:" for transport in DIALLED))):
            raise
        return Target.parse(text)


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


def _server(value: object) -> tuple[str, int]:
    """The address of a name server, with or without a port."""
    text = str(value)
    hop = Hop.parse(f"udp:{text}")
    return hop.host, hop.port if re.search(r"(?:^[^:]*|\]):\d+$", text) else 53


def _address(text: str) -> str:
    if text:
        ip_address(text)
    return text


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("must be an http:// or https:// address")
    return text


def file_url(text: str) -> str:
    """``file:///absolute`` as it is; ``file:relative`` is taken from the working directory."""
    if not text.startswith("file:") or len(text) < 6 or (text.startswith("file://") and not text[7:].startswith("/")):
        raise ValueError("must look like file:///var/lib/maskline/recordings")
    return text if text.startswith("file:///") else "file://" + str(Path(text[5:]).resolve())


def _database_url(text: str) -> str:
    if not text.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
        raise ValueError("must start with sqlite+aiosqlite:// or postgresql+asyncpg://")
    return text


def _hours(text: str) -> str:
    """``08:00-22:00``; the end may lie on the next day."""
    if text and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError("must look like 08:00-22:00")
    return text


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, LookupError, OSError):
        raise ValueError("must be a time zone like Asia/Shanghai") from None
    return text


PeerField = Annotated[Hop | Target, BeforeValidator(_peer)]
ServerField = Annotated[tuple[str, int], BeforeValidator(_server)]
HopField = Annotated[Hop, BeforeValidator(_hop)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Address = Annotated[str, AfterValidator(_address)]
Seconds = Annotated[float, Field(ge=0, le=86400)]
PhoneNumbers = Annotated[tuple[PhoneNumber, ...], BeforeValidator(_phone_numbers)]
Ports = Annotated[tuple[int, int], BeforeValidator(_ports)]
WebAddress = Annotated[tuple[str, int], BeforeValidator(_web_address)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Hours = Annotated[str, AfterValidator(_hours)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
