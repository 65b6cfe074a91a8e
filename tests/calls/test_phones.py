"""Phones that register: as callers by their password, as callees at their contacts, several at once; and texts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from gateway.calls.exchange import Exchange
from gateway.calls.outputs import CallClosed, MediaCommand, Publish, Resolve, TextAnswered, TextReceived
from gateway.calls.phones import Phone
from gateway.calls.settings import ExchangeSettings, PhoneSettings, RouteSettings, ToneFiles, TrunkSettings
from gateway.causes import Cause
from gateway.numbers import PhoneNumber
from gateway.sip.build import response_to
from gateway.sip.digest import choose, respond, secret_of
from gateway.sip.hop import Hop
from gateway.sip.locations import Contact
from gateway.sip.message import Request, Response, parse_message
from gateway.sip.outputs import ContactsChanged
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from media import control
from tests.calls.fakes import START, TRUNK, A, B, X, connect, sdp

US = Hop("udp", "198.51.100.1", 5060)
OF_A, OF_B, B_TOO = Hop("udp", "203.0.113.1", 30001), Hop("udp", "203.0.113.2", 30002), Hop("tcp", "203.0.113.3", 30003)
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
PHONES = TrunkSettings(name="phones", peers=(), allow=(), nat=True)


def book(password: str = "secret", *numbers: PhoneNumber) -> list[Phone]:
    return [
        Phone(one, {"SHA-256": secret_of("SHA-256", one.e164[1:], "gw", password)}) for one in numbers or (A, B)
    ]  # fmt: skip


class Desk:
    """An exchange with phones on real SIP; ``sent`` holds what each hop was sent, ``seen`` the rest."""

    def __init__(self, **more: Any) -> None:
        self.now = 100.0
        self.seen: list[Any] = []
        self.sent: dict[Hop, list[Request | Response]] = {}
        tokens = count()
        agent = UserAgent(UserAgentSettings({"udp": US}), lambda: f"token{next(tokens)}")
        settings = ExchangeSettings(
            trunks=more.pop("trunks", (TRUNK,)), tones=ToneFiles(ringback="ringback.wav"),
            media_host=US.host, spool="/spool",
            wall=lambda now: START + timedelta(seconds=now - 100.0),
            phones=PhoneSettings(trunk=more.pop("phones", PHONES), realm="gw", key=b"k" * 16), **more,
        )  # fmt: skip
        self.exchange = Exchange(settings, agent, lambda: f"token{next(tokens)}")
        self.exchange.worker_ready(0, 100, self.now)
        self.take(self.exchange.learn_phones(book()))
        self._calls = count()

    def take(self, outputs: list[Any]) -> list[Any]:
        for one in outputs:
            if isinstance(one, Transmit):
                self.sent.setdefault(one.hop, []).append(one.message)
            else:
                self.seen.append(one)
        return outputs

    def hear(self, message: Request | Response | bytes, source: Hop) -> list[Any]:
        return self.take(self.exchange.receive_message(bytes(message), source, self.now))

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.exchange.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            self.take(self.exchange.handle_timeout(self.now))
        self.now = end

    def request(self, method: str, number: PhoneNumber, source: Hop, uri: str, *more: str, body: bytes = b"") -> Any:
        """Send a request as a phone does, twice when it is challenged; its final or last answer."""
        name, call = number.e164[1:], next(self._calls)
        via = f"SIP/2.0/{source.transport.upper()} 10.0.0.1"
        to = f"<sip:{name}@gw>" if method == "REGISTER" else f"<{uri}>"
        for cseq in (1, 2):
            lines = [
                f"{method} {uri} SIP/2.0", f"Via: {via};branch=z9hG4bK{call}.{cseq};rport",
                f"From: <sip:whoever@gw>;tag=f{call}", f"To: {to}", f"Call-ID: {call}@phone", f"CSeq: {cseq} {method}",
                "Contact: <sip:me@10.0.0.1>" if method == "INVITE" else "X-Nothing: 1", *more,
                f"Content-Length: {len(body)}",
            ]  # fmt: skip
            before = len(self.sent.get(source, []))
            self.hear("\r\n".join([*lines, "", ""]).encode() + body, source)
            answers = [one for one in self.sent.get(source, [])[before:] if isinstance(one, Response)]
            if not answers or answers[0].status not in (401, 407):
                return answers[0] if answers else None
            asked = answers[0].headers
            challenge = choose([*asked.get_all("WWW-Authenticate"), *asked.get_all("Proxy-Authenticate")], "gw")
            assert challenge is not None
            said = respond(challenge, name, "secret", method, uri, cnonce="c", body=body)
            header = "Authorization" if method == "REGISTER" else "Proxy-Authorization"
            more = (*more, f"{header}: {said}")
        return answers[0]

    def register(self, number: PhoneNumber, source: Hop, *, q: str = "1") -> None:
        contact = f"Contact: <sip:{number.e164[1:]}@10.0.0.9:5060;at={source.port}>;q={q}"
        assert self.request("REGISTER", number, source, "sip:gw", contact).status == 200

    def dial(self, number: PhoneNumber = A, source: Hop = OF_A) -> Any:
        return self.request("INVITE", number, source, f"sip:{X.e164}@gw", "Content-Type: application/sdp", body=sdp())

    def ring(self, **changes: Any) -> None:
        """A call of A as far as the callee's INVITEs."""
        self.dial()
        (resolve,) = self.of(Resolve)
        self.call = resolve.call
        self.take(self.exchange.routed(self.call, connect(**changes), self.now))
        self.take(self.exchange.media_report(0, control.Opened(self.call, 20000, 20002), self.now))

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.seen if isinstance(one, kind)]

    def to(self, hop: Hop, method: str) -> list[Request]:
        """Requests, each once however often it was sent."""
        found = (one for one in self.sent.get(hop, []) if isinstance(one, Request) and one.method == method)
        return list({id(one): one for one in found}.values())

    def answer(self, hop: Hop, status: int, body: bytes = b"", method: str = "INVITE") -> None:
        """What is at ``hop`` answers the last such request."""
        headers = [("Contact", "<sip:b@10.0.0.9:5060>")]
        request = self.to(hop, method)[-1]
        self.hear(response_to(request, status, to_tag=f"t{hop.port}", headers=headers, body=body), hop)

    def acknowledge(self, hop: Hop) -> None:
        """The caller at ``hop`` acknowledges our 200."""
        said = next(one for one in self.sent[hop][::-1] if isinstance(one, Response) and one.status == 200)
        lines = [
            "ACK sip:gw SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKack;rport",
            f"From: {said.headers.get('From')}", f"To: {said.headers.get('To')}",
            f"Call-ID: {said.call_id}", f"CSeq: {said.cseq.number} ACK",
        ]  # fmt: skip
        self.hear("\r\n".join([*lines, "", ""]).encode(), hop)

    def connects(self) -> list[tuple[int, str, int]]:
        """Where the media worker was told to find each side."""
        commands = [one.command for one in self.of(MediaCommand)]
        return [(one.leg, one.host, one.port) for one in commands if isinstance(one, control.Connect)]

    @property
    def cause(self) -> Cause | None:
        (closed,) = self.of(CallClosed)
        assert self.exchange.active == 0
        assert self.exchange._plant.sessions == {}
        assert self.exchange._admission.calls == 0
        assert not self.exchange.trunks.calls
        return closed.record.cause  # type: ignore[no-any-return]

    def hang_up_media(self) -> None:
        self.take(
            self.exchange.media_report(0, control.Closed(self.call, control.LegStats(), control.LegStats()), self.now)
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_phone_calls_from_anywhere_under_its_own_number(desk: Desk) -> None:
    assert desk.dial().status == 100
    (asked,) = desk.of(Resolve)
    assert (asked.trunk, asked.caller, asked.called) == ("phones", A, X)


def test_who_is_registered_is_counted_by_transport(desk: Desk) -> None:
    desk.register(A, OF_A)
    desk.register(B, OF_B)
    desk.register(B, B_TOO)
    none = {("ws",): 0, ("wss",): 0, ("tls",): 0}
    assert desk.exchange.registered == {("udp",): 2, ("tcp",): 1, **none}
    desk.pass_time(700.0)
    assert desk.exchange.registered == {("udp",): 0, ("tcp",): 0, **none}


SEALED = sdp().replace(b"a=sendrecv", b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + b"A" * 40 + b"\r\na=sendrecv")
SAVP = SEALED.replace(b"RTP/AVP", b"RTP/SAVP")


@pytest.mark.parametrize(
    ("policy", "body", "status"),
    [
        ("off", SAVP, 488), ("off", SEALED, 100), ("optional", SAVP, 100), ("optional", sdp(), 100),
        ("required", SAVP, 100), ("required", sdp(), 488),
    ],
)  # fmt: skip
def test_a_phone_may_seal_its_audio(policy: str, body: bytes, status: int) -> None:
    desk = Desk(phones=replace(PHONES, srtp=policy))
    uri = f"sip:{X.e164}@gw"
    desk.request("INVITE", A, OF_A, uri, "Content-Type: application/sdp", body=body)
    assert desk.sent[OF_A][-1].status == status


def test_what_rings_is_offered_keys_but_a_browser() -> None:
    desk = Desk(phones=replace(PHONES, srtp="optional"))
    browser = Hop("wss", "203.0.113.4", 30004)
    desk.register(B, OF_B)
    desk.register(B, browser)
    desk.ring()
    offers = {hop: desk.to(hop, "INVITE")[0].body for hop in (OF_B, browser)}
    assert [b"a=crypto:" in body for body in offers.values()] == [True, False]
    keys = [line for line in offers[OF_B].split(b"\r\n") if line.startswith(b"a=crypto")]
    desk.answer(OF_B, 200, sdp(4400).replace(b"a=sendrecv", keys[0]))
    connect = [one.command for one in desk.of(MediaCommand) if isinstance(one.command, control.Connect)][-1]
    assert connect.port == 4400
    assert connect.srtp is not None


def test_a_trunk_calls_as_before(desk: Desk) -> None:
    source = Hop("udp", "192.0.2.7", 5060)
    assert desk.dial(source=source).status == 100
    assert desk.of(Resolve)[0].trunk == "carrier"


def test_a_phone_at_an_address_of_a_trunk_is_a_phone(desk: Desk) -> None:
    source = Hop("udp", "192.0.2.7", 31111)
    desk.register(B, source)
    assert desk.dial(number=B, source=source).status == 100
    assert (desk.of(Resolve)[0].trunk, desk.of(Resolve)[0].caller) == ("phones", B)


def test_without_the_password_nobody_is_answered_more_than_a_challenge(desk: Desk) -> None:
    desk.take(desk.exchange.learn_phones(book("another")))
    assert desk.dial().status == 407
    assert desk.of(Resolve) == []


def test_a_callee_who_is_registered_is_called_there(desk: Desk) -> None:
    desk.register(B, OF_B)
    desk.ring()
    (invite,) = desk.to(OF_B, "INVITE")
    assert invite.uri_text == f"sip:{B.e164[1:]}@10.0.0.9:5060;at={OF_B.port}"
    assert f"{invite.from_.uri}" == f"sip:{X.e164}@{US.host};user=phone"
    assert A.e164[3:] not in bytes(invite).decode()
    assert desk.to(TRUNK.peers[0], "INVITE") == []
    desk.answer(OF_B, 180)
    desk.answer(OF_B, 200, sdp(5000, host="10.0.0.9"))
    assert desk.connects()[-1] == (control.CALLEE, "10.0.0.9", 5000)
    (ack,) = desk.to(OF_B, "ACK")
    assert ack.uri_text == "sip:b@10.0.0.9:5060"


def test_whatever_follows_goes_where_the_phones_are_heard_from(desk: Desk) -> None:
    """Their Contacts name addresses behind NAT."""
    desk.register(B, OF_B)
    desk.ring()
    desk.answer(OF_B, 200, sdp(5000))
    desk.acknowledge(OF_A)
    desk.hear(_bye(desk.to(OF_B, "INVITE")[0], desk.to(OF_B, "ACK")[0]), OF_B)
    (bye,) = desk.to(OF_A, "BYE")
    assert bye.uri_text == "sip:me@10.0.0.1"


def _bye(invite: Request, ack: Request) -> bytes:
    return (
        f"BYE sip:gw SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKbye;rport\r\nFrom: {ack.headers.get('To')}\r\n"
        f"To: {invite.headers.get('From')}\r\nCall-ID: {invite.call_id}\r\nCSeq: 1 BYE\r\n\r\n"
    ).encode()


def test_a_callee_who_is_not_registered_is_called_by_the_trunk(desk: Desk) -> None:
    desk.ring()
    assert len(desk.to(TRUNK.peers[0], "INVITE")) == 1


def test_all_phones_ring_and_the_first_to_answer_has_the_call(desk: Desk) -> None:
    desk.register(B, OF_B)
    desk.register(B, B_TOO)
    desk.ring()
    desk.answer(OF_B, 180)
    desk.answer(B_TOO, 180)
    assert len([one for one in desk.of(Publish) if type(one.event).__name__ == "Alerting"]) == 1
    desk.answer(B_TOO, 200, sdp(5003, host="10.0.0.3"))
    (cancel,) = desk.to(OF_B, "CANCEL")
    assert cancel.headers.get("Reason") == ELSEWHERE
    assert desk.connects()[-1] == (control.CALLEE, "10.0.0.3", 5003)
    desk.answer(OF_B, 487)
    assert [one.status for one in desk.sent[OF_A] if isinstance(one, Response)][-1] == 200
    assert desk.of(CallClosed) == []


def test_an_answer_that_crosses_its_cancel_is_ended(desk: Desk) -> None:
    desk.register(B, OF_B)
    desk.register(B, B_TOO)
    desk.ring()
    for hop in (OF_B, B_TOO):
        desk.answer(hop, 180)
    desk.answer(B_TOO, 200, sdp(5003))
    desk.answer(OF_B, 200, sdp(5002))
    assert len(desk.to(OF_B, "ACK")) == len(desk.to(OF_B, "BYE")) == 1
    assert desk.of(CallClosed) == []
    assert desk.to(B_TOO, "BYE") == []


def test_the_caller_hears_whoever_speaks_and_then_whoever_answers(desk: Desk) -> None:
    desk.register(B, OF_B)
    desk.register(B, B_TOO)
    desk.ring()
    desk.answer(OF_B, 183, sdp(5002, host="10.0.0.2"))
    desk.answer(B_TOO, 183, sdp(5003, host="10.0.0.3"))
    desk.answer(OF_B, 200, sdp(5002, host="10.0.0.2"))
    said = [row for row in desk.connects() if row[0] == control.CALLEE]
    assert [row[2] for row in said] == [5002, 5003, 5002]


def test_the_caller_gives_up(desk: Desk) -> None:
    desk.register(B, OF_B)
    desk.register(B, B_TOO)
    desk.ring()
    desk.answer(OF_B, 180)
    desk.answer(B_TOO, 180)
    invite = f"INVITE sip:{X.e164}@gw"
    last = next(one for one in desk.sent[OF_A] if isinstance(one, Response) and one.status == 183)
    via = (last.headers.get("Via") or "").partition(";received")[0]
    cancel = (
        f"{invite.replace('INVITE', 'CANCEL')} SIP/2.0\r\nVia: {via};rport\r\nFrom: {last.headers.get('From')}\r\n"
        f"To: <sip:{X.e164}@gw>\r\nCall-ID: {last.call_id}\r\nCSeq: 2 CANCEL\r\n\r\n"
    )
    desk.hear(cancel.encode(), OF_A)
    assert len(desk.to(OF_B, "CANCEL")) == len(desk.to(B_TOO, "CANCEL")) == 1
    desk.hang_up_media()
    assert desk.cause is Cause.CALLER_GAVE_UP_RINGING


@pytest.mark.parametrize(
    ("first", "second", "told"), [(486, 408, 486), (408, 486, 486), (480, 486, 486), (486, 404, 404), (480, 408, 408)]
)
def test_what_all_have_refused_is_the_best_of_it(desk: Desk, first: int, second: int, told: int) -> None:
    desk.register(B, OF_B)
    desk.register(B, B_TOO)
    desk.ring()
    desk.answer(OF_B, 180)
    desk.answer(OF_B, first)
    assert desk.of(CallClosed) == []
    desk.answer(B_TOO, second)
    desk.hang_up_media()
    assert desk.cause is not None
    assert desk.of(CallClosed)[0].record.sip_status == told


def test_who_declines_declines_for_all_his_phones(desk: Desk) -> None:
    desk.register(B, OF_B)
    desk.register(B, B_TOO)
    desk.ring()
    desk.answer(OF_B, 180)
    desk.answer(B_TOO, 180)
    desk.answer(B_TOO, 603)
    assert len(desk.to(OF_B, "CANCEL")) == 1
    desk.hang_up_media()
    assert desk.of(CallClosed)[0].record.sip_status == 603


def test_phones_of_lower_q_ring_when_those_before_can_not(desk: Desk) -> None:
    desk.register(B, OF_B, q="0.9")
    desk.register(B, B_TOO, q="0.1")
    desk.ring()
    assert desk.to(B_TOO, "INVITE") == []
    desk.pass_time(5.0)
    assert len(desk.to(B_TOO, "INVITE")) == 1
    desk.answer(B_TOO, 180)
    desk.answer(B_TOO, 200, sdp(5003))
    assert desk.connects()[-1][2] == 5003


def test_a_phone_that_has_vanished_is_passed_over_for_the_trunk(desk: Desk) -> None:
    desk.register(B, OF_B)
    desk.register(B, B_TOO)
    desk.ring()
    desk.take(desk.exchange.transport_failed(B_TOO, desk.now))
    assert desk.to(TRUNK.peers[0], "INVITE") == []
    desk.pass_time(5.0)
    assert len(desk.to(TRUNK.peers[0], "INVITE")) == 1
    desk.answer(TRUNK.peers[0], 200, sdp(5009))
    assert desk.connects()[-1][2] == 5009


def test_a_broken_connection_is_no_way_any_more(desk: Desk) -> None:
    desk.register(B, B_TOO)
    (change,) = desk.take(desk.exchange.connection_closed(B_TOO, desk.now))
    assert change == ContactsChanged(B.e164[1:], ())
    desk.ring()
    assert len(desk.to(TRUNK.peers[0], "INVITE")) == 1


def test_a_phone_with_another_password_is_nowhere(desk: Desk) -> None:
    desk.register(B, OF_B)
    desk.seen.clear()
    desk.take(desk.exchange.learn_phones(book()))
    assert desk.seen == []
    desk.take(desk.exchange.learn_phones([*book("secret", A), *book("new", B)]))
    assert desk.seen == [ContactsChanged(B.e164[1:], ())]
    desk.take(desk.exchange.learn_phones([]))
    assert desk.dial().status == 407


def test_a_restart_leaves_phones_where_they_are(desk: Desk) -> None:
    known = Contact("sip:b@10.0.0.9", OF_B, 500.0, 90.0, "c", 4)
    desk.exchange.restore_phone(B.e164[1:], [known], desk.now)
    desk.exchange.restore_phone("8613800000099", [known], desk.now)
    desk.ring()
    assert len(desk.to(OF_B, "INVITE")) == 1


def test_a_phone_writes_and_is_written_to(desk: Desk) -> None:
    uri = f"sip:{X.e164}@gw"
    desk.request("MESSAGE", A, OF_A, uri, "Content-Type: text/plain", body=b"hello")
    (text,) = desk.of(TextReceived)
    assert (text.trunk, text.sender, text.x, text.text) == ("phones", A, X, "hello")
    desk.take(desk.exchange.answer_text(text.id, 202, desk.now))
    desk.register(B, OF_B)
    (body,) = desk.exchange.texts.bodies("phones", "app", X, B, "hello", START, desk.now)
    id, outputs = desk.exchange.send_text("phones", "app", X, B, body, desk.now)
    desk.take(outputs)
    (page,) = desk.to(OF_B, "MESSAGE")
    assert str(page.from_.uri) == f"sip:{X.e164}@{US.host};user=phone"
    assert (page.body, page.uri_text.partition(";")[0]) == (b"hello", f"sip:{B.e164[1:]}@10.0.0.9:5060")
    desk.answer(OF_B, 200, method="MESSAGE")
    assert desk.of(TextAnswered) == [TextAnswered(id, 200)]


def test_a_text_for_nobody_s_phone_goes_by_the_trunk(desk: Desk) -> None:
    (body,) = desk.exchange.texts.bodies("phones", "app", X, B, "hello", START, desk.now)
    desk.take(desk.exchange.send_text("phones", "app", X, B, body, desk.now)[1])
    assert len(desk.to(TRUNK.peers[0], "MESSAGE")) == 1


@pytest.mark.parametrize(("application", "way"), [("app", "other"), ("another", "carrier")])
def test_a_text_goes_by_the_route_of_a_call(application: str, way: str) -> None:
    other = replace(TRUNK, name="other", peers=(Hop("udp", "192.0.2.99", 5060),), sms_as_3gpp=True)
    route = RouteSettings(trunks=("other",), application="app", prefixes=(B.e164[:6],))
    desk = Desk(trunks=(TRUNK, other), routes=(route,))
    (body,) = desk.exchange.texts.bodies("carrier", application, X, B, "hello", START, desk.now)
    desk.take(desk.exchange.send_text("carrier", application, X, B, body, desk.now)[1])
    pages = {name: desk.to(trunk.peers[0], "MESSAGE") for name, trunk in {"carrier": TRUNK, "other": other}.items()}
    assert [name for name, found in pages.items() if found] == [way]
    assert (pages[way][0].content_type == "text/plain") is (way == "carrier")


def test_only_carriers_send_3gpp(desk: Desk) -> None:
    more = "Content-Type: application/vnd.3gpp.sms"
    assert desk.request("MESSAGE", A, OF_A, f"sip:{X.e164}@gw", more, body=b"\0\0").status == 415


def test_a_registration_that_waited_too_long_is_put_off(desk: Desk) -> None:
    desk.register(A, OF_A)
    register = (
        b"REGISTER sip:gw SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKr;rport\r\nFrom: <sip:a@gw>;tag=1\r\n"
        b"To: <sip:a@gw>\r\nCall-ID: r\r\nCSeq: 9 REGISTER\r\n\r\n"
    )
    (answer,) = desk.exchange.refuse_new(register, OF_A, desk.now)
    assert isinstance(answer, Transmit)
    assert isinstance(answer.message, Response)
    assert (answer.message.status, answer.message.headers.get("Retry-After")) == (503, "10")
    assert desk.exchange.refuse_new(register, OF_B, desk.now) == [], "nobody knows who that is"


def test_everybody_may_knock_and_nobody_else_is_answered(desk: Desk) -> None:
    assert desk.exchange.admits("203.0.113.77")
    stranger = Hop("udp", "203.0.113.77", 5060)
    options = (
        b"OPTIONS sip:gw SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.77;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
        b"To: <sip:gw>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    assert desk.hear(options, stranger) == []
    assert isinstance(parse_message(options), Request)
