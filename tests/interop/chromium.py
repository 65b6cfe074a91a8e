"""Chromium with a microphone that hears a tone from a file, ears for a tone, and trust in one certificate."""

from __future__ import annotations

import base64
import hashlib
import wave
from pathlib import Path

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.async_api import Browser, Page, Playwright

from tests.interop.conftest import program

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream",
         "--use-fake-device-for-media-stream", "--autoplay-policy=no-user-gesture-required"]  # fmt: skip
_HEARS = """async ([hertz, patience]) => {
  const context = new AudioContext(), analyser = context.createAnalyser(), heard = {};
  analyser.fftSize = 8192;
  context.createMediaStreamSource(document.querySelector("audio").srcObject).connect(analyser);
  const bins = new Float32Array(analyser.frequencyBinCount), width = context.sampleRate / analyser.fftSize;
  const until = performance.now() + patience;
  let left = 25;
  try {
    while (performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      analyser.getFloatFrequencyData(bins);
      const loudest = bins.indexOf(Math.max(...bins)), loud = bins[loudest] > -50;
      const tone = loud ? Math.round(loudest * width / 10) * 10 : 0;
      heard[tone] = (heard[tone] || 0) + 1;
      if (loud && Math.abs(loudest * width - hertz) < 30 && !(left -= 1)) return null;
    }
    return heard;
  } finally { context.close(); }
}"""


def microphone(path: Path, hertz: int) -> Path:
    """Ten seconds of a tone, which Chromium plays round and round."""
    samples = (9000 * np.sin(2 * np.pi * hertz * np.arange(480_000) / 48_000)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(samples.tobytes())
    return path


async def hears(page: Page, hertz: int, milliseconds: int = 20_000) -> None:
    """The page plays this tone for two seconds and a half; else the error counts what it played, 0: nothing."""
    heard = await page.evaluate(_HEARS, [hertz, milliseconds])
    assert heard is None, f"{hertz} Hz wanted: {heard}"


async def launch(playwright: Playwright, sound: Path, *certificates: str) -> Browser:
    """A browser that hears ``sound`` and takes ``certificates`` (PEM files) for good, whoever has signed them."""
    trust = [f"--ignore-certificate-errors-spki-list={','.join(map(_pin, certificates))}"] if certificates else []
    return await playwright.chromium.launch(
        executable_path=program("chromium", "chromium"),
        args=[*FLAGS, f"--use-file-for-fake-audio-capture={sound}", *trust],
    )


def _pin(file: str) -> str:
    key = x509.load_pem_x509_certificate(Path(file).read_bytes()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()
