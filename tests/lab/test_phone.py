"""Two scripted phones call each other over the simulated network."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.lab.analysis import dominant, level
from gateway.lab.audio import decode
from gateway.lab.memory import Trace
from gateway.lab.network import Link, Network
from gateway.lab.phone import Phase, Phone, SendRtp, SendSip
from gateway.lab.rtp import check_stream
from gateway.lab.script import Script
from gateway.sip.hop import Hop

A_HOP = Hop("udp", "192.0.2.1", 5060)
B_HOP = Hop("udp", "192.0.2.2", 5060)


class Street:
    """Phone A and phone B on one network, in virtual time from 100.0 on."""

    def __init__(self, a: Script, b: Script, link: Link | None = None, seed: int = 1) -> None:
        self.a = Phone("A", a, here=A_HOP, media_ports=(4000, 4010), seed=seed)
        self.b = Phone("B", b, here=B_HOP, media_ports=(4000, 4010), seed=seed + 1)
        self.now = 100.0
        self._network = Network(seed, link)
        self._phones = {A_HOP.host: self.a, B_HOP.host: self.b}

    def call(self, seconds: float = 20.0) -> Street:
        self.do(self.a, lambda now: self.a.dial(B_HOP, "sip:+8617000000001@b", now, caller="<sip:+8613800000021@a>"))
        return self.run(seconds)

    def do(self, phone: Phone, verb: Callable[[float], list[SendSip | SendRtp]]) -> None:
        for output in verb(self.now):
            match output:
                case SendSip(data, hop):
                    self._network.send(data, phone.here, hop, self.now)
                case SendRtp(data, port, (host, to)):
                    self._network.send(data, Hop("udp", phone.here.host, port), Hop("udp", host, to), self.now)

    def run(self, seconds: float) -> Street:
        end = self.now + seconds
        while True:
            machines = (self._network, self.a, self.b)
            self.now = min((time for machine in machines if (time := machine.deadline) is not None), default=end)
            if self.now >= end:
                self.now = end
                return self
            for datagram in self._network.handle_timeout(self.now):
                phone, source = self._phones[datagram.target.host], datagram.source
                if datagram.target.port == 5060:
                    self.do(phone, lambda now, d=datagram, p=phone: p.receive_sip(d.data, d.source, now))  # type: ignore[misc]
                else:
                    phone.receive_rtp(datagram.target.port, datagram.data, (source.host, source.port), self.now)
            for phone in (self.a, self.b):
                if phone.deadline is not None and phone.deadline <= self.now:
                    self.do(phone, phone.handle_timeout)


def titles(phone: Phone) -> list[str]:
    return [("> " if trace.sent else "< ") + trace.title for trace in phone.traces]


def words(phone: Phone) -> list[str]:
    return [happening.what for happening in phone.history]


def tone_of(phone: Phone, start: float = 0.0, end: float = 1e9) -> int | None:
    return dominant(decode(b"".join(audio for at, audio in phone.heard() if start <= at < end)))


TALK_A = Script(tone_hz=700)
TALK_B = Script(tone_hz=1300, hang_up_after=3.0)


def test_a_call_answered_and_hung_up() -> None:
    street = Street(TALK_A, TALK_B).call()
    assert titles(street.a) == [
        "> INVITE", "< 100 Trying", "< 180 Ringing", "< 200 OK", "> ACK", "< BYE", "> 200 OK",
    ]  # fmt: skip
    assert words(street.a) == ["calling", "heard 180", "answered", "ended by peer (BYE)"]
    assert words(street.b) == ["called", "ringing (180)", "answered", "ended by us (BYE)"]
    assert (tone_of(street.a), tone_of(street.b)) == (1300, 700)
    assert (
        level(decode(b"".join(audio for _, audio in street.a.heard())), 700) < -50
    )  # the floor is the quantisation of A-law
    for phone in (street.a, street.b):
        report = check_stream(phone.arrivals)
        assert report.faults == ()
        assert report.packets == pytest.approx(150, abs=3)
        assert phone.deadline is None or phone.deadline > street.now
    assert street.run(60).a.deadline is None


def test_the_same_seed_gives_the_same_bytes() -> None:
    bad = Link(delay=0.03, jitter=0.05, loss=0.1, duplicate=0.1)
    first, second, third = (Street(TALK_A, TALK_B, bad, seed).call() for seed in (7, 7, 8))
    assert first.a.traces == second.a.traces
    assert first.a.arrivals == second.a.arrivals
    assert first.a.arrivals != third.a.arrivals


@pytest.mark.parametrize("seed", range(10))
def test_thirty_percent_loss_ends_nevertheless(seed: int) -> None:
    street = Street(TALK_A, TALK_B, Link(delay=0.03, jitter=0.02, loss=0.3), seed).call(120)
    assert {street.a.phase, street.b.phase} == {Phase.OVER}


def test_a_refusal() -> None:
    street = Street(TALK_A, Script(refuse=486)).call()
    assert street.a.status == 486
    assert street.a.phase is street.b.phase is Phase.OVER
    assert street.a.arrivals == street.b.arrivals == []


def test_a_caller_who_gives_up() -> None:
    street = Street(Script(give_up_after=2.0), Script(answer_after=None)).call()
    assert "> CANCEL" in titles(street.a)
    assert street.a.status == 487
    assert street.b.phase is Phase.OVER


def test_early_media() -> None:
    street = Street(TALK_A, Script(ringing=183, early_hz=450, answer_after=2.2, tone_hz=1300, hang_up_after=2.0)).call()
    assert "< 183 Session Progress" in titles(street.a)
    assert street.a.answered_at is not None
    assert tone_of(street.a, 100.3, street.a.answered_at - 0.1) == 450
    assert tone_of(street.a, street.a.answered_at + 0.1) == 1300
    assert check_stream(street.a.arrivals).faults == ()


def test_a_network_that_promises_early_media_and_sends_none() -> None:
    script = Script(ringing=183, early_media=False, answer_after=2.0, tone_hz=1300, hang_up_after=2.0)
    street = Street(TALK_A, script).call()
    assert street.a.answered_at is not None
    assert min(at for at, _ in street.a.heard()) >= street.a.answered_at


def test_hold_and_resume() -> None:
    script = Script(tone_hz=1300, hold_at=1.0, resume_at=2.0, hang_up_after=3.0)
    street = Street(TALK_A, script).call()
    assert words(street.b)[3:5] == ["hold", "resume"]
    answered = street.b.answered_at
    assert answered is not None
    times = [arrival.at - answered for arrival in street.b.arrivals]
    assert not [time for time in times if 1.1 < time < 1.95]
    assert [time for time in times if time > 2.2]
    assert check_stream(street.b.arrivals).faults == ()


def test_a_party_moves_to_another_port() -> None:
    street = Street(TALK_A, Script(tone_hz=1300, move_at=1.5, hang_up_after=3.0)).call()
    assert {arrival.port for arrival in street.b.arrivals} == {4000, 4010}
    assert {arrival.source[1] for arrival in street.a.arrivals} == {4000, 4010}
    assert check_stream(street.a.arrivals).faults == ()


def test_digits() -> None:
    street = Street(Script(tone_hz=700, digits="12#"), TALK_B).call()
    assert street.b.heard_digits() == "12#"
    assert check_stream(street.b.arrivals).faults == ()


def test_mulaw_only() -> None:
    street = Street(TALK_A, Script(tone_hz=1300, codecs=(0,), hang_up_after=2.0)).call()
    assert (tone_of(street.a), tone_of(street.b)) == (1300, 700)
    assert {arrival.data[1] & 0x7F for arrival in street.a.arrivals} == {0}


def test_codecs_that_do_not_meet() -> None:
    street = Street(Script(codecs=(8,)), Script(codecs=(0,))).call()
    assert street.a.status == 488


def test_a_mute_phone_sends_nothing() -> None:
    street = Street(Script(mute=True), TALK_B).call()
    assert street.b.arrivals == []
    assert street.a.arrivals


def test_a_lost_acknowledgement_is_made_good() -> None:
    street = Street(Script(tone_hz=700, loses=(("ACK", 2),)), TALK_B).call()
    assert titles(street.a).count("< 200 OK") == 3
    assert words(street.b)[-1] == "ended by us (BYE)"


def test_a_second_call_finds_the_phone_busy() -> None:
    street = Street(TALK_A, TALK_B).call(3.0)
    other = Phone("C", Script(), here=Hop("udp", "192.0.2.1", 5062), media_ports=(4020, 4022), seed=9)
    (invite,) = other.dial(B_HOP, "sip:b@b", street.now, caller="<sip:c@c>")
    replies = street.b.receive_sip(invite.data, other.here, street.now)
    assert any(reply.data.startswith(b"SIP/2.0 486 ") for reply in replies)
    assert street.b.phase is Phase.TALKING
    with pytest.raises(RuntimeError):
        other.dial(B_HOP, "sip:b@b", street.now, caller="<sip:c@c>")


def test_titles_of_messages() -> None:
    assert Trace(0, True, A_HOP, b"SIP/2.0 180 Ringing\r\n\r\n").title == "180 Ringing"
    assert Trace(0, True, A_HOP, b"INVITE sip:x SIP/2.0\r\n\r\n").title == "INVITE"
