"""Literals as the scanner reads them: numbers, strings with their escapes and long symbols, bounds of repetitions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from arcgrad.grammar.errors import Span
from arcgrad.grammar.mistakes import Mistake, describe_character, quoted

__all__ = ["Quoted", "read_number", "read_quoted", "read_symbol", "read_symbols", "repeat_bounds"]

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_REPEAT = re.compile(r"\s*(\d+)\s*(?:(,)\s*(?:(\d+)\s*)?)?\Z", re.ASCII)
_REPEAT_DIGITS = 18  # beyond any budget of states
_DIGITS = 400  # more than any float64 has; int() refuses a few thousand digits

_ESCAPES = {'"': '"', "\\": "\\", "<": "<", ">": ">", "n": "\n"}
# Within \text{"…"}, characters that LaTeX would read as its own are escaped as in LaTeX.
_LATEX_ESCAPES = {character: character for character in "{}%#&_$^~"}


def read_number(text: str, start: int) -> tuple[int | float, int]:
    """The number that starts at ``start`` and where it ends."""
    match = _NUMBER.match(text, start)
    assert match is not None, "the scanner calls this at a digit, or at a point before a digit"
    end = match.end()
    rest = re.compile(r"\.?[0-9][0-9.]*|_\w*").match(text, end)
    if rest is not None:
        span = Span(start, rest.end())
        hint = "digits are written without separators" if rest[0].startswith("_") else None
        raise Mistake(
            f"{quoted(text[start : rest.end()])} is not a number",
            span,
            hint=hint or "a number has at most one point, as in 1.25 or 1e-3",
            expected=("a number",),
            found=quoted(text[start : rest.end()]),
        )
    digits = match[0]
    if len(digits) <= _DIGITS:
        value = int(digits) if digits.isdigit() else float(digits)
        if value == value and abs(value) <= 1.7976931348623157e308:
            return value, end
    message = f"the number {quoted(digits)} is too large for a float"
    raise Mistake(message, Span(start, end), expected=("a smaller number",))


@dataclass(frozen=True, slots=True)
class Quoted:
    """What stands between two double quotes: ``content`` as written, ``end`` past the closing quote."""

    content: str
    end: int


def read_quoted(text: str, start: int, what: str) -> Quoted:
    """The quoted literal whose opening quote is at ``start``; ``what`` names it in messages."""
    position = start + 1
    while position < len(text) and text[position] != "\n":
        if text[position] == '"':
            return Quoted(text[start + 1 : position], position + 1)
        position += 2 if text[position] == "\\" and text[position + 1 : position + 2] != "\n" else 1
    raise Mistake(
        f'this {what} is never closed: its second `"` is missing on the line',
        Span(start, min(position, len(text))),
        hint='a quote within it is written `\\"`, a line break `\\n`',
        expected=('`"`',),
        found="the end of the equation" if position >= len(text) else "the end of the line",
    )


def read_symbol(content: str, position: int, offset: int, escapes: Mapping[str, str] = _ESCAPES) -> tuple[str, int]:
    """The symbol ``<name>`` that starts at ``position`` of a literal's content, and where it ends.

    It is returned with its angle brackets and without its escapes, so that ``<a>`` is told from the character ``a``.
    """
    name: list[str] = []
    end = position + 1
    while end < len(content) and content[end] not in '<>"\n':
        character, end = _character(content, end, offset, escapes)
        name.append(character)
    if end >= len(content) or content[end] != ">":
        raise Mistake(
            "`<` starts a symbol of several characters, which is never closed",
            Span(offset + position, offset + position + 1),
            hint="the character `<` itself is written `\\<`",
            expected=("`>`",),
            found=describe_character(content[end]) if end < len(content) else "the end of the literal",
        )
    if not name:
        raise Mistake(
            "the symbol `<>` has no name",
            Span(offset + position, offset + end + 1),
            hint="the empty string is `ε`; the character `<` itself is written `\\<`",
            expected=("the name of a symbol",),
            found="`>`",
        )
    return f"<{''.join(name)}>", end + 1


def read_symbols(content: str, offset: int, latex: bool = False) -> tuple[str, ...]:
    """The symbols of a string literal, given what stands between its quotes and where that stands in the text."""
    escapes = _ESCAPES | _LATEX_ESCAPES if latex else _ESCAPES
    symbols: list[str] = []
    position = 0
    while position < len(content):
        read = read_symbol if content[position] == "<" else _character
        symbol, position = read(content, position, offset, escapes)
        symbols.append(symbol)
    return tuple(symbols)


def _character(content: str, position: int, offset: int, escapes: Mapping[str, str]) -> tuple[str, int]:
    """The character at ``position`` of a literal's content, an escape perhaps, and where it ends."""
    character, start = content[position], position
    if character == "\\":
        escaped = content[position + 1 : position + 2]
        if escaped not in escapes:
            raise Mistake(
                f"{quoted(character + escaped)} is not an escape of a string",
                Span(offset + position, offset + position + 1 + len(escaped)),
                hint='the escapes are `\\"`, `\\\\`, `\\<`, `\\>` and `\\n`; a backslash itself is `\\\\`',
                expected=tuple(f"`\\{known}`" for known in _ESCAPES),
                found=quoted(character + escaped),
            )
        character = escapes[escaped]
        position += 1
    if "\ud800" <= character <= "\udfff":
        raise Mistake(
            f"{describe_character(character)} is half of a surrogate pair and no character",
            Span(offset + start, offset + position + 1),
            expected=("a character",),
        )
    return character, position + 1


def repeat_bounds(content: str, span: Span) -> tuple[int, int | None]:
    """The bounds (m, n) of a repetition, n None where it has no upper bound, from what stands in its braces."""
    match = _REPEAT.match(content)
    if match is None:
        raise Mistake(
            f"`{{{content.strip()}}}` is not a repetition",
            span,
            hint="write `A{3}`, `A{2,}` or `A{2,5}`; the inverse is `A⁻¹`; to group, write parentheses",
            expected=("`{n}`", "`{m,}`", "`{m,n}`"),
            found=quoted("{" + content + "}"),
        )
    if max(len(match[1]), len(match[3] or "")) > _REPEAT_DIGITS:
        raise Mistake("the number of repetitions is too large", span, expected=("a smaller number",))
    low = int(match[1])
    high = low if match[2] is None else int(match[3]) if match[3] else None
    if high is not None and high < low:
        raise Mistake(
            f"a repetition from {low} to {high} has its bounds the wrong way round",
            span,
            hint=f"write `{{{high},{low}}}`",
            expected=(f"a second bound of at least {low}",),
            found=str(high),
        )
    return low, high
