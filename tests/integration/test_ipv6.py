"""A whole masked call over IPv6 alone: SIP, SDP and audio on real sockets; the customer's server stays on IPv4.

He stops the call, and the node drains on SIGTERM.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.lab.analysis import seconds_of
from gateway.lab.audio import decode
from gateway.lab.checks import everything_received, forms_found
from gateway.lab.phone import Phase, Phone
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.numbers import PhoneNumber
from gateway.sip.hop import Hop
from tests.integration.test_node import TALK_A, TALK_B, A, B, Stand, X

SIX = "::1"


class SixStand(Stand):
    """A node whose SIP and media are on ::1 alone."""

    async def up(self) -> Stand:
        self.port = free_tcp_and_udp_port(SIX)
        low, high = free_media_ports(SIX)
        self.settings = {
            "MASKLINE_SIP__LISTEN": json.dumps([f"udp:[{SIX}]:{self.port}"]),
            "MASKLINE_SIP__ADVERTISED": SIX,
            "MASKLINE_MEDIA__LISTEN": SIX,
            "MASKLINE_MEDIA__ADVERTISED": SIX,
            "MASKLINE_MEDIA__PORTS": f"{low}-{high}",
            "MASKLINE_TRUNK__0__ALLOW": json.dumps([f"{SIX}/128"]),
        }
        return await super().up()

    def _line(self, name: str, script: Script) -> PhoneLine:
        def phone(here: Hop, ports: tuple[int, int]) -> Phone:
            return Phone(name, script, here=here, media_ports=ports, seed=ord(name[0]))

        return PhoneLine(SIX, phone, lambda phone, now: self.changed.set())

    def dial(self, line: PhoneLine | None = None) -> None:
        line, target = line or self.caller, Hop("udp", SIX, self.port)
        uri = f"sip:{X}@[{SIX}]:{self.port}"
        line.do(lambda now: line.phone.dial(target, uri, now, caller=f"<sip:{A}@[{SIX}]>"))


def heard(phone: Phone, hertz: int) -> float:
    """For how many seconds it has heard a tone."""
    return seconds_of(decode(b"".join(one.data[12:] for one in phone.arrivals)), hertz)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Stand]:
    made = SixStand(tmp_path, TALK_A, TALK_B)
    try:
        yield await made.up()
    finally:
        await made.stack.aclose()


async def test_a_masked_call_over_ipv6_that_the_customer_stops_and_sigterm_drains(here: Stand) -> None:
    await here.bind(recordFlag="false")
    here.dial()
    a, b = here.caller.phone, here.callee.phone
    await here.until(lambda: a.phase is b.phase is Phase.TALKING and "answer" in here.kinds())
    await here.until(lambda: heard(a, 1300) >= 0.5 and heard(b, 700) >= 0.5)
    assert {one.source[0] for phone in (a, b) for one in phone.arrivals} == {SIX}
    for phone, other in ((a, B), (b, A)):
        assert b"c=IN IP6 ::1\r\n" in phone.received_bytes()
        assert forms_found(everything_received(phone), PhoneNumber(other)) == []
    session = here.receiver.events[0].fields["sessionId"]
    body = {"sessionid": session, "signal": "call_stop"}
    url = here.node.plan.base_url + "/rest/httpsessions/callStop/v2.0"
    async with here.http.post(url, json=body, headers=here.customer._headers()) as response:
        assert (response.status, (await response.json())["resultcode"]) == (200, "0")
    await here.until(lambda: here.callee.phone.phase is Phase.OVER and here.caller.phone.phase is Phase.OVER)
    fee = await here.receiver.wait_for("fee", 60)
    assert fee is not None
    assert fee.fields["ulFailReason"] == 8017
    async with here.http.post(url, json=body, headers=here.customer._headers()) as response:
        assert (response.status, (await response.json())["resultcode"]) == (403, "1016001")
    assert await here.node.stop() == 0
