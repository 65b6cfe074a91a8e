"""``/v1/trunks``: operator and auditor see how the trunks are."""

from __future__ import annotations

from gateway.standing import StandingPeer, StandingTrunk
from tests.admin.bench import Bench

PEER = StandingPeer(hop="udp:192.0.2.10:5060", state="down", rests_until=1_700_000_030.0, silent=True)
TRUNK = StandingTrunk(
    name="ims", peers=[PEER], registration="registered", registered_until=1_700_003_600.0, registration_status=200,
    account_problem="", calls_in=3, calls_out=2,
)  # fmt: skip


async def test_operator_and_auditor_see_them_and_nobody_else(bench: Bench) -> None:
    bench.trunks = [TRUNK]
    for who in ("operator", "auditor"):
        (seen,) = (await bench.ok(who, "GET", "/trunks"))["items"]
        assert seen == {
            "name": "ims",
            "peers": [
                {
                    "address": "udp:192.0.2.10:5060",
                    "state": "down",
                    "rests_until": "2023-11-14T22:13:50Z",
                    "silent": True,
                }
            ],
            "registration": "registered",
            "registered_until": "2023-11-14T23:13:20Z",
            "registration_status": 200,
            "account_problem": "",
            "calls_in": 3,
            "calls_out": 2,
        }
    for who in ("tenant", "reviewer"):
        assert await bench.refused(who, "GET", "/trunks") == (403, "forbidden", None)


async def test_without_the_signalling_process(bench: Bench) -> None:
    bench.trunks = None
    assert (await bench.refused("operator", "GET", "/trunks"))[0] == 503
