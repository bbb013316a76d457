"""The commands about graphs, ``source``, and ``--json`` of every command: good, bad, missing, malformed and empty."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.schemas import validate

import arcgrad as ag
from arcgrad.cli import main
from arcgrad.terminal import coloured

A = ag.Graph([0, 0, 1], [1, 1, 2], [5, 6, 7], weight=[0.5, 0.25, 0.0], accept=[2])
T = ag.Graph([0, 1, 1], [1, 1, 2], [5, -1, 6], [5, -1, 7], weight=[0.0, -1.0, -np.inf], accept=[1, 2])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    ag.save("a.gtn", A)
    ag.save("t.att", T)
    ag.save("empty.gtn", ag.Graph([], [], []))
    (tmp_path / "broken.gtn").write_text("0\n1\n0 1 x\n")
    (tmp_path / "nothing.gtn").write_text("")
    ag.SymbolTable({"x": 5, "yy": 6, "z": 7}).save("s.txt")
    np.save("x.npy", np.zeros((3, 8)))
    np.save("b.npy", np.zeros((2, 3, 8)))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    status = main(argv)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def read_json(capsys: pytest.CaptureFixture[str], schema: str, *argv: str, status: int = 0) -> Any:
    found, out, _ = run(capsys, *argv, "--json")
    assert found == status
    parsed = json.loads(out)
    validate(parsed, schema)
    return parsed


@pytest.mark.parametrize("name", ["c.fst", "c.att", "c.gtn", "c.json", "c.npz", "c"])
def test_convert_to_every_form(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(capsys, "convert", "a.gtn", name) == (0, "", "")
    assert ag.equal(ag.load(name), A)


def test_convert_warns_where_a_form_is_poorer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "convert", "a.gtn", "c.k2")
    assert (status, out) == (0, "")
    assert err.startswith("warning: k2 text cannot express this graph exactly")
    assert ag.load("c.k2").n_arcs == 4


def test_convert_through_pipes(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, "convert", "a.gtn", "-") == (0, A.to_text("gtn"), "")
    monkeypatch.setattr("sys.stdin", io.StringIO(A.to_text("gtn")))
    assert run(capsys, "convert", "-", "-", "--format", "gtn", "--to", "openfst")[1] == A.to_text("openfst")
    monkeypatch.setattr("sys.stdin", io.StringIO(A.to_text("gtn")))
    status, _, err = run(capsys, "convert", "-", "-")
    assert (status, "--format" in err) == (1, True)


def test_convert_takes_literals_dense_scores_and_symbols(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "convert", '"<x>z"', "c.att", "--symbols", "s.txt")[0] == 0
    assert (folder / "c.att").read_text() == "0\t1\tx\tx\n1\t2\tz\tz\n2\n"
    assert run(capsys, "convert", "x.npy", "c.gtn")[0] == 0
    assert ag.load("c.gtn").n_arcs == 24


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.gtn", "c.pdf"], "the suffix .pdf"),
        (["a.gtn", "c.arpa"], "is read and not written"),
        (["a.gtn", "c", "--to", "what"], "no graph format 'what'"),
        (["no.gtn", "c"], "no.gtn: No such file"),
        (["broken.gtn", "c"], "broken.gtn:3"),
        (["nothing.gtn", "c"], "nothing.gtn"),
        (["b.npy", "c"], "not one graph"),
        (["1:2", "c"], "is no graph"),
        (["0.5", "c"], "is no graph"),
        (['"abc', "c"], "never closed"),
        (['"a" + B', "c"], "has the name B"),
        (["", "c"], ""),
        (["a.gtn", "no/folder/c.gtn"], "No such file"),
        (["a.gtn", "c", "--symbols", "no.txt"], "no.txt: No such file"),
        (["a.gtn", "c", "--symbols", "broken.gtn"], "broken.gtn:1"),
    ],
)
def test_convert_refuses(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    status, out, err = run(capsys, "convert", *words)
    assert (status, out) == (1, "")
    assert err.startswith("arcgrad: ")
    assert message in err
    assert not (folder / "c").exists()


def test_info(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "info", "a.gtn", "t.att", "x.npy")
    assert status == 0
    assert out == (
        "a.gtn\n"
        "  acceptor, acyclic\n"
        "  states     3, start 0, accept 2\n"
        "  arcs       3, 0 of them ε\n"
        "  labels     3\n"
        "  weights    0 to 0.5 nats\n"
        "  paths      2\n"
        "\n"
        "t.att\n"
        "  transducer, with cycles\n"
        "  states     3, start 0, accept 1 2\n"
        "  arcs       3, 1 of them ε\n"
        "  labels     2 of input, 2 of output\n"
        "  weights    -1 to 0 nats\n"
        "  absent     1 arcs of weight -inf\n"
        "  paths      inf\n"
        "\n"
        "x.npy\n"
        "  an array of scores of shape (3, 8)\n"
    )
    assert "paths      about 10^30" in run(capsys, "info", '("a" + "b"){100}')[1]


def test_options_stand_anywhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = run(capsys, "info", "--json", "a.gtn", "t.att")
    assert expected[1].count("\n") == 2
    assert run(capsys, "info", "a.gtn", "--json", "t.att") == expected
    assert run(capsys, "info", "a.gtn", "t.att", "--json") == expected
    assert run(capsys, "convert", "a.gtn", "--to", "openfst", "-")[1] == A.to_text("openfst")
    with pytest.raises(SystemExit):
        main(["paths", "a.gtn", "-n", "2", "t.att"])


def test_info_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_json(capsys, "info", "info", "t.att")
    assert (found["n_states"], found["n_arcs"], found["n_absent"], found["n_paths"]) == (3, 3, 1, "inf")
    assert read_json(capsys, "info", "info", "empty.gtn")["weights"] is None
    assert read_json(capsys, "info", "info", "b.npy")["shape"] == [2, 3, 8]
    assert "none" in run(capsys, "info", "empty.gtn")[1]


@pytest.mark.parametrize("word", ["no.gtn", "broken.gtn", "nothing.gtn", "3", "1:2", '"a', "x.xyz"])
@pytest.mark.parametrize("command", ["info", "paths"])
def test_info_and_paths_refuse(folder: Path, capsys: pytest.CaptureFixture[str], command: str, word: str) -> None:
    status, out, err = run(capsys, command, word)
    assert (status, out) == (1, "")
    assert err.startswith("arcgrad: ")
    error = read_json(capsys, "failure", command, word, status=1)["error"]
    assert error["message"]
    assert error["message"].splitlines()[0] in err


def test_paths(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "paths", "a.gtn")[:2] == (0, "         0.5  5 7\n        0.25  6 7\n")
    assert run(capsys, "paths", "a.gtn", "-n", "1", "--symbols", "s.txt")[1] == "         0.5  x z\n"
    assert run(capsys, "paths", '"cat" + ε', "-n", "5")[1] == "         0.0  ε\n         0.0  cat\n"
    assert run(capsys, "paths", "t.att", "-n", "2")[1] == "         0.0  5 : 5\n        -1.0  5 : 5\n"
    assert run(capsys, "paths", "t.att", "-n", "3", "--strings")[1] == "         0.0  5 : 5\n"
    assert run(capsys, "paths", "empty.gtn") == (0, "", "")
    assert run(capsys, "paths", "a.gtn", "-n", "0") == (0, "", "")
    assert run(capsys, "paths", "a.gtn", "-n", "-1")[0] == 1


def test_paths_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_json(capsys, "paths", "paths", "a.gtn", "-n", "1", "--isymbols", "s.txt")
    assert found == {"paths": [{"weight": 0.5, "arcs": [0, 2], "input": ["x", "z"], "output": [5, 7]}]}
    assert read_json(capsys, "paths", "paths", "empty.gtn", "--strings") == {"paths": []}


def test_source(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "source", "LSE[A]", "A=a.gtn")
    assert status == 0
    assert "def routine(" in out
    assert read_json(capsys, "source", "source", "LSE[A]", "A=a.gtn")["source"].startswith(out[:100])
    assert run(capsys, "source", "LSE[A]")[0] == 1
    assert run(capsys, "source", "LSE[A", "A=a.gtn")[0] == 1


def test_eval_takes_literals(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "eval", "COUNT[A]", 'A="cat" + "dog"')[:2] == (0, "2\n")
    assert run(capsys, "eval", "MAX[A ∘ B]", 'A=("<x>" + "<yy>") "z"', "B=a.gtn", "--symbols", "s.txt")[1] == "0.5\n"
    status, _, err = run(capsys, "eval", "LSE[A]", 'A=re"a(b"')
    assert status == 1
    assert "^" in err


def test_eval_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_json(capsys, "evaluation", "eval", "LSE[A ∘ A] - α", "A=a.gtn", "α=1", "--grad")
    value, gradient = ag.compile("LSE[A ∘ A] - α").value_and_grad({"A": A, "α": 1.0})
    assert found["value"]["value"] == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(found["gradient"]["A"]["values"], gradient["A"], rtol=1e-12)
    assert found["gradient"]["α"] == {"of": "number", "values": -1.0, "shortened": False}
    graph = read_json(capsys, "evaluation", "eval", "A A", "A=a.gtn", "--symbols", "s.txt")["value"]
    assert (graph["n_arcs"], graph["symbols"]) == (7, {"5": "x", "6": "yy", "7": "z"})
    batch = read_json(capsys, "evaluation", "eval", "LSE[A]", "A=a.gtn", "A=empty.gtn", "--grad")
    assert [item["value"] for item in batch["value"]["items"]][1] == "-inf"
    assert [len(values) for values in batch["gradient"]["A"]["values"]] == [3, 0]
    assert read_json(capsys, "evaluation", "eval", "LSE[X]", "X=x.npy", "--grad")["gradient"]["X"]["of"] == "scores"


def test_counts_have_all_their_digits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("long.npy", np.zeros((5000, 10)))
    assert run(capsys, "eval", "COUNT[X]", "X=long.npy")[:2] == (0, "1" + "0" * 5000 + "\n")
    found = read_json(capsys, "evaluation", "eval", "COUNT[X]", "X=long.npy")
    assert found["value"]["value"] == "1" + "0" * 5000


def test_explain_and_cache_as_json(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read_json(capsys, "explanation", "explain", "LSE[relabel[rev[A], m]]")
    assert found["inputs"] == {"A": "graph", "m": "mapping"}
    assert found["tier"] is None
    assert read_json(capsys, "explanation", "explain", "LSE[A]", "A=a.gtn")["costs"]
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(folder / "cache"))
    assert read_json(capsys, "cache", "cache", "info") == {"dir": str(folder / "cache"), "files": 0, "bytes": 0}


@pytest.mark.parametrize("command", ["eval", "explain", "source"])
def test_failures_as_json(folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    error = read_json(capsys, "failure", command, "LSE[A", status=1)["error"]
    assert (error["kind"], error["column"], error["where"]) == ("EquationError", 4, "equation")
    error = read_json(capsys, "failure", command, "LSE[A]", "A=broken.gtn", status=1)["error"]
    assert (error["kind"], error["line"]) == ("FormatError", 3)
    error = read_json(capsys, "failure", command, "LSE[A]", "A=no.gtn", status=1)["error"]
    assert (error["kind"], error["where"]) == ("FileNotFoundError", "file")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    message = "arcgrad: `[` is never closed\n  LSE[A\n     ^\nhint: close it"
    assert coloured(message, io.StringIO()) == message
    shown = coloured(message, _Terminal())
    assert shown.count("\x1b[0m") == 3
    assert "\x1b[1;31m     ^\x1b[0m" in shown
    for name, value in (("TERM", "dumb"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
        assert coloured(message, _Terminal()) == message
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ('det["a" + "a"]', "  a"),
        ('("ab")⟨0.5⟩', "  ab"),
        ('in["a" : "b"]', "  a"),
        ('NBEST["a" + "b"⟨1⟩, 1]', "  b"),
        ('"aba" ∘ rewrite["b" : "p", "a", ε, re"[a-z]"]', "  aba : apa"),
        ('rewrite["b" : "p", "a", ε, re"[ab]"]', "  ε : ε"),
    ],
)
def test_an_expression_may_begin_with_an_operator(
    folder: Path, capsys: pytest.CaptureFixture[str], word: str, first: str
) -> None:
    status, out, err = run(capsys, "paths", word, "-n", "1")
    assert (status, err) == (0, "")
    assert out.endswith(first + "\n")


@pytest.mark.parametrize("word", ["missing [1].gtn", "missing file.fst", "missing"])
def test_a_missing_file_is_no_expression(folder: Path, capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert run(capsys, "info", word) == (1, "", f"arcgrad: {word}: No such file or directory\n")


def test_files_with_brackets_are_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ag.save("in[1] x", A, "gtn")
    assert run(capsys, "convert", "in[1] x", "c.gtn", "--format", "gtn") == (0, "", "")
    assert ag.equal(ag.load("c.gtn"), A)


@pytest.fixture
def named(folder: Path) -> Path:
    own = ag.SymbolTable({"k": 1, "a": 2, "b": 3})
    ag.save("ph.fst", ag.Graph([0, 1], [1, 2], [1, 2], [1, 3], accept=[2]), isymbols=own, osymbols=own)
    ag.SymbolTable({"a": 1, "b": 2, "k": 3}).save("other.txt")
    own.save("same.txt")
    return folder


def test_a_file_s_own_symbols_are_shown(named: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "paths", "ph.fst") == (0, "         0.0  k a : k b\n", "")
    assert run(capsys, "paths", "ph.fst", "--symbols", "same.txt") == (0, "         0.0  k a : k b\n", "")
    (found,) = read_json(capsys, "paths", "paths", "ph.fst")["paths"]
    assert (found["input"], found["output"]) == (["k", "a"], ["k", "b"])
    assert run(capsys, "info", "ph.fst")[1].endswith("  symbols    3 of input and 3 of output\n")
    status, out, err = run(capsys, "draw", "ph.fst")
    assert (status, err) == (0, "")
    assert ">a:b<" in out
    assert run(capsys, "convert", "ph.fst", "-", "--to", "att") == (0, "0\t1\tk\tk\n1\t2\ta\tb\n2\n", "")


def test_a_table_of_other_labels_is_warned_of(named: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["paths", "ph.fst"], ["eval", "MAX[A]", "A=ph.fst"], ["info", "ph.fst"]):
        status, _, err = run(capsys, *words, "--symbols", "other.txt")
        assert status == 0
        assert "'k' has label 1 in the file's own table of symbols, but 3 in --symbols" in err
    assert run(capsys, "paths", "ph.fst", "--symbols", "other.txt")[1] == "         0.0  k a : k b\n"
    words = ["--isymbols", "other.txt", "--osymbols", "other.txt"]
    assert run(capsys, "paths", "ph.fst", *words) == (0, "         0.0  k a : k b\n", "")


def test_convert_keeps_symbols_or_warns(named: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "convert", "ph.fst", "c.fst") == (0, "", "")
    assert ag.load_symbols("c.fst", "output") == ag.SymbolTable({"k": 1, "a": 2, "b": 3})
    status, _, err = run(capsys, "convert", "ph.fst", "c.gtn")
    assert (status, err) == (0, "warning: the form 'gtn' holds no symbols, which are left out\n")
    ag.save("part.fst", ag.linear([1, 2]), isymbols={"k": 1}, osymbols={"k": 1})
    status, out, err = run(capsys, "convert", "part.fst", "-", "--to", "openfst")
    assert (status, out) == (0, "0\t1\t1\t1\n1\t2\t2\t2\n2\n")
    assert err == "warning: labels are written as numbers, since not all of them have symbols\n"
    assert run(capsys, "paths", "part.fst") == (0, "         0.0  k 2\n", "")


def test_graph_expressions_take_inputs(named: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ag.save("r.fst", ag.Graph([0, 1], [1, 2], [97, 98], [97, 112], accept=[2]))
    assert run(capsys, "paths", '"ab" ∘ R', "R=r.fst") == (0, "         0.0  ab : ap\n", "")
    assert run(capsys, "paths", "R ∘ S", "R=ph.fst", "S=ph.fst") == (0, "", "")
    assert run(capsys, "paths", "R⁻¹", "R=ph.fst") == (0, "         0.0  k b : k a\n", "")
    assert run(capsys, "paths", "A", "A=a.gtn", "-n", "1") == (0, "         0.5  5 7\n", "")
    assert run(capsys, "convert", "out[R]", "-", "R=r.fst")[1].splitlines()[2:] == ["0 1 97 97 0.0", "1 2 112 112 0.0"]
    assert "  states     3" in run(capsys, "info", "in[R]", "R=r.fst")[1]
    Path("d.txt").write_text("Twice[X] = X X;\n")
    assert run(capsys, "paths", 'Twice["ab"]', "--definitions", "d.txt") == (0, "         0.0  abab\n", "")
    status, out, err = run(capsys, "paths", "R ∘ S", "R=r.fst")
    assert (status, out) == (1, "")
    assert "has the name S, which is given no value\nhint: give it as S=FILE" in err
    status, _, err = run(capsys, "paths", "r.fst", "R=r.fst")
    assert (status, err.partition("\n")[0]) == (1, "arcgrad: r.fst is a graph as it is, but an input is given")
    assert "is no graph" in run(capsys, "paths", "MAX[R]", "R=r.fst")[2]


def test_an_empty_graph_can_be_read_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "convert", "empty.gtn", "-")
    assert (status, err) == (0, "")
    assert ag.equal(ag.Graph.from_text(out, "gtn"), ag.Graph([], [], []))
    assert run(capsys, "convert", "∅", "-") == (0, "\n\n", "")


def test_pictures_are_for_draw(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "arcgrad draw a.gtn -o n.svg" in run(capsys, "convert", "a.gtn", "n.pdf")[2]
    assert "arcgrad draw a.gtn -o n.dot" in run(capsys, "convert", "a.gtn", "n.dot")[2]


def test_messages_name_options_of_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "eval", '"<foo>"')[2].endswith("hint: give --symbols FILE\n")
    Path("named.att").write_text("0 1 k k\n1\n")
    assert "of symbols give the table, --isymbols FILE" in run(capsys, "info", "named.att")[2]
    ag.save("third.gtn", ag.linear([1], [1 / 3]))
    assert "(--arc-type log64 keeps them)" in run(capsys, "convert", "third.gtn", "c.fst")[2]
    assert run(capsys, "convert", "third.gtn", "c.fst", "--arc-type", "log64") == (0, "", "")
    assert ag.load("c.fst").arc_weight.tolist() == [1 / 3]
    assert "hint: only .fst has" in run(capsys, "convert", "third.gtn", "c.k2", "--arc-type", "log")[2]
