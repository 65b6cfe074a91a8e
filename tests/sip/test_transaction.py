"""The four machines against the tables of RFC 3261 §17 and RFC 6026, timer by timer, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.sip.build import request, response_to
from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response, parse_message
from gateway.sip.server_transaction import InviteServer, OtherServer
from gateway.sip.transaction import Deliver, Failed, InviteClient, OtherClient, State, Timers, Transaction, Transmit

UDP, TCP = Hop("udp", "192.0.2.1", 5060), Hop("tcp", "192.0.2.1", 5060)
GIVE_UP = 32.0


def asked(method: str) -> Request:
    return request(
        method, "sip:b@x", via="SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", from_="<sip:a@x>;tag=1", to="<sip:b@x>",
        call_id="c", cseq=7, routes=["<sip:p;lr>"],
    )  # fmt: skip


def machine(kind: type[Any], hop: Hop) -> Any:
    return kind(("k",), asked("INVITE" if kind in (InviteClient, InviteServer) else "BYE"), hop, Timers())


def reply(one: Transaction, status: int) -> Response:
    return response_to(one.request, status, to_tag="2")


def ack() -> Request:
    message = parse_message(bytes(asked("INVITE")).replace(b"7 INVITE", b"7 ACK").replace(b"INVITE sip", b"ACK sip"))
    assert isinstance(message, Request)
    return message


def kinds(outputs: list[Any]) -> list[str]:
    """``send INVITE``, ``send 200``, ``deliver 180``, ``failed timeout``."""
    words = []
    for output in outputs:
        match output:
            case Transmit(message=message):
                words.append(f"send {message.method if isinstance(message, Request) else message.status}")
            case Deliver(response):
                words.append(f"deliver {response.status}")
            case Failed(reason):
                words.append(f"failed {reason}")
    return words


def timeline(one: Transaction, until: float) -> list[tuple[float, str]]:
    """What a machine left alone does: (second, what)."""
    done: list[tuple[float, str]] = []
    while (due := one.deadline) is not None and due <= until:
        done += [(due, what) for what in kinds(one.handle_timeout(due))]
    return done


def sends(times: list[float], what: str) -> list[tuple[float, str]]:
    return [(time, f"send {what}") for time in times]


# --- INVITE client ----------------------------------------------------------------------------------------------------


def test_an_invite_without_answer_is_resent_at_doubling_intervals_until_b() -> None:
    one = machine(InviteClient, UDP)
    assert kinds(one.start(0.0)) == ["send INVITE"]
    resent = sends([0.5, 1.5, 3.5, 7.5, 15.5, 31.5], "INVITE")
    assert timeline(one, 100.0) == [*resent, (GIVE_UP, "failed timeout")]
    assert one.state is State.TERMINATED


def test_an_invite_over_tcp_is_sent_once() -> None:
    one = machine(InviteClient, TCP)
    one.start(0.0)
    assert timeline(one, 100.0) == [(GIVE_UP, "failed timeout")]


def test_a_provisional_stops_a_and_b() -> None:
    one = machine(InviteClient, UDP)
    one.start(0.0)
    for status in (100, 180, 183):
        assert kinds(one.receive_response(reply(one, status), 0.1)) == [f"deliver {status}"]
    assert one.deadline is None
    assert one.state is State.PROCEEDING


@pytest.mark.parametrize(("hop", "stays"), [(UDP, 32.0), (TCP, None)])
def test_a_refusal_is_acknowledged_each_time_until_d(hop: Hop, stays: float | None) -> None:
    one = machine(InviteClient, hop)
    one.start(0.0)
    assert kinds(one.receive_response(reply(one, 486), 1.0)) == ["send ACK", "deliver 486"]
    assert one.deadline == (None if stays is None else 1.0 + stays)
    if stays is not None:
        assert kinds(one.receive_response(reply(one, 486), 2.0)) == ["send ACK"]
        assert timeline(one, 100.0) == []
    assert one.state is State.TERMINATED


def test_the_ack_of_a_refusal_goes_the_way_of_the_invite() -> None:
    """§17.1.1.3: the INVITE's Request-URI, top Via, Route, From, Call-ID and number; the To of the response."""
    one = machine(InviteClient, UDP)
    one.start(0.0)
    made = one.receive_response(reply(one, 486), 0.0)[0].message
    assert (made.method, made.uri_text, made.cseq.number) == ("ACK", "sip:b@x", 7)
    for name in ("Via", "From", "Call-ID", "Route"):
        assert made.headers.get_all(name) == one.request.headers.get_all(name)
    assert made.to.tag == "2"


