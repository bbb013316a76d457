"""What docs/cli.md shows is what happens: its console blocks in order, in a folder of their own."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
from support.printed import rounded

from arcgrad.cli import main, make_parser

PAGE = (Path(__file__).parent.parent.parent / "docs" / "cli.md").read_text(encoding="utf-8")


def test_console_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = "".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    printed = io.StringIO()
    commands = [line for line in shown.splitlines() if line.startswith("$ ")]
    assert len(commands) > 12
    for line in commands:
        program, *arguments = shlex.split(line[2:])
        assert program == "arcgrad"
        print(line, file=printed)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            main(arguments)
    assert rounded(printed.getvalue()) == rounded(shown)
    assert (tmp_path / "a.svg").read_text().startswith("<svg")


def test_the_page_names_every_command() -> None:
    actions = make_parser()._subparsers._group_actions  # type: ignore[union-attr]
    commands = list(actions[0].choices)  # type: ignore[arg-type]
    assert len(commands) > 10
    assert [name for name in commands if not re.search(rf"`{name}`|arcgrad {name}\b", PAGE)] == []
