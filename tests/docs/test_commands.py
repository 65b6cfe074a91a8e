"""Every command of the documentation, on a real node: page by page, in the order of the page, in one shell.

What a fence's words mean is in ``tests.docs.pages``. Pages that name a call's session or recording come last, when the
call that is placed beside the others is over. After each page its bindings are ended.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ADVICE, Page, pages
from tests.docs.running import faults, matches, runs
from tests.docs.stand import Stand

PAGES = sorted(
    (page for page in pages() if any(runs(fence) for fence in page.fences)),
    key=lambda page: bool(re.search(r"\b(SESSION|RECORDING)\b", page.text)),
)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    made = Stand(tmp_path_factory.mktemp("docs"))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def unbound(stand: Stand) -> Iterator[Stand]:
    yield stand
    base = f"http://127.0.0.1:{stand.ports['8080']}/v1"
    head = {"Authorization": f"Bearer {stand.environment['TOKEN']}"}

    def ask(method: str, path: str) -> bytes:
        request = urllib.request.Request(base + path, method=method, headers=head)
        with urllib.request.urlopen(request, timeout=10) as answer:
            body: bytes = answer.read()
            return body

    for key in ("demo-axb", "demo-ax"):
        for row in json.loads(ask("GET", f"/bindings?application={key}"))["items"]:
            ask("DELETE", f"/bindings/{row['id']}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_work(page: Page, unbound: Stand, tmp_path: Path) -> None:
    found = faults(page, unbound, tmp_path)
    assert not found, "\n".join([*found, ADVICE])


def test_a_command_that_fails_is_found(stand: Stand, tmp_path: Path) -> None:
    """The harness itself."""
    text = "```sh\ntrue\n```\n\n```sh\nmaskline nosuch\n```\n\n```sh\ntrue\n```\n"
    (fault,) = faults(Page("page.md", text), stand, tmp_path)
    assert "page.md:5: failed (1 more" in fault
    assert "No such command" in fault
    (tmp_path / "2").mkdir()
    assert (
        faults(
            Page("page.md", "```sh fails\nmaskline nosuch\n```\n```console\n$ echo a 1 b\na ... b\n```"),
            stand,
            tmp_path / "2",
        )
        == []
    )


def test_what_a_console_block_shows_is_compared() -> None:
    assert matches("one ... three\n...\nend", "one 2 three\nx\ny\nend\n")
    assert not matches("one\ntwo", "one\n2")
