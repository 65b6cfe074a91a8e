"""What waits, on both databases; and a database that is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import insert

from gateway.database import open_engine, writing
from gateway.metrics.backlog import Backlog
from gateway.schema import outbox, recording


def event(id: str, state: str, due: float) -> dict[str, Any]:
    return {"id": id, "application": "a", "session": id, "seq": 0, "kind": "fee", "payload": "{}", "created_at": 0.0,
            "due_at": due, "tries": 0, "state": state}  # fmt: skip


async def test_waiting_dead_and_recordings(database_url: str) -> None:
    engine = open_engine(database_url)
    async with writing(engine) as connection:
        rows = [event("1", "waiting", 970.0), event("2", "waiting", 990.0), event("3", "dead", 1.0)]
        await connection.execute(insert(outbox), [*rows, event("4", "done", 1.0)])
        lost = {"name": "r", "session": "s", "application": "a", "spool": "/s", "state": "failed", "created_at": 0.0}
        await connection.execute(insert(recording), [lost])
    rows_found = await Backlog(engine, lambda: 1000.0).rows()
    assert {" ".join((name, *labels)): numbers[0] for name, labels, numbers in rows_found} == {
        "maskline_database_up": 1,
        "maskline_outbox_rows waiting": 2,
        "maskline_outbox_overdue_seconds": 30,
        "maskline_outbox_rows dead": 1,
        "maskline_recordings spooling": 0,
        "maskline_recordings pending": 0,
        "maskline_recordings rendered": 0,
        "maskline_recordings failed": 1,
    }
    await engine.dispose()


async def test_a_database_that_is_gone(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    assert await Backlog(engine).rows() == [("maskline_database_up", [], [0.0])]
    await engine.dispose()
