"""Whether a scenario came out as its file says: one row for each expectation, with what was measured. Pure.

Looked at besides, without being asked: that each request to the REST API got its resultcode, that the customer's
server took everything, that every event of a call that is told at all was told once, that no phone saw the number of
the other party, and that the streams of sound are well-formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.lab.analysis import dominant
from gateway.lab.audio import RATE, Samples
from gateway.lab.checks import Check, everything_received, forms_found, heard_between, talk_time
from gateway.lab.phone import Phone
from gateway.lab.rtp import check_stream
from gateway.numbers import PhoneNumber
from gateway.scenarios import matching
from gateway.scenarios.form import Form
from gateway.scenarios.played import Played, PlayedCall, PlayedMessage

HEARD = 0.2


def judge(played: Played) -> list[Check]:
    """Every row, in the order of the file."""
    form = played.scenario.form
    checks = [*_requests(played)]
    many = len(played.calls) > 1
    for index, call in enumerate(played.calls, 1):
        prefix = f"call {index}: " if many else ""
        checks += [Check(prefix + check.name, check.measured, check.passed) for check in judge_call(call, form)]
    if len(played.calls) < len(form.call):
        checks.append(Check("every call was made", f"{len(played.calls)} of {len(form.call)}", False))
    for index, message in enumerate(played.messages, 1):
        checks += [
            Check(f"message {index}: {check.name}", check.measured, check.passed)
            for check in judge_message(message, form)
        ]
    return [*checks, _taken(played)]


def judge_call(call: PlayedCall, form: Form) -> Iterator[Check]:
    """The rows of one call."""
    wanted = call.form.expect
    if wanted.events is not None:
        yield Check("events", " ".join(call.kinds) or "none", tuple(call.kinds) == wanted.events)
    for kind, fields in wanted.fields.items():
        for name, value in fields.items():
            yield _value(f"{kind}.{name}", form.named(value), call.told(kind).get(name, matching.ABSENT))
    if wanted.cause is not None:
        yield _value("cause", wanted.cause, call.cdr.get("ulFailReason", matching.ABSENT))
    if wanted.status is not None:
        yield _value("SIP status", wanted.status, _or_absent(call.caller.status))
    if wanted.reached is not None:
        number = call.reached.e164 if call.reached else ""
        nobody = not wanted.reached and call.callee is None
        shown = f"{wanted.reached or 'nobody'}: {number or 'nobody'}"
        yield Check(
            "reached", shown, nobody or number == form.number(wanted.reached).e164 if wanted.reached else nobody
        )
    if wanted.by is not None:
        yield _value("reached by", wanted.by, call.by or matching.ABSENT)
    if wanted.talk_seconds is not None:
        yield _value("talk seconds", wanted.talk_seconds, _or_absent(talk_time(call.cdr)))
    yield from _heard(call)
    yield from _always(call)


def judge_message(message: PlayedMessage, form: Form) -> Iterator[Check]:
    """The rows of a short message."""
    wanted, arrivals = message.form.expect, message.arrivals
    last = arrivals[-1] if arrivals else None
    if wanted.status is not None:
        yield _value("SIP status", wanted.status, _or_absent(message.status))
    if wanted.reached is not None:
        number = last.receiver.e164 if last else ""
        expected = form.number(wanted.reached).e164 if wanted.reached else ""
        yield Check("reached", f"{wanted.reached or 'nobody'}: {number or 'nobody'}", number == expected)
    if wanted.by is not None:
        yield _value("reached by", wanted.by, last.by if last else matching.ABSENT)
    if wanted.text is not None:
        yield _value("text", wanted.text, last.text if last else matching.ABSENT)
    if wanted.result is not None:
        yield _value("sendResult", wanted.result, message.notice.get("sendResult", matching.ABSENT))
    for name, value in wanted.fields.items():
        yield _value(f"sms.{name}", form.named(value), message.notice.get(name, matching.ABSENT))
    if wanted.masked and message.sender is not None:
        found = [name for one in arrivals for name in forms_found(one.data, message.sender)]
        said = f"the receiver saw the sender's ({', '.join(found)})" if found else "nobody saw the sender's"
        yield Check("numbers are masked", said, not found)


def _or_absent(value: Any) -> Any:
    return matching.ABSENT if value is None else value


def _value(name: str, wanted: Any, got: Any) -> Check:
    right = matching.matches(wanted, got)
    shown = "nothing" if got is matching.ABSENT else repr(got)
    return Check(name, shown if right else f"{shown}, expected {matching.in_words(wanted)}", right)


def _requests(played: Played) -> Iterator[Check]:
    for index, request in enumerate(sorted(played.scenario.form.request, key=lambda request: request.at)):
        reply = played.replies[index] if index < len(played.replies) else {}
        code, text = reply.get("resultcode", "none"), reply.get("resultdesc", "")
        expected = "" if code == request.result else f", expected {request.result}"
        yield Check(f"request {index + 1} ({request.api})", f"{code} {text}{expected}", code == request.result)


def _heard(call: PlayedCall) -> Iterator[Check]:
    wanted = call.form.expect
    for name, phone, tones in (
        ("caller", call.caller, wanted.caller_hears),
        ("callee", call.callee, wanted.callee_hears),
    ):
        for hertz in tones:
            lasted = 0.0 if phone is None else _seconds_of(heard_between(phone, None, None), hertz)
            yield Check(f"{name} hears {hertz} Hz", f"for {lasted:.1f} s", lasted >= HEARD)
    if wanted.callee_digits is not None:
        got = call.callee.heard_digits() if call.callee is not None else ""
        yield _value("callee gets digits", wanted.callee_digits, got)


def _seconds_of(samples: Samples, hertz: int, size: int = RATE // 10) -> float:
    """For how long any frequency, not only a tone of ours, is what is heard."""
    parts = (samples[start : start + size] for start in range(0, len(samples) - size + 1, size))
    return sum(size / RATE for part in parts if dominant(part, (hertz,)) == hertz)


def _always(call: PlayedCall) -> Iterator[Check]:
    caller, callee = call.caller, call.callee
    if call.form.expect.masked:
        pairs: list[tuple[str, Phone | None, PhoneNumber | None]] = [
            ("caller", caller, call.reached), ("callee", callee, call.number)
        ]  # fmt: skip
        leaks = [
            f"{name} saw the other's number ({', '.join(found)})"
            for name, phone, number in pairs
            if phone is not None and number is not None and (found := forms_found(everything_received(phone), number))
        ]
        yield Check("numbers are masked", "; ".join(leaks) or "neither phone saw the other's", not leaks)
    faults, packets = [], 0
    for name, phone in (("caller", caller), ("callee", callee)):
        if phone is not None and phone.arrivals:
            report = check_stream(phone.arrivals, phone.events, stall=call.stall)
            packets += report.packets
            faults += [f"{name}: {fault}" for fault in report.faults[:2]]
    yield Check("streams are well-formed", "; ".join(faults) or f"{packets} packets", not faults)


def _taken(played: Played) -> Check:
    """What failed and was taken later is a failure no more."""
    last: dict[str, bool] = {}
    failed = []
    for push in played.pushes:
        last[push.headers.get("X-Event-Id", "")] = push.ok
        if not push.ok:
            failed.append(f"{next(push.events()).kind}: {push.status or push.error}")
    again = f", {len(failed)} of them failed ({failed[0]})" if failed else ""
    return Check("the webhook took everything", f"{len(played.pushes)} requests{again}", all(last.values()))
