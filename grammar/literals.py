"""Literals as the scanner reads them: numbers, strings, symbols, graphs as typed, and bounds of repetitions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from arcgrad.grammar.errors import Span
from arcgrad.grammar.mistakes import Mistake, describe_character, quoted
from arcgrad.grammar.syntax import GraphLiteral, LiteralArc

__all__ = ["Quoted", "read_graph", "read_number", "read_quoted", "read_symbol", "read_symbols", "repeat_bounds"]

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


def read_quoted(text: str, start: int, what: str, lines: bool = False) -> Quoted:
    """The quoted literal whose opening quote is at ``start``.

    ``what`` names it in messages; with ``lines`` it may go over several.
    """
    position = start + 1
    while position < len(text) and (lines or text[position] != "\n"):
        if text[position] == '"':
            return Quoted(text[start + 1 : position], position + 1)
        position += 2 if text[position] == "\\" and text[position + 1 : position + 2] != "\n" else 1
    raise Mistake(
        f'this {what} is never closed: its second `"` is missing' + ("" if lines else " on the line"),
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


_STATE = re.compile(r"[0-9]{1,18}\Z")
_MOST_STATES = 2**31 - 1
_SCORE = re.compile(r"[+\-−]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_ARC = "an arc is `SOURCE DESTINATION LABEL SCORE`, as in `0 1 a 0.5`"


def read_graph(content: str, offset: int, span: Span, latex: bool = False) -> GraphLiteral:
    """The graph that was typed between the quotes of ``graph"…"``; ``offset`` is where that stands in the text.

    Entries are lines, or parted by ``;``: an arc ``0 1 a 0.5`` (source, destination, label or ``in:out``, and a score
    that may be left out), an accept state ``2``, or a start state ``start 0``; without one, the state that is named
    first is the start.
    """
    escapes = _ESCAPES | _LATEX_ESCAPES if latex else _ESCAPES
    arcs: list[LiteralArc] = []
    starts: dict[int, None] = {}
    accepts: dict[int, None] = {}
    named: dict[int, None] = {}
    position = 0
    while position <= len(content):
        fields, position = _fields(content, position, offset, escapes)
        if not fields:
            continue
        words = [content[start:end] for start, end in fields]
        spans = [Span(offset + start, offset + end) for start, end in fields]
        whole = spans[0].join(spans[-1])
        if len(fields) == 1:
            accepts[_state(words[0], spans[0])] = None
        elif words[0] == "start" and len(fields) == 2:
            starts[_state(words[1], spans[1])] = None
        elif 3 <= len(fields) <= 4 and words[0] != "start":
            ends = _state(words[0], spans[0]), _state(words[1], spans[1])
            labels = _labels(content, fields[2], offset, escapes)
            score = _score(words[3], spans[3]) if len(fields) == 4 else 0
            arcs.append(LiteralArc(*ends, *labels, score, whole))
        else:
            raise _wrong_entry(words, whole)
        named |= dict.fromkeys(int(word) for word in words[:2] if _STATE.match(word))
    if not starts:
        starts = dict.fromkeys(list(named)[:1])
    n_states = max(named, default=-1) + 1
    return GraphLiteral(tuple(arcs), tuple(sorted(starts)), tuple(sorted(accepts)), n_states, span)


def _fields(content: str, position: int, offset: int, escapes: Mapping[str, str]) -> tuple[list[tuple[int, int]], int]:
    """Where the fields of the entry at ``position`` begin and end, and where the next entry begins."""
    fields: list[tuple[int, int]] = []
    begin = position
    while position < len(content) and content[position] not in ";\n":
        if content[position].isspace():
            if begin < position:
                fields.append((begin, position))
            position += 1
            begin = position
        elif content[position] == "<":
            _, position = read_symbol(content, position, offset, escapes)
        else:
            position = min(position + 1 + (content[position] == "\\"), len(content))
    if begin < position:
        fields.append((begin, position))
    return fields, position + 1


def _state(word: str, span: Span) -> int:
    if _STATE.match(word) and int(word) < _MOST_STATES:
        return int(word)
    raise Mistake(
        f"{quoted(word)} is not a state of a typed graph: states are numbers from 0 to {_MOST_STATES - 1}",
        span,
        hint=f"{_ARC}, an accept state `2`, a start state `start 0`",
        expected=("the number of a state",),
        found=quoted(word),
    )


def _score(word: str, span: Span) -> int | float:
    if _SCORE.match(word) and math.isfinite(value := float(word.replace("−", "-"))):
        return value
    raise Mistake(
        f"{quoted(word)} is not a score: a finite number, as in `0.5` or `-1e-3`",
        span,
        hint="a label is one symbol; one with blanks in it is written `<a b>`",
        expected=("a number",),
        found=quoted(word),
    )


def _labels(
    content: str, field: tuple[int, int], offset: int, escapes: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """The input and the output symbol of ``a`` or ``a:x``; None for ε."""
    start, end = field
    whole = Span(offset + start, offset + end)
    symbols: list[str | None] = []
    position = start
    while True:
        at = position
        missing = position >= end or (content[position] == ":" and position > start)
        if missing or content[start] == ":":
            raise Mistake(
                f"{quoted(content[start:end])} lacks a label on one side of `:`",
                whole,
                hint="no symbol is written ε, as in `a:ε`; the character `:` itself `<:>`",
                expected=("a symbol", "ε"),
            )
        read = read_symbol if content[position] == "<" else _character
        symbol, position = read(content, position, offset, escapes)
        symbols.append(None if content[at:position] == "ε" else symbol)
        if position == end:
            return symbols[0], symbols[-1]
        if content[position] != ":" or len(symbols) == 2:
            word = content[at:end].partition(":")[0] if len(symbols) < 2 else content[at:end]
            epsilon = "ε is written `ε`, and " if word in ("eps", "epsilon") else ""
            raise Mistake(
                f"{quoted(word)} is more than one symbol, and an arc has one on each side",
                Span(offset + at, offset + at + len(word)),
                hint=f"{epsilon}a symbol of several characters is `<{word.replace('<', '').replace('>', '')}>`",
                expected=("one symbol",),
                found=quoted(word),
            )
        position += 1


def _wrong_entry(words: list[str], span: Span) -> Mistake:
    hint = f"{_ARC}, an accept state `2`, a start state `start 0`"
    if len(words) == 2 and words[0] != "start":
        hint = f"{_ARC}; accept states stand alone and carry no score: weigh an arc that leads there"
        if _STATE.match(words[1]):
            hint = f"{_ARC}, where the label may be ε; accept states stand one by one: `{words[0]}; {words[1]}`"
    elif len(words) == 5:
        hint = f"{_ARC}; with an output label, as in `0 1 a:x 0.5`"
    entry = " ".join(words)
    return Mistake(f"{quoted(entry)} is not an entry of a typed graph", span, hint=hint, expected=("an arc", "a state"))


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
