"""A worker process on real sockets: the bridge, strangers before and after the latch, tones, recording, its end."""

from __future__ import annotations

import math
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from struct import pack
from typing import Any, TypeVar

import pytest

from gateway.lab.ports import free_media_ports
from media import control
from media.control import CALLEE, CALLER
from media.g711 import PCMA, PCMU, alaw_level, to_alaw, ulaw_level
from media.recording.spool import ENDED, read_spool, wait_written
from media.rtp import HEADER
from media.tones import ToneError
from media.worker import Tones

PATIENCE = 10.0
R = TypeVar("R", bound=control.Report)


def sound(hertz: float, packets: int) -> list[bytes]:
    codes = bytes(to_alaw(round(8000 * math.sin(2 * math.pi * hertz * n / 8000))) for n in range(160 * packets))
    return [codes[160 * index : 160 * index + 160] for index in range(packets)]


def level(levels: list[int], hertz: float) -> float:
    """Amplitude of one frequency."""
    re = sum(value * math.cos(2 * math.pi * hertz * n / 8000) for n, value in enumerate(levels))
    im = sum(value * math.sin(2 * math.pi * hertz * n / 8000) for n, value in enumerate(levels))
    return 2 * math.hypot(re, im) / len(levels)


class Party:
    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(PATIENCE)
        self.port = self.socket.getsockname()[1]
        self.host = host
        self._seq = 0

    def say(self, port: int, payload: bytes, kind: int = PCMA) -> None:
        self._seq += 1
        self.socket.sendto(
            HEADER.pack(0x80, kind, self._seq, 160 * self._seq, self.port) + payload, (self.host, port)
        )  # fmt: skip

    def hear(self) -> tuple[int, int, int, int, bytes]:
        """Payload type, sequence number, timestamp, SSRC, payload."""
        packet = self.socket.recv(2048)
        _, second, seq, stamp, ssrc = HEADER.unpack_from(packet)
        return second & 0x7F, seq, stamp, ssrc, packet[12:]

    def hears_nothing(self) -> bool:
        self.socket.setblocking(False)
        try:
            self.socket.recv(2048)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        return False


class Node:
    """The signalling side of one worker process."""

    def __init__(
        self, host: str = "127.0.0.1", pairs: int = 20, program: tuple[str, ...] = ("-m", "media.worker")
    ) -> None:
        self.host = host
        self.low, _ = free_media_ports(host, pairs)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(PATIENCE)
        command = [sys.executable, *program, "--control-fd", str(theirs.fileno()), "--host", host]
        self.process = subprocess.Popen(
            [*command, "--ports", f"{self.low}-{self.low + 2 * pairs - 1}", "--rest", "30"], pass_fds=[theirs.fileno()]
        )
        theirs.close()
        self.control = ours
        self.parties: list[Party] = []
        assert self.hear(control.Ready).sessions == pairs // 2

    def tell(self, command: control.Command) -> None:
        self.control.send(control.encode(command))

    def hear(self, kind: type[R]) -> R:
        while True:
            report = control.decode_report(self.control.recv(65536))
            if isinstance(report, kind):
                return report

    def party(self) -> Party:
        self.parties.append(Party(self.host))
        return self.parties[-1]

    def connect(self, leg: int, party: Party, **fields: Any) -> None:
        self.tell(control.Connect(session="s", leg=leg, host=self.host, port=party.port, **fields))

    def call(self, **callee: Any) -> tuple[Party, int, Party, int]:
        """An open session, both legs connected and hearing each other: (caller, its port, callee, its port)."""
        self.tell(control.Open("s"))
        opened = self.hear(control.Opened)
        caller, answering = self.party(), self.party()
        self.connect(CALLER, caller)
        self.connect(CALLEE, answering, **callee)
        self.tell(control.Relay("s", True, True))
        # Commands are carried out in their order: when this is answered, the others are done.
        self.settle()
        return caller, opened.caller_port, answering, opened.callee_port

    def settle(self) -> None:
        self.tell(control.Open("s"))
        self.hear(control.OpenFailed)

    def close(self) -> control.Closed:
        self.tell(control.Close("s"))
        return self.hear(control.Closed)

    def end(self) -> None:
        self.control.close()
        for party in self.parties:
            party.socket.close()
        assert self.process.wait(PATIENCE) == 0


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    yield made
    made.end()


