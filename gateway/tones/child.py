"""[IO] The conversion of an uploaded sound in a process of its own: what a stranger's file does there harms nobody.

The child limits its own memory and processor time before it reads a byte, and is killed when it takes too long. Its
answer is a line of JSON and the WAV file.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys

from gateway.tones.convert import Sound, SoundError, convert

SECONDS = 30.0
_CPU_SECONDS = 20
_MEMORY = 1 << 30
_AT_ONCE = 2


class Converter:
    """At most two children at once: uploads wait for each other, not calls for them."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def convert(self, raw: bytes) -> Sound:
        """As gateway.tones.convert. SoundError, also for a file that takes too much."""
        async with self._slots:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "from gateway.tones.child import main; main()",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                async with asyncio.timeout(SECONDS):
                    out, _ = await child.communicate(raw)
            except TimeoutError:
                raise SoundError("the file takes too long to convert") from None
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()
        line, _, wav = out.partition(b"\n")
        if child.returncode != 0 or not line:
            raise SoundError("this file can't be converted")
        said = json.loads(line)
        if "error" in said:
            raise SoundError(said["error"])
        return Sound(wav, said["seconds"], said["converted"])


def main() -> None:
    """The child: a file on standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        sound = convert(sys.stdin.buffer.read())
    except SoundError as error:
        answer: dict[str, object] = {"error": str(error)}
        wav = b""
    else:
        answer, wav = {"seconds": sound.seconds, "converted": sound.converted}, sound.wav
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + wav)
