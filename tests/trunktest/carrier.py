"""A carrier on a UDP socket of loopback that does what a test says: a rule for each kind of request.

It knows no transactions: a request that comes again is answered again, which is enough on loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from gateway.sdp.offer_answer import Negotiation
from gateway.sip.build import response_to
from gateway.sip.message import Request, Response, parse_message

HOST = "127.0.0.1"
ALLOW = "INVITE, ACK, BYE, CANCEL, UPDATE"


class Carrier(asyncio.DatagramProtocol):
    """``ours``: the number whose calls it sends back to who made them; ``comes``: what goes wrong with that: "not",
    "other number", "no ack", "no bye". ``registers``: the answer to REGISTER.

    ``rings``: provisional statuses; ``answers``: the final one, None: none; the other rules are switches of what may
    go wrong."""

    def __init__(self, **rules: Any) -> None:
        self.rings: tuple[int, ...] = (180,)
        self.early = False
        self.answers: int | None = 200
        self.after = 0.15
        self.sound = True
        self.allow = ALLOW
        self.refuses: dict[str, int] = {}
        self.silent: set[str] = set()
        self.session = ""
        self.least = 0
        self.events = True
        self.hangs_up = False
        self.cancelled = 487
        self.largest = 65535
        self.ours = ""
        self.comes = ""
        self.registers = 200
        self.min_expires = 0
        for name, value in rules.items():
            assert hasattr(self, name)
            setattr(self, name, value)
        self.seen: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._invites: dict[str, tuple[Request, tuple[str, int]]] = {}
        self._held = False
        self._back: tuple[Request, tuple[str, int]] | None = None

    async def up(self) -> Carrier:
        loop = asyncio.get_running_loop()
        self._sip, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(HOST, 0))
        self._rtp, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(HOST, 0))
        self.port = self._sip.get_extra_info("sockname")[1]
        return self

    async def down(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sip.close()
        self._rtp.close()

    def datagram_received(self, data: bytes, source: tuple[str | Any, int]) -> None:
        message = parse_message(data)
        if isinstance(message, Response):
            self._came_back(message, source)
            return
        self.seen.append(message.method)
        if message.method in self.silent or (len(data) > self.largest and "long" in self.silent):
            return
        if len(data) > self.largest:
            self._say(message, source, 513)
            return
        act: dict[str, Callable[[Request, tuple[str, int]], None]] = {
            "INVITE": self._invite, "CANCEL": self._cancel, "ACK": self._ack, "REGISTER": self._register,
        }  # fmt: skip
        act.get(message.method, self._other)(message, source)

    def _other(self, asked: Request, source: tuple[str, int]) -> None:
        more = [("Session-Expires", self.session)] if asked.method == "UPDATE" and self.session else []
        self._say(asked, source, self.refuses.get(asked.method, 200), headers=more)
        if asked.method == "BYE" and self._back is not None and self.comes != "no bye":
            self._send_back("BYE", self._back[1], 2)

    def _register(self, asked: Request, source: tuple[str, int]) -> None:
        seconds = int(asked.headers.get("Expires") or "0")
        if 0 < seconds < self.min_expires:
            self._say(asked, source, 423, headers=[("Min-Expires", str(self.min_expires))])
            return
        bound = [("Contact", f"{asked.headers.get('Contact')};expires={seconds}")] if self.registers == 200 else []
        self._say(asked, source, self.registers, headers=bound)

    def _send_back(self, method: str, source: tuple[str, int], cseq: int, body: bytes = b"") -> None:
        assert self._back is not None
        called = self.ours if self.comes != "other number" else self.ours[:-1]
        to = f"<sip:{called}@{HOST}>" + ("" if method == "INVITE" else f";tag={self._tag}")
        lines = [
            f"{method} sip:{called}@{HOST}:{source[1]} SIP/2.0", f"From: {self._back[0].headers.get('From')}",
            f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bKback{method}", f"To: {to}", "Call-ID: back",
            f"CSeq: {cseq} {method}", "Max-Forwards: 69", f"Contact: <sip:carrier@{HOST}:{self.port}>",
            "Content-Type: application/sdp", f"Content-Length: {len(body)}", "", "",
        ]  # fmt: skip
        self._sip.sendto("\r\n".join(lines).encode() + body, source)

    def _came_back(self, response: Response, source: tuple[str, int]) -> None:
        if self._back is None or response.cseq.method != "INVITE" or response.status == 100:
            return
        asked, at = self._back
        self._tag = response.to.tag
        if response.status == 200 and self.comes != "no ack":
            self._send_back("ACK", source, 1)
        if response.status == 200:
            self._tasks.append(asyncio.get_running_loop().create_task(self._speak(response)))
        body = self._sdp(asked) if response.status == 200 else b""
        self._say(asked, at, response.status, body=body, headers=self._timer())

    def _invite(self, asked: Request, source: tuple[str, int]) -> None:
        if asked.to.tag:
            status = self.refuses.get("reINVITE", 200)
            self._held = b"sendonly" in asked.body
            self._say(asked, source, status, body=self._sdp(asked) if status == 200 else b"", headers=self._timer())
            return
        if asked.call_id in self._invites and self._invites[asked.call_id][0].cseq == asked.cseq:
            return
        self._invites[asked.call_id] = (asked, source)
        least = int((asked.headers.get("Session-Expires") or "0").partition(";")[0])
        if least and least < self.least:
            self._say(asked, source, 422, headers=[("Min-SE", str(self.least))])
            return
        self._say(asked, source, 100)
        if self.ours and self.ours in asked.uri_text and self.comes != "not":
            self._back = asked, source
            self._send_back("INVITE", source, 1, Negotiation(9, HOST).offer(self._rtp.get_extra_info("sockname")[1]))
            return
        task = asyncio.get_running_loop().create_task(self._answer(asked, source))
        self._waiting[asked.call_id] = task
        self._tasks.append(task)

    async def _answer(self, asked: Request, source: tuple[str, int]) -> None:
        for status in self.rings:
            self._say(asked, source, status, body=self._sdp(asked) if self.early else b"")
        if self.early and self.sound:
            self._tasks.append(asyncio.get_running_loop().create_task(self._speak(asked)))
        await asyncio.sleep(self.after)
        if self.answers is not None:
            body = self._sdp(asked) if self.answers == 200 else b""
            self._say(asked, source, self.answers, body=body, headers=self._timer())

    def _ack(self, asked: Request, source: tuple[str, int]) -> None:
        if self.sound and not self.early and len(self._invites) and self.answers == 200:
            invite, _ = self._invites[asked.call_id]
            self._tasks.append(asyncio.get_running_loop().create_task(self._speak(invite)))
        if self.hangs_up and asked.cseq.number == 1:
            self._tell_bye(asked, source)

    def _cancel(self, asked: Request, source: tuple[str, int]) -> None:
        self._say(asked, source, 200)
        invite, at = self._invites[asked.call_id]
        task = self._waiting[asked.call_id]
        if self.cancelled == 200:
            return
        task.cancel()
        if self.cancelled:
            self._say(invite, at, self.cancelled)

    def _tell_bye(self, ack: Request, source: tuple[str, int]) -> None:
        lines = [f"BYE sip:x@{HOST}:{source[1]} SIP/2.0", f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bKbye",
                 f"From: {ack.headers.get('To')}", f"To: {ack.headers.get('From')}", f"Call-ID: {ack.call_id}",
                 "CSeq: 1 BYE", "Max-Forwards: 70", "Content-Length: 0", "", ""]  # fmt: skip
        self._sip.sendto("\r\n".join(lines).encode(), source)

    def _timer(self) -> list[tuple[str, str]]:
        return [("Allow", self.allow), *([("Session-Expires", self.session)] if self.session else [])]

    def _sdp(self, asked: Request) -> bytes:
        media = Negotiation(7, HOST)
        body = asked.body if self.events else asked.body.replace(b"telephone-event/8000", b"other/8000")
        media.receive_offer(body, self._rtp.get_extra_info("sockname")[1])
        return media.answer()

    async def _speak(self, asked: Request | Response) -> None:
        """Packets of silence to where the offer, or the answer, says, from now on."""
        media = Negotiation(8, HOST)
        terms = media.receive_offer(asked.body, 4000)
        number = 0
        while True:
            if not self._held:
                head = bytes((0x80, 8)) + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big") + b"abcd"
                self._rtp.sendto(head + b"\xd5" * 160, (terms.host, terms.port))
                number += 1
            await asyncio.sleep(0.02)

    def _say(
        self, asked: Request, source: tuple[str, int], status: int, *, body: bytes = b"", headers: Any = ()
    ) -> None:
        rows = [*headers, ("Contact", f"<sip:carrier@{HOST}:{self.port}>")]
        made = response_to(
            asked, status, to_tag=None if status == 100 else "carrier", headers=rows, body=body,
            content_type="application/sdp" if body else None,
        )  # fmt: skip
        self._sip.sendto(bytes(made), source)
