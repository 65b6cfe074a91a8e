"""Talk-off: how often speech is taken for a digit by the in-band detector (ITU-T Q.24 annex A wants it rare).

    python -m tests.bench.talkoff_bench [MINUTES [FOLDER]]

espeak-ng (Debian: espeak-ng) reads this project's own pages and some sentences of a courier in English and Mandarin,
in male and female voices of several pitches and speeds. Each voice is heard as the network brings it, 8000 Hz A-law,
at -10 and -20 dBm0 on average, and as hard clipped as a shout. So are people, and music: the prompts and the music on
hold of Asterisk (Debian: asterisk-core-sounds-{en,es,fr,it,ru}-wav, asterisk-moh-opsound-wav), where they are installed
or unpacked under FOLDER.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain, product
from pathlib import Path

import numpy as np
import soundfile

from gateway.lab.audio import RATE, Samples, encode
from media.dtmf import Detector

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/choices.md", "docs/encryption.md", "CHANGELOG.md")
MANDARIN = """您好,我是快递员,您的包裹到了,请问您在家吗?我在小区东门,麻烦您下来取一下。今天下午三点到五点之间我都在。
如果不方便,可以放在门口的柜子里,取件码我发短信给您。不好意思打扰了,再见。您的外卖到了,我在楼下等您,电梯需要刷卡。
好的,没问题,我马上过来,大概五分钟。请您稍等,我正在路上,前面有点堵车,可能会晚十分钟左右。谢谢您的理解,祝您生活愉快。"""
VOICES = ("en-us", "en-gb", "en-us+m3", "en-us+m7", "en-us+f2", "en-us+f4", "en-gb+f5", "en-us+croak", "en-us+whisper")
CHINESE = ("cmn", "cmn+f2", "cmn+m3", "cmn+f4")
PITCHES = (30, 50, 80)
SPEEDS = (130, 190)
LEVELS = (-10.0, -20.0, 3.0)
"""dBm0 of the mean power; the last one is clipped most of the time."""


def spoken(voice: str, pitch: int, speed: int, text: str) -> Samples:
    """What a voice makes of a text, 8000 Hz."""
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "--stdin", "--stdout"]
    made = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    # espeak cannot go back to write the sizes of what it sends to a pipe.
    sound, rate = soundfile.read(io.BytesIO(made.stdout), dtype="float64")
    return _resampled(sound, rate)


def _resampled(sound: Samples, rate: int) -> Samples:
    """By Fourier series, a second at a time, with nothing above 3400 Hz and below 300."""
    parts = []
    for start in range(0, len(sound) - rate + 1, rate):
        series = np.fft.rfft(sound[start : start + rate])[: RATE // 2 + 1]
        series[3400:] = 0
        series[:300] = 0
        parts.append(np.fft.irfft(series, RATE) * RATE / rate)
    return np.concatenate(parts) if parts else np.zeros(0)


def at_level(sound: Samples, dbm0: float) -> Samples:
    """With this mean power where it is loud at all."""
    loud = sound[np.abs(sound) > 0.01 * np.max(np.abs(sound))]
    wanted = 10 ** ((dbm0 - 3.14) / 20) / np.sqrt(2)
    return np.clip(sound * wanted / np.sqrt(np.mean(loud**2)), -1, 1)


def digits(sound: Samples) -> str:
    """What the detector hears, in packets of 20 ms."""
    detector, codes = Detector(), encode(sound, 8)
    return "".join(detector.receive(at, codes[at : at + 160], 8) for at in range(0, len(codes) - 159, 160))


def speeches() -> Iterator[tuple[str, Samples]]:
    english = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES if (ROOT / page).exists())
    pieces = [english[start : start + 3000] for start in range(0, len(english), 3000)]
    for number, (voice, pitch, speed) in enumerate(product(VOICES + CHINESE, PITCHES, SPEEDS)):
        text = MANDARIN * 2 if voice in CHINESE else pieces[number % len(pieces)]
        yield f"{voice} pitch {pitch} speed {speed}", spoken(voice, pitch, speed, text)


def people(folder: Path) -> Iterator[tuple[str, Samples]]:
    """Each voice's prompts, and the music, one after another; no tones."""
    for voice in sorted({path.parent for path in (*folder.glob("moh/*.wav"), *folder.glob("sounds/*/*.wav"))}):
        parts, rate = [], RATE
        for path in sorted(voice.rglob("*.wav")):
            if not any(word in path.name for word in ("dtmf", "beep", "tone", "silence", "tt-")):
                sound, rate = soundfile.read(path, dtype="float64")
                parts.append(sound)
        yield voice.name, _resampled(np.concatenate(parts), rate)


def run(minutes: float, folder: Path = Path("/usr/share/asterisk")) -> tuple[float, int]:
    """Minutes heard and digits that nobody pressed; also printed, by level."""
    heard = dict.fromkeys(LEVELS, 0.0)
    found = dict.fromkeys(LEVELS, "")
    for name, sound in chain(people(folder), speeches()):
        for level in LEVELS:
            false = digits(at_level(sound, level))
            heard[level] += len(sound) / RATE / 60
            found[level] += false
            if false:
                print(f"  {name} at {level:+.0f} dBm0: {false}", flush=True)
        if sum(heard.values()) >= minutes:
            break
    print(f"{'level':<22}{'minutes':>9}{'false digits':>14}{'an hour':>9}")
    for level in LEVELS:
        title = f"{level:+.0f} dBm0" + (", clipped" if level > 0 else "")
        print(f"{title:<22}{heard[level]:>9.0f}{len(found[level]):>14}{60 * len(found[level]) / heard[level]:>9.1f}")
    return sum(heard.values()), sum(map(len, found.values()))


if __name__ == "__main__":
    if shutil.which("espeak-ng") is None:
        sys.exit("talk-off: espeak-ng is missing (apt-get install espeak-ng)")
    run(float(sys.argv[1]) if len(sys.argv) > 1 else 2000.0, *map(Path, sys.argv[2:3]))
