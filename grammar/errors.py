"""Every error that arcgrad raises on purpose, in the lowest layer so that all layers can raise them.

Each class is also one of Python's own, so that callers who know nothing of arcgrad catch what they expect.
An error that belongs to a place in an equation carries it as ``place`` and prints the line with a caret span under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "ArcgradError",
    "DivergenceError",
    "EquationError",
    "FormatError",
    "InputError",
    "LimitError",
    "Place",
    "Span",
    "UndefinedError",
    "UnsupportedError",
]


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range ``[start, end)`` of character offsets in the text of an equation, as the user gave it."""

    start: int
    end: int

    def join(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


@dataclass(frozen=True, slots=True)
class Place:
    """A span within its text: what a caret points at."""

    text: str
    span: Span

    @property
    def line(self) -> int:
        """Line number, from 1."""
        return self.text.count("\n", 0, self.span.start) + 1

    @property
    def column(self) -> int:
        """Column in characters, from 1."""
        return self.span.start - (self.text.rfind("\n", 0, self.span.start) + 1) + 1

    @property
    def line_text(self) -> str:
        """The whole line on which the span starts, without its newline."""
        start = self.text.rfind("\n", 0, self.span.start) + 1
        end = self.text.find("\n", self.span.start)
        return self.text[start : len(self.text) if end < 0 else end]

    @property
    def end_column(self) -> int:
        """Column just past the span, on the span's first line."""
        width = max(1, self.span.end - self.span.start)
        return min(self.column + width, max(len(self.line_text) + 1, self.column + 1))

    def excerpt(self, width: int = 100) -> str:
        """Two lines, indented by two: the line of text (a window of it where it is long), and carets under the span.

        Tabs are shown as spaces and what cannot be printed as U+FFFD, one for one, so that the carets stay in place.
        """
        column, end = self.column - 1, self.end_column - 1
        line = "".join(
            " " if character.isspace() else character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
            for character in self.line_text
        )
        if len(line) > width:
            cut = max(0, min(column - width // 3, len(line) - width))
            line, column, end = line[cut : cut + width], column - cut, end - cut
        end = max(column + 1, min(end, width))
        return f"  {line}\n  {' ' * column}{'^' * (end - column)}"


def _restore(cls: type[ArcgradError], args: tuple[Any, ...], state: dict[str, Any]) -> ArcgradError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    if isinstance(error, SyntaxError):
        SyntaxError.__init__(error, *args)
        error._fill_syntax_fields()  # type: ignore[attr-defined]
    return error


class ArcgradError(Exception):
    """Base of all of arcgrad's errors.

    Attributes:
        message: what went wrong, in one or more sentences.
        place: where in the equation, or None where the error has no such place.
        hint: how to fix it, or None.
    """

    def __init__(self, message: str, *, place: Place | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        parts = [self.message]
        if self.place is not None:
            parts.append(f"at line {self.place.line}, column {self.place.column}:\n{self.place.excerpt()}")
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, dict(self.__dict__))


class EquationError(ArcgradError, SyntaxError):
    """The text of an equation is wrong: a lexical, syntactic or type error, or an unknown name.

    As a SyntaxError it has ``lineno``, ``offset``, ``end_offset`` and ``text``, so Python and IPython draw the caret.

    Attributes:
        expected: what could have stood there, in words of the language.
        found: what stood there, in words, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        place: Place | None = None,
        hint: str | None = None,
        expected: tuple[str, ...] = (),
        found: str | None = None,
    ) -> None:
        super().__init__(message, place=place, hint=hint)
        self.expected = expected
        self.found = found
        self._fill_syntax_fields()

    def _fill_syntax_fields(self) -> None:
        self.msg = self.message if not self.hint else f"{self.message} (hint: {self.hint})"
        self.filename = "<equation>"
        if self.place is not None:
            self.lineno, self.offset = self.place.line, self.place.column
            self.end_lineno, self.end_offset = self.place.line, self.place.end_column
            self.text = self.place.line_text

    @property
    def line(self) -> int | None:
        """Line of the mistake, from 1."""
        return self.lineno

    @property
    def column(self) -> int | None:
        """Column of the mistake in characters, from 1."""
        return self.offset


class InputError(ArcgradError, ValueError):
    """An input of an equation or an argument of a function is wrong.

    The message names it, its shape and dtype, and what was expected.
    """


class FormatError(InputError):
    """A file or text of a graph is malformed.

    Attributes:
        file: name of the file, or "<text>".
        line: line number from 1, or None where the format has no lines.
        column: column from 1, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str = "<text>",
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        where = file + "".join(f":{n}" for n in (line, column) if n is not None)
        super().__init__(f"{where}: {message}", hint=hint)
        self.file = file
        self.line = line
        self.column = column


class DivergenceError(ArcgradError, ArithmeticError):
    """A sum or a maximum over the paths of a cyclic graph has no finite value; ``cycle`` names a cycle that causes it.

    Attributes:
        cycle: arc numbers of the cycle, in order, in the graph that was summed; or None.
        where: how the message names the cycle.
    """

    def __init__(
        self,
        message: str,
        *,
        cycle: tuple[int, ...] | None = None,
        where: str = "",
        place: Place | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, place=place, hint=hint)
        self.cycle = cycle
        self.where = where

    def say_where(self, where: str) -> None:
        """Name the cycle in other words: whoever raised the error knew the numbers of its arcs only."""
        if self.where:
            self.message = self.message.replace(self.where, where, 1)
            self.args = (self.message, *self.args[1:])
            self.where = where


class UndefinedError(ArcgradError, ArithmeticError):
    """An operation between scores has no value, such as −inf − −inf, 0 × inf or the log of a negative number."""


class LimitError(ArcgradError, RuntimeError):
    """A budget would be exceeded; the message says what would have been built, the limit, and how to raise it."""


class UnsupportedError(ArcgradError, NotImplementedError):
    """Part of the language that this version parses and type-checks but cannot evaluate yet."""