def test_every_2xx_is_delivered_until_m() -> None:
    one = machine(InviteClient, UDP)
    one.start(0.0)
    assert kinds(one.receive_response(reply(one, 200), 1.0)) == ["deliver 200"]
    assert one.state is State.ACCEPTED
    assert kinds(one.receive_response(reply(one, 200), 5.0)) == ["deliver 200"]
    assert kinds(one.receive_response(reply(one, 486), 5.0)) == []
    assert one.deadline == 33.0
    assert timeline(one, 100.0) == []


# --- INVITE server ----------------------------------------------------------------------------------------------------


def test_a_refusal_is_resent_until_h() -> None:
    one = machine(InviteServer, UDP)
    assert kinds(one.respond(reply(one, 486), 0.0)) == ["send 486"]
    resent = sends([0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5], "486")
    assert timeline(one, 100.0) == [*resent, (GIVE_UP, "failed timeout")]


def test_a_refusal_over_tcp_is_sent_once() -> None:
    one = machine(InviteServer, TCP)
    one.respond(reply(one, 486), 0.0)
    assert timeline(one, 100.0) == [(GIVE_UP, "failed timeout")]


@pytest.mark.parametrize(("hop", "stays"), [(UDP, 5.0), (TCP, None)])
def test_the_ack_ends_it_after_i(hop: Hop, stays: float | None) -> None:
    one = machine(InviteServer, hop)
    one.respond(reply(one, 486), 0.0)
    assert kinds(one.receive_request(ack(), 0.1)) == []
    assert one.deadline == (None if stays is None else 0.1 + stays)
    assert kinds(one.receive_request(ack(), 0.2)) == []
    assert timeline(one, 100.0) == []
    assert one.state is State.TERMINATED


def test_an_invite_again_gets_the_last_provisional() -> None:
    one = machine(InviteServer, UDP)
    assert kinds(one.receive_request(one.request, 0.0)) == []
    one.respond(reply(one, 100), 0.0)
    one.respond(reply(one, 180), 0.1)
    assert kinds(one.receive_request(one.request, 0.5)) == ["send 180"]


def test_a_2xx_is_its_users_to_resend_and_l_absorbs_the_invite() -> None:
    """RFC 6026 §7.1: the machine stays, so that a retransmitted INVITE makes no second call."""
    one = machine(InviteServer, UDP)
    assert kinds(one.respond(reply(one, 200), 0.0)) == ["send 200"]
    assert kinds(one.receive_request(one.request, 0.5)) == []
    assert kinds(one.respond(reply(one, 200), 0.5)) == ["send 200"]
    assert kinds(one.respond(reply(one, 486), 0.6)) == []
    assert one.deadline == GIVE_UP
    assert timeline(one, 100.0) == []
    assert one.state is State.TERMINATED


def test_nothing_follows_a_final_response() -> None:
    one = machine(InviteServer, UDP)
    one.respond(reply(one, 486), 0.0)
    assert one.respond(reply(one, 180), 0.1) == one.respond(reply(one, 200), 0.1) == []


# Where one class of status ends and the next begins (§7.2, §17.1.1.2, §17.2.1).
BOUNDS = [(100, State.PROCEEDING), (199, State.PROCEEDING), (200, State.ACCEPTED), (299, State.ACCEPTED),
          (300, State.COMPLETED), (699, State.COMPLETED)]  # fmt: skip


