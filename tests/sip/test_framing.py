"""Messages out of a stream: any split gives the same, and what is bad ends it without harm to what came before."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sip.framing import HEAD_LIMIT, StreamFramer

ONE = b"OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 4\r\n\r\nbody"
TWO = b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n"
THREE = b"BYE sip:b SIP/2.0\r\nCall-ID: 3\r\n\r\n"
BAD = b"INVITE sip:c SIP/2.0\r\nContent-Length: -3\r\n\r\n"


def test_messages_one_after_another() -> None:
    framer = StreamFramer()
    assert framer.feed(ONE + TWO + THREE) == [ONE, TWO, THREE]
    assert not framer.partial


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=12), st.booleans())
def test_any_split_gives_the_same(cuts: list[int], ping: bool) -> None:
    stream = ONE + (b"\r\n\r\n" if ping else b"") + TWO + b"\r\n" + THREE + ONE
    places = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    framer, messages = StreamFramer(), []
    for start, end in pairwise(places):
        messages += framer.feed(stream[start:end])
    assert messages == [ONE, TWO, THREE, ONE]
    assert framer.error is None


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_raise_nothing(data: bytes, cut: int) -> None:
    framer = StreamFramer()
    for part in (data[:cut], data[cut:], b"\r\n\r\n"):
        framer.feed(part)


def test_a_good_message_before_a_bad_one_is_not_lost() -> None:
    framer = StreamFramer()
    assert framer.feed(ONE + BAD + TWO) == [ONE]
    assert framer.error is not None
    assert framer.rest == BAD + TWO
    assert framer.feed(TWO) == []


def test_pings_are_counted_between_messages_only() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\r\n\r\n\r\n\r\n" + ONE + b"\r\n\r\n") == [ONE]
    assert framer.pings == 3


def test_a_head_may_be_as_long_as_the_limit() -> None:
    head = b"OPTIONS sip:a SIP/2.0\r\nA: "
    longest = head + b"b" * (HEAD_LIMIT - len(head)) + b"\r\n\r\n"
    framer = StreamFramer()
    assert framer.feed(longest[:HEAD_LIMIT]) == []
    assert framer.error is None
    assert framer.feed(longest[HEAD_LIMIT:]) == [longest]


def test_a_lone_crlf_is_no_beginning_of_a_message() -> None:
    """Some peers send one CRLF to keep a connection: it starts no time in which a message must be whole."""
    framer = StreamFramer()
    seen = []
    for part in (ONE + b"\r\n", b"\r", b"\n", b"\r", b"\nO"):
        framer.feed(part)
        seen.append(framer.partial)
    assert seen == [False, False, False, False, True]
    assert framer.pings == 1


@pytest.mark.parametrize(
    "head",
    [
        b"A" * (HEAD_LIMIT + 1),
        b"A: " + b"b" * HEAD_LIMIT + b"\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 1\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 1e3\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\n",
    ],
)
def test_heads_that_can_not_be_trusted(head: bytes) -> None:
    framer = StreamFramer()
    framer.feed(head)
    assert framer.error is not None


def test_a_trickle_is_searched_once() -> None:
    """Each byte is looked at a fixed number of times: a buffer that counts what is searched in it."""
    framer = StreamFramer()
    searched = 0

    class Counting(bytearray):
        def find(self, what: object, start: object = 0, end: object = None) -> int:  # type: ignore[override]
            nonlocal searched
            searched += len(self) - int(str(start))
            return bytearray.find(self, what, start, len(self) if end is None else end)  # type: ignore[arg-type]

    framer._buffer = Counting()
    for _ in range(20_000):
        framer.feed(b"A")
    assert searched < 20 * 20_000


def test_what_is_behind_a_lie_about_a_length_is_no_message() -> None:
    framer = StreamFramer()
    assert framer.feed(ONE.replace(b"Length: 4", b"Length: 2") + b"\r\nrest\r\n" + TWO) == [
        ONE.replace(b"Length: 4", b"Length: 2")[:-2]
    ]
    assert framer.error is not None
