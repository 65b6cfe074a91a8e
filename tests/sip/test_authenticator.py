"""Doors behind a challenge, and what a source that is nobody's gets: nothing but that."""

from __future__ import annotations

import pytest

from gateway.sip.authenticator import Authenticator
from gateway.sip.digest import choose, respond
from gateway.sip.hop import Hop
from gateway.sip.outputs import Incoming, Offence, Output, PageReceived
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent
from gateway.sip.verifier import Verifier
from tests.sip.registering import REALM, Registering, answer_of, lines, node, secret

STRANGER = Hop("udp", "203.0.113.5", 5060)
TRUNK = Hop("udp", "192.0.2.10", 5060)


def guarded() -> UserAgent:
    agent = node()
    authenticator = Authenticator(Verifier(b"k" * 16, REALM), secret)
    doors = agent.reception.doors
    for method in ("INVITE", "MESSAGE"):
        doors[method] = authenticator.guarding(doors[method], lambda request, source, now: source != TRUNK)
    agent.reception.unknown = lambda source, now: source != TRUNK
    return agent


def asked(method: str, *more: str, cseq: int = 1, user: str = "anna") -> bytes:
    contact = ("Contact: <sip:anna@203.0.113.5>",) if method == "INVITE" else ()
    return lines(method, user, call_id="call", cseq=cseq, uri="sip:x@gw", more=(*contact, *more))


def credentials(challenge: Output, method: str, password: str = "secret-a", uri: str = "sip:x@gw") -> str:
    found = choose(answer_of([challenge]).headers.get_all("Proxy-Authenticate"), REALM)
    assert found is not None
    return f"Proxy-Authorization: {respond(found, 'anna', password, method, uri, cnonce='c')}"


@pytest.mark.parametrize(("method", "kind"), [("INVITE", Incoming), ("MESSAGE", PageReceived)])
def test_a_stranger_is_asked_who_he_is_and_let_in_by_his_answer(method: str, kind: type) -> None:
    agent = guarded()
    (challenge,) = agent.receive_message(asked(method), STRANGER, 0.0)
    assert answer_of([challenge]).status == 407
    assert (agent.sessions, len(agent.layer)) == (0, 0)
    again = asked(method, credentials(challenge, method), cseq=2)
    (came,) = [one for one in agent.receive_message(again, STRANGER, 0.1) if isinstance(one, kind)]
    assert came.user == "anna"  # type: ignore[attr-defined]
    assert not [one for one in agent.receive_message(again, STRANGER, 0.2) if isinstance(one, kind)]


def test_an_answer_can_not_be_used_twice() -> None:
    agent = guarded()
    (challenge,) = agent.receive_message(asked("MESSAGE"), STRANGER, 0.0)
    said = credentials(challenge, "MESSAGE")
    assert len(agent.receive_message(asked("MESSAGE", said, cseq=2), STRANGER, 0.1)) == 1
    (stale,) = agent.receive_message(asked("MESSAGE", said, cseq=3), STRANGER, 0.2)
    assert answer_of([stale]).status == 407
    assert "stale=true" in str(answer_of([stale]).headers.get("Proxy-Authenticate"))


def test_a_wrong_answer_is_an_offence() -> None:
    agent = guarded()
    (challenge,) = agent.receive_message(asked("INVITE"), STRANGER, 0.0)
    outputs = agent.receive_message(asked("INVITE", credentials(challenge, "INVITE", "guess")), STRANGER, 0.1)
    assert answer_of(outputs).status == 407
    assert outputs[1:] == [Offence(STRANGER, "digest")]
    assert agent.sessions == 0


def test_an_answer_for_another_call_is_an_offence() -> None:
    agent = guarded()
    (challenge,) = agent.receive_message(asked("INVITE"), STRANGER, 0.0)
    said = credentials(challenge, "INVITE", uri="sip:y@gw")
    outputs = agent.receive_message(asked("INVITE", said), STRANGER, 0.1)
    assert answer_of(outputs).status == 400
    assert outputs[1:] == [Offence(STRANGER, "digest")]


def test_a_trunk_is_not_asked() -> None:
    outputs = guarded().receive_message(asked("INVITE"), TRUNK, 0.0)
    (came,) = [one for one in outputs if isinstance(one, Incoming)]
    assert came.user == ""


@pytest.mark.parametrize(
    "method", ["OPTIONS", "BYE", "INFO", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "BREW", "CANCEL"]
)
def test_a_stranger_hears_nothing_else(method: str) -> None:
    agent = guarded()
    assert agent.receive_message(asked(method), STRANGER, 0.0) == []
    assert agent.receive_message(asked(method).replace(b"@gw>\r\nCall", b"@gw>;tag=t\r\nCall"), STRANGER, 0.0) == []
    assert agent.receive_message(asked(method), TRUNK, 0.0) != []
    assert len(agent.layer) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"), (b"Call-ID: call\r\n", b""), (b"sip:x@gw SIP", b"http://x SIP"),
     (b"Max-Forwards: 70", b"Max-Forwards: 0"), (b"Contact", b"Require: x\r\nContact")],
)  # fmt: skip
def test_a_stranger_s_mistakes_are_not_told(old: bytes, new: bytes) -> None:
    agent = guarded()
    assert old in asked("INVITE")
    sent = agent.receive_message(asked("INVITE").replace(old, new), STRANGER, 0.0)
    assert not [one for one in sent if isinstance(one, Transmit)]
    assert agent.receive_message(asked("INVITE").replace(old, new), TRUNK, 0.0) != []


def test_the_ack_of_a_challenge_is_dropped() -> None:
    agent = guarded()
    agent.receive_message(asked("INVITE"), STRANGER, 0.0)
    assert agent.receive_message(asked("ACK").replace(b"@gw>\r\nCall", b"@gw>;tag=t\r\nCall"), STRANGER, 0.1) == []


def test_what_a_stranger_has_begun_goes_on() -> None:
    agent = guarded()
    (challenge,) = agent.receive_message(asked("INVITE"), STRANGER, 0.0)
    invite = asked("INVITE", credentials(challenge, "INVITE"), cseq=2)
    agent.receive_message(invite, STRANGER, 0.1)
    cancel = b"\r\n".join(line for line in invite.split(b"\r\n") if not line.startswith((b"Contact", b"Proxy-")))
    outputs = agent.receive_message(cancel.replace(b"INVITE", b"CANCEL"), STRANGER, 0.2)
    statuses = [one.message.status for one in outputs if isinstance(one, Transmit)]  # type: ignore[union-attr]
    assert statuses == [200, 487]


def test_a_registered_phone_is_known() -> None:
    agent = guarded()
    locations = agent.registrar.locations  # type: ignore[union-attr]
    agent.reception.unknown = lambda source, now: locations.at(source, now) is None
    assert agent.receive_message(asked("OPTIONS"), STRANGER, 0.0) == []
    Registering(agent, source=STRANGER).register("<sip:anna@203.0.113.5>")
    assert answer_of(agent.receive_message(asked("OPTIONS"), STRANGER, 1.0)).status == 200
