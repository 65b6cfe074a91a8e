"""Telephone-events (RFC 4733): digits as packets. Relayed as they are; here we only read which key was pressed."""

from __future__ import annotations

KEYS = "0123456789*#ABCD"


class DigitReader:
    """Reports each event once, at its end; an event whose end was lost is reported when the next one starts."""

    __slots__ = ("_key", "_reported", "_stamp")

    def __init__(self) -> None:
        self._stamp = -1
        self._key = ""
        self._reported = True

    def receive(self, stamp: int, payload: bytes) -> str:
        """Take a packet's timestamp and payload; the keys that are complete now, mostly ""."""
        if len(payload) < 4 or payload[0] >= len(KEYS):
            return ""
        done = ""
        if stamp != self._stamp:
            if not self._reported:
                done = self._key
            self._stamp, self._key, self._reported = stamp, KEYS[payload[0]], False
        if payload[1] & 0x80 and not self._reported:
            self._reported = True
            done += self._key
        return done
