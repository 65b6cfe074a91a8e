"""The closing table: what must be true of a finished call, each with its measured value. Pure.

Audio is judged from what the phones received and from the recording as it was downloaded; nothing is asked of the node
itself but the erase date. Levels are dBFS of single frequencies (see ``analysis``).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.lab.analysis import MEANINGS, dominant, level, seconds_of
from gateway.lab.audio import RATE, Samples, decode
from gateway.lab.phone import Phone
from gateway.lab.receiver import Event
from gateway.lab.rtp import STALL, check_stream
from gateway.lab.wave import ALAW, Wave
from gateway.numbers import PhoneNumber

WAITING, NOTICE, A_VOICE, B_VOICE = 620, 950, 700, 1300
EXPECTED_EVENTS = ("callin", "callout", "alerting", "answer", "disconnect", "fee")
SILENT = frozenset((0xD5, 0x55))
LEAK_LIMIT = -40.0
CHANNEL_LIMIT = 0.040
TALK_LIMIT = 1.0
RETENTION_DAYS = 7


@dataclass(frozen=True, slots=True)
class Check:
    """One row: what must hold, what was measured, whether it holds."""

    name: str
    measured: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a finished call left behind. ``recording`` is the downloaded file, ``erase_at`` when it will be gone."""

    caller: Phone
    callee: Phone
    a: PhoneNumber
    b: PhoneNumber
    x: PhoneNumber
    events: Sequence[Event]
    recording: bytes
    erase_at: datetime | None
    looked_at: datetime


def all_checks(evidence: Evidence) -> list[Check]:
    """Every row of the table, in the order of the call."""
    return [*_privacy(evidence), *_heard(evidence), *_streams(evidence), *_recording(evidence), *_reports(evidence)]


# --- privacy ----------------------------------------------------------------------------------------------------------


def forms_found(data: bytes, number: PhoneNumber) -> list[str]:
    """In which forms ``number`` stands in ``data``: as it is written, escaped, with separators, in Base64, in hex."""
    national = number.national().encode()
    forms = {
        "global": number.e164.encode(),
        "00": b"00" + number.e164[1:].encode(),
        "digits": number.e164[1:].encode(),
        "national": national,
        "hex": national.hex().encode(),
    }
    found = [name for name, form in forms.items() if form in data]
    if not found and national in unquote_to_bytes(data):
        found.append("escaped")
    if not found and national in bytes(byte for byte in data if byte not in b" -.()"):
        found.append("separated")
    # Base64 of a text depends on where it starts modulo 3; the first and last characters also hold its neighbours.
    for shift in range(3):
        inner = b64encode(b"\0" * shift + national).rstrip(b"=")[4 if shift else 0 : -1]
        if inner in data:
            found.append("Base64")
    return found


def everything_received(phone: Phone) -> bytes:
    """Every byte that came to the phone, SIP and RTP."""
    return phone.received_bytes() + b"\n" + b"\n".join(arrival.data for arrival in phone.arrivals)


def _privacy(evidence: Evidence) -> Iterator[Check]:
    parties = (("A", evidence.caller, "B", evidence.b), ("B", evidence.callee, "A", evidence.a))
    for name, phone, other, number in parties:
        data = everything_received(phone)
        found, shown = forms_found(data, number), evidence.x.national().encode() in phone.received_bytes()
        text = f"{other}'s number: {', '.join(found) or 'not found'} in {len(data)} bytes"
        text += f"; X {'seen' if shown else 'not seen'}"
        yield Check(f"{name} saw only X", text, shown and not found and bool(phone.arrivals))


# --- what was heard ---------------------------------------------------------------------------------------------------


def heard_between(phone: Phone, start: float | None, end: float | None) -> Samples:
    """What the phone heard in a span of time (monotonic seconds), as samples in the order of arrival."""
    low, high = (start if start is not None else float("-inf")), (end if end is not None else float("inf"))
    return decode(b"".join(audio for at, audio in phone.heard() if low <= at < high))


def _tone_check(name: str, samples: Samples, hertz: int, *, at_least: float) -> Check:
    """``hertz`` stands out for ``at_least`` seconds; measured as its level and its distance to the next tone."""
    lasted = seconds_of(samples, hertz)
    part = _where(samples, hertz)
    here = level(part, hertz)
    other = max((other for other in MEANINGS if other != hertz), key=lambda candidate: level(part, candidate))
    text = f"{hertz} Hz for {lasted:.1f} s at {here:.1f} dB, next is {other} Hz {level(part, other) - here:+.0f} dB"
    return Check(name, text, lasted >= at_least)


