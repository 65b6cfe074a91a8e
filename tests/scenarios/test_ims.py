"""An IMS on both sides (TS 24.229): AMR first, preconditions that may be left out, everything acknowledged, UPDATE
before the answer in both directions. Its user agents are written by hand, message for message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.causes import Cause
from gateway.sdp.description import SessionDescription
from gateway.sip.build import request, response_to
from gateway.sip.dialog import Dialog
from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response, parse_message
from tests.sim.world import CALLEE, CALLER, GATEWAY, A, World, X

PORT = {CALLER: 6000, CALLEE: 7000}


def sdp(
    hop: Hop, version: int = 1, *, local: str = "none", direction: str = "sendrecv", port: int = 0,
    strength: str = "optional",
) -> bytes:  # fmt: skip
    """AMR-WB and AMR before A-law, two rates of events, RTCP bandwidths, and preconditions."""
    return (
        f"v=0\r\no=- 7 {version} IN IP4 {hop.host}\r\ns=-\r\nc=IN IP4 {hop.host}\r\nb=AS:41\r\nt=0 0\r\n"
        f"m=audio {port or PORT[hop]} RTP/AVP 104 102 8 105 100\r\nb=AS:41\r\nb=RS:0\r\nb=RR:2000\r\n"
        "a=rtpmap:104 AMR-WB/16000/1\r\na=fmtp:104 mode-change-capability=2;max-red=220\r\na=rtpmap:102 AMR/8000/1\r\n"
        "a=rtpmap:8 PCMA/8000/1\r\na=rtpmap:105 telephone-event/16000\r\na=rtpmap:100 telephone-event/8000\r\n"
        f"a=fmtp:100 0-15\r\na=curr:qos local {local}\r\na=curr:qos remote none\r\n"
        f"a=des:qos {strength} local sendrecv\r\na=des:qos optional remote sendrecv\r\n"
        f"a=ptime:20\r\na=maxptime:240\r\na={direction}\r\n"
    ).encode()


class Ims(World):
    """Keeps what comes to the two sides; ``say`` sends for one of them."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.got: dict[Hop, list[Request | Response]] = {CALLER: [], CALLEE: []}
        self.dialogs: dict[Hop, Dialog] = {}
        self._branches = 0

    def _arrive(self, data: bytes, source: Hop, target: Hop) -> None:
        if target in self.got:
            self.got[target].append(parse_message(data))
        elif target.host == GATEWAY.host:
            super()._arrive(data, source, target)

    def via(self, hop: Hop) -> Callable[[Hop], str]:
        self._branches += 1
        return lambda _: f"SIP/2.0/UDP {hop.host}:5060;branch=z9hG4bK{self._branches}x{hop.host};rport"

    def say(self, hop: Hop, message: Request | Response) -> None:
        self.network.send(bytes(message), hop, GATEWAY, self.now)
        self.run(0.3)

    def invite(self, *headers: tuple[str, str], body: bytes | None = None) -> None:
        made = request(
            "INVITE", f"tel:{X.e164}", via=self.via(CALLER)(GATEWAY), from_=f"<sip:{A.e164}@ims.example>;tag=a",
            to=f"<tel:{X.e164}>", call_id="ims", cseq=1, contact="<sip:192.0.2.10:5060>", headers=headers,
            body=sdp(CALLER) if body is None else body, content_type="application/sdp",
        )  # fmt: skip
        self.first = made
        self.say(CALLER, made)

    def within(
        self, hop: Hop, method: str, *headers: tuple[str, str], body: bytes = b"", cseq: int | None = None
    ) -> None:
        """A request of a side in its dialog."""
        made, _ = self.dialogs[hop].request(
            method, via=self.via(hop), contact=lambda _: f"<sip:{hop.host}:5060>", headers=headers, body=body,
            content_type="application/sdp", cseq=cseq,
        )  # fmt: skip
        self.say(hop, made)

    def answer(self, asked: Request, status: int, *headers: tuple[str, str], body: bytes = b"") -> None:
        """The callee's response."""
        allow = () if any(name == "Allow" for name, _ in headers) else (("Allow", "INVITE, ACK, BYE, PRACK, UPDATE"),)
        lines = [("Contact", "<sip:192.0.2.20:5060>"), *allow, *headers]
        made = response_to(asked, status, to_tag="b", headers=lines, body=body, content_type="application/sdp")
        if CALLEE not in self.dialogs:
            self.dialogs[CALLEE] = Dialog.of_server(asked, "b", GATEWAY)
        self.say(CALLEE, made)

    def last(self, hop: Hop, title: str) -> Any:
        """The last message to a side: ``PRACK``, or ``200 UPDATE``."""
        for message in reversed(self.got[hop]):
            name = message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"
            if name == title:
                return message
        raise AssertionError(f"no {title}")

    def prack(self, early: Response, body: bytes = b"") -> None:
        self.within(CALLER, "PRACK", ("RAck", f"{early.headers.get('RSeq')} 1 INVITE"), body=body)


