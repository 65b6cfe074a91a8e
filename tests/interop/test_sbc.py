"""A session border controller played by SIPp: it wants us to register, and asks for credentials of calls as well."""

from __future__ import annotations

import pytest

from tests.interop.stand import ANSWERED_CALL, HOST, A, B, Stands, assert_recorded, assert_unseen, until
from tests.interop.test_sipp import Carriers

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
