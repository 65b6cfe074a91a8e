"""The serving end of SIP over WebSocket (RFC 7118) as bytes in and messages out; wsproto does the frames (RFC 6455).

    the opening handshake   a GET that offers the subprotocol ``sip``, from a page that may (``origins``): 101
                            no ``sip``: 400; another page's: 403; no WebSocket: 400, 426
    a text or binary        one whole SIP message (§4.2), of any number of frames
    CRLF CRLF as a message  a ping of RFC 5626, for the owner to answer
    Ping, Pong, Close       answered, noted, answered and the end
    what is too long        Close 1009; what is no WebSocket frame: the Close that RFC 6455 names

No extension is taken: compression would let a few bytes become many.
"""

from __future__ import annotations

from collections.abc import Collection

from h11 import ProtocolError
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from gateway.sip.framing import HEAD_LIMIT
from gateway.sip.message import BODY_LIMIT

SUBPROTOCOL = "sip"
MESSAGE_LIMIT = HEAD_LIMIT + BODY_LIMIT
ANYWHERE = "*"


class WebSocketFramer:
    """``origins``: the pages that may connect, as browsers write them (``https://phone.example``), or ``*``; who says
    no Origin is no page. Once ``ended``, what ``outgoing`` gives is the last that should be sent."""

    __slots__ = ("_connection", "_origins", "_out", "_parts", "_size", "controls", "ended", "established", "pings")

    def __init__(self, origins: Collection[str]) -> None:
        self._connection = WSConnection(ConnectionType.SERVER)
        self._origins = origins
        self._out = bytearray()
        self._parts: list[bytes] = []
        self._size = 0
        self.established = False
        self.ended = False
        self.pings = 0
        """Messages of CRLF CRLF since the owner last set this to 0; each wants a CRLF back."""
        self.controls = 0
        """Frames that carried no message, since the owner last set this to 0."""

    @property
    def partial(self) -> bool:
        """Whether the beginning of a message waits for its rest."""
        return bool(self._parts)

    def feed(self, data: bytes) -> list[bytes]:
        """Take in bytes; return the messages that are complete."""
        if self.ended or not data:
            return []
        try:
            self._connection.receive_data(data)
            return self._messages()
        except RemoteProtocolError as error:
            hint = error.event_hint
            self._refuse(hint if isinstance(hint, RejectConnection) else RejectConnection())
        except (LocalProtocolError, ValueError):
            self._refuse(RejectConnection())
        return []

    def wrap(self, message: bytes) -> bytes:
        """The frame of one message of ours: text, as browsers expect it, unless it is none."""
        try:
            return self._connection.send(TextMessage(message.decode()))
        except UnicodeDecodeError:
            return self._connection.send(BytesMessage(message))

    def ping(self) -> bytes:
        """A Ping frame."""
        return self._connection.send(Ping())

    def close(self, code: int = CloseReason.GOING_AWAY) -> bytes:
        """A Close frame; nothing can be sent after it."""
        if self.established and not self.ended:
            self._close(code)
        self.ended = True
        return self.outgoing()

    def outgoing(self) -> bytes:
        """What has to go to the other side."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def _messages(self) -> list[bytes]:
        messages: list[bytes] = []
        for event in self._connection.events():
            match event:
                case Request():
                    self._out += self._connection.send(self._answer(event))
                    self.ended = not self.established
                case TextMessage(data, _, whole):
                    self._take(data.encode(), whole, messages)
                case BytesMessage(data, _, whole):
                    self._take(bytes(data), whole, messages)
                case Ping():
                    self.controls += 1
                    self._out += self._connection.send(event.response())
                case CloseConnection():
                    self._end(event)
                case _:
                    self.controls += 1
            if self.ended:
                break
        return messages

    def _answer(self, request: Request) -> Event:
        origins = [value.decode("latin-1") for name, value in request.extra_headers if name == b"origin"]
        if ANYWHERE not in self._origins and not set(origins) <= set(self._origins):
            return RejectConnection(status_code=403)
        if SUBPROTOCOL not in request.subprotocols:
            return RejectConnection(status_code=400)
        self.established = True
        return AcceptConnection(subprotocol=SUBPROTOCOL)

    def _take(self, data: bytes, whole: bool, messages: list[bytes]) -> None:
        self._size += len(data)
        if self._size > MESSAGE_LIMIT:
            self._close(CloseReason.MESSAGE_TOO_BIG)
            self.ended = True
            return
        if data:
            self._parts.append(data)
        else:
            self.controls += 1
        if not whole:
            return
        message = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if message == b"\r\n\r\n":
            self.pings += 1
        elif message.strip(b"\r\n"):
            messages.append(message)

    def _end(self, event: CloseConnection) -> None:
        """The other side closes, or has sent what is no frame: ``event.code`` is then what we have to say."""
        self._close(event.code if event.code != CloseReason.NO_STATUS_RCVD else CloseReason.NORMAL_CLOSURE)
        self.ended = True

    def _close(self, code: int) -> None:
        try:
            self._out += self._connection.send(CloseConnection(code))
        except (LocalProtocolError, ValueError):
            return

    def _refuse(self, answer: RejectConnection) -> None:
        self.ended = True
        if not self.established:
            try:
                self._out += self._connection.send(answer)
            except (LocalProtocolError, ProtocolError):
                return
