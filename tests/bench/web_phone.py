"""A browser that is a phone, without a browser: SIP on a WebSocket (RFC 7118) and aiortc's peer connection.

A ``WebPhone`` registers and has one call at a time. ``codecs``: what it offers and answers with. It is as terse as a
bench may be: no retransmissions (a WebSocket loses nothing), one challenge answered a request.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import get_capabilities
from aiortc.mediastreams import AudioStreamTrack
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gateway.sip.build import ack_for, request, response_to
from gateway.sip.digest import choose, respond
from gateway.sip.message import Request, Response, parse_message

PATIENCE = 30.0


class WebPhone:
    """``server``: ``ws://host:port``. ``over``: set while it has no call."""

    def __init__(self, server: str, user: str, password: str, *codecs: str) -> None:
        self._server, self._user, self._password, self._codecs = server, user, password, codecs
        self._host = server.rpartition("/")[2].partition(":")[0]
        self._me = f"sip:{user}@{self._host}"
        self._contact = f"<sip:{user}@{secrets.token_hex(4)}.invalid;transport=ws>"
        self._waiting: dict[str, asyncio.Queue[Response]] = {}
        self._cseq = 0
        self._peer: RTCPeerConnection | None = None
        self._within: tuple[str, str, str, str] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.talking, self.over = asyncio.Event(), asyncio.Event()
        self.over.set()

    async def register(self) -> None:
        """Connect, and register."""
        self._socket: ClientConnection = await connect(self._server, subprotocols=[Subprotocol("sip")])
        self._reader = asyncio.create_task(self._read())
        headers = [("Expires", "600")]
        answer = await self._ask("REGISTER", f"sip:{self._host}", self._me, secrets.token_hex(8), headers)
        assert answer.status == 200, answer

    async def dial(self, number: str) -> None:
        """Call, and talk."""
        self._begin()
        peer = self._open()
        await peer.setLocalDescription(await peer.createOffer())
        target = f"sip:{number}@{self._host}"
        answer = await self._ask("INVITE", target, target, secrets.token_hex(8), [], peer.localDescription.sdp.encode())
        assert answer.status == 200, answer
        await peer.setRemoteDescription(RTCSessionDescription(answer.body.decode(), "answer"))
        assert answer.contact is not None
        self._within = (str(answer.contact.uri), answer.headers.get("From") or "", answer.headers.get("To") or "",
                        answer.call_id)  # fmt: skip
        await self._socket.send(bytes(self._request("ACK", *self._within, self._cseq)).decode())
        self.talking.set()

    async def hang_up(self) -> None:
        """BYE."""
        assert self._within is not None
        self._cseq += 1
        made = self._request("BYE", *self._within, self._cseq)
        await self._answer_to(made)
        await self._end()

    async def close(self) -> None:
        """The page is closed."""
        await self._end()
        self._reader.cancel()
        await self._socket.close()
        await asyncio.gather(self._reader, *self._tasks, return_exceptions=True)

    # --- SIP ----------------------------------------------------------------------------------------------------------

    async def _ask(
        self, method: str, uri: str, to: str, call_id: str, headers: list[tuple[str, str]], body: bytes = b""
    ) -> Response:
        """The final response, once who we are is said."""
        sender, more = f"<{self._me}>;tag={secrets.token_hex(4)}", list(headers)
        while True:
            self._cseq += 1
            made = self._request(method, uri, sender, f"<{to}>", call_id, self._cseq, more, body)
            answer = await self._answer_to(made)
            if answer.status not in (401, 407) or len(more) > len(headers):
                return answer
            asked, given = {401: ("WWW-Authenticate", "Authorization"),
                            407: ("Proxy-Authenticate", "Proxy-Authorization")}[answer.status]  # fmt: skip
            challenge = choose(answer.headers.get_all(asked))
            assert challenge is not None
            said = respond(challenge, self._user, self._password, method, uri, cnonce=secrets.token_hex(8))
            more.append((given, str(said)))

    def _request(
        self, method: str, uri: str, sender: str, to: str, call_id: str, cseq: int,
        headers: list[tuple[str, str]] | None = None, body: bytes = b"",
    ) -> Request:  # fmt: skip
        via = f"SIP/2.0/WS {secrets.token_hex(4)}.invalid;branch=z9hG4bK{secrets.token_hex(8)}"
        return request(
            method, uri, via=via, from_=sender, to=to, call_id=call_id, cseq=cseq, contact=self._contact,
            headers=headers or [], body=body, content_type="application/sdp",
        )  # fmt: skip

    async def _answer_to(self, made: Request) -> Response:
        key = made.via.branch or ""
        queue = self._waiting[key] = asyncio.Queue()
        await self._socket.send(bytes(made).decode())
        try:
            async with asyncio.timeout(PATIENCE):
                while (answer := await queue.get()).status < 200:
                    pass
        finally:
            del self._waiting[key]
        if made.method == "INVITE" and answer.status >= 300:
            await self._socket.send(bytes(ack_for(made, answer)).decode())
        return answer

    async def _read(self) -> None:
        async for data in self._socket:
            message = parse_message(data.encode() if isinstance(data, str) else data)
            if isinstance(message, Response):
                queue = self._waiting.get(message.via.branch or "")
                if queue is not None:
                    queue.put_nowait(message)
            elif message.method != "ACK":
                task = asyncio.create_task(self._take(message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _take(self, asked: Request) -> None:
        if asked.method == "INVITE" and asked.to.tag is None:
            await self._answer(asked)
            return
        await self._socket.send(bytes(response_to(asked, 200)).decode())
        if asked.method == "BYE":
            await self._end()

    async def _answer(self, invite: Request) -> None:
        self._begin()
        tag, contact = secrets.token_hex(4), [("Contact", self._contact)]
        await self._socket.send(bytes(response_to(invite, 180, to_tag=tag, headers=contact)).decode())
        peer = self._open()
        await peer.setRemoteDescription(RTCSessionDescription(invite.body.decode(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        made = response_to(
            invite, 200, to_tag=tag, headers=contact, body=peer.localDescription.sdp.encode(),
            content_type="application/sdp",
        )  # fmt: skip
        assert invite.contact is not None
        self._within = (str(invite.contact.uri), made.headers.get("To") or "", made.headers.get("From") or "",
                        made.call_id)  # fmt: skip
        await self._socket.send(bytes(made).decode())
        self.talking.set()

    # --- audio --------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.over.clear()
        self.talking.clear()

    def _open(self) -> RTCPeerConnection:
        peer = self._peer = RTCPeerConnection()
        peer.addTrack(AudioStreamTrack())
        known = get_capabilities("audio").codecs
        wanted = [one for name in self._codecs for one in known if one.mimeType == f"audio/{name}"]
        peer.getTransceivers()[0].setCodecPreferences(wanted)
        return peer

    async def connected(self) -> None:
        """ICE and DTLS stand."""
        async with asyncio.timeout(PATIENCE):
            while self._peer is None or self._peer.connectionState != "connected":  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def _end(self) -> None:
        peer, self._peer, self._within = self._peer, None, None
        if peer is not None:
            with suppress(ConnectionError):
                await peer.close()
        self.over.set()
