"""Shedding against a server made of a socket, a loop and costs, in virtual time: goodput holds, nobody waits long."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from itertools import count
from random import Random

import pytest

from gateway.sip.gate import GateSettings
from gateway.sip.hop import Hop
from gateway.sip.overload import BEHIND, BUSY, MOST, PATIENCE, Overload

CAPACITY = 300.0
FIRST = 0.4 / CAPACITY
LATER = (0.005, 0.02, 0.04, 0.3, 0.31, 0.32)
"""When a call's further messages come, after it was taken; the last ones are its end."""
EACH = 0.6 / CAPACITY / len(LATER)
SHED = 0.04 / CAPACITY
REGISTER = 0.1 / CAPACITY
SOCKET = 400
READS = 32
AGAIN = 0.5
FROM = Hop("udp", "192.0.2.1", 5060)
ACK = b"ACK sip:x SIP/2.0\r\n\r\n"


def invite(number: int) -> bytes:
    return b"INVITE sip:x SIP/2.0\r\nTo: <sip:x>\r\nCall-ID: %d\r\n\r\n" % number


def register(number: int) -> bytes:
    return b"REGISTER sip:x SIP/2.0\r\nTo: <sip:x>\r\nCall-ID: %d\r\n\r\n" % number


def cancel(number: int) -> bytes:
    return b"CANCEL sip:x SIP/2.0\r\nTo: <sip:x>\r\nCall-ID: %d\r\n\r\n" % number


@dataclass
class Seen:
    """What a time of the server's life was like, by the second."""

    good: float
    slowest: float
    worst: float
    """The least goodput of any second of it."""


class Server:
    """As a node: what is read and belongs to calls is done, then a turn of Overload; each costs its time."""

    def __init__(self, speed: float = 1.0, seed: int = 1) -> None:
        self.overload = Overload()
        self.now = 0.0
        self.sent_again = 0
        self.registered = 0
        self.turns: list[tuple[float, bool]] = []
        self._speed = speed
        self._random = Random(seed)
        self._numbers = count()
        self._coming: list[tuple[float, int, str, int]] = []
        self._socket: list[tuple[str, int]] = []
        self._heard: dict[int, float] = {}
        """Calls that were not answered in any way, and since when."""
        self._left: dict[int, int] = {}
        self._good: list[float] = []
        self._delays: list[tuple[float, float]] = []

    def run(self, offered: float, seconds: float, waiting: int = 0, registers: float = 0.0) -> Seen:
        begun, end = self.now, self.now + seconds
        for number in range(int(registers * seconds)):
            self._come(begun + number / registers, "register", next(self._numbers))
        at = begun
        while (at := at + self._random.expovariate(offered)) < end:
            self._come(at, "invite", next(self._numbers))
        while self.now < end:
            self._turn(waiting)
        good = Counter(int(at - begun) for at in self._good if at >= begun)
        delays = [delay for at, delay in self._delays if at >= begun]
        worst = min((good[second] for second in range(1, int(seconds))), default=0)
        return Seen(sum(good.values()) / seconds, max(delays, default=0.0), worst)

    def _come(self, at: float, what: str, call: int) -> None:
        heapq.heappush(self._coming, (at, next(self._numbers), what, call))

    def _spend(self, cost: float) -> None:
        self.now += cost / self._speed

    def _turn(self, waiting: int) -> None:
        while self._coming and self._coming[0][0] <= self.now:
            at, _, what, call = heapq.heappop(self._coming)
            if what == "invite":
                self._heard.setdefault(call, at)
            if len(self._socket) >= SOCKET:
                self._come(self.now + AGAIN, what, call)
                self.sent_again += 1
                continue
            self._socket.append((what, call))
        read, self._socket = self._socket[:READS], self._socket[READS:]
        if not read and not self.overload:
            self.now = max(self.now, self._coming[0][0]) if self._coming else self.now + 1.0
            return
        for what, call in read:
            data = {"invite": invite, "register": register}.get(what, lambda _: ACK)(call)
            if self.overload.waits(data):
                self.overload.put(data, FROM, self.now)
                continue
            self.overload.done += 1
            self._spend({"later": EACH, "register": REGISTER}.get(what, SHED / 2))
            if what == "later":
                self._left[call] -= 1
                if not self._left[call]:
                    self._good.append(self.now)
        self._new(waiting)

    def _new(self, waiting: int) -> None:
        turn = self.overload.turn(self.now, waiting)
        for one in turn.refused:
            self._spend(SHED / 2)
            if one.data.startswith(b"INVITE"):
                self._come(self.now + 0.001, "ack", 0)
        for one in turn.taken:
            if one.data.startswith(b"REGISTER"):
                self._spend(REGISTER)
                self.registered += 1
                continue
            call = int(one.data.split()[-1])
            self._spend(FIRST)
            self._delays.append((self.now, self.now - self._heard[call]))
            self._left[call] = len(LATER)
            for after in LATER:
                self._come(self.now + after, "later", call)
        if not turn.taken and not turn.refused:
            self.now += 0.005 if self.overload else 0.0
        turned = self.overload.turned(self.now)
        if turned is not None:
            self.turns.append((self.now, turned))


