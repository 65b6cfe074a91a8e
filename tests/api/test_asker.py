"""The question to a customer's server over real sockets: every way in which there is no answer, and the ledger."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import select

from gateway.api.asker import Asker
from gateway.api.callbacks import CallbackClient
from gateway.bindings.models import Application, Mode, Number
from gateway.bindings.store import BindingStore
from gateway.database import open_engine, reading
from gateway.numbers import PhoneNumber
from gateway.questions import Question
from gateway.schema import attempt, outbox

A, B, X, X2, FOREIGN = (f"+86{digits}" for digits in (
    "13800000021", "13800000023", "17000000001", "17000000002", "17000000003"))  # fmt: skip
QUESTION = Question(3, "app", "s1", A, X, 1700000000.0)


class Customer:
    """A server that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Any = {}
        self.seen: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.held = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((dict(request.headers), await request.json()))
        if callable(self.answer):
            return await self.answer(request)  # type: ignore[no-any-return]
        return web.json_response(self.answer)


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[tuple[Asker, Customer, BindingStore]]:
    engine = open_engine(database_url, synchronous="OFF")
    store, customer, client = BindingStore(engine), Customer(), CallbackClient(10)
    server = web.Application()
    server.router.add_post("/{tail:.*}", customer.handle)
    runner = web.AppRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    app = Application(key="app", secret="s", mode=Mode.X, status_url=base + "/status", private_callbacks=True)
    other = Application(key="other", secret="s", mode=Mode.X, status_url=base + "/x")
    numbers = [Number(x=PhoneNumber(x), application="app") for x in (X, X2)]
    await store.seed([app, other], [*numbers, Number(x=PhoneNumber(FOREIGN), application="other")])
    yield Asker(engine, store, client, lambda *names: True, seconds=0.3, clock=time.time), customer, store
    customer.held.set()
    await client.close()
    await runner.cleanup()
    await engine.dispose()


Stage = tuple[Asker, Customer, BindingStore]


def connect(**info: Any) -> dict[str, Any]:
    return {"operation": "connect", "connectInfo": {"calleeNum": B, **info}}


async def test_a_good_answer_and_its_row(stage: Stage) -> None:
    asker, customer, store = stage
    customer.answer = connect(displayCalleeNum=X2)
    verdict, note = await asker.ask(QUESTION)
    assert (verdict.id, verdict.callee, verdict.shown) == (3, B, X2)
    ((headers, body),) = customer.seen
    assert body["eventType"] == "callin"
    assert headers["X-Event-Id"] == "s1.0"
    assert "X-WSSE" in headers
    await asker.write_down(QUESTION, note)
    async with reading(store._engine) as connection:
        row = (await connection.execute(select(outbox))).one()
        tried = (await connection.execute(select(attempt))).one()
    assert (row.id, row.kind, row.state, row.tries) == ("s1.0", "question", "done", 1)
    assert json.loads(row.payload)["caller"] == A
    assert tried.status == 200


async def test_a_number_of_somebody_else_is_not_shown(stage: Stage) -> None:
    asker, customer, _ = stage
    for shown in (FOREIGN, "+8613900000000"):
        customer.answer = connect(displayCalleeNum=shown)
        verdict, _ = await asker.ask(QUESTION)
        assert (verdict.callee, verdict.cause) == ("", 8014)


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def trickle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


async def failing(request: web.Request) -> web.StreamResponse:
    return web.json_response(connect(), status=500)


async def elsewhere(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/other")


@pytest.mark.parametrize("answer", [never, trickle, failing, elsewhere])
async def test_no_answer_that_counts(stage: Stage, answer: Any) -> None:
    asker, customer, store = stage
    customer.answer = answer
    verdict, note = await asker.ask(QUESTION)
    assert (verdict.callee, verdict.cause) == ("", 8014)
    assert len(customer.seen) == 1, "it is not asked again"
    await asker.write_down(QUESTION, note)
    async with reading(store._engine) as connection:
        assert (await connection.execute(select(outbox.c.state))).scalar_one() == "dead"


async def test_an_address_that_is_not_allowed_and_an_application_that_is_not_there(stage: Stage) -> None:
    asker, customer, _ = stage
    for application in ("other", "none"):
        question = Question(3, application, "s1", A, X, 0.0)
        assert (await asker.ask(question))[0].cause == 8014
    assert customer.seen == []
