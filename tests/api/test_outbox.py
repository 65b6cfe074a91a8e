"""Delivery: in order for each call, each target by itself, by the plan, never lost. Real HTTP, real SQLite."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import insert, select, update

from gateway.api.breaker import FAILURES, PAUSES
from gateway.api.callbacks import CallbackClient
from gateway.api.outbox import IN_HAND, PARALLEL, Delivery, DeliverySettings
from gateway.bindings.models import Application, Mode
from gateway.bindings.store import BindingStore
from gateway.database import _SELECTOR, open_engine, reading, writing
from gateway.schema import application, attempt, outbox, recording

NOW = 1_800_000_000.0
SEQ = {"callin": 0, "callout": 1, "alerting": 2, "answer": 3, "disconnect": 90, "fee": 91}
AT = "2026-11-23T20:00:00.000000Z"


def payload(kind: str, session: str, application: str) -> dict[str, Any]:
    common = {"version": 1, "kind": kind, "session": session, "application": application, "binding": "b1",
              "user_data": None, "caller": "+8613800000021", "called": "+8617000000001", "at": AT}  # fmt: skip
    if kind == "disconnect":
        return common | {"cause": 0, "cause_text": "The user releases the call."}
    if kind == "fee":
        times = dict.fromkeys(("started", "forwarded", "rang", "answered", "ended", "record_started"), AT)
        return common | times | {
            "trunk": "t", "mode": "AXB", "direction": 1, "x": "+8617000000001", "shown": "+8617000000001",
            "callee": "+8613800000023", "cause": 0, "cause_text": "", "sip_status": 0, "q850": 0, "talk_seconds": 4.0,
            "recorded": True, "recording": "r.wav", "notice": [None, None], "recovered": False,
        }  # fmt: skip
    return common


class Server:
    """A customer's server; ``answer`` is a status, or "hang"."""

    def __init__(self) -> None:
        self.answer: int | str = 200
        self.answers: dict[str, int] = {}
        self.got: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.waiting = asyncio.Event()
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def start(self) -> str:
        application = web.Application()
        application.router.add_post("/{path}", self._receive)
        self.runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def _receive(self, request: web.Request) -> web.Response:
        self.got.append(await request.json())
        self.headers.append(dict(request.headers))
        self.arrived.set()
        await self.gate.wait()
        if self.answer == "hang":
            self.waiting.set()
            await asyncio.Event().wait()
        assert isinstance(self.answer, int)
        status = self.answers.get(request.path, self.answer)
        return web.Response(status=status, headers={"Location": "/elsewhere"}, text="thanks")

    def kinds(self) -> list[str]:
        return [body["eventType"] for body in self.got]


class Bench:
    async def up(self, database_url: str) -> Bench:
        self.now = NOW
        self.engine = open_engine(database_url, synchronous="OFF")
        self.store = BindingStore(self.engine)
        self.client = CallbackClient(2.0)
        self.servers: dict[str, Server] = {}
        self.settings = DeliverySettings(host_name="gw", record_domain="rec", merge_seconds=0.05)
        self.delivery = self.fresh()
        return self

    def fresh(self) -> Delivery:
        return Delivery(self.engine, self.client, self.settings, clock=lambda: self.now)

    async def customer(self, key: str, *, fee: bool = True, **more: Any) -> Server:
        server = self.servers[key] = Server()
        address = await server.start()
        made = Application(key=key, secret="s", mode=Mode.AXB, account="acct", private_callbacks=True,
                           status_url=address + "/status", fee_url=address + "/fee" if fee else "")  # fmt: skip
        await self.store.seed([replace(made, **more)], [])
        return server

    async def add(self, key: str, session: str, *kinds: str, **spoilt: Any) -> None:
        async with writing(self.engine) as connection:
            for kind in kinds:
                text = json.dumps(payload(kind, session, key) | spoilt)
                await connection.execute(
                    insert(outbox).values(
                        id=f"{session}.{SEQ[kind]}", application=key, session=session, seq=SEQ[kind], kind=kind,
                        payload=text, created_at=NOW, due_at=NOW, tries=0, state="waiting",
                    )
                )  # fmt: skip

    async def states(self, session: str) -> list[tuple[str, str, int]]:
        async with reading(self.engine) as connection:
            query = select(outbox).where(outbox.c.session == session).order_by(outbox.c.seq)
            return [(row.kind, row.state, row.tries) for row in (await connection.execute(query)).all()]

    async def down(self) -> None:
        await self.delivery.stop()
        await self.client.close()
        for server in self.servers.values():
            await server.runner.cleanup()
        await self.engine.dispose()


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    made = await Bench().up(database_url)
    yield made
    await made.down()