@pytest.mark.parametrize(("times", "speed"), [(1.5, 1.0), (3.0, 1.0), (3.0, 0.4), (6.0, 0.4)])
def test_goodput_holds_steadily_and_who_is_taken_has_not_waited(times: float, speed: float) -> None:
    server = Server(speed)
    seen = server.run(times * CAPACITY * speed, 5.0)
    best = CAPACITY * speed * (1 - (times - 1) * SHED * CAPACITY)
    assert seen.good > 0.9 * best
    assert seen.worst > 0.85 * best
    assert seen.slowest < 0.5
    assert server.sent_again == 0
    assert [began for _, began in server.turns] == [True]


def test_below_capacity_nothing_is_shed() -> None:
    server = Server()
    assert server.run(0.85 * CAPACITY, 5.0).slowest < 0.1
    assert server.overload.shed == 0


def test_a_burst_that_is_worked_off_sheds_nothing_and_it_ends_with_the_load() -> None:
    server = Server()
    server.run(0.5 * CAPACITY, 2.0)
    server.run(5 * CAPACITY, 0.05)
    server.run(0.5 * CAPACITY, 2.0)
    assert server.overload.shed == 0
    server.run(3 * CAPACITY, 2.0)
    shed = server.overload.shed
    assert shed > 2 * CAPACITY
    server.run(0.5 * CAPACITY, 8.0)
    assert server.overload.shed - shed < PATIENCE * 3 * CAPACITY
    assert [began for _, began in server.turns] == [True, False]


def test_a_database_that_does_not_answer_sheds_all() -> None:
    server = Server()
    server.run(0.1 * CAPACITY, 3.0, waiting=BEHIND)
    assert server.overload.shed > 0.9 * 0.1 * CAPACITY * 3.0
    shed = server.overload.shed
    server.run(0.1 * CAPACITY, 3.0)
    assert server.overload.shed - shed <= 1 + 0.1 * CAPACITY * PATIENCE


def test_a_storm_of_registrations_takes_what_calls_leave() -> None:
    """As many as a trunk may send (gate.py), more than could be done alone, beside half the calls that could."""
    server = Server()
    calls = 0.5 * CAPACITY
    seen = server.run(calls, 5.0, registers=GateSettings().trunk_messages_per_second)
    assert server.overload.shed == 0
    assert seen.good > 0.9 * calls
    assert seen.slowest < 0.1
    assert server.sent_again == 0
    assert server.overload.put_off > 0
    assert server.registered > 0


def test_calls_that_are_shed_do_not_push_registrations_out() -> None:
    server = Server()
    server.run(3 * CAPACITY, 5.0, registers=0.1 * CAPACITY)
    assert server.overload.put_off == 0
    assert server.registered > 0.9 * 0.1 * CAPACITY * 5.0


@pytest.mark.parametrize(
    ("data", "waits"),
    [
        (invite(1), True),
        (b"MESSAGE sip:x SIP/2.0\r\nTo: <sip:x>\r\n\r\n", True),
        (b"INVITE sip:x SIP/2.0\r\nFrom: <sip:y>;tag=1\r\nTo: <sip:x>;x=1 ; TAG = 2\r\n\r\n", False),
        (b"INVITE sip:x SIP/2.0\r\nt: <sip:x>;tag=2\r\nf: <sip:y>;tag=1\r\n\r\n", False),
        (b"INVITE sip:x SIP/2.0\r\nf: <sip:y>;tag=1\r\nt: <sip:x>\r\n\r\n", True),
        (b"BYE sip:x SIP/2.0\r\nTo: <sip:x>;tag=1\r\n\r\n", False),
        (b"OPTIONS sip:x SIP/2.0\r\nTo: <sip:x>\r\n\r\n", False),
        (b"SIP/2.0 200 OK\r\nTo: <sip:x>\r\nCSeq: 1 INVITE\r\n\r\n", False),
        (cancel(1), False),
        (register(1), True),
    ],
)
def test_only_what_begins_something_waits(data: bytes, waits: bool) -> None:
    assert Overload().waits(data) is waits


