"""A codec under a number that isn't its own: nobody between the sockets sees it."""

from __future__ import annotations

from media import control
from media.control import CALLEE, CALLER
from tests.media.test_room import A, Bench, rtp
from tests.media.test_srtp import AES, Phone, keys

VOICE = b"\x11" * 160


def connected(**more: object) -> Bench:
    made = Bench()
    made.open()
    made.do(control.Connect(session="s", leg=CALLER, host=A[0], port=A[1], **more))  # type: ignore[arg-type]
    made.do(control.Relay("s", True, True))
    return made


def kinds(packets: list[bytes]) -> list[tuple[int, int]]:
    return [(packet[1] >> 7, packet[1] & 0x7F) for packet in packets]


def test_the_number_is_the_partys_on_its_side_only() -> None:
    made = connected(payload=98, payload_in=97)
    there, back = [], []
    for index in range(5):
        there += made.hear(CALLER, rtp(index, 160 * index, VOICE, kind=97))
        back += made.hear(CALLEE, rtp(index, 160 * index, VOICE))
        made.now += 0.02
    assert kinds([packet.data for packet in there]) == [(1, 8), *[(0, 8)] * 4]
    assert kinds([packet.data for packet in back]) == [(1, 98), *[(0, 98)] * 4]
    assert {packet.data[12:] for packet in (*there, *back)} == {VOICE}
    made.do(control.Play("s", CALLER, "tone", ("b",)))
    tones = [packet.data for _, packet in made.run(0.1) if packet.port == made.ports[CALLER]]
    assert {kind for _, kind in kinds(tones)} == {98}


def test_mu_law_is_converted_as_ever() -> None:
    made = connected(codec=0, payload=98, payload_in=98)
    (there,) = made.hear(CALLER, rtp(1, 0, b"\xff" * 160, kind=98))
    assert (there.data[1] & 0x7F, there.data[12:]) == (8, b"\xd5" * 160)


def test_back_to_its_own_number_by_a_new_answer() -> None:
    made = connected(payload=98, payload_in=98)
    made.do(control.Connect(session="s", leg=CALLER, host=A[0], port=A[1]))
    assert made.hear(CALLER, rtp(1, 0, VOICE, kind=98)) == []
    (back,) = made.hear(CALLEE, rtp(1, 0, VOICE))
    assert back.data[1] & 0x7F == 8


def test_under_srtp_the_state_of_the_keys_goes_on() -> None:
    told = keys(AES)
    made, phone = connected(payload=98, payload_in=98, srtp=told), Phone(told)
    (there,) = made.hear(CALLER, phone.out.protect(rtp(1, 0, VOICE, kind=98)))
    assert (there.data[1] & 0x7F, there.data[12:]) == (8, VOICE)
    (back,) = made.hear(CALLEE, rtp(1, 0, VOICE))
    assert phone.inward.unprotect(back.data)[1] & 0x7F == 98
    made.do(control.Connect(session="s", leg=CALLER, host=A[0], port=A[1], srtp=told))
    sealed = phone.out.protect(rtp(2, 160, VOICE))
    assert len(made.hear(CALLER, sealed)) == 1
    assert made.hear(CALLER, sealed) == [], "a replay"
    assert made.room.legs[made.ports[CALLER]].stats().unopened == 1
