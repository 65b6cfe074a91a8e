"""A masked call between two baresip softphones: each plays a tone from a WAV file and writes down what it hears."""

from __future__ import annotations

import pytest

from gateway.lab.analysis import seconds_of
from tests.interop.softphone import Softphone
from tests.interop.stand import A_VOICE, ANSWERED_CALL, B_VOICE, HOST, A, B, Stands, X, assert_recorded, assert_unseen

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("transport", ["", ";transport=tcp"], ids=["udp", "tcp"])
async def test_a_masked_call_between_softphones(baresip: str, stand: Stands, transport: str) -> None:
    here = await stand(TRUNK__0__NAT="true")
    caller, callee = Softphone(here, "caller", A, A_VOICE), Softphone(here, "callee", B, B_VOICE, here.callee_port)
    await callee.start(baresip)
    await caller.start(baresip)
    caller.do("dial", f"sip:{X.e164}@{HOST}:{here.node.plan.sip_port}{transport}")
    await callee.wait_for("CALL_INCOMING")
    callee.do("accept")
    await caller.hears(B_VOICE)
    await callee.hears(A_VOICE)
    caller.do("hangup")
    await callee.wait_for("CALL_CLOSED")
    (fee,) = await here.fees(1)
    assert here.kinds() == ANSWERED_CALL
    assert (fee.fields["ulFailReason"], fee.fields["fwdUnaswRsn"]) == (0, 0)
    assert_recorded(await here.recording_of(fee.fields))
    assert seconds_of(caller.heard(), A_VOICE) == seconds_of(callee.heard(), B_VOICE) == 0
    assert_unseen(B, [caller.log])
    assert_unseen(A, [callee.log])
