from __future__ import annotations

import re

import pytest

from gateway.errors import ParseError
from gateway.sdp.description import SessionDescription
from gateway.sdp.offer_answer import AudioTerms, Negotiation, NotAcceptable


def sdp(*media: str, host: str = "192.0.2.9", session: tuple[str, ...] = ()) -> bytes:
    family = "IP6" if ":" in host else "IP4"
    lines = ["v=0", f"o=peer 7 7 IN {family} {host}", "s=call", f"c=IN {family} {host}", "t=0 0", *session, *media]
    return "".join(line + "\r\n" for line in lines).encode()


AUDIO = ("m=audio 4000 RTP/AVP 8 0 101", "a=rtpmap:101 telephone-event/8000", "a=ptime:20")


def version(data: bytes) -> int:
    return SessionDescription.parse(data).origin.version


def direction(data: bytes, line: int = 0) -> str:
    description = SessionDescription.parse(data)
    return description.direction_of(description.media[line])


@pytest.fixture
def leg() -> Negotiation:
    return Negotiation(5000, "198.51.100.1")


def test_our_offer_word_for_word(leg: Negotiation) -> None:
    assert leg.offer(20000).decode() == (
        "v=0\r\no=- 5000 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"
        "m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )


def test_terms_of_an_answer(leg: Negotiation) -> None:
    leg.offer(20000)
    terms = leg.receive_answer(sdp("m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000"))
    assert terms == AudioTerms("192.0.2.9", 4000, 4001, 0, 96, 20, True, True, events_in=101)
    assert leg.terms == terms


def test_an_answer_without_events_has_none_either_way(leg: Negotiation) -> None:
    leg.offer(20000)
    terms = leg.receive_answer(sdp("m=audio 4000 RTP/AVP 8"))
    assert (terms.events, terms.events_in) == (None, None)


@pytest.mark.parametrize("events", [96, 97, 101, 102, 127])
def test_an_answer_takes_the_offerers_event_number_and_keeps_it(leg: Negotiation, events: int) -> None:
    leg.receive_offer(sdp(f"m=audio 4000 RTP/AVP 8 {events}", f"a=rtpmap:{events} telephone-event/8000"), 20000)
    answer = leg.answer()
    assert f"m=audio 20000 RTP/AVP 8 {events}\r\n" in answer.decode()
    assert leg.terms is not None
    assert (leg.terms.events, leg.terms.events_in) == (events, events)
    assert f"a=rtpmap:{events} telephone-event/8000" in leg.reoffer(20000).decode()


DYNAMIC = ("m=audio 4000 RTP/AVP 9 98 97 101", "a=rtpmap:97 PCMU/8000", "a=rtpmap:98 pcma/8000/1")


def test_a_codec_under_a_dynamic_number_keeps_it(leg: Negotiation) -> None:
    terms = leg.receive_offer(sdp(*DYNAMIC), 20000)
    assert (terms.codec, terms.payload, terms.payload_in) == (8, 98, 98)
    answer = leg.answer().decode()
    assert "m=audio 20000 RTP/AVP 98\r\na=rtpmap:98 PCMA/8000\r\n" in answer
    offer = leg.reoffer(20000).decode()
    assert "RTP/AVP 98 0 101\r\na=rtpmap:98 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n" in offer
    terms = leg.receive_answer(sdp("m=audio 4000 RTP/AVP 98", "a=rtpmap:98 PCMA/8000"))
    assert (terms.codec, terms.payload, terms.payload_in) == (8, 98, 98)
    terms = leg.receive_offer(sdp("m=audio 4000 RTP/AVP 8"), 20000)
    assert (terms.codec, terms.payload, terms.payload_in) == (8, None, None)
    assert "RTP/AVP 8\r\n" in leg.answer().decode()


def test_each_side_may_have_its_own_number_of_a_codec(leg: Negotiation) -> None:
    leg.offer(20000)
    terms = leg.receive_answer(sdp("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 PCMA/8000"))
    assert (terms.codec, terms.payload, terms.payload_in) == (8, 97, None)


def test_of_two_event_clocks_the_narrowband_one_counts(leg: Negotiation) -> None:
    offer = sdp(
        "m=audio 4000 RTP/AVP 104 8 105 100",
        "b=RR:0",
        "a=rtpmap:104 AMR-WB/16000",
        "a=rtpmap:105 telephone-event/16000",
        "a=rtpmap:100 telephone-event/8000",
    )
    terms = leg.receive_offer(offer, 20000)
    assert (terms.codec, terms.events) == (8, 100)


# RFC 3264 §6.1, every row by every wish of ours: offered, we send, we receive -> answered, peer sends, peer receives
TABLE = [
    ("sendrecv", True, True, "sendrecv"),
    ("sendrecv", True, False, "sendonly"),
    ("sendrecv", False, True, "recvonly"),
    ("sendrecv", False, False, "inactive"),
    ("sendonly", True, True, "recvonly"),
    ("sendonly", True, False, "inactive"),
    ("sendonly", False, True, "recvonly"),
    ("sendonly", False, False, "inactive"),
    ("recvonly", True, True, "sendonly"),
    ("recvonly", True, False, "sendonly"),
    ("recvonly", False, True, "inactive"),
    ("recvonly", False, False, "inactive"),
    ("inactive", True, True, "inactive"),
    ("inactive", True, False, "inactive"),
    ("inactive", False, True, "inactive"),
    ("inactive", False, False, "inactive"),
]


@pytest.mark.parametrize("level", ["media", "session"])
@pytest.mark.parametrize(("offered", "sends", "receives", "answered"), TABLE)
def test_directions(leg: Negotiation, offered: str, sends: bool, receives: bool, answered: str, level: str) -> None:
    attribute = f"a={offered}"
    offer = sdp(*AUDIO, attribute) if level == "media" else sdp(*AUDIO, session=(attribute,))
    terms = leg.receive_offer(offer, 20000)
    assert (terms.sends, terms.receives) == (offered in ("sendrecv", "sendonly"), offered in ("sendrecv", "recvonly"))
    assert direction(leg.answer(sends=sends, receives=receives)) == answered


@pytest.mark.parametrize(("sends", "receives"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("said", ["sendrecv", "sendonly", "recvonly", "inactive"])
def test_an_answer_cannot_widen_what_we_offered(leg: Negotiation, sends: bool, receives: bool, said: str) -> None:
    leg.offer(20000, sends=sends, receives=receives)
    terms = leg.receive_answer(sdp(*AUDIO, f"a={said}"))
    assert terms.sends == (receives and said in ("sendrecv", "sendonly"))
    assert terms.receives == (sends and said in ("sendrecv", "recvonly"))


def test_the_old_hold(leg: Negotiation) -> None:
    terms = leg.receive_offer(sdp(*AUDIO, host="0.0.0.0"), 20000)
    assert (terms.host, terms.sends, terms.receives) == ("0.0.0.0", True, False)
    assert direction(leg.answer()) == "recvonly"
    terms = leg.receive_offer(sdp(*AUDIO), 20000)
    assert terms.receives
    assert direction(leg.answer()) == "sendrecv"


def test_answers_keep_number_and_order_of_lines_and_later_offers_repeat_them(leg: Negotiation) -> None:
    offer = sdp(
        "m=video 4002 RTP/AVP 31", "m=audio 4004 RTP/SAVP 8", *AUDIO, "m=audio 4006 RTP/AVP 8", "m=image 4008 udptl t38"
    )
    terms = leg.receive_offer(offer, 20000)
    assert terms.port == 4000
    expected = [
        "m=video 0 RTP/AVP 31",
        "m=audio 0 RTP/SAVP 8",
        "m=audio 20000 RTP/AVP 8 101",
        "m=audio 0 RTP/AVP 8",
        "m=image 0 udptl t38",
    ]
    assert re.findall(r"m=.*(?=\r)", leg.answer().decode()) == expected
    expected[2] = "m=audio 20000 RTP/AVP 8 0 101"
    assert re.findall(r"m=.*(?=\r)", leg.reoffer(20000).decode()) == expected


def test_a_line_added_later_is_refused_and_stays(leg: Negotiation) -> None:
    leg.offer(20000)
    leg.receive_answer(sdp(*AUDIO))
    leg.receive_offer(sdp(*AUDIO, "m=image 4008 udptl t38"), 20000)
    assert leg.answer().decode().count("m=") == 2
    assert leg.reoffer(20000).decode().endswith("m=image 0 udptl t38\r\n")


def test_the_agreed_line_may_not_be_given_away_to_another(leg: Negotiation) -> None:
    leg.offer(20000)
    leg.receive_answer(sdp(*AUDIO))
    with pytest.raises(NotAcceptable):
        leg.receive_offer(sdp("m=image 4008 udptl t38", *AUDIO), 20000)
    assert leg.terms is not None


def test_the_version_grows_by_one_and_only_on_a_change(leg: Negotiation) -> None:
    leg.receive_offer(sdp(*AUDIO), 20000)
    first = leg.answer()
    assert leg.answer() == first
    assert version(first) == 1
    held = leg.reoffer(20000, sends=False)
    assert version(held) == 2
    assert leg.reoffer(20000, sends=False) == held
    assert version(leg.reoffer(20000)) == 3


def test_a_reoffer_puts_the_agreed_codec_first(leg: Negotiation) -> None:
    leg.offer(20000)
    leg.receive_answer(sdp("m=audio 4000 RTP/AVP 0"))
    assert "m=audio 20000 RTP/AVP 0 8 101" in leg.reoffer(20000).decode()


@pytest.mark.parametrize(
    ("attributes", "ptime"),
    [
        ((), 20),
        (("a=ptime:10",), 10),
        (("a=ptime:30",), 30),
        (("a=ptime:40",), 40),
        (("a=ptime:60",), 60),
        (("a=ptime:60", "a=maxptime:40"), 40),
        (("a=maxptime:10",), 10),
        (("a=ptime:200",), 60),
        (("a=ptime:5",), 10),
        (("a=ptime:25",), 20),
        (("a=ptime:x",), 20),
        (("a=ptime:0",), 20),
    ],
)
def test_packet_lengths(leg: Negotiation, attributes: tuple[str, ...], ptime: int) -> None:
    terms = leg.receive_offer(sdp("m=audio 4000 RTP/AVP 8", *attributes), 20000)
    assert terms.ptime == ptime
    assert f"a=ptime:{ptime}\r\n" in leg.answer().decode()


@pytest.mark.parametrize(
    ("port", "attributes", "rtcp"),
    [
        (4000, (), 4001),
        (4000, ("a=rtcp:5555",), 5555),
        (4000, ("a=rtcp:5555 IN IP4 192.0.2.77",), 5555),
        (4000, ("a=rtcp:x",), 4001),
        (65535, (), 0),
    ],
)
def test_rtcp_ports(leg: Negotiation, port: int, attributes: tuple[str, ...], rtcp: int) -> None:
    assert leg.receive_offer(sdp(f"m=audio {port} RTP/AVP 8", *attributes), 20000).rtcp_port == rtcp


def test_the_offerers_order_of_codecs_counts(leg: Negotiation) -> None:
    assert leg.receive_offer(sdp("m=audio 4000 RTP/AVP 18 0 8"), 20000).codec == 0
    assert "m=audio 20000 RTP/AVP 0\r\n" in leg.answer().decode()


def test_ipv6() -> None:
    leg = Negotiation(1, "2001:db8::1")
    assert "o=- 1 1 IN IP6 2001:db8::1\r\n" in leg.offer(20000).decode()
    assert leg.receive_answer(sdp(*AUDIO, host="2001:db8::9")).host == "2001:db8::9"
    assert not leg.receive_answer(sdp(*AUDIO, host="::")).receives


def test_an_address_at_the_media_line_wins(leg: Negotiation) -> None:
    leg.offer(20000)
    assert leg.receive_answer(sdp("m=audio 4000 RTP/AVP 8", "c=IN IP4 192.0.2.44")).host == "192.0.2.44"


REFUSED = {
    "nothing": sdp(),
    "video": sdp("m=video 4000 RTP/AVP 31"),
    "encrypted": sdp("m=audio 4000 RTP/SAVP 8"),
    "disabled": sdp("m=audio 0 RTP/AVP 8"),
    "codec": sdp("m=audio 4000 RTP/AVP 18 9"),
    "wideband under a dynamic number": sdp("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMA/16000"),
    "stereo": sdp("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMA/8000/2"),
    "a number of RTCP": sdp("m=audio 4000 RTP/AVP 72", "a=rtpmap:72 PCMA/8000"),
    "another meaning of 8": sdp("m=audio 4000 RTP/AVP 8", "a=rtpmap:8 G726-32/8000"),
    "host name": sdp("m=audio 4000 RTP/AVP 8", "c=IN IP4 media.example"),
    "another family": sdp("m=audio 4000 RTP/AVP 8", host="2001:db8::9"),
    "no address": b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n",
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_what_we_refuse(leg: Negotiation, body: bytes) -> None:
    with pytest.raises(NotAcceptable) as caught:
        leg.receive_offer(body, 20000)
    assert caught.value.status == 488
    leg.offer(20000)
    with pytest.raises(NotAcceptable):
        leg.receive_answer(body)
    assert leg.terms is None


def test_the_refusal_of_a_host_name_says_so(leg: Negotiation) -> None:
    with pytest.raises(NotAcceptable, match="c= names a host, we take addresses") as caught:
        leg.receive_offer(REFUSED["host name"], 20000)
    assert caught.value.warning == 301


def test_the_refusal_says_what_was_offered_and_what_we_take(leg: Negotiation) -> None:
    with pytest.raises(NotAcceptable, match="offered g722 g729, we accept PCMA PCMU"):
        leg.receive_offer(REFUSED["codec"], 20000)


def test_a_malformed_body_is_a_parse_error_and_changes_nothing(leg: Negotiation) -> None:
    leg.receive_offer(sdp(*AUDIO), 20000)
    answer = leg.answer()
    with pytest.raises(ParseError):
        leg.receive_offer(b"nonsense", 20000)
    with pytest.raises(NotAcceptable):
        leg.receive_offer(REFUSED["codec"], 20000)
    assert leg.answer() == answer


def test_answering_without_an_offer_is_our_own_bug(leg: Negotiation) -> None:
    with pytest.raises(RuntimeError):
        leg.answer()
