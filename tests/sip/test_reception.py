"""Which door a request outside of a dialog finds, and what the others get."""

from __future__ import annotations

from itertools import count

import pytest

from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response, parse_message
from gateway.sip.outputs import Output
from gateway.sip.stateless import answer
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent, UserAgentSettings

US, PEER = Hop("udp", "198.51.100.1", 5060), Hop("udp", "192.0.2.10", 5060)


def agent() -> UserAgent:
    numbers = count()
    return UserAgent(UserAgentSettings({"udp": US}), lambda: f"token{next(numbers)}")


def request(method: str, to_tag: str = "") -> bytes:
    return (
        f"{method} sip:gw SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK{method}{to_tag};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:a@c>;tag=a\r\nTo: <sip:gw>{to_tag}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    ).encode()


def status(outputs: list[Output]) -> int:
    (sent,) = outputs
    assert isinstance(sent, Transmit)
    assert isinstance(sent.message, Response)
    return sent.message.status


@pytest.mark.parametrize(
    ("method", "outside", "elsewhere"),
    [
        ("OPTIONS", 200, 481),
        ("BYE", 481, 481),
        ("INFO", 481, 481),
        ("UPDATE", 481, 481),
        ("NOTIFY", 481, 489),
        ("SUBSCRIBE", 489, 489),
        ("PUBLISH", 489, 489),
        ("REFER", 405, 405),
        ("REGISTER", 405, 405),
        ("BREW", 501, 501),
    ],
)
def test_methods_outside_of_a_dialog(method: str, outside: int, elsewhere: int) -> None:
    """``elsewhere``: in a dialog that we don't know. Nothing is left of it."""
    us = agent()
    assert status(us.receive_message(request(method), PEER, 0.0)) == outside
    assert status(us.receive_message(request(method, ";tag=b"), PEER, 0.0)) == elsewhere
    assert (us.sessions, len(us.layer), us.deadline) == (0, 0, None)


def test_a_method_with_a_door_goes_through_it() -> None:
    us = agent()
    came: list[tuple[str, Hop, float]] = []

    def door(request: Request, source: Hop, now: float) -> list[Output]:
        came.append((request.method, source, now))
        return [answer(request, source, 200)]

    us.reception.doors["REGISTER"] = door
    assert status(us.receive_message(request("REGISTER"), PEER, 3.0)) == 200
    assert came == [("REGISTER", PEER, 3.0)]


def test_what_a_draining_node_takes() -> None:
    us = agent()
    us.accepting = False
    statuses = {name: status(us.receive_message(request(name), PEER, 0.0)) for name in ("OPTIONS", "MESSAGE", "BYE")}
    assert statuses == {"OPTIONS": 503, "MESSAGE": 503, "BYE": 481}


class Asker:
    """Owns one request."""

    account = None

    def __init__(self) -> None:
        self.told: list[object] = []

    def renumbered(self, transaction: object) -> int | None:
        return None

    def repeated(self, old: object, new: object) -> None:
        self.told.append("repeated")

    def receive_response(self, transaction: object, response: Response, now: float) -> list[Output]:
        self.told.append(response.status)
        return []

    def failed(self, transaction: object, reason: str, now: float) -> list[Output]:
        self.told.append(reason)
        return []


def test_whoever_sends_a_request_is_told_what_becomes_of_it() -> None:
    us, asker = agent(), Asker()
    data = request("OPTIONS").replace(b"192.0.2.10;branch", b"198.51.100.1;branch")
    message = parse_message(data)
    assert isinstance(message, Request)
    us.layer.send(message, PEER, asker, 0.0)
    ok = data.partition(b"\r\n")[2]
    us.receive_message(b"SIP/2.0 200 OK\r\n" + ok, PEER, 0.1)
    us.handle_timeout(10.0)
    us.layer.send(message, PEER, asker, 20.0)
    us.handle_timeout(60.0)
    us.layer.send(message, PEER, asker, 70.0)
    us.transport_failed(PEER, 70.1)
    assert asker.told == [200, "timeout", "transport"]
    assert len(us.layer) == 0
