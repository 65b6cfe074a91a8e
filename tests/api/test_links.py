"""A link is good for one name, one application and until its last second."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from gateway.api.links import holds, link, sign

SECRET = b"s" * 32


def test_a_link_holds_for_what_it_names_only() -> None:
    parts = urlsplit(link(SECRET, "http://h:1", "a.wav", "k1", 1000))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert parts.path == "/recordings/a.wav"
    signature = query["sig"]
    assert holds(SECRET, "a.wav", query["app"], query["expires"], signature, 1000)
    assert not holds(SECRET, "a.wav", "k1", "1000", signature, 1000.5)
    assert not holds(SECRET, "b.wav", "k1", "1000", signature, 0)
    assert not holds(SECRET, "a.wav", "k2", "1000", signature, 0)
    assert not holds(SECRET, "a.wav", "k1", "1001", signature, 0)
    assert not holds(b"t" * 32, "a.wav", "k1", "1000", signature, 0)
    for expires in ("", "x", "-1", "٣", "9" * 13):
        assert not holds(SECRET, "a.wav", "k1", expires, sign(SECRET, "a.wav", "k1", 0), 0)
    assert not holds(SECRET, "a.wav", "k1", "1000", "\ud800é", 0)
