"""The website of docs/: every link and anchor leads somewhere, on GitHub and in the build; the build has no warning."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")), DOCS / "llms.txt"]
FENCE = re.compile(r"^(```+).*?^\1 *$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(`+)(?:(?!\1).)+\1")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors that a page has on GitHub and in the website, both."""
    titles = [title.replace("`", "") for title in HEADING.findall(prose(page))]
    return numbered(map(on_github, titles), "-", 1) & numbered(map(in_the_site, titles), "_", 1)


def on_github(title: str) -> str:
    kept = "".join(letter for letter in title.lower() if letter in "-_ " or unicodedata.category(letter)[0] in "LN")
    return kept.replace(" ", "-")


def in_the_site(title: str) -> str:
    """Python-Markdown's own rule."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def numbered(names: object, separator: str, first: int) -> set[str]:
    """Anchors that occur again get a number."""
    found: set[str] = set()
    for name in names:  # type: ignore[attr-defined]
        number, unique = first, name
        while unique in found:
            unique, number = f"{name}{separator}{number}", number + 1
        found.add(unique)
    return found


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    wrong = []
    for target in LINK.findall(CODE.sub("", prose(page)).replace("\\", "")):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if (
            not file.exists()
            or ROOT not in file.parents
            or (anchor and file.suffix == ".md" and anchor not in anchors(file))
        ):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_anchors_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_broken_links_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# One two\n\n[a](#one-two) [b](#three) [c](page.md#one-two) [d](gone.md) `[e](gone.md)` [f](../x.md)\n"
    )
    assert broken(page) == ["#three", "gone.md", "../x.md"]


class References(HTMLParser):
    """What a page has the browser load by itself: not links, which somebody follows."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") in ("canonical", "prev", "next"):
            return
        self.loaded += [value for name in ("src", "srcset", "data") if (value := given.get(name))]
        if tag == "link" and given.get("href"):
            self.loaded.append(str(given["href"]))


def test_the_site_builds_without_a_warning_and_loads_nothing_from_outside(tmp_path: Path) -> None:
    """Strict: a page outside of the navigation, a broken link or a missing anchor fails it."""
    if importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: pip install arcgrad[docs]")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "WARNING" not in said
    pages = list((tmp_path / "site").glob("*.html"))
    assert {page.stem for page in pages} >= {page.stem for page in DOCS.glob("*.md")}
    loaded = []
    for page in pages:
        reader = References()
        reader.feed(page.read_text(encoding="utf-8"))
        loaded += reader.loaded
    assert len(loaded) >= 4 * len(pages)
    assert [address for address in loaded if "//" in address] == []
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:|@import", style.read_text(encoding="utf-8")), style
