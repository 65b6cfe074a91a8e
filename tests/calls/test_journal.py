"""The journal on real databases: what is written, what a broken database costs, what a crash leaves."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.calls.events import Alerting, Answered, CallIn, CallOut, Disconnected, Event
from gateway.calls.journal import REST, Journal
from gateway.calls.journal_rows import Rows
from gateway.calls.outputs import CallAnswered, CallClosed, CallOpened, Publish, RecordingStarted, TextClosed
from gateway.calls.record import CallRecord
from gateway.causes import Cause
from gateway.database import Part, open_engine, reading, writing
from gateway.numbers import PhoneNumber
from gateway.schema import cdr, open_call, outbox, recording, sms_record

A, B, X = PhoneNumber("+8613800000021"), PhoneNumber("+8613800000023"), PhoneNumber("+8617000000001")
START = 1_700_000_000.0
NOWHERE = insert(Table("nowhere", MetaData(), Column("number", Integer)))


def wall(at: float) -> datetime:
    return datetime.fromtimestamp(START + at, UTC)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database_url, synchronous="OFF")
    yield engine
    await engine.dispose()


def call(session: str, spool: Path, *, application: str = "app") -> list[object]:
    """Everything that an answered and recorded call of 19 seconds hands out."""
    record = CallRecord(
        session=session, trunk="t", application=application, mode="AXB", binding="b", user_data="u", direction=1, x=X,
        caller=A, shown=X, callee=B, started=0.0,
    )  # fmt: skip
    name = f"{session}.wav"

    def event(kind: type[Event], at: float, **more: Any) -> Publish:
        first = kind is CallIn
        numbers = {"caller": A if first else X, "called": X if first else B}
        return Publish(session, kind(session=session, application=application, at=at, **numbers, **more))

    out = replace(record, forwarded=0.1)
    heard = replace(out, rang=0.5, recording=name, recorded=True, record_started=1.0)
    talking = replace(heard, answered=1.0)
    over = replace(talking, ended=20.0, cause=Cause.NORMAL, notice=((1.0, 3.0), None))
    return [
        CallOpened(session, record),
        event(CallIn, 0.0),
        event(CallOut, 0.1),
        event(Alerting, 0.5),
        RecordingStarted(session, name, str(spool), heard),
        event(Answered, 1.0),
        CallAnswered(session, talking),
        event(Disconnected, 20.0, cause=Cause.NORMAL),
        CallClosed(session, over),
    ]


async def write(engine: AsyncEngine, outputs: Sequence[object]) -> None:
    journal = Journal(engine, "n1", wall)
    await journal.start()
    for output in outputs:
        journal.put(output)
    await journal.stop()


async def rows(engine: AsyncEngine, table: Any, *order: Any) -> list[Any]:
    async with reading(engine) as connection:
        return list((await connection.execute(select(table).order_by(*order))).all())


async def test_a_call_in_rows(engine: AsyncEngine, tmp_path: Path) -> None:
    told: list[bool] = []
    journal = Journal(engine, "n1", wall, told.append)
    await journal.start()
    for output in [*call("s", tmp_path / "s.spool"), "something else"]:
        journal.put(output)
    await journal.flush()
    assert journal.backlog == 0
    await journal.stop()
    events = await rows(engine, outbox, outbox.c.seq)
    assert [row.kind for row in events] == ["callin", "callout", "alerting", "answer", "disconnect", "fee"]
    assert {(row.application, row.session, row.state, row.tries) for row in events} == {("app", "s", "waiting", 0)}
    assert json.loads(events[-1].payload)["talk_seconds"] == 19.0
    (record,) = await rows(engine, cdr)
    assert (record.session, record.application, record.caller, record.callee) == ("s", "app", A.e164, B.e164)
    assert (record.answered, record.seconds, record.cause, record.recorded) == (True, 19.0, 0, True)
    assert (record.started_at, record.ended_at, record.payload) == (START, START + 20, events[-1].payload)
    (kept,) = await rows(engine, recording)
    assert (kept.name, kept.state, kept.spool) == ("s.wav", "pending", str(tmp_path / "s.spool"))
    assert (kept.answered_at, kept.ended_at) == (START + 1, START + 20)
    assert json.loads(kept.notice) == [[START + 1, START + 3], None]
    assert await rows(engine, open_call) == []
    assert told == [True]


async def test_a_recording_not_to_be_kept_is_empty(engine: AsyncEngine, tmp_path: Path) -> None:
    outputs = call("s", tmp_path / "s.spool")
    closed = outputs[-1]
    assert isinstance(closed, CallClosed)
    await write(engine, [*outputs[:-1], CallClosed("s", replace(closed.record, recorded=False, recording=None))])
    assert [row.state for row in await rows(engine, recording)] == ["empty"]


async def test_nobodys_call_tells_nobody(engine: AsyncEngine, tmp_path: Path) -> None:
    await write(engine, call("s", tmp_path / "s.spool", application=""))
    assert await rows(engine, outbox) == []
    assert await rows(engine, open_call) == []
    assert [row.application for row in await rows(engine, cdr)] == [""]


async def test_a_broken_database_is_tried_again_until_it_works(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.calls.journal.RETRY_SECONDS", (0.0,))
    failures = iter(range(5))
    good = Rows.parts

    def flaky(self: Rows) -> list[Part]:
        """The last statement fails, so that nothing of the transaction stands."""
        return good(self) + [(NOWHERE, [{"number": 1}]) for _ in itertools.islice(failures, 1)]

    monkeypatch.setattr(Rows, "parts", flaky)
    await write(engine, call("s", tmp_path / "s.spool"))
    assert len(await rows(engine, outbox)) == 6
    assert next(failures, None) is None


async def test_the_notice_of_a_short_message(engine: AsyncEngine) -> None:
    payload = {"kind": "sms", "session": "m1", "application": "app", "sender": A.e164, "text": "secret",
               "receiver": None, "x": "+8617000000001", "at": "2026-11-24T10:00:00.000000Z", "direction": 1, "parts": 2,
               "result": 8, "binding": None}  # fmt: skip
    closed = TextClosed(payload)
    assert "secret" not in repr(closed)
    assert A.e164 not in repr(closed)
    await write(engine, [closed])
    (row,) = await rows(engine, outbox)
    assert (row.id, row.application, row.kind, row.state) == ("m1.0", "app", "sms", "waiting")
    assert json.loads(row.payload) == payload
    (record,) = await rows(engine, sms_record)
    assert (record.id, record.sender, record.receiver, record.parts, record.result) == ("m1", A.e164, None, 2, 8)
    assert record.at == 1795514400.0
    assert "secret" not in str(record)


async def test_what_is_there_already_holds_nothing_up(engine: AsyncEngine, tmp_path: Path) -> None:
    one, two = call("s1", tmp_path / "1.spool"), call("s2", tmp_path / "2.spool")
    await write(engine, one[:3])
    await write(engine, [*one[1:], *two])
    assert Counter(row.session for row in await rows(engine, outbox)) == {"s1": 6, "s2": 6}
    assert await rows(engine, open_call) == []


async def test_a_senseless_entry_holds_nothing_up(engine: AsyncEngine, tmp_path: Path) -> None:
    one, two = call("s1", tmp_path / "1.spool"), call("s2", tmp_path / "2.spool")
    closed = one[-1]
    assert isinstance(closed, CallClosed)
    await write(engine, [*one[:-1], CallClosed("s1", replace(closed.record, cause=None)), *two])
    assert Counter(row.session for row in await rows(engine, outbox)) == {"s1": 4, "s2": 6}
    assert await Journal(engine, "n1", wall).recover() == 1
    assert Counter(row.session for row in await rows(engine, outbox)) == {"s1": 6, "s2": 6}


async def test_only_the_end_of_a_recorded_call_is_told_of_as_a_recording(engine: AsyncEngine, tmp_path: Path) -> None:
    told: list[bool] = []
    journal = Journal(engine, "n1", wall, told.append)
    await journal.start()
    outputs = call("s", tmp_path / "s.spool")
    for part in (outputs[:-2], outputs[-2:]):
        for output in part:
            journal.put(output)
        await journal.flush()
    await journal.stop()
    assert told == [False, True]


async def test_a_deaf_neighbour_stops_nothing(engine: AsyncEngine, tmp_path: Path) -> None:
    def deaf(recordings: bool) -> None:
        raise OSError

    journal = Journal(engine, "n1", wall, deaf)
    await journal.start()
    for output in call("s", tmp_path / "s.spool"):
        journal.put(output)
        await journal.flush()
    await journal.stop()
    assert len(await rows(engine, outbox)) == 6


@pytest.mark.parametrize("seed", range(20))
async def test_after_a_kill_every_call_has_one_end(engine: AsyncEngine, tmp_path: Path, seed: int) -> None:
    """The calls' outputs interleaved at random, cut anywhere; the database holds what was committed until then."""
    chance = random.Random(seed)
    calls = {f"s{number}": call(f"s{number}", tmp_path / f"{number}.spool") for number in range(6)}
    waiting = {session: list(outputs) for session, outputs in calls.items()}
    sequence: list[object] = []
    while waiting:
        session = chance.choice(sorted(waiting))
        outputs = waiting[session]
        count = 2 if len(outputs) == 2 else 1
        sequence += outputs[:count]
        del outputs[:count]
        if not outputs:
            del waiting[session]
    cut = chance.randrange(1, len(sequence))
    killed = Journal(engine, "n1", wall)
    killed._queue.extend(sequence[:cut])  # type: ignore[arg-type]
    while killed.backlog:
        batch = killed._take()
        await killed._commit(batch)
        killed._done(batch)
    opened = {output.call for output in sequence[:cut] if isinstance(output, CallOpened)}

    assert await Journal(engine, "another", wall).recover() == 0
    recovered = await Journal(engine, "n1", wall).recover()
    assert await Journal(engine, "n1", wall).recover() == 0

    events = await rows(engine, outbox, outbox.c.session, outbox.c.seq)
    ends = Counter((row.session, row.kind) for row in events if row.kind in ("disconnect", "fee"))
    assert ends == {(session, kind): 1 for session in opened for kind in ("disconnect", "fee")}
    fees = [json.loads(row.payload) for row in events if row.kind == "fee"]
    assert sum(fee["recovered"] for fee in fees) == recovered
    for session in opened:
        assert [row.kind for row in events if row.session == session][-2:] == ["disconnect", "fee"]
    assert await rows(engine, open_call) == []
    promised = {fee["recording"] for fee in fees if fee["recorded"]}
    states = {row.name: row.state for row in await rows(engine, recording)}
    assert {name for name, state in states.items() if state == "pending"} == promised
    assert set(states.values()) <= {"pending", "empty"}


