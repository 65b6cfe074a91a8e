"""What calls and requests of a scenario are made of, in virtual time and on a real node alike. Pure."""

from __future__ import annotations

from typing import Any

from gateway.lab.network import Link
from gateway.lab.phone import Phone
from gateway.numbers import PhoneNumber
from gateway.scenarios.form import CallForm, Way
from gateway.scenarios.played import Played, PlayedCall
from gateway.scenarios.scenario import Scenario
from gateway.sip.message import Request, parse_message


def new_call(form: CallForm, phone: Phone, scenario: Scenario) -> PlayedCall:
    """A call that begins."""
    return PlayedCall(form, phone, sender_of(form.from_, scenario))


def sender_of(text: str, scenario: Scenario) -> PhoneNumber | None:
    """Who calls or writes; None: withheld."""
    return None if text == "withheld" else scenario.form.number(text)


def addresses(form: CallForm, scenario: Scenario, host: str) -> tuple[str, str]:
    """The Request-URI and the From of a call."""
    uri = f"sip:{scenario.form.number(form.to).e164}@{host}"
    return uri, from_of(sender_of(form.from_, scenario))


def filled(body: dict[str, Any], played: Played) -> dict[str, Any]:
    """A request's body with ``@session`` and ``@subscription`` replaced by the newest ones."""
    session = next((call.session for call in reversed(played.calls) if call.session), "")
    named = [reply["subscriptionId"] for reply in played.replies if "subscriptionId" in reply]
    known = {"@session": session, "@subscription": named[-1] if named else ""}
    return {key: known.get(value, value) if isinstance(value, str) else value for key, value in body.items()}


def from_of(number: PhoneNumber | None) -> str:
    """The From of whoever calls or writes; None: withheld."""
    if number is None:
        return '"Anonymous" <sip:anonymous@anonymous.invalid>'
    return f"<sip:{number.e164}@carrier.example>"


def call_id_of(phone: Phone) -> str:
    """The Call-ID of a phone that has dialled; "" before."""
    return parse_message(phone.traces[0].data).call_id if phone.traces else ""


def number_of(invite: Request) -> PhoneNumber:
    """Whom an INVITE wants."""
    return PhoneNumber.parse(invite.uri_text.partition(":")[2].partition("@")[0].partition(";")[0])


def dialled(phone: Phone) -> PhoneNumber | None:
    """The number of the INVITE that reached a phone."""
    for trace in phone.traces:
        message = parse_message(trace.data)
        if not trace.sent and isinstance(message, Request) and message.method == "INVITE":
            return number_of(message)
    return None


def link_of(way: Way) -> Link:
    """As the network reads it."""
    return Link(way.delay, way.jitter, way.loss, way.duplicate)
