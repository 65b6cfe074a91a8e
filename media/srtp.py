"""SRTP and SRTCP of one leg (RFC 3711; AES-GCM: RFC 7714). The cryptography, rollover and replay window are libsrtp's.

What can't be opened (not of this key, changed on the way, seen before) is counted and dropped, and never ends anything.
A key that a new offer/answer leaves as it was keeps its state: rollover counter and replay window go on.
"""

from __future__ import annotations

from pylibsrtp import Error, Policy, Session

from media.control import SrtpKeys

WINDOW = 1024
"""Packets back to which a late one is taken, once."""
_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
}


def _session(suite: str, key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=_PROFILES[suite])
    policy.window_size = WINDOW
    return Session(policy=policy)


class Guard:
    """``failed``: packets that could not be opened."""

    __slots__ = ("_incoming", "_keys", "_outgoing", "failed")

    def __init__(self, keys: SrtpKeys) -> None:
        self.failed = 0
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
            return self._incoming.unprotect(data)
        except (Error, ValueError):
            self.failed += 1
            return None

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
