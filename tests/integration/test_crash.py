"""A whole node whose media workers die, and hang, under standing calls: nobody loses his call."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import pairwise, takewhile
from pathlib import Path

import aiohttp
import numpy as np

from gateway.lab import audio
from gateway.lab.analysis import dominant
from gateway.lab.client import CustomerClient
from gateway.lab.memory import audio_of
from gateway.lab.node import Node, NodePlan
from gateway.lab.phone import Phase, Phone
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.receiver import Receiver
from gateway.lab.rtp import Arrival, StreamReport, check_stream, streams_of
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.sip.hop import Hop
from media.recording.wav import SILENCE, decode, parse
from tests.bench.soak import Fleet
from tests.integration.test_recordings import maskline
from tests.stalls import Stalls

HOST, KEY, SECRET = "127.0.0.1", "axb", "secret"
A, B, X = "+8613800000021", "+8613800000023", "+8617000000001"
CALLS = 4
LONGEST_SILENCE = 2.0


class Stand:
    """A node with two media workers, a phone for each side of each call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changed = asyncio.Event()
        self.callers: list[PhoneLine] = []
        self.stalls = Stalls()
        self._looked = 0.0

    async def up(self, stack: AsyncExitStack) -> Stand:
        await stack.enter_async_context(self.stalls)
        self.receiver = Receiver(HOST, KEY, SECRET, lambda event: self.changed.set())
        stack.push_async_callback(self.receiver.stop)
        port = free_tcp_and_udp_port(HOST)
        self.node = Node(
            NodePlan(
                folder=self.folder, host=HOST, peer=f"udp:{HOST}:{port}", key=KEY, secret=SECRET, x=X,
                receiver=await self.receiver.start(), sip_port=free_tcp_and_udp_port(HOST),
                web_port=free_tcp_and_udp_port(HOST), media_ports=free_media_ports(HOST),
                overrides={"MASKLINE_MEDIA__WORKERS": "2"},
            )
        )  # fmt: skip
        stack.push_async_callback(self.node.stop)
        await self.node.start(60)
        self.http = await stack.enter_async_context(aiohttp.ClientSession())
        self.customer = CustomerClient(self.http, self.node.plan.base_url, KEY, SECRET)
        await self.customer.bind({"callerNum": A, "calleeNum": B, "relationNum": X, "recordFlag": "true"})
        loop = asyncio.get_running_loop()
        _, self.fleet = await loop.create_datagram_endpoint(
            lambda: Fleet(Hop("udp", HOST, port)), local_addr=(HOST, port)
        )
        stack.push_async_callback(self.fleet.stop)
        for number in range(CALLS):
            await self._call(number, stack)
        return self

    async def _call(self, number: int, stack: AsyncExitStack) -> None:
        def phone(here: Hop, ports: tuple[int, int]) -> Phone:
            return Phone(f"caller {number}", Script(tone_hz=700), here=here, media_ports=ports, seed=100 + number)

        line = PhoneLine(HOST, phone, self._watch)
        stack.push_async_callback(line.stop)
        await line.start()
        self.callers.append(line)
        target = Hop("udp", HOST, self.node.plan.sip_port)
        self.fleet.next_scripts.append(Script(tone_hz=1300, answer_after=0.3))
        uri = f"sip:{X}@{HOST}:{target.port}"
        line.do(lambda now: line.phone.dial(target, uri, now, caller=f"<sip:{A}@{HOST}>"))

    def _watch(self, phone: Phone, now: float) -> None:
        """Packets come all the time; who waits for something looks ten times a second."""
        if now - self._looked > 0.1:
            self._looked = now
            self.changed.set()

    @property
    def phones(self) -> list[Phone]:
        return [line.phone for line in (*self.callers, *self.fleet.lines.values())]

    def heard_since(self, phone: Phone, at: float) -> int | None:
        """The other's tone, when it has been heard for a while and it is later than ``at``."""
        since = phone.arrivals[-1].at - 0.3 if phone.arrivals else 0.0
        if since <= at:
            return None
        newest = takewhile(lambda arrival: arrival.at >= since, reversed(phone.arrivals))
        return dominant(audio.decode(b"".join(reversed([audio_of(arrival) for arrival in newest]))))

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def report(self, stream: list[Arrival]) -> StreamReport:
        """What is to be said of it, less what our own stalls explain."""
        return check_stream(stream, stall=self.stalls.longest + 1.0)

    def longest_silence(self, phone: Phone) -> float:
        """Seconds, of which those don't count in which we listened to nobody."""
        times = [(before.at, after.at) for before, after in pairwise(phone.arrivals)]
        return max(after - before - self.stalls.within(before, after) for before, after in times)

    def workers(self) -> list[int]:
        """Process ids of media workers and the spare one, the oldest first."""
        node = self.node.pid
        children = Path(f"/proc/{node}/task/{node}/children").read_text().split()
        # The kernel lists them as they were made; their ids begin anew at some time.
        return [int(pid) for pid in children if b"media.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    async def metrics(self) -> dict[str, float]:
        async with self.http.get(self.node.plan.base_url + "/metrics") as response:
            lines = [line.rpartition(" ") for line in (await response.text()).splitlines() if line[:1] != "#"]
        return {name: float(value) for name, _, value in lines}

    async def talk_of_all(self, seconds: float = 0.0) -> None:
        """Until each hears the other, so many seconds from now."""
        now = asyncio.get_running_loop().time() + seconds
        wanted = [1300] * CALLS + [700] * CALLS
        await self.until(lambda: [self.heard_since(phone, now) for phone in self.phones] == wanted)


async def test_calls_outlive_a_worker_that_dies_and_one_that_hangs(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        here = await Stand(tmp_path).up(stack)
        await here.until(lambda: len(here.phones) == 2 * CALLS and all(p.phase is Phase.TALKING for p in here.phones))
        await here.talk_of_all()

        first, second = here.workers()[:2]
        killed = loop.time()
        os.kill(first, signal.SIGKILL)
        await here.until(lambda: sum(len(streams_of(phone.arrivals)) == 2 for phone in here.phones) == CALLS)
        await here.talk_of_all()
        check_moved_half(here, killed)
        async with asyncio.timeout(60):
            while (await here.metrics())["maskline_media_workers"] < 2:
                here.changed.clear()
                await here.changed.wait()

        there = [at_the_other(phone, killed) for phone in here.phones]
        wanted = [len(streams_of(phone.arrivals)) + moves for phone, moves in zip(here.phones, there, strict=True)]
        parts = {path.suffix for path in (tmp_path / "spool").iterdir()}
        assert {".spool", ".1"} <= parts
        os.kill(second, signal.SIGSTOP)
        await here.until(lambda: [len(streams_of(phone.arrivals)) for phone in here.phones] == wanted)
        await here.talk_of_all(1.5)
        told = await here.metrics()
        assert told['maskline_calls_moved_total{result="moved"}'] == CALLS // 2 + sum(there) // 2
        assert told['maskline_media_worker_lost_total{reason="ended"}'] == 1
        assert told['maskline_media_worker_lost_total{reason="hung"}'] == 1

        hung_up = loop.time()
        for line in here.callers:
            line.do(line.phone.hang_up)
        await here.until(lambda: [event.kind for event in here.receiver.events].count("fee") == CALLS)
        await check_stories(here, loop.time() - hung_up)
        for phone in here.phones:
            assert here.longest_silence(phone) <= LONGEST_SILENCE, phone.name
            for stream in streams_of(phone.arrivals):
                assert here.report(stream).faults == (), phone.name
        code, out = await maskline(tmp_path, here.node.plan.overrides, "recordings", "verify")
        assert (code, f"{CALLS} recordings looked at" in out, "all holds" in out) == (0, True, True), out


def check_moved_half(here: Stand, killed: float) -> None:
    """The calls of the other worker have lost nothing and heard nothing of it."""
    for phone in here.phones:
        streams = streams_of(phone.arrivals)
        if len(streams) == 1:
            report = here.report(streams[0])
            assert (report.faults, report.lost) == ((), 0), phone.name
            assert sum(trace.title == "INVITE" and trace.at > killed for trace in phone.traces) == 0
        else:
            # None where the dead worker's successor was up before the call's turn.
            assert sum(trace.title == "INVITE" and trace.at > killed for trace in phone.traces) <= 1


def at_the_other(phone: Phone, killed: float) -> bool:
    """Whether the phone's call is at the worker that lives: it always was, or a re-INVITE has moved it there. One whose
    turn had not come when the dead worker's successor was up has stayed at the successor."""
    moved = any(trace.title == "INVITE" and trace.at > killed for trace in phone.traces)
    return moved or len(streams_of(phone.arrivals)) == 1


async def check_stories(here: Stand, ending: float) -> None:
    """Every call was told as one, and its recording is one file in which each has his channel until the end, which has
    taken ``ending`` seconds."""
    kinds = [event.kind for event in here.receiver.events]
    assert {kinds.count(kind) for kind in ("callin", "callout", "alerting", "answer", "disconnect", "fee")} == {CALLS}
    for fee in [event for event in here.receiver.events if event.kind == "fee"]:
        assert fee.fields["ulFailReason"] == 0
        download = await here.customer.recording(fee.fields["recordObjectName"], fee.fields["recordDomain"])
        left, right = parse(download.content)
        for channel, hertz in ((left, 700), (right, 1300)):
            sound = decode(channel)
            heard = np.flatnonzero(channel != SILENCE)
            assert heard[0] < 8000 * (1.0 + here.stalls.longest)
            assert len(channel) - heard[-1] < 8000 * (1.0 + ending)
            quiet = (len(channel) - len(heard)) / 8000
            assert 0.0 < quiet < 2 * LONGEST_SILENCE + 1.0 + ending + here.stalls.longest, "the gaps, and no more"
            # Each has talked all the time: seconds that are not silent hold nothing else.
            seconds = [sound[at : at + 8000] for at in range(0, len(sound) - 8000, 8000)]
            loud = [dominant(one) for one in seconds]
            assert set(loud) <= {hertz, None}
            assert loud.count(None) <= 2 + round(ending + here.stalls.longest)
    assert list((here.folder / "spool").iterdir()) == []
