"""Symbol tables: names for labels. Literals of equations and drawings read them; graphs hold labels only."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from arcgrad.compiler.graphs.topology import EPSILON
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import counted, described, kind_of, nearest, shown
from arcgrad.runtime.data.arguments import checked_path, encoded, listed, read_utf8, whole_number
from arcgrad.runtime.data.checks import LARGEST

__all__ = ["CODE_POINTS", "EPSILON_NAMES", "SymbolTable", "namer"]

_EPSILON_SIGN = "ε"
EPSILON_NAMES = ("<eps>", "<epsilon>", "eps", "epsilon", _EPSILON_SIGN)
_PARTS = re.compile(r"[ \t\n\r]")
_MOST_COMPARED = 20_000  # difflib takes some 10 µs a symbol


class SymbolTable:
    """A one-to-one map between symbols (non-empty strings) and labels (integers from 0 to 2³¹ − 1).

    Args:
        symbols: an iterable of symbols, numbered in order (a text: its characters), or a mapping from symbol to label.
        first: label of the first symbol of an iterable.

    Raises:
        InputError: a symbol or label that occurs twice, an empty symbol, a label out of range.

    Example:
        >>> import arcgrad as ag
        >>> table = ag.SymbolTable(["a", "b", "<space>"])
        >>> table["b"], table.symbol(2), "c" in table
        (1, '<space>', False)
        >>> table.encode("abba")
        [0, 1, 1, 0]
        >>> table.decode([0, -1, 1])
        ['a', 'ε', 'b']
    """

    __slots__ = ("_labels", "_symbols")

    def __init__(self, symbols: Iterable[str] | Mapping[str, int], *, first: int = 0) -> None:
        labels: dict[str, int] = {}
        names: dict[int, str] = {}
        for symbol, label in _pairs(symbols, first):
            if not isinstance(symbol, str) or not symbol:
                turned = isinstance(symbols, Mapping) and isinstance(label, str) and isinstance(symbol, int)
                raise InputError(
                    f"symbol {shown(symbol)} ({type(symbol).__name__}) must be a non-empty str",
                    hint=f"a mapping goes from name to label: {{{shown(label)}: {shown(symbol)}}}" if turned else None,
                )
            what = f"the label of symbol {shown(symbol)}"
            number = whole_number(label, what, f"an integer: labels go from 0 to {LARGEST}", 0, LARGEST)
            if symbol in labels:
                raise InputError(f"symbol {symbol!r} occurs twice, with labels {labels[symbol]} and {number}")
            if number in names:
                raise InputError(f"label {number} is given to two symbols, {names[number]!r} and {symbol!r}")
            labels[symbol] = number
            names[number] = symbol
        self._labels = labels
        self._symbols = names

    @classmethod
    def from_text(cls, text: str, file: str = "<text>") -> SymbolTable:
        """A table from OpenFst's symbols format: a symbol, ASCII spaces or tabs, and its label on each line.

        The label 0 of a symbol named ``<eps>``, ``<epsilon>``, ``eps``, ``epsilon`` or ``ε`` is OpenFst's ε: that line
        is skipped, since ε is −1 here and every table shows it as "ε". Any other symbol may have label 0.

        Args:
            text: the lines.
            file: name for messages.

        Raises:
            FormatError: a line that is not a symbol and label, or a symbol or label that occurs twice.

        Example:
            >>> import arcgrad as ag
            >>> ag.SymbolTable.from_text("<eps> 0\\na 1\\nb 2\\n")
            SymbolTable(2 symbols: 'a' 1, 'b' 2)
        """
        # Not in the formats folder: that registry is of graphs.
        from arcgrad.runtime.data.formats.lines import split_lines

        if not isinstance(text, str):
            raise InputError(f"text is {kind_of(text)}, but must be a str", hint="SymbolTable.load reads files")
        labels: dict[str, int] = {}
        lines: dict[int, int] = {}
        for line in split_lines(text, file):
            if not line.fields:
                continue
            if len(line.fields) != 2:
                line.fail(f"expected 'symbol label', but found {len(line.fields)} fields", min(len(line.fields), 2))
            symbol = line.fields[0]
            label = line.integer(1, "label", 0, LARGEST)
            if symbol in labels:
                line.fail(f"symbol {symbol!r} occurs twice, with labels {labels[symbol]} and {label}", 0)
            if label in lines:
                line.fail(f"label {label} was given to another symbol on line {lines[label]}", 1)
            lines[label] = line.number
            if label != 0 or symbol not in EPSILON_NAMES:
                labels[symbol] = label
        return cls(labels)

    def to_text(self) -> str:
        """The table in OpenFst's symbols format, by label; begins with ``<eps> 0`` where no symbol has label 0.

        Raises:
            InputError: a symbol that holds a space, a tab or a line break, or one that would be read as ε.
        """
        rows = []
        if 0 not in self._symbols:
            epsilon = next((name for name in EPSILON_NAMES if name not in self._labels), None)
            rows += [] if epsilon is None else [f"{epsilon}\t0"]
        for label, symbol in sorted(self._symbols.items()):
            if _PARTS.search(symbol) or symbol.startswith("\ufeff"):
                raise InputError(
                    f"symbol {symbol!r} holds a space, a tab, a line break or a byte-order mark, "
                    "which OpenFst's symbols format cannot express"
                )
            if label == 0 and symbol in EPSILON_NAMES:
                raise InputError(f"symbol {symbol!r} with label {label} would be read as ε")
            rows.append(f"{symbol}\t{label}")
        return "".join(row + "\n" for row in rows)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SymbolTable:
        """Read a file in OpenFst's symbols format, UTF-8; see ``from_text``.

        Raises:
            FormatError: it is malformed.
            OSError: it cannot be read.
        """
        file = checked_path(path)
        text = read_utf8(file)
        return cls.from_text(text, file)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file in OpenFst's symbols format, UTF-8.

        Raises:
            InputError: as ``to_text``; or a symbol has half a surrogate pair, which no file holds.
            OSError: it cannot be written.
        """
        Path(checked_path(path)).write_bytes(encoded(self.to_text()))

    def __getitem__(self, symbol: str) -> int:
        """The label of a symbol.

        Raises:
            InputError: the table has no such symbol; the hint names the nearest one.
        """
        label = self._find(symbol)
        if label is not None:
            return label
        raise InputError(f"symbol {shown(symbol)} is not in the table ({self!r})", hint=self._nearest(symbol))

    def symbol(self, label: int) -> str:
        """The symbol of a label; that of ε (−1) is "ε".

        Raises:
            InputError: the table has no such label.
        """
        try:
            number = operator.index(label)
        except TypeError:
            raise InputError(f"label {shown(label)} ({type(label).__name__}) must be an integer") from None
        if number == EPSILON:
            return _EPSILON_SIGN
        found = self._name(number)
        if found is None:
            raise InputError(f"label {shown(label)} is not in the table ({self!r})")
        return found

    def encode(self, symbols: str | Iterable[str]) -> list[int]:
        """The labels of the characters of a text, or of each symbol of an iterable.

        Raises:
            InputError: a symbol that the table does not have; the message says at which position.
        """
        labels = []
        words = symbols if isinstance(symbols, str) else listed(symbols, "symbols", "a text or a list of symbols")
        for position, symbol in enumerate(words):
            label = self._find(symbol)
            if label is None:
                raise InputError(
                    f"symbol {shown(symbol)} at position {position} is not in the table ({self!r})",
                    hint=self._nearest(symbol),
                )
            labels.append(label)
        return labels

    def decode(self, labels: Iterable[int]) -> list[str]:
        """The symbol of each label, "ε" for −1.

        Raises:
            InputError: a label that the table does not have.
        """
        return [self.symbol(label) for label in listed(labels, "labels", "a list of integers")]

    def _find(self, symbol: Any) -> int | None:
        return self._labels.get(symbol) if isinstance(symbol, str) else None

    def _name(self, label: int) -> str | None:
        return self._symbols.get(label)

    def _nearest(self, symbol: Any) -> str | None:
        if not isinstance(symbol, str):
            return "symbols are strings; label → symbol is table.symbol(label)"
        near = nearest(symbol, self._labels) if len(self._labels) <= _MOST_COMPARED else None
        return None if near is None else f"did you mean {described(near, symbol, repr(near))}?"

    def __contains__(self, symbol: object) -> bool:
        return self._find(symbol) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __eq__(self, other: object) -> bool:
        """Whether both tables give the same labels to the same symbols."""
        if not isinstance(other, SymbolTable):
            return NotImplemented
        return type(self) is type(other) and self._labels == other._labels

    def __hash__(self) -> int:
        return hash((type(self), frozenset(self._labels.items())))

    def __repr__(self) -> str:
        few = ", ".join(f"{symbol!r} {label}" for symbol, label in list(self._labels.items())[:4])
        more = ", …" if len(self) > 4 else ""
        colon = ": " if few else ""
        return f"SymbolTable({counted(len(self), 'symbol')}{colon}{few}{more})"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return type(self), (self._labels,)

    def __copy__(self) -> SymbolTable:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SymbolTable:
        return self


