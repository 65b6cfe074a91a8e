"""The site of docs/: it builds without a warning, and whoever reads it fetches nothing from another site."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, pages, slug

FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|audio|video|embed)[^>]+src="(?:https?:)?//|<link(?![^>]+canonical)[^>]+href="(?:https?:)?//"""
    r"""|@import|url\(["']?(?:https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    recipe = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "-m sphinx" in line).split()
    words = recipe[recipe.index("sphinx") + 1 :]
    assert words[-4:] == ["-d", "build/doctrees", "docs", "build/site"]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *words[:-4], "-d", str(folder / "doctrees"), "docs", str(folder / "site")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "site"


def test_every_page_is_there(site: Path) -> None:
    for page in pages():
        if page.name.startswith("docs/"):
            assert (site / page.name.removeprefix("docs/")).with_suffix(".html").exists()


def test_nothing_is_fetched_from_another_site(site: Path) -> None:
    files = [file for file in site.rglob("*") if file.suffix in (".html", ".css")]
    assert len(files) > 15
    faults = [(file.name, found[0]) for file in files for found in FETCHED.finditer(file.read_text(encoding="utf-8"))]
    assert faults == []
    assert FETCHED.search('<script async src="https://cdn.example/x.js">')


def test_anchors_are_those_of_the_site(site: Path) -> None:
    for page in pages():
        if page.name.startswith("docs/"):
            html = (site / page.name.removeprefix("docs/")).with_suffix(".html").read_text(encoding="utf-8")
            missing = [title for _, title in page.headings if f'id="{slug(title)}"' not in html]
            assert missing == [], page.name
