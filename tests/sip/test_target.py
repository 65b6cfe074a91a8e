"""Names of SIP servers as they are written."""

from __future__ import annotations

import pytest

from gateway.sip.target import Target


@pytest.mark.parametrize(
    ("text", "target", "again"),
    [
        ("sip:trunk.example.com", Target("trunk.example.com"), "sip:trunk.example.com"),
        ("sip:Trunk.Example.com.;transport=TCP", Target("trunk.example.com", None, "tcp"), "tcp:trunk.example.com"),
        ("sip:trunk.example.com:5080", Target("trunk.example.com", 5080), "sip:trunk.example.com:5080"),
        ("udp:trunk.example.com:5060", Target("trunk.example.com", 5060, "udp"), "udp:trunk.example.com:5060"),
        ("tls:sbc", Target("sbc", None, "tls", True), "tls:sbc"),
        ("sips:sbc.example", Target("sbc.example", None, "", True), "sips:sbc.example"),
        ("sips:sbc.example;transport=tcp", Target("sbc.example", None, "tls", True), "tls:sbc.example"),
    ],
)
def test_read_and_written(text: str, target: Target, again: str) -> None:
    assert (Target.parse(text), str(target)) == (target, again)
    assert Target.parse(again) == target


@pytest.mark.parametrize(
    "text",
    ["", "trunk.example.com", "sip:", "sip:a b", "sip:user@example.com", "sip:example.com;transport=sctp",
     "ws:x.example", "udp:x.example;transport=tcp", "sips:x.example;transport=udp", "udp:x.example:0",
     "udp:x.example:65536", "sip:-x.example", "sip:300.1.1.1", "sip:[::1]", "udp:a..b", "sip:" + "a" * 64 + ".example"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Target.parse(text)
