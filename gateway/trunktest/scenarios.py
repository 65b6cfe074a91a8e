"""What is tried on a trunk, one function each, and what is made of what happens.

A carrier that does without something says so by what it answers: that is "not supported" and no fault. A fault is
what would break calls: no answer, no sound, an answer that contradicts itself, a call that is left standing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.calls.addresses import NOWHERE
from gateway.lab.rtp import STALL, check_stream
from gateway.sip.message import Response
from gateway.trunktest.coming import incoming, register
from gateway.trunktest.ears import Ears
from gateway.trunktest.party import Got, Party
from gateway.trunktest.stage import Stage
from gateway.trunktest.verdict import Outcome, Verdict, failed, passed, unsupported, words

__all__ = ["SCENARIOS", "NotAnswered", "Outcome", "Scenario", "Verdict"]

WITHOUT = (405, 420, 421, 488, 501, 606)
TOO_LARGE = (413, 414, 513)
LONG = 3000
SESSION_SECONDS = 90


class NotAnswered(Exception):
    """The call that a scenario needs was not answered."""


def _response(got: Got | None) -> Response:
    assert got is not None
    assert got.response is not None
    return got.response


async def options(stage: Stage) -> Verdict:
    """Every peer of the trunk answers OPTIONS."""
    said = []
    peers = [peer for peer in stage.trunk.peers if peer != NOWHERE]
    if not peers:
        return failed("DNS knows no address of any peer")
    for peer in peers:
        begun = stage.now
        answer = await stage.options(peer)
        if answer.response is None and answer.status == 408 and stage.trunk.probe is None:
            return unsupported(f'{peer}: no answer, as health = "off" says')
        if answer.response is None:
            return failed(f"{peer}: {'no answer' if answer.status == 408 else 'can not be reached'}")
        if answer.status == 503:
            return failed(f"{peer}: 503, it takes no calls")
        said.append(f"{peer}: {answer.status} in {1000 * (stage.now - begun):.0f} ms")
    return passed("; ".join(said))


async def call(stage: Stage) -> Verdict:
    """A call is answered, sound comes from where its SDP says, BYE is answered."""
    async with stage.call() as (party, ears):
        await answered(stage, party, ears)
        since = stage.now
        await stage.until(lambda: stage.now >= since + stage.patience.talk, stage.patience.talk + 1)
        heard, terms = ears.heard(), party.media.terms
        if party.ended_by_peer:
            return failed("the peer hung up at once: does it get our ACK and our RTP? see the advertised addresses")
        if not heard or terms is None:
            return failed(
                f"answered, but no RTP came to port {ears.port} in {stage.patience.talk:.0f} s: one-way audio"
            )
        report, source = check_stream(heard, terms.events_in, stall=STALL), heard[-1].source
        note = "" if source[0] == terms.host else f"; RTP came from {source[0]}, not its SDP's address: media_networks"
        note += f"; odd RTP: {report.faults[0]}" if report.faults else ""
        waited = _waited(party)
        stage.do(party.hang_up(stage.now))
        if not await stage.until(lambda: party.final("BYE") is not None, stage.patience.answer):
            return failed("BYE is not answered")
        return passed(f"answered after {waited:.1f} s, {report.packets} packets, {report.lost} lost{note}")


async def early_media(stage: Stage) -> Verdict:
    """Sound before the answer, when an SDP comes before the answer."""
    async with stage.call() as (party, ears):
        await stage.until(
            lambda: party.early_sdp_at is not None or party.final("INVITE") is not None, stage.patience.ring
        )
        if party.early_sdp_at is None:
            if party.accepted is None:
                return failed(f"no SDP before the end: {words(party.final('INVITE'))}")
            return unsupported("no SDP before the answer: our own ringback is played")
        ears.send_to(party.media.terms)
        if party.media_fault:
            return failed(f"its SDP can't be used: {party.media_fault}")
        await stage.until(lambda: len(ears.arrivals) > 5 or party.accepted is not None, stage.patience.sound)
        if ears.arrivals:
            return passed(f"{len(ears.arrivals)} packets before the answer")
        if party.accepted is not None:
            return unsupported("SDP, but no sound until the answer, which came at once")
        return failed(
            "an SDP before the answer, but no RTP: the caller would hear nothing (Maskline then rings itself)"
        )


async def cancel(stage: Stage) -> Verdict:
    """CANCEL while it rings: 200 for it, 487 for the INVITE."""
    async with stage.call() as (party, _):
        rings = await stage.until(
            lambda: any(100 < one.status < 200 for one in party.answers) or party.final("INVITE") is not None,
            stage.patience.ring,
        )
        if not rings or (party.final("INVITE") is not None and party.accepted is None):
            return failed(f"it never rang: {words(party.last('INVITE'))}")
        if party.accepted is not None:
            return unsupported("answered without ringing: nothing to cancel")
        return await _cancelled(stage, party)


async def cancel_race(stage: Stage) -> Verdict:
    """CANCEL as early as RFC 3261 §9.1 allows: with the first 1xx, whatever crosses it."""
    async with stage.call() as (party, _):
        came = await stage.until(lambda: bool(party.answers), stage.patience.answer)
        if not came:
            return failed("no 100 Trying, nor anything else")
        if party.accepted is not None:
            return unsupported("answered without any 1xx: nothing to cancel")
        return await _cancelled(stage, party)


async def _cancelled(stage: Stage, party: Party) -> Verdict:
    stage.do(party.cancel(stage.now))
    done = await stage.until(
        lambda: party.final("CANCEL") is not None and party.final("INVITE") is not None, 2 * stage.patience.answer
    )
    final = party.final("INVITE")
    if party.accepted is not None:
        ended = await stage.until(lambda: party.final("BYE") is not None or party.ended_by_peer, stage.patience.answer)
        return (
            passed("200 crossed it: ACK and BYE")
            if ended
            else failed("200 crossed the CANCEL, and BYE is not answered")
        )
    if not done or final is None:
        missing = "CANCEL" if party.final("CANCEL") is None else "INVITE"
        return failed(f"no final answer to the {missing}: a call is left standing")
    if final.status == 487:
        return passed("487")
    return (
        failed(f"INVITE: {words(final)} instead of 487") if final.status < 400 else passed(f"{words(final)}, not 487")
    )


async def hold(stage: Stage) -> Verdict:
    """Hold and resume (RFC 3264 §8.4)."""
    async with stage.call() as (party, ears):
        await answered(stage, party, ears)
        mark = len(party.answers)
        stage.do(party.reoffer(stage.now, receives=False))
        got = await _final(stage, party, "INVITE", mark)
        if got is None or not 200 <= got.status < 300:
            refused = got is not None and got.status in WITHOUT
            return unsupported(f"hold: {words(got)}") if refused else failed(f"hold: {words(got)}")
        held = stage.now
        await stage.until(lambda: stage.now > held + stage.patience.sound / 2, stage.patience.sound)
        still = len(ears.heard(held + 0.3))
        mark = len(party.answers)
        stage.do(party.reoffer(stage.now))
        got = await _final(stage, party, "INVITE", mark)
        if got is None or not 200 <= got.status < 300:
            return failed(f"resume: {words(got)}")
        resumed = stage.now
        ears.send_to(party.media.terms)
        if not await stage.until(lambda: bool(ears.heard(resumed)), stage.patience.sound):
            return failed("no RTP after resume")
        if party.ended_by_peer:
            return failed("the peer hung up")
        return passed("held and resumed" + (f"; {still} packets while held" if still > 5 else ""))


async def update(stage: Stage) -> Verdict:
    """UPDATE within the call (RFC 3311), where the answer allows it."""
    async with stage.call() as (party, ears):
        await answered(stage, party, ears)
        if not party.allows("UPDATE"):
            return unsupported("not in the answer's Allow")
        mark = len(party.answers)
        stage.do(party.send("UPDATE", stage.now))
        got = await _final(stage, party, "UPDATE", mark)
        if got is None or not 200 <= got.status < 300:
            return failed(f"allowed, but: {words(got)}")
        return passed(words(got))


async def digits(stage: Stage) -> Verdict:
    """Telephone-events (RFC 4733) are agreed on, and sending some harms nothing."""
    async with stage.call() as (party, ears):
        await answered(stage, party, ears)
        terms = party.media.terms
        if terms is None or terms.events is None:
            return unsupported("no telephone-event in the answer")
        ears.dial("12#")
        since = stage.now
        await stage.until(lambda: party.ended_by_peer, 1.0)
        if party.ended_by_peer:
            return failed("the peer hung up")
        back = len(ears.heard(since, events=terms.events_in))
        return passed(f"sent as payload type {terms.events}" + ("; some came back" if back else ""))


async def session_refresh(stage: Stage) -> Verdict:
    """A session timer (RFC 4028) is agreed on, and a refresh is accepted."""
    asked = [("Supported", "timer"), ("Session-Expires", f"{SESSION_SECONDS};refresher=uac"), ("Min-SE", "90")]
    async with stage.call(asked) as (party, ears):
        first = await _final(stage, party, "INVITE", 0, stage.patience.ring)
        seconds = SESSION_SECONDS
        if first is not None and first.status == 422:
            least = (_response(first).headers.get("Min-SE") or "").partition(";")[0].strip()
            if not least.isdecimal():
                return failed("422 without Min-SE")
            seconds = int(least)
            asked = [("Supported", "timer"), ("Session-Expires", f"{seconds};refresher=uac"), ("Min-SE", least)]
            mark = len(party.answers)
            stage.do(party.invite(stage.now, asked, cseq=10))
            first = await _final(stage, party, "INVITE", mark, stage.patience.ring)
        if first is None or not 200 <= first.status < 300:
            raise NotAnswered(words(first))
        ears.send_to(party.media.terms)
        agreed = _response(first).headers.get("Session-Expires") or _response(first).headers.get("x")
        if not agreed:
            return unsupported("no Session-Expires in the answer")
        refresh = [("Supported", "timer"), ("Session-Expires", f"{seconds};refresher=uac")]
        method = "UPDATE" if party.allows("UPDATE") else "INVITE"
        mark = len(party.answers)
        stage.do(party.send("UPDATE", stage.now, refresh) if method == "UPDATE" else party.reoffer(stage.now, refresh))
        got = await _final(stage, party, method, mark)
        if got is None or not 200 <= got.status < 300:
            return failed(f"{agreed} agreed on, but the refresh: {words(got)}")
        return passed(f"{agreed}; refreshed by {method}")


async def long_headers(stage: Stage) -> Verdict:
    """An INVITE of more than 4 kilobytes, which many Via and Record-Route headers make."""
    padding = [("X-Maskline-Padding", "x" * (LONG // 3)) for _ in range(3)]
    async with stage.call(padding) as (party, _):
        if not await stage.until(lambda: bool(party.answers), stage.patience.answer):
            return failed("no answer at all: fragments are dropped on the way, or TCP does not get through")
        rings = await stage.until(lambda: any(one.status > 100 for one in party.answers), stage.patience.ring)
        last = party.last("INVITE")
        if last is not None and last.status in TOO_LARGE:
            return unsupported(words(last))
        if not rings or last is None or last.response is None or last.status >= 400:
            return failed(words(last))
        return passed(f"{words(last)} by {'TCP' if _by_stream(stage) else 'UDP'}")


def _by_stream(stage: Stage) -> bool:
    return any(
        seen.sent and seen.peer.transport != "udp" and seen.data.startswith(b"INVITE") for _, seen in stage.trace
    )


async def answered(stage: Stage, party: Party, ears: Ears) -> None:
    """Wait until the call is up, and speak. NotAnswered."""
    got = await _final(stage, party, "INVITE", 0, stage.patience.ring)
    if got is None or not 200 <= got.status < 300:
        raise NotAnswered(words(got))
    if party.media_fault or party.media.terms is None:
        raise NotAnswered(f"answered, but its SDP can't be used: {party.media_fault or 'there is none'}")
    ears.send_to(party.media.terms)


async def _final(stage: Stage, party: Party, method: str, since: int, seconds: float = 0.0) -> Got | None:
    await stage.until(lambda: party.final(method, since) is not None, seconds or stage.patience.answer)
    return party.final(method, since)


def _waited(party: Party) -> float:
    return 0.0 if party.accepted is None else party.accepted.at - party.invited_at


Scenario = Callable[[Stage], Awaitable[Verdict]]
SCENARIOS: dict[str, Scenario] = {
    "register": register,
    "options": options,
    "call": call,
    "early-media": early_media,
    "cancel": cancel,
    "cancel-race": cancel_race,
    "hold": hold,
    "update": update,
    "dtmf": digits,
    "session-refresh": session_refresh,
    "long-headers": long_headers,
    "incoming": incoming,
}
