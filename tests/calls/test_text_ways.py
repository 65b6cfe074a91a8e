"""By which ways a short message is tried, on real SIP machines in virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.calls.outputs import TextAnswered
from gateway.calls.settings import RouteSettings
from gateway.calls.text_ways import MOST
from gateway.sip.build import response_to
from gateway.sip.hop import Hop
from tests.calls.fakes import START, TRUNK, B, X
from tests.calls.test_phones import OF_B, Desk

FIRST, SECOND, THIRD = (Hop("udp", f"192.0.2.{last}", 5060) for last in (20, 30, 40))
CARRIER = replace(TRUNK, peers=(FIRST, SECOND))
OTHER = replace(TRUNK, name="other", peers=(THIRD,), allow=())
ROUTE = RouteSettings(trunks=("carrier", "other"))
TIMER_F = 32.0


def desk(*trunks: object) -> Desk:
    return Desk(trunks=trunks or (CARRIER, OTHER), routes=(ROUTE,))


def send(here: Desk) -> str:
    """One text; its id."""
    (body,) = here.exchange.texts.bodies("carrier", "app", X, B, "hello", START, here.now)
    id, outputs = here.exchange.send_text("carrier", "app", X, B, body, here.now)
    here.take(outputs)
    return id


def tried(here: Desk) -> list[Hop]:
    """Where MESSAGEs have gone, in that order."""
    return [hop for hop in here.sent if here.to(hop, "MESSAGE")]


def over(here: Desk) -> list[TextAnswered]:
    """What became of them; nothing is kept."""
    assert not here.exchange.texts._sent
    return here.of(TextAnswered)


@pytest.mark.parametrize(
    ("status", "ways"),
    [
        (202, [FIRST]),
        (503, [FIRST, SECOND, THIRD]),
        (408, [FIRST, SECOND, THIRD]),
        (407, [FIRST, THIRD]),
        (500, [FIRST, THIRD]),
        (504, [FIRST, THIRD]),
        (403, [FIRST]),
        (480, [FIRST]),
        (603, [FIRST]),
    ],
)
def test_what_an_answer_says_of_peer_trunk_and_receiver(status: int, ways: list[Hop]) -> None:
    here = desk()
    id = send(here)
    while not here.of(TextAnswered):
        here.answer(tried(here)[-1], status, method="MESSAGE")
    assert tried(here) == ways
    assert over(here) == [TextAnswered(id, status)]


def test_silence_ends_a_way_with_its_transaction_and_the_next_text_knows() -> None:
    here = desk()
    id = send(here)
    here.pass_time(TIMER_F - 0.1)
    assert tried(here) == [FIRST]
    here.pass_time(0.2)
    assert tried(here) == [FIRST, SECOND]
    here.answer(SECOND, 200, method="MESSAGE")
    assert over(here) == [TextAnswered(id, 200)]
    send(here)
    assert len(here.to(FIRST, "MESSAGE")) == 1, "it is shy"
    assert len(here.to(SECOND, "MESSAGE")) == 2


def test_no_connection_goes_on_at_once() -> None:
    here = desk()
    send(here)
    here.take(here.exchange.transport_failed(FIRST, here.now))
    assert tried(here) == [FIRST, SECOND]


def test_it_is_the_same_message_in_a_request_of_its_own() -> None:
    here = desk()
    send(here)
    here.answer(FIRST, 500, method="MESSAGE")
    (first,), (third,) = here.to(FIRST, "MESSAGE"), here.to(THIRD, "MESSAGE")
    assert (third.body, third.from_.uri) == (first.body, first.from_.uri)
    assert THIRD.host in third.uri_text
    assert first.via.branch != third.via.branch


def test_who_wants_to_be_left_alone_is_left_alone() -> None:
    here = desk(replace(CARRIER, peers=(FIRST,)), OTHER)
    for hop, seconds in ((FIRST, "60"), (THIRD, "30")):
        send(here)
        answer = response_to(here.to(hop, "MESSAGE")[-1], 503, headers=[("Retry-After", seconds)])
        here.hear(answer, hop)
        if hop == FIRST:
            here.answer(THIRD, 200, method="MESSAGE")
    before = len(here.to(FIRST, "MESSAGE")) + len(here.to(THIRD, "MESSAGE"))
    id = send(here)
    assert len(here.to(FIRST, "MESSAGE")) + len(here.to(THIRD, "MESSAGE")) == before
    assert over(here)[-1] == TextAnswered(id, 503)
    here.pass_time(31)
    send(here)
    assert len(here.to(THIRD, "MESSAGE")) == 3


def test_a_way_that_wants_another_form_is_none() -> None:
    here = desk(replace(CARRIER, peers=(FIRST,)), replace(OTHER, sms_as_3gpp=True))
    id = send(here)
    here.answer(FIRST, 503, method="MESSAGE")
    assert tried(here) == [FIRST]
    assert over(here) == [TextAnswered(id, 503)]


def test_a_registered_phone_comes_before_the_trunk() -> None:
    here = desk()
    here.register(B, OF_B)
    send(here)
    here.answer(OF_B, 503, method="MESSAGE")
    assert tried(here) == [OF_B, FIRST]


def test_no_more_than_so_many_ways() -> None:
    here = desk(replace(CARRIER, peers=tuple(Hop("udp", f"192.0.2.{last}", 5060) for last in range(20, 40))), OTHER)
    id = send(here)
    here.pass_time(TIMER_F * 21)
    assert len(tried(here)) == MOST
    assert over(here) == [TextAnswered(id, 408)]
