"""In virtual time what ships passes, a seed repeats to the byte, and a customer gets the requests of production."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from gateway.api import outbox
from gateway.api.callbacks import CallbackClient
from gateway.api.outbox import Delivery, DeliverySettings
from gateway.assembly import record_domain, seed_of
from gateway.bindings.store import BindingStore
from gateway.calls.journal import Journal
from gateway.causes import Cause
from gateway.config.tree import Config
from gateway.database import open_engine
from gateway.scenarios import virtual
from gateway.scenarios.desk import Tables
from gateway.scenarios.played import Played
from gateway.scenarios.reporting import plain
from gateway.scenarios.running import EXAMPLES
from gateway.scenarios.scenario import load_scenario, read_scenario
from gateway.scenarios.virtual import VirtualNode, places, play_virtual

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
BIND = {"api": "AXB", "body": {"callerNum": "A", "calleeNum": "B", "relationNum": "X"}}
CALL: dict[str, Any] = {"from": "A", "to": "X", "callee": {"hang_up_after": 1.0}}


class Customer:
    """A server that keeps raw requests; ``statuses`` are what it answers, then 200; ``says``: to questions."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[tuple[bytes, bytes]], bytes]] = []
        self.statuses: list[int] = []
        self.says: dict[str, Any] = {}

    async def start(self) -> str:
        application = web.Application()
        application.router.add_post("/{path:.*}", self._receive)
        self.runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}/events"

    async def _receive(self, request: web.Request) -> web.Response:
        self.got.append((request.path, list(request.raw_headers), await request.read()))
        status = self.statuses.pop(0) if self.statuses else 200
        return web.json_response(self.says, status=status)


@pytest.fixture
async def customer() -> AsyncIterator[Customer]:
    server = Customer()
    server.url = await server.start()  # type: ignore[attr-defined]
    yield server
    await server.runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[CallbackClient]:
    made = CallbackClient(5.0)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables(tmp_path_factory.mktemp("lab"))


async def play(tree: dict[str, Any], tables: Tables, **more: Any) -> Played:
    return await play_virtual(read_scenario({"request": [BIND], "call": [CALL]} | tree), tables, **more)


@pytest.mark.parametrize("name", sorted(file.stem for file in EXAMPLES.glob("*.toml")))
async def test_what_ships_passes(name: str, tables: Tables) -> None:
    played = await play_virtual(load_scenario(EXAMPLES / f"{name}.toml"), tables)
    assert played.failures == []
    assert len(played.checks) >= 4


async def test_a_seed_repeats_to_the_byte(tables: Tables) -> None:
    ways = {"caller": {"loss": 0.1, "jitter": 0.03}, "callee": {"loss": 0.2, "duplicate": 0.1}}
    one, other, third = [await play({"network": ways}, tables, seed=seed) for seed in (3, 3, 4)]
    assert one.pushes == other.pushes
    assert plain(one) == plain(other)
    for call, same in zip(one.calls, other.calls, strict=True):
        assert call.caller.traces == same.caller.traces
        assert call.caller.arrivals == same.caller.arrivals
    assert one.pushes != third.pushes


