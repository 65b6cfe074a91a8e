"""Requests over 1300 bytes to UDP peers: by TCP, and by UDP when there is none (RFC 3261 §18.1.1)."""

from __future__ import annotations

import asyncio
import socket
import time
from itertools import count

import pytest

from gateway.sip.build import response_to
from gateway.sip.endpoint import Endpoint
from gateway.sip.gate import Gate, GateSettings
from gateway.sip.hop import Hop
from gateway.sip.large import MEMORY, PATIENCE
from gateway.sip.message import Request, parse_message
from gateway.sip.outputs import Rejected
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import Output, UserAgent, UserAgentSettings

UDP, TCP = Hop("udp", "192.0.2.9", 5060), Hop("tcp", "192.0.2.9", 5060)
HOST = "127.0.0.1"
SMALL, LARGE = b"v=0", b"v=0" + b"x" * 1300


def agent(**settings: int) -> UserAgent:
    numbers = count()
    shown = {"udp": Hop("udp", "192.0.2.1", 5060), "tcp": Hop("tcp", "192.0.2.1", 5070)}
    return UserAgent(UserAgentSettings(shown, **settings), lambda: f"t{next(numbers)}")  # type: ignore[arg-type]


def call(one: UserAgent, body: bytes, now: float, to: Hop = UDP) -> tuple[str, Transmit]:
    session, outputs = one.invite(to, "sip:b@192.0.2.9", from_="<sip:a@x>", to="<sip:b@x>", body=body, now=now)
    (sent,) = outputs
    assert isinstance(sent, Transmit)
    return session, sent


def via(sent: Transmit) -> tuple[str, int | None, str]:
    assert isinstance(sent.message, Request)
    assert bytes(sent.message) == sent.data
    found = sent.message.via
    return found.transport, found.port, found.branch


def answer(one: UserAgent, sent: Transmit, status: int, now: float) -> list[Output]:
    request = parse_message(sent.data)
    assert isinstance(request, Request)
    contact = [("Contact", "<sip:b@192.0.2.9>")]
    return one.receive_message(bytes(response_to(request, status, to_tag="b", headers=contact)), sent.hop, now)


def test_small_ones_stay() -> None:
    one = agent()
    assert (call(one, SMALL, 0.0)[1].hop, one.counters) == (UDP, {})
    assert call(one, LARGE, 0.0, Hop("tls", "192.0.2.9", 5061))[1].hop.transport == "tls"
    assert call(agent(udp_limit=65535), LARGE, 0.0)[1].hop == UDP


def test_a_large_one_goes_by_tcp_and_all_that_belongs_to_it() -> None:
    one = agent()
    session, sent = call(one, LARGE, 0.0)
    assert sent.hop == TCP
    assert via(sent)[:2] == ("TCP", 5070)
    answer(one, sent, 180, 0.1)
    assert [output.hop for output in one.handle_timeout(PATIENCE) if isinstance(output, Transmit)] == []
    (cancel,) = one.hang_up(session, 2.0)
    assert isinstance(cancel, Transmit)
    assert (cancel.hop, via(cancel)) == (TCP, via(sent))
    ack, *_ = answer(one, sent, 487, 2.1)
    assert isinstance(ack, Transmit)
    assert (ack.hop, via(ack)) == (TCP, via(sent))
    assert one.counters == {"large by TCP": 1}


@pytest.mark.parametrize("how", ["refused", "dropped"])
def test_without_tcp_the_same_request_goes_by_udp(how: str) -> None:
    one = agent()
    _, sent = call(one, LARGE, 0.0)
    outputs = one.transport_failed(TCP, 0.2) if how == "refused" else one.handle_timeout(PATIENCE)
    now = 0.2 if how == "refused" else PATIENCE
    (again,) = outputs
    assert isinstance(again, Transmit)
    assert (again.hop, via(again)) == (UDP, ("UDP", 5060, via(sent)[2]))
    assert again.data.partition(b"\r\n\r\n")[2] == LARGE
    # It is resent and given up as any other, and a late word of TCP changes nothing.
    assert one.transport_failed(TCP, now) == []
    assert [output.hop for output in one.handle_timeout(now + 0.5) if isinstance(output, Transmit)] == [UDP]
    assert one.counters == {"large by TCP": 1, "large by UDP, TCP failed": 1}


def test_what_has_failed_is_remembered_for_a_while() -> None:
    one = agent()
    call(one, LARGE, 0.0)
    one.transport_failed(TCP, 0.0)
    assert call(one, LARGE, MEMORY - 1)[1].hop == UDP
    assert call(one, LARGE, MEMORY - 1, Hop("udp", "192.0.2.10", 5060))[1].hop.transport == "tcp"
    assert call(one, LARGE, MEMORY + 1)[1].hop == TCP
    assert one.counters["large by UDP"] == 1


def test_when_neither_can_be_had_the_call_is_rejected_once() -> None:
    one = agent()
    session, _ = call(one, LARGE, 0.0)
    one.transport_failed(TCP, 0.0)
    assert one.transport_failed(UDP, 0.1) == [Rejected(session, 503, "Service Unavailable", None)]


def test_a_large_request_within_a_dialog() -> None:
    one = agent()
    session, sent = call(one, SMALL, 0.0)
    answer(one, sent, 200, 0.1)
    (info,) = one.info(session, "text/plain", LARGE, 1.0)
    assert isinstance(info, Transmit)
    assert (info.hop, via(info)[0]) == (TCP, "TCP")
    (again,) = one.transport_failed(TCP, 1.1)
    assert isinstance(again, Transmit)
    assert (again.hop, via(again)) == (UDP, ("UDP", 5060, via(info)[2]))
    (offer,) = one.reoffer(session, LARGE, 2.0)
    assert isinstance(offer, Transmit)
    assert offer.hop == UDP


@pytest.mark.parametrize("takes_tcp", [True, False])
async def test_on_sockets(takes_tcp: bool) -> None:
    """A peer with both, and one with UDP only, whose kernel refuses TCP at once."""
    one = agent()
    endpoint = Endpoint(one, lambda outputs: None, Gate(GateSettings(), lambda host: True, lambda host: None))
    await endpoint.start([Hop("udp", HOST, 0)])
    got: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    class Datagrams(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            got.put_nowait(("udp", data))

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.put_nowait(("tcp", await reader.readuntil(LARGE)))
        writer.close()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((HOST, 0))
        port = udp.getsockname()[1]
        datagrams, _ = await loop.create_datagram_endpoint(Datagrams, sock=udp)
        server = await asyncio.start_server(stream, HOST, port) if takes_tcp else None
        _, outputs = one.invite(
            Hop("udp", HOST, port), "sip:b@x", from_="<sip:a@x>", to="<sip:b@x>", body=LARGE, now=time.monotonic()
        )
        endpoint.execute(outputs)
        async with asyncio.timeout(30):
            transport, data = await got.get()
        assert transport == ("tcp" if takes_tcp else "udp")
        assert data.endswith(LARGE)
        datagrams.close()
        await endpoint.stop()
        if server is not None:
            server.close()
            await server.wait_closed()
