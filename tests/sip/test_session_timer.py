"""RFC 4028 as arithmetic: what both sides say, who refreshes and when the end is."""

from __future__ import annotations

import pytest

from gateway.sip.message import Headers, Request, Response
from gateway.sip.session_timer import SessionTimer, read_seconds


def request(expires: str = "", min_se: str = "", supported: str = "timer") -> Request:
    lines = [("Session-Expires", expires), ("Min-SE", min_se), ("Supported", supported)]
    return Request("INVITE", "sip:x", Headers([line for line in lines if line[1]]))


def response(status: int = 200, expires: str = "", min_se: str = "") -> Response:
    lines = [("Session-Expires", expires), ("Min-SE", min_se)]
    return Response(status, "", Headers([line for line in lines if line[1]]))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1800", (1800, "")),
        ("90;refresher=uac", (90, "uac")),
        (" 90 ; x=y ; Refresher = UAS ", (90, "uas")),
        ("90;refresher=both", (90, "")),
        ("-1", (None, "")),
        ("1e3", (None, "")),
        ("99999999999999999999", (None, "")),
        (str(2**31 - 1), (2**31 - 1, "")),
        ("", (None, "")),
        (";refresher=uas", (None, "")),
    ],
)
def test_reading(text: str, found: tuple[int | None, str]) -> None:
    assert read_seconds(Response(200, "", Headers([("Session-Expires", text)])), "Session-Expires") == found


@pytest.mark.parametrize(
    ("interval", "refresh", "end"),
    [(1800, 900.0, 1768.0), (90, 45.0, 60.0), (96, 48.0, 64.0), (600, 300.0, 568.0)],
)
@pytest.mark.parametrize("refresher", ["uac", "uas"])
def test_a_call_of_ours(interval: int, refresh: float, end: float, refresher: str) -> None:
    """Half the interval for who refreshes; the end min(32 s, a third) before it has passed (§10)."""
    timer = SessionTimer(1800)
    assert timer.ask() == [("Session-Expires", "1800"), ("Min-SE", "90")]
    timer.answered(response(expires=f"{interval};refresher={refresher}"), 100.0)
    assert timer.refresh_at == (100.0 + refresh if refresher == "uac" else None)
    assert timer.end_at == pytest.approx(100.0 + end)
    assert timer.ask()[0] == ("Session-Expires", f"{interval};refresher={refresher}")


def test_the_other_side_knows_no_timers() -> None:
    """§7.2: we may refresh for our own benefit; it has agreed to no end."""
    timer = SessionTimer(1800)
    timer.answered(response(), 0.0)
    assert (timer.refresh_at, timer.end_at) == (900.0, None)
    timer.postponed(900.0)
    assert timer.refresh_at == 1800.0


def test_a_422_is_followed_until_it_asks_for_no_more() -> None:
    timer = SessionTimer(90)
    assert timer.raised(response(422, min_se="120"))
    assert timer.ask() == [("Session-Expires", "120"), ("Min-SE", "120")]
    assert not timer.raised(response(422, min_se="120"))
    assert not timer.raised(response(422))
    assert not timer.raised(response(422, min_se="nonsense"))
    assert timer.raised(response(422, min_se="3600"))
    assert timer.ask() == [("Session-Expires", "3600"), ("Min-SE", "3600")]
    assert timer.raised(response(422, min_se="7200"))
    assert not timer.raised(response(422, min_se="9000")), "a peer that plays with us"


@pytest.mark.parametrize(
    ("asked", "answered", "ours"),
    [
        (request("1800"), ["1800;refresher=uas", "timer"], True),
        (request("1800;refresher=uac"), ["1800;refresher=uac", "timer"], False),
        (request("1800;refresher=uas"), ["1800;refresher=uas", "timer"], True),
        (request("7200;refresher=uac"), ["1800;refresher=uac", "timer"], False),
        (request("90;refresher=uac"), ["90;refresher=uac", "timer"], False),
        (request("7200;refresher=uac", min_se="3600"), ["3600;refresher=uac", "timer"], False),
        (request(), ["1800;refresher=uas", "timer"], True),
        (request(min_se="2000"), ["2000;refresher=uas", "timer"], True),
        (request("1200", supported=""), ["1200;refresher=uas"], True),
        (request(supported=""), ["1800;refresher=uas"], True),
    ],
)
def test_a_call_of_theirs(asked: Request, answered: list[str], ours: bool) -> None:
    """§9: no more than it asks, no less than it allows; without ``timer`` only we can refresh, nothing is required."""
    timer = SessionTimer(1800)
    assert timer.refusal(asked) is None
    assert [value for _, value in timer.answer(asked, 0.0)] == answered
    assert timer.ours is ours
    assert (timer.refresh_at is not None) is ours


def test_who_refreshes_stays_when_a_later_request_doesn_t_say() -> None:
    timer = SessionTimer(1800)
    timer.answer(request("1800;refresher=uac"), 0.0)
    timer.answer(request("1800"), 10.0)
    assert not timer.ours
    assert timer.end_at == 10.0 + 1768.0


def test_too_short_an_interval_is_refused_to_who_understands_it() -> None:
    """§9: who doesn't know timers can't be told by 422."""
    assert SessionTimer.refusal(request("89")) == (422, None, [("Min-SE", "90")])
    assert SessionTimer.refusal(request("90")) is None
    assert SessionTimer.refusal(request("89", supported="")) is None
    assert SessionTimer.refusal(request("89", supported="100rel, Timer")) is not None


def test_a_refused_refresh_is_tried_again_in_half_of_what_is_left() -> None:
    timer = SessionTimer(1800)
    timer.answered(response(expires="90;refresher=uac"), 0.0)
    timer.postponed(45.0)
    assert timer.refresh_at == 52.5
    timer.postponed(59.5)
    assert timer.refresh_at == 60.5, "after the end, which comes first"
