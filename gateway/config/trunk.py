"""A carrier's trunk: its table in the configuration."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import Field

from gateway.config.forms import HopField, Section

_CODECS = {"PCMA": 8, "PCMU": 0}


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
    sms: Literal["text", "3gpp"] = "text"

    @property
    def payload_types(self) -> tuple[int, ...]:
        """The RTP payload types of ``codecs``, in order."""
        return tuple(_CODECS[name] for name in self.codecs)
