"""Each scenario on a carrier that does well, on one that does without, and on those that break calls."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.calls.settings import ProbeSettings, RegistrationSettings, TrunkSettings
from gateway.lab.ports import free_media_ports
from gateway.numbers import PhoneNumber
from gateway.sip.hop import Hop
from gateway.trunktest.running import Result, run
from gateway.trunktest.scenarios import SCENARIOS, Outcome
from gateway.trunktest.stage import Patience, Stage
from tests.trunktest.carrier import HOST, Carrier

A, B = PhoneNumber("+8613800000021"), PhoneNumber("+8613800000023")
X = PhoneNumber("+8617000000001")
ASKED = RegistrationSettings("us", "carrier.example", 300)
LOOP = {"ours": X.e164}
QUICK = Patience(ring=3.0, answer=1.2, talk=0.3, sound=0.4)
WELL = {"session": "90;refresher=uac", "early": True, "rings": (183,)}


async def played(
    names: list[str],
    *,
    health: bool = True,
    registration: RegistrationSettings | None = None,
    shared: bool = False,
    **rules: Any,
) -> tuple[list[Result], Carrier]:
    carrier = await Carrier(**rules).up()
    probe = ProbeSettings() if health else None
    trunk = TrunkSettings(
        name="carrier", peers=(Hop("udp", HOST, carrier.port),), allow=(), probe=probe, registration=registration
    )
    stage = Stage(
        trunk, A, B, sip=[Hop("udp", HOST, 0)], advertised=HOST, media=(HOST, HOST, free_media_ports(HOST, 8)),
        patience=QUICK, ours=X if carrier.ours else None, shared=shared,
    )  # fmt: skip
    await stage.start()
    try:
        return await run(stage, names), carrier
    finally:
        await stage.stop()
        await carrier.down()


async def outcome(name: str, **rules: Any) -> tuple[Outcome, str]:
    (result,), _ = await played([name], **rules)
    return result.verdict.outcome, result.verdict.said


async def test_a_carrier_that_does_well() -> None:
    results, carrier = await played(list(SCENARIOS), registration=ASKED, **LOOP, **WELL)
    assert {one.name: one.verdict.said for one in results if one.verdict.outcome is not Outcome.PASS} == {}
    assert [one.name for one in results] == list(SCENARIOS)
    assert all(one.trace for one in results)
    # No call is left standing: ten were made, two of the INVITEs were hold and resume.
    assert carrier.seen.count("BYE") + carrier.seen.count("CANCEL") == carrier.seen.count("INVITE") - 2 == 10
    assert (carrier.seen[0], carrier.seen[-1], carrier.seen.count("REGISTER")) == ("REGISTER", "REGISTER", 2)


@pytest.mark.parametrize(
    ("name", "rules", "said"),
    [
        ("options", {"silent": {"OPTIONS"}, "health": False}, "no answer, as health"),
        ("early-media", {}, "no SDP before the answer"),
        ("hold", {"refuses": {"reINVITE": 488}}, "hold: 488"),
        ("update", {"allow": "INVITE, ACK, BYE"}, "not in the answer's Allow"),
        ("dtmf", {"events": False}, "no telephone-event"),
        ("session-refresh", {}, "no Session-Expires"),
        ("long-headers", {"largest": 2000}, "513"),
        ("cancel", {"rings": (), "after": 0.0}, "answered without ringing"),
        ("register", {}, "has no [trunk.registration]"),
        ("register", {"registration": ASKED, "shared": True}, "keeps its registration itself"),
        ("incoming", {}, "--ours names no number"),
        ("incoming", {**LOOP, "shared": True}, "takes the call itself"),
    ],
)
async def test_a_carrier_that_does_without(name: str, rules: dict[str, Any], said: str) -> None:
    found = await outcome(name, **rules)
    assert found[0] is Outcome.UNSUPPORTED, found
    assert said in found[1]


@pytest.mark.parametrize(
    ("name", "rules", "said"),
    [
        ("options", {"silent": {"OPTIONS"}}, "no answer"),
        ("options", {"refuses": {"OPTIONS": 503}}, "503"),
        ("call", {"answers": 486}, "not answered: 486"),
        ("call", {"answers": None}, "no answer in time"),
        ("call", {"sound": False}, "one-way audio"),
        ("call", {"hangs_up": True}, "hung up at once"),
        ("call", {"silent": {"BYE"}}, "BYE is not answered"),
        ("early-media", {"early": True, "rings": (183,), "sound": False, "after": 2.0}, "but no RTP"),
        ("cancel", {"cancelled": 0, "after": 9.0}, "a call is left standing"),
        ("cancel-race", {"silent": {"CANCEL"}, "after": 9.0}, "no final answer to the CANCEL"),
        ("hold", {"refuses": {"reINVITE": 500}}, "hold: 500"),
        ("update", {"refuses": {"UPDATE": 405}}, "allowed, but: 405"),
        ("session-refresh", {"session": "90;refresher=uac", "refuses": {"UPDATE": 481}}, "but the refresh: 481"),
        ("long-headers", {"largest": 2000, "silent": {"long"}}, "no answer at all"),
        ("register", {"registration": ASKED, "registers": 403}, "403 Forbidden: see [trunk.account]"),
        ("register", {"registration": ASKED, "silent": {"REGISTER"}}, "no answer"),
        ("register", {"registration": ASKED, "registers": 202}, "our Contact is not in it"),
        ("incoming", {**LOOP, "comes": "not", "answers": 404}, "it did not come: 404"),
        ("incoming", {**LOOP, "comes": "other number"}, "not read from it"),
        ("incoming", {**LOOP, "comes": "no ack"}, "no ACK for our 200"),
        ("incoming", {**LOOP, "sound": False}, "one-way audio"),
        ("incoming", {**LOOP, "comes": "no bye"}, "no BYE came to the callee"),
    ],
)
async def test_carriers_that_break_calls(name: str, rules: dict[str, Any], said: str) -> None:
    found = await outcome(name, **rules)
    assert found[0] is Outcome.FAIL, found
    assert said in found[1]


async def test_a_registration_lasts_as_long_as_the_carrier_wants_and_comes_first() -> None:
    results, carrier = await played(["options"], registration=ASKED, min_expires=900)
    assert [(one.name, one.verdict.outcome) for one in results] == [
        ("register", Outcome.PASS), ("options", Outcome.PASS)
    ]  # fmt: skip
    assert "asked for 900 s" in results[0].verdict.said
    assert carrier.seen == ["REGISTER", "REGISTER", "OPTIONS", "REGISTER"]


async def test_a_200_that_crosses_the_cancel_is_ended() -> None:
    (result,), carrier = await played(["cancel"], cancelled=200, after=0.3)
    assert result.verdict.outcome is Outcome.PASS
    assert "crossed" in result.verdict.said
    assert {"ACK", "BYE"} <= set(carrier.seen)


async def test_a_longer_session_is_asked_for_when_the_carrier_wants_one() -> None:
    found = await outcome("session-refresh", least=600, session="600;refresher=uac")
    assert found == (Outcome.PASS, "600;refresher=uac; refreshed by UPDATE")


async def test_a_refresh_by_invite_where_there_is_no_update() -> None:
    found = await outcome("session-refresh", session="90", allow="INVITE, ACK, BYE, CANCEL")
    assert found == (Outcome.PASS, "90; refreshed by INVITE")
