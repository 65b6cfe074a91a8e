"""Every fault of a file at once, each with its key's path; and what a file means to the node."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.config.reading import ConfigError
from gateway.scenarios.form import (
    CalleeParty,
    CallerParty,
    CallForm,
    Expectation,
    Form,
    MessageExpectation,
    MessageForm,
    RequestForm,
    TrunkForm,
    Way,
    Ways,
)
from gateway.scenarios.matching import WORDS
from gateway.scenarios.running import EXAMPLES
from gateway.scenarios.scenario import Places, load_scenario, read_call, read_scenario

CALL = {"from": "A", "to": "X"}


def faults(tree: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as raised:
        read_scenario(tree)
    return dict(raised.value.faults)


def test_every_wrong_key_is_named_with_its_path() -> None:
    said = faults({"seeed": 1, "call": [CALL | {"callee": {"answer_after": 3}, "expect": {"events": ["calin"]}}],
                   "request": [{"api": "AB"}], "network": {"caller": {"loss": 2}}})  # fmt: skip
    assert said["seeed"] == "is no key here"
    assert said["call[0].callee.answer_after"] == "is no key here"
    assert set(said) >= {"call[0].expect.events[0]", "request[0].api", "network.caller.loss"}


def test_names_numbers_and_matchers_are_looked_at() -> None:
    expect = {"reached": "Z", "fields": {"fee": {"x": {"like": 1}}}}
    numbers = {"A": "nobody", "lower": "+8613800000021"}
    said = faults({"numbers": numbers, "call": [CALL | {"to": "Q", "expect": expect}]})
    assert set(said) == {"numbers.A", "numbers.lower", "call[0].from", "call[0].to", "call[0].expect.reached",
                         "call[0].expect.fields.fee.x.like"}  # fmt: skip
    assert "neither a number nor the name of one (A, B," in said["call[0].to"]


def test_the_nodes_own_checks_speak_of_the_files_keys() -> None:
    said = faults({"application": {"recoding": True, "mode": "Q"}, "call": [CALL],
                   "config": {"calls": {"ring_seconds": "long"}, "trunk": {"codec": 1}}})  # fmt: skip
    assert set(said) == {"application.recoding", "application.mode", "config.calls.ring_seconds", "config.trunk.codec"}
    assert list(faults({"config": {"sip": {}}, "call": [CALL]})) == ["config.sip"]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        load_scenario(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("call = [")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_scenario(tmp_path / "bad.toml")
    assert list(faults({})) == ["call"]


def test_what_it_means_to_the_node() -> None:
    scenario = read_scenario({
        "mode": "AX", "numbers": {"X2": "+8617000000005"}, "application": {"key": "mine", "fee_url": "http://h/fee"},
        "config": {"calls": {"ring_seconds": 9}, "trunk": {"early_media": False}}, "call": [CALL],
    })  # fmt: skip
    carriers = (("udp:127.0.0.1:5062", "127.0.0.1/32"),)
    places = Places("udp:127.0.0.1:5060", "127.0.0.1", carriers, Path("/f"), "http://w/")
    tree = scenario.tree(places)
    (application,) = tree["application"]
    assert (application["key"], application["mode"], application["fee_url"]) == ("mine", "AX", "http://h/fee")
    assert application["status_url"] == "http://w/"
    assert {row["number"] for row in tree["number"]} == {"+8617000000001", "+8617000000002", "+8617000000005"}
    assert tree["calls"] == {"ring_seconds": 9}
    assert tree["trunk"][0]["early_media"] is False
    assert scenario.form.named(["A", {"x": "X2"}, "order A"]) == ["+8613800000021", {"x": "+8617000000005"}, "order A"]
    assert scenario.form.shown("'+8617000000005' and +8613800000021") == "X2 and A"


def test_one_call_by_itself() -> None:
    form = read_scenario({"numbers": {"D": "+8613800000029"}, "call": [CALL]}).form
    assert read_call({"from": "D", "to": "X"}, form).from_ == "D"
    with pytest.raises(ConfigError, match=r"call\[0\]\.to"):
        read_call({"from": "D", "to": "W"}, form)


def test_what_ships_can_be_read() -> None:
    names = {file.stem for file in EXAMPLES.glob("*.toml")}
    assert names >= {"answered", "busy", "no_answer", "cancel", "axe", "ax", "axyb", "x_mode", "loss"}
    for name in names:
        load_scenario(EXAMPLES / f"{name}.toml")


def test_the_page_names_every_key() -> None:
    text = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    forms = (Form, CallForm, CallerParty, CalleeParty, Expectation, RequestForm, Way, Ways, TrunkForm, MessageForm,
             MessageExpectation)  # fmt: skip
    names = {field.alias or name for form in forms for name, field in form.model_fields.items()} | set(WORDS)
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []
