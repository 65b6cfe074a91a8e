"""Whatever comes off the wire, nothing is raised, and the next OPTIONS is answered. Seeded by hypothesis."""

from __future__ import annotations

from contextlib import suppress
from itertools import count, pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ParseError
from gateway.sip.framing import StreamFramer
from gateway.sip.hop import Hop
from gateway.sip.message import parse_message
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from tests.sip.registering import HERE as PHONE
from tests.sip.registering import Registering, contacts, node

SOURCE = Hop("udp", "192.0.2.9", 5060)
HERE = Path(__file__).parent.parent / "data" / "sip"
OURS = [path.read_bytes() for path in sorted(HERE.glob("*.dat"))]
OPTIONS = (
    b"OPTIONS sip:gw SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKlast\r\nMax-Forwards: 70\r\n"
    b"From: <sip:a@x>;tag=1\r\nTo: <sip:gw>\r\nCall-ID: last\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
PIECES = [
    *(b"", b"\r\n", b"\x00", b"<", b">", b'"', b";tag=", b",", b"%", b"\xff", b":", b"sip:", b"tel:", b"-1"),
    *(b"9" * 40, b"[::1]", b";branch=z9hG4bK", b"\r\n ", b"Via: x\r\n", b"CSeq: 1 ACK\r\n", b"Content-Length: 3\r\n"),
]
fuzz = settings(max_examples=300, derandomize=True, deadline=None)
Edits = list[tuple[int, int, bytes]]
edits_ = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 12), st.sampled_from(PIECES)), max_size=6)


def edited(data: bytes, edits: Edits) -> bytes:
    for place, cut, piece in edits:
        at = place % (len(data) + 1)
        data = data[:at] + piece + data[at + cut :]
    return data


def agent() -> UserAgent:
    numbers = count()
    return UserAgent(UserAgentSettings({"udp": Hop("udp", "192.0.2.1", 5060)}), lambda: f"t{next(numbers)}")


def answers(one: UserAgent) -> bool:
    outputs = one.receive_message(OPTIONS, SOURCE, 1.0)
    return [output.data[:11] for output in outputs if isinstance(output, Transmit)] == [b"SIP/2.0 200"]


@fuzz
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    with suppress(ParseError):
        parse_message(data)
    one = agent()
    one.receive_message(data, SOURCE, 0.0)
    one.receive_malformed(data, SOURCE, 0.0)
    assert answers(one)


@fuzz
@given(st.sampled_from(OURS), edits_)
def test_messages_with_pieces_cut_out_and_put_in(data: bytes, edits: Edits) -> None:
    data = edited(data, edits)
    one = agent()
    with suppress(ParseError):
        parse_message(data)
    one.receive_message(data, SOURCE, 0.0)
    while (due := one.deadline) is not None and due < 200.0:
        one.handle_timeout(due)
    one.receive_malformed(data, SOURCE, 0.0)
    assert answers(one)


@fuzz
@given(st.lists(st.sampled_from(OURS), min_size=1, max_size=3), edits_, st.lists(st.integers(0, 9000), max_size=12))
def test_a_stream_says_the_same_however_it_is_cut(parts: list[bytes], edits: Edits, cuts: list[int]) -> None:
    stream = edited(b"".join(parts), edits)
    whole, cut = StreamFramer(), StreamFramer()
    expected = whole.feed(stream)
    places = sorted({0, len(stream), *(place % (len(stream) + 1) for place in cuts)})
    messages = [message for start, end in pairwise(places) for message in cut.feed(stream[start:end])]
    assert messages == expected
    assert (str(cut.error), cut.pings) == (str(whole.error), whole.pings)


@fuzz
@given(edits_)
def test_a_broken_register_breaks_nothing(edits: Edits) -> None:
    """Its credentials are right, so that what is broken gets as far as it can."""
    one = node()
    phone = Registering(one)
    phone.register("<sip:anna@192.0.2.10>;q=0.5;expires=300", "<sip:anna@192.0.2.11>", expires="600")
    one.receive_message(edited(phone.last.replace(b"CSeq: 2", b"CSeq: 9"), edits), PHONE, 1.0)
    one.handle_timeout(2000.0)
    phone.cseq = 20
    phone.call_id = "another"
    assert contacts(phone.register("<sip:anna@192.0.2.10>", now=2000.0))