def put(overload: Overload, *datas: bytes, now: float) -> None:
    for data in datas:
        assert overload.waits(data)
        overload.put(data, FROM, now)


def turn(overload: Overload, now: float, waiting: int = 0) -> tuple[list[bytes], list[bytes]]:
    found = overload.turn(now, waiting)
    return [one.data for one in found.taken], [one.data for one in found.refused]


def test_a_cancel_comes_behind_its_invite() -> None:
    overload = Overload()
    put(overload, invite(1), invite(2), cancel(2), now=10.0)
    assert turn(overload, 10.0) == ([invite(1)], [])
    assert turn(overload, 10.0) == ([invite(2), cancel(2)], [])
    assert not overload.waits(cancel(2))


def test_one_a_turn_and_none_while_calls_have_work() -> None:
    overload = Overload()
    put(overload, invite(1), invite(2), now=10.0)
    overload.done = BUSY
    assert turn(overload, 10.0) == ([], [])
    assert turn(overload, 10.0, BEHIND) == ([], [])
    assert turn(overload, 10.0) == ([invite(1)], [])
    assert len(overload) == 1


def test_what_has_waited_too_long_is_refused_and_the_last_one_taken() -> None:
    overload = Overload()
    put(overload, *(invite(number) for number in range(3)), now=10.0)
    put(overload, invite(3), now=10.1)
    assert turn(overload, 10.0 + PATIENCE + 0.01) == ([invite(3)], [invite(0), invite(1), invite(2)])


def test_the_last_one_is_not_refused_for_a_pause_of_ours() -> None:
    overload = Overload()
    put(overload, invite(1), now=10.0)
    assert turn(overload, 10.4) == ([invite(1)], [])


def test_what_was_refused_is_refused_again_however_short_the_queue() -> None:
    overload = Overload()
    put(overload, invite(1), invite(2), now=10.0)
    assert turn(overload, 11.0) == ([invite(2)], [invite(1)])
    put(overload, invite(1), now=11.0)
    assert turn(overload, 11.0) == ([], [invite(1)])
    assert overload.shed == 2


def test_registrations_have_a_row_of_their_own() -> None:
    overload = Overload()
    put(overload, *(register(number) for number in range(4)), invite(1), invite(2), now=10.0)
    assert turn(overload, 10.0, BEHIND) == ([register(0)], []), "nothing is looked up for it"
    overload.done = BUSY
    assert turn(overload, 10.0) == ([], [])
    assert turn(overload, 10.0) == ([invite(1), register(1)], [])
    assert turn(overload, 11.0) == ([invite(2), register(3)], [register(2)])
    assert (overload.shed, overload.put_off, len(overload)) == (0, 1, 0)
    put(overload, register(5), now=12.0)
    assert [one.data for one in overload.leave(FROM)] == [register(5)]
    assert len(overload) == 0
    put(overload, *(register(number) for number in range(MOST + 1)), now=12.0)
    assert (len(overload), overload.dropped) == (MOST, 1)


def test_what_waits_is_bounded() -> None:
    overload = Overload()
    put(overload, *(invite(number) for number in range(MOST + 3)), now=10.0)
    assert (len(overload), overload.dropped) == (MOST, 3)


def test_a_full_turn_is_followed_by_the_next_at_once_and_a_database_that_is_behind_gets_time() -> None:
    overload = Overload()
    overload.put(invite(1), FROM, 0.0)
    overload.done = BUSY
    full = overload.turn(0.0, 0)
    assert (full.taken, full.refused, full.again) == ([], [], True)
    behind = overload.turn(0.0, BEHIND)
    assert (behind.taken, behind.refused, behind.again) == ([], [], False)
    assert [one.data for one in overload.turn(0.0, 0).taken] == [invite(1)]