def _where(samples: Samples, hertz: int, block: int = RATE // 10) -> Samples:
    """The block in which ``hertz`` is loudest."""
    starts = range(0, max(len(samples) - block + 1, 1), block)
    return max((samples[start : start + block] for start in starts), key=lambda part: level(part, hertz))


def _heard(evidence: Evidence) -> Iterator[Check]:
    caller, callee = evidence.caller, evidence.callee
    before = heard_between(caller, None, caller.answered_at)
    yield _tone_check("A heard the waiting tone before the answer", before, WAITING, at_least=0.5)
    for name, phone in (("A", caller), ("B", callee)):
        after = heard_between(phone, phone.answered_at, None)
        yield _tone_check(f"{name} heard the recording notice", after, NOTICE, at_least=0.2)
    for name, phone, other, hertz in (("A", caller, "B", B_VOICE), ("B", callee, "A", A_VOICE)):
        after = heard_between(phone, phone.answered_at, None)
        yield _tone_check(f"{name} heard {other}", after, hertz, at_least=2.0)


def _streams(evidence: Evidence) -> Iterator[Check]:
    for name, phone in (("A", evidence.caller), ("B", evidence.callee)):
        report = check_stream(phone.arrivals, stall=STALL)
        text = f"{report.packets} packets, {len(report.ssrcs)} SSRC, {report.lost} lost"
        text += f"; {'; '.join(report.faults[:3])}" if report.faults else ", linear timestamps"
        yield Check(f"{name} got one clean RTP stream", text, report.packets > 0 and not report.faults)


# --- the recording ----------------------------------------------------------------------------------------------------


def _recording(evidence: Evidence) -> Iterator[Check]:
    try:
        wave = Wave.parse(evidence.recording)
    except ValueError as error:
        yield Check("the recording is a WAV file", str(error), False)
        return
    is_right = (wave.format, wave.rate, wave.bits, wave.channels) == (ALAW, RATE, 8, 2)
    yield Check("the recording is A-law, 8000 Hz, two channels", str(wave), is_right)
    if not is_right:
        return
    channels = (wave.channel(0), wave.channel(1))
    yield _channel_check("A on the first channel only", channels[0], channels[1], A_VOICE)
    yield _channel_check("B on the second channel only", channels[1], channels[0], B_VOICE)
    yield _length_check(evidence, wave)
    spans = [span_of_sound(channel) for channel in channels]
    difference = abs(spans[0] - spans[1])
    text = f"{spans[0]:.3f} s and {spans[1]:.3f} s of sound, {difference * 1000:.0f} ms apart"
    yield Check("both channels are as long", text, difference <= CHANNEL_LIMIT)


def _channel_check(name: str, own: bytes, other: bytes, hertz: int) -> Check:
    here, there = level(decode(own), hertz), level(decode(other), hertz)
    text = f"{hertz} Hz at {here:.1f} dB, leak into the other {there - here:.0f} dB"
    return Check(name, text, dominant(decode(own)) == hertz and there - here < LEAK_LIMIT)


def span_of_sound(codes: bytes) -> float:
    """Seconds from the first to the last A-law code of a channel that is no silence."""
    sounding = [position for position, code in enumerate(codes) if code not in SILENT]
    return (sounding[-1] - sounding[0] + 1) / RATE if sounding else 0.0


def _length_check(evidence: Evidence, wave: Wave) -> Check:
    cdr = next((event.fields for event in evidence.events if event.kind == "fee"), {})
    talked = talk_time(cdr)
    callee = evidence.callee
    exact = callee.history[-1].at - callee.answered_at if callee.answered_at is not None else 0.0
    text = f"{wave.seconds:.3f} s, the CDR says {talked} s, B talked {exact:.3f} s"
    passed = talked is not None and abs(wave.seconds - talked) <= TALK_LIMIT and abs(wave.seconds - exact) <= 0.5
    return Check("the recording is as long as the talk", text, passed)


def talk_time(cdr: dict[str, Any]) -> float | None:
    """Seconds from answer to end as a CDR says, whole seconds; None when it doesn't."""
    try:
        answer, end = (datetime.fromisoformat(cdr[key]) for key in ("fwdAnswerTime", "callEndTime"))
    except (KeyError, TypeError, ValueError):
        return None
    return (end - answer).total_seconds()


# --- what was reported ------------------------------------------------------------------------------------------------


def _reports(evidence: Evidence) -> Iterator[Check]:
    if evidence.erase_at is None:
        yield Check("the recording will be erased in 7 days", "no erase date", False)
    else:
        days = (evidence.erase_at - evidence.looked_at).total_seconds() / 86400
        text = f"{evidence.erase_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, in {days:.3f} days"
        yield Check("the recording will be erased in 7 days", text, abs(days - RETENTION_DAYS) < 0.01)
    kinds = [event.kind for event in evidence.events]
    yield Check("all events came, in order, once each", " ".join(kinds) or "none", tuple(kinds) == EXPECTED_EVENTS)
    sessions = {event.fields.get("sessionId") for event in evidence.events}
    signed = sum(event.signed for event in evidence.events)
    text = f"{signed} of {len(kinds)} signed, {len(sessions)} session"
    yield Check("events are signed and of one session", text, signed == len(kinds) > 0 and len(sessions) == 1)
    ends = f"{kinds.count('disconnect')} disconnect, {kinds.count('fee')} fee"
    reasons = [event.fields.get("stateCode", event.fields.get("ulFailReason")) for event in evidence.events[-2:]]
    normal = ends == "1 disconnect, 1 fee" and reasons == [0, 0]
    yield Check("one disconnect, one CDR, hung up normally", f"{ends}; causes {reasons}", normal)
