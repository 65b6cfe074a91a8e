"""SIP messages are counted by method and code whatever they look like, in few series."""

from __future__ import annotations

import pytest

from gateway.metrics.tally import Tally
from gateway.metrics.traffic import NAME, Traffic, kind_of
from gateway.sip.hop import Hop


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"INVITE sip:+8613800000021@h SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n", ("INVITE", "")),
        (b"SIP/2.0 180 Ringing\r\nVia: x\r\nCSeq: 1 INVITE\r\n\r\n", ("INVITE", "180")),
        (b"SIP/2.0 200 OK\r\ncseq :\t7\tBYE\r\n\r\n", ("BYE", "200")),
        (b"SIP/2.0 499 Odd\r\nCSeq: 7 OPTIONS\r\n\r\n", ("OPTIONS", "4xx")),
        (b"SIP/2.0 999 Odd\r\nCSeq: 7 EVIL\r\n\r\n", ("other", "other")),
        (b"SIP/2.0 200 OK\r\n\r\n", ("other", "200")),
        (b"SIP/2.0 ", ("other", "other")),
        (b"HELLO13800000021 sip:x SIP/2.0\r\n", ("other", "")),
        (b"\xff\xfe", ("other", "")),
        (b"", ("other", "")),
    ],
)
def test_kinds(data: bytes, kind: tuple[str, str]) -> None:
    assert kind_of(data) == kind


def test_a_message_is_counted_for_its_trunk() -> None:
    tally = Tally()
    traffic = Traffic(tally, {"192.0.2.1": "carrier"}.__getitem__)
    hop = Hop("tcp", "192.0.2.1", 5060)
    for _ in range(2):
        traffic.received(b"BYE sip:x SIP/2.0\r\n", hop)
    traffic.sent(b"SIP/2.0 481 No\r\nCSeq: 2 BYE\r\n\r\n", hop)
    assert tally.rows() == [
        (NAME, ["BYE", "", "carrier", "in", "tcp"], [2.0]),
        (NAME, ["BYE", "481", "carrier", "out", "tcp"], [1.0]),
    ]
