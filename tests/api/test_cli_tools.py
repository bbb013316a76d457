"""``draw``, ``doctor`` and ``completion``."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.schemas import validate

import arcgrad as ag
from arcgrad.cli import doctor, main, make_parser


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    ag.save("a.gtn", ag.Graph([0, 0, 1], [1, 1, 2], [5, 6, 7], weight=[0.5, 0.25, 0.0], accept=[2]))
    ag.SymbolTable({"x": 5, "yy": 6, "z": 7}).save("s.txt")
    np.save("x.npy", np.zeros((3, 8)))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    status = main(argv)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    "words",
    [
        ["a.gtn"], ["a.gtn", "--symbols", "s.txt"], ['"cat" + ε'], ['graph"0 1 a 0.5; 1"'], ["A A", "A=a.gtn"],
        ["LSE[A ∘ B]", "A=a.gtn", "B=a.gtn", "--grad", "A"], ["LSE[A] + α", "A=a.gtn", "α=1"],
    ],
)  # fmt: skip
def test_draw(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    status, out, err = run(capsys, "draw", *words)
    assert (status, err) == (0, "")
    assert out.startswith("<svg")
    assert out.endswith("</svg>\n")
    assert run(capsys, "draw", *words, "-o", "picture.svg") == (0, "", "")
    assert (folder / "picture.svg").read_text() == out
    assert run(capsys, "draw", *words, "-o", "picture.dot")[0] == 0
    assert "digraph" in (folder / "picture.dot").read_text()


def test_pictures_name_labels_and_show_gradients(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ">yy/0.25<" in run(capsys, "draw", "a.gtn", "--symbols", "s.txt")[1]
    assert ">6/0.25<" in run(capsys, "draw", "a.gtn")[1]
    assert ">a<" in run(capsys, "draw", '"a"')[1]
    plain = run(capsys, "draw", "A", "A=a.gtn")[1]
    assert run(capsys, "draw", "LSE[A]", "A=a.gtn", "--grad", "A")[1] != plain


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no.gtn"], ""),
        (["a.gtn", "A=a.gtn"], "takes no inputs"),
        (["a.gtn", "--grad", "A"], "takes no inputs"),
        (["A", "A=a.gtn", "-o", "picture.pdf"], ".pdf"),
        (["A", "A=a.gtn", "-o", "no/such/folder.svg"], "No such file"),
        (["A A"], "missing input"),
        (["A A", "A=a.gtn", "A=a.gtn"], "no picture of a batch"),
        (["LSE[X]", "X=x.npy", "--grad", "X"], "no picture of an array of scores"),
        (["α LSE[A]", "A=a.gtn", "α=1", "--grad", "α"], "no picture of a number"),
        (["LSE[A]", "A=a.gtn", "--grad", "B"], "'B' is not an input"),
        (["LSE[A", "A=a.gtn"], "^"),
        (["", "A=a.gtn"], ""),
        (["A", "A=a.gtn", "--symbols", "no.txt"], "no.txt"),
    ],
)
def test_draw_refuses(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    status, out, err = run(capsys, "draw", *words)
    assert (status, out) == (1, "")
    assert err.startswith("arcgrad: ")
    assert message in err


def test_doctor_finds_this_installation_well(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "doctor", "--json")
    found = json.loads(out)
    validate(found, "doctor")
    assert (status, found["ok"]) == (0, True)
    by_name = {check["name"]: check for check in found["checks"]}
    assert by_name["arcgrad"]["what"].startswith(ag.__version__)
    assert os.environ["ARCGRAD_CACHE_DIR"] in by_name["cache"]["what"]
    assert by_name["self-test"]["status"] == "ok"
    status, out, _ = run(capsys, "doctor")
    assert status == 0
    assert [line.split()[1] for line in out.splitlines()] == list(by_name)


def checked(name: str) -> doctor.Check:
    return next(check for check in doctor.checks() if check.name == name)


def test_doctor_sees_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_to_all = tmp_path / "cache"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(open_to_all))
    monkeypatch.setitem(doctor._LOOKS, "self-test", lambda: ("ok", ""))
    assert checked("cache").status == "problem"
    assert str(open_to_all) in checked("cache").what
    assert run(capsys, "doctor")[0] == 1
    open_to_all.chmod(stat.S_IRWXU)
    assert checked("cache").status == "ok"
    monkeypatch.setenv("ARCGRAD_COMPILE", "never")
    assert checked("compiler").status == "problem"


def test_doctor_sees_wrong_values(monkeypatch: pytest.MonkeyPatch) -> None:
    from arcgrad.equation import Equation

    right = Equation.value_and_grad

    def wrong(self: Equation, *args: object, **named: object) -> object:
        value, gradient = right(self, *args, **named)  # type: ignore[arg-type]
        return value + 1e-6, gradient

    monkeypatch.setattr(Equation, "value_and_grad", wrong)
    assert checked("self-test").status == "problem"
    monkeypatch.setattr(Equation, "value_and_grad", lambda self, **_: 1 / 0)
    assert checked("self-test").what == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_what_the_shell_understands(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    status, out, _ = run(capsys, "completion", shell)
    assert status == 0
    assert all(f"{command}" in out for command in ("eval", "convert", "doctor", "serve"))
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n"], input=out, text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ev"], ["eval"]),
        (["eval", "LSE[A]", "--mo"], ["--mode"]),
        (["eval", "LSE[A]", "--mode", "k"], ["kernels"]),
        (["cache", "c"], ["clear"]),
        (["completion", "z"], ["zsh"]),
        (["eval", "LSE[A]", "A", "=", "a.g"], ["a.gtn"]),
        (["eval", "LSE[A]", "A", "=", "e"], []),
        (["info", "a"], ["a.gtn"]),
        (["eval", "LSE[A]", "--symbols", "s"], ["s.txt"]),
    ],
)
def test_bash_completes(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: list[str]
) -> None:
    script = run(capsys, "completion", "bash")[1]
    script += 'COMP_WORDS=(arcgrad "$@"); COMP_CWORD=$#; _arcgrad; printf "%s\\n" "${COMPREPLY[@]}"\n'
    done = subprocess.run(["bash", "-c", script, "bash", *words], text=True, capture_output=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (expected, "")


def test_every_command_is_described_and_leads_somewhere(capsys: pytest.CaptureFixture[str]) -> None:
    import importlib

    parser = make_parser()
    words = [
        "eval",
        "explain",
        "source",
        "convert",
        "info",
        "paths",
        "draw",
        "repl",
        "serve",
        "cache",
        "doctor",
        "completion",
    ]
    for word in words:
        with pytest.raises(SystemExit) as stopped:
            parser.parse_args([word, "--help"])
        assert stopped.value.code == 0
        assert len(capsys.readouterr().out) > 100
        choices = parser._subparsers._group_actions[0].choices  # type: ignore[union-attr]
        module, _, function = choices[word].get_default("run").partition(":")  # type: ignore[index,call-overload]
        assert callable(getattr(importlib.import_module(f"arcgrad.cli.{module}"), function))
    assert sorted(choices) == sorted(words)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", ["convert", "info", "paths", "draw", "source", "completion", "cache"])
def test_commands_without_their_arguments(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command])
    assert stopped.value.code == 2
    assert f"usage: arcgrad {command}" in capsys.readouterr().err
