"""P-Early-Media (RFC 5009) as it is read."""

from __future__ import annotations

import pytest

from gateway.sip.early_media import sends, understood
from gateway.sip.message import Headers, Request, Response


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["sendrecv"], True),
        (["SendOnly"], True),
        (["recvonly"], False),
        (["inactive"], False),
        (["inactive, sendrecv"], False),
        (["sendrecv, gated"], True),
        (["inactive, gated"], False),
        (["gated"], False),
        (["supported"], None),
        (["what?"], None),
        ([""], None),
        ([], None),
    ],
)
def test_what_a_callee_says(lines: list[str], found: bool | None) -> None:
    assert sends(Response(183, "", Headers([("P-Early-Media", line) for line in lines]))) is found


@pytest.mark.parametrize(
    ("value", "found"), [("supported", True), ("Supported", True), ("sendrecv", False), ("", False)]
)
def test_who_understands_it(value: str, found: bool) -> None:
    assert understood(Request("INVITE", "sip:x", Headers([("P-Early-Media", value)]))) is found
