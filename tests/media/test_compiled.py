"""Which of the two is under test: sources, or what ``make compiled`` made of them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import media.session
from media import wire
from setup import COMPILED

EXPECTED = os.environ.get("MASKLINE_COMPILED") == "1"
_SUFFIX = ".so" if EXPECTED else ".py"


def test_here_and_in_a_worker_s_process() -> None:
    there = "import media.room, media.wire; print(media.room.__file__, hasattr(media.wire, 'Port'))"
    told = subprocess.run([sys.executable, "-c", there], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert media.session.__file__.endswith(_SUFFIX)
    assert (told[0].endswith(_SUFFIX), told[1]) == (True, str(EXPECTED))
    assert hasattr(wire, "Port") == EXPECTED


@pytest.mark.parametrize("name", COMPILED)
def test_all_that_is_named_is_pure(name: str) -> None:
    """What is compiled does nothing but reckon: test_architecture holds it to that."""
    from tests.test_architecture import IO

    assert f"media.{name}" not in IO
