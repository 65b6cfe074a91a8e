"""How we write and read identities on one trunk (pains.md P22, P23): each header from the one number that is shown.

    From                    ``from_``: the number shown; our account's address there; anonymous (RFC 3323 §4.1)
    P-Asserted-Identity     ``asserted``: the number shown as sip, tel, both, or not at all (RFC 3325 §9.1)
    P-Preferred-Identity    ``preferred``: likewise; for a network that asserts by itself (RFC 3325 §9.2)
    Privacy                 ``privacy``: what stands in it (RFC 3323 §4.2, RFC 3325 §9.3)
    Diversion               ``diversion``: the number shown has diverted the call (RFC 5806)
    History-Info            ``history``: likewise, with where it goes to (RFC 7044; cause as in RFC 7544)
    display name            ``display``: a text, UTF-8; never a person's name

What is read: ``called`` names where the X stands, ``caller`` where the person who calls is looked for, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.numbers import NumberRules


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPolicy:
    """``shown_rules``: how the number shown is written, where that differs from the callee's. ``tel``: tel: instead of
    sip: URIs. ``user_phone``: ``global`` (behind + only, RFC 3261 §19.1.6), ``always``, ``never``. ``phone_context``
    goes with numbers that aren't global (RFC 3966 §5.1.5). ``request_domain``: the Request-URI names the trunk's domain
    instead of the peer's address."""

    from_: str = "shown"
    asserted: str = "sip"
    preferred: str = "none"
    privacy: str = ""
    diversion: bool = False
    history: bool = False
    display: str = ""
    shown_rules: NumberRules | None = None
    tel: bool = False
    user_phone: str = "global"
    phone_context: str = ""
    request_domain: bool = False
    called: str = "Request-URI"
    caller: tuple[str, ...] = ("P-Asserted-Identity", "P-Preferred-Identity", "From")