def test_both_hear_each_other_and_nobody_else_is_heard(node: Node) -> None:
    caller, caller_port, callee, callee_port = node.call(codec=PCMU)
    bleeder = node.party()
    bleeder.say(caller_port, b"\0" * 160)
    to_callee: list[int] = []
    to_caller: list[int] = []
    for index, (seven, thirteen) in enumerate(zip(sound(700, 50), sound(1300, 50), strict=True)):
        bleeder.say(caller_port, b"\0" * 160)
        bleeder.say(callee_port, b"\0" * 160, PCMU)
        caller.say(caller_port, seven)
        kind, *_, payload = callee.hear()
        assert kind == PCMU
        to_callee += map(ulaw_level, payload)
        callee.say(callee_port, thirteen)
        kind, *_, payload = caller.hear()
        assert kind == PCMA
        to_caller += map(alaw_level, payload)
        if index == 0:
            assert {node.hear(control.Heard).leg, node.hear(control.Heard).leg} == {CALLER, CALLEE}
    assert level(to_callee, 700) == pytest.approx(8000, rel=0.02)
    assert level(to_caller, 1300) == pytest.approx(8000, rel=0.02)
    assert level(to_callee, 1300) < 80
    assert level(to_caller, 700) < 80
    closed = node.close()
    assert (closed.caller.received, closed.callee.received) == (50, 50)
    assert closed.caller.refused >= 1
    assert bleeder.hears_nothing()


def test_a_new_address_is_followed_and_the_old_one_refused(node: Node) -> None:
    caller, caller_port, callee, callee_port = node.call()
    caller.say(caller_port, b"\x01" * 160)
    assert callee.hear()[4] == b"\x01" * 160
    moved = node.party()
    node.connect(CALLER, moved)
    node.settle()
    caller.say(caller_port, b"\x02" * 160)
    moved.say(caller_port, b"\x03" * 160)
    assert callee.hear()[4] == b"\x03" * 160
    callee.say(callee_port, b"\x04" * 160)
    assert moved.hear()[4] == b"\x04" * 160
    assert caller.hears_nothing()
    assert node.close().caller.refused == 1


def test_behind_nat_the_answer_goes_where_the_packets_come_from(node: Node) -> None:
    caller, caller_port, callee, callee_port = node.call()
    node.tell(
        control.Connect(session="s", leg=CALLER, host="192.0.2.1", port=9, learn=True, learn_from=node.host)
    )  # fmt: skip
    caller.say(caller_port, b"\x01" * 160)
    assert callee.hear()[4] == b"\x01" * 160
    callee.say(callee_port, b"\x04" * 160)
    assert caller.hear()[4] == b"\x04" * 160


def test_a_tone_and_then_the_other_party_are_one_stream(node: Node, tmp_path: Path) -> None:
    codes = b"".join(sound(450, 5))
    path = tmp_path / "tone.wav"
    path.write_bytes(
        b"RIFF" + pack("<I", 36 + len(codes)) + b"WAVEfmt " + pack("<IHHIIHH", 16, 6, 1, 8000, 8000, 1, 8)
        + b"data" + pack("<I", len(codes)) + codes
    )  # fmt: skip
    caller, _, callee, callee_port = node.call()
    node.tell(control.Play("s", CALLER, "ringing", (str(path),)))
    heard = [caller.hear() for _ in range(5)]
    played = node.hear(control.Played)
    callee.say(callee_port, b"\x01" * 160)
    heard.append(caller.hear())
    assert b"".join(row[4] for row in heard[:5]) == codes
    assert (played.play, played.completed, played.error) == ("ringing", True, "")
    assert played.ended > played.started > 0
    assert len({row[3] for row in heard}) == 1
    assert [(row[1] - heard[0][1]) & 0xFFFF for row in heard] == [0, 1, 2, 3, 4, 5]
    node.tell(control.Play("s", CALLER, "missing", (str(tmp_path / "none.wav"),)))
    assert node.hear(control.Played).error == "No such file or directory"


