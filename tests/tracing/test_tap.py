"""What the endpoint tells: counted always, kept only while somebody wants it, told to Homer with numbers starred."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from gateway.metrics.tally import Tally
from gateway.sip.hop import Hop
from gateway.tracing import tap as module
from gateway.tracing.recorder import Switch
from gateway.tracing.store import Traced
from gateway.tracing.tap import Hep, Tap
from gateway.tracing.threads import Known
from tests.tracing.messages import BYE, CALL, CARRIER, HERE, INVITE, TRYING, A, B, X, message
from tests.tracing.test_hep import decode

NEXT = Switch("w", "next", "", 4e9, 5)
CHALLENGE = message("SIP/2.0 401 Unauthorized", "one@192.0.2.10", "1 INVITE")


class Bench:
    def __init__(self, hep: Hep | None = None) -> None:
        self.calls: dict[str, Known] = {"one@192.0.2.10": ("call-1", 0), "two": ("call-1", 1)}
        self.numbers: dict[str, tuple[list[str], bool]] = {"call-1": ([X, A, B], True)}
        self.kept: list[Traced] = []
        self.tally = Tally()
        self.tap = Tap(
            self.tally, {"udp": HERE}, trunk_of=lambda host: "carrier", call_of=self.calls.get,
            numbers_of=self.numbers.get, send=self.kept.append, hep=hep,
        )  # fmt: skip

    async def call(self) -> None:
        for _, seen in CALL:
            (self.tap.sent if seen.sent else self.tap.received)(seen.data, seen.peer)
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    def counted(self, name: str) -> float:
        return sum(numbers[0] for row, _, numbers in self.tally.rows() if row == name)


async def test_while_nobody_wants_it_a_message_is_counted_and_forgotten() -> None:
    bench = Bench()
    await bench.call()
    assert bench.counted("maskline_sip_messages_total") == 4
    assert bench.kept == []
    assert not bench.tap._waiting


async def test_a_call_is_kept_with_both_its_legs() -> None:
    bench = Bench()
    bench.tap.switch([NEXT])
    await bench.call()
    assert [(one.order, one.side, one.sent, one.data) for one in bench.kept] == [
        (order, side, seen.sent, seen.data) for order, (side, seen) in enumerate(CALL)
    ]
    assert bench.kept[0].numbers == [X, A, B]
    assert bench.counted("maskline_trace_messages_total") == 4
    assert bench.counted("maskline_trace_switches") == 1


async def test_an_invite_that_was_challenged_first_is_part_of_its_call() -> None:
    bench = Bench()
    bench.tap.switch([NEXT])
    leg = bench.calls.pop("one@192.0.2.10")
    for _ in range(20):
        bench.tap.received(INVITE, CARRIER)
    bench.tap.sent(CHALLENGE, CARRIER)
    await asyncio.sleep(0)
    assert bench.kept == []
    bench.calls["one@192.0.2.10"] = leg
    bench.tap.sent(TRYING, CARRIER)
    await asyncio.sleep(0)
    assert [one.data for one in bench.kept] == [*[INVITE] * module.MOST_HELD, TRYING]


async def test_what_comes_when_the_call_is_over_still_belongs_to_it() -> None:
    bench = Bench()
    bench.tap.switch([NEXT])
    await bench.call()
    bench.calls.clear()
    bench.numbers.clear()
    bench.tap.received(BYE, CARRIER)
    await asyncio.sleep(0)
    assert (bench.kept[-1].data, bench.kept[-1].numbers) == (BYE, [X, A, B])


async def test_a_flood_costs_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    monkeypatch.setattr(module, "MOST_STRANGE", 2)
    bench = Bench()
    bench.tap.switch([NEXT])
    for _ in range(5):
        bench.tap.received(INVITE, CARRIER)
    assert bench.counted("maskline_trace_messages_total") == 2
    await asyncio.sleep(0)
    bench.calls.clear()
    for index in range(6):
        bench.tap.received(BYE.replace(b"one@", f"n{index}@".encode()), CARRIER)
        await asyncio.sleep(0)
    assert len(bench.tap._strange) == 2


async def test_a_mistake_in_watching_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.tap.switch([NEXT])

    def broken(*arguments: Any) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(bench.tap._threads, "find", broken)
    await bench.call()
    assert bench.counted("maskline_sip_messages_total") == 4


@pytest.fixture
async def homer() -> AsyncIterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.setblocking(False)
        yield bound


@pytest.mark.parametrize("numbers", [False, True])
async def test_homer_is_told_of_calls_and_of_everything_else(homer: socket.socket, numbers: bool) -> None:
    target = Hop("udp", "127.0.0.1", homer.getsockname()[1])
    bench = Bench(Hep(collector=target, agent=7, key="", numbers=numbers))
    with closing(bench.tap):
        await bench.call()
        alone = replace(CALL[0][1], data=BYE.replace(b"one@", b"nobody@"))
        bench.tap.received(alone.data, alone.peer)
        await asyncio.sleep(0)
        told = [decode(homer.recv(65535)) for _ in range(5)]
    assert [one.get(0x0011, b"") for one in told] == [b"call-1"] * 4 + [b""]
    bodies = b"".join(one[0x000F] for one in told)
    assert (B[3:].encode() in bodies) is numbers
    assert (b"13800000021" in bodies) is numbers
    assert X.encode() in bodies
    assert bench.counted("maskline_hep_packets_total") == 5
