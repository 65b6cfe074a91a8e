"""The media of one call as the call sees it: which worker has it, and the commands it has sent; and the choice of one.

The least loaded ready worker takes a new call. A command to a session that isn't open is not sent.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from gateway.calls.ledger import Ledger
from gateway.calls.outputs import CallOutput, MediaCommand
from gateway.calls.settings import DataKey
from gateway.calls.tones import Tones
from gateway.sip.user_agent import Output
from media import control


class Workers:
    """The media workers that are ready: how many sessions each can hold, and how many it holds."""

    def __init__(self) -> None:
        self._room: dict[int, int] = {}
        self._held: dict[int, int] = {}
        self._resting: dict[int, list[int]] = {}

    @property
    def ready(self) -> bool:
        """Whether there is any."""
        return bool(self._room)

    def add(self, worker: int, sessions: int) -> list[MediaCommand]:
        """A worker is up, empty, with ports for ``sessions``; the first thing that it is to be told."""
        self._room[worker] = sessions
        self._held[worker] = 0
        ports = self._resting.pop(worker, ())
        return [MediaCommand(worker, control.Rest(tuple(ports)))] if ports else []

    def remove(self, worker: int) -> None:
        """A worker is gone."""
        self._room.pop(worker, None)
        self._held.pop(worker, None)

    def rest(self, worker: int, ports: Iterable[int]) -> None:
        """Packets may still come to these ports of a worker that died."""
        self._resting.setdefault(worker, []).extend(ports)

    def take_of(self, worker: int) -> bool:
        """A place in this worker; its ports may be somebody's already, so it may hold more than it has room for."""
        if worker not in self._held:
            return False
        self._held[worker] += 1
        return True

    def take(self, avoid: Container[int | None] = ()) -> int | None:
        """A place in the least loaded worker that isn't to be avoided, None when all are full or there is none."""
        free = [
            (held / self._room[worker], worker)
            for worker, held in self._held.items()
            if held < self._room[worker] and worker not in avoid
        ]
        if not free:
            return None
        worker = min(free)[1]
        self._held[worker] += 1
        return worker

    def give_back(self, worker: int) -> None:
        """A place is free again."""
        if self._held.get(worker):
            self._held[worker] -= 1

    @property
    def capacity(self) -> int:
        """Places in all workers."""
        return sum(self._room.values())

    @property
    def held(self) -> int:
        """Places taken in all workers."""
        return sum(self._held.values())


class MediaSession:
    """One session; its commands are appended to ``out``. ``worker`` stays known after the end, for its last report.

    ``parts``: workers that have had it. Between two of them it counts as open, and what it is told is noted.
    """

    __slots__ = ("_between", "_call", "_ledger", "_open", "_out", "_workers", "parts", "tones", "worker")

    def __init__(self, call: str, workers: Workers, out: list[Output | CallOutput]) -> None:
        self._call = call
        self._workers = workers
        self._out = out
        self._open = False
        self._between = False
        self._ledger = Ledger()
        self.tones = Tones()
        self.worker: int | None = None
        self.parts = 0

    def open(self) -> bool:
        """Ask a worker for ports; False when none has room."""
        self.worker = self._workers.take()
        self.parts = 0
        return self._opened(None)

    def move(self, avoid: Container[int | None]) -> bool:
        """Between two workers: ask another one and tell it all. False: none has room."""
        self.worker = self._workers.take(avoid)
        return self._opened(None)

    def return_to(self, worker: int, ports: tuple[int, int]) -> bool:
        """Ask this one for these ports, and tell it all; who has the session now, leaves it. False: it isn't there."""
        if not self._workers.take_of(worker):
            return False
        self.send(control.Close(self._call))
        self._leave()
        self.worker = worker
        return self._opened(ports)

    def _opened(self, ports: tuple[int, int] | None) -> bool:
        self._open = self.worker is not None
        if self.worker is not None:
            self._between = False
            self.parts += 1
            self._out.append(MediaCommand(self.worker, control.Open(self._call, ports, self.parts - 1)))
            self._out.extend(MediaCommand(self.worker, one) for one in self._ledger.commands(self.parts - 1))
        return self._open

    def refused(self) -> None:
        """The worker has no ports."""
        self._leave()
        self._between = self.parts > 1

    def lost(self) -> None:
        """The worker is gone, and the session with it; its places went with it too."""
        self._open = False
        self._between = True
        self.worker = None

    def give_up(self) -> None:
        """No worker will have it any more."""
        self._between = False

    def close(self) -> bool:
        """End the session; whether there was one. The worker answers Closed."""
        opened = self._open
        self.send(control.Close(self._call))
        self._leave()
        self._between = False
        return opened

    def heard(self, report: control.Report) -> None:
        """The worker says something of it."""
        self._ledger.heard(report)
        if isinstance(report, control.Played):
            self.tones.played(report)

    def play(self, leg: int, play: str, files: tuple[str, ...], now: float, *, loop: bool = False) -> None:
        """Play files to a leg in place of what it hears."""
        if self.is_open:
            self.tones.begin(leg, play, files, now)
        self.send(control.Play(self._call, leg, play, files, loop))

    def stop(self, leg: int, play: str = "") -> None:
        """Stop what plays to a leg."""
        self.send(control.Stop(self._call, leg, play))

    def relay(self, *, caller_hears: bool, callee_hears: bool) -> None:
        """Who hears the other."""
        self.send(control.Relay(self._call, caller_hears, callee_hears))

    def record(self, path: str, key: DataKey, now: float) -> None:
        """Spool what both send."""
        self._ledger.note(control.Record(self._call, path, key.secret, now, key.kept))
        if self._open and self.worker is not None:
            told = control.Record(self._call, path, key.secret, kept_key=key.kept)
            self._out.append(MediaCommand(self.worker, told))

    @property
    def is_open(self) -> bool:
        """Whether there are ports."""
        return self._open or self._between

    def listen(self, leg: int, digits: bool) -> None:
        """Whether digits are listened for in a leg's sound."""
        self.send(control.Listen(self._call, leg, digits))

    def dial(self, leg: int, play: str, digits: str) -> None:
        """Send keys to a leg; keys of the same ``play`` follow those still being sent."""
        self.send(control.SendDigits(self._call, leg, play, digits))

    def watch(self, seconds: float) -> None:
        """Report silence; 0: don't."""
        self.send(control.Watch(self._call, seconds))

    def send(self, command: control.Command) -> None:
        """Any command."""
        if self._open and self.worker is not None:
            self._ledger.note(command)
            self._out.append(MediaCommand(self.worker, command))
        elif self._between:
            self._ledger.note(command)

    def _leave(self) -> None:
        if self._open and self.worker is not None:
            self._open = False
            self._workers.give_back(self.worker)