def test_what_both_said_is_on_the_spool_even_when_the_signalling_process_dies(node: Node, tmp_path: Path) -> None:
    caller, caller_port, callee, callee_port = node.call()
    path = tmp_path / "call.spool"
    node.tell(control.Record("s", str(path)))
    node.settle()
    for index in range(10):
        caller.say(caller_port, bytes([index]) * 160)
        callee.hear()
        callee.say(callee_port, bytes([100 + index]) * 160)
        caller.hear()
    node.process.send_signal(signal.SIGTERM)
    node.process.send_signal(signal.SIGINT)
    node.end()
    wait_written(path)
    header, records = read_spool(path)
    assert header["session"] == "s"
    rows = [(leg, data[12]) for leg, _, data in records if leg < ENDED]
    assert [row[1] for row in rows if row[0] == CALLER] == list(range(10))
    assert [row[1] for row in rows if row[0] == CALLEE] == list(range(100, 110))


@pytest.mark.parametrize(("host", "kind"), [("127.0.0.1", socket.IP_TOS), ("::1", socket.IPV6_TCLASS)])
def test_what_leaves_bears_its_class(host: str, kind: int) -> None:
    """DSCP EF, 46, in the upper six bits (RFC 2474 §3, RFC 3246): voice, of either leg, and reports."""
    node = Node(host)
    caller, caller_port, callee, callee_port = node.call()
    if kind == socket.IP_TOS:
        ask = (socket.IPPROTO_IP, socket.IP_RECVTOS)
    else:
        ask = (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS)
    ways = ((caller, caller_port, callee), (callee, callee_port, caller))
    for party, _, _ in ways:
        party.socket.setsockopt(*ask, 1)
    for party, port, other in ways:
        party.say(port, b"\x01" * 160)
        packet, said, _, _ = other.socket.recvmsg(2048, 64)
        assert packet[12:] == b"\x01" * 160
        ((_, told, octets),) = said
        assert (told, octets[0]) == (kind, 46 << 2)
    node.end()


def test_drain_closes_every_session_and_ends(node: Node) -> None:
    node.call()
    node.tell(control.Drain())
    assert node.hear(control.Closed).session == "s"
    assert node.process.wait(PATIENCE) == 0


def test_a_port_that_another_program_holds_is_passed_over(node: Node) -> None:
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    held.bind((node.host, node.low + 1))
    try:
        node.tell(control.Open("s"))
        opened = node.hear(control.Opened)
    finally:
        held.close()
    assert node.low not in (opened.caller_port, opened.callee_port)
    assert opened.caller_port % 2 == opened.callee_port % 2 == 0


def test_scraps_on_every_port_cost_a_drop(node: Node) -> None:
    caller, caller_port, callee, _ = node.call()
    caller.say(caller_port, b"\x01" * 160)
    callee.hear()
    for scrap in (b"", b"\x80", b"\x80\x08" + bytes(9), b"\xff" * 1400, b"\xa0\x08" + bytes(10)):
        for port in (caller_port, caller_port + 1):
            caller.socket.sendto(scrap, (node.host, port))
    caller.say(caller_port, b"\x02" * 160)
    assert callee.hear()[4] == b"\x02" * 160
    assert node.close().caller.malformed == 5


def test_over_ipv6() -> None:
    try:
        node = Node("::1")
    except AssertionError:
        pytest.skip("no IPv6 on this machine")
    caller, caller_port, callee, callee_port = node.call()
    caller.say(caller_port, b"\x01" * 160)
    assert callee.hear()[4] == b"\x01" * 160
    callee.say(callee_port, b"\x02" * 160)
    assert caller.hear()[4] == b"\x02" * 160
    node.end()


def test_tones_are_read_again_when_they_change_and_forgotten_when_many(tmp_path: Path) -> None:
    def write(name: str, codes: bytes) -> str:
        path = tmp_path / name
        head = b"WAVEfmt " + pack("<IHHIIHH", 16, 6, 1, 8000, 8000, 1, 8)
        path.write_bytes(b"RIFF" + pack("<I", 36 + len(codes)) + head + b"data" + pack("<I", len(codes)) + codes)
        return str(path)

    tones = Tones(limit=1000)
    first = write("a.wav", b"\x01" * 400)
    assert tones.load(first) is tones.load(first)
    write("a.wav", b"\x02" * 500)
    assert tones.load(first) == b"\x02" * 500
    for name in "bcd":
        tones.load(write(f"{name}.wav", b"\x03" * 400))
    assert len(tones._cache) == 2
    with pytest.raises(ToneError, match="not a file"):
        tones.load(str(tmp_path))