async def test_a_calls_events_come_in_order_signed_and_once(bench: Bench) -> None:
    server = await bench.customer("app")
    await bench.add("app", "s", "fee", "disconnect", "answer", "alerting", "callout", "callin")
    await bench.delivery.settle()
    assert server.kinds() == ["callin", "callout", "alerting", "answer", "disconnect", "fee"]
    assert all(headers["Authorization"].startswith("WSSE ") for headers in server.headers)
    assert [headers["X-Event-Id"] for headers in server.headers] == [f"s.{seq}" for seq in SEQ.values()]
    assert {state for _, state, _ in await bench.states("s")} == {"done"}


async def test_what_is_written_while_the_table_is_looked_at_is_not_sent_again(bench: Bench) -> None:
    """The look has its rows, of which one is due; then the POST ends and is written down; the look goes on."""
    server = await bench.customer("app")
    server.gate.clear()
    await bench.add("app", "s", "callin")
    looked = asyncio.Event()
    bench.delivery.start()
    await server.arrived.wait()
    driver = bench.engine.get_execution_options()[_SELECTOR]._driver
    fetch = driver.fetch

    async def late(sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        found: Sequence[Sequence[Any]] = await fetch(sql, values)
        if "outbox.payload" in sql and not looked.is_set():
            server.gate.set()
            await asyncio.gather(*bench.delivery._under_way())
            await bench.delivery._notes.flush()
            looked.set()
        return found

    driver.fetch = late
    bench.delivery.wake()
    await looked.wait()
    await bench.delivery.settle()
    assert await bench.states("s") == [("callin", "done", 1)]
    assert server.kinds() == ["callin"]


async def test_a_row_that_comes_before_the_one_ahead_is_written_down_waits_for_no_poll(bench: Bench) -> None:
    server = await bench.customer("app")
    bench.settings = replace(bench.settings, poll_seconds=3600.0)
    bench.delivery = bench.fresh()
    bench.delivery.start()
    async with asyncio.timeout(30):
        for kind in ("callin", "callout", "alerting"):
            server.arrived.clear()
            await bench.add("app", "s", kind)
            bench.delivery.wake()
            await server.arrived.wait()
            await asyncio.gather(*bench.delivery._under_way())
    assert server.kinds() == ["callin", "callout", "alerting"]


@pytest.mark.parametrize("answer", [500, 302, 404])
async def test_a_failure_waits_by_the_plan_and_holds_back_its_own_call_only(bench: Bench, answer: int) -> None:
    server = await bench.customer("app")
    server.answer = answer
    await bench.add("app", "s", "callin", "callout")
    waits = []
    for tries in range(1, 7):
        await bench.delivery.settle()
        assert server.kinds() == ["callin"] * tries
        async with reading(bench.engine) as connection:
            due = (await connection.execute(select(outbox.c.due_at).where(outbox.c.kind == "callin"))).scalar_one()
        waits.append(round((due - bench.now) / 60))
        bench.now = due
    await bench.delivery.settle()
    assert waits == [1, 4, 9, 106, 203, 300]
    assert await bench.states("s") == [("callin", "dead", 7), ("callout", "waiting", 1)]


async def test_dead_targets_delay_nobody_else(bench: Bench) -> None:
    hanging, healthy = await bench.customer("hanging"), await bench.customer("healthy")
    hanging.answer = "hang"
    for number in range(100):
        await bench.add("hanging", f"h{number}", "callin")
    bench.delivery.start()
    async with asyncio.timeout(30):
        await hanging.waiting.wait()
        await bench.add("healthy", "w", "callin", "disconnect", "fee")
        bench.delivery.wake()
        while len(healthy.got) < 3:
            await healthy.arrived.wait()
            healthy.arrived.clear()
    assert healthy.kinds() == ["callin", "disconnect", "fee"]


async def test_cdrs_that_end_together_go_together_fifty_at_most(bench: Bench) -> None:
    server = await bench.customer("app")
    bench.settings = replace(bench.settings, merge_seconds=1.5)
    bench.delivery = bench.fresh()
    for number in range(60):
        await bench.add("app", f"s{number}", "fee")
    await bench.delivery.settle()
    sizes = [len(body["feeLst"]) for body in server.got]
    assert sorted(sizes) == [10, 50]


async def test_a_row_of_which_no_message_can_be_made_harms_itself_only(bench: Bench) -> None:
    server = await bench.customer("app")
    await bench.add("app", "bad", "callin", at="never")
    await bench.add("app", "bad", "callout")
    await bench.add("app", "odd", "fee", cause="what", started=7)
    await bench.add("app", "good", "fee")
    await bench.delivery.settle()
    assert [state for _, state, _ in await bench.states("bad")] == ["dead", "done"]
    assert [state for _, state, _ in await bench.states("odd")] == ["dead"]
    assert [state for _, state, _ in await bench.states("good")] == ["done"]
    assert sorted(server.kinds()) == ["callout", "fee"]


@pytest.mark.parametrize("days", [7, 30])
async def test_the_push_of_a_cdr_starts_the_seven_days_or_the_application_s(bench: Bench, days: int) -> None:
    server = await bench.customer("app")
    if days != 7:
        async with writing(bench.engine) as connection:
            said = json.loads((await connection.execute(select(application.c.settings))).scalar_one())
            settings = json.dumps({**said, "recording_days": days})
            await connection.execute(update(application).values(settings=settings))
    row = {"name": "r.wav", "session": "s", "application": "app", "spool": "", "state": "ready", "created_at": NOW}
    async with writing(bench.engine) as connection:
        await connection.execute(insert(recording).values(**row))
    await bench.add("app", "s", "fee")
    server.answer = 500
    await bench.delivery.settle()
    async with reading(bench.engine) as connection:
        assert (await connection.execute(select(recording.c.erase_at))).scalar_one() is None
    server.answer, bench.now = 200, NOW + 60
    await bench.delivery.settle()
    async with reading(bench.engine) as connection:
        assert (await connection.execute(select(recording.c.erase_at))).scalar_one() == NOW + 60 + days * 86400
        assert (await connection.execute(select(attempt.c.status).order_by(attempt.c.id))).scalars().all() == [500, 200]


async def test_a_restart_goes_on_where_it_was(bench: Bench) -> None:
    server = await bench.customer("app")
    server.answer = "hang"
    await bench.add("app", "s", "callin", "callout")
    bench.delivery.start()
    async with asyncio.timeout(30):
        await server.waiting.wait()
    await bench.delivery.stop()
    server.answer = 200
    bench.delivery = bench.fresh()
    await bench.delivery.settle()
    assert server.kinds() == ["callin", "callin", "callout"]


async def test_no_address_means_nobody_wants_it(bench: Bench) -> None:
    await bench.customer("app", fee=False, status_url="")
    await bench.add("app", "s", "callin", "fee")
    await bench.delivery.settle()
    assert [state for _, state, _ in await bench.states("s")] == ["done", "done"]


async def test_loopback_is_refused_unless_the_operator_allows_it(bench: Bench) -> None:
    server = await bench.customer("app", private_callbacks=False)
    await bench.add("app", "s", "callin")
    await bench.delivery.settle()
    assert server.got == []
    assert (await bench.states("s"))[0] == ("callin", "waiting", 1)


async def test_an_address_that_fails_is_left_alone_and_then_gets_everything_at_once(bench: Bench) -> None:
    server = await bench.customer("app")
    server.answer = 500
    for number in range(3 * PARALLEL):
        await bench.add("app", f"s{number}", "callin", "disconnect", "fee")
    await bench.delivery.settle()
    tried = len(server.got)
    assert FAILURES <= tried < FAILURES + PARALLEL, "those under way when it was given up, and no more"
    await bench.add("app", "late", "callin")
    await bench.delivery.settle()
    assert len(server.got) == tried
    bench.now += PAUSES[0]
    await bench.delivery.settle()
    assert len(server.got) == tried + 1, "one probe"
    server.answer = 200
    bench.now += 60
    await bench.delivery.settle()
    done = [await bench.states(f"s{number}") for number in range(3 * PARALLEL)]
    assert all([state for _, state, _ in call] == ["done"] * 3 for call in done)
    assert await bench.states("late") == [("callin", "done", 1)]
    assert max(tries for call in done for _, _, tries in call) <= 3


async def test_a_dead_address_for_cdrs_holds_no_events_up(bench: Bench) -> None:
    server = await bench.customer("app", fee_url="http://127.0.0.1:1/fee")
    for number in range(3 * FAILURES):
        await bench.add("app", f"s{number}", "fee")
        await bench.delivery.settle()
    tried = [tries for number in range(3 * FAILURES) for _, _, tries in await bench.states(f"s{number}")]
    assert sum(tried) == FAILURES
    await bench.add("app", "new", "callin", "disconnect", "fee")
    await bench.delivery.settle()
    assert server.kinds() == ["callin", "disconnect"]
    assert await bench.states("new") == [("callin", "done", 1), ("disconnect", "done", 1), ("fee", "waiting", 0)]


async def test_what_waits_for_a_dead_address_longer_than_the_plan_is_given_up(bench: Bench) -> None:
    server = await bench.customer("app")
    server.answer = 500
    for number in range(FAILURES):
        await bench.add("app", f"s{number}", "callin")
    await bench.delivery.settle()
    await bench.add("app", "waits", "callin", "disconnect", "fee")
    await bench.delivery.settle()
    assert {tries for _, _, tries in await bench.states("waits")} == {0}
    server.answer = 200
    server.answers = {"/status": 500}
    bench.now += 60 * sum(bench.settings.retry_minutes) + 1
    await bench.delivery.settle()
    bench.now += 1
    await bench.delivery.settle()
    states = await bench.states("waits")
    assert [state for _, state, _ in states] == ["dead", "dead", "done"], "the CDR's address is well"
    async with reading(bench.engine) as connection:
        query = select(attempt.c.error).where(attempt.c.outbox == "waits.0")
        assert (await connection.execute(query)).scalars().all() == ["the address kept failing"]


async def test_calls_that_wait_for_their_second_try_stand_in_nobodys_way(bench: Bench) -> None:
    """More of them than an application may have in hand, all with rows that have been due for longer than the new."""
    server = await bench.customer("app")
    async with writing(bench.engine) as connection:
        for number in range(IN_HAND + 10):
            for seq, kind, due in ((0, "callin", NOW + 60), (2, "callout", NOW - 10)):
                await connection.execute(
                    insert(outbox).values(
                        id=f"b{number}.{seq}", application="app", session=f"b{number}", seq=seq, kind=kind,
                        payload=json.dumps(payload(kind, f"b{number}", "app")), created_at=NOW, due_at=due,
                        tries=1 - seq // 2, state="waiting",
                    )
                )  # fmt: skip
    await bench.add("app", "new", "callin", "disconnect")
    bench.delivery.start()
    async with asyncio.timeout(30):
        while len(server.got) < 2:
            await server.arrived.wait()
            server.arrived.clear()
    assert server.kinds() == ["callin", "disconnect"]
    await bench.delivery.settle()
    async with reading(bench.engine) as connection:
        due = (await connection.execute(select(outbox.c.due_at).where(outbox.c.state == "waiting"))).scalars().all()
    assert set(due) == {NOW + 60}


async def node(bench: Bench, name: str) -> Delivery:
    """Another node on the same database."""
    settings = replace(bench.settings, host_name=name, poll_seconds=0.05)
    return Delivery(bench.engine, bench.client, settings, clock=lambda: bench.now)


async def test_two_nodes_deliver_every_event_once(bench: Bench) -> None:
    for key in ("a", "b", "c"):
        await bench.customer(key)
        for number in range(20):
            await bench.add(key, f"{key}{number}", "callin", "disconnect", "fee")
    nodes = [await node(bench, name) for name in ("n1", "n2")]
    for one in nodes:
        one.start()
    await asyncio.gather(*(one.settle() for one in nodes))
    for one in nodes:
        await one.settle()
    for server in bench.servers.values():
        ids = [headers["X-Event-Id"] for headers, body in zip(server.headers, server.got, strict=True)
               if body["eventType"] != "fee"]  # fmt: skip
        cdrs = [row["icid"] for body in server.got if body["eventType"] == "fee" for row in body["feeLst"]]
        assert len(ids) == len(set(ids)) == 40
        assert len(cdrs) == len(set(cdrs)) == 20
    for one in nodes:
        await one.stop()


async def test_a_dead_node_s_events_are_another_one_s_when_its_lease_has_run_out(bench: Bench) -> None:
    server = await bench.customer("a")
    server.answer = "hang"
    await bench.add("a", "s", "callin")
    dead, alive = await node(bench, "n1"), await node(bench, "n2")
    dead.start()
    await server.waiting.wait()
    # Killed: it gives nothing back.
    for task in (dead._task, *dead._under_way()):
        assert task is not None
        task.cancel()
    server.answer = 200
    for later in (0.0, 30.0, 70.0):
        bench.now = NOW + later
        await alive.settle()
        assert len(server.got) == 1
    bench.now = NOW + 81.0
    await alive.settle()
    assert len(server.got) == 2
    assert {headers["X-Event-Id"] for headers in server.headers} == {"s.0"}
    await alive.stop()


async def test_a_node_that_stops_gives_its_customers_to_the_others_at_once(bench: Bench) -> None:
    server = await bench.customer("a")
    first, second = await node(bench, "n1"), await node(bench, "n2")
    await bench.add("a", "s1", "callin")
    await first.settle()
    await bench.add("a", "s2", "callin")
    await second.settle()
    assert len(server.got) == 1
    await first.stop()
    await second.settle()
    assert len(server.got) == 2
    await second.stop()


async def test_a_node_whose_lease_is_about_to_end_sends_nothing(bench: Bench) -> None:
    server = await bench.customer("a")
    await bench.add("a", "s", "callin", "disconnect")
    held = await node(bench, "n1")
    server.gate.clear()
    held.start()
    await server.arrived.wait()
    # It stood still for a minute between two messages: another node may be at it by now.
    bench.now = NOW + 61.0
    server.gate.set()
    await asyncio.gather(*held._under_way())
    assert len(server.got) == 1
    await held.settle()
    assert len(server.got) == 2
    await held.stop()
