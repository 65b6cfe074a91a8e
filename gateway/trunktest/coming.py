"""What is tried of the other direction: we register where the trunk wants that, and a call comes to us."""

from __future__ import annotations

from gateway.calls.identity import called_number, caller_number
from gateway.lab.rtp import check_stream
from gateway.sip.grammar import retry_seconds
from gateway.trunktest.called import Called
from gateway.trunktest.ears import Ears
from gateway.trunktest.party import Party
from gateway.trunktest.stage import Stage
from gateway.trunktest.verdict import Verdict, failed, passed, unsupported, words

LONGEST = 86400


async def register(stage: Stage) -> Verdict:
    """REGISTER, as the configuration says; calls may come only then."""
    wanted = stage.trunk.registration
    if wanted is None:
        return unsupported("the trunk has no [trunk.registration]")
    if stage.shared:
        return unsupported("the node runs, and keeps its registration itself")
    seconds = wanted.expires
    answer = await stage.register(seconds)
    if answer.status == 423 and answer.response is not None:
        least = retry_seconds(answer.response.headers.get("Min-Expires")) or 0
        if not seconds < least <= LONGEST:
            return failed("423 without a Min-Expires that helps")
        seconds = least
        answer = await stage.register(seconds)
    if answer.response is None:
        return failed("no answer" if answer.status == 408 else "can not be reached")
    if not 200 <= answer.status < 300:
        hint = ": see [trunk.account]" if answer.status in (401, 403, 407) else ""
        return failed(f"{answer.status} {answer.response.reason}{hint}")
    granted = answer.response.headers.values("Contact")
    if not any(f"{wanted.user}@" in one for one in granted):
        return failed("200, but our Contact is not in it: nothing would come")
    return passed(f"{answer.status}, asked for {seconds} s")


async def incoming(stage: Stage) -> Verdict:
    """One of the trunk's own numbers is called over the trunk: the call has to come to us, with sound both ways."""
    if stage.ours is None:
        return unsupported("--ours names no number of the trunk that leads here")
    if stage.shared:
        return unsupported("the node runs, and takes the call itself: stop it for this")
    async with stage.call(callee=stage.ours) as (party, ears), stage.listening() as (calls, far):
        await stage.until(lambda: bool(calls) or party.final("INVITE") is not None, stage.patience.ring)
        if not calls:
            return failed(
                f"it did not come: {words(party.last('INVITE'))}; is [sip] advertised what the carrier calls?"
            )
        return await _taken(stage, party, ears, calls[0], far)


async def _taken(stage: Stage, party: Party, ears: Ears, call: Called, far: Ears) -> Verdict:
    called, caller = called_number(call.invite, stage.trunk), caller_number(call.invite, stage.trunk)
    if called != stage.ours:
        return failed("the number that is called is not read from it: see [trunk.numbers] and identity.called")
    media = stage.negotiation()
    stage.do(call.accept(media, far.port, stage.now))
    if call.media_fault:
        return failed(f"its SDP can't be answered: {call.media_fault}")
    begun = stage.now
    while not call.acked and stage.now < begun + stage.patience.answer:
        if not await stage.until(lambda: call.acked, 0.5):
            stage.do(call.again())
    if not call.acked:
        return failed("no ACK for our 200: is our Contact one that the carrier reaches? see the advertised addresses")
    far.send_to(media.terms)
    ears.send_to(party.media.terms)
    await stage.until(lambda: bool(far.heard() and ears.heard()), stage.patience.sound)
    heard = [len(far.heard()), len(ears.heard())]
    if not all(heard):
        return failed(f"packets that came in and went out through the trunk: {heard[0]}, {heard[1]}: one-way audio")
    stage.do(party.hang_up(stage.now))
    if not await stage.until(lambda: call.ended, stage.patience.answer):
        return failed("the caller hung up, and no BYE came to the callee")
    shown = "shown" if caller == stage.numbers[0] else "another, or withheld"
    lost = check_stream(far.heard(), None if media.terms is None else media.terms.events_in).lost
    return passed(f"from {call.source}, caller {shown}, {lost} packets lost on the way in")
