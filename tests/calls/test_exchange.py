from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from gateway.calls.outputs import OUTWARD, ExchangeOutput, MediaCommand, Resolve
from gateway.sip.hop import Hop
from gateway.sip.transaction import Transmit
from media import control
from tests.calls.fakes import TRUNK, A, B, Bench, X, connect, invite, sdp

FROM_ANONYMOUS = 'From: "Anonymous" <sip:anonymous@anonymous.invalid>;tag=a'


@pytest.mark.parametrize(
    "uri", [f"sip:{X.e164}@gw", "sip:17000000001@gw", "sip:8617000000001@gw;user=phone", f"tel:{X.e164}"]
)
def test_x_is_read_from_the_request_uri(uri: str) -> None:
    bench = Bench()
    (resolve,) = bench.dial(invite(uri))
    assert resolve == Resolve(bench.call, "carrier", A, X, 100.0)


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        ([f"P-Asserted-Identity: <sip:{B.e164}@carrier;user=phone>"], B),
        ([f"P-Asserted-Identity: <tel:{B.e164}>", "Privacy: id", FROM_ANONYMOUS], B),
        (['P-Asserted-Identity: "Shop" <sip:shop@carrier>', f"P-Asserted-Identity: <tel:{B.e164}>"], B),
        (["P-Asserted-Identity: <sip:shop@carrier>"], A),
        ([FROM_ANONYMOUS], None),
    ],
)
def test_the_caller_is_the_asserted_number_before_from(headers: list[str], caller: object) -> None:
    bench = Bench()
    (resolve,) = bench.dial(invite(headers=headers))
    assert resolve.caller == caller


@pytest.mark.parametrize(
    ("request_uri", "body", "status"),
    [
        ("sip:alice@gw", sdp(), 404),
        (f"sip:{X.e164}@gw", sdp(codecs="18"), 488),
        (f"sip:{X.e164}@gw", b"nonsense", 400),
    ],
)
def test_what_can_not_become_a_call_is_refused_at_the_door(request_uri: str, body: bytes, status: int) -> None:
    bench = Bench()
    assert bench.dial(invite(request_uri, body=body)) == []
    assert bench.verb("reject", "caller")[2] == status
    assert bench.exchange.active == 0
    assert bench.exchange._admission.calls == 0


def test_what_is_for_the_outside_is_all_of_its_type() -> None:
    assert set(OUTWARD) == set(get_args(ExchangeOutput))


def test_strangers_and_limits() -> None:
    bench = Bench(trunk=replace(TRUNK, max_calls_in=1))
    assert bench.exchange.admits("192.0.2.1")
    assert not bench.exchange.admits("203.0.113.1")
    bench.dial(source=Hop("udp", "203.0.113.1", 5060), session="stranger")
    assert bench.verb("reject", "stranger")[2] == 403
    bench.dial()
    bench.dial(session="second")
    assert bench.verb("reject", "second")[2:] == (503, {"Retry-After": "5"})
    assert bench.exchange.counters == {"unknown source": 1, "trunk calls": 1}
    assert bench.exchange.active == 1


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws", "tls", "wss"])
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "BYE", "ACK"])
def test_a_secure_trunk_is_heard_over_tls_only(transport: str, method: str) -> None:
    bench = Bench(trunk=replace(TRUNK, secure=True))
    bench.agent.incoming = []
    request = bytes(invite()).replace(b"INVITE", method.encode())
    outputs = bench.exchange.receive_message(request, Hop(transport, "192.0.2.1", 5060), bench.now)
    answers = [out.message.status for out in outputs if isinstance(out, Transmit)]
    downgraded = transport in ("udp", "tcp", "ws")
    assert answers == ([403] if downgraded and method != "ACK" else [])
    assert bench.exchange.counters == ({"not by TLS": 1} if downgraded else {})


def test_calls_go_to_the_least_loaded_worker() -> None:
    bench = Bench(workers=2)
    chosen = []
    for number in range(4):
        bench.dial(session=f"caller{number}")
        chosen += [out.worker for out in bench.route(connect()) if isinstance(out, MediaCommand)]
    assert chosen == [0, 1, 0, 1]


def test_a_worker_that_ends_moves_only_its_own_calls() -> None:
    bench = Bench(workers=2)
    for number in range(4):
        bench.dial(session=f"caller{number}")
        bench.route(connect())
    moved = bench.note(bench.exchange.worker_gone(1, bench.now))
    assert [(one.worker, type(one.command)) for one in moved] == [(0, control.Open), (0, control.Open)]
    assert bench.exchange.active == 4
    assert bench.exchange.ready
    moved = bench.note(bench.exchange.worker_gone(0, bench.now))
    assert moved == [], "there is no other"
    assert not bench.exchange.ready


def test_a_report_of_another_worker_is_not_believed() -> None:
    bench = Bench(workers=2)
    bench.dial()
    bench.route(connect())
    assert bench.report(control.Opened(bench.call, 1, 2), worker=1) == []
    assert bench.report(control.Opened("unknown", 1, 2)) == []


def test_ready_is_a_worker_and_no_drain() -> None:
    bench = Bench(workers=0)
    assert not bench.exchange.ready
    bench.note(bench.exchange.media_report(0, control.Ready(10), bench.now))
    assert bench.exchange.ready
    bench.exchange.drain(bench.now)
    assert not bench.exchange.ready
    assert not bench.agent.accepting


def test_the_trunk_behind_nat_is_learnt_from_its_signalling_address() -> None:
    bench = Bench(trunk=replace(TRUNK, nat=True))
    bench.ring()
    connects = [command for command in bench.commands if isinstance(command, control.Connect)]
    assert [(command.learn, command.learn_from) for command in connects] == [(True, "192.0.2.10")]


def test_the_default_trunk_takes_outgoing_calls() -> None:
    other = replace(TRUNK, name="other", peers=(Hop("tcp", "203.0.113.9", 5080),), allow=())
    bench = Bench(default_trunk="other", others=[other])
    bench.ring()
    assert bench.verb("invite", "callee-1")[2] == other.peers[0]


def test_the_address_in_identities_is_that_of_our_sip() -> None:
    bench = Bench(sip_host="2001:db8::7")
    bench.ring()
    from_ = bench.verb("invite", "callee-1")[4]["from_"]
    assert from_ == f"<sip:{X.e164}@[2001:db8::7];user=phone>"
    assert bench.exchange._plant.settings.our_host == "[2001:db8::7]"


def test_many_calls_leave_no_alarms_behind() -> None:
    bench = Bench()
    for number in range(50):
        bench.dial(session=f"caller{number}")
        bench.route(connect())
        bench.open_media()
        bench.end(f"caller{number}", "CANCEL")
    assert bench.exchange.active == 0
    assert bench.exchange.deadline is None
    assert len(bench.exchange._alarms) == 0
