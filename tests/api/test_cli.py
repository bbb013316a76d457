"""The command line: what it prints, where, and with which exit status."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.cli import main

A = ag.Graph([0, 0, 1], [1, 1, 2], [5, 6, 7], weight=[0.5, 0.25, 0.0], accept=[2])
B = ag.linear([5, 7], [1.0, 0.0])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    ag.save("a.gtn", A)
    (tmp_path / "a.txt").write_text(A.to_text("gtn"))
    ag.save("b.att", B)
    ag.save("b.fst", B, isymbols={"x": 5, "y": 7})
    ag.SymbolTable({"y": 7, "x": 5}).save("xy.syms")
    ag.save("b", B)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    status = main(argv)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("a", ["a.gtn", "a.txt"])
@pytest.mark.parametrize("b", ["b.att", "b.fst", "b"])
def test_eval_prints_the_value(folder: Path, capsys: pytest.CaptureFixture[str], a: str, b: str) -> None:
    assert run(capsys, "eval", "LSE[A ∘ B]", f"A={a}", f"B={b}") == (0, "1.5\n", "")


def test_eval_prints_gradients_arc_by_arc(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "eval", "LSE[A ∘ B]", "A=a.txt", "B=b.att", "--grad")
    assert (status, err) == (0, "")
    assert out == (
        "1.5\n"
        "gradient with respect to A\n"
        "  arc  from  to  label  weight  gradient\n"
        "    0     0   1      5     0.5         1\n"
        "    1     0   1      6    0.25         0\n"
        "    2     1   2      7       0         1\n"
        "gradient with respect to B\n"
        "  arc  from  to  label  weight  gradient\n"
        "    0     0   1      5       1         1\n"
        "    1     1   2      7       0         1\n"
    )


def test_gradient_by_one_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "eval", "LSE[A ∘ B]", "A=a.txt", "B=b.att", "--wrt", "B")
    assert "gradient with respect to B" in out
    assert "gradient with respect to A" not in out


def test_options_may_stand_anywhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = run(capsys, "eval", "LSE[A ∘ B]", "A=a.txt", "B=b.att", "--grad")
    assert run(capsys, "eval", "--grad", "LSE[A ∘ B]", "A=a.txt", "B=b.att") == expected
    assert run(capsys, "eval", "LSE[A ∘ B]", "A=a.txt", "--grad", "B=b.att") == expected


def test_graphs_are_printed_as_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "eval", "A ∘ B", "A=a.txt", "B=b.att")
    assert status == 0
    assert ag.equal(ag.Graph.from_text(out), ag.compile("A ∘ B")(A=A, B=B))
    _, out, _ = run(capsys, "eval", "A ∘ B", "A=a.txt", "B=b.att", "--to", "openfst")
    assert out.split() == ["0", "1", "5", "5", "-1.5", "1", "2", "7", "7", "2"]


def test_format_overrides_the_suffix(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "odd.npz").write_text(A.to_text("openfst"))
    status, out, _ = run(capsys, "eval", "MAX[A]", "A=odd.npz", "--format", "openfst")
    assert (status, out) == (0, "0.5\n")


def test_scores_dense_inputs_and_mappings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("x.npy", np.log([[0.25, 0.75], [0.5, 0.5]]))
    assert run(capsys, "eval", "2 α + LSE[X]", "X=x.npy", "\\alpha=0.5")[:2] == (0, "1.0\n")
    _, out, _ = run(capsys, "eval", "LSE[X]", "X=x.npy", "--grad")
    assert "[[0.25 0.75]\n   [0.5  0.5 ]]" in out
    _, out, _ = run(capsys, "eval", "relabel[A, m]", "A=b.att", "m=5:9,7:8")
    assert out.splitlines()[2:] == ["0 1 9 9 1.0", "1 2 8 8 0.0"]


def test_names_given_twice_make_a_batch(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "eval", "LSE[A] + α", "A=a.txt", "A=b.att", "α=1", "α=2")
    assert status == 0
    assert [float(line) for line in out.split()] == pytest.approx([1 + np.logaddexp(0.5, 0.25), 3.0])
    _, out, _ = run(capsys, "eval", "A A", "A=a.txt", "A=b.att")
    assert out.startswith("# item 0\n")
    _, out, _ = run(capsys, "eval", "LSE[A]", "A=a.txt", "A=b.att", "--grad")
    assert "# item 1\n" in out
    status, _, err = run(capsys, "eval", "LSE[A]", "A=a.txt", "A=3")
    assert status == 1
    assert "A is given 2 times" in err


def test_symbols_and_definitions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ag.SymbolTable(["x", "y"], first=5).save("symbols.txt")
    assert run(capsys, "eval", 'MAX[A ∘ ("x" + "y") ∘ A]', "A=b.att", "--symbols", "symbols.txt")[1] == "-inf\n"
    (folder / "definitions.txt").write_text("twice[P] = P P\n")
    assert run(capsys, "eval", 'COUNT[twice["a"]]', "--definitions", "definitions.txt")[1] == "1\n"


def test_program_from_stdin(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("C = A ∘ B\nLSE[C]\n"))
    assert run(capsys, "eval", "-", "A=a.txt", "B=b.att")[:2] == (0, "1.5\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["LSE[A"], "arcgrad: `[` is never closed\nat line 1, column 4:\n  LSE[A\n     ^\n"),
        (["LSE[A]"], "missing input: A"),
        (["LSE[A]", "A=nofile.txt"], "nofile.txt: No such file or directory"),
        (["LSE[A]", "A=broken.txt"], "broken.txt:3"),
        (["LSE[A]", "A=words.npy"], "words.npy"),
        (["LSE[A]", "A=text.npy"], "text.npy: the array is none in NumPy's .npy form"),
        (["LSE[A]", "a.txt"], "'a.txt' is not an input"),
        (["LSE[A]", "A=a.txt", "Q=a.txt"], "Q"),
        (["LSE[A]", "A=a.txt", "--format", "pdf"], "'pdf'"),
        (["LSE[A*]", "A=a.txt"], "diverges"),
        (["LSE[A]", "A=a.txt", "--wrt", "Z"], "'Z' is not an input"),
    ],
)
def test_errors_go_to_stderr_without_a_traceback(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (folder / "broken.txt").write_text("0\n1\n0 1 x\n")
    np.save("words.npy", np.array(["a", "b"]))
    (folder / "text.npy").write_text("0.5")
    status, out, err = run(capsys, "eval", *words)
    assert (status, out) == (1, "")
    assert err.startswith("arcgrad: ")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("argv", [["eval"], ["evil", "LSE[A]"], ["eval", "LSE[A]", "--what"], ["cache", "x", "y"]])
def test_wrong_usage_exits_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    assert "usage: arcgrad" in capsys.readouterr().err


def test_explain_with_and_without_inputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "explain", "LSE[A ∘ B]")
    assert status == 0
    assert "LSE[A ∘ B]" in out
    status, with_inputs, _ = run(capsys, "explain", "LSE[A ∘ B]", "A=a.txt", "B=b.att")
    assert status == 0
    assert with_inputs != out


def test_cache_info_and_clear(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(tmp_path / "cache"))
    assert run(capsys, "cache", "clear")[:2] == (0, f"0 files, 0.0 MB in {tmp_path / 'cache'}\n")
    assert run(capsys, "cache", "info")[:2] == (0, f"0 files, 0.0 MB in {tmp_path / 'cache'}\n")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"arcgrad {ag.__version__}\n"


@pytest.mark.slow
def test_module_and_closed_pipe(folder: Path) -> None:
    command = [sys.executable, "-m", "arcgrad", "eval", "MAX[A]", "A=a.txt"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "0.5\n"
    program = f"{sys.executable} -m arcgrad eval 'A{{3000}}' A=a.txt | head -n 1"
    piped = subprocess.run(program, shell=True, check=True, capture_output=True, text=True)
    assert (piped.stdout, piped.stderr) == ("0\n", "")


def test_command_line_needs_no_numba_to_complain(folder: Path) -> None:
    code = "import sys; from arcgrad.cli import main; main(['eval', 'LSE[A']); print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_symbolic_openfst_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "s.txt").write_text("<eps> 0\n<s> 5\nb 7\n", encoding="utf-8")
    (folder / "s.att").write_text("0 1 <s>\n1 2 <eps>\n2 3 b\n3\n", encoding="utf-8")
    for option in ("--isymbols", "--osymbols"):
        status, out, err = run(capsys, "eval", "LSE[A ∘ B]", "A=a.gtn", "B=s.att", option, "s.txt")
        assert (status, out) == ((0, "0.5\n") if option == "--isymbols" else (1, ""))
    assert "give the table, --isymbols FILE" in err


def command(*argv: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    program = "import sys; from arcgrad.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", program, *argv], capture_output=True, timeout=100, **options)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_terminals_that_know_no_signs(folder: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    entries = 'D = "a" + ε\nCOUNT[D]\n:names\nLSE[A ○ B]\nx = é\n'.encode()
    done = command("repl", input=entries, env=environment)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert done.stdout.count(b"error: ") == (1 if encoding == "utf-8" else 4 if encoding == "ascii" else 3)
    assert done.stdout.startswith(b"2\n") is (encoding == "utf-8")
    for words in (("eval", "--help"), ("eval", "LSE[A ○ B]")):
        done = command(*words, env=environment)
        assert b"Traceback" not in done.stderr
        assert done.returncode == (words[1] != "--help")


def test_what_is_not_utf_8(folder: Path) -> None:
    (folder / "d.txt").write_bytes(b"# caf\xe9\nf[P] = P")
    (folder / "s.txt").write_bytes(b"\xff 1\n")
    for words, message in [
        (("eval", "COUNT[f[A]]", "A=a.txt", "--definitions", "d.txt"), b"d.txt:1:6: not text: byte 0xe9 is not UTF-8"),
        (("eval", '"a"', "--symbols", "s.txt"), b"s.txt:1:1: not text"),
        (("eval", "-"), b"<stdin>:1:5: not text"),
    ]:
        done = command(*words, input=b"LSE[\xff]")
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.startswith(b"arcgrad: " + message)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")
def test_an_output_that_takes_nothing(folder: Path) -> None:
    for shell, message in ((">&-", "the standard output is closed"), ("> /dev/full", "No space left on device")):
        script = f"{sys.executable} -m arcgrad eval 'COUNT[A]' A=a.txt {shell}"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=100)
        assert (done.returncode, done.stderr) == (1, f"arcgrad: {message}\n")
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m arcgrad eval '\"a\"' | true"], capture_output=True, timeout=100
    )
    assert done.stderr == b""


@pytest.mark.parametrize("operator", ["push", "minimize"])
def test_a_transform_that_diverges_names_what_is_meant(capsys: pytest.CaptureFixture[str], operator: str) -> None:
    assert main(["eval", f'{operator}["ab"*]']) == 1
    hint = capsys.readouterr().err.rpartition("hint: ")[2]
    assert f"{operator} adds up the weights of all paths unless MAX is around it, as in MAX[{operator}[A]]" in hint
    assert "support[A] makes the smallest deterministic acceptor" in hint
    assert main(["eval", f'MAX[{operator}["ab"*]]']) == 0
    assert main(["eval", 'support["ab"*]']) == 0
    assert main(["eval", 'LSE["a"*]']) == 1
    assert "MAX" not in capsys.readouterr().err


def test_an_empty_graph_is_said_to_be_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", '"a" - "a"']) == 0
    out, err = capsys.readouterr()
    assert ag.Graph.from_text(out, "gtn").n_states == 0
    assert (out, err) == ("\n\n", "the graph is empty: it has no path\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["eval", "∅"]) == 0
    assert capsys.readouterr().out == "∅\n"
    assert main(["eval", "ε"]) == 0
    assert capsys.readouterr() == ("0\n0\n", "")
