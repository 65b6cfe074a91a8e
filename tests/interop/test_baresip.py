"""A masked call between two baresip softphones: each plays a tone from a WAV file and writes down what it hears."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.lab.analysis import seconds_of
from tests.interop.softphone import Softphone
from tests.interop.stand import (
    A_VOICE,
    ANSWERED_CALL,
    B_VOICE,
    HOST,
    A,
    B,
    Stand,
    Stands,
    X,
    assert_recorded,
    assert_unseen,
)

pytestmark = pytest.mark.interop
CASES = [("", "pcma/8000"), (";transport=tcp", "pcmu/8000")]


class Pair:
    """Two softphones on a stand: ``caller`` has dialled X and ``callee`` rings. A calls B, or B calls A."""

    def __init__(self, stand: Stand, *, back: bool = False) -> None:
        parties = [(A, A_VOICE), (B, B_VOICE)]
        (calling, voice), (called, other) = reversed(parties) if back else parties
        self.stand = stand
        self.caller = Softphone(stand, "caller", calling, voice)
        self.callee = Softphone(stand, "callee", called, other, stand.callee_port)
        self._numbers = (calling, called)

    async def ring(
        self, program: str, *, transport: str = "", codec: str = "pcma/8000", srtp: tuple[str, str] = ("", "")
    ) -> None:
        await self.callee.start(program, codec=codec, srtp=srtp[1])
        await self.caller.start(program, srtp=srtp[0])
        self.caller.do("dial", f"sip:{X.e164}@{HOST}:{self.stand.node.plan.sip_port}{transport}")
        await self.callee.wait_for("CALL_INCOMING")

    async def outlive_a_worker(self) -> None:
        """The call's media worker dies, and each hears the other again."""
        before = (seconds_of(self.caller.heard(), B_VOICE), seconds_of(self.callee.heard(), A_VOICE))
        os.kill(self.stand.workers()[0], signal.SIGKILL)
        await self.caller.hears(B_VOICE, before[0] + 2)
        await self.callee.hears(A_VOICE, before[1] + 2)

    async def fee(self, kinds: list[str]) -> dict[str, Any]:
        """The call's bill record; its events were of these kinds, and neither phone saw the other's number."""
        (fee,) = await self.stand.fees(1)
        assert self.stand.kinds() == kinds
        assert_unseen(self._numbers[1], [self.caller.log])
        assert_unseen(self._numbers[0], [self.callee.log])
        return fee.fields


@pytest.fixture
async def pair(stand: Stands) -> Callable[..., Awaitable[Pair]]:
    async def make(*, policy: str = "off", **wanted: Any) -> Pair:
        return Pair(await stand(TRUNK__0__NAT="true", TRUNK__0__SRTP=policy, MEDIA__WORKERS="2"), **wanted)

    return make


@pytest.mark.parametrize(("transport", "codec"), CASES, ids=["udp to A-law", "tcp to mu-law"])
async def test_a_masked_call(baresip: str, pair: Callable[..., Awaitable[Pair]], transport: str, codec: str) -> None:
    here = await pair()
    await here.ring(baresip, transport=transport, codec=codec)
    here.callee.do("accept")
    await here.caller.hears(B_VOICE)
    await here.callee.hears(A_VOICE)
    await here.outlive_a_worker()
    here.caller.do("hangup")
    await here.callee.wait_for("CALL_CLOSED")
    fee = await here.fee(ANSWERED_CALL)
    assert (fee["direction"], fee["ulFailReason"], fee["fwdUnaswRsn"]) == (1, 0, 0)
    assert_recorded(await here.stand.recording_of(fee))
    assert seconds_of(here.caller.heard(), A_VOICE) == seconds_of(here.callee.heard(), B_VOICE) == 0


async def test_called_back_a_digit_hold_and_resume(baresip: str, pair: Callable[..., Awaitable[Pair]]) -> None:
    """B calls A back; A keys a digit, is put on hold and taken back, and hangs up.

    Only A's ear judges what comes after the hold: baresip 1.0.0 decodes nothing after a hold of its own, not even
    when it talks with another baresip directly.
    """
    here = await pair(back=True)
    await here.ring(baresip)
    here.callee.do("accept")
    await here.caller.hears(A_VOICE)
    await here.callee.hears(B_VOICE)
    here.callee.do("sndcode", "7")
    assert (await here.caller.wait_for("CALL_DTMF_START"))["param"] == "7"
    here.caller.do("hold")
    await here.callee.hears_no_more()
    before = seconds_of(here.callee.heard(), B_VOICE)
    here.caller.do("resume")
    await here.callee.hears(B_VOICE, before + 2)
    here.callee.do("hangup")
    await here.caller.wait_for("CALL_CLOSED")
    fee = await here.fee(ANSWERED_CALL)
    assert (fee["direction"], fee["ulFailReason"], fee["fwdUnaswRsn"]) == (0, 0, 0)
    assert_recorded(await here.stand.recording_of(fee), B_VOICE, A_VOICE)


@pytest.mark.parametrize("who", ["callee", "caller"])
async def test_a_call_that_is_not_answered(baresip: str, pair: Callable[..., Awaitable[Pair]], who: str) -> None:
    """The callee turns it away while it rings (baresip sends 486), or the caller gives up."""
    here = await pair()
    await here.ring(baresip)
    await here.caller.wait_for("CALL_PROGRESS")
    getattr(here, who).do("hangup")
    await here.caller.wait_for("CALL_CLOSED")
    await here.callee.wait_for("CALL_CLOSED")
    fee = await here.fee(["callin", "callout", "alerting", "disconnect", "fee"])
    causes = (fee["ulFailReason"], fee["fwdUnaswRsn"], fee["sipStatusCode"])
    assert causes == {"callee": (8102, 17, 486), "caller": (7502, 0, 487)}[who]


SECURE = [("required", ("srtp-mand", "srtp-mand")), ("optional", ("srtp", "")), ("optional", ("srtp-mand", "srtp"))]


@pytest.mark.parametrize(("policy", "srtp"), SECURE, ids=["required", "one leg of two", "as the phones like"])
async def test_over_srtp(
    baresip: str, pair: Callable[..., Awaitable[Pair]], policy: str, srtp: tuple[str, str]
) -> None:
    here = await pair(policy=policy)
    await here.ring(baresip, srtp=srtp)
    here.callee.do("accept")
    await here.caller.hears(B_VOICE)
    await here.callee.hears(A_VOICE)
    await here.outlive_a_worker()
    here.caller.do("hangup")
    await here.callee.wait_for("CALL_CLOSED")
    fee = await here.fee(ANSWERED_CALL)
    assert_recorded(await here.stand.recording_of(fee))
    sealed = [b"SRTP is Enabled" in phone.log.read_bytes() for phone in (here.caller, here.callee)]
    assert sealed == [bool(one) for one in srtp], "what the phone says of itself"
