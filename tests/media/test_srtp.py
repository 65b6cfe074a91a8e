"""A leg over SRTP: sealed both ways, RTCP too; replays, foreign keys and scraps are counted and end nothing."""

from __future__ import annotations

from struct import pack

import pytest
from pylibsrtp import Error, Policy, Session

from media import control
from media.control import CALLEE, CALLER, Closed, SrtpKeys
from media.outputs import SendPacket
from media.srtp import Guard
from tests.media.test_room import A, B, Bench, rtp
from tests.media.test_worker import Node, Party

AES, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"
SUITES = {AES: (30, Policy.SRTP_PROFILE_AES128_CM_SHA1_80), GCM: (28, Policy.SRTP_PROFILE_AEAD_AES_128_GCM)}
EVERY = pytest.mark.parametrize("suite", [AES, GCM])


def keys(suite: str, ours: int = 1, theirs: int = 2) -> SrtpKeys:
    size = SUITES[suite][0]
    return SrtpKeys(suite, bytes((ours,)) * size, bytes((theirs,)) * size)  # type: ignore[arg-type]


class Phone:
    """The other end of a leg, on libsrtp itself."""

    def __init__(self, told: SrtpKeys) -> None:
        profile = SUITES[told.suite][1]
        self.out = Session(Policy(told.theirs, Policy.SSRC_ANY_OUTBOUND, 0, profile))
        self.inward = Session(Policy(told.ours, Policy.SSRC_ANY_INBOUND, 0, profile))


def bench(suite: str) -> tuple[Bench, Phone]:
    made = Bench()
    made.open()
    told = keys(suite)
    made.do(control.Connect(session="s", leg=CALLER, host=A[0], port=A[1], events=101, srtp=told))
    made.do(control.Relay("s", True, True))
    return made, Phone(told)


@EVERY
def test_each_side_hears_the_other_and_the_wire_shows_neither(suite: str) -> None:
    made, phone = bench(suite)
    voice = b"\x11" * 160
    for index in range(50):
        sealed = phone.out.protect(rtp(index, 160 * index, voice))
        assert voice not in sealed
        (to_callee,) = made.hear(CALLER, sealed)
        assert to_callee.data[12:] == voice
        (to_caller,) = made.hear(CALLEE, rtp(index, 160 * index, voice))
        assert voice not in to_caller.data
        assert phone.inward.unprotect(to_caller.data)[12:] == voice
        made.now += 0.02
    made.do(control.Play("s", CALLER, "tone", ("b",)))
    ours = [packet for _, packet in made.run(0.1) if packet.port == made.ports[CALLER]]
    assert phone.inward.unprotect(ours[0].data)[12:] == b"\x22" * 160


@EVERY
def test_rtcp_is_sealed_both_ways(suite: str) -> None:
    made, phone = bench(suite)
    told = pack(">BBHI", 0x80, 200, 6, 7) + pack(">IIIII", 1, 0x22223333, 0, 0, 0)
    made.hear(CALLER, phone.out.protect(rtp(1, 0)))
    made.room.receive(made.ports[CALLER] + 1, told, (A[0], 9), made.now)
    leg = made.room.legs[made.ports[CALLER]]
    assert (leg.receiver.report_ntp, leg.stats().unopened) == (0, 1)
    made.room.receive(made.ports[CALLER] + 1, phone.out.protect_rtcp(told), (A[0], 9), made.now)
    assert leg.receiver.report_ntp == 0x00012222
    ours = [packet for _, packet in made.run(10.0) if packet.port == made.ports[CALLER] + 1]
    with pytest.raises(Error):
        Phone(keys(suite, ours=9)).inward.unprotect_rtcp(ours[0].data)
    assert phone.inward.unprotect_rtcp(ours[0].data)[1] in (200, 201)


@EVERY
def test_what_can_not_be_opened_is_counted_and_moves_nothing(suite: str) -> None:
    made, phone = bench(suite)
    stranger = Phone(keys(suite, theirs=7))
    sealed = phone.out.protect(rtp(1, 0))
    bad = [rtp(1, 0), stranger.out.protect(rtp(1, 0)), sealed[:-1] + b"\x00", b"", b"\x80", bytes(2000), sealed[:13]]
    for packet in bad:
        assert made.hear(CALLER, packet) == []
    leg = made.room.legs[made.ports[CALLER]]
    assert leg.latch is not None
    assert leg.latch.locked is None
    assert len(made.hear(CALLER, sealed)) == 1
    assert made.hear(CALLER, sealed) == []
    made.do(control.Connect(session="s", leg=CALLER, host=A[0], port=A[1], events=101))
    assert made.room.counted().unopened == len(bad) + 1, "a counter never falls: the party seals no more"
    made.do(control.Close("s"))
    closed = made.reports[-1]
    assert isinstance(closed, Closed)
    assert (closed.caller.unopened, closed.caller.received) == (len(bad) + 1, 1)


@EVERY
def test_numbers_roll_over_and_the_same_keys_said_again_change_nothing(suite: str) -> None:
    made, phone = bench(suite)
    for index in range(65500, 65536 + 40):
        if index == 65540:
            again = control.Connect(
                session="s", leg=CALLER, host=A[0], port=A[1], events=101, srtp=keys(suite), receives=True
            )
            made.do(again)
        packet = phone.out.protect(rtp(index, 160 * index))
        assert len(made.hear(CALLER, packet)) == 1
        (back,) = made.hear(CALLEE, rtp(index, 160 * index))
        assert phone.inward.unprotect(back.data)
        assert made.hear(CALLER, packet) == [], "a replay"
        made.now += 0.02


