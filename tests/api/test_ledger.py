"""The ledger over a real delivery: attempts with what was answered, dead letters, replay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from gateway.api.ledger import Ledger, Wanted, masked_text
from gateway.database import writing
from gateway.schema import outbox
from tests.api.test_outbox import NOW, Bench, Server

MADE = datetime.fromtimestamp(NOW, UTC)


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    made = await Bench().up(database_url)
    yield made
    await made.down()


async def given_up(bench: Bench, key: str = "a", session: str = "s1", *kinds: str) -> Server:
    """A customer who answered 500 seven times."""
    server = await bench.customer(key)
    server.answer = 500
    await bench.add(key, session, *(kinds or ("callin",)))
    for minutes in (0, 1, 4, 9, 106, 203, 300):
        bench.now += 60 * minutes
        await bench.delivery.settle()
    return server


async def test_every_attempt_is_there_with_what_was_answered(bench: Bench) -> None:
    await given_up(bench)
    ledger = Ledger(bench.engine)
    (listed,) = await ledger.entries(Wanted(application="a", state="dead"))
    entry = await ledger.entry(listed.id)
    assert entry is not None
    assert (entry.id, entry.kind, entry.state, entry.tries, entry.created_at) == ("s1.0", "callin", "dead", 7, MADE)
    assert [(one.status, one.answer) for one in entry.attempts] == [(500, "thanks")] * 7
    assert entry.attempts[1].at - entry.attempts[0].at == timedelta(minutes=1)
    assert all(one.seconds >= 0 for one in entry.attempts)
    assert await ledger.entry("none") is None


async def test_numbers_are_masked_unless_asked_for(bench: Bench) -> None:
    await given_up(bench)
    ledger = Ledger(bench.engine)
    masked, plain = await ledger.entry("s1.0"), await ledger.entry("s1.0", masked=False)
    assert masked is not None
    assert plain is not None
    assert plain.payload["caller"] == "+8613800000021"
    assert masked.payload["caller"] == "+8613*******21"
    assert "13800000021" not in repr(masked) + repr(await ledger.entries(Wanted()))
    assert masked_text('{"n": "+8613800000021", "x": 12345, "y": 13800000021}') == (
        '{"n": "+8613*******21", "x": 12345, "y": +1380*****21}'
    )


async def test_masking_harms_no_payload(bench: Bench) -> None:
    server = await bench.customer("a")
    await bench.add("a", "1234567890", "fee", talk_seconds=4.00123456789, user_data="call 13800000021")
    await bench.delivery.settle()
    assert len(server.got) == 1
    (entry,) = await Ledger(bench.engine).entries(Wanted())
    assert (entry.payload["session"], entry.payload["talk_seconds"]) == ("1234567890", 4.00123456789)
    assert entry.payload["user_data"] == "call +1380*****21"


async def test_dead_letters_by_application(bench: Bench) -> None:
    await given_up(bench, "a", "s1", "callin")
    good = await bench.customer("b")
    await bench.add("b", "s2", "callin", "fee")
    await bench.delivery.settle()
    assert len(good.got) == 2
    (dead,) = await Ledger(bench.engine).dead()
    assert (dead.application, dead.kinds, dead.oldest) == ("a", {"callin": 1}, MADE)


async def test_a_replay_has_the_whole_plan_and_the_same_id(bench: Bench) -> None:
    server = await given_up(bench, "a", "s1", "callin", "disconnect")
    assert [state for _, state, _ in await bench.states("s1")] == ["dead", "waiting"]
    ledger = Ledger(bench.engine)
    seen = len(server.headers)
    assert await ledger.replay(Wanted(application="a", state="dead"), datetime.fromtimestamp(bench.now, UTC)) == 1
    await bench.delivery.settle()
    assert await bench.states("s1") == [("callin", "waiting", 1), ("disconnect", "waiting", 1)]
    server.answer = 200
    bench.now += 60
    await bench.delivery.settle()
    assert await bench.states("s1") == [("callin", "done", 2), ("disconnect", "done", 2)]
    assert [one["X-Event-Id"] for one in server.headers[seen:]] == ["s1.0", "s1.0", "s1.90"]
    entry = await ledger.entry("s1.0")
    assert entry is not None
    assert len(entry.attempts) == 9, "nothing is forgotten"


async def test_what_was_delivered_can_be_sent_again_by_its_id_and_by_time(bench: Bench) -> None:
    server = await bench.customer("a")
    await bench.add("a", "s1", "callin", "disconnect")
    await bench.delivery.settle()
    ledger, at = Ledger(bench.engine), datetime.fromtimestamp(bench.now, UTC)
    assert await ledger.replay(Wanted(ids=["s1.90", "none"]), at) == 1
    await bench.delivery.settle()
    assert server.kinds() == ["callin", "disconnect", "disconnect"]
    assert await ledger.replay(Wanted(application="a", before=MADE), at) == 0
    assert await ledger.replay(Wanted(application="a", since=MADE), at) == 2
    assert await ledger.replay(Wanted(application="a", since=MADE), at) == 0, "they wait already"
    await bench.delivery.settle()
    assert server.kinds()[3:] == ["callin", "disconnect"]


async def test_a_replay_of_everything_is_a_mistake(bench: Bench) -> None:
    with pytest.raises(ValueError, match="needs an id"):
        await Ledger(bench.engine).replay(Wanted(), MADE)


async def test_a_question_has_no_second_time(bench: Bench) -> None:
    await bench.customer("a")
    async with writing(bench.engine) as connection:
        row = {"id": "s1.0", "application": "a", "session": "s1", "seq": 0, "kind": "question", "payload": "{}",
               "created_at": NOW, "due_at": NOW, "tries": 1, "state": "dead"}  # fmt: skip
        await connection.execute(insert(outbox).values(**row))
    assert await Ledger(bench.engine).replay(Wanted(application="a"), MADE) == 0
