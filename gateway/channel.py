"""The line between the signalling process and the web process: length-prefixed msgspec messages on a socket pair.

Web asks (``StopCall``, ``AskStatus``, ``ListCalls``, ``ListBans``, ``LiftBans``, ``ListTrunks``, ``AskMetrics``),
signalling asks too (``Question``), and each question gets one reply with its ``id``; signalling also nudges (``Nudge``:
rows wait in the outbox, perhaps a recording waits to be rendered).
When one end's process is gone the other end reads end-of-file, so no process outlives its node.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from collections.abc import Callable

import msgspec

from gateway.metrics.tally import Row
from gateway.questions import Question, TextQuestion, TextVerdict, Verdict
from gateway.standing import StandingBan, StandingCall, StandingTrunk
from gateway.telemetry.journey import Journey
from gateway.tracing.recorder import Switch
from gateway.tracing.store import Traced

_LIMIT = 1 << 23  # ten thousand calls in one list


class _Message(msgspec.Struct, frozen=True, tag=True):
    pass


class StopCall(_Message, frozen=True):
    """Hang up both parties of the call whose public session id is ``session``, if ``application`` owns it."""

    id: int
    application: str
    session: str


class AskStatus(_Message, frozen=True):
    """Is the signalling side ready?"""

    id: int


class Reply(_Message, frozen=True):
    """The answer to the question ``id``; to AskStatus: ``calls`` that stand, and ``notes`` of what is wrong."""

    id: int
    ok: bool
    calls: int = 0
    notes: tuple[str, ...] = ()


class ListCalls(_Message, frozen=True):
    """Which calls stand?"""

    id: int


class Calls(_Message, frozen=True):
    """The answer to ListCalls."""

    id: int
    calls: list[StandingCall]


class ListBans(_Message, frozen=True):
    """Who is kept out?"""

    id: int


class AskMetrics(_Message, frozen=True):
    """What have the signalling process and the media workers counted?"""

    id: int


class LiftBans(_Message, frozen=True):
    """Let ``source`` in again, or everybody when it is ""."""

    id: int
    source: str


class Bans(_Message, frozen=True):
    """The answer to ListBans, and to LiftBans those that were lifted."""

    id: int
    bans: list[StandingBan]


class Metrics(_Message, frozen=True):
    """The answer to AskMetrics."""

    id: int
    rows: list[Row]


class ListTrunks(_Message, frozen=True):
    """How are the trunks?"""

    id: int


class Trunks(_Message, frozen=True):
    """The answer to ListTrunks."""

    id: int
    trunks: list[StandingTrunk]


class Nudge(_Message, frozen=True):
    """There may be work: rows in the outbox, and recordings to render unless it says that there are none."""

    recordings: bool = True


class SetSwitches(_Message, frozen=True):
    """These traces are wanted, and no others."""

    switches: list[Switch]


class Finish(_Message, frozen=True):
    """The node stops: finish what is pending, then end."""


Answer = Reply | Calls | Bans | Trunks | Metrics | Verdict | TextVerdict
Asked = StopCall | AskStatus | ListCalls | ListBans | LiftBans | ListTrunks | AskMetrics
Message = Asked | SetSwitches | Traced | Journey | Nudge | Finish | Question | TextQuestion | Answer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


class Channel:
    """One end. ``on_message`` gets everything but replies; ``closed`` is set at end-of-file."""

    def __init__(self, on_message: Callable[[Message], None]) -> None:
        self.closed = asyncio.Event()
        self._on_message = on_message
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, end: socket.socket) -> None:
        """Take over one end of a connected stream socket pair."""
        end.setblocking(False)
        reader, self._writer = await asyncio.open_unix_connection(sock=end)
        self._task = asyncio.create_task(self._read(reader))

    def send(self, message: Message) -> None:
        """Send without waiting; dropped when the other end is gone."""
        if self._writer is None or self.closed.is_set():
            return
        data = _encode(message)
        self._writer.write(struct.pack(">I", len(data)) + data)

    async def ask(self, make: Callable[[int], StopCall | AskStatus], seconds: float = 5.0) -> Reply:
        """Send ``make(id)`` and wait for its reply; not answered in time, or the other end gone: ``ok`` False."""
        answer = await self._exchange(make, seconds)
        return answer if isinstance(answer, Reply) else Reply(0, False)

    async def list_calls(self, seconds: float = 5.0) -> list[StandingCall] | None:
        """The calls that stand; None when the other side does not answer."""
        answer = await self._exchange(ListCalls, seconds)
        return answer.calls if isinstance(answer, Calls) else None

    async def list_bans(self, seconds: float = 5.0) -> list[StandingBan] | None:
        """Who is kept out; None when the other side does not answer."""
        answer = await self._exchange(ListBans, seconds)
        return answer.bans if isinstance(answer, Bans) else None

    async def lift_bans(self, source: str, seconds: float = 5.0) -> list[StandingBan] | None:
        """Let a source in again, or all (""): the bans that were lifted."""
        answer = await self._exchange(lambda number: LiftBans(number, source), seconds)
        return answer.bans if isinstance(answer, Bans) else None

    async def list_trunks(self, seconds: float = 5.0) -> list[StandingTrunk] | None:
        """How the trunks are; None when the other side does not answer."""
        answer = await self._exchange(ListTrunks, seconds)
        return answer.trunks if isinstance(answer, Trunks) else None

    async def metrics(self, seconds: float = 3.0) -> list[Row]:
        """What the other side and its workers have counted; nothing when it does not answer."""
        answer = await self._exchange(AskMetrics, seconds)
        return answer.rows if isinstance(answer, Metrics) else []

    async def consult(self, make: Callable[[int], Question], seconds: float) -> Verdict | None:
        """Send a question and wait for its verdict; None when there is none in time."""
        answer = await self._exchange(make, seconds)
        return answer if isinstance(answer, Verdict) else None

    async def consult_text(self, make: Callable[[int], TextQuestion], seconds: float) -> TextVerdict | None:
        """Likewise about a short message."""
        answer = await self._exchange(make, seconds)
        return answer if isinstance(answer, TextVerdict) else None

    async def _exchange(self, make: Callable[[int], Message], seconds: float) -> Answer | None:
        number = next(self._ids)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self.send(make(number))
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(number, None)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                (size,) = struct.unpack(">I", await reader.readexactly(4))
                if size > _LIMIT:
                    break
                message = _decode(await reader.readexactly(size))
                if isinstance(message, Answer):
                    future = self._waiting.get(message.id)
                    if future is not None and not future.done():
                        future.set_result(message)
                else:
                    self._on_message(message)
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.MsgspecError):
            pass
        finally:
            self.closed.set()
            for number, future in self._waiting.items():
                if not future.done():
                    future.set_result(Reply(number, False))

    async def close(self) -> None:
        """Close this end."""
        self.closed.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
