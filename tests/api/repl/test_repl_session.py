"""The REPL: definitions, inputs, commands, and errors that end nothing."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.cli import main
from arcgrad.repl import PROMPT, Session, run_repl

A = ag.Graph([0, 0, 1], [1, 1, 2], [5, 6, 7], weight=[0.5, 0.25, 0.0], accept=[2])


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.chdir(tmp_path)
    ag.save("a.att", A)
    session = Session()
    session.answer(":load A a.att")
    return session


def talk(*entries: str) -> str:
    output = io.StringIO()
    run_repl(io.StringIO("".join(f"{entry}\n" for entry in entries)), output)
    return output.getvalue()


def test_prompt_answers_and_end_of_input() -> None:
    assert PROMPT == "arcgrad> "
    assert talk('COUNT["a"{1,3}]', "") == "arcgrad> 3\narcgrad> arcgrad> \n"
    assert talk(":quit", "1 + 1") == "arcgrad> "


def test_value_and_gradient_of_a_loaded_graph(session: Session) -> None:
    assert session.answer("LSE[A] - 1") == repr(float(np.logaddexp(0.5, 0.25)) - 1)
    assert "0.562177" in str(session.answer(":grad"))
    assert session.answer(":grad A") == session.answer(":grad")


def test_definitions_are_put_together_when_used(session: Session) -> None:
    assert session.answer("B = A A") is None
    assert session.answer("twice[P] = P + P  # a definition") is None
    assert session.answer("C = twice[B]; D = C") is None
    assert session.answer("COUNT[D]") == "8"
    assert session.answer("B = A") is None  # what uses B follows
    assert session.answer("COUNT[D]") == "4"
    assert session.answer("F = D + A; COUNT[F]") == "6"  # names of one entry
    assert "F" not in session.definitions
    assert session.answer(":names") == (
        "B = A\ntwice[P] = P + P\nC = twice[B]\nD = C\nA: Graph(3 states, 3 arcs, acceptor, start 0, accept 2)"
    )


def test_a_definition_and_an_input_replace_each_other(session: Session) -> None:
    assert session.answer('A = "xyz"') == "A was an input and is a definition now"
    assert session.answer("COUNT[A]") == "1"
    assert session.answer(":load A a.att") == 'A is an input now, in place of the definition A = "xyz"'
    assert session.answer("COUNT[A]") == "2"
    assert session.answer("A[X] = X X") == "A was an input and is a definition now"
    assert session.answer('COUNT[A["a" + "b"]]') == "4"


def test_what_was_loaded_or_defined_can_be_deleted(session: Session) -> None:
    session.answer("B = A A; f[P] = LSE[P]")
    assert session.answer(":delete B, f") is None
    assert session.answer(":names") == "A: Graph(3 states, 3 arcs, acceptor, start 0, accept 2)"
    session.answer(":delete A")
    assert session.answer(":names") == (
        'nothing is loaded or defined; A = graph"0 1 a 0.5; 1" defines a graph, :load A FILE loads one'
    )
    session.answer('A = "a"')
    for entry, message in [
        (":delete", ":del takes names"),
        (":delete B", "B is neither loaded nor defined"),
        (":delete A B", "B is neither loaded nor defined"),
        (":delete a", "did you mean A?"),
    ]:
        with pytest.raises(ag.InputError) as caught:
            session.answer(entry)
        assert message in str(caught.value)
        assert session.answer("COUNT[A]") == "1"


def test_words_that_people_try(session: Session, tmp_path: Path) -> None:
    assert ":load NAME VALUE" in str(session.answer("help"))
    for word in ("quit", "exit", "exit()"):
        with pytest.raises(EOFError):
            session.answer(word)
    session.answer("exit = 2")
    assert session.answer("exit") == "2.0"
    ag.save(tmp_path / "my graph.gtn", A)
    session.answer(':load B "my graph.gtn"')
    assert session.answer("COUNT[B]") == "2"


def test_spellings_of_a_name_are_one(session: Session) -> None:
    session.answer(":load \\mathcal{B}_1 2.5")
    assert session.answer("B₁ + 1") == "3.5"
    session.answer("\\alpha = 2 B_1")
    assert session.answer("α") == "5.0"


def test_other_inputs(session: Session) -> None:
    np.save("x.npy", np.zeros((2, 3)))
    session.answer(":load X x.npy")
    assert session.answer("COUNT[X]") == "9"
    session.answer(":load m 5:1,6:1,7:2")
    assert str(session.answer("relabel[A, m]")).splitlines()[1:] == [
        ">(0)┬──1/0.5─▶┬(1)──2─▶─((2))",
        "    ╰─1/0.25─▶╯",
    ]


def test_commands_on_the_latest_equation(session: Session) -> None:
    session.answer("LSE[A + A]")
    assert "G1 = A + A" in str(session.answer(":trace"))
    assert "LSE[A + A]" in str(session.answer(":explain"))
    assert "MAX[A]" in str(session.answer(":explain MAX[A]"))
    assert "\\mathcal{A} + \\mathcal{A}" in str(session.answer(":latex"))
    assert ":load NAME VALUE" in str(session.answer(":help"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("LSE[A", "`[` is never closed\nat line 1, column 4:\n  LSE[A\n     ^"),
        ("LSE[Q]", "Q has no value\nhint: :load Q FILE reads one"),
        ("P + Q", "P, Q have no value"),
        ("LSE[А]", "А has no value\nhint: it is not A (with U+0041, where yours has U+0410); :load"),
        ("A = B", "A would be defined by itself\nat line 1, column 1:\n  A = B\n  ^"),
        ("x = ", "at line 1, column 4"),
        ("x = LSE[A] + A", "takes two"),
        ("B + LSE[A]", "at line 1, column 1:\n  B + LSE[A]"),
        (":load A", ":load takes a name and a value"),
        (":load LSE a.att", "LSE is an operator of the language"),
        (":lod A a.att", "did you mean :load?"),
        ("Q = a.att", "hint: :load Q a.att"),
        ("LSE[A1] = 3", "`LSE` is an operator of the language and cannot be given another meaning"),
        ("log = 3", "`log` is an operator"),
        ("f[P] = P ∘ LSE[P]", "is a score\nat line 1, column 12:\n  f[P] = P ∘ LSE[P]"),
        ("f[P] = logg[P]", "did you mean log[…]?"),
        ("LSE[A] (4)", "`LSE[A] × 4`, or `LSE[A]. (4)`"),
        (":load A nofile", "nofile"),
        (":what", "there is no command :what"),
        (":grad Z", "'Z' is not an input"),
    ],
)
def test_errors_leave_the_session_as_it_was(session: Session, entry: str, message: str) -> None:
    session.answer("B = A A")
    session.answer("LSE[A]")
    before = session.answer(":names")
    output = io.StringIO()
    with pytest.raises((ag.ArcgradError, OSError)) as caught:
        session.answer(entry)
    print(caught.value, file=output)
    assert message in output.getvalue()
    assert session.answer(":names") == before
    assert session.answer("COUNT[B]") == "4"


@pytest.mark.parametrize("command", [":grad", ":trace", ":explain", ":latex"])
def test_commands_need_an_equation(command: str) -> None:
    with pytest.raises(ag.InputError, match="no equation was evaluated yet"):
        Session().answer(command)


def test_error_in_a_definition_points_into_it(session: Session) -> None:
    session.answer("big = A{1000000}")
    with pytest.raises(ag.LimitError) as caught:
        session.answer("PATH[big big big big big big big big big big big big]")
    assert caught.value.place is None or "\n" not in caught.value.place.text


def test_errors_are_printed_and_the_conversation_goes_on() -> None:
    assert talk("LSE[A", "", "1 + 1") == (
        "arcgrad>       .. error: `[` is never closed\n  LSE[A\n     ^\narcgrad> 2.0\narcgrad> \n"
    )


def test_interrupts_end_the_entry_not_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(io.StringIO):
        def readline(self, size: int = -1) -> str:  # type: ignore[override]
            line = super().readline(size)
            if line == "interrupt\n":
                raise KeyboardInterrupt
            return line

    def evaluate(session: Session, entry: str) -> str:
        if entry == "long":
            raise KeyboardInterrupt
        return "done"

    monkeypatch.setattr(Session, "answer", evaluate)
    output = io.StringIO()
    run_repl(Impatient("interrupt\nlong\nshort\n"), output)
    assert output.getvalue() == "arcgrad> \narcgrad> interrupted\narcgrad> done\narcgrad> \n"


def test_command_reads_piped_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("2 + 3\n"))
    assert main(["repl"]) == 0
    assert capsys.readouterr().out == "5.0\n"


def test_graphs_as_typed_are_inputs_and_other_definitions_are_expanded(session: Session) -> None:
    session.answer('T = graph"0 1 a 0.5; 1"; U = "ab"; V = linear[97]; W = T U')
    session.answer("LSE[W V A]")
    gradient = str(session.answer(":grad"))
    heads = [line for line in gradient.splitlines() if line.startswith("gradient")]
    assert [head.split()[-1] for head in heads] == ["T:", "U:", "V:", "A:"]
    session.answer('T = graph"0 1 a 0.75; 1"')
    assert session.answer("MAX[W]") == "0.75"  # what uses T follows
    with pytest.raises(ag.EquationError) as caught:
        session.answer("T + LSE[T]")
    assert str(caught.value.place.excerpt()).splitlines()[1] == "  ^^^^^^^^^^"  # type: ignore[union-attr]
    session.answer('U = "ab"⟨-1⟩ + "b"')
    assert len(str(session.answer(":grad LSE[U]")).splitlines()) == 2 + 4
    session.answer('U = re"ab?"; w = 2 + 3; V = "a"{1000}')  # no leaves
    assert len(str(session.answer(":grad LSE[U] wrt U")).splitlines()) == 2 + 2
    assert session.answer(":grad LSE[V U] w").startswith("the equation has no inputs")  # type: ignore[union-attr]
    assert session.answer(":help W") == "W = T U"
    with pytest.raises(ag.EquationError, match="is not a state"):
        session.answer('T = graph"a b c"')
    assert session.answer("MAX[W]") == "0.75"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("load A x.txt", "commands start with a colon: :load A x.txt"),
        ("del A", "commands start with a colon: :del A"),
        ("grad", "commands start with a colon: :grad"),
        ("G = graph(0 1 a; 1)", 'a graph is typed as graph"0 1 a 0.5; 1"'),
        ("graph 0 1 a", 'a graph is typed as graph"0 1 a 0.5; 1"'),
        ("A compose A", "compose is written ∘"),
        ("A o A", "compose is written ∘"),
        ("reverse A", "reverse is written rev[…]"),
        ("alice", "alice = EXPRESSION defines one"),
    ],
)
def test_hints_for_what_newcomers_type(session: Session, entry: str, message: str) -> None:
    with pytest.raises(ag.ArcgradError) as caught:
        session.answer(entry)
    assert message in str(caught.value.hint)


@pytest.mark.parametrize("entry", ["help LSE", "help(LSE)", "?LSE", "LSE?", ":help LSE", ":? LSE[]"])
def test_ways_to_ask_for_help(session: Session, entry: str) -> None:
    assert str(session.answer(entry)).startswith("LSE[…]\n")


def test_pasted_sessions_and_comments() -> None:
    shown = talk('arcgrad> A = ("a" + # one', '      .. "b")', "arcgrad> COUNT[A]", "# nothing")
    assert shown == "arcgrad>       .. arcgrad> 2\narcgrad> arcgrad> \n"


def test_a_mistake_of_ours_does_not_end_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(session: Session, entry: str) -> str:
        raise {"a": TypeError("odd"), "b": RecursionError(), "c": MemoryError()}[entry]

    monkeypatch.setattr(Session, "answer", broken)
    shown = talk("a", "b", "c").splitlines()
    assert shown[0] == "arcgrad> error: TypeError, which should not happen: odd"
    assert "RecursionError" in shown[1]
    assert "MemoryError" in shown[2]
