"""Short messages and several trunks in scenarios."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config.reading import ConfigError
from gateway.scenarios.desk import Tables
from gateway.scenarios.played import Played
from gateway.scenarios.real import RealNode
from gateway.scenarios.running import EXAMPLES
from gateway.scenarios.scenario import read_scenario
from gateway.scenarios.virtual import play_virtual

BIND = {"api": "AXB", "body": {"callerNum": "A", "calleeNum": "B", "relationNum": "X"}}
TEXT: dict[str, Any] = {"from": "A", "to": "X", "text": "At the door."}
CALL: dict[str, Any] = {"from": "A", "to": "X", "callee": {"hang_up_after": 1.0}}
TWO = [{"name": "carrier"}, {"name": "other"}]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables(tmp_path_factory.mktemp("texting"))


async def play(tree: dict[str, Any], tables: Tables, seed: int | None = None) -> Played:
    return await play_virtual(read_scenario({"request": [BIND]} | tree), tables, seed=seed)


async def test_a_carrier_that_refuses(tables: Tables) -> None:
    expect = {"status": 202, "result": 10, "reached": ""}
    played = await play({"message": [TEXT | {"refuses": 486, "expect": expect}]}, tables)
    assert played.failures == []


async def test_the_customer_says_who_gets_it(tables: Tables) -> None:
    """X mode: asked first, told afterwards."""
    answer = {"actions": [{"operation": "vNumberRoute", "message": {"called": "C", "calling": "A"}}]}
    expect = {"reached": "C", "result": 0, "text": "At the door.", "fields": {"called": "C"}}
    played = await play(
        {"mode": "X", "request": [], "answer": [answer], "message": [TEXT | {"expect": expect}]}, tables
    )
    assert played.failures == []
    (message,) = played.messages
    assert [(event.kind, event.asked) for event in message.events] == [("sms", True), ("sms", False)]
    assert message.events[0].fields["smsContent"] == "At the door."


async def test_what_comes_out_otherwise_is_said(tables: Tables) -> None:
    expect = {"reached": "C", "text": "else", "result": 3, "status": 200, "by": "carrier", "fields": {"called": "A"}}
    played = await play({"message": [TEXT | {"expect": expect}]}, tables)
    assert [line.partition(":")[2].strip() for line in played.failures] == [
        "SIP status: 202, expected 200", "reached: C: +8613800000023", "text: 'At the door.', expected 'else'",
        "sendResult: 0, expected 3", "sms.called: '+8613800000023', expected '+8613800000021'",
    ]  # fmt: skip


async def test_a_lost_message_is_sent_again_and_a_seed_repeats(tables: Tables) -> None:
    way = {"loss": 0.4}
    tree = {"network": {"caller": way, "callee": way}, "message": [TEXT | {"expect": {"reached": "B", "result": 0}}]}
    one, other = [await play(tree, tables, seed=3) for _ in range(2)]
    assert one.failures == []
    assert (one.messages[0].arrivals, one.pushes) == (other.messages[0].arrivals, other.pushes)


@pytest.mark.parametrize("first", [{"silent": True}, {"refuses": 503}])
async def test_the_second_trunk_is_tried_when_the_first_fails(tables: Tables, first: dict[str, Any]) -> None:
    routes = [{"trunks": ["dead", "alive"]}]
    tree = {"trunk": [{"name": "dead", **first}, {"name": "alive"}], "config": {"route": routes},
            "call": [CALL | {"expect": {"reached": "B", "by": "alive", "cause": 0}}],
            "message": [TEXT | {"at": 90, "expect": {"reached": "B", "by": "alive"}}]}  # fmt: skip
    assert (await play(tree, tables)).failures == []


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        ({"trunk": TWO, "call": [CALL | {"by": "third"}]}, "call[0].by: 'third' is no trunk here (carrier, other)"),
        ({"message": [TEXT | {"expect": {"by": "none"}}]}, "message[0].expect.by: 'none' is no trunk here (carrier)"),
        ({"message": [TEXT | {"to": "Q"}]}, "message[0].to: 'Q' is neither"),
        ({"message": [TEXT | {"text": ""}]}, "message[0].text"),
        ({"trunk": [{"name": "t", "keys": {"wrong": 1}}], "call": [CALL]}, "trunk[0].keys.wrong"),
        ({"trunk": TWO, "config": {"route": [{"trunks": ["third"]}]}, "call": [CALL]}, "route"),
        ({}, "call: there must be one at least, or a message"),
    ],
)
def test_faults(tree: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_scenario(tree)
    assert fault in "\n".join(f"{where}: {text}" for where, text in caught.value.faults)


def test_a_real_node_says_that_it_plays_neither() -> None:
    for tree in ({"trunk": TWO, "call": [CALL]}, {"message": [TEXT]}):
        with pytest.raises(ConfigError) as caught:
            RealNode(read_scenario(tree))
        assert "virtual time only" in caught.value.faults[0][1]
    done = CliRunner().invoke(app, ["lab", "run", "--real", str(EXAMPLES / "sms.toml")])
    assert (done.exit_code, "virtual time only" in done.output) == (2, True)
