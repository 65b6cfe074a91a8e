"""Short messages through a real node: a carrier's MESSAGE in, one from X out, notices and questions at the customer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.lab.checks import forms_found
from gateway.lab.receiver import Event
from gateway.lab.script import Script
from gateway.numbers import PhoneNumber
from gateway.sip.build import response_to
from gateway.sip.message import Request, Response, parse_message
from tests.integration.test_modes import AX, ModeStand
from tests.integration.test_node import HOST, A, B, X

C = "+8613800000025"


class Carrier(asyncio.DatagramProtocol):
    """The trunk's other end: sends MESSAGEs and takes them, answering ``status``."""

    def __init__(self) -> None:
        self.status = 200
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
        self.transport.sendto(bytes(response_to(message, self.status, to_tag="t")), source)
        self.requests.append(message)
        self.raw.append(data)
        self.arrived.set()

    async def send(self, port: int, sender: str, text: str, called: str = X) -> int:
        """Send a short message; the node's answer to it."""
        self.sent += 1
        body = text.encode()
        head = (
            f"MESSAGE sip:{called}@{HOST}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bKm{self.sent};rport\r\n"
            f"From: <sip:{sender}@carrier>;tag=f{self.sent}\r\nTo: <sip:{called}@gw>\r\nMax-Forwards: 70\r\n"
            f"Call-ID: m{self.sent}@carrier\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain;charset=UTF-8\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.transport.sendto(head.encode() + body, (HOST, port))
        async with asyncio.timeout(10):
            return await self.answers.get()


class SmsStand(ModeStand):
    """A node with SMS, whose trunk is a Carrier."""

    async def begin(self, mode: str, more: str) -> SmsStand:
        loop = asyncio.get_running_loop()
        self.transport, self.carrier = await loop.create_datagram_endpoint(Carrier, local_addr=(HOST, 0))
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

    async def make(mode: str) -> SmsStand:
        here = SmsStand(tmp_path, Script(), Script())
        made.append(here)
        # The customer's address is known once its server listens.
        for name, path in (("SMS_URL", "sms"), ("SMS_CONTROL_URL", "control")):
            here.urls[f"MASKLINE_APPLICATION__0__{name}"] = path
        return await here.begin(mode, "")

    yield make
    for one in made:
        one.transport.close()
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
