"""Trunks looked after in virtual time: probes with hysteresis, registrations kept, carriers that ask who we are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from gateway.calls.outputs import TrunkChanged
from gateway.calls.registration import FIRST_WAIT, LONGEST_WAIT
from gateway.calls.settings import AccountSettings, ProbeSettings, RegistrationSettings, RouteSettings
from gateway.causes import Cause
from gateway.lab.network import Link
from gateway.lab.script import Script
from gateway.sip.hop import Hop
from gateway.sip.outputs import KeepAlive
from tests.sim.carrier import PASSWORD, REALM, USER, Carrier
from tests.sim.world import CALLEE, CALLER, TRUNK, World

SECOND = Hop("udp", "192.0.2.30", 5060)
PROBED = replace(TRUNK, peers=(CALLEE, SECOND), probe=ProbeSettings(interval=30.0, down_after=3, up_after=2))
ACCOUNT = AccountSettings(USER, PASSWORD, REALM)
REGISTERED = replace(TRUNK, account=ACCOUNT, registration=RegistrationSettings(USER, REALM, expires=600, keep_alive=0))


def changes(world: World) -> list[tuple[str, str]]:
    return [(change.peer, change.state) for change in world.of(TrunkChanged)]


def probed(**more: Any) -> tuple[World, Carrier, Carrier]:
    world = World(trunk=PROBED, **more)
    first, second = Carrier(), Carrier()
    world.carriers.update({CALLEE: first, SECOND: second})
    return world.start(), first, second


def call(world: World, answers: Hop = CALLEE, **script: Any) -> None:
    caller = world.phone(CALLER, Script(tone_hz=700))
    world.phone(answers, Script(tone_hz=1300, hang_up_after=1.0, **script))
    world.dial(caller)


# --- probes -----------------------------------------------------------------------------------------------------------


def test_every_peer_is_asked_every_interval_from_its_own_moment() -> None:
    world, first, second = probed()
    world.run(300.0)
    for carrier in (first, second):
        times = carrier.times("OPTIONS")
        assert len(times) == 10
        assert times[0] <= 130.1
        assert {round(after - before, 3) for before, after in pairwise(times)} == {30.0}
    assert first.times("OPTIONS")[0] != second.times("OPTIONS")[0]
    (options,) = {request.uri_text for request in first.of("OPTIONS")}
    assert options == "sip:192.0.2.20:5060"
    assert changes(world) == [(str(CALLEE), "up"), (str(SECOND), "up")] or len(changes(world)) == 2
    world.finish()


@pytest.mark.parametrize("fault", ["silent", "503"])
def test_down_after_three_misses_and_up_after_two_good_ones(fault: str) -> None:
    world, first, _ = probed()
    world.run(60.0)
    world.outputs.clear()

    def fail(now: bool) -> None:
        first.silent, first.says = (now, 200) if fault == "silent" else (False, 503 if now else 200)

    fail(True)
    world.run(59.0)
    fail(False)
    world.run(59.0)
    assert changes(world) == [], "two misses are none"
    fail(True)
    world.run(110.0)
    assert changes(world) == [(str(CALLEE), "down")]
    assert world.of(TrunkChanged)[0].why == ("no answer" if fault == "silent" else "503")
    call(world, SECOND)
    world.run(15.0)
    assert world.records[-1].cause is Cause.NORMAL
    assert not first.of("INVITE"), "a peer that is down is not tried while another is up"
    fail(False)
    seen = len(first.of("OPTIONS"))
    world.until(lambda: len(first.of("OPTIONS")) > seen)
    world.run(0.1)
    assert changes(world)[1:] == []
    world.run(60.0)
    assert changes(world)[1:] == [(str(CALLEE), "up")]
    call(world)
    world.run(15.0)
    world.finish()
    assert len(first.of("INVITE")) == 1
    assert [record.cause for record in world.records] == [Cause.NORMAL] * 2


@pytest.mark.parametrize("status", [200, 401, 404, 405, 483, 500, 501])
def test_any_answer_but_503_is_a_sign_of_life(status: int) -> None:
    world, first, _ = probed()
    first.says = status
    world.run(200.0)
    assert (str(CALLEE), "up") in changes(world)
    assert (str(CALLEE), "down") not in changes(world)
    world.finish()


def test_a_503_with_a_time_keeps_calls_away_from_the_first_on() -> None:
    world, first, _ = probed()
    first.says, first.retry_after = 503, "40"
    world.until(lambda: bool(first.of("OPTIONS")))
    world.run(0.1)
    call(world, SECOND)
    world.run(20.0)
    assert not first.of("INVITE")
    assert world.record.cause is Cause.NORMAL
    world.finish()


def test_when_all_are_down_the_call_is_tried_all_the_same() -> None:
    world, first, second = probed()
    first.says = second.says = 503
    world.run(150.0)
    assert sorted(changes(world)) == [(str(CALLEE), "down"), (str(SECOND), "down")]
    call(world)
    world.run(15.0)
    assert world.record.cause is Cause.NORMAL
    world.finish()


def test_no_probe_no_timer() -> None:
    world = World().start()
    assert world.exchange.deadline is None or world.exchange.upkeep.deadline is None
    world.finish()


# --- registration -----------------------------------------------------------------------------------------------------


def registered(trunk: Any = REGISTERED, **carrier: Any) -> tuple[World, Carrier]:
    world = World(trunk=trunk)
    at = Carrier(asks={"REGISTER"}, registrar=True, **carrier)
    world.carriers[CALLEE] = at
    return world.start(), at


def test_registered_with_credentials_and_kept_until_the_node_stops() -> None:
    world, carrier = registered()
    world.run(3000.0)
    assert changes(world) == [(str(CALLEE), "registered")]
    first, second, *rest = carrier.of("REGISTER")
    assert first.uri_text == f"sip:{REALM}"
    assert str(first.to.uri) == str(second.from_.uri) == f"sip:{USER}@{REALM}"
    assert str(second.contact) == f"<sip:{USER}@198.51.100.1:5060>"
    assert {one.call_id for one in carrier.of("REGISTER")} == {first.call_id}
    numbers = [one.cseq.number for one in carrier.of("REGISTER")]
    assert numbers == sorted(set(numbers))
    assert 5 <= len(rest) <= 14, "a refresh in 450 to 510 s, challenged when the nonce is old"
    assert carrier.registered_until > world.now
    world.finish()
    assert carrier.contact == ""
    assert carrier.of("REGISTER")[-1].headers.get("Expires") == "0"
    assert changes(world)[1:] == [(str(CALLEE), "unregistered")]


def test_the_carrier_says_how_long() -> None:
    world, carrier = registered(least=1800)
    world.run(10.0)
    assert [one.headers.get("Expires") for one in carrier.of("REGISTER")] == ["600", "600", "1800"]
    assert carrier.registered_until == pytest.approx(1900.0, abs=1.0)
    world.run(1300.0)
    assert len(carrier.of("REGISTER")) == 3
    world.run(300.0)
    assert carrier.registered_until > 3000.0
    world.finish()
    short, keeper = registered(grants=60)
    short.run(600.0)
    assert 11 <= len([1 for one in keeper.of("REGISTER") if one.headers.get("Authorization")]) <= 26
    assert short.now < keeper.registered_until
    assert changes(short) == [(str(CALLEE), "registered")]
    short.finish()


def test_a_refresh_that_fails_is_tried_again_and_the_old_one_holds() -> None:
    world, carrier = registered()
    world.run(10.0)
    carrier.refuses = 500
    world.run(560.0)
    assert carrier.registered_until == pytest.approx(700.0, abs=1.0)
    assert len(carrier.of("REGISTER")) > 6
    carrier.refuses = None
    world.run(60.0)
    assert carrier.registered_until > world.now
    assert changes(world) == [(str(CALLEE), "registered")], "never without"
    world.finish()


def test_a_trunk_without_its_registration_takes_no_calls_and_comes_back() -> None:
    other = replace(TRUNK, name="other", peers=(SECOND,), allow=())
    world = World(trunk=REGISTERED, others=[other], routes=(RouteSettings(trunks=("carrier", "other")),))
    carrier = world.carriers[CALLEE] = Carrier(registrar=True)
    carrier.refuses = 503
    world.start()
    world.run(30.0)
    assert changes(world) == [(str(CALLEE), "not registered")], "told once"
    assert world.of(TrunkChanged)[0].why == "status 503"
    call(world, SECOND)
    world.run(15.0)
    assert world.record.way == "other"
    assert not carrier.of("INVITE")
    gaps = carrier.times("REGISTER")
    assert FIRST_WAIT / 2 <= gaps[1] - gaps[0] <= FIRST_WAIT + 0.1
    carrier.refuses = None
    world.run(60.0)
    call(world)
    world.run(15.0)
    assert [record.way for record in world.records] == ["other", "carrier"]
    carrier.silent = True
    world.run(700.0)
    assert [state for _, state in changes(world)] == ["not registered", "registered", "not registered"]
    carrier.silent = False
    world.run(700.0)
    assert changes(world)[-1][1] == "registered"
    world.finish()


def test_only_this_trunk_and_it_is_not_registered() -> None:
    world, carrier = registered()
    carrier.refuses = 403
    world.run(5.0)
    caller = world.phone(CALLER, Script(tone_hz=700))
    world.dial(caller)
    world.run(5.0)
    assert caller.status == 503
    assert world.record.cause is Cause.NO_ROUTE
    world.run(2000.0)
    tries = [at for at, one in carrier.seen if one.method == "REGISTER"]
    assert 5 <= len(tries) <= 20, f"refused for good: asked every {LONGEST_WAIT / 2} to {LONGEST_WAIT} s"
    world.finish()


def test_signs_of_life_between_refreshes() -> None:
    trunk = replace(REGISTERED, registration=replace(REGISTERED.registration, keep_alive=25.0))  # type: ignore[type-var]
    world, carrier = registered(trunk)
    world.run(300.0)
    assert 11 <= len(world.of(KeepAlive)) <= 12
    assert {one.hop for one in world.of(KeepAlive)} == {CALLEE}
    assert len(carrier.of("REGISTER")) == 2
    world.finish()


@pytest.mark.parametrize("how", ["transport_failed", "connection_closed"])
def test_a_broken_connection_brings_the_next_register_at_once(how: str) -> None:
    world, carrier = registered()
    world.run(10.0)
    before = len(carrier.of("REGISTER"))
    world.take(getattr(world.exchange, how)(SECOND, world.now))
    world.run(1.0)
    assert len(carrier.of("REGISTER")) == before, "another connection"
    world.take(getattr(world.exchange, how)(CALLEE, world.now))
    world.run(1.0)
    assert len(carrier.of("REGISTER")) > before
    world.finish()


# --- seen -------------------------------------------------------------------------------------------------------------


def test_the_state_of_trunks_as_people_see_it() -> None:
    world = World(
        trunk=replace(REGISTERED, peers=(CALLEE, SECOND), probe=ProbeSettings()),
        others=[replace(TRUNK, name="bare", peers=(SECOND,), allow=())],
    )
    carrier = world.carriers[CALLEE] = Carrier(asks={"REGISTER"}, registrar=True)
    (before, bare) = world.exchange.trunk_states(world.now)
    assert (before.registration, [peer.state for peer in before.peers]) == ("", ["unknown", "unknown"])
    assert (bare.name, bare.registration, [peer.state for peer in bare.peers]) == ("bare", "", ["not asked"])
    world.start()
    world.run(110.0)
    (now, _) = world.exchange.trunk_states(world.now)
    assert [peer.state for peer in now.peers] == ["up", "down"]
    assert world.exchange.trunks.peer_states == Counter(
        {("carrier", "up"): 1, ("carrier", "down"): 1, ("bare", "unknown"): 1}
    )
    assert world.exchange.trunks.peer_states.keys() >= {("bare", "up"), ("bare", "down")}
    assert world.exchange.upkeep.registered == {("carrier",): 1}
    assert (now.registration, now.registration_status, now.account_problem) == ("registered", 200, "")
    assert now.registered_until == pytest.approx(world.wall(700.0).timestamp(), abs=1.0)
    world.dial(world.phone(CALLER, Script(tone_hz=700)))
    world.phone(CALLEE, Script(tone_hz=1300, hang_up_after=30.0))
    world.run(10.0)
    (now, _) = world.exchange.trunk_states(world.now)
    assert (now.calls_in, now.calls_out) == (1, 1)
    world.run(60.0)
    carrier.says, carrier.retry_after, carrier.password = 503, "1000", "changed"
    world.run(560.0)
    (now, _) = world.exchange.trunk_states(world.now)
    assert now.peers[0].rests_until is not None
    assert now.account_problem == "refused"
    assert now.registration == "not registered"
    world.finish()


# --- calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithms", [("MD5",), ("SHA-256", "MD5")])
@pytest.mark.parametrize("proxy", [False, True])
def test_a_call_at_a_carrier_that_asks_who_we_are(algorithms: tuple[str, ...], proxy: bool) -> None:
    world = World(trunk=replace(TRUNK, account=ACCOUNT))
    carrier = world.carriers[CALLEE] = Carrier(asks={"INVITE", "BYE"}, algorithms=algorithms, proxy=proxy)
    caller = world.phone(CALLER, Script(tone_hz=700, hang_up_after=3.0))
    world.phone(CALLEE, Script(tone_hz=1300))
    world.dial(caller)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.kinds == ["CallIn", "CallOut", "Alerting", "Answered", "Disconnected"]
    assert [one.cseq.number for one in carrier.of("INVITE")] == [1, 2]
    assert carrier.of("BYE")[-1].headers.get("Proxy-Authorization" if proxy else "Authorization")
    for trace in caller.traces:
        assert b"uthorization" not in trace.data
        assert USER.encode() not in trace.data


def test_the_carrier_that_calls_us_may_ask_too() -> None:
    """Our BYE to the caller's side is challenged; the account is the trunk's, so it is answered."""
    world = World(trunk=replace(TRUNK, account=ACCOUNT))
    carrier = world.carriers[CALLER] = Carrier(asks={"BYE"})
    call(world)
    world.finish()
    first, second = carrier.of("BYE")
    assert first.headers.get("Authorization") is None
    assert second.headers.get("Authorization")
    assert second.cseq.number == first.cseq.number + 1
    assert world.record.cause is Cause.NORMAL


def test_a_wrong_password_goes_on_to_the_next_trunk() -> None:
    other = replace(TRUNK, name="other", peers=(SECOND,), allow=())
    trunk = replace(TRUNK, account=replace(ACCOUNT, password="wrong"))
    world = World(trunk=trunk, others=[other], routes=(RouteSettings(trunks=("carrier", "other")),))
    carrier = world.carriers[CALLEE] = Carrier(asks={"INVITE"})
    call(world, SECOND)
    world.finish()
    assert world.record.way == "other"
    assert len(carrier.of("INVITE")) == 2


BAD = Link(delay=0.03, jitter=0.02, loss=0.1, duplicate=0.1)


@pytest.mark.parametrize("seed", range(12))
def test_digest_and_registration_on_a_bad_network(seed: int) -> None:
    """Challenges and answers are lost and doubled: every request is answered once, and nothing is left behind."""
    trunk = replace(REGISTERED, probe=ProbeSettings(interval=20.0))
    world = World(trunk=trunk, seed=seed, link=BAD)
    carrier = world.carriers[CALLEE] = Carrier(asks={"REGISTER", "INVITE", "BYE"}, registrar=True, grants=300)
    world.start()
    world.run(60.0)
    assert carrier.registered_until > world.now
    caller = world.phone(CALLER, Script(tone_hz=700, hang_up_after=3.0))
    world.phone(CALLEE, Script(tone_hz=1300))
    world.dial(caller)
    world.run(900.0)
    assert carrier.registered_until > world.now
    assert world.record.cause is Cause.NORMAL
    assert [state for _, state in changes(world) if "registered" in state] == ["registered"]
    invites = {one.cseq.number: one for one in carrier.of("INVITE")}
    assert len(invites) <= 2, "at once with the nonce of the registration; once more when that was old"
    assert invites[max(invites)].headers.get("Authorization")
    world.finish()
    assert carrier.contact == ""
