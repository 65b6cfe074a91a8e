"""RTP bleed and injection against a worker on real sockets, from other addresses and other ports of this machine
(security.md "RTP sources", pains.md P33): no byte of a call to anyone else, no attacker's byte to a party."""

from __future__ import annotations

import os
import random
import signal
import socket
from collections.abc import Iterator

import pytest

from media import control
from media.control import CALLEE, CALLER
from media.rtp import HEADER
from tests.media.test_worker import PATIENCE, Node, Party

EVIL = b"\xee" * 160
VOICE = b"\x11" * 160
REPLY = b"\x22" * 160


class Attacker:
    """Sends from an address of its own, and keeps what comes back. ``port`` 0: any."""

    def __init__(self, host: str, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.socket.setblocking(False)
        self.seq = 5000

    def shoot(self, *ports: int, count: int = 5, kind: int = 8, like: Party | None = None) -> None:
        """Well-formed RTP, with the numbers of ``like`` when they are known to it."""
        for _ in range(count):
            self.seq += 1
            ssrc = like.port if like is not None else 666
            for port in ports:
                self.socket.sendto(HEADER.pack(0x80, kind, self.seq & 0xFFFF, 160 * self.seq, ssrc) + EVIL,
                                   ("127.0.0.1", port))  # fmt: skip

    def got(self) -> list[bytes]:
        """All that ever came."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096))
            except BlockingIOError:
                return found


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    yield made
    made.end()


@pytest.fixture(params=["another address", "the same address", "another address, the same port"])
def attacker(request: pytest.FixtureRequest, node: Node) -> Iterator[Attacker]:
    made = Attacker("127.0.0.1" if request.param == "the same address" else "127.0.0.2")
    node.shares_port = request.param.endswith("port")  # type: ignore[attr-defined]
    yield made
    made.socket.close()


def ready(node: Node, attacker: Attacker) -> tuple[Party, int, Party, int]:
    caller, caller_port, callee, callee_port = node.call()
    if node.shares_port:  # type: ignore[attr-defined]
        attacker.socket.close()
        attacker.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        attacker.socket.bind(("127.0.0.2", caller.port))
        attacker.socket.setblocking(False)
    return caller, caller_port, callee, callee_port


def exchange(caller: Party, caller_port: int, callee: Party, callee_port: int) -> None:
    """Both say a word and hear the other's, and nothing before it."""
    caller.say(caller_port, VOICE)
    assert callee.hear()[4] == VOICE
    callee.say(callee_port, REPLY)
    assert caller.hear()[4] == REPLY


def test_before_the_latch_after_it_and_after_a_reinvite(node: Node, attacker: Attacker) -> None:
    caller, caller_port, callee, callee_port = ready(node, attacker)
    ports = (caller_port, callee_port, caller_port + 1, callee_port + 1)
    attacker.shoot(*ports)
    exchange(caller, caller_port, callee, callee_port)
    attacker.shoot(*ports, like=caller)
    exchange(caller, caller_port, callee, callee_port)
    moved = node.party()
    node.connect(CALLER, moved)
    node.connect(CALLEE, callee)
    node.settle()
    attacker.shoot(*ports, like=moved)
    caller.say(caller_port, EVIL)
    exchange(moved, caller_port, callee, callee_port)
    attacker.shoot(*ports, like=moved)
    exchange(moved, caller_port, callee, callee_port)
    closed = node.close()
    assert (closed.caller.received, closed.callee.received) == (4, 4)
    for party in (caller, moved, callee):
        assert party.hears_nothing()
    assert attacker.got() == []


def test_what_was_queued_before_the_lock_is_judged_too(node: Node) -> None:
    """The worker stands still while the attacker and the party send: the kernel cannot have filtered for it."""
    caller, caller_port, callee, _ = node.call()
    attacker = Attacker("127.0.0.2")
    os.kill(node.process.pid, signal.SIGSTOP)
    try:
        attacker.shoot(caller_port, count=20)
        caller.say(caller_port, VOICE)
        attacker.shoot(caller_port, count=20, like=caller)
        caller.say(caller_port, REPLY)
        attacker.shoot(caller_port, count=20)
    finally:
        os.kill(node.process.pid, signal.SIGCONT)
    assert [callee.hear()[4], callee.hear()[4]] == [VOICE, REPLY]
    assert node.close().caller.refused == 60
    assert callee.hears_nothing()
    assert attacker.got() == []
    attacker.socket.close()


def test_behind_nat_only_the_signalling_address_can_teach_and_only_once(node: Node) -> None:
    caller, caller_port, callee, callee_port = node.call()
    node.tell(
        control.Connect(session="s", leg=CALLER, host="192.0.2.1", port=9, learn=True, learn_from="127.0.0.1")
    )  # fmt: skip
    node.settle()
    stranger, neighbour = Attacker("127.0.0.2"), Attacker("127.0.0.1")
    stranger.shoot(caller_port)
    exchange(caller, caller_port, callee, callee_port)
    stranger.shoot(caller_port, like=caller)
    neighbour.shoot(caller_port, like=caller)
    exchange(caller, caller_port, callee, callee_port)
    assert node.close().caller.refused == 15
    assert callee.hears_nothing()
    for attacker in (stranger, neighbour):
        assert attacker.got() == []
        attacker.socket.close()


def test_of_a_media_network_the_first_that_comes_is_the_only_one(node: Node) -> None:
    caller, caller_port, callee, _ = node.call()
    node.connect(CALLER, caller, networks=("127.0.0.2/32",))
    node.settle()
    first, second = Attacker("127.0.0.2"), Attacker("127.0.0.2")
    outside = Attacker("127.0.0.3")
    outside.shoot(caller_port)
    first.shoot(caller_port, count=1)
    assert callee.hear()[4] == EVIL, "this one is the carrier's"
    second.shoot(caller_port)
    outside.shoot(caller_port)
    first.shoot(caller_port, count=1)
    assert callee.hear()[4] == EVIL
    assert node.close().caller.refused == 15
    assert callee.hears_nothing()
    for attacker in (first, second, outside):
        attacker.socket.close()


def test_rtcp_of_a_stranger_is_neither_read_nor_answered(node: Node) -> None:
    caller, caller_port, callee, callee_port = node.call()
    exchange(caller, caller_port, callee, callee_port)
    attacker = Attacker("127.0.0.2")
    goodbye = bytes((0x81, 203, 0, 1)) + caller.port.to_bytes(4, "big")
    for port in (caller_port, caller_port + 1, callee_port, callee_port + 1):
        attacker.socket.sendto(goodbye, ("127.0.0.1", port))
    exchange(caller, caller_port, callee, callee_port)
    assert attacker.got() == []
    attacker.socket.close()


def test_a_closed_call_s_ports_are_deaf_and_rest(node: Node) -> None:
    caller, caller_port, callee, callee_port = node.call()
    exchange(caller, caller_port, callee, callee_port)
    node.close()
    given = {caller_port, callee_port}
    while True:
        node.tell(control.Open(f"next-{len(given)}"))
        report = node.hear(control.Opened | control.OpenFailed)  # type: ignore[arg-type]
        if isinstance(report, control.OpenFailed):
            break
        ports = {report.caller_port, report.callee_port}
        assert not ports & given, "a port was given twice"
        given |= ports
        caller.say(caller_port, EVIL)
        callee.say(callee_port, EVIL)
    assert len(given) == 20
    assert caller.hears_nothing()
    assert callee.hears_nothing()


@pytest.mark.parametrize("seed", range(3))
def test_no_scrap_from_the_party_itself_ends_anything(node: Node, seed: int) -> None:
    """Whoever holds the right address may still send what he likes: each costs a drop."""
    caller, caller_port, callee, callee_port = node.call()
    exchange(caller, caller_port, callee, callee_port)
    chance = random.Random(seed)
    for _ in range(300):
        scrap = bytes((chance.choice((0x80, 0x90, 0xA0, 0xBF, 0x8F, 0x00)), chance.randrange(256)))
        scrap += chance.randbytes(chance.randrange(80))
        caller.socket.sendto(scrap, ("127.0.0.1", caller_port + chance.randrange(2)))
    node.connect(CALLER, caller)
    node.settle()
    callee.socket.setblocking(False)
    try:
        while True:
            callee.socket.recv(4096)
    except BlockingIOError:
        callee.socket.settimeout(PATIENCE)
    exchange(caller, caller_port, callee, callee_port)
    assert node.process.poll() is None


def test_a_flood_before_the_latch_does_not_hold_the_party_up(node: Node) -> None:
    """Two hundred packets of strangers lie in the queue; the party's own is heard all the same, and at once."""
    caller, caller_port, callee, _ = node.call()
    attacker = Attacker("127.0.0.2")
    os.kill(node.process.pid, signal.SIGSTOP)
    try:
        attacker.shoot(caller_port, count=200)
        caller.say(caller_port, VOICE)
    finally:
        os.kill(node.process.pid, signal.SIGCONT)
    assert callee.hear()[4] == VOICE
    assert node.close().caller.refused == 200
    attacker.socket.close()
