"""Sheds new calls when the process falls behind, so that the standing ones don't notice (RFC 6357, pains.md P26).

What belongs to a call is done as it is read. A new call waits until that is done: one is let in a turn of the loop, so
each is given as much time as the calls before it take. One that has waited too long gets 503 with Retry-After, without
state, for a thirtieth of what a call costs. Nothing is estimated: as long as there is time for a call one is taken, so
goodput stays what the processor can do however many are offered, and it is over as soon as the load is. Registrations
wait in a row of their own: a storm of them (all phones after a power cut) must not push calls out, nor calls them.

    a turn of the loop                                     at its end
    -----------------------------------------------------  ---------------------------------------------------
    a response, a request within a dialog, OPTIONS ...     (done at once)
    INVITE, MESSAGE without To tag                         one, unless there was more to do than a turn reads
                                                           (BUSY) or the database is behind (BEHIND)
    REGISTER                                               one, unless there was more to do than a turn reads
    CANCEL while INVITEs wait                              in its place, so that it comes behind its INVITE
    what has waited longer than PATIENCE                   503
    the ACK of such a 503, known by its tag (MARK)         dropped unread

PATIENCE is longer than what the scheduler may take from us at a time, and shorter than T1, so nobody sends anything
again. An INVITE that was refused is refused when it comes again all the same: its 503 may have crossed it, and a call
that its caller holds for refused must not ring.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from gateway.sip.hop import Hop

PATIENCE = 0.3
BUSY = 16
"""uvloop reads 32 datagrams a turn at most: so many that belong to calls mean that more are there."""
BEHIND = 400
AT_ONCE = 64
MOST = 2000
REMEMBERED = 4096
QUIET_SECONDS = 5.0
_NEW = (b"INVITE ", b"MESSAGE ")
_REGISTER = b"REGISTER "
_CANCEL = b"CANCEL "
_ACK = b"ACK "
MARK = "shed."
_OURS = f";tag={MARK}".encode()
_WITHIN = re.compile(rb"\r\n(?:to|t)[ \t]*:[^\r\n]*;[ \t]*tag[ \t]*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that waits, and since when."""

    data: bytes
    source: Hop
    at: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What comes next: ``taken`` in this order, and those that are refused. ``again``: the next turn comes soon."""

    taken: list[Arrival]
    refused: list[Arrival]
    again: bool = True


class Overload:
    """``shed`` counts calls and texts that were refused, ``put_off`` registrations, ``dropped`` what there was no room
    for."""

    __slots__ = ("_known", "_queue", "_registers", "_shed_at", "done", "dropped", "put_off", "shed", "shedding")

    def __init__(self) -> None:
        self.shed = 0
        self.put_off = 0
        self.dropped = 0
        self.shedding = False
        self.done = 0
        """Messages of calls since the last turn: whoever does them counts them."""
        self._queue: deque[Arrival] = deque()
        self._registers: deque[Arrival] = deque()
        self._known: dict[int, None] = {}
        """What was refused lately."""
        self._shed_at = 0.0

    def __len__(self) -> int:
        return len(self._queue) + len(self._registers)

    def waits(self, data: bytes) -> bool:
        """Whether a message has to wait for a turn."""
        if data.startswith(_NEW):
            return _WITHIN.search(data) is None
        return data.startswith(_REGISTER) or (bool(self._queue) and data.startswith(_CANCEL))

    @staticmethod
    def is_over(data: bytes) -> bool:
        """Whether a message is the ACK of a refusal: nothing waits for it."""
        return data.startswith(_ACK) and _OURS in data

    def put(self, data: bytes, source: Hop, now: float) -> None:
        """Let a message wait."""
        queue = self._registers if data.startswith(_REGISTER) else self._queue
        if len(queue) < MOST:
            queue.append(Arrival(data, source, now))
        else:
            self.dropped += 1

    def turn(self, now: float, waiting: int) -> Turn:
        """What follows at the end of a turn. ``waiting``: what the database has not answered."""
        queue = self._queue
        behind, busy, self.done = waiting >= BEHIND, self.done >= BUSY, 0
        room = 0 if busy or behind else 1
        turn = Turn([], [], not behind)
        taken, refused = turn.taken, turn.refused
        oldest = now - PATIENCE
        while queue and len(refused) < AT_ONCE:
            one = queue[0]
            if one.data.startswith(_CANCEL):
                taken.append(one)
            elif (one.at < oldest and (not room or len(queue) > 1)) or (self._known and hash(one.data) in self._known):
                refused.append(one)
            elif room:
                room -= 1
                taken.append(one)
            else:
                break
            queue.popleft()
        self._remember(refused, now)
        if self._registers:
            self._register(turn, oldest, busy)
        return turn

    def _register(self, turn: Turn, oldest: float, busy: bool) -> None:
        """What of the registrations follows: the first that has not waited too long, or is the last one there is."""
        queue = self._registers
        while queue and len(turn.refused) < AT_ONCE and queue[0].at < oldest and (busy or len(queue) > 1):
            turn.refused.append(queue.popleft())
            self.put_off += 1
        if queue and not busy and (len(queue) == 1 or queue[0].at >= oldest):
            turn.taken.append(queue.popleft())

    def turned(self, now: float) -> bool | None:
        """True when shedding has begun since the last time, False when it has ended, None otherwise."""
        shedding = self.shed > 0 and now - self._shed_at < QUIET_SECONDS
        if shedding is self.shedding:
            return None
        self.shedding = shedding
        return shedding

    def leave(self, source: Hop) -> list[Arrival]:
        """Take out what waits of one connection."""
        left = [one for one in (*self._queue, *self._registers) if one.source == source]
        if left:
            self._queue = deque(one for one in self._queue if one.source != source)
            self._registers = deque(one for one in self._registers if one.source != source)
        return left

    def clear(self) -> None:
        """Forget what waits."""
        self._queue.clear()
        self._registers.clear()

    def _remember(self, refused: list[Arrival], now: float) -> None:
        for one in refused:
            self._known[hash(one.data)] = None
            self.shed += 1
            self._shed_at = now
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
