"""A border that wants us to register, and asks for credentials of calls as well: played by SIPp, and by Kamailio."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.interop.stand import ANSWERED_CALL, HOST, A, B, Stands, assert_recorded, assert_unseen, until
from tests.interop.test_sipp import Carriers
from tests.interop.test_trunk_test import Carrier

pytestmark = pytest.mark.interop
SBC = {
    "TRUNK__0__PROFILE": "registering-sbc",
    "TRUNK__0__DOMAIN": "ims.example",
    "TRUNK__0__ACCOUNT__USER": '"4000001"',
    "TRUNK__0__ACCOUNT__PASSWORD": "open sesame",
    "TRUNK__0__ACCOUNT__REALM": "ims.example",
    "TRUNK__0__REGISTRATION__DOMAIN": "ims.example",
    "TRUNK__0__REGISTRATION__EXPIRES_SECONDS": "300",
}


async def test_registered_called_through_and_left(sipp: str, stand: Stands) -> None:
    here = await stand(**SBC)
    carriers = Carriers(here, sipp, 2)
    await carriers.callee("sbc")
    await until(lambda: "state=registered" in here.node.log_tail(), 20, here.node.log_tail)
    await carriers.caller("caller", 4, "-m", "1")
    (fee,) = await here.fees(1)
    assert here.kinds() == ANSWERED_CALL
    assert_recorded(await here.recording_of(fee.fields))
    await here.node.stop()
    await carriers.finish()
    log = carriers.log("sbc").read_text()
    assert f"Contact: <sip:4000001@{HOST}:" in log
    assert log.count("\nREGISTER sip:ims.example SIP/2.0") == 3, "asked, registered, left"
    assert_unseen(B, [carriers.log("caller")])
    assert_unseen(A, [carriers.log("sbc")])
    assert "uthorization" not in carriers.log("caller").read_text()


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
async def test_called_where_we_are_registered(
    sipp: str, kamailio: str, stand: Stands, tmp_path: Path, algorithm: str
) -> None:
    """Kamailio's registrar: the call comes to our contact, so X stands in To; ours goes out with credentials. Its
    nonces live 5 s, so that of the registration is old."""
    here = await stand(**SBC)
    carriers = Carriers(here, sipp)
    switch, *_ = here.take_ports(2)
    await carriers.callee("callee", switch)
    border = Carrier(tmp_path)
    here.stack.push_async_callback(border.down)
    port = await border.proxy(kamailio, switch, "sbc", here.callee_port, ALGORITHM=algorithm)
    await until(lambda: "state=registered" in here.node.log_tail(), 20, lambda: here.node.log_tail() + border.said())
    await asyncio.sleep(6)
    await carriers.caller("caller", 4, target=port)
    (fee,) = await here.fees(1)
    assert here.kinds() == ANSWERED_CALL
    assert_recorded(await here.recording_of(fee.fields))
    await carriers.finish()
    log = carriers.log("callee").read_text()
    assert "From: <sip:4000001@ims.example>" in log
    invite = log.partition("\nINVITE ")[2].partition("\n-----")[0]
    assert "uthorization" not in invite, "the border keeps what was for it, and the registrar's answer was not sent"
    assert_unseen(B, [carriers.log("caller")])
    assert_unseen(A, [carriers.log("callee")])
