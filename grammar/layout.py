"""The layout pass between scanner and parser: what surrounds an equation on a page goes, brackets are matched.

Punctuation and the number at the end of a displayed equation are dropped, newlines inside brackets are spaces, other
newlines and `;` become one SEPARATOR between statements. Brackets are matched here, before the grammar sees them, so
that a missing one is reported at the bracket it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from arcgrad.grammar.errors import Span
from arcgrad.grammar.mistakes import Mistake, quoted
from arcgrad.grammar.tokens import ENDS_OPERAND, STARTS_OPERAND, Lexeme

__all__ = ["lay_out", "reserved"]

_CLOSERS = {"LPAR": "RPAR", "LBRACKET": "RBRACKET", "LBRACE": "RBRACE", "LESS": "GREATER"}
_WRITTEN = dict(zip([*_CLOSERS, *_CLOSERS.values()], "([{<)]}>", strict=True))


def lay_out(lexemes: list[Lexeme], operator_names: Iterable[str]) -> list[Lexeme]:
    """The tokens that the grammar describes, from the scanner's. Raises Mistake."""
    lexemes = _without_ending(lexemes)
    result: list[Lexeme] = []
    open_brackets: list[Lexeme] = []
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
            _refuse_ambiguous_number(result)
            result.append(separator)
            separator = None
        if broken:
            lexeme, broken = replace(lexeme, spaced=True), False
        if kind in _CLOSERS:
            open_brackets.append(lexeme)
        elif kind in _CLOSERS.values():
            _close(open_brackets, lexeme)
        result.append(lexeme)
    if open_brackets:
        raise _never_closed(open_brackets[-1], "the end of the equation")
    _refuse_ambiguous_number(result)
    _refuse_bare_operators(result, frozenset(operator_names))
    return result


def _without_ending(lexemes: list[Lexeme]) -> list[Lexeme]:
    """Drop the final punctuation and equation number of a displayed equation.

    A parenthesised number counts as an equation's number, and not as a factor, only behind a final `.` or `,` or
    behind LaTeX's wide space (`\\quad`, `\\qquad`, `\\hfill`, `\\hspace`), where no product would be written.
    """
    end = len(lexemes)
    while end and lexemes[end - 1].type in ("NEWLINE", "SEMICOLON"):
        end -= 1
    start = _number_in_parentheses(lexemes[:end])
    # `A[X, (4)]` has its comma inside brackets and does not end with the parenthesis.
    if start < end and not (lexemes[start].detached or (start > 0 and lexemes[start - 1].type in ("PERIOD", "COMMA"))):
        start = end
    while start and lexemes[start - 1].type in ("PERIOD", "COMMA", "NEWLINE", "SEMICOLON"):
        start -= 1
    return lexemes[:start]


def _number_in_parentheses(lexemes: list[Lexeme]) -> int:
    """Where the ``(4)`` or ``(4a)`` begins that these tokens end with; past them where they do not."""
    end = len(lexemes)
    start = end - (4 if end >= 4 and lexemes[-2].type == "NAME" and not lexemes[-2].spaced else 3)
    if start < 0 or lexemes[-1].type != "RPAR":
        return end
    return start if lexemes[start].type == "LPAR" and lexemes[start + 1].type == "NUMBER" else end


def _refuse_ambiguous_number(lexemes: list[Lexeme]) -> None:
    """Raise Mistake where a statement ends like ``LSE[A] (4)``: in a factor, or in the number of the equation."""
    start = _number_in_parentheses(lexemes)
    if not 0 < start < len(lexemes) or not lexemes[start].spaced or lexemes[start - 1].type not in ENDS_OPERAND:
        return
    if not isinstance(lexemes[start + 1].value, int):
        return
    line = next((at + 1 for at in range(start - 1, -1, -1) if lexemes[at].type == "SEPARATOR"), 0)
    before, number = _written(lexemes[line:start]), _written(lexemes[start + 1 : -1])
    raise Mistake(
        f"`({number})` may be a factor or the number of the equation",
        lexemes[start].span.join(lexemes[-1].span),
        hint=f"write {quoted(f'{before} × {number}')}, or {quoted(f'{before}. ({number})')}",
        expected=("`×`", "`.`"),
        found=f"`({number})`",
    )


def _written(lexemes: list[Lexeme]) -> str:
    """Tokens as they stand in the text, one space for each stretch of white space."""
    return "".join(" " * lexeme.spaced + lexeme.text for lexeme in lexemes).strip()


def _refuse_bare_operators(lexemes: list[Lexeme], operator_names: frozenset[str]) -> None:
    """Raise Mistake at an operator's name without brackets; one of a single letter is an ordinary name, too."""
    for at, name in enumerate(lexemes):
        if name.type != "NAME" or name.value not in operator_names or len(str(name.value)) == 1:
            continue
        following = lexemes[at + 1] if at + 1 < len(lexemes) else None
        if following is None or following.type != "LBRACKET":
            raise _bare_operator(name, lexemes[at + 1 :])


def _bare_operator(name: Lexeme, rest: list[Lexeme]) -> Mistake:
    kind = rest[0].type if rest else ""
    if kind == "EQUALS":
        return reserved(str(name.value), name.span)
    operand = ""
    if kind in STARTS_OPERAND:
        end, depth = 0, 0
        while end < len(rest):  # `A`, `(A + B)` or `LSE[A]`
            depth += (rest[end].type in _CLOSERS) - (rest[end].type in _CLOSERS.values())
            end += 1
            if depth == 0 and not (end < len(rest) and rest[end].type == "LBRACKET"):
                break
        taken = rest[1 : end - 1] if kind in _CLOSERS else rest[:end]
        operand = _written(taken)
    elsewhere = "" if rest else ", and none follow"
    return Mistake(
        f"the operator {quoted(str(name.value))} takes its arguments in square brackets"
        + (f"; it stands before {quoted(rest[0].text)}" if operand else elsewhere),
        name.span,
        hint=f"write {quoted(f'{name.value}[{operand or chr(0x2026)}]')}; a graph or score needs another name",
        expected=("`[`",),
        found=quoted(rest[0].text) if rest and rest[0].type != "SEPARATOR" else "the end of the equation",
    )


def reserved(name: str, span: Span) -> Mistake:
    """The mistake of giving an operator's name another meaning."""
    return Mistake(
        f"{quoted(name)} is an operator of the language and cannot be given another meaning",
        span,
        hint="choose another name",
        expected=("another name",),
        found=quoted(name),
    )


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
