"""Lines and columns: what the line-based text formats share. No format of its own.

Every number that is read passes through here, so every mistake is reported with file, line and column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NoReturn

from arcgrad.compiler.graphs.topology import EPSILON
from arcgrad.grammar.errors import FormatError
from arcgrad.runtime.data.checks import LARGEST

__all__ = ["FIELD", "Line", "split_lines"]

# Not what Python holds for white space: U+3000 and U+00A0 are symbols like others.
FIELD = re.compile(r"[^ \t]+")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|infinity)", re.IGNORECASE)


class Line:
    """One line of a file, split into fields at spaces and tabs.

    Attributes:
        file: name of the file, for messages.
        number: line number, from 1.
        fields: the words of the line.
    """

    __slots__ = ("fields", "file", "number", "text")

    def __init__(self, file: str, number: int, text: str) -> None:
        self.file = file
        self.number = number
        self.text = text
        self.fields = FIELD.findall(text)

    def fail(self, message: str, field: int | None = None, hint: str | None = None) -> NoReturn:
        """Raise FormatError at a field; without one, at the first; past the last one, at the line's end."""
        starts = [match.start() for match in FIELD.finditer(self.text)]
        index = 0 if field is None else field
        column = starts[index] + 1 if index < len(starts) else len(self.text.rstrip(" \t")) + 1
        raise FormatError(message, file=self.file, line=self.number, column=column, hint=hint)

    def _shown(self, field: int) -> str:
        text = self.fields[field]
        return repr(text if len(text) <= 40 else text[:37] + "...")

    def integer(self, field: int, what: str, low: int, high: int, hint: str | None = None) -> int:
        """The whole number in a field, from low to high."""
        text = self.fields[field]
        # Nearly every field is a few digits; the careful way takes three times as long.
        if len(text) < 10 and text.isascii() and text.isdigit():
            value = int(text)
            if low <= value <= high:
                return value
        if _INTEGER.fullmatch(text) is None:
            self.fail(f"expected {what}, an integer from {low} to {high}, but found {self._shown(field)}", field, hint)
        # Past twenty digits it is out of range whatever it is; int() itself refuses very long ones.
        value = int(text) if len(text) <= 20 else (-1 if text[0] == "-" else 1) * 10**20
        if not low <= value <= high:
            self.fail(f"{what} is {self._shown(field)}, but must be from {low} to {high}", field, hint)
        return value

    def state(self, field: int, what: str) -> int:
        """The state number in a field."""
        return self.integer(field, what, 0, LARGEST - 1)

    def label(self, field: int, what: str, *, epsilon: int | None, shift: int, hint: str | None = None) -> int:
        """The label in a field: the file's ``epsilon`` is −1, others move by ``shift``; None: no label is ε."""
        value = self.integer(field, what, 0 if epsilon is None else min(0, epsilon), LARGEST, hint)
        if value == epsilon:
            return EPSILON
        if not 0 <= value + shift <= LARGEST:
            self.fail(
                f"{what} {value} becomes {value + shift} with shift={shift}, but labels go from 0 to {LARGEST}", field
            )
        return value + shift

    def real(self, field: int, what: str) -> float:
        """The real number or infinity in a field; NaN is refused."""
        text = self.fields[field]
        if _REAL.fullmatch(text) is None:
            self.fail(f"expected {what}, a real number, but found {self._shown(field)}", field)
        value = float(text)
        if math.isinf(value) and text[-1].isdigit():
            self.fail(f"{what} {self._shown(field)} is too large for a float64", field)
        return value


def split_lines(text: str, file: str) -> Iterator[Line]:
    """The lines of a text, ended by LF, CRLF or CR; a byte-order mark is skipped. The last line need not be ended."""
    # Not str.splitlines, which splits at form feeds and other characters that editors do not count as line ends.
    rows = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if rows[-1] == "":
        rows.pop()
    for number, row in enumerate(rows, 1):
        yield Line(file, number, row)
