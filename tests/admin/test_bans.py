"""``/v1/bans``: the operator sees who is kept out and lets him in again; it is written down."""

from __future__ import annotations

from gateway.standing import StandingBan
from tests.admin.bench import Bench


def ban(source: str) -> StandingBan:
    return StandingBan(source=source, why="scanner", since=1_700_000_000.0, until=1_700_003_600.0)


async def test_seen_and_lifted_by_the_operator_alone(bench: Bench) -> None:
    bench.bans = [ban("203.0.113.5"), ban("2001:db8::/64")]
    seen = await bench.ok("operator", "GET", "/bans")
    assert [(row["source"], row["why"]) for row in seen["items"]] == [
        ("203.0.113.5", "scanner"), ("2001:db8::/64", "scanner")]  # fmt: skip
    assert seen["items"][0]["until"] == "2023-11-14T23:13:20Z"
    for who in ("tenant", "reviewer", "auditor"):
        assert await bench.refused(who, "GET", "/bans") == (403, "forbidden", None)
        assert await bench.refused(who, "DELETE", "/bans") == (403, "forbidden", None)
    lifted = await bench.ok("operator", "DELETE", "/bans", source="203.0.113.5")
    assert [row["source"] for row in lifted["items"]] == ["203.0.113.5"]
    assert await bench.refused("operator", "DELETE", "/bans", source="192.0.2.1") == (404, "not_found", "source")
    assert len((await bench.ok("operator", "DELETE", "/bans"))["items"]) == 2
    subjects = [row["subject"] for row in await bench.audited("ban.lift")]
    assert sorted(subjects) == ["ban/2001:db8::/64", "ban/203.0.113.5", "ban/203.0.113.5"]


async def test_without_the_signalling_process(bench: Bench) -> None:
    bench.bans = None
    assert (await bench.refused("operator", "GET", "/bans"))[0] == 503
