"""A trunk's channels: calls of both directions together, with room for the way out of those that turn round."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.calls.channels import Channels
from gateway.calls.settings import ExchangeSettings, RouteSettings, ToneFiles, TrunkSettings
from tests.calls.fakes import START, TRUNK, Bench, connect

OTHER = replace(TRUNK, name="other", allow=())


def channels(trunk: TrunkSettings, *routes: RouteSettings, default: str | None = None) -> Channels:
    return Channels(
        ExchangeSettings(
            trunks=(trunk, OTHER), tones=ToneFiles(ringback="r.wav"), media_host="198.51.100.1", spool="/spool",
            wall=lambda now: START, routes=routes, default_trunk=default,
        )
    )  # fmt: skip


def test_both_directions_count_against_what_the_carrier_sells() -> None:
    trunk = replace(TRUNK, max_calls=3)
    one = channels(trunk, RouteSettings(trunks=("carrier", "other")))
    one.inward["carrier"] = 2
    assert one.lets_in(trunk)
    assert one.lets_out(trunk)
    one.outward["carrier"] = 1
    assert not one.lets_in(trunk)
    assert not one.lets_out(trunk)
    one.inward["carrier"] = 1
    assert one.lets_in(trunk)


def test_each_direction_may_have_a_limit_of_its_own() -> None:
    trunk = replace(TRUNK, max_calls_in=2, max_calls_out=1)
    one = channels(trunk)
    one.inward["carrier"] = one.outward["carrier"] = 1
    assert one.lets_in(trunk)
    assert not one.lets_out(trunk)
    one.inward["carrier"] = 2
    assert not one.lets_in(trunk)


@pytest.mark.parametrize(
    ("routes", "default", "kept"),
    [
        ((), None, True),
        ((), "carrier", True),
        ((RouteSettings(trunks=("carrier",)),), None, True),
        ((), "other", False),
        ((RouteSettings(trunks=("carrier", "other")),), None, False),
        ((RouteSettings(trunks=("other",), application="app"),), None, False),
    ],
)
def test_the_second_channel_is_kept_where_all_calls_turn_round(
    routes: tuple[RouteSettings, ...], default: str | None, kept: bool
) -> None:
    trunk = replace(TRUNK, max_calls=3)
    one = channels(trunk, *routes, default=default)
    assert one.lets_in(trunk)
    one.inward["carrier"] = 1
    assert one.lets_in(trunk) is not kept


def test_a_full_trunk_carries_as_many_whole_calls_as_it_can() -> None:
    bench = Bench(trunk=replace(TRUNK, max_calls=5))
    for number in range(4):
        bench.dial(session=f"c{number}")
        if number < 2:
            bench.route(connect())
            bench.open_media()
    assert [verb[2] for verb in bench.agent.verbs if verb[0] == "reject"] == [503, 503]
    assert bench.exchange.trunks.calls == {"carrier": 2}
    assert bench.exchange.counters == {"trunk calls": 2}


def test_a_call_from_elsewhere_finds_no_way_out_of_a_full_trunk() -> None:
    bench = Bench(
        trunk=replace(TRUNK, max_calls=2),
        others=[replace(OTHER, allow=TRUNK.allow)],
        routes=(RouteSettings(trunks=("carrier",)),),
    )
    bench.exchange.trunks.channels.outward["carrier"] = 2
    bench.exchange.trunks.channels.inward["carrier"] = -1
    bench.dial()
    bench.exchange.trunks.channels.inward["carrier"] = 0
    bench.route(connect())
    bench.open_media()
    assert bench.verb("reject", "caller")[2] == 503
