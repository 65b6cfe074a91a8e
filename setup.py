"""With MASKLINE_COMPILE=1: the packet path as machine code, from the same sources (mypyc), and media/_port.c.

Everything else is in pyproject.toml. Without it, or without this file, the package is pure Python and does the same.

    MASKLINE_COMPILE=1 pip wheel --no-build-isolation .     needs a C compiler, and mypy and setuptools of the dev extra
    make compiled                                           the package media, compiled, in build/compiled
"""

import os

from setuptools import Extension, setup

COMPILED = (
    "dialling", "latch", "outputs", "player", "playing", "ports", "quality", "receiver", "repacking", "room", "rtcp",
    "rtp", "sender", "session", "telephone_event", "timing", "watching",
)  # fmt: skip


def modules() -> list[Extension]:
    """None unless they are asked for."""
    if os.environ.get("MASKLINE_COMPILE") != "1":
        return []
    from mypyc.build import mypycify

    made = mypycify([f"media/{name}.py" for name in COMPILED], opt_level="3")
    return [*made, Extension("media._port", ["media/_port.c"], extra_compile_args=["-O2"])]


if __name__ == "__main__":
    setup(ext_modules=modules())
