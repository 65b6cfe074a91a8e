"""trunk-test against real programs that play the carrier: SIPp alone, and Kamailio as a proxy before it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from gateway.calls.settings import TrunkSettings
from gateway.lab.audio import tone
from gateway.lab.node import NodePlan
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port, free_tcp_and_udp_ports
from gateway.sip.hop import Hop
from gateway.trunktest.running import run
from gateway.trunktest.scenarios import SCENARIOS, Outcome
from gateway.trunktest.stage import Patience, Stage
from tests.interop.stand import B_VOICE, HOST, A, B, X, until

pytestmark = pytest.mark.interop
HERE = Path(__file__).parent
QUICK = Patience(ring=10.0, answer=4.0, talk=0.5, sound=0.5)


class Carrier:
    """``port``: where it takes calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = AsyncExitStack()

    async def switch(self, sipp: str, vias: int) -> int:
        """SIPp, so many hops away; its port."""
        text = (HERE / "sipp" / "carrier.xml").read_text()
        scenario = self.folder / "carrier.xml"
        scenario.write_text(text.replace("@VIAS@\n", "".join(f"Via:[${hop + 1}]\n" for hop in range(vias))))
        port, _, media, *_ = free_tcp_and_udp_ports(HOST, 64)
        (self.folder / f"{B_VOICE}.alaw").write_bytes(tone(B_VOICE) * 20)
        await self._run(
            "sipp", sipp, "-sf", str(scenario), "-i", HOST, "-p", str(port), "-mi", HOST, "-mp",
            str(media), "-nostdin", "-aa", "-trace_msg", "-message_file", str(self.folder / "sipp.log"),
        )  # fmt: skip
        await _bound(port)
        return port

    async def proxy(self, kamailio: str, switch: int, name: str = "carrier", port: int = 0, **more: str) -> int:
        """Kamailio before it, with the configuration of that name; its port."""
        port = port or free_tcp_and_udp_port(HOST)
        text = (HERE / "kamailio" / f"{name}.cfg").read_text()
        for word, value in {"PORT": str(port), "SWITCH": str(switch), **more}.items():
            text = text.replace(f"@{word}@", value)
        file = self.folder / f"{name}.cfg"
        file.write_text(text)
        # -DD: no daemon, so its children end with it.
        await self._run("kamailio", kamailio, "-DD", "-E", "-f", str(file), "-Y", str(self.folder), "-P",
                        str(self.folder / "kamailio.pid"))  # fmt: skip
        await _bound(port)
        return port

    def said(self) -> str:
        return "\n".join(file.read_text("utf-8", "replace")[-3000:] for file in self.folder.glob("*.out"))

    async def down(self) -> None:
        await self._stack.aclose()

    async def _run(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=self.folder, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

        async def end() -> None:
            # Its own session: the children are ended with it, and nobody else.
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 3)

        self._stack.push_async_callback(end)


async def _bound(port: int) -> None:
    await until(lambda: f":{port:04X} " in Path("/proc/net/udp").read_text(), 20)


@pytest.fixture
async def carrier(tmp_path: Path) -> AsyncIterator[Carrier]:
    made = Carrier(tmp_path)
    yield made
    await made.down()


async def test_against_sipp(sipp: str, carrier: Carrier) -> None:
    port = await carrier.switch(sipp, 1)
    trunk = TrunkSettings(name="sipp", peers=(Hop("udp", HOST, port),), allow=())
    stage = Stage(
        trunk, A, B, sip=[Hop("udp", HOST, 0)], advertised=HOST, media=(HOST, HOST, free_media_ports(HOST, 8)),
        patience=QUICK,
    )  # fmt: skip
    await stage.start()
    try:
        results = await run(stage, [name for name in SCENARIOS if name not in ("options", "register", "incoming")])
    finally:
        await stage.stop()
    said = {one.name: (one.verdict.outcome, one.verdict.said) for one in results}
    assert {name: one for name, one in said.items() if one[0] is not Outcome.PASS} == {}, carrier.said()
    assert said["session-refresh"][1] == "90;refresher=uac; refreshed by UPDATE"
    assert said["cancel"][1] == "487"


async def test_the_command_against_kamailio(sipp: str, kamailio: str, carrier: Carrier) -> None:
    """The whole command, with a proxy that record-routes; UDP and, for what is long, TCP."""
    port = await carrier.proxy(kamailio, await carrier.switch(sipp, 2))
    plan = NodePlan(
        folder=carrier.folder, host=HOST, peer=f"udp:{HOST}:{port}", key="k", secret="s", x=X.e164,
        receiver="http://127.0.0.1:1", sip_port=free_tcp_and_udp_port(HOST), web_port=free_tcp_and_udp_port(HOST),
        media_ports=free_media_ports(HOST, 8),
    )  # fmt: skip
    file = carrier.folder / "demo.toml"
    file.write_text(plan.toml())
    ours = ("--ours", "+8617000000002")
    status, text = await command(file, "--from", X.e164, "--to", B.e164, *ours)
    rows = {
        line[13:29].strip(): line[:13].strip() for line in text.splitlines() if line[:4] in ("pass", "fail", "not ")
    }
    # Kamailio sends the call to our number back to where it came from, Call-ID and all.
    wanted = dict.fromkeys(SCENARIOS, "pass") | {"register": "not supported"}
    assert rows == wanted, f"{text}\n{carrier.said()}"
    assert status == 0
    await carrier.down()
    status, text = await command(file, "--from", X.e164, "--to", B.e164, "--only", "call", "--ring", "1")
    assert status == 1
    assert "0 pass, 1 fail, 0 not supported" in text
    assert "INVITE" in text
    assert B.national() not in text


async def command(file: Path, *words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "trunk-test", "demo", "--config", str(file), *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MASKLINE_")},
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode, out.decode()
