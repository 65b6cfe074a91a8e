"""SRTP as a scripted phone speaks it: libsrtp itself, without anything of the gateway's."""

from __future__ import annotations

from pylibsrtp import Error, Policy, Session

from gateway.sdp.crypto import Srtp

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
}


class Sealing:
    """``failed`` counts what could not be opened."""

    def __init__(self, agreed: Srtp) -> None:
        self.agreed = agreed
        self.failed = 0
        profile = _PROFILES[agreed.suite]
        self._out = Session(Policy(agreed.ours.octets, Policy.SSRC_ANY_OUTBOUND, 0, profile))
        self._in = Session(Policy(agreed.theirs.octets, Policy.SSRC_ANY_INBOUND, 0, profile))

    @classmethod
    def renewed(cls, before: Sealing | None, agreed: Srtp | None) -> Sealing | None:
        """What is to be used now; as long as nothing else is agreed on, what was used before."""
        if agreed is None or (before is not None and before.agreed == agreed):
            return None if agreed is None else before
        return cls(agreed)

    def seal(self, packet: bytes) -> bytes:
        """A packet for the other side."""
        return bytes(self._out.protect(packet))

    def open(self, data: bytes) -> bytes | None:
        """A packet of the other side; None: it isn't."""
        try:
            return bytes(self._in.unprotect(data))
        except (Error, ValueError):
            self.failed += 1
            return None
