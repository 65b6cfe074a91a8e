"""What crosses from one leg to the other: an allow-list, so that a header nobody thought of can't give a number away.

    to the callee   From and P-Asserted-Identity with the number shown (X), made here from the PhoneNumber alone
    to the caller   a SIP status and a Reason (RFC 3326) from our own table of causes
    both ways       audio and telephone-events, through the media worker

Call-ID, tags, Contact, Via, User-Agent and SDP are written anew for each leg. Reason phrases, Warning, display names
and bodies end at the leg that they came in on. A carrier's unknown headers (P-Charging-Vector, Diversion, ...) are
accepted and go nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.calls.settings import TrunkSettings
from gateway.causes import Cause
from gateway.numbers import PhoneNumber
from gateway.sip.hop import Hop


@dataclass(frozen=True, slots=True)
class CalleeInvite:
    """The parts of the callee's INVITE that speak of people: Request-URI, From without tag, To, further headers."""

    target: Hop
    uri: str
    from_: str
    to: str
    headers: tuple[tuple[str, str], ...]


def callee_invite(
    shown: PhoneNumber, callee: PhoneNumber, trunk: TrunkSettings, our_host: str, peer: int = 0
) -> CalleeInvite:
    """The INVITE that shows ``shown`` to ``callee`` by a peer of ``trunk``, with numbers as the trunk writes them."""
    target = trunk.peers[peer]
    identity = f"<{_uri(trunk.rules.write(shown), trunk.domain or our_host)}>"
    there = f"{target.host_text}:{target.port}"
    number = trunk.rules.write(callee)
    return CalleeInvite(
        target=target,
        uri=trunk.contacts[peer] if trunk.contacts else _uri(number, there) + target.uri_transport,
        from_=identity,
        to=f"<{_uri(number, trunk.domain or (our_host if trunk.contacts else there))}>",
        headers=(("P-Asserted-Identity", identity),),
    )


def reason(cause: Cause) -> tuple[str, str]:
    """The Reason header that tells a peer why, in our words only."""
    return ("Reason", f'Q.850;cause={cause.q850};text="{cause.text}"')


def _uri(number: str, host: str) -> str:
    """``user=phone`` belongs to global numbers: a local one would need a phone-context (RFC 3261 §19.1.6, RFC 3966)."""
    return f"sip:{number}@{host};user=phone" if number.startswith("+") else f"sip:{number}@{host}"
