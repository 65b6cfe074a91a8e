"""A whole node on PostgreSQL: a call, its events, its recording, and a restart."""

from __future__ import annotations

from pathlib import Path

from gateway.lab.phone import Phase
from gateway.lab.script import Script
from tests.integration.test_node import Stand
from tests.postgres import Postgres


async def test_a_node_on_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    async with postgres.database(migrated=False) as url:
        here = Stand(tmp_path, Script(tone_hz=700), Script(tone_hz=1300, answer_after=0.3, hang_up_after=3.3))
        here.plan_changes = {"overrides": {"MASKLINE_DATABASE__URL": url}}
        try:
            await here.up()
            await here.bind()
            here.dial()
            await here.until(lambda: here.caller.phone.phase is Phase.OVER)
            fee = await here.receiver.wait_for("fee", 10)
            assert fee is not None, here.node.log_tail()
            assert here.kinds() == ["callin", "callout", "alerting", "answer", "disconnect", "fee"]
            download = await here.customer.recording(fee.fields["recordObjectName"], fee.fields["recordDomain"])
            assert download.content[:4] == b"RIFF"
            assert await here.node.stop() == 0
            await here.node.start(30)
        finally:
            await here.stack.aclose()
    assert not (tmp_path / "maskline.db").exists()
