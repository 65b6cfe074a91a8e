from __future__ import annotations

import asyncio
import socket

from gateway.lab.phone import Phase, Phone
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine, free_ports
from gateway.sip.hop import Hop


def line(name: str, script: Script, over: asyncio.Event) -> PhoneLine:
    def make(here: Hop, media_ports: tuple[int, int]) -> Phone:
        return Phone(name, script, here=here, media_ports=media_ports, seed=ord(name))

    def watch(phone: Phone, now: float) -> None:
        if phone.phase is Phase.OVER:
            over.set()

    return PhoneLine("127.0.0.1", make, watch)


async def test_two_phones_talk_over_real_sockets() -> None:
    over_a, over_b = asyncio.Event(), asyncio.Event()
    a = line("A", Script(tone_hz=700), over_a)
    b = line("B", Script(tone_hz=1300, ring_after=0.01, answer_after=0.05, hang_up_after=0.3), over_b)
    await a.start()
    await b.start()
    try:
        a.do(lambda now: a.phone.dial(b.phone.here, "sip:b@127.0.0.1", now, caller="<sip:a@127.0.0.1>"))
        async with asyncio.timeout(30):
            await over_a.wait()
            await over_b.wait()
    finally:
        await a.stop()
        await b.stop()
    assert a.phone.history[-1].what == "ended by peer (BYE)"
    for phone in (a.phone, b.phone):
        assert len(phone.arrivals) >= 3
        assert {arrival.port for arrival in phone.arrivals} == {phone.media_ports[0]}


async def test_a_line_that_never_started_closes_its_sockets() -> None:
    unused = line("C", Script(), asyncio.Event())
    await unused.stop()
    port = unused.phone.here.port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", port))


def test_free_ports_are_bound() -> None:
    for bound in free_ports("127.0.0.1", 2):
        assert bound.getsockname()[1] > 0
        bound.close()
