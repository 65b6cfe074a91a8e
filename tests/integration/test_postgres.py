"""A whole node on PostgreSQL: a call in which it is told to end, the call's events, its recording, and a restart."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from gateway.lab.analysis import seconds_of
from gateway.lab.checks import heard_between
from gateway.lab.phone import Phase
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from tests.integration.test_node import Stand
from tests.postgres import Postgres


async def drains(here: Stand, late: PhoneLine) -> None:
    """SIGTERM in mid-call: a new one gets 503, this one goes on until the callee hangs up; its recording is stored when
    the node has ended, with status 0."""
    process = here.node._process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        while True:
            async with here.http.get(here.node.plan.base_url + "/readyz") as answer:
                if answer.status != 200:
                    break
    here.dial(late)
    await here.until(lambda: late.phone.phase is Phase.OVER)
    assert late.phone.status == 503
    await here.until(lambda: seconds_of(heard_between(here.caller.phone, None, None), 1300) > 1.0)
    here.callee.do(here.callee.phone.hang_up)
    await here.until(lambda: here.caller.phone.phase is here.callee.phone.phase is Phase.OVER)
    assert [trace.sent for trace in here.callee.phone.traces if trace.title == "BYE"] == [True]
    async with asyncio.timeout(60):
        assert await process.wait() == 0, here.node.log_tail()
    assert list((here.folder / "spool").iterdir()) == []
    assert [path.suffix for path in (here.folder / "recordings").iterdir()] == [".wav"]


async def test_a_node_on_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    async with postgres.database(migrated=False) as url:
        here = Stand(tmp_path, Script(tone_hz=700), Script(tone_hz=1300, answer_after=0.3))
        here.settings = {"MASKLINE_DATABASE__URL": url, "MASKLINE_NODE__DRAIN_SECONDS": "60"}
        late = here._line("late", Script())
        here.stack.push_async_callback(late.stop)
        try:
            await late.start()
            await here.up()
            await here.bind()
            here.dial()
            await here.until(lambda: here.caller.phone.phase is Phase.TALKING)
            await drains(here, late)
            await here.node.start(60)
            fee = await here.receiver.wait_for("fee", 60)
            assert fee is not None, here.node.log_tail()
            assert here.kinds() == ["callin", "callout", "alerting", "answer", "disconnect", "fee"]
            download = await here.customer.recording(fee.fields["recordObjectName"], fee.fields["recordDomain"])
            assert download.content[:4] == b"RIFF"
            assert await here.node.stop() == 0
        finally:
            await here.stack.aclose()
    assert not (tmp_path / "maskline.db").exists()
