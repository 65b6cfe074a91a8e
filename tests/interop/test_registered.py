"""Softphones that register with the node are A and B: a masked call between them, over every transport.

No trunk has their address and none is there to be called, so nothing but the registrar can have let them in and led the
call to the callee. What is typed into them is what ``maskline phone add`` prints.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.lab.analysis import seconds_of
from gateway.lab.audio import Samples
from gateway.numbers import PhoneNumber
from tests.interop.linphone import Linphone
from tests.interop.softphone import Registers, Softphone
from tests.interop.stand import (
    A_VOICE,
    ANSWERED_CALL,
    B_VOICE,
    HOST,
    A,
    B,
    Stand,
    Stands,
    X,
    assert_recorded,
    assert_unseen,
    until,
)
from tests.sip.pki import Authority

pytestmark = pytest.mark.interop
OPEN = {"PHONES__ENABLED": "true", "TRUNK__0__ALLOW": '["192.0.2.0/24"]'}
# baresip 1.0.0 stumbles over SHA-256, even when MD5 is offered as well.
MD5 = {"PHONES__DIGEST": '["MD5"]'}
# What linphone's TLS library looks for in certificates are names; it passes addresses over.
NAME = "localhost"


async def add(here: Stand, number: PhoneNumber, transport: str, count: int) -> Registers:
    """Make a phone at the terminal; the node knows it when this returns."""
    command = (sys.executable, "-m", "gateway", "phone", "add", number.e164, "--config")
    process = await asyncio.create_subprocess_exec(
        *command, str(here.folder / "demo.toml"), stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **here.node.plan.overrides},
    )  # fmt: skip
    said = dict(line.split("\t") for line in (await process.communicate())[0].decode().splitlines())
    ways = dict(way.split(" ") for way in said["transport and port"].split(" or "))
    log = here.folder / "node.log"
    await until(
        lambda: f"phones may register            count={count}" in log.read_text("utf-8"), 10, here.node.log_tail
    )
    return Registers(said["server"], int(ways[transport]), transport, said["user"], said["password"])


async def stand_for(stand: Stands, transport: str, folder: Path, more: dict[str, str]) -> tuple[Stand, str]:
    """A node that listens so, and the file of the authority that has signed its certificate."""
    if transport != "tls":
        return await stand(**OPEN, **more), ""
    authority = Authority(folder / "pki")
    gateway = authority.sign("gateway", HOST, NAME)
    here = await stand(
        **OPEN,
        **more, SIP__LISTEN=f'["tls:{HOST}:<tls>", "udp:{HOST}:<sip>"]', SIP__CERTIFICATE=gateway.certificate,
        SIP__KEY=gateway.key,
    )  # fmt: skip
    return here, str(authority.ca)


async def the_call(here: Stand, of_caller: Path, of_callee: Path) -> dict[str, Any]:
    """The bill record of the only call; neither phone has seen the other's number."""
    (fee,) = await here.fees(1)
    assert here.kinds() == ANSWERED_CALL
    assert (fee.fields["direction"], fee.fields["ulFailReason"], fee.fields["fwdUnaswRsn"]) == (1, 0, 0)
    assert_unseen(B, [of_caller])
    assert_unseen(A, [of_callee])
    return fee.fields


@pytest.mark.parametrize("transport", ["udp", "tls"])
async def test_linphone_calls_baresip(
    linphonec: str, baresip: str, stand: Stands, tmp_path: Path, transport: str
) -> None:
    """Over TLS baresip seals its audio too, and linphone does not."""
    sealed = "srtp" if transport == "tls" else ""
    here, ca = await stand_for(stand, transport, tmp_path, MD5 | ({"PHONES__SRTP": "optional"} if sealed else {}))
    caller, callee = Linphone(here, "caller", A_VOICE), Softphone(here, "callee", B, B_VOICE)
    typed = await add(here, A, transport, 1)
    await caller.start(linphonec, replace(typed, server=NAME) if ca else typed, ca)
    await register(callee, baresip, await add(here, B, transport, 2), ca, sealed)
    caller.do(f"call sip:{X.e164}@{NAME if ca else HOST}:{typed.port}")
    await callee.wait_for("CALL_INCOMING")
    callee.do("accept")
    await callee.hears(A_VOICE)
    await caller.hears(B_VOICE)
    callee.do("hangup")
    await caller.says("LinphoneCallReleased")
    assert_recorded(await here.recording_of(await the_call(here, caller.log, callee.log)))
    assert_no_echo(caller.heard(), callee.heard())
    way = f"sip:{X.e164}@{HOST}:{typed.port};transport={transport}"
    await calls_back(here, caller, callee, dials=way)
    assert (b"SRTP is Enabled" in callee.log.read_bytes()) is bool(sealed)


