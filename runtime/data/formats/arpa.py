"""The ARPA form of back-off language models, as SRILM, KenLM and others write it; it is only read.

    \\data\\
    ngram 1=4                     how many n-grams of each length
    ngram 2=3

    \\1-grams:
    -99   <s>  -0.3               log10 probability, words, log10 back-off weight
    -0.7  </s>
    -0.5  a  -0.2

    \\2-grams:
    -0.3  <s> a
    \\end\\

The graph reads strings of words without <s> and </s>: contexts are its states, <s> the start, and </s> an ε arc into
the one accept, so that a path weighs the natural logarithm of the probability of a string and of its end. <unk> is a
word like others. By default a context that lacks a word has a back-off arc, an ε, and a string may have several paths,
of which the model means the one that backs off least; backoff="exact" gives each context an arc for every word, and
each string one path. Words are numbered from 1 as the file lists them, <s> and </s> left out.
"""

from __future__ import annotations

import gc
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from typing import NoReturn

import numpy as np

from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.formats.backoff import MissingContext, NGrams, RepeatedNGram, backoff_graph
from arcgrad.runtime.data.formats.base import Format
from arcgrad.runtime.data.formats.lines import FIELD, Line
from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["FORMAT", "read", "symbols"]

_BEGIN, _END = "<s>", "</s>"
_LN10 = math.log(10.0)
_COUNT = re.compile(r"ngram[ \t]+([0-9]+)[ \t]*=[ \t]*([0-9]+)[ \t]*")
_SECTION = re.compile(r"\\([0-9]+)-grams:[ \t]*")
_ODD_SPACE = re.compile(r"[^\S \t\n]")


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the garbage collector from going through the millions of lists that are being made: 0.5 s instead of 2."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _File:
    """The lines of a file, cut into sections."""

    def __init__(self, text: str, file: str) -> None:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.file = file
        self.rows = text.split("\n")
        # What Python holds for white space is part of words here, as in all formats of lines.
        self.split: Callable[[str], list[str]] = FIELD.findall if _ODD_SPACE.search(text) else str.split
        self.counts: list[int] = []
        self.sections: list[range] = []
        self._cut()

    def line(self, index: int) -> Line:
        """A line with its place; past the last one, an empty one."""
        return Line(self.file, index + 1, self.rows[index] if index < len(self.rows) else "")

    def _cut(self) -> None:
        marks = [index for index, row in enumerate(self.rows) if row.startswith("\\")]
        data = next((index for index in marks if self.rows[index].strip() == "\\data\\"), None)
        if data is None:
            self.line(0).fail("the text has no line \\data\\, with which a model in the ARPA form begins")
        marks = [index for index in marks if index > data]
        for index in range(data + 1, marks[0] if marks else len(self.rows)):
            if self.rows[index].strip():
                self._count(index)
        if not self.counts:
            self.line(data + 1).fail("expected 'ngram 1=…', the number of 1-grams")
        for order in range(1, len(self.counts) + 1):
            expected = f"\\{order}-grams:"
            self._expect(marks, order - 1, expected, _SECTION.fullmatch)
            begin = marks[order - 1] + 1
            if int(_SECTION.fullmatch(self.rows[begin - 1])[1]) != order:  # type: ignore[index]
                self.line(begin - 1).fail(f"expected {expected}")
            after = marks[order] if order < len(marks) else len(self.rows)
            self.sections.append(range(begin, after))
        self._expect(marks, len(self.counts), "\\end\\", lambda row: row.strip() == "\\end\\")

    def _count(self, index: int) -> None:
        found = _COUNT.fullmatch(self.rows[index])
        order = len(self.counts) + 1
        if found is None or len(found[2]) > 10 or int(found[1][:10]) != order:
            self.line(index).fail(f"expected 'ngram {order}=…', the number of {order}-grams")
        self.counts.append(int(found[2]))

    def _expect(self, marks: list[int], at: int, expected: str, fits: Callable[[str], object]) -> None:
        if at >= len(marks):
            self.line(len(self.rows) - (self.rows[-1] == "")).fail(
                f"the text ends where {expected} was expected", hint="is the file whole?"
            )
        if not fits(self.rows[marks[at]]):
            self.line(marks[at]).fail(f"expected {expected}, but found {shown(self.rows[marks[at]])}")

    def fields(self, order: int) -> list[list[str]]:
        """The words of the lines of a section."""
        section = self.sections[order - 1]
        split = self.split
        with _no_collections():
            rows = [fields for fields in map(split, self.rows[section.start : section.stop]) if fields]
        if len(rows) != self.counts[order - 1]:
            self.line(section.start - 1).fail(
                f"{len(rows)} {order}-grams follow, but \\data\\ says that there are {self.counts[order - 1]}"
            )
        return rows

    def fail(self, order: int, row: int, field: int, message: str, hint: str | None = None) -> NoReturn:
        """Raise FormatError at a field of an n-gram."""
        self.gram(order, row).fail(message, field, hint)

    def gram(self, order: int, row: int) -> Line:
        """The line of an n-gram."""
        return self.line([index for index in self.sections[order - 1] if self.split(self.rows[index])][row])