RELIABLE = ("Require", "100rel")


def test_the_whole_flow() -> None:
    world = Ims()
    world.invite(
        ("Supported", "100rel, precondition, timer, 199"), ("Session-Expires", "1800;refresher=uac"),
        ("Allow", "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, REFER, MESSAGE, OPTIONS"),
        ("P-Early-Media", "supported"), ("P-Charging-Vector", 'icid-value="1234";orig-ioi=ims.example'),
        ("P-Access-Network-Info", "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=460001234"),
    )  # fmt: skip
    out = world.last(CALLEE, "INVITE")
    assert "precondition" not in (out.headers.get("Supported") or "") + (out.headers.get("Require") or "")
    assert "P-Charging-Vector" not in out.headers

    # The callee's network: 183 with an answer, acknowledged, then its own UPDATE to another port.
    world.answer(out, 183, RELIABLE, ("RSeq", "1"), body=sdp(CALLEE))
    assert world.last(CALLEE, "PRACK").headers.get("RAck") == "1 1 INVITE"
    world.answer(world.last(CALLEE, "PRACK"), 200)
    world.within(CALLEE, "UPDATE", body=sdp(CALLEE, 2, local="sendrecv", port=7010))
    updated = world.last(CALLEE, "200 UPDATE")
    assert b"RTP/AVP 8 100\r\n" in updated.body
    assert b"a=curr" not in updated.body

    # The caller's: our 183 has the answer without preconditions; it acknowledges, and tells us that it is ready.
    early = world.last(CALLER, "183 INVITE")
    assert early.headers.get("Require") == "100rel"
    assert b"RTP/AVP 8 100\r\n" in early.body
    assert b"qos" not in early.body
    world.dialogs[CALLER] = Dialog.of_client(world.first, early, GATEWAY)
    world.prack(early)
    assert world.last(CALLER, "200 PRACK")
    world.within(CALLER, "UPDATE", body=sdp(CALLER, 2, local="sendrecv", port=6010))
    assert b"RTP/AVP 8 100\r\n" in world.last(CALLER, "200 UPDATE").body
    (room,) = world.rooms.values()
    assert len(room) == 1

    # It rings, and is answered; nobody says an SDP again.
    world.answer(out, 180, RELIABLE, ("RSeq", "2"))
    assert world.last(CALLEE, "PRACK").headers.get("RAck") == "2 1 INVITE"
    world.answer(world.last(CALLEE, "PRACK"), 200)
    assert world.kinds == ["CallIn", "CallOut", "Alerting"]
    world.answer(out, 200)
    assert world.last(CALLEE, "ACK").body == b""
    final = world.last(CALLER, "200 INVITE")
    assert final.body == b""
    assert final.headers.get("Session-Expires") == "1800;refresher=uac"
    world.within(CALLER, "ACK", cseq=1)
    call = next(iter(world.exchange._calls.values()))
    assert [leg.terms.port for leg in call.legs if leg.terms] == [6010, 7010]
    assert [(leg.terms.events, leg.terms.events_in) for leg in call.legs if leg.terms] == [(100, 100), (100, 100)]

    world.within(CALLER, "BYE")
    assert world.last(CALLER, "200 BYE")
    world.answer(world.last(CALLEE, "BYE"), 200)
    world.run(40.0)
    assert world.record.cause is Cause.NORMAL
    assert not world.exchange.active


