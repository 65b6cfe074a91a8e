"""[IO] The lab as fixtures: a plugin that pytest finds by itself where Maskline is installed (entry point pytest11).

    maskline_lab        plays scenarios in virtual time
    maskline_node       a real node on loopback with a virtual carrier, started once for a session
    maskline_scenario   override it: the file or the tables that say what maskline_node is
    maskline_webhook    override it: where that node's events go to

Nothing of Maskline is imported before a fixture is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gateway.scenarios.handles import Lab, LabNode


@pytest.fixture(scope="session")
def maskline_lab() -> Iterator[Lab]:
    """``maskline_lab.play(file or tables)`` plays a scenario in virtual time; AssertionError when it fails."""
    from gateway.scenarios.handles import Lab

    with Lab() as lab:
        yield lab


@pytest.fixture(scope="session")
def maskline_scenario() -> Mapping[str, Any] | str | Path:
    """What ``maskline_node`` is: mode, numbers, [application], [config], [[request]]. Default: AXB, nothing bound."""
    return {}


@pytest.fixture(scope="session")
def maskline_webhook() -> str:
    """Where ``maskline_node`` pushes to. Default: nowhere; its events can be read all the same."""
    return ""


@pytest.fixture(scope="session")
def maskline_node(maskline_scenario: Mapping[str, Any] | str | Path, maskline_webhook: str) -> Iterator[LabNode]:
    """A real node: ``url``, ``key`` and ``secret`` are its API's; ``call(from_=, to=, ...)`` lets phones call."""
    from gateway.scenarios.handles import LabNode

    with LabNode(maskline_scenario, maskline_webhook) as node:
        yield node
