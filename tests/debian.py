"""Debian's packages for tests that need a program: installed when it isn't there, by one process at a time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

SECONDS = 600


class NoPackage(Exception):
    """It can't be installed; in words for the person at the terminal."""


def install(package: str, there: Callable[[], object]) -> None:
    """Install a package unless ``there()`` says that somebody else has done it meanwhile. NoPackage.

    Tests run in several processes, and apt-get gives up at once where another one is at work.
    """
    with Path(tempfile.gettempdir(), f"maskline-apt-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if there():
            return
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            if ran.returncode:
                raise NoPackage(f"{' '.join(command)} failed: {' '.join(ran.stderr.split()[-40:])}")