def test_demanded_preconditions_are_refused_by_name() -> None:
    """RFC 3312 §11: without them the caller may ask again, and does."""
    world = Ims()
    world.invite(("Require", "100rel, precondition"))
    refused = world.last(CALLER, "420 INVITE")
    assert refused.headers.get("Unsupported") == "precondition"
    assert world.got[CALLEE] == []
    assert world.exchange.deadline is None


def test_preconditions_that_only_the_sdp_calls_mandatory_are_left_out_and_the_call_goes_on() -> None:
    """An IMS supports preconditions by header and writes mandatory (TS 24.229): it goes on without when we do."""
    world = Ims()
    world.invite(("Supported", "100rel, precondition"), body=sdp(CALLER, strength="mandatory"))
    out = world.last(CALLEE, "INVITE")
    assert b"qos" not in out.body
    world.answer(out, 183, RELIABLE, ("RSeq", "1"), body=sdp(CALLEE, strength="mandatory"))
    world.answer(world.last(CALLEE, "PRACK"), 200)
    early = world.last(CALLER, "183 INVITE")
    assert b"RTP/AVP 8 100\r\n" in early.body
    assert b"qos" not in early.body
    world.dialogs[CALLER] = Dialog.of_client(world.first, early, GATEWAY)
    world.prack(early)
    world.within(CALLER, "UPDATE", body=sdp(CALLER, 2, local="sendrecv", strength="mandatory"))
    assert b"qos" not in world.last(CALLER, "200 UPDATE").body
    world.answer(out, 200)
    world.within(CALLER, "ACK", cseq=1)
    world.within(CALLER, "BYE")
    world.answer(world.last(CALLEE, "BYE"), 200)
    world.run(40.0)
    assert world.record.cause is Cause.NORMAL


@pytest.mark.parametrize(("status", "cause"), [(421, Cause.CALLEE_REFUSED), (580, Cause.CALLEE_SIDE_FAILED)])
def test_a_callee_that_can_not_do_without_preconditions_ends_the_call(status: int, cause: Cause) -> None:
    """Neither status, nor what it demands, is said to the caller: it is of the other leg."""
    world = Ims()
    world.invite(("Supported", "precondition"))
    world.answer(world.last(CALLEE, "INVITE"), status, ("Require", "precondition"))
    world.run(40.0)
    assert world.record.cause is cause
    (final,) = {
        one.status: one for one in world.got[CALLER] if isinstance(one, Response) and one.status >= 300
    }.values()
    assert final.status == cause.sip_status
    assert "Require" not in final.headers


def test_who_takes_no_update_is_refreshed_by_the_same_description() -> None:
    """Neither side knows timers or UPDATE: half an hour is refreshed by re-INVITE, the same o= line, on each leg."""
    world = Ims(media_timeout=0.0)
    world.invite()
    out = world.last(CALLEE, "INVITE")
    plain = ("Allow", "INVITE, ACK, BYE, CANCEL")
    world.answer(out, 200, plain, body=sdp(CALLEE))
    final = world.last(CALLER, "200 INVITE")
    world.dialogs[CALLER] = Dialog.of_client(world.first, final, GATEWAY)
    world.within(CALLER, "ACK", cseq=1)
    first = {CALLER: final.body, CALLEE: out.body}
    for times in (1, 2):
        world.run(903.0)
        for side in (CALLER, CALLEE):
            again = world.last(side, "INVITE")
            assert again.cseq.number == (times + 1 if side == CALLEE else times)
            assert again.body == first[side]
            assert "timer" in again.headers.get("Supported")
            made = response_to(again, 200, headers=[("Contact", f"<sip:{side.host}:5060>")], body=sdp(side),
                               content_type="application/sdp")  # fmt: skip
            world.say(side, made)
            assert world.last(side, "ACK").cseq.number == again.cseq.number
    world.within(CALLER, "BYE")
    world.answer(world.last(CALLEE, "BYE"), 200)
    world.run(40.0)
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds > 1790


