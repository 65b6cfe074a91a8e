"""The package media with its packet path compiled, in a folder of its own: for the tests and the bench.

    python -m tests.compiled FOLDER

A copy, so that no machine code lies beside sources that have been changed since. Run with the folder first on
PYTHONPATH, and with PYTHONSAFEPATH=1, which keeps the current folder from coming before it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build(folder: Path) -> bool:
    """Whether it could be built: there is a C compiler, and mypy."""
    shutil.rmtree(folder, ignore_errors=True)
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")) or importlib.util.find_spec("mypyc") is None:
        print("media is not compiled: there is no C compiler, or no mypy", flush=True)
        return False
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "media", folder / "media", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(ROOT / "setup.py", folder)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=folder,
        env=os.environ | {"MASKLINE_COMPILE": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return True


def environment(folder: Path) -> dict[str, str]:
    """For a process that is to use it."""
    return os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": f"{folder.resolve()}:{ROOT}"}


if __name__ == "__main__":
    build(Path(sys.argv[1]))
