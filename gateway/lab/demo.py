"""``maskline demo`` [IO]: a node, two phones, one masked call, everything about it checked.

    1. the customer's server (``receiver``) and phone B bind their ports; the node is configured and started
    2. the customer binds A-X-B through the REST API
    3. A dials X; B rings, answers, both talk; B hangs up when both have heard each other for ``TALK`` seconds
    4. the last event arrives; the recording is fetched through the API
    5. the table

Ends by itself; the node and the sockets are gone afterwards, however it ends.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from rich.console import Console

from gateway.lab.analysis import ToneHeard, ToneWatch
from gateway.lab.checks import A_VOICE, B_VOICE, Check, Evidence, all_checks
from gateway.lab.client import ApiError, CustomerClient
from gateway.lab.ladder import Ladder
from gateway.lab.memory import audio_of
from gateway.lab.node import Node, NodeError, NodePlan
from gateway.lab.phone import Phase, Phone
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.receiver import Event, Receiver
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.numbers import PhoneNumber
from gateway.sip.hop import Hop

HOST = "127.0.0.1"
A = PhoneNumber("+8613800000021")
B = PhoneNumber("+8613800000023")
X = PhoneNumber("+8617000000001")
KEY, SECRET = "demo-axb", "demo-secret"
TALK = 4.0
CALL_LIMIT = 14.0
SCRIPT_A = Script(tone_hz=A_VOICE)
SCRIPT_B = Script(tone_hz=B_VOICE, ring_after=0.4, answer_after=2.4)


class DemoFailure(Exception):
    """The demo can't go on; the text says why."""


def demo(*, keep: Path | None = None, plain: bool | None = None) -> int:
    """Run the demo and give its exit code: 0 when every check holds, 130 on Ctrl-C.

    ``keep``: where database, log and recording go (default: a new folder in ``var/demo``, or a temporary one).
    ``plain``: True never colours, False always does; default as the output is a terminal or not.
    """
    terminal = None if plain is None else not plain
    console = Console(force_terminal=terminal, no_color=plain or None, highlight=False)
    if not console.is_terminal:
        console = Console(width=110, no_color=True, highlight=False)
    try:
        checks = asyncio.run(_run(_folder(keep), console))
    except (DemoFailure, NodeError, ApiError, aiohttp.ClientError, OSError) as error:
        console.print(f"The demo failed: {error}", style="bold red", markup=False)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("\nInterrupted; the node has been stopped.", style="yellow")
        return 130
    return 0 if checks and all(check.passed for check in checks) else 1


def _folder(keep: Path | None) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=stamp, dir=keep)).absolute()
    with suppress(OSError):
        home = Path("var/demo")
        home.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=stamp, dir=home)).absolute()
    return Path(tempfile.mkdtemp(prefix="maskline-demo-")).absolute()


async def _run(folder: Path, console: Console) -> list[Check]:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    stage = Stage(Ladder(console, loop.time()))
    async with AsyncExitStack() as stack:
        call = await _prepare(stage, folder, stack)
        await _bind(stage, call)
        await _talk(stage, call)
        evidence, path = await _collect(stage, call, folder)
        checks = all_checks(evidence)
        stage.ladder.heading("Checks")
        stage.ladder.table([(check.name, check.measured, check.passed) for check in checks])
        failed = sum(not check.passed for check in checks)
        verdict = f"{failed} of {len(checks)} checks failed; see {folder}/node.log" if failed else "Every check holds."
        stage.ladder.say(f"\n{verdict}", "bold red" if failed else "bold green")
        stage.ladder.say(f"Recording: {path}")
        return checks


class Stage:
    """Shows what happens as it happens: looks at a phone after each input and prints what is new."""

    def __init__(self, ladder: Ladder) -> None:
        self.ladder = ladder
        self._shown: dict[str, tuple[int, int]] = {}
        self._watches = {"A": ToneWatch(), "B": ToneWatch()}
        self._heard_other: set[str] = set()
        self._moved = asyncio.Event()

    @property
    def bridged(self) -> bool:
        """Both have heard each other."""
        return len(self._heard_other) == 2

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``condition`` of the phones holds, ``seconds`` at most; whether it does."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self._moved.clear()
                    await self._moved.wait()
        return condition()

    def look(self, phone: Phone, now: float) -> None:
        """Print messages and tones of ``phone`` that came since the last look."""
        traces, arrivals = self._shown.get(phone.name, (0, 0))
        self._shown[phone.name] = len(phone.traces), len(phone.arrivals)
        for trace in phone.traces[traces:]:
            self.ladder.message(trace.at, phone.name, sent=trace.sent, title=trace.title)
        watch = self._watches[phone.name]
        for arrival in phone.arrivals[arrivals:]:
            if audio := audio_of(arrival):
                for change in watch.feed(arrival.at, audio):
                    self._tone(phone.name, change)
        for change in watch.quiet(now):
            self._tone(phone.name, change)
        self._moved.set()

    def event(self, event: Event) -> None:
        """Print an event as it arrives at the customer's server."""
        fields = event.fields
        names = {"fee": ("callerNum", "bindNum", "fwdDstNum", "recordObjectName")}.get(
            event.kind, ("caller", "called", "stateCode")
        )
        text = ", ".join(f"{name} {fields[name]}" for name in names if name in fields)
        self.ladder.note(event.at, f"event {event.kind}: {text}", "blue")

    def _tone(self, name: str, change: ToneHeard) -> None:
        other = B_VOICE if name == "A" else A_VOICE
        if change.started:
            self.ladder.note(change.at, f"{name} hears {_article(change)} ({change.hertz} Hz)")
            if change.hertz == other:
                before = self.bridged
                self._heard_other.add(name)
                if self.bridged and not before:
                    self.ladder.note(change.at, "the bridge stands: A and B hear each other", "bold magenta")
        else:
            text = f"{name} no longer hears {_article(change)}, after {change.lasted:.1f} s"
            self.ladder.note(change.at, text, "dim magenta")


