"""Telephone-events (RFC 4733): digits as packets. Relayed as they are; here we only read which key was pressed.

All packets of an event carry the timestamp of its start; the last one, sent three times, has the end bit. An event
longer than 65535 samples goes on in segments (§2.5.1.3), each with a timestamp 65535 on.
"""

from __future__ import annotations

KEYS = "0123456789*#ABCD"
_SEGMENT = 0xFFFF


class DigitReader:
    """Reports each event once, at its end; an event whose end was lost is reported when the next one starts."""

    __slots__ = ("_before", "_key", "_reported", "_stamp")

    def __init__(self) -> None:
        self._stamp = -1
        self._before = -1
        self._key = ""
        self._reported = True

    def receive(self, stamp: int, payload: bytes) -> str:
        """Take a packet's timestamp and payload; the keys that are complete now, mostly ""."""
        if len(payload) < 4 or payload[0] >= len(KEYS) or stamp == self._before:
            return ""
        key, done = KEYS[payload[0]], ""
        if stamp != self._stamp:
            goes_on = key == self._key and stamp == (self._stamp + _SEGMENT) & 0xFFFFFFFF
            if not goes_on and not self._reported:
                done = self._key
            self._before, self._stamp = self._stamp, stamp
            if not goes_on:
                self._key, self._reported = key, False
        if payload[1] & 0x80 and not self._reported:
            self._reported = True
            done += self._key
        return done
