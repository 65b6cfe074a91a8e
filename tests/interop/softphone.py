"""A baresip process, told what to do and asked what happened through its TCP console (module ctrl_tcp).

    microphone   aufile: a WAV file with a minute of a tone
    loudspeaker  none (an aubridge without the other end); the sndfile filter writes what was decoded to *-dec.wav

The console speaks JSON in netstrings. baresip offers the address of a network interface for its audio, never loopback
(it makes no call on a machine that has no other address), but sends to a node on loopback from 127.0.0.1: for the node
it is a phone behind NAT.
"""

from __future__ import annotations

import asyncio
import json
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gateway.lab.analysis import seconds_of
from gateway.lab.audio import RATE, Samples
from gateway.numbers import PhoneNumber
from tests.interop.stand import HOST, Stand, until

LIFE = 60
MODULES = "/usr/lib/baresip/modules"
CONFIG = """\
poll_method epoll
sip_listen {host}:{sip}
call_local_timeout 60
audio_source aufile,{folder}/voice.wav
audio_player aubridge,nowhere
audio_alert aubridge,nowhere
ausrc_srate 8000
auplay_srate 8000
rtp_ports {rtp}-{last}
snd_path {folder}
ctrl_tcp_listen {host}:{console}
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""
ACCOUNT = "<sip:{number}@{host}:{sip}>;regint=0;answermode=manual;audio_codecs={codec}\n"
REGISTERED = (
    "<sip:{user}@{server}:{port};transport={transport}>;auth_pass={password};regint={seconds};answermode=manual;"
    "audio_codecs={codec}\n"
)


@dataclass(frozen=True)
class Registers:
    """What is typed into a phone that registers."""

    server: str
    port: int
    transport: str
    user: str
    password: str
    seconds: int = 60


class Softphone:
    """``number``'s telephone, which says ``hertz``; listens for SIP on ``sip`` (one port above it for TLS)."""

    def __init__(self, stand: Stand, name: str, number: PhoneNumber, hertz: int, sip: int = 0) -> None:
        self.events: list[dict[str, Any]] = []
        self.folder = stand.folder / name
        self.log = stand.folder / f"{name}.out"
        self.sip = sip or stand.take_ports(2)[0]
        self._stand = stand
        self._name = name
        self._number = number
        self._hertz = hertz
        self._changed = asyncio.Event()

    async def start(
        self,
        program: str,
        *,
        codec: str = "pcma/8000",
        srtp: str = "",
        more: str = "",
        registers: Registers | None = None,
    ) -> None:
        """``srtp``: baresip's mediaenc, "srtp" (RTP/AVP with a=crypto) or "srtp-mand" (RTP/SAVP); ``more``: further
        lines of its configuration."""
        self.folder.mkdir()
        write_tone(self.folder / "voice.wav", self._hertz)
        console, *_ = self._stand.take_ports(2)
        rtp = self._stand.take_ports(6)
        values = {"host": HOST, "sip": self.sip, "console": console, "rtp": rtp[0], "last": rtp[-1]}
        config = CONFIG.format(folder=self.folder, modules=MODULES, **values)
        (self.folder / "config").write_text(config + more)
        account = ACCOUNT.format(number=self._number.e164, codec=codec, **values)
        if registers is not None:
            account = REGISTERED.format(codec=codec, **vars(registers))
        if srtp:
            account = account.rstrip() + f";mediaenc={srtp}\n"
        (self.folder / "accounts").write_text(account)
        await self._stand.run(self._name, program, "-f", str(self.folder), "-s", "-t", str(LIFE))
        await until(lambda: b"baresip is ready" in self.log.read_bytes(), 10, self.log_tail)
        reader, self._console = await asyncio.open_connection(HOST, console)
        listening = asyncio.create_task(self._listen(reader))

        async def hang_up() -> None:
            self._console.close()
            await listening

        self._stand.stack.push_async_callback(hang_up)

    def do(self, command: str, parameters: str = "") -> None:
        """A command of baresip's menu: dial, accept, hangup, hold, resume, ..."""
        text = json.dumps({"command": command, "params": parameters}).encode()
        self._console.write(b"%d:%s," % (len(text), text))

    async def wait_for(self, kind: str, seconds: float = 15) -> dict[str, Any]:
        """The first event of that kind."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._changed.clear()
                    for event in self.events:
                        if event.get("type") == kind:
                            return event
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{self._name}: no {kind}; {self.log_tail()}") from None

    def heard(self) -> Samples:
        """All that it has heard so far: the file grows as the call lasts, its header is right only at the end."""
        data = b"".join(file.read_bytes()[44:] for file in sorted(self.folder.glob("*-dec.wav")))
        return np.frombuffer(data[: len(data) // 2 * 2], "<i2") / 32768

    async def hears(self, hertz: int, seconds: float = 2.0) -> None:
        """Wait until it has heard a tone for so long."""
        await until(lambda: seconds_of(self.heard(), hertz) >= seconds, 20, self.log_tail)

    async def hears_no_more(self) -> None:
        """Wait until nothing has come to it for half a second: five looks."""
        sizes: list[int] = []

        def is_quiet() -> bool:
            sizes.append(len(self.heard()))
            return len(sizes) > 5 and sizes[-1] == sizes[-6]

        await until(is_quiet, 10, self.log_tail)

    def log_tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-3000:]

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                size = int((await reader.readuntil(b":"))[:-1])
                self.events.append(json.loads((await reader.readexactly(size + 1))[:-1]))
                self._changed.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            return


def write_tone(file: Path, hertz: int) -> None:
    """A minute of a tone."""
    samples = 8000 * np.sin(2 * np.pi * hertz * np.arange(RATE * LIFE) / RATE)
    with wave.open(str(file), "wb") as voice:
        voice.setnchannels(1)
        voice.setsampwidth(2)
        voice.setframerate(RATE)
        voice.writeframes(samples.astype("<i2").tobytes())
