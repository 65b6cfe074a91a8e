"""Whatever happens to a call, in whatever order: one Disconnected, one CallClosed, nothing left behind, no fault."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from gateway.calls.outputs import CallOpened, Faulted, RecordingStarted
from gateway.sip.user_agent import Ended
from media import control
from tests.calls.fakes import Bench, connect, invite, refuse, sdp

BODIES = [b"", sdp(4000), sdp(5000), sdp(5002), sdp(5000, direction="sendonly"), sdp(5000, codecs="18"), b"nonsense"]
PLAYS = ["waiting", "ringback", "notice", "last minute", "refusal", "unknown"]


def inputs(bench: Bench, chance: Random) -> list[Callable[[], object]]:
    """Everything that can happen, sensible now or not."""
    leg = chance.choice((control.CALLER, control.CALLEE))
    session = chance.choice(("caller", "callee-1"))
    body = chance.choice(BODIES)
    decision = chance.choice(
        (
            connect(record=True, notice="notice.wav", waiting_tone="wait.wav", max_seconds=90, last_minute="last.wav"),
            connect(record=True),
            connect(max_seconds=30, consumes_temporary=True),
            refuse(),
            refuse(tone=""),
        )
    )
    stats = control.LegStats()
    return [
        *[lambda: bench.route(decision)] * 3,
        *[bench.open_media] * 3,
        *[lambda: bench.answer(body)] * 2,
        lambda: bench.answer(sdp(5000)),
        lambda: bench.progress(chance.choice((180, 181, 183, 199)), body),
        lambda: bench.reject(chance.choice((302, 404, 408, 480, 486, 487, 503, 603))),
        lambda: bench.confirm(body),
        lambda: bench.reinvite(session, body),
        lambda: bench.sip(Ended(session, "peer", chance.choice(("BYE", "CANCEL", "no-ack", "481")), "")),
        lambda: bench.played(chance.choice(PLAYS), leg, completed=chance.random() < 0.7),
        lambda: bench.played("notice", leg, completed=False, error="no such file"),
        lambda: bench.heard(leg),
        lambda: bench.report(control.Silent(bench.call, leg)),
        lambda: bench.report(control.OpenFailed(bench.call, "full")),
        lambda: bench.report(control.Closed(bench.call, stats, stats, chance.random() < 0.5)),
        *[lambda: bench.pass_time(chance.choice((0.1, 0.5, 3.0, 20.0)))] * 3,
        lambda: bench.lose_worker() if chance.random() < 0.2 else None,
        lambda: bench.note(bench.exchange.stop_call(bench.call, bench.now)[1]) if chance.random() < 0.3 else None,
        lambda: bench.note(bench.exchange.route_failed(bench.call, bench.now)) if chance.random() < 0.2 else None,
    ]


@pytest.mark.parametrize("seed", range(20))
def test_any_order(seed: int) -> None:
    chance = Random(seed)
    for _ in range(50):
        bench = Bench()
        bench.dial(invite(body=b"") if chance.random() < 0.2 else None)
        for _ in range(chance.randrange(40)):
            chance.choice(inputs(bench, chance))()
        bench.note(bench.exchange.hang_up_all(bench.now))
        bench.pass_time(1000)
        record = bench.closed.record
        assert bench.of(Faulted) == []
        assert len(bench.of(CallOpened)) <= 1
        assert len(bench.of(RecordingStarted)) <= 1
        assert record.recorded is (record.recording is not None)
        assert record.ended is not None
        assert record.ended >= record.started
        assert record.answered is None or record.sip_status == 0
        legs = {verb[1] for verb in bench.agent.verbs if verb[0] in ("reject", "hang_up")}
        assert legs <= {"caller", "callee-1"}
        for session in legs:
            last = [verb[0] for verb in bench.agent.verbs if verb[1] == session][-1]
            assert last in ("reject", "hang_up"), "a leg is told nothing after its end"
