"""Mixed calls for a long time against a whole node: memory, sockets and tasks must stay flat.

    python -m tests.bench.soak [SECONDS]            make soak, SECONDS=1800 by default

AXB, AX and AXE (digits dialled), refusals, callers who give up, hold, callees without an answer, numbers that are not
bound, and short messages, placed by phones of ours at PER_SECOND. Every SAMPLE seconds each of the node's processes is
looked at. Behind the warm-up a line is fitted through each row of samples (least squares); flat is a row whose line
rises by no more than its row of ALLOWED over the time measured. The end is quiet: what then still stands is a leak too.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from gateway.lab.client import CustomerClient
from gateway.lab.node import Node, NodePlan
from gateway.lab.phone import Phase, Phone, PhoneOutput, SendSip
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.receiver import Receiver
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.sip.build import response_to
from gateway.sip.hop import Hop
from gateway.sip.message import Request, parse_message
from tests.bench.call_bench import processes

HOST, SECRET = "127.0.0.1", "secret"
A, B, C = "+8613800000021", "+8613800000023", "+8613800000025"
X1, X2, X3, UNBOUND = "+8617000000001", "+8617000000002", "+8617000000003", "+8617000000004"
AX, AXE = "/rest/provision/caas/privatenumber/v1.0", "/rest/caas/extendnumber/v1.0"
SEEDS = count()
PER_SECOND, SAMPLE, QUIET = 3.0, 2.0, 40.0
# Some hundred calls: by then code is loaded, caches are filled, and transactions end as fast as they begin.
WARM_SHARE, WARM_MOST = 0.45, 300.0
ALLOWED = {"memory": 0.03, "sockets": 4.0, "tasks": 4.0}
"""Of memory a part of its mean; else a number."""
MORE = "sms = true\n" + "".join(
    f'[[application]]\nkey = "{key}"\nsecret = "{SECRET}"\nmode = "{mode}"\nprivate_callbacks = true\n'
    f'[[number]]\nnumber = "{number}"\napplication = "{key}"\n'
    for key, mode, number in (("ax", "AX", X2), ("axe", "AXE", X3))
)


ANSWERS = Script(mute=True, answer_after=0.3, hang_up_after=3.0)
TALKS = Script(tone_hz=1300, answer_after=0.3, hang_up_after=3.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of call: who calls which X, and what each side does. Audio costs our phones more than the node, so only
    some calls have any."""

    name: str
    weight: int
    caller: str
    called: str
    calling: Script = field(default_factory=lambda: Script(mute=True))
    answering: Script = field(default_factory=lambda: ANSWERS)


KINDS = (
    Kind("AXB", 3, A, X1, Script(tone_hz=700), TALKS),
    Kind("AXB, by the caller", 2, B, X1, Script(mute=True, hang_up_after=2.0),
         Script(answer_after=0.3, hang_up_after=6.0)),
    Kind("AX", 2, C, X2),
    Kind("AXE", 2, C, X3, Script(tone_hz=700, digits="1234", early_digits_at=1.0)),
    Kind("AXE, nothing dialled", 1, C, X3, Script(mute=True, give_up_after=6.0)),
    Kind("refused", 2, A, X1, answering=Script(refuse=486)),
    Kind("given up", 2, A, X1, Script(give_up_after=1.0), Script(answer_after=None)),
    Kind("hold", 2, A, X1, Script(tone_hz=700, hold_at=0.8, resume_at=1.8), TALKS),
    Kind("not bound", 1, A, UNBOUND),
)  # fmt: skip


class Callee(PhoneLine):
    """A phone behind the trunk's one SIP address; its audio has sockets of its own."""

    def __init__(self, fleet: Fleet, script: Script) -> None:
        self._fleet = fleet
        super().__init__(HOST, lambda here, ports: Phone("callee", script, here=fleet.here, media_ports=ports,
                                                     seed=next(SEEDS)),
                         lambda phone, now: None)  # fmt: skip

    def _perform(self, outputs: list[PhoneOutput]) -> None:
        for output in outputs:
            if isinstance(output, SendSip):
                self._fleet.transport.sendto(output.data, (output.hop.host, output.hop.port))
            else:
                super()._perform([output])


