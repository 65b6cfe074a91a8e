"""A linphonec process (Debian's linphone-cli), told what to do through its console and judged by what it wrote.

    microphone   ``play``: a WAV file with a minute of a tone
    loudspeaker  ``record``: a WAV file, whole once the call is over

It has no sound card here, so it works with files. Its home is a folder of its own.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import numpy as np

from gateway.lab.analysis import seconds_of
from gateway.lab.audio import Samples
from tests.interop.softphone import Registers, write_tone
from tests.interop.stand import Stand, until

CONFIG = """\
[sip]
sip_port={sip}
sip_tcp_port={sip}
sip_tls_port=-1
root_ca={ca}
[rtp]
audio_rtp_port={rtp}
[net]
firewall_policy=0
[sound]
echocancellation=0
"""


class Linphone:
    """A phone that registers and says ``hertz``."""

    def __init__(self, stand: Stand, name: str, hertz: int) -> None:
        self.folder = stand.folder / name
        self.log = self.folder / "log"
        self._stand = stand
        self._hertz = hertz

    async def start(self, program: str, registers: Registers, ca: str = "") -> None:
        """Start it, and wait until it has registered."""
        # Without a place for its database it doesn't begin.
        (self.folder / ".local/share/linphone").mkdir(parents=True)
        write_tone(self.folder / "voice.wav", self._hertz)
        sip, *_ = self._stand.take_ports(2)
        rtp, *_ = self._stand.take_ports(2)
        (self.folder / "rc").write_text(CONFIG.format(sip=sip, rtp=rtp, ca=ca))
        with (self.folder / "out").open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(program, "-c", str(self.folder / "rc"), "-d", "4", "-l", str(self.log)), cwd=self.folder,
                stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output,
                env={**os.environ, "HOME": str(self.folder)},
            )  # fmt: skip
        self._stand.stack.push_async_callback(self._end)
        await until(lambda: b"linphonec>" in (self.folder / "out").read_bytes(), 15, self.log_tail)
        server = f"{registers.server}:{registers.port}"
        self.do("soundcard use files")
        self.do(f"play {self.folder / 'voice.wav'}")
        self.do(f"record {self.folder / 'heard.wav'}")
        self.do(
            f"register sip:{registers.user}@{server} sip:{server};transport={registers.transport} {registers.password}"
        )
        await self.says("[LinphoneRegistrationOk]")

    def do(self, command: str) -> None:
        """A command of its console: call, answer, terminate, ..."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())

    async def says(self, text: str, seconds: float = 15) -> None:
        """Wait until it has written something into its log, which holds all SIP."""
        await until(lambda: text in self.log.read_text("utf-8", "replace"), seconds, self.log_tail)

    async def hears(self, hertz: int, seconds: float = 2.0) -> None:
        """Wait until it has heard a tone for so long."""
        await until(lambda: seconds_of(self.heard(), hertz) >= seconds, 20, self.log_tail)

    def heard(self) -> Samples:
        """All that it has heard so far: the file has the codec's rate, and its header only at the end."""
        file = self.folder / "heard.wav"
        data = file.read_bytes()[44:] if file.exists() else b""
        return np.frombuffer(data[: len(data) // 2 * 2], "<i2") / 32768

    def log_tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-3000:]

    async def _end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
