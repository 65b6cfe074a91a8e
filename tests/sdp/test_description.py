from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ParseError
from gateway.sdp.description import Connection, Encoding, MediaDescription, Origin, SessionDescription

CARRIER = (
    b"v=0\r\no=SoftX 20 3 IN IP4 192.0.2.7\r\ns=Sip Call\r\ni=about\r\nc=IN IP4 192.0.2.8\r\nb=AS:64\r\nt=0 0\r\n"
    b"a=ptime:30\r\n"
    b"m=audio 40012 RTP/AVP 8 0 18 102\r\nc=IN IP4 192.0.2.9\r\nb=RR:0\r\na=rtpmap:102 telephone-event/8000\r\n"
    b"a=fmtp:102 0-15\r\na=maxptime:20\r\na=sendonly\r\n"
    b"m=image 0 udptl t38\r\n"
)


def body(*media: str, head: str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n") -> bytes:
    return (head + "".join(line + "\r\n" for line in media)).encode()


def test_reads_every_line_and_writes_it_back() -> None:
    description = SessionDescription.parse(CARRIER)
    assert description.origin == Origin("SoftX", 20, 3, "IP4", "192.0.2.7")
    assert description.name == "Sip Call"
    audio, image = description.media
    assert (audio.media, audio.port, audio.protocol, audio.payload_types) == (
        "audio",
        40012,
        "RTP/AVP",
        (8, 0, 18, 102),
    )
    assert description.connection_of(audio) == Connection("IP4", "192.0.2.9")
    assert description.connection_of(image) == Connection("IP4", "192.0.2.8")
    assert description.direction_of(audio) == "sendonly"
    assert description.direction_of(image) == "sendrecv"
    assert description.milliseconds_of(audio, "ptime") == 30
    assert description.milliseconds_of(audio, "maxptime") == 20
    assert (image.port, image.payload_types) == (0, ())
    assert bytes(description) == CARRIER
    assert SessionDescription.parse(bytes(description)) == description


def test_bare_line_feeds_and_missing_subject_and_time_are_let_pass() -> None:
    description = SessionDescription.parse(b"v=0\no=- 1 1 IN IP4 192.0.2.1\nx=what\nm=audio 9 RTP/AVP 8\n")
    assert description.name == "-"
    assert description.media[0].port == 9


@pytest.mark.parametrize(
    ("line", "payload_type", "expected"),
    [
        ("a=rtpmap:101 Telephone-Event/8000", 101, Encoding("telephone-event", 8000)),
        ("a=rtpmap:96 opus/48000/2", 96, Encoding("opus", 48000, 2)),
        ("a=rtpmap:96 opus", 96, None),
        ("a=rtpmap:96 opus/x", 96, None),
        ("a=ptime:20", 8, Encoding("pcma", 8000)),
        ("a=ptime:20", 99, None),
    ],
)
def test_encodings(line: str, payload_type: int, expected: Encoding | None) -> None:
    media = SessionDescription.parse(body("m=audio 9 RTP/AVP 8", line)).media[0]
    assert media.encoding(payload_type) == expected


def test_formats_that_are_no_payload_types_are_passed_over() -> None:
    media = MediaDescription(media="audio", port=2, protocol="RTP/AVP", formats=("8", "x", "128", "٣", "0"))
    assert media.payload_types == (8, 0)


def test_several_ports_of_one_line() -> None:
    data = body("m=video 5000/2 RTP/AVP 31")
    assert SessionDescription.parse(data).media[0].port_count == 2
    assert bytes(SessionDescription.parse(data)) == data


@pytest.mark.parametrize(
    ("text", "literal", "unspecified"),
    [
        ("IN IP4 192.0.2.1", True, False),
        ("IN IP4 0.0.0.0", True, True),
        ("IN IP4 media.example", False, False),
        ("IN IP4 224.2.1.1/127", False, False),
        ("IN IP4 2001:db8::1", False, False),
        ("IN IP6 2001:db8::1", True, False),
        ("IN IP6 ::", True, True),
        ("IN IP6 fe80::1%eth0", False, False),
    ],
)
def test_connections(text: str, literal: bool, unspecified: bool) -> None:
    connection = Connection.parse(text)
    assert (connection.is_literal, connection.is_unspecified) == (literal, unspecified)
    assert str(connection) == text


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "v="),
        (b"v=1\r\n", "v="),
        (b"v=0\r\ns=-\r\n", "o="),
        (b"v=0\r\no=- 1 1 IN IP4\r\n", "o="),
        (b"v=0\r\no=- 1 x IN IP4 192.0.2.1\r\n", "o="),
        (b"v=0\r\no=- 1 99999999999999999999 IN IP4 192.0.2.1\r\n", "o="),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\no=- 1 1 IN IP4 192.0.2.1\r\n", "o="),
        (body("c=IN IP9 x"), "c="),
        (body("m=audio 9 RTP/AVP"), "m="),
        (body("m=audio 65536 RTP/AVP 8"), "m="),
        (body("m=audio -1 RTP/AVP 8"), "m="),
        (body("m=audio 9/x RTP/AVP 8"), "m="),
        (body(*["m=audio 9 RTP/AVP 8"] * 33), "m="),
        (b"v=0\r\nhello\r\n", "SDP"),
        (b"v=0\r\ns=a\0b\r\n", "SDP"),
        (b"v=0\r\ns=a\rb\r\n", "SDP"),
    ],
)
def test_faults_name_their_line(data: bytes, field: str) -> None:
    with pytest.raises(ParseError) as caught:
        SessionDescription.parse(data)
    assert caught.value.field == field


LINES = st.sampled_from([line + b"\r\n" for line in CARRIER.splitlines()] + [b"a=sendrecv\n", b"m=audio 1 RTP/AVP 8\n"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.one_of(st.binary(max_size=200), st.lists(LINES | st.binary(max_size=12), max_size=20).map(b"".join)))
def test_any_bytes_give_a_description_or_a_parse_error(data: bytes) -> None:
    for candidate in (data, b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n" + data):
        try:
            description = SessionDescription.parse(candidate)
        except ParseError:
            continue
        assert SessionDescription.parse(bytes(description)) == description
        for media in description.media:
            assert description.direction_of(media)
            assert description.milliseconds_of(media, "ptime") != 0
            assert all(media.encoding(number) is None or number < 128 for number in media.payload_types)
