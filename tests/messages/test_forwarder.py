"""Parts of a long message wait for each other, but not for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.bindings.decisions import Found
from gateway.messages import forwarder
from gateway.messages.forwarder import Forwarder
from gateway.numbers import PhoneNumber
from gateway.sms.tpdu import Piece

A, X = PhoneNumber("+8613800000021"), PhoneNumber("+8617000000001")


class Stage:
    """The SIP side, and a store that knows no number: what is looked up is what would have been sent."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, int]] = []
        self.looked_up = 0

    def answer_text(self, id: str, status: int) -> None:
        self.answers.append((id, status))

    async def find(self, *_: Any) -> Found:
        self.looked_up += 1
        return Found()


async def nobody_asked(*_: Any) -> None:
    raise AssertionError


def made(stage: Stage) -> Forwarder:
    return Forwarder(stage, nobody_asked, lambda payload: None)  # type: ignore[arg-type]


async def test_the_last_part_lets_the_first_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    taken = made(stage)
    parts = [taken.received(stage, f"m{index}", "t", A, X, "x", Piece(1, 3, index)) for index in (3, 1, 2)]  # type: ignore[arg-type]
    await asyncio.gather(*parts)
    assert stage.looked_up == 1
    assert [status for id, status in stage.answers if id != "m3"] == [202, 202]
    assert stage.answers[0] == ("m3", 202)


async def test_what_has_come_goes_on_without_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "PIECES_SECONDS", 0)
    stage = Stage()
    taken = made(stage)
    await taken.received(stage, "m1", "t", A, X, "x", Piece(1, 3, 2))  # type: ignore[arg-type]
    assert stage.looked_up == 1
    await taken.received(stage, "m2", "t", A, X, "x", Piece(1, 3, 1))  # type: ignore[arg-type]
    assert stage.looked_up == 2