class _CodePoints(SymbolTable):
    """Every character is a symbol, and its label is its Unicode code point: the table of ``ag.linear("abc")``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(())

    def _find(self, symbol: Any) -> int | None:
        return ord(symbol) if isinstance(symbol, str) and len(symbol) == 1 else None

    def _name(self, label: int) -> str | None:
        return chr(label) if 0 <= label <= 0x10FFFF else None

    def _nearest(self, symbol: Any) -> str | None:
        if isinstance(symbol, str) and len(symbol) > 1:
            return "symbols of more than one character need a SymbolTable"
        return super()._nearest(symbol)

    def __iter__(self) -> Iterator[str]:
        return map(chr, range(0x110000))

    def __len__(self) -> int:
        return 0x110000

    def to_text(self) -> str:
        """Refused: there are over a million of them."""
        raise InputError("the table of Unicode code points is not written to files")

    def __repr__(self) -> str:
        return "Unicode code points"

    def __reduce__(self) -> str:
        return "CODE_POINTS"


def _pairs(symbols: Any, first: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(symbols, Mapping):
        if first != 0:
            raise InputError("first numbers an iterable of symbols; a mapping has its own labels")
        return symbols.items()
    number = whole_number(first, "first", f"an integer from 0 to {LARGEST}", 0, LARGEST)
    names = symbols if isinstance(symbols, str) else listed(symbols, "symbols", "an iterable of str or a mapping")
    return ((symbol, at) for at, symbol in enumerate(names, number))


CODE_POINTS = _CodePoints()
"""The default table: characters are their Unicode code points."""


def namer(symbols: Any) -> Callable[[int], str]:
    """What shows a label: its number, or with a table, with what makes one, or with ``chr``, its symbol.

    Raises:
        InputError: it makes no table.
    """
    if symbols is None:
        return str
    if symbols is chr:
        return CODE_POINTS.symbol
    return (symbols if isinstance(symbols, SymbolTable) else SymbolTable(symbols)).symbol
