"""A trunk whose peer is a name: a real node asks a DNS server of ours, and the call reaches baresip by the record that
works, after one behind which nobody is."""

from __future__ import annotations

import pytest

from gateway.lab.ports import free_tcp_and_udp_port
from tests.interop.softphone import Softphone
from tests.interop.stand import A_VOICE, B_VOICE, HOST, A, B, Stands, X
from tests.name_server import NameServer

pytestmark = pytest.mark.interop
NAME = "carrier.example.com"


async def test_a_call_by_the_second_srv_record(baresip: str, stand: Stands) -> None:
    nobody, port_of_callee = free_tcp_and_udp_port(HOST), free_tcp_and_udp_port(HOST)
    records = [f"10 1 {nobody} sbc.example.com.", f"20 1 {port_of_callee} sbc.example.com."]
    server = NameServer({("sbc.example.com", "A"): [HOST], ("_sip._tcp." + NAME, "SRV"): records})
    address, port = await server.start()
    here = await stand(
        SIP__DNS=f'["{address}:{port}"]',
        TRUNK__0__NAT="true",
        TRUNK__0__HEALTH="off",
        TRUNK__0__PEERS=f'["sip:{NAME}"]',
        TRUNK__0__ALLOW=f'["{HOST}/32"]',
        SIP__LISTEN=f'["udp:{HOST}:<sip>", "tcp:{HOST}:<sip>"]',
    )
    here.stack.push_async_callback(server.stop)
    caller = Softphone(here, "caller", A, A_VOICE)
    callee = Softphone(here, "callee", B, B_VOICE, port_of_callee)
    await callee.start(baresip)
    await caller.start(baresip)
    caller.do("dial", f"sip:{X.e164}@{HOST}:{here.node.plan.sip_port}")
    await callee.wait_for("CALL_INCOMING", 30)
    callee.do("accept")
    await caller.hears(B_VOICE)
    await callee.hears(A_VOICE)
    caller.do("hangup")
    await callee.wait_for("CALL_CLOSED")
    assert server.asked["_sip._tcp." + NAME, "SRV"] >= 1