@pytest.mark.parametrize(("status", "state"), BOUNDS)
def test_the_class_of_a_status_decides_the_state_of_an_invite(status: int, state: State) -> None:
    client, server = machine(InviteClient, UDP), machine(InviteServer, UDP)
    client.start(0.0)
    client.receive_response(reply(client, status), 0.1)
    server.respond(reply(server, status), 0.1)
    assert (client.state, server.state) == (state, state)
    assert server.answered is (status >= 200)


@pytest.mark.parametrize(
    ("status", "again"), [(180, []), (299, ["deliver 299"]), (300, ["send ACK"]), (699, ["send ACK"])]
)
def test_only_a_refusal_is_acknowledged_again(status: int, again: list[str]) -> None:
    one = machine(InviteClient, UDP)
    one.start(0.0)
    one.receive_response(reply(one, 486), 0.1)
    assert kinds(one.receive_response(reply(one, status), 0.2)) == again


@pytest.mark.parametrize(("status", "sent"), [(180, []), (200, ["send 200"]), (299, ["send 299"]), (300, [])])
def test_only_a_2xx_follows_a_2xx(status: int, sent: list[str]) -> None:
    one = machine(InviteServer, UDP)
    one.respond(reply(one, 200), 0.0)
    assert kinds(one.respond(reply(one, status), 0.1)) == sent


# --- the others -------------------------------------------------------------------------------------------------------


def test_a_request_without_answer_is_resent_until_f() -> None:
    one = machine(OtherClient, UDP)
    assert kinds(one.start(0.0)) == ["send BYE"]
    resent = sends([0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5], "BYE")
    assert timeline(one, 100.0) == [*resent, (GIVE_UP, "failed timeout")]


def test_a_provisional_slows_e_down_to_t2() -> None:
    one = machine(OtherClient, UDP)
    one.start(0.0)
    assert kinds(one.receive_response(reply(one, 100), 0.1)) == ["deliver 100"]
    assert timeline(one, 10.0) == sends([0.5, 4.5, 8.5], "BYE")


@pytest.mark.parametrize(("hop", "stays"), [(UDP, 5.0), (TCP, None)])
def test_a_final_response_ends_it_after_k(hop: Hop, stays: float | None) -> None:
    one = machine(OtherClient, hop)
    one.start(0.0)
    assert kinds(one.receive_response(reply(one, 200), 1.0)) == ["deliver 200"]
    assert one.deadline == (None if stays is None else 1.0 + stays)
    assert kinds(one.receive_response(reply(one, 200), 1.1)) == []
    assert timeline(one, 100.0) == []
    assert one.state is State.TERMINATED


@pytest.mark.parametrize(("hop", "stays"), [(UDP, 32.0), (TCP, None)])
def test_a_request_again_gets_the_same_answer_until_j(hop: Hop, stays: float | None) -> None:
    one = machine(OtherServer, hop)
    assert kinds(one.receive_request(one.request, 0.0)) == []
    assert kinds(one.respond(reply(one, 200), 1.0)) == ["send 200"]
    assert kinds(one.respond(reply(one, 481), 1.0)) == []
    assert kinds(one.receive_request(one.request, 2.0)) == ["send 200"]
    assert one.deadline == (None if stays is None else 1.0 + stays)
    assert timeline(one, 100.0) == []
    assert one.state is State.TERMINATED


@pytest.mark.parametrize("kind", [InviteClient, OtherClient])
def test_a_transport_that_fails_ends_what_still_waits(kind: type[Any]) -> None:
    one = machine(kind, TCP)
    one.start(0.0)
    assert kinds(one.transport_failed(1.0)) == ["failed transport"]
    assert one.deadline is None
    two = machine(kind, TCP)
    two.start(0.0)
    two.receive_response(reply(two, 100), 0.1)
    assert two.transport_failed(1.0) == []
