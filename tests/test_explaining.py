"""The explanation of a call that is not placed, over a real database, and the command."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.assembly import exchange_settings
from gateway.bindings.models import Application, CallPolicy, Mode, Number
from gateway.bindings.requests import NewAx, NewAxb, NewAxe, NewAxyb
from gateway.bindings.store import BindingStore
from gateway.cli import app
from gateway.config.reading import load
from gateway.database import migrate, open_engine
from gateway.explaining import Line, explain
from gateway.numbers import PhoneNumber

A, B, C = (PhoneNumber(f"+86138000000{digits}") for digits in (21, 23, 25))
X = PhoneNumber("+8617000000001")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = """
[sip]
listen = ["udp:127.0.0.1:5060"]
[[trunk]]
name = "t"
peers = ["udp:127.0.0.1:5070"]
allow = ["127.0.0.1/32"]
[database]
url = "sqlite+aiosqlite:///{folder}/maskline.db"
"""


async def ask(
    folder: Path, mode: Mode, wanted: Any, caller: PhoneNumber | None, *, routes: str = "", **more: Any
) -> list[Line]:
    path = folder / "maskline.toml"
    path.write_text(CONFIG.format(folder=folder) + routes, encoding="utf-8")
    config = load(path, {})
    await migrate(config.database.location)
    engine = open_engine(config.database.location)
    store = BindingStore(engine)
    application = replace(Application(key="app", secret="s", mode=mode, recording=True), **more.pop("application", {}))
    await store.seed([application], [Number(x=X, application="app", area_code="0755")])
    binds = {NewAxb: store.bind_axb, NewAx: store.bind_ax, NewAxe: store.bind_axe, NewAxyb: store.bind_axyb}
    if wanted is not None:
        await binds[type(wanted)](application, wanted, NOW)  # type: ignore[operator]
    lines = await explain(store, exchange_settings(config), caller, X, NOW, **more)
    await engine.dispose()
    return lines


PAIR = NewAxb(a=A, b=B, x=X, policy=CallPolicy(record=True, notice="notice.wav", tone_for_a="gone.wav", max_minutes=5))


async def test_a_call_that_would_be_connected(tmp_path: Path) -> None:
    lines = await ask(tmp_path, Mode.AXB, PAIR, A)
    assert lines[-1] == Line("outcome", "+8613*******23 is called and sees +8617*******01", True)
    texts = {(line.what, line.text) for line in lines}
    assert {
        ("number", "normal, of app"), ("application", "AXB, on"), ("rule", "A calls X: B."), ("recorded", "yes"),
        ("tone", "waiting: gone.wav, which is missing"), ("tone", "notice: notice.wav"), ("longest", "5 minutes"),
        ("trunk", "the one that the call comes in by"),
    } <= texts  # fmt: skip
    assert not any(number.e164[3:] in repr(lines) for number in (A, B))


@pytest.mark.parametrize(
    ("routes", "text"),
    [
        ('[[route]]\ntrunks = ["t", "t"]\nprefixes = ["+86138"]\n', "t or t"),
        ('[[route]]\ntrunks = ["t"]\nprefixes = ["+1"]\n', "the one that the call comes in by"),
        ('[calls]\ndefault_trunk = "t"\n', "t"),
    ],
)
async def test_the_trunks_that_may_carry_it(tmp_path: Path, routes: str, text: str) -> None:
    assert Line("trunk", text) in await ask(tmp_path, Mode.AXB, PAIR, A, routes=routes)


async def test_numbers_for_who_may_see_them(tmp_path: Path) -> None:
    assert B.e164 in (await ask(tmp_path, Mode.AXB, PAIR, A, masked=False))[-1].text


@pytest.mark.parametrize(
    ("mode", "wanted", "caller", "more", "good", "text"),
    [
        (Mode.AXB, PAIR, C, {}, False, "refused: 8014"),
        (Mode.AXB, PAIR, None, {}, False, "refused: 8014"),
        (Mode.AXB, PAIR, A, {"application": {"enabled": False}}, False, "refused: 8018"),
        (Mode.AXB, replace(PAIR, b=PhoneNumber("+12025550100")), A, {}, False, "refused: 8043"),
        (Mode.AX, NewAx(a=A, x=X), B, {}, True, "+8613*******21 is called"),
        (Mode.AX, NewAx(a=A, x=X), A, {}, False, "refused: 8013"),
        (Mode.AXE, NewAxe(a=A, x=X, extension="12"), B, {}, True, "an extension of at most 4 digits"),
        (Mode.AXE, NewAxe(a=A, x=X, extension="12"), B, {"extension": "12"}, True, "+8613*******21 is called"),
        (Mode.AXE, NewAxe(a=A, x=X, extension="12"), B, {"extension": "13"}, False, "refused: 8022"),
        (Mode.AXYB, NewAxyb(a=A, area_code="0755"), B, {}, True, "A is called"),
        (Mode.X, None, B, {}, True, "the customer's server is asked"),
    ],
)
async def test_outcomes(
    tmp_path: Path, mode: Mode, wanted: Any, caller: PhoneNumber | None, more: dict[str, Any], good: bool, text: str
) -> None:
    outcome = (await ask(tmp_path, mode, wanted, caller, **more))[-1]
    assert (outcome.what, outcome.good) == ("outcome", good)
    assert outcome.text.startswith(text)


def test_the_command(tmp_path: Path) -> None:
    asyncio.run(ask(tmp_path, Mode.AXB, PAIR, A))
    config = ["--config", str(tmp_path / "maskline.toml"), "--at", "2026-01-01T00:00:00"]
    good = CliRunner().invoke(app, ["explain", *config, "--caller", "13800000021", "--called", "17000000001"])
    assert good.exit_code == 0
    assert "is called and sees" in good.output
    bad = CliRunner().invoke(app, ["explain", *config, "--caller", "13800000025", "--called", "17000000001"])
    assert bad.exit_code == 1
    assert "8014" in bad.output
    assert CliRunner().invoke(app, ["explain", *config, "--called", "x"]).exit_code == 2