async def test_a_crash_ends_a_call_when_it_was_last_known_to_be_up(engine: AsyncEngine, tmp_path: Path) -> None:
    await write(engine, call("s", tmp_path / "s.spool")[:-2])
    async with writing(engine) as connection:
        await connection.execute(update(open_call).values(known_at=START + 11))
    assert await Journal(engine, "n1", wall).recover() == 1
    disconnect, fee = (json.loads(row.payload) for row in (await rows(engine, outbox, outbox.c.seq))[-2:])
    assert (disconnect["caller"], disconnect["called"], disconnect["cause"]) == (X.e164, B.e164, 0)
    assert (fee["talk_seconds"], fee["recorded"], fee["recovered"]) == (10.0, True, True)
    assert fee["ended"] == disconnect["at"] == "2023-11-14T22:13:31.000000Z"
    (kept,) = await rows(engine, recording)
    assert (kept.state, kept.answered_at, kept.ended_at) == ("pending", START + 1, START + 11)


async def test_standing_calls_are_noted_as_up(engine: AsyncEngine, tmp_path: Path) -> None:
    await write(engine, call("s", tmp_path / "s.spool")[:-2])
    async with writing(engine) as connection:
        await connection.execute(update(open_call).values(known_at=0.0))
    await Journal(engine, "another", wall).pulse()
    assert [row.known_at for row in await rows(engine, open_call)] == [0.0]
    await Journal(engine, "n1", wall).pulse()
    assert [row.known_at > START for row in await rows(engine, open_call)] == [True]


async def test_a_busy_node_writes_no_more_transactions_than_one_a_rest(engine: AsyncEngine, tmp_path: Path) -> None:
    told: list[bool] = []
    journal, loop = Journal(engine, "here", wall, told.append), asyncio.get_running_loop()
    await journal.start()
    began = loop.time()
    for number in range(10):
        journal.put(call(f"s{number}", tmp_path / f"{number}.spool")[0])
        await journal.flush()
    assert len(told) == 10
    assert len(told) <= 1 + (loop.time() - began) / REST
    await journal.stop()
