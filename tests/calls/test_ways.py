"""Which trunks may carry a call, in which order; what a call does when one of them can't."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from gateway.calls.peers import MAX_BAR, SHY_SECONDS, Peer
from gateway.calls.settings import Rank, RouteSettings, TrunkSettings
from gateway.calls.ways import in_order
from gateway.causes import Cause
from gateway.sip.grammar import retry_seconds
from gateway.sip.hop import Hop
from tests.calls.fakes import TRUNK, B, Bench, connect, sdp

FIRST, SECOND, THIRD = (Hop("udp", f"192.0.2.{last}", 5060) for last in (20, 30, 40))
OTHER = replace(TRUNK, name="other", peers=(THIRD,), allow=())


def bench(trunk: TrunkSettings = TRUNK, *, routed: bool = True, other: TrunkSettings = OTHER, **more: object) -> Bench:
    routes = (RouteSettings(trunks=("carrier", "other")),) if routed else ()
    return Bench(trunk=trunk, others=[other], routes=routes, **more)


def invited(one: Bench) -> list[Hop]:
    """Where the INVITEs of the callee went."""
    return [verb[2] for verb in one.agent.verbs if verb[0] == "invite"]


# --- order ------------------------------------------------------------------------------------------------------------


def test_without_ranks_the_order_is_that_of_the_list_and_costs_no_chance() -> None:
    def never() -> float:
        raise AssertionError("asked")

    assert in_order("abc", (), never) == ["a", "b", "c"]
    assert in_order("abc", (Rank(3), Rank(1), Rank(2)), never) == ["b", "c", "a"]


def test_equal_priorities_share_by_weight() -> None:
    chance = Random(7).random
    ranks = (Rank(1, 6), Rank(1, 3), Rank(1, 1), Rank(0, 1))
    orders = Counter("".join(in_order("abcd", ranks, chance)) for _ in range(10_000))
    assert {order[0] for order in orders} == {"d"}
    second = Counter[str]()
    for order, times in orders.items():
        assert sorted(order) == list("abcd")
        second[order[1]] += times
    assert [round(second[name] / 1000) for name in "abc"] == [6, 3, 1]


@pytest.mark.parametrize("chance", [0.0, 0.999999999, 1.0])
def test_the_ends_of_chance_are_in_the_list(chance: float) -> None:
    assert sorted(in_order("ab", (Rank(0), Rank(0)), lambda: chance)) == ["a", "b"]


@pytest.mark.parametrize(
    ("route", "first"),
    [
        (RouteSettings(trunks=("other",)), THIRD),
        (RouteSettings(trunks=("other",), application="demo"), THIRD),
        (RouteSettings(trunks=("other",), application="someone"), FIRST),
        (RouteSettings(trunks=("other",), prefixes=("+1", B.e164[:7])), THIRD),
        (RouteSettings(trunks=("other",), prefixes=("+1", "+44")), FIRST),
        (RouteSettings(trunks=("carrier", "other"), ranks=(Rank(2), Rank(1))), THIRD),
    ],
)
def test_the_first_route_that_fits_names_the_trunks(route: RouteSettings, first: Hop) -> None:
    one = Bench(others=[OTHER], routes=(route, RouteSettings(trunks=("carrier",))))
    one.ring()
    assert invited(one) == [first]
    one.progress(180)
    one.answer()
    one.end("caller")
    assert one.closed.record.way == ("other" if first == THIRD else "carrier")


# --- failover ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "tried"),
    [
        (503, [FIRST, SECOND, THIRD]),
        (408, [FIRST, SECOND, THIRD]),
        (500, [FIRST, THIRD]),
        (502, [FIRST, THIRD]),
        (504, [FIRST, THIRD]),
        (407, [FIRST, THIRD]),
        (403, [FIRST]),
        (404, [FIRST]),
        (480, [FIRST]),
        (486, [FIRST]),
        (603, [FIRST]),
    ],
)
def test_what_a_refusal_says_of_peer_trunk_and_callee(status: int, tried: list[Hop]) -> None:
    one = bench(replace(TRUNK, peers=(FIRST, SECOND)))
    one.ring()
    for number in range(1, 9):
        if one.verbs[-1] == ("invite", f"callee-{number}"):
            one.reject(status, f"callee-{number}")
    assert invited(one) == tried
    assert one.closed.record.sip_status == status


def test_no_other_trunk_is_tried_once_the_callee_was_told_of() -> None:
    one = bench()
    one.ring()
    one.progress(183, sdp(5000))
    one.reject(503)
    assert invited(one) == [FIRST]
    assert one.cause is Cause.CALLEE_SIDE_FAILED


def test_the_call_on_the_next_trunk_is_a_whole_one() -> None:
    one = bench()
    one.ring()
    one.reject(500)
    one.sip()
    one.agent.callees = 0
    assert invited(one) == [FIRST, THIRD]
    assert one.exchange.trunks.calls == {"other": 1}
    assert one.exchange._plant.sessions.keys() == {"caller", "callee-2"}


# --- outgoing limits --------------------------------------------------------------------------------------------------


def second_call(one: Bench) -> None:
    one.dial(session="again")
    one.route(connect())
    one.open_media()


@pytest.mark.parametrize("limit", [{"max_calls_out": 1}, {"calls_per_second_out": 1.0}])
def test_a_limit_moves_the_call_to_the_next_trunk(limit: dict[str, float]) -> None:
    one = bench(replace(TRUNK, **limit))
    one.ring()
    second_call(one)
    assert invited(one) == [FIRST, THIRD]
    assert one.exchange.trunks.calls == {"carrier": 1, "other": 1}


def test_without_another_trunk_the_caller_gets_503_and_a_time() -> None:
    one = bench(replace(TRUNK, max_calls_out=1), routed=False)
    one.ring()
    second_call(one)
    status, headers = one.verb("reject", "again")[2:]
    assert status == 503
    assert headers["Retry-After"] == "5"
    assert invited(one) == [FIRST]
    assert [type(event).__name__ for event in one.events[-2:]] == ["CallIn", "Disconnected"]


def test_the_rate_comes_back_with_time() -> None:
    one = bench(replace(TRUNK, calls_per_second_out=2.0))
    for number in range(3):
        one.dial(session=f"c{number}")
        one.route(connect())
        one.open_media()
    one.pass_time(0.5)
    second_call(one)
    assert invited(one) == [FIRST, FIRST, THIRD, FIRST]


# --- 503 and Retry-After ----------------------------------------------------------------------------------------------


def refused(one: Bench, seconds: str) -> None:
    """The first call; its peer says 503 with Retry-After."""
    one.ring()
    one.reject(503, headers=[("Retry-After", seconds)])


def test_a_peer_rests_for_as_long_as_it_says() -> None:
    one = bench()
    refused(one, "30")
    assert invited(one) == [FIRST, THIRD]
    one.pass_time(29)
    second_call(one)
    assert invited(one)[2:] == [THIRD]
    one.pass_time(2)
    one.dial(session="third")
    one.route(connect())
    one.open_media()
    assert invited(one)[3:] == [FIRST]


def test_a_resting_peer_without_another_is_not_tried_and_the_caller_is_told_the_rest() -> None:
    one = bench(routed=False)
    refused(one, "30")
    one.pass_time(10)
    second_call(one)
    assert invited(one) == [FIRST]
    status, headers = one.verb("reject", "again")[2:]
    assert (status, headers["Retry-After"]) == (503, "21")


def test_a_503_without_a_time_is_no_rest() -> None:
    one = bench(routed=False)
    one.ring()
    one.reject(503, headers=[("Warning", "x")])
    second_call(one)
    assert invited(one) == [FIRST, FIRST]


def test_a_peer_that_did_not_answer_is_the_second_choice_for_a_while_and_the_only_one_if_need_be() -> None:
    one = bench()
    one.ring()
    one.reject(503)
    second_call(one)
    assert invited(one) == [FIRST, THIRD, THIRD]
    alone = bench(routed=False)
    alone.ring()
    alone.reject(503)
    second_call(alone)
    assert invited(alone) == [FIRST, FIRST]


def test_a_bar_has_an_end() -> None:
    peer = Peer("carrier", FIRST)
    peer.bar(10.0**9, 0.0)
    assert peer.barred(MAX_BAR - 1)
    assert not peer.barred(MAX_BAR)
    peer.unheard(0.0)
    assert not peer.good(SHY_SECONDS - 1)
    peer.heard()
    assert peer.good(MAX_BAR + 1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("18000;duration=3600", 18000), ("120 (I'm in a meeting)", 120), ("5", 5), (" 7 ", 7), ("", None), (None, None),
     ("soon", None), ("-1", None), ("9" * 12, None)],
)  # fmt: skip
def test_retry_after_is_read_whatever_stands_behind(text: str | None, seconds: int | None) -> None:
    assert retry_seconds(text) == seconds
