"""Completion, and where an entry goes on in the next line."""

from __future__ import annotations

from pathlib import Path

import pytest

import arcgrad as ag
from arcgrad.grammar import spelling
from arcgrad.repl import Session
from arcgrad.repl.completion import completions, is_open


@pytest.fixture
def session() -> Session:
    session = Session()
    session.inputs["alignment"] = ag.linear([1])
    session.answer('twice[P] = P + P; two = "a" + "b"; θx = "z"')
    return session


def completed(text: str, session: Session, encoding: str = "utf-8") -> list[str]:
    return [text[: each.start] + each.text for each in completions(text, session, encoding)]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("A \\circ", "A ∘"),
        ("A \\cap", "A ∩"),
        ("\\alpha", "α"),
        ("\\pi", "π"),
        ("2\\times", "2×"),
        ("\\emptyset", "∅"),
        ("A\\langle", "A⟨"),
        ("\\mathcal{A}", "A"),
        ("A_1", "A₁"),
        ("A_{12}", "A₁₂"),
        ("A_1^*", "A_1*"),
        ("A₁^\\ast", "A₁*"),
        ("A^-1", "A⁻¹"),
        ("A^{-1}", "A⁻¹"),
        ("A^+", "A⁺"),
        ("A^{12}", "A¹²"),
        ("LSE[ali", "LSE[alignment"),
        ("LSE[tw", ["LSE[twice[", "LSE[two"]),
        ("LSE[two", []),
        ("θ", "θx"),
        ("COU", "COUNT["),
        ("synch", "synchronize["),
        (":jac", ":jacobian "),
        (" :jac", " :jacobian "),
        (":grad ali", ":grad alignment"),
        (":jacobian two wr", ":jacobian two wrt "),
        (":help synch", ":help synchronize"),
        (":help :jac", ":help :jacobian"),
        (":del tw", [":del twice[", ":del two"]),
        ('"\\alpha', []),
        ("x = 3 ", []),
        ("", []),
    ],
)
def test_how_a_text_goes_on(text: str, whole: str | list[str], session: Session) -> None:
    assert completed(text, session) == ([whole] if isinstance(whole, str) else whole)


def test_what_begins_alike_is_offered(session: Session) -> None:
    assert {"A ∘", "A ∩"} <= set(completed("A \\c", session))
    assert [each.meaning for each in completions("A \\set", session)] == ["\\setminus"]
    assert {":save ", ":source ", ":strings ", ":symbols "} == set(completed(":s", session))
    assert all(each.meaning for each in completions("L", session))


def test_signs_that_the_terminal_lacks_are_not_offered(session: Session) -> None:
    assert completed("A \\circ", session, "ascii") == []
    assert completed("2\\times", session, "latin-1") == ["2×"]
    assert completed("COU", session, "ascii") == ["COUNT["]


def test_every_sign_and_letter_can_be_typed(session: Session) -> None:
    for command in spelling.GREEK:
        assert completed(f"\\{command}", session) == [spelling.GREEK[command]]
    unsigned = {"lbrace", "rbrace", "newline"}
    for command in set(filter(str.isalpha, spelling.COMMANDS)) - unsigned:
        assert len(completed(f"A\\{command}", session)) == 1


def test_files(tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "one.fst").touch()
    (tmp_path / "grammar.txt").touch()
    (tmp_path / ".hidden").touch()
    assert completed(":load A gra", session) == [":load A grammar.txt", ":load A graphs/"]
    assert completed(":load A graphs/", session) == [":load A graphs/one.fst"]
    assert completed(":draw two graphs/o", session) == [":draw two graphs/one.fst"]
    assert ":load A .hidden" not in completed(":load A ", session)
    assert completed(":load A nowhere/", session) == []
    assert completed("LSE[gra", session) == []


@pytest.mark.parametrize(
    ("entry", "goes_on"),
    [
        ("LSE[A", True),
        ("LSE[A\n+ B]", False),
        ("(A", True),
        ("A{2", True),
        ("A{2,5}", False),
        ("A⟨w", False),
        ('graph"0 1 a', True),
        ('graph"0 1 [\n1"', False),
        ('graph"0 1 a:\\"', True),
        ('LSE[graph"0 1 a"', True),
        ('"never closed', False),
        ('re"[a', False),
        ('LSE["]"', True),
        ("LSE[A # ]", True),
        ("A # [", False),
        (")(", False),
        ("\\left[A", True),
        ("\\{A", False),
        (":load A (x", False),
        ("", False),
    ],
)
def test_where_an_entry_goes_on(entry: str, goes_on: bool) -> None:
    assert is_open(entry) is goes_on
