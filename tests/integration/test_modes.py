"""AXE, AXYB, AX and X mode as real SIP calls on a real node: API, sockets, media workers, events, CDR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.lab.phone import Phase
from gateway.lab.script import Script
from gateway.sip.hop import Hop
from tests.integration.test_node import HOST, A, B, Stand, X

Y = "+8617000000002"
AXE = "/rest/caas/extendnumber/v1.0"
AXYB = "/rest/omp/xyrelationnumber/v1.0"
AX = "/rest/provision/caas/privatenumber/v1.0"
CALLEE = "/rest/caas/privatenumber/calleenumber/v1.0"
TALK = Script(tone_hz=1300, answer_after=0.3, hang_up_after=1.0)
EVENTS = ["callin", "callout", "alerting", "answer", "disconnect", "fee"]


class ModeStand(Stand):
    """A node with one application of a mode."""

    async def api(self, method: str, path: str, **values: Any) -> dict[str, Any]:
        where = "json" if method in ("POST", "PUT") else "params"
        params = {"app_key": "test-axb"} if path == AXYB else {}
        if where == "params":
            params |= values
        body = {"json": values} if where == "json" else {}
        headers = self.customer._headers()
        url = self.node.plan.base_url + path
        async with self.http.request(method, url, headers=headers, params=params, **body) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
        assert answer["resultcode"] == "0", answer
        return answer

    async def call(self, caller: str, called: str = X) -> dict[str, Any]:
        """A whole call; its CDR."""
        port = self.node.plan.sip_port
        uri = f"sip:{called}@{HOST}:{port}"
        target = Hop("udp", HOST, port)
        self.caller.do(lambda now: self.caller.phone.dial(target, uri, now, caller=f"<sip:{caller}@{HOST}>"))
        await self.until(lambda: self.caller.phone.phase is Phase.OVER)
        fee = await self.receiver.wait_for("fee", 60)
        assert fee is not None, self.node.log_tail()
        return fee.fields


@pytest.fixture
async def stand(tmp_path: Path) -> Any:
    made: list[ModeStand] = []

    async def make(mode: str, a: Script, more: str = "") -> ModeStand:
        here = ModeStand(tmp_path, a, TALK)
        made.append(here)
        here.plan_changes = {"mode": mode, "numbers": (Y,), "more": more}
        await here.up()
        return here

    yield make
    for one in made:
        await one.stack.aclose()


@pytest.mark.parametrize("press", ["event", "tone"])
async def test_axe(stand: Any, press: str) -> None:
    here = await stand("AXE", Script(tone_hz=700, digits="1234", early_digits_at=1.0, press=press))
    made = await here.api("POST", AXE, bindNum=A, virtualNum=X, extendNum="1234")
    cdr = await here.call(B)
    assert here.kinds() == ["callin", "collectInfo", *EVENTS[1:]]
    collected = here.receiver.events[1].fields
    assert (collected["digitInfo"], set(collected)) == ("1234", {"sessionId", "timestamp", "digitInfo"})
    assert "subscriptionId" not in here.receiver.events[0].fields
    assert (cdr["serviceType"], cdr["extendNum"], cdr["direction"], cdr["ulFailReason"]) == ("005", "1234", 0, 0)
    assert (cdr["callerNum"], cdr["fwdDstNum"], cdr["fwdDisplayNum"]) == (B, A, X)
    assert cdr["subscriptionId"] == made["subscriptionId"]


async def test_axyb(stand: Any) -> None:
    here = await stand("AXYB", Script(tone_hz=700))
    made = await here.api("POST", AXYB, origNum=A, areaCode="0755")
    cdr = await here.call(B, made["relationNumber"])
    assert here.kinds() == EVENTS
    (row,) = (await here.api("GET", AXYB, subscriptionId=made["subscriptionId"]))["xyRelationNumList"]
    assert row["numB"] == B
    assert (cdr["fwdDstNum"], cdr["fwdDisplayNum"], cdr["direction"]) == (A, row["numY"], 0)


async def test_ax_with_a_temporary_callee_that_is_used_up(stand: Any) -> None:
    here = await stand("AX", Script(tone_hz=700))
    await here.api("POST", AX, origNum=A, privateNum=X)
    await here.api("PUT", CALLEE, privateNum=X, calleeNum=B, userData="once")
    cdr = await here.call(A)
    assert (cdr["serviceType"], cdr["direction"], cdr["fwdDstNum"], cdr["userData"]) == ("003", 1, B, "once")


async def test_x_mode(stand: Any) -> None:
    here = await stand("X", Script(tone_hz=700))
    info = {"calleeNum": B, "maxDuration": 5, "waitVoice": "waiting.wav", "userData": "order-7"}
    here.receiver.answer = {"operation": "connect", "connectInfo": [info]}
    cdr = await here.call(A)
    assert here.kinds() == EVENTS
    question, *events = here.receiver.events
    assert question.fields["notifyMode"] == "Block"
    assert question.signed
    assert {event.fields.get("userData") for event in events} == {"order-7"}
    assert (cdr["notifyMode"], cdr["fwdDstNum"], cdr["fwdDisplayNum"]) == ("Block", B, X)


async def test_x_mode_without_an_answer(stand: Any) -> None:
    here = await stand("X", Script(tone_hz=700))
    cdr = await here.call(A)
    assert (cdr["ulFailReason"], cdr["direction"]) == (8014, 2)
    assert here.kinds() == ["callin", "disconnect", "fee"]
