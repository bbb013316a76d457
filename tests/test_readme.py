"""What the README shows is what happens."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
from pathlib import Path

import pytest

import arcgrad as ag
from arcgrad.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_python_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks in order, as one conversation, in a folder of its own for the picture that it writes."""
    monkeypatch.chdir(tmp_path)
    conversation = "\n".join(blocks("python"))
    case = doctest.DocTestParser().get_doctest(conversation, {}, "README.md", "README.md", 0)
    assert len(case.examples) > 15
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(case, out=report.append)
    assert not report, "".join(report)
    assert [path.name for path in tmp_path.iterdir()] == ["cat.svg"]


def test_console_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    a = ag.Graph([0, 0, 1], [1, 1, 2], [5, 6, 7], weight=[0.5, 0.25, 0.0], accept=[2])
    (tmp_path / "a.txt").write_text(a.to_text("gtn"))
    (tmp_path / "b.txt").write_text(ag.linear([5, 7], [1.0, 0.0]).to_text("gtn"))
    shown = "".join(blocks("console"))
    printed = io.StringIO()
    for line in shown.splitlines():
        if line.startswith("$ "):
            program, *arguments = shlex.split(line[2:])
            assert program == "arcgrad"
            print(line, file=printed)
            with contextlib.redirect_stdout(printed):
                assert main(arguments) == 0
    assert printed.getvalue() == shown


def test_links_lead_somewhere() -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)", README) if not target.startswith("http")]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+)", "".join(blocks("sh")), re.MULTILINE)
    assert targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_picture_shows_the_numbers_of_the_first_equation() -> None:
    """That it is the one that ``python docs/make`` draws is tested in test_docs."""
    assert re.findall(r"!\[[^]]+\]\((.+)\)", README) == ["docs/pictures/equation.svg"]
    picture = (ROOT / "docs" / "pictures" / "equation.svg").read_text(encoding="utf-8")
    for number in ("−0.3867", "0.7310", "0.2689"):
        assert number in picture
