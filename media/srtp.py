"""SRTP and SRTCP of one leg (RFC 3711; AES-GCM: RFC 7714). The cryptography, rollover and replay window are libsrtp's.

What can't be opened (not of this key, changed on the way, seen before) is counted and dropped, and never ends anything.
A key that a new offer/answer leaves as it was keeps its state: rollover counter and replay window go on.

A stream that is taken over from a worker that died may have rolled over any number of times (RFC 3711 §3.3.1), and
nobody says how often. Only the right number opens a packet, so it is found by trying: libsrtp can't be told a number,
but it counts along with packets sealed with the party's own key, a quarter of a round apart. None leaves this file.
"""

from __future__ import annotations

from pylibsrtp import Error, Policy, Session

from media.control import SrtpKeys
from media.rtp import HEADER

WINDOW = 1024
"""Packets back to which a late one is taken, once."""
ROLLOVERS = 128
"""Rollovers that are tried: two days at 50 packets a second."""
SEARCHES = 4
"""Packets with which they are tried; each costs some milliseconds when it isn't the party's at all."""
_QUARTER = 1 << 14
_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
}


def _session(suite: str, key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=_PROFILES[suite])
    policy.window_size = WINDOW
    return Session(policy=policy)


class Guard:
    """``failed``: packets that could not be opened. ``resumed``: the party's stream may have rolled over before."""

    __slots__ = ("_incoming", "_keys", "_outgoing", "_searches", "failed")

    def __init__(self, keys: SrtpKeys, *, resumed: bool = False) -> None:
        self.failed = 0
        self._searches = SEARCHES if resumed else 0
        self._keys = keys
        self._incoming = _session(keys.suite, keys.theirs, Policy.SSRC_ANY_INBOUND)
        self._outgoing = _session(keys.suite, keys.ours, Policy.SSRC_ANY_OUTBOUND)

    def renew(self, keys: SrtpKeys) -> None:
        """What the parties have agreed on now."""
        before, self._keys = self._keys, keys
        if (keys.suite, keys.theirs) != (before.suite, before.theirs):
            self._incoming = _session(keys.suite, keys.theirs, Policy.SSRC_ANY_INBOUND)
        if (keys.suite, keys.ours) != (before.suite, before.ours):
            self._outgoing = _session(keys.suite, keys.ours, Policy.SSRC_ANY_OUTBOUND)

    def open(self, data: bytes) -> bytes | None:
        """A packet of the party in clear; None: it is none."""
        try:
            clear = self._incoming.unprotect(data)
        except (Error, ValueError):
            found = self._search(data) if self._searches else None
            self.failed += found is None
            return found
        # What it counts is known now; an old packet that somebody sends again must not change that.
        self._searches = 0
        return clear

    def open_rtcp(self, data: bytes) -> bytes | None:
        """The same of RTCP."""
        try:
            return self._incoming.unprotect_rtcp(data)
        except (Error, ValueError):
            self.failed += 1
            return None

    def seal(self, packet: bytes) -> bytes | None:
        """A packet of ours as it may be sent; None: its number has been sent, and two packets never share one."""
        try:
            return self._outgoing.protect(packet)
        except (Error, ValueError):
            return None

    def seal_rtcp(self, packet: bytes) -> bytes | None:
        """The same of RTCP."""
        try:
            return self._outgoing.protect_rtcp(packet)
        except (Error, ValueError):
            return None

    def _search(self, data: bytes) -> bytes | None:
        """The packet in clear if it is the party's after some number of rollovers, which then is known."""
        if len(data) < HEADER.size:
            return None
        self._searches -= 1
        _, _, seq, _, ssrc = HEADER.unpack_from(data)
        suite, key = self._keys.suite, self._keys.theirs
        counted = _session(suite, key, Policy.SSRC_ANY_INBOUND)
        walker = _session(suite, key, Policy.SSRC_ANY_OUTBOUND)
        for index in range(seq - _QUARTER // 2, seq + (ROLLOVERS << 16), _QUARTER):
            if index < 0:
                continue
            counted.unprotect(walker.protect(HEADER.pack(0x80, 0, index & 0xFFFF, 0, ssrc) + b"\0"))
            if index > seq and (index + _QUARTER // 2 - seq) & 0xFFFF == 0:
                try:
                    clear = counted.unprotect(data)
                except Error:
                    continue
                self._incoming = counted
                self._searches = 0
                return clear
        return None
