"""What the pages say exists: links, anchors, files, commands, options, keys, metrics; every block says what it is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml

from tests.docs import names
from tests.docs.pages import ADVICE, LANGUAGES, ROOT, RUN, WORDS, Fence, Page, fences, pages

PAGES = pages()
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

# Programs whose commands can't be run here. The list is short, and so is that of the blocks.
PROGRAMS = {
    "docker", "docker-compose", "kubectl", "systemctl", "journalctl", "apt-get", "debootstrap", "buildah", "install",
    "git", "cp", "c", "pip", "pg_dump", "pg_restore", "sysctl", "MASKLINE_COMPILE",
}  # fmt: skip
ELSEWHERE_AT_MOST = 24


@by_page
def test_a_block_says_what_it_is(page: Page) -> None:
    bad = [
        f"{fence.place}: {fence.language or 'no language'} {' '.join(fence.words)}".rstrip()
        for fence in page.fences
        if fence.language not in LANGUAGES or not set(fence.words) <= set(WORDS)
    ]
    assert not bad, "\n".join([*bad, ADVICE])


@by_page
def test_a_block_that_is_not_run_is_at_least_sound(page: Page) -> None:
    faults = [f"{fence.place}: {fault}" for fence in page.fences for fault in _sound(fence)]
    assert not faults, "\n".join([*faults, ADVICE])


def _sound(fence: Fence) -> list[str]:
    try:
        match fence.language:
            case "json":
                json.loads(fence.text)
            case "yaml":
                list(yaml.safe_load_all(fence.text))
            case "toml":
                table = tomllib.loads(fence.text)
                return [] if "other" in fence.words else names.key_faults(table)
            case "text":
                return [
                    f"a command in a text block: {line.strip()}"
                    for line in fence.text.splitlines()
                    if re.match(r"^\s*(\$ |(maskline|curl|make|docker|kubectl|pip) [a-z-])", line)
                ]
            case "sh" | "curl":
                checked = subprocess.run(["bash", "-n"], input=fence.text, capture_output=True, text=True, check=False)
                return checked.stderr.splitlines() + names.block_faults(fence.text)
            case "console":
                return names.block_faults(fence.text)
            case "python":
                compile(fence.text, fence.place, "exec")
    except (ValueError, SyntaxError, yaml.YAMLError) as error:
        return [str(error)]
    return []


def test_blocks_that_run_elsewhere_are_few_and_name_what_exists(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = [fence for page in PAGES for fence in page.fences if "elsewhere" in fence.words]
    faults = []
    for fence in blocks:
        for line in names.shell_lines(fence.text):
            first = line.split("#")[0].split()[:1]
            if first and re.sub(r"=.*|.*/", "", first[0]) not in PROGRAMS:
                faults.append(f"{fence.place}: {line}")
        words = re.findall(r"[\w./*-]+", fence.text)
        faults += [f"{fence.place}: {fault}" for fault in names.file_faults(tuple(word.strip("./") for word in words))]
    with capsys.disabled():
        print(f"\n{len(blocks)} blocks of the documentation are not run here, only looked at:")
        for fence in blocks:
            print(f"  {fence.place}: {fence.text.splitlines()[0]}")
    assert not faults, f"programs that this machine may have are run: {faults}"
    assert len(blocks) <= ELSEWHERE_AT_MOST


def test_make_blocks_name_targets_only() -> None:
    lines = [
        line for page in PAGES for fence in page.fences if "make" in fence.words for line in fence.text.splitlines()
    ]
    assert lines
    assert [line for line in lines if line and not re.match(r"^make [\w =.-]+(#.*)?$", line)] == []
    if shutil.which("make"):
        targets = sorted({word for line in lines for word in line.split("#")[0].split()[1:]})
        subprocess.run(["make", "-n", *targets], cwd=ROOT, check=True, capture_output=True)


def test_no_block_gets_by_unseen() -> None:
    """The harness itself: an indented block, a fence without a language and a new word are each found."""
    text = (
        "Words.\n\n    maskline serve\n\n```\nmaskline\n```\n\n- item\n\n  ```sh later\n  maskline nosuch --x\n  ```\n"
    )
    first, second, third = fences("page", text)
    assert (first.language, first.line, second.language) == ("", 3, "")
    assert (third.language, third.words, third.text) == ("sh", ("later",), "maskline nosuch --x")
    assert names.block_faults(third.text) == ["`maskline nosuch --x`: maskline has no nosuch"]
    (fault,) = names.block_faults("maskline explain --config f --caler 1")
    assert fault.endswith("explain has no option --caler")
    assert names.block_faults("maskline explain --config f --caller 1 && .venv/bin/maskline phone list -c f") == []
    assert names.key_faults({"sip": {"listn": []}, "trunk": [{"numbers": {"form": ""}}]}) == ["no key sip.listn"]
    assert names.file_faults(("gateway/nosuch.py", "gateway/cli.py::main", "gateway/cli.py::nosuch")) == [
        "no file gateway/nosuch.py", "gateway/cli.py has no nosuch",
    ]  # fmt: skip


@by_page
def test_a_command_that_is_named_exists(page: Page) -> None:
    faults = [fault for code in page.codes for fault in names.block_faults(" ".join(code.split()))]
    assert not faults


@by_page
def test_a_key_that_is_named_exists(page: Page) -> None:
    assert [key for key in names.named_keys(page.codes) if not names.is_key(key)] == []


@by_page
def test_a_metric_that_is_named_exists(page: Page) -> None:
    assert names.metric_faults(page.codes) == []


@by_page
def test_a_file_that_is_named_exists(page: Page) -> None:
    assert names.file_faults(page.codes) == []


@by_page
def test_a_link_leads_somewhere(page: Page) -> None:
    faults = []
    for link in page.links:
        path, _, anchor = link.partition("#")
        if re.match(r"^[a-z]+:", link):
            continue
        target = ((ROOT / page.name).parent / path).resolve() if path else ROOT / page.name
        if not target.exists() or (page.name.startswith("docs/") and ROOT / "docs" not in target.parents):
            faults.append(f"{link}: no such page (in docs/, links stay in docs/; name other files in backticks)")
        elif anchor and anchor not in Page("", target.read_text(encoding="utf-8")).anchors:
            faults.append(f"{link}: no such heading")
    assert not faults


def test_every_page_is_in_the_navigation() -> None:
    trees = [fence.text for page in PAGES for fence in page.fences if fence.language == "{toctree}"]
    entries = [re.fullmatch(r"(?:[A-Z].* <)?([a-z][\w/-]*)>?", line) for text in trees for line in text.splitlines()]
    there = sorted(f"docs/{entry[1]}.md" for entry in entries if entry)
    assert there == sorted(
        page.name for page in PAGES if page.name.startswith("docs/") and page.name != "docs/index.md"
    ), "docs/index.md: each page once in a toctree"


def test_a_named_python_file_is_run_by_a_later_block() -> None:
    for page in PAGES:
        for number, fence in enumerate(page.fences):
            if fence.title:
                uses = (
                    f"python3 {fence.title}",
                    f"python3 -m pytest -q {fence.title}",
                    f"from {fence.title.removesuffix('.py')} import",
                )
                later = [one.text for one in page.fences[number + 1 :] if one.language in ("sh", "console", "python")]
                assert any(use in text for use in uses for text in later), fence.place


def test_more_blocks_are_run_than_not() -> None:
    shell = [fence for page in PAGES for fence in page.fences if fence.language in RUN]
    run = [fence for fence in shell if not {"elsewhere", "make", "node"} & set(fence.words)]
    assert len(run) > len(shell) / 2
