"""Fixtures of the interop tests: the phone programs (Debian's packages, installed when absent) and a node."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.debian import install
from tests.interop.stand import Stand, Stands

LONG = ("test_two_nodes.py", "test_console.py")
"""A minute, and half of one: what comes last is waited for by all other processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


def program(name: str, package: str) -> str:
    """The path of a program, from Debian's package when it isn't there."""
    if shutil.which(name) is None:
        install(package, lambda: shutil.which(name))
    found = shutil.which(name)
    assert found is not None, f"{package} has no {name}"
    return found


@pytest.fixture(scope="session")
def sipp() -> str:
    return program("sipp", "sip-tester")


@pytest.fixture(scope="session")
def kamailio() -> str:
    return program("kamailio", "kamailio")


@pytest.fixture(scope="session")
def baresip() -> str:
    return program("baresip", "baresip-core")


@pytest.fixture(scope="session")
def linphonec() -> str:
    return program("linphonec", "linphone-cli")


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stands]:
    """Makes a Stand; everything that it started is gone after the test."""
    async with AsyncExitStack() as stack:

        async def make(**wanted: Any) -> Stand:
            return await Stand(tmp_path, stack).up(**wanted)

        yield make