@EVERY
def test_a_new_key_of_the_party_leaves_ours_as_it_was(suite: str) -> None:
    made, phone = bench(suite)
    made.hear(CALLER, phone.out.protect(rtp(1, 0)))
    (before,) = made.hear(CALLEE, rtp(1, 0))
    phone.inward.unprotect(before.data)
    fresh = keys(suite, theirs=5)
    made.do(control.Connect(session="s", leg=CALLER, host=A[0], port=A[1], events=101, srtp=fresh))
    assert made.hear(CALLER, phone.out.protect(rtp(2, 160))) == []
    assert len(made.hear(CALLER, Phone(fresh).out.protect(rtp(3, 320)))) == 1
    (after,) = made.hear(CALLEE, rtp(2, 160))
    assert phone.inward.unprotect(after.data)


def test_late_packets_are_taken_once_and_no_number_is_sealed_twice() -> None:
    guard = Guard(keys(AES))
    phone = Phone(keys(AES))
    late = phone.out.protect(rtp(100, 0))
    for index in range(101, 400):
        assert guard.open(phone.out.protect(rtp(index, 160 * index)))
    assert guard.open(late)
    assert guard.open(late) is None
    assert guard.seal(rtp(1, 0)) is not None
    assert guard.seal(rtp(1, 0)) is None
    assert guard.failed == 1


def test_no_key_is_printed() -> None:
    told = control.Connect(session="s", leg=0, host=A[0], port=1, srtp=keys(GCM))
    assert "\\x01\\x01" not in repr(told)
    assert control.decode_command(control.encode(told)) == told


@EVERY
def test_on_real_sockets(suite: str) -> None:
    node = Node()
    try:
        caller, caller_port, callee, callee_port = node.call(srtp=keys(suite))
        phone = Phone(keys(suite))
        for index in range(1, 30):
            say(callee, phone, callee_port, index, b"\x11" * 160)
            assert caller.hear()[4] == b"\x11" * 160
            caller.say(caller_port, b"\x22" * 160)
            assert phone.inward.unprotect(callee.socket.recv(2048))[12:] == b"\x22" * 160
            callee.socket.sendto(rtp(index, 0, b"\xee" * 160), (node.host, callee_port))
        node.connect(CALLEE, callee)
        node.settle()
        callee.say(callee_port, b"\x33" * 160)
        assert caller.hear()[4] == b"\x33" * 160, "plain again"
        closed = node.close()
        assert closed.callee.received == 30
        assert caller.hears_nothing()
    finally:
        node.end()


def say(party: Party, phone: Phone, port: int, index: int, payload: bytes) -> None:
    party.socket.sendto(phone.out.protect(rtp(index, 160 * index, payload)), (party.host, port))


def test_what_leaves_goes_nowhere_else() -> None:
    made, phone = bench(AES)
    (sent,) = made.hear(CALLER, phone.out.protect(rtp(1, 0)))
    assert isinstance(sent, SendPacket)
    assert sent.target == B


@EVERY
@pytest.mark.parametrize("first", [0, 5000, 40000, 65535])
@pytest.mark.parametrize("rollovers", [0, 1, 2, 5])
def test_a_stream_that_is_taken_over_is_opened_however_often_it_has_rolled_over(
    suite: str, first: int, rollovers: int
) -> None:
    told, phone = keys(suite), Phone(keys(suite))
    for index in range(first, first + (rollovers << 16), 1 << 13):
        phone.out.protect(rtp(index, 160 * index))
    last = first + (rollovers << 16)
    sealed = [phone.out.protect(rtp(index, 160 * index)) for index in range(last, last + 3)]
    guard = Guard(told, resumed=True)
    assert [guard.open(packet) for packet in sealed] == [rtp(index, 160 * index) for index in range(last, last + 3)]
    assert guard.failed == 0
    assert guard.open(sealed[1]) is None, "once"
    if rollovers:
        assert Guard(told).open(sealed[0]) is None, "nobody looks for what has just begun"


def test_a_stranger_is_not_searched_for_for_ever_and_harms_nothing() -> None:
    guard, phone, stranger = Guard(keys(AES), resumed=True), Phone(keys(AES)), Phone(keys(AES, theirs=9))
    for index in range(0, 3 << 16, 1 << 13):
        phone.out.protect(rtp(index, 0))
    begun = 3 << 16
    for index in range(3):
        assert guard.open(stranger.out.protect(rtp(index, 0))) is None
    assert guard.open(b"\x80\x08") is None
    assert guard.open(phone.out.protect(rtp(begun, 0))) is not None
    for index in range(1, 100):
        assert guard.open(stranger.out.protect(rtp(1000 + index, 0))) is None
        assert guard.open(phone.out.protect(rtp(begun + index, 0))) is not None
    assert guard.open(Phone(keys(AES)).out.protect(rtp(60000, 0))) is None, "one of long ago"
    assert guard.open(phone.out.protect(rtp(begun + 100, 0))) is not None
    late = Guard(keys(AES), resumed=True)
    for index in range(4):
        late.open(stranger.out.protect(rtp(2000 + index, 0)))
    assert late.open(phone.out.protect(rtp(begun + 101, 0))) is None
