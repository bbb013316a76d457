"""What the REPL says to people who are new: notes below empty results, and commands that were written otherwise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import arcgrad as ag
from arcgrad.repl import Session


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.chdir(tmp_path)
    session = Session()
    session.answer('A = graph"0 1 a 0.5; 0 1 b -1; 1"; T = graph"0 1 a:x; 1"')
    session.inputs["N"] = ag.Graph([0], [1], [5])
    session.inputs["C"] = ag.linear([0, 1])
    session.inputs["D"] = ag.linear([97, 98])
    return session


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("LSE[N]", "-inf\nnote: N has no accept state"),
        ("LSE[N A]", "-inf\nnote: N has no accept state"),
        ("LSE[D ∘ C]", "-inf\nnote: D and C share no label (D: 97 98, C: 0 1)"),
        ("LSE[C ∩ D]", "-inf\nnote: C and D share no label (C: 0 1, D: 97 98)"),
        ("LSE[A ∘ T ∘ A]", "-inf\nnote: A ∘ T and A share no label (A ∘ T: x, A: a b)"),
        ("LSE[A ∘ D]", "-inf"),  # they share a, and more is not known
        ("LSE[∅]", "-inf"),
        ("LSE[C]", "0.0"),
    ],
)
def test_notes_on_what_is_empty(session: Session, entry: str, wanted: str) -> None:
    assert session.answer(entry) == wanted


def test_a_graph_that_accepts_nothing_has_a_note(session: Session) -> None:
    assert str(session.answer("C ∘ D")).splitlines() == [
        "Graph: ∅, without states",
        "note: C and D share no label (C: 0 1, D: 97 98)",
    ]


def test_gradients_say_of_what(session: Session) -> None:
    session.answer("LSE[A]")
    assert str(session.answer(":grad")).startswith("gradient of LSE[A] with respect to A:\n")
    assert str(session.answer(":grad LSE[A]")).startswith("gradient with respect to A:\n")
    assert str(session.answer(":grad A + A")).startswith("(of the sum of the result's arc weights; :jacobian has them")
    session.inputs["L"] = ag.linear(list(range(50)))
    assert str(session.answer(":grad LSE[L]")).splitlines()[-1] == "  … and 30 more arcs"


def test_the_only_input_is_that_of_the_jacobian(session: Session) -> None:
    assert session.answer(":jacobian A*") == session.answer(":jacobian A* wrt A")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (":jacobian LSE[A] wrt A", "hint: :grad LSE[A] wrt A"),
        (":jacobian A A wrt A col 0", "behind wrt A may stand row N or column N"),
        (":jacobian A T", ":jacobian takes the name of one graph"),
        (":strings A 3 4", ":strings takes one number behind the graph, but got 3 and 4"),
        (":draw A wrt A b.svg", ":draw takes an expression and a file, without wrt"),
    ],
)
def test_what_was_meant(session: Session, entry: str, said: str) -> None:
    with pytest.raises(ag.InputError, match=re.escape(said)):
        session.answer(entry)


def test_expressions_with_blanks_and_quotes_are_saved(session: Session) -> None:
    for expression in ('"ab"', 'rev[A ("a" : "x y")]', "A A"):
        session.answer(f":save {expression} q.att")
        assert repr(ag.load("q.att")) in str(session.answer(f":save {expression} q.att"))
    session.answer("A A")
    session.answer(":save r.att")
    assert ag.load("r.att").n_arcs == ag.load("q.att").n_arcs
    session.answer(':save A "two words.fst"')
    assert Path("two words.fst").exists()


def test_the_labels_of_a_cycle_are_shown_as_in_results(session: Session) -> None:
    session.answer('L = graph"0 1 a 0.5; 1 0 b:c 0.25; 1"')
    with pytest.raises(ag.DivergenceError, match="labels b:c, a"):
        session.answer("LSE[L]")
    session.inputs["P"] = ag.Graph([0, 1], [1, 0], [97, 98], weight=[0.5, 0.25], accept=[1])
    with pytest.raises(ag.DivergenceError, match="labels 98, 97"):
        session.answer("LSE[P]")
