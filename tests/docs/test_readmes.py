"""README.zh-CN.md says what README.md says: the same sections, commands, paths and keys.

Whoever changes a command, a path or a key in README.md changes it there too; what the words say, a person reads.
"""

from __future__ import annotations

import re

from tests.docs.pages import READMES, ROOT, Fence, Page

ENGLISH, CHINESE = (Page(name, (ROOT / name).read_text(encoding="utf-8")) for name in READMES)
HAN = re.compile(r"[\u4e00-\u9fff]")
# The tour names files as they come and go; the Chinese one is shorter and leads to docs/architecture.md.
TOUR = "Tour of the tree"


def sections(page: Page) -> list[tuple[str, set[str]]]:
    """Each heading of the second level, and what stands in backticks below it."""
    parts = re.split(r"^## +(.+)$", page.prose, flags=re.M)
    return [
        (title, {" ".join(code.split()) for code in Page("", text).codes})
        for title, text in zip(["", *parts[1::2]], parts[::2], strict=True)
    ]


def commands(fence: Fence) -> list[str]:
    """A block's lines without comments and words of either language."""
    if fence.language == "text":
        return re.findall(r"(?:^|(?<=\s))/[\w/.-]+|\?\w+=", fence.text)
    return [re.sub(r"\s+#.*", "", line) for line in fence.text.splitlines()]


def test_each_links_to_the_other() -> None:
    assert "README.zh-CN.md" in ENGLISH.links
    assert "README.md" in CHINESE.links


def test_the_sections_are_the_same() -> None:
    english, chinese = ENGLISH.headings, CHINESE.headings
    assert [level for level, _ in english] == [level for level, _ in chinese]
    assert [title for _, title in chinese[1:] if not HAN.search(title)] == []


def test_the_blocks_are_the_same() -> None:
    assert [(one.language, one.words, commands(one)) for one in ENGLISH.fences] == [
        (one.language, one.words, commands(one)) for one in CHINESE.fences
    ]


def test_commands_paths_and_keys_are_the_same() -> None:
    """What README.md has in backticks README.zh-CN.md has too, section by section, and nothing else."""
    for (title, english), (_, chinese) in zip(sections(ENGLISH), sections(CHINESE), strict=True):
        if not title.startswith(TOUR):
            assert english == chinese, f"README.zh-CN.md differs from README.md below {title!r}"


def test_the_links_are_the_same() -> None:
    english = [link for link in ENGLISH.links if not link.startswith("README")]
    chinese = [link for link in CHINESE.links if not link.startswith("README") and "architecture" not in link]
    assert english == chinese


def test_it_is_chinese() -> None:
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", CHINESE.prose)
    paragraphs = [text for text in re.split(r"\n\s*\n", prose) if text.strip()][1:]
    assert all(HAN.search(text) for text in paragraphs)
    assert len(HAN.findall(prose)) > 900