async def test_what_a_customer_gets_is_what_production_sends(
    tables: Tables, customer: Any, client: CallbackClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call told by the lab, and by journal, outbox and delivery: path, all headers and body are the same."""
    monkeypatch.setattr(outbox.secrets, "token_hex", lambda size: "00" * size)
    monkeypatch.setattr(virtual, "_now", lambda: NOW)
    scenario = load_scenario(EXAMPLES / "answered.toml")
    folder = tables.new_folder()
    await tables.copy(folder / "maskline.db")
    await tables.copy(folder / "node.db")
    config = Config.model_validate(scenario.tree(places(folder, customer.url)))
    node = VirtualNode(scenario, config, 1, client)
    await node.play()
    by_lab = customer.got[:]
    customer.got.clear()

    engine = open_engine(f"sqlite+aiosqlite:///{folder / 'node.db'}", synchronous="OFF")
    store = BindingStore(engine)
    await store.seed(*seed_of(config))
    journal = Journal(engine, "lab", node.wall)
    await journal.start()
    for output in node.outputs:
        journal.put(output)
    await journal.stop()
    settings = DeliverySettings(host_name="lab", record_domain=record_domain(config), merge_seconds=0)
    # Journal's rows are due when they were written, which is now.
    delivery = Delivery(engine, client, settings, clock=lambda: max(NOW.timestamp(), 4e9))
    monkeypatch.setattr(outbox, "datetime", _At)
    await delivery.settle()
    await delivery.stop()
    await engine.dispose()
    assert len(by_lab) == 6
    assert customer.got == by_lab


class _At:
    """datetime whose ``fromtimestamp`` is NOW: the signature's time."""

    fromtimestamp = staticmethod(lambda at, zone: NOW)


async def test_the_customers_answer_decides(tables: Tables, customer: Any, client: CallbackClient) -> None:
    customer.says = {"operation": "connect", "connectInfo": {"calleeNum": "+8613800000025"}}
    tree = {"mode": "X", "request": [], "call": [CALL | {"expect": {"reached": "C"}}]}
    played = await play(tree, tables, webhook=customer.url, client=client)
    assert played.failures == []
    assert [b'"notifyMode":"Block"' in body for _, _, body in customer.got[:2]] == [True, False]


async def test_what_fails_is_sent_again_as_the_plan_says(tables: Tables, customer: Any, client: CallbackClient) -> None:
    customer.statuses = [500, 200, 503]
    played = await play({}, tables, webhook=customer.url, client=client)
    assert played.passed
    assert [push.status for push in played.pushes[:4]] == [500, 200, 503, 200]
    ids = [dict(headers)[b"X-Event-Id"] for _, headers, _ in customer.got[:4]]
    assert (ids[0], ids[2]) == (ids[1], ids[3])
    assert played.pushes[1].at - played.pushes[0].at == pytest.approx(60)
    assert played.calls[0].kinds == ["callin", "callout", "alerting", "answer", "disconnect", "fee"]


async def test_a_server_that_takes_nothing_fails_the_scenario(tables: Tables, client: CallbackClient) -> None:
    tree = {"config": {"events": {"retry_minutes": [1]}}}
    played = await play(tree, tables, webhook="http://127.0.0.1:9/", client=client)
    (failure,) = played.failures
    assert re.match(r"the webhook took everything: 12 requests, 12 of them failed \(callin: no connection\)", failure)


async def test_what_is_not_as_expected_is_said(tables: Tables) -> None:
    expect = {"events": ["callin", "disconnect"], "cause": 8101, "reached": "C", "talk_seconds": {"min": 5},
              "caller_hears": [2000], "callee_digits": "1", "status": 486,
              "fields": {"fee": {"direction": {"one_of": [0]}, "none": 1}}}  # fmt: skip
    request = BIND | {"result": "1010002"}
    played = await play({"request": [request], "call": [CALL | {"expect": expect}]}, tables)
    said = dict(line.split(": ", 1) for line in played.failures)
    assert said["request 1 (AXB)"] == "0 Success, expected 1010002"
    assert said["events"] == "callin callout alerting answer disconnect fee"
    assert said["cause"] == "0, expected 8101"
    assert said["fee.none"] == "nothing, expected 1"
    assert said["fee.direction"] == "1, expected one of 0"
    assert set(said) == {"request 1 (AXB)", "events", "cause", "SIP status", "reached", "talk seconds",
                         "caller hears 2000 Hz", "callee gets digits", "fee.direction", "fee.none"}  # fmt: skip


async def test_a_number_that_is_shown_fails_unless_it_may_be(tables: Tables) -> None:
    tree: dict[str, Any] = {
        "mode": "AX",
        "request": [{"api": "AX", "body": {"origNum": "A", "privateNum": "X", "calleeNumDisplay": 1}}],
        "call": [CALL | {"from": "B"}],
    }
    played = await play(tree, tables)
    assert [line.partition(":")[0] for line in played.failures] == ["numbers are masked"]
    tree["call"][0]["expect"] = {"masked": False}
    assert (await play(tree, tables)).passed


async def test_calls_at_once_keep_their_events_apart(tables: Tables) -> None:
    binds = [BIND, {"api": "AXB", "body": {"callerNum": "C", "calleeNum": "D", "relationNum": "Y"}}]
    tree = {"numbers": {"D": "+8613800000027"}, "request": binds, "call": [
        CALL | {"expect": {"reached": "B", "cause": 0}},
        {"from": "C", "to": "Y", "at": 0.1, "callee": {"refuses": 486}, "expect": {"reached": "D", "cause": 8102}},
        {"from": "withheld", "to": "X", "expect": {"cause": 8014, "reached": ""}},
    ]}  # fmt: skip
    played = await play(tree, tables)
    assert played.failures == []
    assert len({call.session for call in played.calls}) == 3


async def test_the_files_start_is_the_calls_time(tables: Tables) -> None:
    night = {"start": datetime(2026, 11, 23, 20, 0, tzinfo=UTC), "application": {"hours": "08:00-22:00"}}
    played = await play(night | {"call": [CALL | {"expect": {"reached": ""}}]}, tables)
    assert played.calls[0].cdr["callInTime"] == "2026-11-23 20:00:00"
    assert played.calls[0].cdr["ulFailReason"] == Cause.OUTSIDE_HOURS
    assert played.passed


async def test_any_tone_can_be_said_and_heard(tables: Tables) -> None:
    call = CALL | {"caller": {"says": 1500}, "expect": {"callee_hears": [1500]}}
    assert (await play({"call": [call]}, tables)).passed
