"""The section [phones]: SIP phones that register with us."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from gateway.config.forms import Seconds, Section
from gateway.config.trunk import CODECS


class Phones(Section):
    """``enabled`` lets every address knock: REGISTER, and calls and messages with a password; a stranger gets no other
    answer. ``realm``: what passwords are for; another one makes all of them void. ``digest``: what is offered, in this
    order; MD5 where there are phones that know nothing better, alone where one stumbles over the better. ``srtp``: as
    of a trunk; browsers seal their audio in any case. ``contacts``: most phones of one number. ``keepalive_seconds``:
    how often one behind NAT is sent something. Limits as those of a trunk."""

    enabled: bool = False
    realm: str = Field("maskline", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    digest: tuple[Literal["SHA-256", "MD5"], ...] = Field(("SHA-256",), min_length=1, max_length=2)
    codecs: tuple[Literal["PCMA", "PCMU"], ...] = Field(("PCMA", "PCMU"), min_length=1)
    srtp: Literal["off", "optional", "required"] = "off"
    contacts: int = Field(5, ge=1, le=20)
    min_seconds: int = Field(60, ge=1, le=86400)
    max_seconds: int = Field(3600, ge=60, le=86400)
    default_seconds: int = Field(600, ge=1, le=86400)
    keepalive_seconds: Seconds = 25
    max_calls: int | None = Field(None, ge=1)
    calls_per_second: float | None = Field(None, gt=0)

    @property
    def payload_types(self) -> tuple[int, ...]:
        """The RTP payload types of ``codecs``, in order."""
        return tuple(CODECS[name] for name in self.codecs)

    @model_validator(mode="after")
    def _in_order(self) -> Phones:
        if not self.min_seconds <= self.default_seconds <= self.max_seconds:
            raise ValueError("default_seconds: must be between min_seconds and max_seconds")
        return self