def read(
    text: str,
    file: str = "<text>",
    *,
    backoff: str = "epsilon",
    symbols: SymbolTable | None = None,
    limits: Limits | None = None,
) -> BareGraph:
    """The graph of a model in the ARPA form.

    Args:
        text: the text.
        file: its name, for messages.
        backoff: "epsilon" or "exact"; see above.
        symbols: the table in which words are looked up; None: they are numbered from 1.
        limits: the budget of states and arcs for "exact".

    Raises:
        FormatError: the text is malformed.
        LimitError: "exact" would make too many arcs.
    """
    parts = _File(text, file)
    rows = parts.fields(1)
    _check_widths(parts, 1, rows)
    words = [row[1] for row in rows]
    index = {word: number for number, word in enumerate(words)}
    if _END not in index:
        parts.line(parts.sections[0].start - 1).fail(
            f"the 1-grams have no {_END}, without which strings have no end", hint=f"give {_END} a probability"
        )
    orders = []
    for order in range(1, len(parts.counts) + 1):
        orders.append(_grams(parts, order, rows if order == 1 else parts.fields(order), index))
    begin = index.get(_BEGIN)
    try:
        labels = _labels(parts, words, symbols)
        exact = backoff == "exact"
        return backoff_graph(orders, labels, begin, index[_END], exact, DEFAULT_LIMITS if limits is None else limits)
    except RepeatedNGram as error:
        parts.fail(error.order, error.row, 1, f"this {error.order}-gram was listed before")
    except MissingContext as error:
        context = " ".join(parts.gram(error.order, error.row).fields[1 : error.order])
        message = f"this {error.order}-gram continues {context!r}, which is no {error.order - 1}-gram of the file"
        parts.fail(error.order, error.row, 1, message)


def _check_widths(parts: _File, order: int, rows: list[list[str]]) -> None:
    widths = set(map(len, rows))
    longest = order + 1 + (order < len(parts.counts))
    if widths <= {order + 1, longest}:
        return
    row = next(k for k, fields in enumerate(rows) if len(fields) not in (order + 1, longest))
    form = "'log10(p) word'" if order == 1 else f"'log10(p)' and {order} words"
    more = ", and perhaps a back-off weight" if longest > order + 1 else ""
    found = len(rows[row])
    parts.fail(order, row, min(found, longest), f"expected {form}{more}, but found {found} fields")


def _grams(parts: _File, order: int, rows: list[list[str]], index: dict[str, int]) -> NGrams:
    _check_widths(parts, order, rows)
    flat = chain.from_iterable(row[1 : order + 1] for row in rows)
    numbers = map(index.get, flat, repeat(-1))
    words = np.fromiter(numbers, dtype=np.int64, count=order * len(rows)).reshape(len(rows), order)
    if words.size and words.min() < 0:
        row, column = divmod(int(np.argmin(words.reshape(-1))), order)
        unknown = shown(rows[row][1 + column])
        parts.fail(order, row, 1 + column, f"the word {unknown} is no 1-gram of the file")
    score = _reals(parts, order, [row[0] for row in rows], 0, "log10 probability")
    if np.any(score > 0):
        row = int(np.argmax(score > 0))
        parts.fail(order, row, 0, f"the log10 probability {rows[row][0]} is positive: the probability exceeds 1")
    width = order + 2
    backoff = _reals(
        parts, order, [row[-1] if len(row) == width else "0" for row in rows], order + 1, "log10 back-off weight"
    )
    return NGrams(words, _LN10 * score, _LN10 * backoff)


def _reals(
    parts: _File, order: int, texts: list[str], field: int, what: str
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Numbers up to those that weights may be, NaN and +inf left out."""
    try:
        values = np.array(list(map(float, texts)), dtype=np.float64)
        # Python reads 1_0 as 10.
        if np.all(values < 1e299) and not any("_" in text for text in texts):
            return values
    except ValueError:
        pass
    for row in range(len(texts)):
        value = 0.0 if texts[row] == "0" else parts.gram(order, row).real(field, what) if _odd(texts[row]) else 0.0
        if not value < 1e299:
            parts.fail(order, row, field, f"the {what} {texts[row]} is too large")
    raise AssertionError


def _odd(text: str) -> bool:
    try:
        return "_" in text or not float(text) < 1e299
    except ValueError:
        return True


def _labels(parts: _File, words: list[str], table: SymbolTable | None) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    labels, number = [], 0
    for row, word in enumerate(words):
        if word in (_BEGIN, _END):
            labels.append(-1)
        elif table is None:
            number += 1
            labels.append(number)
        else:
            try:
                labels.append(table[word])
            except InputError as error:
                parts.fail(1, row, 1, f"the word {shown(word)} is not in the table symbols", error.hint)
    return np.array(labels, dtype=np.int64)


def symbols(text: str, file: str, side: str) -> SymbolTable:
    """The words of a model, numbered from 1; <s> and </s> are left out.

    Raises:
        FormatError: the 1-grams are malformed, or one is listed twice.
    """
    parts = _File(text, file)
    rows = parts.fields(1)
    _check_widths(parts, 1, rows)
    seen: set[str] = set()
    for row, fields in enumerate(rows):
        if fields[1] in seen:
            parts.fail(1, row, 1, "this 1-gram was listed before")
        seen.add(fields[1])
    return SymbolTable([row[1] for row in rows if row[1] not in (_BEGIN, _END)], first=1)


FORMAT = Format(
    name="arpa",
    summary="back-off language models, only read",
    suffixes=(".arpa",),
    read=read,
    read_symbols=symbols,
    read_options=("backoff", "symbols", "limits"),
)
