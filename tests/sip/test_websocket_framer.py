"""SIP over WebSocket without sockets: who is let in, what is a message, and that nothing makes it raise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from gateway.sip.websocket import MESSAGE_LIMIT, WebSocketFramer
from tests.sip.loopback import MESSAGE

fuzz = settings(max_examples=300, derandomize=True, deadline=None)
PAGE = "https://phone.example"


class Browser:
    """The other end, of wsproto; ``said`` are the events that came back."""

    def __init__(self, *, origins: tuple[str, ...] = ()) -> None:
        self.framer = WebSocketFramer(origins)
        self._connection = WSConnection(ConnectionType.CLIENT)
        self.messages: list[bytes] = []

    def send(self, event: Event) -> list[Event]:
        return self.put(self._connection.send(event))

    def put(self, data: bytes) -> list[Event]:
        self.messages += self.framer.feed(data)
        if back := self.framer.outgoing():
            self._connection.receive_data(back)
        return list(self._connection.events())

    def open(self, *subprotocols: str, origin: str = "") -> list[Event]:
        headers = [(b"Origin", origin.encode())] if origin else []
        return self.send(Request(host="gw.example", target="/", subprotocols=list(subprotocols), extra_headers=headers))


@pytest.fixture
def browser() -> Browser:
    made = Browser()
    made.open("sip")
    return made


def test_it_opens_for_sip() -> None:
    browser = Browser()
    (event,) = browser.open("xmpp", "sip")
    assert isinstance(event, AcceptConnection)
    assert (event.subprotocol, event.extensions, browser.framer.established) == ("sip", [], True)


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        ((), "", 0),
        ((), PAGE, 403),
        ((PAGE,), PAGE, 0),
        ((PAGE,), "", 0),
        ((PAGE,), "https://evil.example", 403),
        ((PAGE,), PAGE + ".evil.example", 403),
        (("*",), "https://any.example", 0),
    ],
)
def test_a_page_must_be_listed(origins: tuple[str, ...], origin: str, status: int) -> None:
    browser = Browser(origins=origins)
    event, *_ = browser.open("sip", origin=origin)
    assert (event.status_code if isinstance(event, RejectConnection) else 0) == status
    assert browser.framer.ended is bool(status)


@pytest.mark.parametrize("subprotocols", [(), ("xmpp",), ("SIP",)])
def test_without_sip_it_does_not_open(subprotocols: tuple[str, ...]) -> None:
    browser = Browser()
    event, *_ = browser.open(*subprotocols)
    assert isinstance(event, RejectConnection)
    assert (event.status_code, browser.framer.ended) == (400, True)


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\n"
    b"Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (MESSAGE, 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (UPGRADE.replace(b"GET", b"POST"), 400),
        (UPGRADE.replace(b"Upgrade: websocket\r\n", b""), 400),
        (UPGRADE.replace(b": 13", b": 8"), 426),
        (UPGRADE.replace(b"Host: x\r\n", b""), 400),
        (UPGRADE.replace(b"Host: x", b"Host: xn--\xff.example"), 400),
        (UPGRADE.replace(b": sip", b": \xff"), 400),
        (UPGRADE.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 70000), 400),
    ],
)
def test_what_is_no_opening_is_refused(request_: bytes, status: int) -> None:
    framer = WebSocketFramer(())
    assert framer.feed(request_) == []
    assert framer.ended
    assert framer.outgoing().startswith(b"HTTP/1.1 %d " % status)
    assert framer.feed(UPGRADE) == []


def test_a_good_opening_by_hand() -> None:
    framer = WebSocketFramer(())
    assert framer.feed(UPGRADE) == []
    assert framer.outgoing().startswith(b"HTTP/1.1 101 ")


def test_a_message_is_one_sip_message_of_any_kind_and_number_of_frames(browser: Browser) -> None:
    browser.send(TextMessage(MESSAGE.decode()))
    browser.send(BytesMessage(MESSAGE))
    browser.send(TextMessage("OPTI", message_finished=False))
    assert browser.framer.partial
    browser.send(Ping(b"between"))
    browser.send(TextMessage("ONS", message_finished=True))
    assert browser.messages == [MESSAGE, MESSAGE, b"OPTIONS"]
    assert not browser.framer.partial


def test_ours_are_text_or_when_they_are_none_binary(browser: Browser) -> None:
    for ours, kind, data in ((MESSAGE, TextMessage, MESSAGE.decode()), (b"\xff\xfe", BytesMessage, b"\xff\xfe")):
        browser._connection.receive_data(browser.framer.wrap(ours))
        (event,) = browser._connection.events()
        assert isinstance(event, Message)
        assert (type(event), event.data) == (kind, data)


def test_pings_of_both_kinds(browser: Browser) -> None:
    assert browser.send(Ping(b"x")) == [Pong(b"x")]
    assert browser.framer.controls == 1
    browser.send(TextMessage("\r\n\r\n"))
    browser.send(TextMessage("\r\n"))
    assert (browser.framer.pings, browser.messages) == (1, [])


def test_it_closes_when_asked(browser: Browser) -> None:
    (event,) = browser.send(CloseConnection(1000))
    assert (event, browser.framer.ended) == (CloseConnection(1000, ""), True)
    assert browser.put(b"\x81\x80aaaa") == []


def test_it_says_when_it_closes(browser: Browser) -> None:
    browser._connection.receive_data(browser.framer.close())
    assert [event.code for event in browser._connection.events() if isinstance(event, CloseConnection)] == [1001]
    assert browser.framer.close() == b""


@pytest.mark.parametrize("whole", [True, False])
def test_a_message_without_end_ends_it(browser: Browser, whole: bool) -> None:
    sent, events = 0, []
    while not browser.framer.ended:
        sent += 65536
        assert sent < 2 * MESSAGE_LIMIT
        events = browser.send(BytesMessage(b"x" * 65536, message_finished=False))
    assert [event.code for event in events if isinstance(event, CloseConnection)] == [1009]
    assert browser.messages == []


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x05hello", 1002),  # not masked
        (b"\xc1\x80aaaa", 1002),  # a reserved bit
        (b"\x83\x80aaaa", 1002),  # a reserved opcode
        (b"\x80\x80aaaa", 1002),  # a continuation of nothing
        (b"\x09\x80aaaa", 1002),  # half a ping
        (b"\x89\xfe\x00\xffaaaa", 1002),  # a long ping
        (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff", 1002),  # a length with the sign bit
        (b"\x81\x82\x00\x00\x00\x00\xff\xff", 1007),  # text that is no UTF-8
        (b"\x88\x81\x00\x00\x00\x00\x03", 1002),  # half a code
    ],
)
def test_what_is_no_frame_ends_it(browser: Browser, frame: bytes, code: int) -> None:
    events = browser.put(frame)
    assert [event.code for event in events if isinstance(event, CloseConnection)] == [code]
    assert (browser.framer.ended, browser.messages) == (True, [])


@fuzz
@given(st.lists(st.binary(max_size=300), max_size=8), st.booleans())
def test_any_bytes_before_and_after_the_opening(parts: list[bytes], opened: bool) -> None:
    framer = WebSocketFramer(())
    if opened:
        framer.feed(UPGRADE)
    for part in parts:
        for message in framer.feed(part):
            assert message
    assert len(framer.outgoing()) < 70000
    framer.close()


@fuzz
@given(
    st.lists(st.tuples(st.sampled_from([0x80, 0x81, 0x82, 0x01, 0x00, 0x88, 0x89, 0x8A, 0xC1, 0x83]),
                       st.binary(max_size=140)), max_size=12),
    st.lists(st.integers(1, 60), min_size=1),
)  # fmt: skip
def test_a_stream_of_frames_says_the_same_however_it_is_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(masked(first, payload) for first, payload in frames)
    results = []
    for steps in ([len(stream) or 1], cuts):
        framer = WebSocketFramer(())
        framer.feed(UPGRADE)
        framer.outgoing()
        found: list[bytes] = []
        at, turn = 0, 0
        while at < len(stream):
            step = steps[turn % len(steps)]
            found += framer.feed(stream[at : at + step])
            at, turn = at + step, turn + 1
        results.append((found, framer.outgoing(), framer.ended))
    assert results[0] == results[1]


def masked(first: int, payload: bytes) -> bytes:
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE, 0, len(payload)])
    return bytes([first]) + size + b"\0\0\0\0" + payload
