"""A trace as a ladder: both legs, times, directions; and messages that can't harm a terminal."""

from __future__ import annotations

from dataclasses import replace

from gateway.tracing.shown import as_text
from tests.tracing.messages import CALL


def test_the_ladder() -> None:
    lines = as_text(CALL).splitlines()
    assert lines[0] == "1970-01-01 00:16:40 UTC  A = udp:192.0.2.10:5060 B = tcp:192.0.2.20:5080"
    rows = [line.translate(str.maketrans("│─▶◀", "|-><")) for line in lines[1:]]
    assert [row[:10].strip() for row in rows] == ["0.000", "0.250", "0.500", "1.000"]
    assert [row.count(">") - row.count("<") for row in rows] == [1, -1, 1, -1]
    caller, callee = rows[0].split("|")[1:3]
    assert "INVITE (1)" in caller
    assert callee.strip() == ""
    assert "180 Ringing (4)" in rows[3].split("|")[2]


def test_in_full_and_without_control_characters() -> None:
    side, seen = CALL[3]
    nasty = (side, replace(seen, data=seen.data.replace(b"180 Ringing", b"180 Rin\x1b[2Jging\xff")))
    text = as_text((*CALL[:3], nasty), full=True)
    assert "\x1b" not in text
    assert "(1) 0.000 s from udp:192.0.2.10:5060" in text
    assert "(3) 0.500 s to tcp:192.0.2.20:5080" in text
    assert "P-Asserted-Identity" in text


def test_what_was_sent_again_is_said_once() -> None:
    side, seen = CALL[0]
    text = as_text((CALL[0], (side, replace(seen, at=seen.at + 0.5)), *CALL[1:]), full=True)
    assert "INVITE (1 again)" in text
    assert text.count("\nINVITE sip:") == 2, "one a leg"
    assert "\n(2)" not in text
    assert "\n(3) " in text


def test_nothing_to_show() -> None:
    assert as_text(()) == ""