@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_update_with_an_offer_before_the_first_answer_is_out_of_turn(acknowledged: bool) -> None:
    """RFC 3311 §5.2: the caller's own offer is still open, so 500 with a time; from the callee, ours is: 491."""
    world = Ims()
    world.invite(("Supported", "100rel"))
    out = world.last(CALLEE, "INVITE")
    world.answer(out, 183, body=sdp(CALLEE))
    world.within(CALLEE, "UPDATE", body=sdp(CALLEE, 2))
    assert world.last(CALLEE, "491 UPDATE")
    early = world.last(CALLER, "183 INVITE")
    world.dialogs[CALLER] = Dialog.of_client(world.first, early, GATEWAY)
    if acknowledged:
        world.prack(early)
    world.within(CALLER, "UPDATE", body=sdp(CALLER, 2, port=6010))
    if acknowledged:
        assert world.last(CALLER, "200 UPDATE").body
    else:
        assert 0 <= int(world.last(CALLER, "500 UPDATE").headers.get("Retry-After")) <= 10
    world.within(CALLER, "UPDATE")
    assert world.last(CALLER, "200 UPDATE"), "without an offer it is only a refresh"
    world.answer(out, 486)
    world.run(40.0)
    assert world.record.cause is Cause.BUSY


def test_an_invite_without_an_offer_gets_ours_in_the_180_and_early_media_with_his_answer() -> None:
    """RFC 3262 §5: delayed offer, acknowledged; the answer in the PRACK."""
    world = Ims()
    world.invite(("Require", "100rel"), body=b"")
    out = world.last(CALLEE, "INVITE")
    world.answer(out, 180)
    early = world.last(CALLER, "180 INVITE")
    assert b"RTP/AVP 8 0 101\r\n" in early.body
    world.dialogs[CALLER] = Dialog.of_client(world.first, early, GATEWAY)
    world.prack(early, sdp(CALLER))
    assert world.last(CALLER, "200 PRACK").body == b""
    (call,) = world.exchange._calls.values()
    assert call.caller.terms is not None
    assert (call.caller.terms.port, call.caller.terms.events, call.caller.terms.events_in) == (6000, 100, 101)
    world.answer(out, 200, body=sdp(CALLEE))
    assert world.last(CALLER, "200 INVITE").body == b""
    world.within(CALLER, "ACK", cseq=1)
    world.run(1.0)
    assert world.exchange.active
    world.within(CALLER, "BYE")
    world.answer(world.last(CALLEE, "BYE"), 200)
    world.run(40.0)
    assert world.record.cause is Cause.NORMAL


def test_an_answer_in_the_prack_that_is_none_ends_the_call() -> None:
    world = Ims()
    world.invite(("Require", "100rel"), body=b"")
    world.answer(world.last(CALLEE, "INVITE"), 180)
    early = world.last(CALLER, "180 INVITE")
    world.dialogs[CALLER] = Dialog.of_client(world.first, early, GATEWAY)
    world.prack(early)
    assert world.last(CALLER, "400 INVITE")
    assert world.last(CALLEE, "CANCEL")
    world.answer(world.last(CALLEE, "INVITE"), 487)
    world.run(40.0)
    assert not world.exchange.active


