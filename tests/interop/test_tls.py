"""A masked call between two baresip softphones that speak nothing but TLS, on a trunk that is secure.

The node proves its name to the caller and has the callee prove its own; both come from an authority made here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.softphone import Softphone
from tests.interop.stand import (
    A_VOICE,
    ANSWERED_CALL,
    B_VOICE,
    HOST,
    A,
    B,
    Stands,
    X,
    assert_recorded,
    assert_unseen,
)
from tests.sip.pki import Authority

pytestmark = pytest.mark.interop


def pem(authority: Authority, file: str) -> str:
    """baresip wants certificate and key in one file."""
    pair = authority.sign(file, HOST)
    both = Path(pair.certificate).with_suffix(".both")
    both.write_bytes(Path(pair.certificate).read_bytes() + Path(pair.key).read_bytes())
    return f"sip_certificate {both}\nsip_cafile {authority.ca}\n"


async def test_a_masked_call_over_tls(baresip: str, stand: Stands, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    gateway = authority.sign("gateway", HOST)
    here = await stand(
        SIP__LISTEN=f'["tls:{HOST}:<tls>", "udp:{HOST}:<sip>"]',
        SIP__CERTIFICATE=gateway.certificate,
        SIP__KEY=gateway.key,
        SIP__CA=authority.ca,
        TRUNK__0__NAT="true",
        TRUNK__0__SECURE="true",
        TRUNK__0__PEERS=f'["tls:{HOST}:<callee+1>"]',
    )
    caller = Softphone(here, "caller", A, A_VOICE)
    # baresip listens for TLS one port above the one for UDP and TCP.
    callee = Softphone(here, "callee", B, B_VOICE, here.callee_port)
    await callee.start(baresip, more=pem(authority, "callee"))
    await caller.start(baresip, more=pem(authority, "caller"))
    caller.do("dial", f"sip:{X.e164}@{HOST}:{here.tls_port};transport=tls")
    await callee.wait_for("CALL_INCOMING")
    callee.do("accept")
    await caller.hears(B_VOICE)
    await callee.hears(A_VOICE)
    caller.do("hangup")
    await callee.wait_for("CALL_CLOSED")
    (fee,) = await here.fees(1)
    assert here.kinds() == ANSWERED_CALL
    assert_unseen(B, [caller.log])
    assert_unseen(A, [callee.log])
    assert (fee.fields["ulFailReason"], fee.fields["fwdUnaswRsn"]) == (0, 0)
    assert_recorded(await here.recording_of(fee.fields))


async def test_a_secure_trunk_takes_no_call_by_udp(baresip: str, stand: Stands, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    gateway = authority.sign("gateway", HOST)
    here = await stand(
        SIP__LISTEN=f'["tls:{HOST}:<tls>", "udp:{HOST}:<sip>"]',
        SIP__CERTIFICATE=gateway.certificate,
        SIP__KEY=gateway.key,
        TRUNK__0__SECURE="true",
        TRUNK__0__PEERS=f'["tls:{HOST}:<callee+1>"]',
    )
    caller = Softphone(here, "caller", A, A_VOICE)
    await caller.start(baresip)
    caller.do("dial", f"sip:{X.e164}@{HOST}:{here.node.plan.sip_port}")
    assert "403" in (await caller.wait_for("CALL_CLOSED"))["param"]
    assert here.kinds() == []
