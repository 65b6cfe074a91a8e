"""The driver on real sockets: outputs carried out, one timer, and a fault of ours that stops nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.sip.dialog import is_sips
from gateway.sip.endpoint import GRAIN, Core, Endpoint
from gateway.sip.gate import Gate, GateSettings
from gateway.sip.hop import Hop
from gateway.sip.outputs import Accepted, Confirmed, Incoming, KeepAlive, Progress
from gateway.sip.overload import BEHIND
from gateway.sip.tls import Tls
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from tests.sip.pki import Authority

HOST = "127.0.0.1"
FROM = Hop("udp", HOST, 5060)


class Scripted:
    """A core whose timer is due at once after the first message; ``fault`` says where it breaks."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.deadline: float | None = None
        self.fired = asyncio.Event()
        self.messages = 0

    def handle_timeout(self, now: float) -> Sequence[Any]:
        if self.fault == "timer":
            self.fault = ""
            raise ZeroDivisionError
        if self.fault == "timer always":
            self.fired.set()
            raise ZeroDivisionError
        self.deadline = None
        self.fired.set()
        return []

    def receive_message(self, data: bytes, source: Hop, now: float) -> Sequence[Any]:
        self.messages += 1
        self.deadline = now
        if self.fault == "message":
            raise ZeroDivisionError
        return ["something"]

    def refuse_new(self, data: bytes, source: Hop, now: float) -> Sequence[Any]:
        return [("refused", data)]

    def receive_malformed(self, data: bytes, source: Hop, now: float) -> Sequence[Any]:
        raise ZeroDivisionError

    def transport_failed(self, hop: Hop, now: float) -> Sequence[Any]:
        raise ZeroDivisionError

    def connection_closed(self, hop: Hop, now: float) -> Sequence[Any]:
        return ["closed"]


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    made: list[Endpoint] = []

    async def begin(
        core: Core,
        on_outputs: Callable[[list[Any]], None] = lambda outputs: None,
        listen: Sequence[Hop] = (Hop("udp", HOST, 0),),
        tls: Tls | None = None,
        waiting: Callable[[], int] = lambda: 0,
    ) -> Endpoint:
        gate = Gate(GateSettings(), lambda host: True, lambda host: None)
        made.append(Endpoint(core, on_outputs, gate, None, waiting, tls=tls))
        await made[-1].start(listen)
        return made[-1]

    yield begin
    for one in made:
        await one.stop()


@pytest.mark.parametrize(("fault", "faults"), [("", 0), ("message", 1), ("timer", 1), ("outputs", 1)])
async def test_the_timer_runs_whatever_broke_before(start: Start, fault: str, faults: int) -> None:
    def on_outputs(outputs: list[Any]) -> None:
        if fault == "outputs":
            raise ZeroDivisionError

    core = Scripted(fault)
    one = await start(core, on_outputs)
    one.transport.send(b"x", one.bound[0])
    async with asyncio.timeout(30):
        await core.fired.wait()
    assert one.faults == faults


class Alarmed(Scripted):
    """Each message sets alarms, so many seconds from then; ``rung`` says which rang when."""

    def __init__(self, *alarms: Sequence[float]) -> None:
        super().__init__()
        self._next = iter(alarms)
        self._set: list[float] = []
        self.rung: list[list[float]] = []

    def receive_message(self, data: bytes, source: Hop, now: float) -> Sequence[Any]:
        self._set = sorted([*self._set, *(now + after for after in next(self._next))])
        self.deadline = self._set[0]
        return []

    def handle_timeout(self, now: float) -> Sequence[Any]:
        self.rung.append([due for due in self._set if due <= now])
        self._set = [due for due in self._set if due > now]
        self.deadline = self._set[0] if self._set else None
        if not self._set:
            self.fired.set()
        return []


async def test_timers_that_are_close_ring_together_and_none_too_early(start: Start) -> None:
    core = Alarmed([0.05 + GRAIN * number / 100 for number in range(100)])
    one = await start(core)
    one.transport.send(b"x", one.bound[0])
    async with asyncio.timeout(30):
        await core.fired.wait()
    rung = [one for one in core.rung if one]
    assert sum(map(len, rung)) == 100
    assert len(rung) <= 3, "they lie in two grains, and a loop's clock may be a little behind"