class Fleet(asyncio.DatagramProtocol):
    """The callees' side of the trunk: a phone for each call that comes, and 200 to short messages."""

    def __init__(self, here: Hop) -> None:
        self.here = here
        self.transport: asyncio.DatagramTransport
        self.lines: dict[str, Callee] = {}
        self.next_scripts: list[Script] = []
        self.texts = 0
        self._starting: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        found = re.search(rb"\nCall-ID:[ ]*([^\r\n]+)", data, re.I)
        call_id = found[1].decode() if found else ""
        line = self.lines.get(call_id)
        if line is not None:
            line.do(lambda now: line.phone.receive_sip(data, Hop("udp", *addr), now))
        elif data.startswith(b"MESSAGE "):
            message = parse_message(data)
            assert isinstance(message, Request)
            self.texts += 1
            self.transport.sendto(bytes(response_to(message, 200, to_tag="t")), addr)
        elif data.startswith(b"INVITE "):
            script = self.next_scripts.pop(0) if self.next_scripts else Script(refuse=480)
            task = asyncio.create_task(self._take(call_id, script, data, addr))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _take(self, call_id: str, script: Script, data: bytes, addr: Any) -> None:
        line = self.lines[call_id] = Callee(self, script)
        await line.start()
        line.do(lambda now: line.phone.receive_sip(data, Hop("udp", *addr), now))

    async def stop(self) -> None:
        """Let go of everything."""
        self.transport.close()
        await asyncio.gather(*self._starting)
        for line in self.lines.values():
            await line.stop()

    async def tidy(self) -> None:
        """Let go of phones whose call is over."""
        for call_id in [name for name, line in self.lines.items() if line.phone.phase is Phase.OVER]:
            await self.lines.pop(call_id).stop()


