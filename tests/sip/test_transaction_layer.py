"""Which message belongs to which transaction (RFC 3261 §17.1.3, §17.2.3), and one deadline over all of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.sip.build import request, response_to
from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response
from gateway.sip.server_transaction import InviteServer, OtherServer
from gateway.sip.transaction import Deliver, Failed, InviteClient, State, Timers, Transmit
from gateway.sip.transaction_layer import TransactionLayer

UDP, TCP, OTHER = Hop("udp", "192.0.2.1", 5060), Hop("tcp", "192.0.2.1", 5060), Hop("tcp", "192.0.2.2", 5060)
BRANCH = "z9hG4bK1"


def asked(method: str = "INVITE", **changes: Any) -> Request:
    """``branch``, ``sent_by``, ``tag``, ``to_tag``, ``uri``, ``call_id``, ``cseq`` differ from the usual ones."""
    to_tag = changes.get("to_tag", "")
    branch = changes.get("branch", BRANCH)
    return request(
        method,
        changes.get("uri", "sip:b@x"),
        via=f"SIP/2.0/UDP {changes.get('sent_by', '192.0.2.9')}" + (f";branch={branch}" if branch else ""),
        from_=f"<sip:a@x>;tag={changes.get('tag', '1')}",
        to="<sip:b@x>" + (f";tag={to_tag}" if to_tag else ""),
        call_id=changes.get("call_id", "c"),
        cseq=changes.get("cseq", 7),
    )


def reply(to: Request, status: int) -> Response:
    return response_to(to, status, to_tag="2")


def layer() -> TransactionLayer:
    return TransactionLayer(Timers())


# --- server transactions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "same"),
    [
        (asked(), True),
        (asked(sent_by="192.0.2.9:5060"), True),
        (asked(call_id="another", tag="another", cseq=8), True),
        (asked(sent_by="192.0.2.8"), False),
        (asked(sent_by="192.0.2.9:5061"), False),
        (asked(branch="z9hG4bK2"), False),
        (asked("BYE"), False),
    ],
)
def test_a_branch_with_the_cookie_its_sender_and_the_method_make_a_server_transaction(
    second: Request, same: bool
) -> None:
    one = layer()
    transaction = one.accept(asked(), UDP)
    assert one.find_server(second) is (transaction if same else None)


@pytest.mark.parametrize("branch", ["", "1", "z9hG4bK"])
@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"uri": "sip:c@x"}, False),
        ({"tag": "9"}, False),
        ({"call_id": "d"}, False),
        ({"cseq": 8}, False),
        ({"sent_by": "192.0.2.8"}, False),
    ],
)
def test_without_a_whole_cookie_all_of_rfc_2543_counts(branch: str, changes: dict[str, Any], same: bool) -> None:
    one = layer()
    transaction = one.accept(asked(branch=branch), UDP)
    assert one.find_server(asked(branch=branch, **changes)) is (transaction if same else None)


@pytest.mark.parametrize("branch", [BRANCH, "1"])
@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_ack_and_cancel_find_their_invite(branch: str, method: str) -> None:
    one = layer()
    transaction = one.accept(asked(branch=branch), UDP)
    assert one.find_server(asked(method, branch=branch, to_tag="2"), "INVITE") is transaction
    assert one.find_server(asked(method, branch=branch)) is None


def test_what_comes_again_gets_the_same_bytes_and_ends_with_its_timer() -> None:
    one = layer()
    first = asked("BYE")
    transaction = one.accept(first, UDP)
    assert isinstance(transaction, OtherServer)
    sent = one.respond(transaction, reply(first, 200), 1.0)
    assert one.receive_again(transaction, asked("BYE"), 2.0) == sent
    assert (one.deadline, len(one)) == (33.0, 1)
    assert one.handle_timeout(33.0) == []
    assert (one.deadline, len(one), one.find_server(first)) == (None, 0, None)


def test_over_tcp_an_answered_request_is_forgotten_at_once() -> None:
    one = layer()
    one.respond(one.accept(asked("BYE"), TCP), reply(asked("BYE"), 200), 0.0)
    assert (len(one), one.deadline) == (0, None)


def test_over_tcp_a_refused_invite_is_forgotten_with_its_ack() -> None:
    one = layer()
    one.send(asked(), TCP, None, 0.0)
    one.receive_response(reply(asked(), 486), 0.1)
    assert (len(one), one.deadline) == (0, None)
    transaction = one.accept(asked(), TCP)
    one.respond(transaction, reply(asked(), 486), 0.2)
    assert (len(one), one.deadline) == (1, 32.2)
    one.receive_again(transaction, asked("ACK"), 0.3)
    assert (len(one), one.deadline) == (0, None)


# --- merged requests (§8.2.2.2) ---------------------------------------------------------------------------------------


def test_a_copy_by_another_path_is_merged_until_the_first_is_over() -> None:
    one = layer()
    copy = asked(branch="z9hG4bKfork", sent_by="192.0.2.8")
    assert not one.is_merged(copy)
    transaction = one.accept(asked(), UDP)
    assert one.is_merged(copy)
    for other in ({"cseq": 8}, {"tag": "9"}, {"call_id": "d"}, {"to_tag": "2"}):
        assert not one.is_merged(asked(branch="z9hG4bKfork", **other))
    one.respond(transaction, reply(asked(), 486), 0.0)
    one.receive_again(transaction, asked("ACK"), 0.1)
    assert one.is_merged(copy)
    one.handle_timeout(5.1)
    assert not one.is_merged(copy)


def test_a_reinvite_is_no_merged_request() -> None:
    one = layer()
    one.accept(asked(to_tag="2"), UDP)
    assert not one.is_merged(asked(to_tag="2", branch="z9hG4bKother"))


# --- client transactions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answered", "found"),
    [
        (asked(), True),
        (asked(sent_by="192.0.2.77"), True),
        (asked(branch="z9hG4bK2"), False),
        (asked("CANCEL"), False),
    ],
)
def test_branch_and_cseq_method_find_the_client_transaction(answered: Request, found: bool) -> None:
    one = layer()
    owner: Any = SimpleNamespace(account=None)
    transaction, _ = one.send(asked(), UDP, owner, 0.0)
    assert isinstance(transaction, InviteClient)
    assert transaction.owner is owner
    response = reply(answered, 180)
    assert one.receive_response(response, 0.1) == ((transaction, [Deliver(response)]) if found else (None, []))


def test_invite_and_its_cancel_share_a_branch_and_stay_apart() -> None:
    one = layer()
    invite, _ = one.send(asked(), UDP, None, 0.0)
    cancel, _ = one.send(asked("CANCEL"), UDP, None, 0.1)
    assert one.receive_response(reply(asked("CANCEL"), 200), 0.2)[0] is cancel
    assert one.receive_response(reply(asked(), 487), 0.2)[0] is invite
    assert len(one) == 2


def test_each_2xx_of_a_fork_reaches_the_user() -> None:
    one = layer()
    transaction, _ = one.send(asked(), TCP, None, 0.0)
    for status, at in ((200, 1.0), (200, 2.0), (202, 32.9)):
        response = reply(asked(), status)
        assert one.receive_response(response, at) == (transaction, [Deliver(response)])
    one.handle_timeout(33.0)
    assert one.receive_response(reply(asked(), 200), 33.1) == (None, [])


# --- one deadline over all --------------------------------------------------------------------------------------------


def test_the_deadline_is_the_earliest_of_all_and_each_fires_at_its_own() -> None:
    one = layer()
    one.send(asked(branch="z9hG4bKa"), UDP, None, 0.0)
    one.send(asked("BYE", branch="z9hG4bKb"), UDP, None, 0.2)
    done: list[tuple[float, str]] = []
    while (due := one.deadline) is not None and due < 4.0:
        outputs = one.handle_timeout(due)
        done += [(round(due, 3), output.message.method) for output in outputs if _is_request(output)]
    assert done == [(0.5, "INVITE"), (0.7, "BYE"), (1.5, "INVITE"), (1.7, "BYE"), (3.5, "INVITE"), (3.7, "BYE")]


def _is_request(output: Any) -> bool:
    return isinstance(output, Transmit) and isinstance(output.message, Request)


def test_a_clock_that_slept_makes_no_burst() -> None:
    one = layer()
    gone, _ = one.send(asked(), UDP, None, 0.0)
    outputs = one.handle_timeout(1000.0)
    assert [type(output) for output in outputs] == [Transmit, tuple]
    assert outputs[-1] == (gone, Failed("timeout"))
    assert (len(one), one.deadline) == (0, None)


def test_who_is_given_up_is_forgotten_with_its_timers() -> None:
    one = layer()
    transaction, _ = one.send(asked(), UDP, None, 0.0)
    one.forget(transaction)
    assert (len(one), one.deadline, one.handle_timeout(100.0)) == (0, None, [])


def test_a_hop_that_fails_ends_only_what_still_waits_for_it() -> None:
    one = layer()
    waits, _ = one.send(asked(branch="z9hG4bKa"), TCP, None, 0.0)
    rings, _ = one.send(asked(branch="z9hG4bKb"), TCP, None, 0.0)
    elsewhere, _ = one.send(asked(branch="z9hG4bKc"), OTHER, None, 0.0)
    one.receive_response(reply(asked(branch="z9hG4bKb"), 180), 0.1)
    server = one.accept(asked(branch="z9hG4bKd"), TCP)
    assert one.transport_failed(TCP, 1.0) == [(waits, Failed("transport"))]
    states = [transaction.state for transaction in (waits, rings, elsewhere, server)]
    assert states == [State.TERMINATED, State.PROCEEDING, State.CALLING, State.PROCEEDING]
    assert len(one) == 3


def test_many_come_and_go_and_nothing_stays() -> None:
    one = layer()
    for number in range(500):
        now = number / 100
        request_ = asked(branch=f"z9hG4bK{number}", call_id=f"c{number}")
        if number % 2:
            one.send(request_, UDP, None, now)
            one.receive_response(reply(request_, 486), now)
        else:
            transaction = one.accept(request_, UDP)
            assert isinstance(transaction, InviteServer)
            one.respond(transaction, reply(request_, 486), now)
            one.receive_again(transaction, asked("ACK", branch=f"z9hG4bK{number}"), now)
    assert len(one) == 500
    one.handle_timeout(40.0)
    assert (len(one), one.deadline, len(one._alarms), one._merged) == (0, None, 0, {})
