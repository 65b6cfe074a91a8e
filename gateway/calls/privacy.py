"""What crosses from one leg to the other: an allow-list, so that a header nobody thought of can't give a number away.

    to the callee   who is shown (X), in the headers that the trunk wants (policy.py), made from the PhoneNumber alone
    to the caller   a SIP status and a Reason (RFC 3326) from our own table of causes
    both ways       audio and telephone-events, through the media worker

Call-ID, tags, Contact, Via, User-Agent and SDP are written anew for each leg. Reason phrases, Warning, display names
and bodies end at the leg that they came in on. A carrier's unknown headers (P-Charging-Vector, Diversion, ...) are
accepted and go nowhere; the Diversion and History-Info that we write know of X, and of the callee only what stands in
the Request-URI.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.calls.addresses import shown as where
from gateway.calls.policy import IdentityPolicy
from gateway.calls.settings import TrunkSettings
from gateway.causes import Cause
from gateway.numbers import NumberRules, PhoneNumber
from gateway.sip.headers import NameAddr
from gateway.sip.hop import Hop
from gateway.sip.uri import OtherUri

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


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
    target, policy = trunk.peers[peer], trunk.identity
    there = where(trunk.peers, peer)
    number = trunk.rules.write(callee)
    if trunk.contacts:
        uri = trunk.contacts[peer]
    elif policy.request_domain and trunk.domain:
        uri = _uri(number, trunk.domain, trunk.rules, policy)
    else:
        uri = _uri(number, there, trunk.rules, policy, target.uri_transport)
    its_host = trunk.domain or (our_host if trunk.contacts else there)
    its = _sip(number, its_host, policy)
    from_, headers = _identities(shown, its, trunk, trunk.domain or our_host)
    to = _tel(number, trunk.rules, policy) if policy.tel else its
    return CalleeInvite(target, uri, from_, f"<{to}>", headers)


def reason(cause: Cause, network: int | None = None) -> tuple[str, str]:
    """The Reason header that tells a peer why, in our words only; ``network``: the number that the other leg's network
    gave (1..127, RFC 3326), which says more."""
    return ("Reason", f'Q.850;cause={network or cause.q850};text="{cause.text}"')


def _identities(
    shown: PhoneNumber, callee: str, trunk: TrunkSettings, here: str
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """From, and the headers beside it; ``callee``: his SIP URI."""
    policy, rules = trunk.identity, trunk.identity.shown_rules or trunk.rules
    number, name = rules.write(shown), _display(policy.display) if policy.display else ""
    sip = _sip(number, here, policy)
    as_sip = f"{name}<{sip}>"
    headers: list[tuple[str, str]] = []
    if policy.asserted != "none":
        headers.append(("P-Asserted-Identity", _forms(policy.asserted, as_sip, name, number, rules, policy)))
    if policy.preferred != "none":
        headers.append(("P-Preferred-Identity", _forms(policy.preferred, as_sip, name, number, rules, policy)))
    if policy.privacy:
        headers.append(("Privacy", policy.privacy))
    if policy.diversion:
        headers.append(("Diversion", f"<{sip}>;reason=unconditional;privacy=off;counter=1"))
    if policy.history:
        headers.append(("History-Info", f"<{sip}>;index=1, <{callee};cause=302>;index=1.1;mp=1"))
    if policy.from_ == "anonymous":
        return ANONYMOUS, tuple(headers)
    if policy.from_ == "account" and trunk.account is not None:
        return f"{name}<sip:{trunk.account.user}@{here}>", tuple(headers)
    return _forms("tel", as_sip, name, number, rules, policy) if policy.tel else as_sip, tuple(headers)


def _forms(forms: str, as_sip: str, name: str, number: str, rules: NumberRules, policy: IdentityPolicy) -> str:
    """An identity as sip, tel, or both."""
    if forms == "sip":
        return as_sip
    as_tel = f"{name}<{_tel(number, rules, policy)}>"
    return as_tel if forms == "tel" else f"{as_sip}, {as_tel}"


def _uri(number: str, host: str, rules: NumberRules, policy: IdentityPolicy, transport: str = "") -> str:
    return _tel(number, rules, policy) if policy.tel else _sip(number, host, policy, transport)


def _sip(number: str, host: str, policy: IdentityPolicy, transport: str = "") -> str:
    """``user=phone`` says that the user part is a telephone number (RFC 3261 §19.1.6): a global one, or a local one
    with its context."""
    whole, context = number.startswith("+"), ""
    if not whole and policy.phone_context:
        context = f";phone-context={policy.phone_context}"
    if policy.user_phone == "always" or (policy.user_phone == "global" and (whole or context)):
        return f"sip:{number}{context}@{host};user=phone{transport}"
    return f"sip:{number}{context}@{host}{transport}"


def _tel(number: str, rules: NumberRules, policy: IdentityPolicy) -> str:
    """A number that isn't global must have a context (RFC 3966 §5.1.5): what is configured, else its country."""
    if number.startswith("+"):
        return f"tel:{number}"
    return f"tel:{number};phone-context={policy.phone_context or '+' + rules.country}"


def _display(name: str) -> str:
    """A display name in front of a URI."""
    return str(NameAddr(name, OtherUri("sip", ""))).removesuffix("<sip:>")