class Soak:
    """The node, its phones, and what was seen of it."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.samples: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self._random = Random(1)

    async def up(self, stack: AsyncExitStack) -> Soak:
        """Start it, and bind."""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maskline-soak-")))
        receiver = Receiver(HOST, "axb", SECRET, lambda event: receiver.events.clear())
        stack.push_async_callback(receiver.stop)
        port = free_tcp_and_udp_port(HOST)
        self.plan = NodePlan(
            folder=folder, host=HOST, peer=f"udp:{HOST}:{port}", key="axb", secret=SECRET, x=X1, numbers=(UNBOUND,),
            receiver=await receiver.start(), sip_port=free_tcp_and_udp_port(HOST), more=MORE,
            web_port=free_tcp_and_udp_port(HOST), media_ports=free_media_ports(HOST, 256),
            overrides={"MASKLINE_MEDIA__REST_SECONDS": "2"},
        )  # fmt: skip
        self.node = Node(self.plan)
        stack.push_async_callback(self.node.stop)
        await self.node.start(60)
        self.pids = processes(self.node.pid)
        self.http = await stack.enter_async_context(aiohttp.ClientSession())
        await self._bind()
        loop = asyncio.get_running_loop()
        made, self.fleet = await loop.create_datagram_endpoint(
            lambda: Fleet(Hop("udp", HOST, port)), local_addr=(HOST, port)
        )
        stack.callback(made.close)
        return self

    async def _bind(self) -> None:
        for key, path, body in (
            ("axb", "", {"callerNum": A, "calleeNum": B, "relationNum": X1, "recordFlag": "true"}),
            ("ax", AX, {"origNum": A, "privateNum": X2, "recordFlag": "false"}),
            ("axe", AXE, {"bindNum": A, "virtualNum": X3, "extendNum": "1234"}),
        ):
            customer = CustomerClient(self.http, self.plan.base_url, key, SECRET)
            if not path:
                await customer.bind(body)
                continue
            async with self.http.post(self.plan.base_url + path, json=body, headers=customer._headers()) as response:
                answer = await response.json(content_type=None)
                assert answer["resultcode"] == "0", answer

    async def call(self, kind: Kind) -> None:
        """One call, whatever becomes of it."""
        line = PhoneLine(HOST, lambda here, ports: Phone("caller", kind.calling, here=here, media_ports=ports,
                                                    seed=next(SEEDS)),
                         lambda phone, now: None)  # fmt: skip
        await line.start()
        target, uri = Hop("udp", HOST, self.plan.sip_port), f"sip:{kind.called}@{HOST}:{self.plan.sip_port}"
        # What is not let through to the callee leaves a script for the next: any will do.
        self.fleet.next_scripts = [*self.fleet.next_scripts[-4:], kind.answering]
        line.do(lambda now: line.phone.dial(target, uri, now, caller=f"<sip:{kind.caller}@{HOST}>"))
        for _ in range(2):
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    while line.phone.phase is not Phase.OVER:  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
                break
            # The callee that it got never answers, or never ends.
            line.do(line.phone.hang_up)
        self.outcomes[f"{kind.name}: {line.phone.history[-1].what}"] += 1
        await line.stop()

    async def text(self, number: int) -> None:
        """One short message from A to X."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] = loop.create_future()

        class One(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                if not answered.done():
                    answered.set_result(data)

        made, _ = await loop.create_datagram_endpoint(One, local_addr=(HOST, 0))
        here = "{}:{}".format(*made.get_extra_info("sockname"))
        made.sendto(
            f"MESSAGE sip:{X1}@{HOST} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKsoak{number};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{A}@{HOST}>;tag=s{number}\r\nTo: <sip:{X1}@{HOST}>\r\n"
            f"Call-ID: soak{number}\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
            .encode(), (HOST, self.plan.sip_port),
        )  # fmt: skip
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                await answered
        self.outcomes[f"SMS: {answered.result()[8:11].decode() if answered.done() else 'no answer'}"] += 1
        made.close()

    async def sample(self, at: float) -> None:
        """Look at every process."""
        for name, pid in self.pids.items():
            memory, sockets = of_process(pid)
            self._note(name, "memory", at, memory)
            self._note(name, "sockets", at, sockets)
        async with self.http.get(f"{self.plan.base_url}/metrics") as response:
            found = re.search(r"^maskline_tasks (\S+)", await response.text(), re.M)
        if found is not None:
            self._note("signalling", "tasks", at, float(found[1]))

    def _note(self, process: str, what: str, at: float, value: float) -> None:
        self.samples.setdefault((process, what), []).append((at, value))

    async def run(self, seconds: float) -> None:
        """Calls and samples until the time is over; then nothing, and a last look."""
        began = time.monotonic()
        kinds = [kind for kind in KINDS for _ in range(kind.weight)]
        going: set[asyncio.Task[None]] = set()
        number, due, look = 0, began, began
        while (now := time.monotonic()) < began + seconds:
            if now >= due:
                due, number = due + 1 / PER_SECOND, number + 1
                work = self.text(number) if number % 10 == 0 else self.call(self._random.choice(kinds))
                task = asyncio.create_task(work)
                going.add(task)
                task.add_done_callback(going.discard)
            if now >= look:
                look += SAMPLE
                await self.sample(now - began)
                await self.fleet.tidy()
            await asyncio.sleep(max(0.0, min(due, look) - time.monotonic()))
        await asyncio.gather(*going)
        await self.fleet.tidy()


def of_process(pid: int) -> tuple[float, float]:
    """Its resident memory in MB, and its file descriptors."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, float(len(os.listdir(f"/proc/{pid}/fd")))


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line through them, by least squares."""
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((at - x) ** 2 for at, _ in points)
    return sum((at - x) * (value - y) for at, value in points) / spread if spread else 0.0


def judge(samples: dict[tuple[str, str], list[tuple[float, float]]], seconds: float) -> bool:
    """The table; whether all of it is flat."""
    print(f"{'process':<12}{'what':<10}{'first':>9}{'last':>9}{'an hour':>10}{'measured':>10}{'allowed':>9}")
    flat = True
    for (process, what), points in samples.items():
        warm = [point for point in points if point[0] >= min(WARM_MOST, WARM_SHARE * seconds)]
        rise = slope(warm) * (warm[-1][0] - warm[0][0])
        mean = sum(value for _, value in warm) / len(warm)
        allowed = ALLOWED[what] * mean if what == "memory" else ALLOWED[what]
        good = rise <= allowed
        flat = flat and good
        row = f"{warm[0][1]:>9.1f}{warm[-1][1]:>9.1f}{3600 * slope(warm):>+10.1f}{rise:>+10.1f}{allowed:>9.1f}"
        print(f"{process:<12}{what:<10}{row}  {'flat' if good else 'RISES'}")
    return flat


async def main(seconds: float) -> bool:
    """Everything; whether it was flat."""
    async with AsyncExitStack() as stack:
        soak = await Soak().up(stack)
        await soak.run(seconds)
        print(f"{sum(soak.outcomes.values())} calls and messages in {seconds:.0f} s:")
        for outcome, count in sorted(soak.outcomes.items()):
            print(f"    {count:>6}  {outcome}")
        flat = judge(soak.samples, seconds)
        await asyncio.sleep(QUIET)
        async with soak.http.get(f"{soak.plan.base_url}/metrics") as response:
            text = await response.text()
        left = re.findall(r"^(maskline_calls_standing|maskline_rtp_ports\{.*in_use.*\}) (\S+)", text, re.M)
        faults = re.findall(r"^(maskline_sip_faults_total) (\S+)", text, re.M)
        print("left behind:", ", ".join(f"{name} {value}" for name, value in left + faults))
        return flat and all(float(value) == 0 for _, value in left + faults)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1800.0)) else 1)
