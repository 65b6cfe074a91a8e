"""Makes the WAV files of this folder: ``python -m media.sounds.make``. Needs the program espeak-ng.

Each file begins with a tone that names it (README.md). Speech is brought from espeak-ng's 22050 Hz to 8000 Hz by
cutting its spectrum, is band-limited to a telephone's 300 to 3400 Hz, and is cut to where it sounds.
"""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np

from media.recording import wav
from media.recording.wav import RATE, Samples

PEAK = 0.5
TONE = 0.3
TONES = (350, 450, 620, 700, 950, 1100, 1300, 1400)

SPEECH = {
    "notice": (950, "通话录音", "Call recorded.", 235),
    "no_binding": (
        350,
        "号码未绑定，请用绑定的号码拨打",
        "This number has no contact. Call from the bound number.",
        190,
    ),
    "no_permission": (350, "无呼叫权限", "Calls are not permitted.", 190),
    "failed": (350, "呼叫失败，请稍后再拨", "The call failed. Please try again later.", 190),
    "enter_extension": (1100, "请输入分机号", "Please enter the extension.", 190),
    "wrong_extension": (1100, "分机号错误，请重新输入", "Wrong extension. Please enter it again.", 190),
    "wrong_goodbye": (350, "分机号错误，再见", "Wrong extension. Goodbye.", 190),
    "no_extension": (350, "您没有输入分机号，再见", "No extension was entered. Goodbye.", 190),
    "last_minute": (1400, "剩余一分钟", "One minute left.", 200),
}


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE))


def tone(hertz: float, seconds: float, *, amplitude: float = TONE, edge: float = 0.01) -> Samples:
    """A sine whose ends are softened over ``edge`` seconds so that they don't click."""
    time = np.arange(round(seconds * RATE)) / RATE
    gain = np.minimum(1.0, np.minimum(time, seconds - time) / edge)
    return amplitude * gain * np.sin(2 * np.pi * hertz * time)


def chime(hertz: float, seconds: float) -> Samples:
    """A struck bell: a sine that dies away, with a weak octave."""
    time = np.arange(round(seconds * RATE)) / RATE
    struck = tone(hertz, seconds, amplitude=1.0) + 0.12 * tone(2 * hertz, seconds, amplitude=1.0)
    return PEAK * 0.85 * np.exp(-time / 0.6) * struck


def resample(samples: Samples, rate: int) -> Samples:
    """To 8000 Hz, keeping 300 to 3400 Hz without what could be taken for a tone."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    for used in TONES:
        spectrum[np.abs(hertz - used) < 30] = 0
    size = round(len(samples) * RATE / rate)
    cut = np.zeros(size // 2 + 1, dtype=np.complex128)
    kept = min(len(cut), len(spectrum))
    cut[:kept] = spectrum[:kept]
    spoken: Samples = np.fft.irfft(cut, size) * (size / len(samples))
    return spoken


def speech(voice: str, text: str, words_a_minute: int) -> Samples:
    """What espeak-ng says, at PEAK. OSError when it isn't installed, CalledProcessError when it fails."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_a_minute), "--stdout", text]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(raw)) as spoken:
        rate = spoken.getframerate()
        data = spoken.readframes(spoken.getnframes())
    samples = resample(np.frombuffer(data[: len(data) // 2 * 2], "<i2") / 32768.0, rate)
    samples *= PEAK / np.abs(samples).max()
    sounding = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[sounding[0] : sounding[-1] + 1]


def sounds() -> dict[str, Samples]:
    made = {
        "ringback": np.concatenate([tone(450, 1.0), silence(4.0)]),
        "waiting": np.concatenate([chime(620, 0.8), chime(620, 1.2), silence(0.5)]),
    }
    for name, (hertz, chinese, english, speed) in SPEECH.items():
        beep = [tone(hertz, 0.5)]
        if name == "last_minute":
            beep = [tone(hertz, 0.2), silence(0.1), tone(hertz, 0.2)]
        spoken = [speech("cmn-latn-pinyin", chinese, speed), silence(0.1), speech("en", english, speed)]
        made[name] = np.concatenate([*beep, silence(0.1), *spoken])
    return made


def main() -> int:
    folder = Path(__file__).parent
    for name, samples in sounds().items():
        (folder / f"{name}.wav").write_bytes(wav.build((wav.encode(samples),)))
        sys.stdout.write(f"{name}.wav {len(samples) / RATE:.2f} s\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