async def test_a_timer_that_is_set_for_sooner_does_not_wait_for_the_one_that_is_armed(start: Start) -> None:
    core = Alarmed([600.0], [0.01])
    one = await start(core)
    one.transport.send(b"x", one.bound[0])
    one.transport.send(b"y", one.bound[0])
    async with asyncio.timeout(30):
        while not any(core.rung):  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert [len(rung) for rung in core.rung if rung] == [1]


async def test_a_timer_that_always_breaks_leaves_the_loop_to_others(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sip.endpoint.FAULT_PAUSE", 600.0)
    core = Scripted("timer always")
    one = await start(core)
    one.transport.send(b"x", one.bound[0])
    async with asyncio.timeout(30):
        await core.fired.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert one.faults == 1


async def test_no_timer_runs_after_stop(start: Start) -> None:
    core = Scripted()
    one = await start(core)
    await one.stop()
    core.deadline = time.monotonic()
    one.execute([])
    assert one._timer is None


@pytest.mark.parametrize("host", [HOST, "::1"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_two_user_agents_set_up_a_call(start: Start, tmp_path: Path, transport: str, host: str) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("gw", host)
    numbers = count()
    seen: list[Any] = []
    rings, done = asyncio.Event(), asyncio.Event()

    def note(outputs: list[Any]) -> None:
        seen.extend(outputs)
        if isinstance(seen[-1], Incoming):
            rings.set()
        if isinstance(seen[-1], Confirmed):
            done.set()

    agents = []
    for _ in range(2):
        shown: dict[str, Hop] = {}
        agent = UserAgent(UserAgentSettings(shown), lambda: f"t{next(numbers)}")
        tls = Tls(certificate=pair.certificate, key=pair.key, ca=authority.ca)
        endpoint = await start(agent, note, [Hop(transport, host, 0)], tls)
        shown |= {hop.transport: hop for hop in endpoint.bound}
        agents.append((agent, endpoint))
    (caller, from_), (callee, to) = agents
    _, outputs = caller.invite(
        to.bound[0], "sip:b@x", from_="<sip:a@x>", to="<sip:b@x>", body=b"offer", now=time.monotonic()
    )
    from_.execute(outputs)
    async with asyncio.timeout(30):
        await rings.wait()
        incoming = seen[0]
        to.execute(callee.ring(incoming.session, now=time.monotonic()))
        to.execute(callee.accept(incoming.session, b"answer", now=time.monotonic()))
        await done.wait()
    assert [type(output) for output in seen] == [Incoming, Progress, Accepted, Confirmed]
    assert (from_.faults, to.faults) == (0, 0)
    shown_host = f"[{host}]" if ":" in host else host
    via = f"SIP/2.0/{transport.upper()} {shown_host}:{from_.bound[0].port};branch="
    assert (incoming.request.headers.get("Via") or "").startswith(via)
    parameter = "" if transport == "udp" else f";transport={transport}"
    contact = f"<sip:{shown_host}:{from_.bound[0].port}{parameter}>"
    assert incoming.request.headers.get("Contact") == contact


@pytest.mark.parametrize(
    ("hop", "asked", "contact", "via"),
    [
        (Hop("udp", "192.0.2.9", 5060), "sip:b@x", "<sip:192.0.2.1:5060>", "UDP 192.0.2.1:5060"),
        (Hop("tls", "192.0.2.9", 5061), "sip:b@x", "<sip:192.0.2.1:5061;transport=tls>", "TLS 192.0.2.1:5061"),
        (Hop("tls", "192.0.2.9", 5061), "sips:b@x", "<sips:192.0.2.1:5061>", "TLS 192.0.2.1:5061"),
        (Hop("wss", "192.0.2.9", 4000), "sips:b@x", "<sips:192.0.2.1:443;transport=ws>", "WSS 192.0.2.1:443"),
        (Hop("wss", "192.0.2.9", 4000), "sip:b@x", "<sip:192.0.2.1:443;transport=ws>", "WSS 192.0.2.1:443"),
        (Hop("udp", "192.0.2.9", 5060), "SIPS:b@x", "<sips:192.0.2.1:5061>", "UDP 192.0.2.1:5060"),
        (Hop("udp", "2001:db8::9", 5060), "sips:b@x", "<sip:[2001:db8::1]:5070>", "UDP [2001:db8::1]:5070"),
        (Hop("udp", "2001:db8::9", 5060), "sip:b@x", "<sip:[2001:db8::1]:5070>", "UDP [2001:db8::1]:5070"),
    ],
)
def test_how_we_are_called(hop: Hop, asked: str, contact: str, via: str) -> None:
    ports = {"udp": 5060, "tls": 5061, "wss": 443}
    settings = UserAgentSettings(
        {transport: Hop(transport, "192.0.2.1", port) for transport, port in ports.items()},
        {"udp": Hop("udp", "2001:db8::1", 5070)},
    )
    wire = UserAgent(settings, lambda: "t").wire
    assert wire.contact(hop, sips=is_sips(asked)) == contact
    assert wire.via(hop).partition(";")[0] == f"SIP/2.0/{via}"


class Catch(asyncio.DatagramProtocol):
    """What comes to a socket."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.put_nowait(data)


async def test_a_sign_of_life_is_two_empty_lines(start: Start) -> None:
    us = await start(Scripted(), listen=[Hop("udp", HOST, 0), Hop("tcp", HOST, 0)])
    socket, catch = await asyncio.get_running_loop().create_datagram_endpoint(Catch, local_addr=(HOST, 0))
    us.execute([KeepAlive(Hop("udp", *socket.get_extra_info("sockname")[:2]))])
    assert await asyncio.wait_for(catch.got.get(), 5) == b"\r\n\r\n"
    socket.close()

    async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        catch.got.put_nowait(await reader.readexactly(4))
        writer.close()

    async with await asyncio.start_server(heard, HOST, 0) as server:
        us.execute([KeepAlive(Hop("tcp", *server.sockets[0].getsockname()[:2]))])
        assert await asyncio.wait_for(catch.got.get(), 5) == b"\r\n\r\n"


async def test_a_sign_of_life_is_no_message(start: Start) -> None:
    core = Scripted()
    there = await start(core)
    us = await start(Scripted())
    us.execute([KeepAlive(there.bound[0])])
    us.transport.send(b"OPTIONS sip:x SIP/2.0\r\n\r\n", there.bound[0])
    await asyncio.wait_for(core.fired.wait(), 5)
    assert core.messages == 1


async def test_what_is_new_waits_for_the_database_and_is_refused_in_the_end(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sip.overload.PATIENCE", 0.0)
    core, outputs, told = Scripted(), list[Any](), asyncio.Event()

    def on_outputs(some: list[Any]) -> None:
        outputs.extend(some)
        told.set()

    one = await start(core, on_outputs, waiting=lambda: BEHIND)
    invite = b"INVITE sip:x SIP/2.0\r\nTo: <sip:x>\r\n\r\n"
    one.arrived(invite, FROM)
    one.arrived(b"ACK sip:x SIP/2.0\r\nTo: <sip:x>;tag=1\r\n\r\n", FROM)
    assert (core.messages, outputs) == (1, ["something"])
    told.clear()
    async with asyncio.timeout(30):
        await told.wait()
    assert outputs == ["something", ("refused", invite)]
    assert one.overload.shed == 1
    one.arrived(b"ACK sip:x SIP/2.0\r\nTo: <sip:x>;tag=shed.1\r\n\r\n", FROM)
    assert core.messages == 1


async def test_what_is_new_is_taken_at_the_end_of_the_turn(start: Start) -> None:
    core, done = Scripted(), asyncio.Event()
    one = await start(core, lambda outputs: done.set())
    one.arrived(b"INVITE sip:x SIP/2.0\r\nTo: <sip:x>\r\n\r\n", FROM)
    assert core.messages == 0
    async with asyncio.timeout(30):
        await done.wait()
    assert (core.messages, len(one.overload), one.overload.shed) == (1, 0, 0)
