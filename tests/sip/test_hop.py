"""Hops as text: what can be listened on or called, and how it stands in a URI."""

from __future__ import annotations

import pytest

from gateway.sip.hop import Hop


@pytest.mark.parametrize(
    ("text", "hop", "uri"),
    [
        ("udp:192.0.2.1:5070", Hop("udp", "192.0.2.1", 5070), ""),
        ("UDP:192.0.2.1", Hop("udp", "192.0.2.1", 5060), ""),
        ("tcp:[2001:db8::1]", Hop("tcp", "2001:db8::1", 5060), ";transport=tcp"),
        ("tls:192.0.2.1", Hop("tls", "192.0.2.1", 5061), ";transport=tls"),
        ("ws:192.0.2.1", Hop("ws", "192.0.2.1", 80), ";transport=ws"),
        ("wss:[::1]:8443", Hop("wss", "::1", 8443), ";transport=ws"),
    ],
)
def test_read_and_written(text: str, hop: Hop, uri: str) -> None:
    assert Hop.parse(text) == hop == Hop.parse(str(hop))
    assert hop.uri_transport == uri
    assert hop.secure is (hop.transport in ("tls", "wss"))
    assert hop.reliable is (hop.transport != "udp")


@pytest.mark.parametrize(
    "text",
    ["", "192.0.2.1", "sctp:192.0.2.1", "udp:", "udp:host.example", "udp:192.0.2.1:0", "udp:192.0.2.1:65536",
     "udp:192.0.2.1:x", "udp:[::1", "udp:[::1]5060", "udp:::1"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Hop.parse(text)


def test_the_name_to_be_proved_tells_hops_apart() -> None:
    assert Hop("tls", "192.0.2.1", 5061, "a.example") != Hop("tls", "192.0.2.1", 5061, "b.example")
