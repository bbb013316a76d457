"""The layout pass between scanner and parser: what surrounds an equation on a page goes, brackets are matched.

Punctuation and the number at the end of a displayed equation are dropped, newlines inside brackets are spaces, other
newlines and `;` become one SEPARATOR between statements. Brackets are matched here, before the grammar sees them, so
that a missing one is reported at the bracket it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from arcgrad.grammar.mistakes import Mistake, quoted
from arcgrad.grammar.tokens import Lexeme

__all__ = ["lay_out"]

_CLOSERS = {"LPAR": "RPAR", "LBRACKET": "RBRACKET", "LBRACE": "RBRACE", "LESS": "GREATER"}
_WRITTEN = dict(zip([*_CLOSERS, *_CLOSERS.values()], "([{<)]}>", strict=True))


def lay_out(lexemes: list[Lexeme], operator_names: Iterable[str]) -> list[Lexeme]:
    """The tokens that the grammar describes, from the scanner's. Raises Mistake."""
    lexemes = _without_ending(lexemes)
    result: list[Lexeme] = []
    open_brackets: list[Lexeme] = []
    named = frozenset(operator_names)
    separator: Lexeme | None = None
    broken = False  # a newline inside brackets, which counts as white space before the next token
    for lexeme in lexemes:
        kind = lexeme.type
        if kind in ("NEWLINE", "SEMICOLON"):
            if open_brackets and kind == "SEMICOLON":
                raise _never_closed(open_brackets[-1], "`;`")
            broken = bool(open_brackets)
            if not open_brackets and separator is None and result:
                separator = replace(lexeme, type="SEPARATOR")
            continue
        if kind == "PERIOD":
            raise Mistake(
                "a `.` can only end the equation",
                lexeme.span,
                hint="concatenation is `A B` or `A·B`",
                expected=("an operator", "the end of the equation"),
                found="`.`",
            )
        if separator is not None:
            result.append(separator)
            separator = None
        if broken:
            lexeme, broken = replace(lexeme, spaced=True), False
        if kind in _CLOSERS:
            open_brackets.append(lexeme)
            before = result[-1] if result and not lexeme.spaced else None
            if kind == "LPAR" and before is not None and before.type == "NAME" and before.value in named:
                raise _operator_before_parenthesis(before)
        elif kind in _CLOSERS.values():
            _close(open_brackets, lexeme)
        result.append(lexeme)
    if open_brackets:
        raise _never_closed(open_brackets[-1], "the end of the equation")
    return result


def _without_ending(lexemes: list[Lexeme]) -> list[Lexeme]:
    """Drop the final punctuation and equation number of a displayed equation.

    A parenthesised number counts as an equation's number, and not as a factor, only behind a final `.` or `,` or
    behind LaTeX's wide space (`\\quad`, `\\qquad`, `\\hfill`, `\\hspace`), where no product would be written.
    """
    end = len(lexemes)
    while end and lexemes[end - 1].type in ("NEWLINE", "SEMICOLON"):
        end -= 1
    start = end
    if end >= 3 and lexemes[end - 1].type == "RPAR":
        start = end - 3
        if lexemes[end - 2].type == "NAME" and not lexemes[end - 2].spaced and end >= 4:  # (4a)
            start = end - 4
        numbered = lexemes[start].type == "LPAR" and lexemes[start + 1].type == "NUMBER"
        apart = lexemes[start].detached or (start > 0 and lexemes[start - 1].type in ("PERIOD", "COMMA"))
        # `A[X, (4)]` has its comma inside brackets and does not end with the parenthesis.
        start = start if numbered and apart else end
    while start and lexemes[start - 1].type in ("PERIOD", "COMMA", "NEWLINE", "SEMICOLON"):
        start -= 1
    return lexemes[:start]


def _close(open_brackets: list[Lexeme], closer: Lexeme) -> None:
    if not open_brackets:
        hint = None
        if closer.type == "GREATER":
            hint = "`<` and `>` only enclose a weight, as in `A<w>`; there are no comparisons and no arrows"
        raise Mistake(
            f"{quoted(closer.text)} closes nothing",
            closer.span,
            hint=hint or f"delete it, or open it with `{_opener_of(closer)}`",
            expected=("an operator", "the end of the equation"),
            found=quoted(closer.text),
        )
    opener = open_brackets.pop()
    wanted = _CLOSERS[opener.type]
    if closer.type != wanted:
        raise Mistake(
            f"{quoted(opener.text)} is closed by {quoted(closer.text)}",
            opener.span,
            hint=f"close it with `{_WRITTEN[wanted]}`",
            expected=(f"`{_WRITTEN[wanted]}`",),
            found=quoted(closer.text),
        )


def _opener_of(closer: Lexeme) -> str:
    return next(_WRITTEN[opener] for opener, kind in _CLOSERS.items() if kind == closer.type)


def _never_closed(opener: Lexeme, found: str) -> Mistake:
    wanted = f"`{_WRITTEN[_CLOSERS[opener.type]]}`"
    hint = None
    if found == "`;`":
        hint = "`;` ends a statement; arguments are separated by `,`"
    elif opener.type == "LESS":
        hint = "`<` and `>` only enclose a weight, as in `A<w>`; there are no comparisons"
    return Mistake(f"{quoted(opener.text)} is never closed", opener.span, hint=hint, expected=(wanted,), found=found)


def _operator_before_parenthesis(name: Lexeme) -> Mistake:
    return Mistake(
        f"operators take their arguments in square brackets: {quoted(name.text)} stands before `(`",
        name.span,
        hint=f"write `{name.value}[…]`; to concatenate a graph of that name, put a space between",
        expected=("`[`",),
        found="`(`",
    )
