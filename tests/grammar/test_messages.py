"""Every kind of mistake has its message: golden files, and what all messages have in common."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from mistakes import MISTAKES

from arcgrad.grammar import parse
from arcgrad.grammar.errors import EquationError

OPERATORS = ("LSE", "MAX", "in", "out", "rev")


def mistake_of(text: str) -> EquationError:
    with pytest.raises(EquationError) as caught:
        parse(text, OPERATORS)
    return caught.value


@pytest.mark.parametrize("kind", MISTAKES)
def test_messages(kind: str, golden: Callable[[str, str], None]) -> None:
    reports = []
    for text in MISTAKES[kind]:
        error = mistake_of(text)
        title = ascii(text) if len(text) < 100 else ascii(text[:20]) + "…"
        expected = " | ".join(error.expected) or "-"
        reports.append(f"=== {title}\n{error}\nexpected: {expected}\nfound: {error.found or '-'}\n")
    golden(f"{kind}.txt", "\n".join(reports))


@pytest.mark.parametrize("text", [text for texts in MISTAKES.values() for text in texts])
def test_every_error_points_and_speaks_the_language(text: str) -> None:
    error = mistake_of(text)
    assert error.place is not None
    assert error.place.text == text
    assert 0 <= error.place.span.start < error.place.span.end
    assert error.place.span.start <= len(text)
    assert error.lineno == error.line == error.place.line
    assert error.offset == error.column == error.place.column
    assert error.expected
    spoken = " ".join([str(error.message), error.hint or "", *error.expected, error.found or ""])
    # Lark's terminals are words in capitals; the equations' own names in capitals are short.
    assert not re.search(r"\b(?!LSE|MAX|NAME_)[A-Z]{4,}|\$END|__ANON|Token\(", spoken), spoken
    str(error).encode("utf-8")  # a lone surrogate in the text does not make the message unprintable
    caret_line = str(error).split("\n")[3]
    assert set(caret_line.strip()) == {"^"}


def test_the_caret_points_past_the_end_of_the_text() -> None:
    error = mistake_of("LSE[A] + ")
    assert (error.line, error.column) == (1, 9)
    assert error.found == "the end of the equation"


def test_an_unclosed_bracket_is_reported_at_the_bracket() -> None:
    error = mistake_of("LSE[A ∘ (B + C]")
    assert error.column == 9
    assert error.expected == ("`)`",)