def _article(change: ToneHeard) -> str:
    return change.meaning if "'" in change.meaning else f"the {change.meaning}"


@dataclass(frozen=True, slots=True)
class Call:
    """What the demo's call is made with."""

    node: Node
    receiver: Receiver
    customer: CustomerClient
    caller: PhoneLine
    callee: PhoneLine


async def _prepare(stage: Stage, folder: Path, stack: AsyncExitStack) -> Call:
    """Bind everything that listens, start the node. What is entered into ``stack`` is ended with it, in reverse."""
    loop = asyncio.get_running_loop()
    stage.ladder.heading("A node of its own")
    receiver = Receiver(HOST, KEY, SECRET, stage.event)
    stack.push_async_callback(receiver.stop)
    address = await receiver.start()
    caller, callee = (_line("A", SCRIPT_A, 1, stage), _line("B", SCRIPT_B, 2, stage))
    for line in (caller, callee):
        stack.push_async_callback(line.stop)
        await line.start()
    plan = NodePlan(
        folder=folder,
        host=HOST,
        peer=str(callee.phone.here),
        key=KEY,
        secret=SECRET,
        x=X.e164,
        receiver=address,
        sip_port=free_tcp_and_udp_port(HOST),
        web_port=free_tcp_and_udp_port(HOST),
        media_ports=free_media_ports(HOST),
    )
    node = Node(plan)
    stack.push_async_callback(node.stop)
    began = loop.time()
    await node.start()
    stage.ladder.say(f"ready after {loop.time() - began:.1f} s: SIP {HOST}:{plan.sip_port}, API {plan.base_url}")
    http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)))
    return Call(node, receiver, CustomerClient(http, plan.base_url, KEY, SECRET), caller, callee)


def _line(name: str, script: Script, seed: int, stage: Stage) -> PhoneLine:
    def phone(here: Hop, media_ports: tuple[int, int]) -> Phone:
        return Phone(name, script, here=here, media_ports=media_ports, seed=seed)

    return PhoneLine(HOST, phone, stage.look)


async def _bind(stage: Stage, call: Call) -> None:
    stage.ladder.heading("The customer binds A-X-B through the API")
    reply = await call.customer.bind(
        {
            "callerNum": A.e164,
            "calleeNum": B.e164,
            "relationNum": X.e164,
            "recordFlag": "true",
            "recordHintTone": "notice.wav",
            "preVoice": {"callerHintTone": "waiting.wav", "calleeHintTone": "waiting.wav"},
        }
    )
    stage.ladder.say(f"A {A.e164}  X {X.e164}  B {B.e164}  ->  subscription {reply.get('subscriptionId')}")


async def _talk(stage: Stage, call: Call) -> None:
    """Place the call and wait until it is over on both legs."""
    stage.ladder.heading("A dials X")
    target = Hop("udp", HOST, call.node.plan.sip_port)
    uri = f"sip:{X.e164}@{HOST}:{target.port}"
    caller = f"<sip:{A.e164}@{HOST}>"
    call.caller.do(
        lambda now: call.caller.phone.dial(
            target, uri, now, caller=caller, headers=[("P-Asserted-Identity", f"<sip:{A.e164}@{HOST};user=phone>")]
        )
    )
    phones = (call.caller.phone, call.callee.phone)
    await stage.until(lambda: stage.bridged or any(phone.phase is Phase.OVER for phone in phones), CALL_LIMIT)
    await stage.until(lambda: any(phone.phase is Phase.OVER for phone in phones), TALK)
    for line in (call.callee, call.caller):
        if line.phone.phase is not Phase.OVER:
            line.do(line.phone.hang_up)
        await stage.until(lambda: all(phone.phase is Phase.OVER for phone in phones), 2.0)
    for phone in phones:
        if phone.answered_at is None or phone.phase is not Phase.OVER:
            raise DemoFailure(f"phone {phone.name}: {phone.history[-1].what}\n{call.node.log_tail()}")


async def _collect(stage: Stage, call: Call, folder: Path) -> tuple[Evidence, Path]:
    """Wait for the last event, fetch the recording, look up its erase date."""
    fee = await call.receiver.wait_for("fee", 6.0)
    if fee is None:
        raise DemoFailure(f"no fee event came\n{call.node.log_tail()}")
    name, domain = fee.fields.get("recordObjectName"), fee.fields.get("recordDomain")
    if not name or not domain:
        raise DemoFailure(f"the CDR names no recording: {fee.fields}")
    stage.ladder.heading("The customer fetches the recording")
    download = await call.customer.recording(name, domain)
    path = folder / name
    path.write_bytes(download.content)
    stage.ladder.say(f"301 to {download.location.partition('?')[0]}, {len(download.content)} bytes")
    evidence = Evidence(
        caller=call.caller.phone,
        callee=call.callee.phone,
        a=A,
        b=B,
        x=X,
        events=tuple(call.receiver.events),
        recording=download.content,
        erase_at=await _erase_date(folder / "maskline.db", name),
        looked_at=datetime.now(UTC),
    )
    return evidence, path


async def _erase_date(database: Path, name: str, seconds: float = 3.0) -> datetime | None:
    """When the node will erase the recording; it is set once the CDR's delivery is written down."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            row = connection.execute("SELECT erase_at FROM recording WHERE name = ?", (name,)).fetchone()
        connection.close()
        if row is not None and row[0] is not None:
            return datetime.fromtimestamp(row[0], UTC)
        if asyncio.get_running_loop().time() >= end:
            return None
        await asyncio.sleep(0.05)
