"""Masked calls between two SIPp programs, a carrier on each side: answered, busy, given up, and many at a time."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections import Counter
from pathlib import Path

import pytest

from gateway.lab.audio import tone
from gateway.numbers import PhoneNumber
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
SCENARIOS = Path(__file__).parent / "sipp"
LIMIT = 40


class Carriers:
    """SIPp on both sides of a stand; ``callee`` and ``caller`` name scenario files. ``calls`` each makes or takes."""

    def __init__(self, stand: Stand, program: str, calls: int = 1) -> None:
        self._stand = stand
        self._program = program
        self._calls = calls
        self._running: dict[str, Process] = {}
        for hertz in (A_VOICE, B_VOICE):
            (stand.folder / f"{hertz}.alaw").write_bytes(tone(hertz) * LIMIT)

    async def callee(self, scenario: str, port: int = 0) -> None:
        await self._run(scenario, port or self._stand.callee_port)

    async def caller(self, scenario: str, seconds: float, *more: str, number: PhoneNumber = A, target: int = 0) -> None:
        """Its calls last, or ring, for ``seconds``. ``target``: the port that they go to, else the node's."""
        there = f"{HOST}:{target or self._stand.node.plan.sip_port}"
        dials = ("-s", X.e164, "-key", "caller", number.e164, "-d", f"{seconds * 1000:.0f}", *more)
        await self._run(scenario, self._stand.take_ports(2)[0], *dials, there)

    async def finish(self) -> None:
        """Both end by themselves, and every call went as their scenarios say."""
        async with asyncio.timeout(LIMIT + 10):
            for name, process in self._running.items():
                status = await process.wait()
                assert status == 0, f"{name}: {status}\n{self._said(name)}"

    def log(self, scenario: str) -> Path:
        """Every message that it sent and got."""
        return self._stand.folder / f"{scenario}.log"

    def _said(self, scenario: str) -> str:
        files = (self._stand.folder / f"{scenario}.out", self.log(scenario))
        return "\n".join(file.read_text("utf-8", "replace")[-3000:] for file in files if file.exists())

    async def _run(self, scenario: str, port: int, *more: str) -> None:
        # A call takes one port pair of SIPp's, and each call the next one.
        media, *_ = self._stand.take_ports(2 * self._calls + 2)
        self._running[scenario] = await self._stand.run(
            scenario, self._program, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", HOST, "-p", str(port),
            "-mi", HOST, "-mp", str(media), "-m", str(self._calls), "-timeout", f"{LIMIT}s", "-timeout_error",
            "-nostdin", "-trace_msg", "-message_file", str(self.log(scenario)), *more,
        )  # fmt: skip


@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_a_masked_call(sipp: str, stand: Stands, transport: str) -> None:
    here = await stand()
    carriers = Carriers(here, sipp)
    await carriers.callee("callee")
    await carriers.caller("caller", 7, "-t", transport)
    await carriers.finish()
    (fee,) = await here.fees(1)
    assert here.kinds() == ANSWERED_CALL
    assert_recorded(await here.recording_of(fee.fields), at_least=4.0)
    assert_unseen(B, [carriers.log("caller")])
    assert_unseen(A, [carriers.log("callee")])


async def test_everything_acknowledged_and_refreshed(sipp: str, stand: Stands) -> None:
    """100rel, UPDATE before and after the answer, session timers: each leg by itself."""
    here = await stand()
    carriers = Carriers(here, sipp)
    await carriers.callee("callee_acknowledged")
    await carriers.caller("caller_acknowledges", 3)
    await carriers.finish()
    (fee,) = await here.fees(1)
    assert (fee.fields["ulFailReason"], fee.fields["fwdUnaswRsn"]) == (0, 0)
    assert "RSeq: 71" not in carriers.log("caller_acknowledges").read_text(), "it is the other leg's"
    assert_unseen(B, [carriers.log("caller_acknowledges")])
    assert_unseen(A, [carriers.log("callee_acknowledged")])


async def test_a_busy_callee(sipp: str, stand: Stands) -> None:
    here = await stand()
    carriers = Carriers(here, sipp)
    await carriers.callee("callee_busy")
    await carriers.caller("caller_refused", 0)
    await carriers.finish()
    (fee,) = await here.fees(1)
    assert here.kinds() == ["callin", "callout", "disconnect", "fee"]
    assert {name: fee.fields[name] for name in ("ulFailReason", "fwdUnaswRsn", "sipStatusCode")} == {
        "ulFailReason": 8102,
        "fwdUnaswRsn": 17,
        "sipStatusCode": 486,
    }
    assert "Reason: Q.850;cause=17" in carriers.log("caller_refused").read_text()
    assert_unseen(B, [carriers.log("caller_refused")])
    assert_unseen(A, [carriers.log("callee_busy")])


async def test_the_caller_gives_up_while_it_rings(sipp: str, stand: Stands) -> None:
    here = await stand()
    carriers = Carriers(here, sipp)
    await carriers.callee("callee_rings")
    await carriers.caller("caller_cancels", 1)
    await carriers.finish()
    (fee,) = await here.fees(1)
    assert here.kinds() == ["callin", "callout", "alerting", "disconnect", "fee"]
    assert {name: fee.fields[name] for name in ("ulFailReason", "fwdUnaswRsn", "sipStatusCode")} == {
        "ulFailReason": 7502,
        "fwdUnaswRsn": 0,
        "sipStatusCode": 487,
    }
    assert_unseen(B, [carriers.log("caller_cancels")])
    assert_unseen(A, [carriers.log("callee_rings")])


async def test_fifty_calls_at_ten_a_second(sipp: str, stand: Stands) -> None:
    calls = 50
    here = await stand(pairs=128, phone_ports=4 * calls + 8)
    carriers = Carriers(here, sipp, calls)
    await carriers.callee("callee")
    await carriers.caller("caller", 4, "-r", "10", "-l", str(calls))
    await carriers.finish()
    fees = await here.fees(calls)
    assert all((fee.fields["ulFailReason"], fee.fields["fwdUnaswRsn"]) == (0, 0) for fee in fees)
    ends = Counter((event.kind, event.fields["sessionId"]) for event in here.receiver.events)
    assert set(ends.values()) == {1}
    assert Counter(kind for kind, _ in ends) == dict.fromkeys(ANSWERED_CALL, calls)
    assert_unseen(B, [carriers.log("caller")])
    assert_unseen(A, [carriers.log("callee")])
