"""Short messages through a real node: a carrier's MESSAGE in, one from X out, notices and questions at the customer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.lab.checks import forms_found
from gateway.lab.receiver import Event
from gateway.lab.script import Script
from gateway.numbers import PhoneNumber
from gateway.sip.build import response_to
from gateway.sip.message import Request, Response, parse_message
from gateway.sms.counting import cut
from gateway.sms.rpdu import CONTENT_TYPE, Data, Report, data_to_phone, read
from gateway.sms.tpdu import Piece, deliver, swapped
from tests.integration.test_modes import AX, ModeStand
from tests.integration.test_node import HOST, A, B, X

C = "+8613800000025"


class Carrier(asyncio.DatagramProtocol):
    """The trunk's other end: sends MESSAGEs and takes them, answering ``status``."""

    def __init__(self) -> None:
        self.status = 200
        self.refuse_from: int | None = None
        """From this request on 486."""
        self.requests: list[Request] = []
        self.raw: list[bytes] = []
        self.answers: asyncio.Queue[int] = asyncio.Queue()
        self.arrived = asyncio.Event()
        self.sent = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, source: Any) -> None:
        message = parse_message(data)
        if isinstance(message, Response):
            self.answers.put_nowait(message.status)
            return
        assert isinstance(message, Request)
        refused = self.refuse_from is not None and len(self.requests) + 1 >= self.refuse_from
        self.transport.sendto(bytes(response_to(message, 486 if refused else self.status, to_tag="t")), source)
        self.requests.append(message)
        self.raw.append(data)
        self.arrived.set()

    async def send(
        self, port: int, sender: str, text: str | bytes, called: str = X, kind: str = "text/plain;charset=UTF-8"
    ) -> int:
        """Send a short message; the node's answer to it."""
        self.sent += 1
        body = text.encode() if isinstance(text, str) else text
        head = (
            f"MESSAGE sip:{called}@{HOST}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bKm{self.sent};rport\r\n"
            f"From: <sip:{sender}@carrier>;tag=f{self.sent}\r\nTo: <sip:{called}@gw>\r\nMax-Forwards: 70\r\n"
            f"Call-ID: m{self.sent}@carrier\r\nCSeq: 1 MESSAGE\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.transport.sendto(head.encode() + body, (HOST, port))
        async with asyncio.timeout(30):
            return await self.answers.get()


class SmsStand(ModeStand):
    """A node with SMS, whose trunk is a Carrier."""

    async def begin(self, mode: str, more: str) -> SmsStand:
        loop = asyncio.get_running_loop()
        self.transport, self.carrier = await loop.create_datagram_endpoint(Carrier, local_addr=(HOST, 0))
        self.stack.callback(self.transport.close)
        peer = f"udp:{HOST}:{self.carrier.port}"
        self.plan_changes = {"mode": mode, "more": "sms = true\nsms_content = true\n" + more, "peer": peer}
        await self.up()
        return self

    async def send(self, sender: str, text: str) -> int:
        return await self.carrier.send(self.node.plan.sip_port, sender, text)

    async def notice(self) -> Event:
        """The one notice."""
        await self.until(
            lambda: any(event.fields.get("notificationMode") == "Notify" for event in self.receiver.events)
        )
        (event,) = [one for one in self.receiver.events if one.fields["notificationMode"] == "Notify"]
        assert event.signed
        return event


@pytest.fixture
async def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    made: list[SmsStand] = []

    async def make(mode: str, form: str = "text") -> SmsStand:
        here = SmsStand(tmp_path, Script(), Script())
        made.append(here)
        here.settings["MASKLINE_TRUNK__0__SMS"] = form
        # The customer's address is known once its server listens.
        for name, path in (("SMS_URL", "sms"), ("SMS_CONTROL_URL", "control")):
            here.urls[f"MASKLINE_APPLICATION__0__{name}"] = path
        return await here.begin(mode, "")

    yield make
    for one in made:
        await one.stack.aclose()


async def test_axb_both_ways_and_nobody_sees_a_number(stand: Any) -> None:
    here = await stand("AXB")
    await here.bind(recordFlag="false")
    assert await here.send(A, "你好") == 202
    notice = await here.notice()
    fields = notice.fields
    assert (fields["calling"], fields["called"], fields["virtualNumber"], fields["sendResult"]) == (A, B, X, 0)
    assert fields["smsContent"] == "你好"
    assert {one["key"]: one["value"] for one in fields["extInfo"]["extParas"]} == {"splitNum": "1", "direction": "1"}
    (sent,) = here.carrier.requests
    assert (sent.body.decode(), sent.from_.uri.user) == ("你好", X)
    assert not forms_found(here.carrier.raw[0], PhoneNumber(A))


async def test_ax_shows_b_to_a_and_strips_the_address(stand: Any) -> None:
    here = await stand("AX")
    await here.api("POST", AX, origNum=A, privateNum=X)
    assert await here.send(B, "hi") == 202
    await here.until(lambda: len(here.carrier.requests) == 1)
    assert here.carrier.requests[0].body == b"hi[From +8613800000023]"
    assert await here.send(A, "ok@13800000025") == 202
    await here.until(lambda: len(here.carrier.requests) == 2)
    assert here.carrier.requests[1].body == b"ok"
    assert C[1:] in here.carrier.requests[1].uri_text
    assert not forms_found(here.carrier.raw[1], PhoneNumber(A))


@pytest.mark.parametrize(
    ("answer", "result", "receiver"),
    [
        ({"actions": [{"operation": "vNumberRoute", "message": {"called": B, "calling": A}}]}, 0, B),
        ({"actions": {"operation": "DiscardMessage"}}, 6, None),
        ({"actions": "what"}, 7, None),
    ],
)
async def test_x_mode_asks_the_customer(stand: Any, answer: Any, result: int, receiver: str | None) -> None:
    here = await stand("X")
    here.receiver.answer = answer
    assert await here.send(A, "hi") == 202
    fields = (await here.notice()).fields
    assert (fields["sendResult"], fields.get("called")) == (result, receiver)
    assert here.receiver.events[0].fields["notificationMode"] == "Block"
    assert len(here.carrier.requests) == (1 if receiver else 0)


async def test_a_carrier_that_refuses_and_a_number_that_is_not_ours(stand: Any) -> None:
    here = await stand("AXB")
    await here.bind(recordFlag="false")
    here.carrier.status = 480
    assert await here.send(A, "hi") == 202
    fields = (await here.notice()).fields
    assert fields["sendResult"] == 10
    assert fields["extInfo"]["extParas"][0] == {"key": "splitNum", "value": "0"}
    port = here.node.plan.sip_port
    assert await here.carrier.send(port, A, "hi", "+8617999999999") == 404


LONG = "从前有一个送外卖的人，他和顾客都不知道对方的号码。" * 4


async def test_3gpp_in_parts_and_out_in_parts(stand: Any) -> None:
    """A carrier's SMS-DELIVERs, the later part first: each is acknowledged, B gets all of it from X, in parts again."""
    here = await stand("AXB", "3gpp")
    await here.bind(recordFlag="false")
    _, texts = cut(LONG)
    assert len(texts) == 2
    for index in (2, 1):
        tpdu = deliver(A, texts[index - 1], False, datetime.now(UTC), Piece(5, 2, index))
        status = await here.carrier.send(
            here.node.plan.sip_port, A, data_to_phone(40 + index, "+8613800755500", tpdu), kind=CONTENT_TYPE
        )
        assert status == 202
    notice = await here.notice()
    fields = notice.fields
    assert (fields["sendResult"], fields["smsContent"]) == (0, LONG)
    assert {one["key"]: one["value"] for one in fields["extInfo"]["extParas"]} == {"splitNum": "2", "direction": "1"}
    bodies = [(request, read(request.body)) for request in here.carrier.requests]
    reports = [(request, body) for request, body in bodies if isinstance(body, Report)]
    assert [body for _, body in reports] == [Report(42), Report(41)]
    assert [request.headers.get("In-Reply-To") for request, _ in reports] == ["m1@carrier", "m2@carrier"]
    sent = [body.tpdu for _, body in bodies if isinstance(body, Data)]
    assert "".join(one.text for one in sent) == LONG
    assert {one.address for one in sent} == {X}
    assert [one.piece.index for one in sent] == [1, 2]
    for request, raw in zip(here.carrier.requests, here.carrier.raw, strict=True):
        if B[1:] in request.uri_text:
            assert not forms_found(raw, PhoneNumber(A))
            assert swapped(A[1:]) not in raw


async def test_3gpp_a_submit_and_what_can_t_be_read(stand: Any) -> None:
    here = await stand("AXB", "3gpp")
    await here.bind(recordFlag="false")
    port = here.node.plan.sip_port
    # SUBMIT of "hellohello" to X, by way of a service centre.
    tpdu = bytes.fromhex("012a0d91687100000000f100000ae8329bfd4697d9ec37")
    centre = bytes.fromhex("069168310057f5")
    submitted = bytes((0, 7, 0)) + centre + bytes((len(tpdu),)) + tpdu
    assert await here.carrier.send(port, A, submitted, called="+8613800755500", kind=CONTENT_TYPE) == 202
    notice = await here.notice()
    assert (notice.fields["calling"], notice.fields["called"], notice.fields["smsContent"]) == (A, B, "hellohello")
    assert Report(7) in [read(request.body) for request in here.carrier.requests]
    assert await here.carrier.send(port, A, b"\x00\x08\x00\x00\x01\x02", kind=CONTENT_TYPE) == 202
    await here.until(lambda: Report(8, 95) in [read(request.body) for request in here.carrier.requests])
    assert await here.carrier.send(port, A, b"", kind=CONTENT_TYPE) == 400
    assert await here.carrier.send(port, A, b"\x04\x09\x01\x1b", kind=CONTENT_TYPE) == 200
    assert len([one for one in here.receiver.events if one.fields["notificationMode"] == "Notify"]) == 1


async def test_3gpp_sent_in_part_only(stand: Any) -> None:
    here = await stand("AXB", "3gpp")
    here.carrier.refuse_from = 3
    await here.bind(recordFlag="false")
    assert await here.send(A, LONG * 2) == 202
    fields = (await here.notice()).fields
    assert fields["sendResult"] == 9
    assert {"key": "splitNum", "value": "2"} in fields["extInfo"]["extParas"]
    assert len(here.carrier.requests) == 3
