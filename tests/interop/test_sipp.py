"""A masked call between two SIPp programs, one on each side, over UDP and over TCP."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from gateway.lab.client import CustomerClient
from gateway.lab.node import Node, NodePlan, free_media_ports, free_tcp_and_udp_port
from gateway.lab.receiver import Receiver
from media.recording.wav import decode, encode, parse

HOST, KEY, SECRET = "127.0.0.1", "sipp", "secret"
A, B, X = "+8613800000021", "+8613800000023", "+8617000000001"
SCENARIOS = Path(__file__).parent / "sipp"
LIMIT = 40


@pytest.fixture(scope="session")
def sipp() -> str:
    """SIPp, from Debian's package when it isn't there."""
    if shutil.which("sipp") is None:
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "sip-tester"]):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
    found = shutil.which("sipp")
    assert found is not None
    return found


def speak(folder: Path, hertz: int) -> None:
    """A minute of a tone as raw A-law: what SIPp's rtp_stream plays."""
    wave = 8000 * np.sin(2 * np.pi * hertz * np.arange(8000 * 60) / 8000)
    (folder / f"{hertz}.alaw").write_bytes(encode(wave.astype(np.int16)).tobytes())


@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_a_masked_call(sipp: str, tmp_path: Path, transport: str) -> None:
    speak(tmp_path, 700)
    speak(tmp_path, 1300)
    callee_port = free_tcp_and_udp_port(HOST)
    async with AsyncExitStack() as stack:
        receiver = Receiver(HOST, KEY, SECRET, lambda event: None)
        stack.push_async_callback(receiver.stop)
        plan = NodePlan(
            folder=tmp_path,
            host=HOST,
            peer=f"udp:{HOST}:{callee_port}",
            key=KEY,
            secret=SECRET,
            x=X,
            receiver=await receiver.start(),
            sip_port=free_tcp_and_udp_port(HOST),
            web_port=free_tcp_and_udp_port(HOST),
            media_ports=free_media_ports(HOST),
        )
        node = Node(plan)
        stack.push_async_callback(node.stop)
        await node.start(30)
        customer = CustomerClient(await stack.enter_async_context(aiohttp.ClientSession()), plan.base_url, KEY, SECRET)
        await customer.bind({"callerNum": A, "calleeNum": B, "relationNum": X, "recordFlag": "true"})

        async def run(name: str, port: int, media: int, *more: str) -> asyncio.subprocess.Process:
            process = await asyncio.create_subprocess_exec(
                sipp, "-sf", str(SCENARIOS / f"{name}.xml"), "-i", HOST, "-p", str(port), "-mi", HOST, "-m", "1",
                "-mp", str(media), "-timeout", f"{LIMIT}s", "-nostdin",
                "-trace_msg", "-message_file", str(tmp_path / f"{name}.log"), *more,
                cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            stack.callback(lambda: process.kill() if process.returncode is None else None)
            return process

        callee = await run("callee", callee_port, 33000, "-t", "u1")
        caller = await run(
            "caller", free_tcp_and_udp_port(HOST), 33100, "-t", transport, "-s", X, f"{HOST}:{plan.sip_port}"
        )
        async with asyncio.timeout(LIMIT):
            assert await caller.wait() == 0, (tmp_path / "caller.log").read_text()[-3000:]
            assert await callee.wait() == 0, (tmp_path / "callee.log").read_text()[-3000:]
        fee = await receiver.wait_for("fee", 10)
        assert fee is not None, node.log_tail()
        assert [event.kind for event in receiver.events] == [
            *("callin", "callout", "alerting", "answer", "disconnect", "fee"),
        ]
        download = await customer.recording(fee.fields["recordObjectName"], fee.fields["recordDomain"])
        for channel, wanted in zip(parse(download.content), (700, 1300), strict=True):
            middle = decode(channel)[-8000 * 2 : -8000].astype(float)
            assert int(np.argmax(np.abs(np.fft.rfft(middle)))) == wanted
        assert B[3:] not in (tmp_path / "caller.log").read_text("utf-8", "replace")
        assert A[3:] not in (tmp_path / "callee.log").read_text("utf-8", "replace")
