"""Calls that stand, and explanations: whose they are, and who sees the numbers."""

from __future__ import annotations

import msgspec

from gateway.standing import StandingCall, StandingSound
from tests.admin.bench import A, B, Bench, X


def call(session: str, application: str, started: float = 1_700_000_000.0) -> StandingCall:
    return StandingCall(
        session=session, application=application, mode="AXB", state="talking", direction=1, x=X, caller=A, callee=B,
        trunk="t", binding="b", started=started, answered=started + 2.5, recorded=True,
    )  # fmt: skip


async def make(bench: Bench) -> str:
    return str((await bench.ok("operator", "POST", "/applications", {"mode": "AXB", "enterprise": "shop"}))["key"])


async def test_each_sees_what_is_his_as_he_may(bench: Bench) -> None:
    key = await make(bench)
    bench.calls = [call("live", key), call("two", "file")]
    (mine,) = (await bench.ok("tenant", "GET", "/calls"))["items"]
    assert (mine["session"], mine["caller"], mine["callee"], mine["answered"]) == (
        "live", A, B, "2023-11-14T22:13:22.500000Z")  # fmt: skip
    seen = (await bench.ok("auditor", "GET", "/calls"))["items"]
    assert [row["session"] for row in seen] == ["live", "two"]
    assert A not in str(seen)
    assert B not in str(seen)
    assert (await bench.ok("rival", "GET", "/calls"))["items"] == []
    assert await bench.refused("reviewer", "GET", "/calls") == (403, "forbidden", None)
    assert len((await bench.ok("operator", "GET", "/calls", application="file"))["items"]) == 1
    assert (await bench.ok("operator", "GET", "/calls", x="+8617000000002"))["items"] == []


async def test_the_sound_of_the_last_five_seconds(bench: Bench) -> None:
    legs = (
        StandingSound(mos=4.38, lost_percent=0.4, jitter_ms=3, round_trip_ms=41, far_mos=4.2),
        StandingSound(mos=None, lost_percent=0.0, jitter_ms=0, round_trip_ms=None, far_mos=None),
    )
    bench.calls = [msgspec.structs.replace(call("heard", "file"), sound=legs), call("young", "file")]
    heard, young = (await bench.ok("operator", "GET", "/calls"))["items"]
    assert heard["sound"] == {
        "caller": {"mos": 4.38, "lost_percent": 0.4, "jitter_ms": 3, "round_trip_ms": 41, "far_mos": 4.2},
        "callee": {"mos": None, "lost_percent": 0.0, "jitter_ms": 0, "round_trip_ms": None, "far_mos": None},
    }
    assert young["sound"] is None


async def test_pages(bench: Bench) -> None:
    bench.calls = [call(f"s{number}", "file", 1000.0 + number // 2) for number in range(7)]
    seen, after = [], ""
    while after is not None:
        found = await bench.ok("operator", "GET", "/calls", limit=3, after=after)
        seen += [row["session"] for row in found["items"]]
        after = found["next"]
    assert seen == [f"s{number}" for number in range(7)]
    assert await bench.refused("operator", "GET", "/calls", after="x") == (400, "invalid", "after")


async def test_hung_up_by_its_owner(bench: Bench) -> None:
    key = await make(bench)
    bench.calls = [call("live", key), call("gone", key)]
    assert await bench.refused("rival", "DELETE", "/calls/live") == (404, "not_found", "session")
    assert await bench.ask("tenant", "DELETE", "/calls/live") == (204, None)
    # It ended in between.
    assert await bench.refused("tenant", "DELETE", "/calls/gone") == (404, "not_found", "session")
    assert bench.stopped == [(key, "live"), (key, "gone")]
    assert [one["subject"] for one in await bench.audited("call.stop")] == ["call/live"]
    assert await bench.refused("auditor", "DELETE", "/calls/live") == (403, "forbidden", None)


async def test_a_signalling_process_that_does_not_answer(bench: Bench) -> None:
    bench.calls = None
    assert await bench.refused("operator", "GET", "/calls") == (503, "unavailable", None)


async def test_explained_to_each_as_he_may(bench: Bench) -> None:
    assert await bench.ok("operator", "GET", "/explain", called=X, caller=A) == {
        "lines": [{"what": "caller", "text": A, "good": None}]}  # fmt: skip
    assert A not in str(await bench.ok("auditor", "GET", "/explain", called=X, caller=A))
    assert await bench.refused("tenant", "GET", "/explain", called=X) == (404, "not_found", "application")
    assert await bench.refused("tenant", "GET", "/explain", called="+8617999999999") == (404, "not_found", "called")
    assert (await bench.ask("operator", "GET", "/explain?called=%2B8617000000001"))[0] == 200
    for query, field in (({"called": "x"}, "called"), ({}, "called"), ({"called": X, "at": "noon"}, "at"),
                         ({"called": X, "extension": "a"}, "extension")):  # fmt: skip
        assert await bench.refused("operator", "GET", "/explain", **query) == (400, "invalid", field)