CODECS, AVP, ADDRESS = b" 8 105 100", b"RTP/AVP", b"c=IN IP4 192.0.2.10"


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        (CODECS, b" 105 100", '305 198.51.100.1 "offered amr amr-wb telephone-event, we accept PCMA PCMU"'),
        (AVP, b"TCP/MSRP", '302 198.51.100.1 "not RTP/AVP audio"'),
        (b"m=audio", b"m=video", '304 198.51.100.1 "no audio"'),
        (ADDRESS, b"c=IN IP6 2001:db8::1", '301 198.51.100.1 "the address is of another IP version"'),
        (CODECS, b'\r\na=rtpmap:104 "\\x/1', '305 198.51.100.1 "offered ??x amr, we accept PCMA PCMU"'),
    ],
)
def test_a_refused_offer_says_why(old: bytes, new: bytes, warning: str) -> None:
    """And what of it the peer wrote itself can't break out of the quotes."""
    world = Ims()
    world.invite(body=sdp(CALLER).replace(old, new))
    assert world.last(CALLER, "488 INVITE").headers.get("Warning") == warning


def talking() -> Ims:
    """A call that is up, by the shortest way."""
    world = Ims()
    world.invite()
    world.answer(world.last(CALLEE, "INVITE"), 200, body=sdp(CALLEE))
    final = world.last(CALLER, "200 INVITE")
    world.dialogs[CALLER] = Dialog.of_client(world.first, final, GATEWAY)
    world.within(CALLER, "ACK", cseq=1)
    return world


def version(body: bytes) -> int:
    return SessionDescription.parse(body).origin.version


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("side", [CALLER, CALLEE])
@pytest.mark.parametrize(
    ("held", "answered"),
    [
        (lambda one: one.replace(b"a=sendrecv", b"a=sendonly"), b"recvonly"),
        (lambda one: one.replace(b"a=sendrecv", b"a=inactive"), b"inactive"),
        (lambda one: one.replace(b"\r\nc=IN IP4 192", b"\r\nc=IN IP4 0.0.0.0\r\na=x:192"), b"recvonly"),
    ],
    ids=["sendonly", "inactive", "c=0.0.0.0"],
)
def test_hold_and_resume(held: Callable[[bytes], bytes], answered: bytes, side: Hop, method: str) -> None:
    """RFC 3264 §8.4, both styles, by re-INVITE and by UPDATE, on either leg; the other leg hears nothing of it."""
    world = talking()
    other = CALLEE if side == CALLER else CALLER
    seen = len(world.got[other])
    versions = []
    for body, said in [(held(sdp(side, 2)), answered), (sdp(side, 3), b"sendrecv")]:
        world.within(side, method, body=body)
        answer = world.last(side, f"200 {method}")
        assert b"a=" + said + b"\r\n" in answer.body
        versions.append(version(answer.body))
        if method == "INVITE":
            world.within(side, "ACK", cseq=answer.cseq.number)
    assert versions[1] == versions[0] + 1
    assert len(world.got[other]) == seen
    world.within(CALLER, "BYE")
    world.answer(world.last(CALLEE, "BYE"), 200)
    world.run(40.0)
    assert world.record.cause is Cause.NORMAL


@pytest.mark.parametrize("side", [CALLER, CALLEE])
def test_a_reinvite_without_an_offer_gets_the_whole_of_ours(side: Hop) -> None:
    """RFC 6337 §5.3: all that we can do, not only what was agreed; the answer is in the ACK."""
    world = talking()
    world.within(side, "INVITE")
    offer = world.last(side, "200 INVITE").body
    assert b" RTP/AVP 8 0 " in offer
    assert b"a=sendrecv" in offer
    world.within(side, "ACK", body=sdp(side, 2, port=6666), cseq=world.last(side, "200 INVITE").cseq.number)
    (call,) = world.exchange._calls.values()
    (leg,) = [leg for leg in call.legs if leg.source == side.host]
    assert leg.terms is not None
    assert leg.terms.port == 6666
    world.within(CALLER, "BYE")
    world.answer(world.last(CALLEE, "BYE"), 200)
    world.run(40.0)
    assert world.record.cause is Cause.NORMAL
