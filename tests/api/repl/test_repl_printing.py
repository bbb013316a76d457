"""How results look: pictures, tables, what is left out of long ones, 80 columns, and encodings without the signs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from support.printed import rounded

import arcgrad as ag
from arcgrad.repl import Session, run_repl
from arcgrad.repl.commands import COMMANDS
from arcgrad.repl.printing import Printer, in_encoding, spelled
from arcgrad.repl.topics import help_on, topics


@pytest.fixture
def session() -> Session:
    session = Session()
    session.answer('A = graph"0 1 a 0.5; 0 1 b -1; 1 2 b; 2"; B = A A; T = A : "x"')
    return session


def test_small_graphs_are_drawn_and_larger_ones_listed(session: Session) -> None:
    assert session.answer("A") == "Graph: 3 states, 3 arcs, acceptor\n>(0)┬─a/0.5─▶┬(1)──b─▶─((2))\n    ╰──b/−1─▶╯"
    assert session.answer("∅") == "Graph: ∅, without states"
    listed = str(session.answer("A{7}")).splitlines()
    assert listed[0] == "Graph: 21 states, 27 arcs, acceptor, start 0, accept 20"
    assert listed[2] == "    0     0   1      a     0.5"
    assert listed[-1] == "  … and 7 more arcs (:save FILE writes all)"
    session.printer.pictures = False
    assert "   a:ε" in str(session.answer("T"))


def test_a_million_arcs_take_a_few_lines(session: Session) -> None:
    answer = str(session.answer("A{200000}"))
    assert len(answer.splitlines()) < 30
    assert answer.splitlines()[-1].startswith("  … and 799,979 more arcs")


def test_labels_are_characters_where_there_are_literals(session: Session) -> None:
    session.inputs["C"] = ag.linear([5, 97])
    session.printer.pictures = False
    assert "    0     0   1      5       0" in str(session.answer("C"))
    assert "   <5>" in str(session.answer('C + "é"'))
    assert "     é" in str(session.answer('C + "é"'))
    with pytest.raises(ag.EquationError, match="no symbol 'a'"):
        session.answer(":symbols x y z q r s")  # A has it
    assert session.answer("COUNT[A]") == "2"
    session.answer(":del A B T")
    session.answer(":symbols x y z q r s")
    assert "     s" in str(session.answer("C"))
    assert "  <97>" in str(session.answer("C"))
    assert "labels are Unicode" in str(session.answer(":symbols off"))


def test_batches_arrays_and_numbers(session: Session) -> None:
    session.inputs["X"] = np.zeros((9, 2, 3))
    session.inputs["L"] = [ag.linear([1])] * 7
    assert rounded(str(session.answer("LSE[X]"))).splitlines()[0] == "item 0: 2.197224577"
    assert str(session.answer("L L")).splitlines()[-1] == "… and 2 more items"
    session.answer("LSE[L]")
    assert "gradient of LSE[L] with respect to L, item 4:" in str(session.answer(":grad"))
    session.answer("LSE[X]")
    assert "gradient of LSE[X] with respect to X, of shape (9, 2, 3):" in str(session.answer(":grad"))
    assert session.answer("COUNT[ε]") == "1"
    assert "digits" in str(session.answer('COUNT[("a" + "b"){2000}]'))
    assert "about" in str(session.answer('COUNT[("a" + "b"){20000}]'))
    session.inputs["w"] = 2.0
    assert session.answer("w × w") == "4.0"
    assert session.answer(":grad") == "gradient of w × w with respect to w: 4.0"


def test_gradients_of_definitions(session: Session) -> None:
    session.answer("LSE[B]")
    assert "gradient of LSE[B] with respect to A:" in str(session.answer(":grad"))
    assert len(str(session.answer(":grad B")).splitlines()) == 2 + 7
    assert session.answer(":grad LSE[A] wrt A") == session.answer(":grad LSE[A]")
    assert session.answer("LSE[B] - LSE[A] - LSE[A]") == "0.0"
    assert session.answer(':grad LSE["a"]') == "the equation has no inputs, nor graphs typed under a name of their own"
    for entry, message in [
        (":grad LSE[A] wrt Q", "'Q' is not an input of the equation"),
        (":grad LSE[A] wrt", "wrt is followed by names"),
    ]:
        with pytest.raises(ag.ArcgradError, match=message[:20]):
            session.answer(entry)


def test_jacobians(session: Session) -> None:
    shown = str(session.answer(":jacobian B wrt A"))
    assert shown.splitlines()[1:4] == ["       0 a  1 b  2 b", "  0 a    1    .    .", "  1 b    .    1    ."]
    assert str(session.answer(":jacobian B wrt A column 1")).splitlines()[0] == "column 1: 6 states, 7 arcs, acceptor"
    assert "b/1" in str(session.answer(":jacobian B wrt A row 1"))
    assert "row  column  derivative" in str(session.answer(":jacobian B{9} wrt A"))
    session.answer("B B")
    assert "rows: 15 arcs of B B" in str(session.answer(":jacobian wrt B"))
    for entry in (":jacobian A Q", ":jacobian B wrt A B", ":jacobian LSE[A] wrt A",
                  ":jacobian B wrt A row x", ":jacobian B wrt A row 99", ":jacobian B wrt Q"):  # fmt: skip
        with pytest.raises(ag.InputError):
            session.answer(entry)


def test_traces_have_gradients_and_no_numbers(session: Session) -> None:
    shown = str(session.answer(':trace LSE[("ab"⟨2⟩) ∘ A]'))
    assert 'G1 = "ab": 3 states, 2 arcs' in shown
    assert "2 = 2" not in shown
    assert shown.splitlines()[-1].endswith(", gradient 1")


def test_paths_and_strings(session: Session) -> None:
    assert session.answer(":paths A 1") == "         0.5  0 ─a▶ 1 ─b▶ 2"
    assert session.answer(":strings A").splitlines() == ["         0.5  ab", "          -1  bb"]  # type: ignore[union-attr]
    assert session.answer(":strings T 1") == "         0.5  ab : x"
    assert session.answer(":strings linear[1, 20] 1") == "           0  1 20"
    assert session.answer(":paths ε") == "           0  no arcs"
    assert session.answer(":strings ε") == "           0  ε"
    assert session.answer(":paths ∅") == "the graph has no path"
    assert session.answer(":strings ∅ 3") == "the graph accepts no string"
    session.answer("A")
    assert session.answer(":paths 1") == session.answer(":paths A 1")
    for entry in (":paths LSE[A]", ":strings Q"):
        with pytest.raises(ag.InputError):
            session.answer(entry)


def test_types_plans_times_and_sources(session: Session) -> None:
    assert (
        session.answer(":type LSE[A ∘ Q]")
        == "LSE[A ∘ Q] is a score\n  A: a graph\n  Q: a graph, which has no value yet"
    )
    assert "is a graph" in str(session.answer(":type B"))
    session.answer("LSE[B]")
    assert str(session.answer(":plan")).startswith("s1 = LSE[")
    assert "def routine(" in str(session.answer(":source"))
    assert "with gradient" in str(session.answer(":time"))
    assert "compiled file" in str(session.answer(":cache"))
    with pytest.raises(ag.InputError, match=":cache takes nothing or"):
        session.answer(":cache what")


def test_files(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert session.answer(":save A a.txt") == "Graph(3 states, 3 arcs, acceptor, start 0, accept 2) in a.txt"
    session.answer("B")
    session.answer(":save b.json")
    session.answer(":load C b.json")
    assert session.answer("LSE[C] - LSE[B]") == "0.0"
    assert ("C, which were loaded, are not in it") in str(session.answer(":save all.arcgrad"))
    fresh = Session()
    assert fresh.answer(":load all.arcgrad") == "3 definitions from all.arcgrad"
    assert fresh.answer("LSE[B]") == session.answer("LSE[B]")
    for name in ("p.svg", "p.dot", "q.svg"):
        session.answer(f":draw {'LSE[A]' if name[0] == 'q' else 'B'} {name}")
        assert (tmp_path / name).stat().st_size > 200
    session.answer("LSE[A]")
    for entry, message in [
        (":save", ":save takes a file"),
        (":save LSE[A] x.txt", "only graphs are written"),
        (":save x.txt", "only graphs are written"),
        (":save A x.what", "what"),
        (":load D aa.txt", "did you mean a.txt?"),
        (":load nowhere.arcgrad", "nowhere"),
        (":load D -", "entries come from the standard input"),
        (":draw A x.bmp", "bmp|x"),
        (":symbols a a", "twice"),
    ]:
        with pytest.raises((ag.ArcgradError, OSError), match=message):
            session.answer(entry)
    with pytest.raises(ag.InputError, match="no result yet"):
        Session().answer(":save x.txt")


def test_every_command_and_operator_has_help_within_80_columns() -> None:
    session = Session()
    for topic in ["", *topics(), *(f":{name}" for name in COMMANDS), *COMMANDS]:
        shown = str(session.answer(f":help {topic}"))
        assert len(shown) > 20
        assert max(map(len, shown.splitlines())) <= 80, topic
    assert ":grad EQUATION wrt" in str(session.answer(":grad --help"))
    assert "MAX[…]" in help_on("MAX[]")
    assert help_on("\\circ") == help_on("∘") == help_on("@") == help_on("compose")
    assert "a × b" in help_on("·") or "A B" in help_on("·")
    with pytest.raises(ag.InputError, match="did you mean :help graphs"):
        session.answer(":help graph s".replace(" s", "z"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_encodings(encoding: str) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    entries = 'A = graph"0 1 a; 1 1 b -1; 1"\nA\nLSE[A ∘ Q]\n:help compose\n:paths A 2\n:trace LSE[A]\nκ\n'
    run_repl(io.StringIO(entries), output)
    output.seek(0)
    text = output.read()
    assert ">(0)" in text
    assert ("▶" in text) is (encoding == "utf-8")
    assert "\\u" not in text.replace("\\u03ba", "")


def test_signs_in_ascii() -> None:
    assert in_encoding("A³ ∘ ε⟨2⟩ × A⁻¹ …", "ascii") == "A^3 @ eps<2> * A^-1 ..."
    assert in_encoding("A³ ∘", "utf-8") == "A³ ∘"
    assert in_encoding("A³ ∘", "latin-1") == "A^3 @"
    assert in_encoding("λ", "no such encoding") == "\\u03bb"
    assert spelled("linear[97, 34] linear[9] linear[] linear[60]", chr) == '"a\\"" linear[9] linear[] "\\<"'
    assert spelled("linear[97]", None) == "linear[97]"


def test_errors_are_wrapped_with_their_carets_in_place() -> None:
    printer = Printer(width=60)
    with pytest.raises(ag.EquationError) as caught:
        ag.compile("LSE[" + " + ".join(f"name{n}" for n in range(40)) + " + 1]")
    shown = printer.error(caught.value).splitlines()
    assert max(map(len, shown)) <= 60
    at = next(n for n, line in enumerate(shown) if line.strip() and not line.strip("^ "))
    assert shown[at - 1][shown[at].index("^") :]
    assert printer.error(FileNotFoundError(2, "No such file", "x")) == "error: x: No such file"
    assert printer.error(OSError("broken")) == "error: broken"
