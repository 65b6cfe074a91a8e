"""A call traced by a whole node: turned on at the terminal, both legs on the ladder, and told to a HEP collector."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.lab.phone import Phase
from gateway.lab.script import Script
from tests.integration.test_admin import AdminStand
from tests.integration.test_node import HOST, A, B, X
from tests.tracing.test_hep import decode
from tests.tracing.test_pcap import read


@pytest.fixture
async def collector() -> AsyncIterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((HOST, 0))
        bound.setblocking(False)
        yield bound


@pytest.fixture
async def stand(tmp_path: Path, collector: socket.socket) -> AsyncIterator[AdminStand]:
    made = AdminStand(tmp_path, Script(tone_hz=700), Script(tone_hz=1300, answer_after=0.5, hang_up_after=1.0))
    made.settings = {
        "MASKLINE_HEP__COLLECTOR": f"udp:{HOST}:{collector.getsockname()[1]}", "MASKLINE_HEP__KEY": '"secret"',
    }  # fmt: skip
    await made.up()
    yield made
    await made.stack.aclose()


async def switched(stand: AdminStand, *words: str) -> None:
    """Turn it on, and wait until the signalling process knows."""
    assert "on for 5 min" in await stand.terminal("trace", *words, "--minutes", "5")
    async with asyncio.timeout(30):
        while "\nmaskline_trace_switches 1.0" not in await figures(stand):
            pass


async def figures(stand: AdminStand) -> str:
    async with stand.http.get(stand.node.plan.base_url + "/metrics") as response:
        return await response.text()


async def test_a_call_of_a_number(stand: AdminStand, collector: socket.socket) -> None:
    await stand.bind()
    await switched(stand, "--number", B)
    stand.dial()
    await stand.until(lambda: stand.caller.phone.phase is Phase.OVER)
    assert await stand.receiver.wait_for("fee", 60) is not None
    (session,) = {event.fields["sessionId"] for event in stand.receiver.events if event.kind == "fee"}
    async with asyncio.timeout(30):
        while "BYE" not in (ladder := await shown(stand, session)):
            pass
    for title in ("INVITE", "100 Trying", "180 Ringing", "200 OK", "ACK", "BYE"):
        assert title in ladder
    file = stand.folder / "call.pcap"
    await stand.terminal("trace", "show", session, "--pcap", str(file))
    packets = read(file.read_bytes())
    assert {one.source[1] for one in packets} == {
        stand.node.plan.sip_port, stand.caller.phone.here.port, stand.callee.phone.here.port,
    }  # fmt: skip
    for number in (A, B):
        assert number[3:] not in ladder
        assert number[3:].encode() not in file.read_bytes()
    assert X in ladder
    assert B in await stand.terminal("trace", "show", session, "--full", "--numbers")
    assert B not in stand.node.log_tail(10_000)
    told = [decode(collector.recv(65535)) for _ in range(len(packets))]
    assert {chunks[0x0011] for chunks in told} == {session.encode()}
    assert {chunks[0x000E] for chunks in told} == {b"secret"}
    bodies = b"".join(chunks[0x000F] for chunks in told)
    assert bodies.count(b"INVITE sip:") == 2
    assert B[3:].encode() not in bodies
    assert A[3:].encode() not in bodies


async def shown(stand: AdminStand, session: str) -> str:
    try:
        return await stand.terminal("trace", "show", session, "--full")
    except AssertionError:
        return ""
