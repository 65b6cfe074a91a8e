"""Keys for SRTP in a description: ``a=crypto`` (RFC 4568; AES-GCM: RFC 7714 §14.2), on RTP/SAVP or, as an offer that
may be declined, on RTP/AVP (RFC 8643).

    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:<base64 of key and salt>[|lifetime][|MKI:length] [session parameters]

A line that we can't do as it stands is passed over, as §7.1.2 wants it: another suite, several keys or an MKI, a key of
the wrong length, or a session parameter that changes what is protected. ``WSH`` is a hint, and a parameter with a ``-``
before it says itself that it may be ignored.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SUITES = {"AEAD_AES_128_GCM": 28, "AES_CM_128_HMAC_SHA1_80": 30}
"""Octets of key and salt; the preferred one first."""
_MOST = 512


@dataclass(frozen=True, slots=True)
class Key:
    """A master key with its salt. Nothing prints it."""

    octets: bytes

    def __repr__(self) -> str:
        return "<Key>"


@dataclass(frozen=True, slots=True)
class Crypto:
    """One line."""

    tag: int
    suite: str
    key: Key

    @classmethod
    def parse(cls, value: str) -> Crypto | None:
        """None: not one that we can do."""
        parts = value.split()
        if (
            len(value) > _MOST
            or len(parts) < 3
            or not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 10)
        ):
            return None
        tag, suite, keys, *parameters = parts
        if suite not in SUITES or any(not one.startswith(("WSH=", "-")) for one in parameters):
            return None
        method, _, told = keys.partition(":")
        text, *limits = told.split("|")
        if method.lower() != "inline" or ";" in told or any(":" in limit for limit in limits):
            return None
        try:
            octets = b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return None
        return cls(int(tag), suite, Key(octets)) if len(octets) == SUITES[suite] else None

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} inline:{b64encode(self.key.octets).decode()}"


@dataclass(frozen=True, slots=True)
class Srtp:
    """What both sides protect their media with: ``ours`` what we send, ``theirs`` what we get; ``tag`` is that of the
    line that was offered."""

    tag: int
    suite: str
    ours: Key
    theirs: Key


def cryptos(attributes: Iterable[tuple[str, str | None]]) -> Iterator[Crypto]:
    """The lines of a media description that we can do, in their order."""
    for name, value in attributes:
        if name == "crypto" and value is not None and (found := Crypto.parse(value)) is not None:
            yield found
