"""The REPL on a pseudo-terminal, as people use it; without prompt_toolkit, on poor terminals, and from a pipe."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.screen import Terminal

import arcgrad as ag
from arcgrad.repl import run_repl
from arcgrad.repl.prompt import history_file

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")

START = [sys.executable, "-m", "arcgrad"]
_HIDE = "import sys; sys.modules['prompt_toolkit'] = None; from arcgrad.cli import main; sys.exit(main([]))"
# Subset construction of 2²² states: it would take minutes.
LONG = 'COUNT[det[AB* "a" AB{22}] ∘ AB{22}]'


def test_a_session_from_start_to_end(tmp_path: Path) -> None:
    pytest.importorskip("prompt_toolkit")
    with Terminal(START, ARCGRAD_CACHE_DIR=str(tmp_path / "cache")) as terminal:
        terminal.wait_for("\narcgrad>")
        terminal.type('A = graph"0 1 a 0.5\r0 1 b -1\r1 2 b; 2"\r')  # goes on while the quotes are open
        terminal.type("LSE[A \\circ\t ")  # LaTeX becomes a sign at once
        terminal.wait_for("LSE[A ∘")
        terminal.type('"ab"]\r')
        assert '      .. 1 2 b; 2"' in terminal.wait_for("\n0.5\n")
        terminal.type("LSE[\r  A +\r  A\r]\r")  # an open bracket goes on, too
        terminal.wait_for("1.3945604")
        terminal.type("LSE[A ∘ LSE[A]]\r")
        terminal.wait_for("  LSE[A ∘ LSE[A]]\n          ^^^^^^\n")
        terminal.type("LSE[A]\r:gr\t\r")  # a command is completed
        shown = terminal.wait_for("0.182426", after=":grad")
        assert "    0     0   1      a     0.5  0.817574" in shown
        terminal.type(":draw A\r")
        assert "    ╰──b/−1─▶╯" in terminal.wait_for(">(0)┬─a/0.5─▶┬(1)──b─▶─((2))\n    ╰", after=":draw A")
        terminal.type(":jacobian A A wrt A\r")
        terminal.wait_for("  6 b    .    .    1", after=":jacobian")
        terminal.type(":del A\r:names\r")
        terminal.wait_for("nothing is loaded or defined", after=":names")
        terminal.type('AB = "a" + "b"\r' + LONG + "\r")
        terminal.wait_for(f"arcgrad> {LONG}")
        terminal.wait_until_it_computes()
        terminal.type("\x03")
        terminal.wait_for("interrupted")
        terminal.type("LSE[ half an entry\x03")  # and one within an entry
        terminal.type("COUNT[AB{3}]\r")
        terminal.wait_for("\n8\n", after="COUNT[AB{3}]")
        terminal.type("\x04")
        assert terminal.ends() == 0
    history = tmp_path / "cache" / "history"
    assert "LSE[A ∘ " in history.read_text(encoding="utf-8")
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_without_prompt_toolkit_it_says_so_and_readline_does(tmp_path: Path) -> None:
    pytest.importorskip("readline")
    command = [sys.executable, "-c", _HIDE]
    with Terminal(command, ARCGRAD_CACHE_DIR=str(tmp_path / "cache"), NO_COLOR="1") as terminal:
        shown = terminal.wait_for("\narcgrad>")
        assert "`pip install arcgrad[repl]`" in shown
        terminal.type("A = \\alpha\t + 1\r")
        terminal.wait_for("A = α + 1")
        terminal.type('LSE["a"\r+ "b"]\r')
        terminal.wait_for('      .. + "b"]\n0.693147')
        terminal.wait_for("\narcgrad>", after="0.693147")
        terminal.type("AB = (")
        terminal.wait_for("arcgrad> AB = (")
        terminal.type_until("\x03", "\narcgrad>", after="AB = (")  # between two keys, readline hears it at the next
        terminal.type("COUNT[ε]\r")
        terminal.wait_for("\n1\n", after="COUNT[ε]")
        terminal.type(":quit\r")
        assert terminal.ends() == 0
    kept = tmp_path / "cache" / "history-readline"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "COUNT[ε]" in kept.read_text(encoding="utf-8")


def test_a_dumb_terminal_without_signs(tmp_path: Path) -> None:
    where = {"TERM": "dumb", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    with Terminal(START, ARCGRAD_CACHE_DIR=str(tmp_path / "cache"), **where) as terminal:
        terminal.wait_for("\narcgrad>")
        terminal.type('graph"0 1 a:\\"; 0 1 b -2; 1"\r')
        assert '>(0)+---a:"-->+((1))' in terminal.wait_for("    +-b:b/-2->+")
        terminal.type("LSE[A @ B\r\r")
        terminal.wait_for("  LSE[A @ B\n     ^")
        terminal.type("\x04")
        assert terminal.ends() == 0


def test_what_is_piped_in_is_answered_without_prompts(tmp_path: Path) -> None:
    script = 'A = "a" + \\\n'.replace("\\\n", "\n") + 'A = ("a" +\n"b")\nCOUNT[A{2}]\nquit\n1 + 1\n'
    done = subprocess.run(
        START, input=script, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False,
        env={**os.environ, "ARCGRAD_CACHE_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("error: ")  # a line that ends in `+` is not open
    assert done.stdout.splitlines()[-1] == "4"
    assert done.stderr == ""


def test_a_closed_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    run_repl()
    assert "the standard input is closed" in capsys.readouterr().err
    closed = io.StringIO()
    closed.close()
    output = io.StringIO()
    run_repl(closed, output)
    assert output.getvalue() == "arcgrad> \n"


def test_the_history_is_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(tmp_path / "cache"))
    path = history_file("history")
    assert path is not None
    path.chmod(0o644)
    assert stat.S_IMODE(history_file("history").stat().st_mode) == 0o600  # type: ignore[union-attr]
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert history_file("history") is None  # nor through a link
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(tmp_path / "cache" / "history" / "no folder"))
    assert history_file("history") is None


def test_ag_repl_starts_with_what_it_is_given() -> None:
    output = io.StringIO()
    ag.repl(io.StringIO("COUNT[A]\nα LSE[B₁⟨α⟩]\n"), output, A=ag.linear("ab"), B_1=ag.linear([1]), α=2.0)
    assert output.getvalue() == "arcgrad> 1\narcgrad> 4.0\narcgrad> \n"