async def calls_back(here: Stand, linphone: Linphone, baresip: Softphone, *, dials: str = "", calls: str = "") -> None:
    """The callee's turn: what baresip ``dials``, or linphone ``calls``. So each has been A and B by this transport."""
    before = seconds_of(baresip.heard(), A_VOICE) + seconds_of(baresip.heard(), B_VOICE)
    if dials:
        baresip.do("dial", dials)
        await linphone.says("LinphoneCallIncomingReceived")
        linphone.do("answer")
    else:
        linphone.do(f"call {calls}")
        await baresip.wait_for("CALL_INCOMING")
        baresip.do("accept")
    await baresip.hears(A_VOICE if dials else B_VOICE, before + 1.0)
    baresip.do("hangup")
    _, fee = await here.fees(2)
    assert here.kinds() == 2 * ANSWERED_CALL
    assert fee.fields["direction"] == 0
    assert_unseen(A, [baresip.log if dials else linphone.log])
    assert_unseen(B, [linphone.log if dials else baresip.log])
    assert_recorded(await here.recording_of(fee.fields), B_VOICE, A_VOICE, at_least=0.5)


async def test_baresip_calls_linphone_over_tcp(linphonec: str, baresip: str, stand: Stands, tmp_path: Path) -> None:
    here, _ = await stand_for(stand, "tcp", tmp_path, MD5)
    caller, callee = Softphone(here, "caller", A, A_VOICE), Linphone(here, "callee", B_VOICE)
    typed = await add(here, A, "tcp", 1)
    await register(caller, baresip, typed)
    await callee.start(linphonec, await add(here, B, "tcp", 2))
    caller.do("dial", f"sip:{X.e164}@{HOST}:{typed.port};transport=tcp")
    await callee.says("LinphoneCallIncomingReceived")
    callee.do("answer")
    await caller.hears(B_VOICE)
    await callee.hears(A_VOICE)
    caller.do("hangup")
    await callee.says("LinphoneCallReleased")
    assert_recorded(await here.recording_of(await the_call(here, caller.log, callee.log)))
    assert_no_echo(caller.heard(), callee.heard())
    await calls_back(here, callee, caller, calls=f"sip:{X.e164}@{HOST}:{typed.port};transport=tcp")


async def test_two_linphones_by_sha_256(linphonec: str, stand: Stands, tmp_path: Path) -> None:
    here, _ = await stand_for(stand, "udp", tmp_path, {})
    caller, callee = Linphone(here, "caller", A_VOICE), Linphone(here, "callee", B_VOICE)
    typed = await add(here, A, "udp", 1)
    await caller.start(linphonec, typed)
    await callee.start(linphonec, await add(here, B, "udp", 2))
    assert "algorithm=SHA-256, username=" in caller.log.read_text("utf-8", "replace")
    caller.do(f"call sip:{X.e164}@{typed.server}:{typed.port}")
    await callee.says("LinphoneCallIncomingReceived")
    callee.do("answer")
    await caller.hears(B_VOICE)
    await callee.hears(A_VOICE)
    callee.do("terminate")
    for phone in (caller, callee):
        await phone.says("LinphoneCallReleased")
    assert_recorded(await here.recording_of(await the_call(here, caller.log, callee.log)))
    assert_no_echo(caller.heard(), callee.heard())


async def test_a_restart_leaves_phones_where_they_are(baresip: str, stand: Stands, tmp_path: Path) -> None:
    """Neither of them registers again before the call: they were told to do so in ten minutes."""
    here, _ = await stand_for(stand, "udp", tmp_path, MD5)
    caller, callee = Softphone(here, "caller", A, A_VOICE), Softphone(here, "callee", B, B_VOICE)
    typed = await add(here, A, "udp", 1)
    await register(caller, baresip, replace(typed, seconds=600))
    await register(callee, baresip, replace(await add(here, B, "udp", 2), seconds=600))
    assert await here.node.stop() == 0
    await here.node.start(60)
    caller.do("dial", f"sip:{X.e164}@{HOST}:{typed.port}")
    await callee.wait_for("CALL_INCOMING")
    for phone in (caller, callee):
        assert phone.log.read_bytes().count(b"[1 binding]") == 1
    caller.do("hangup")
    await callee.wait_for("CALL_CLOSED")


async def register(phone: Softphone, program: str, typed: Registers, ca: str = "", srtp: str = "") -> None:
    """Start a baresip, and wait until it has registered."""
    await phone.start(program, more=f"sip_cafile {ca}\n" if ca else "", registers=typed, srtp=srtp)
    await until(lambda: b"[1 binding]" in phone.log.read_bytes(), 15, phone.log_tail)


def assert_no_echo(caller: Samples, callee: Samples) -> None:
    """Nobody has heard himself."""
    assert seconds_of(caller, A_VOICE) == seconds_of(callee, B_VOICE) == 0
