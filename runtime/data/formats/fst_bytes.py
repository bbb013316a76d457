"""The bytes of OpenFst's files: a cursor that looks before it reads, headers, symbol tables. No format of its own.

Numbers are little-endian. A size that a file claims is compared with the bytes that follow before memory is taken.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.grammar.mistakes import counted, shown
from arcgrad.runtime.data.checks import LARGEST
from arcgrad.runtime.data.symbols import EPSILON_NAMES, SymbolTable

__all__ = [
    "ARC_TYPES",
    "EXPANDED",
    "MUTABLE",
    "Cursor",
    "Header",
    "const_types",
    "costs_of",
    "header_bytes",
    "properties_of",
    "read_symbols",
]

Array = NDArray[Any]

_FST_MAGIC = 2125659606
_SYMBOLS_MAGIC = 2125658996

ARC_TYPES = {"standard": "<f4", "log": "<f4", "log64": "<f8"}
"""The arc types whose weights are costs, and how each is stored."""

# Stored properties that say how the graph is held; the others come in pairs, "it is" and "it is not".
EXPANDED, MUTABLE = 0x1, 0x2

_INT32, _INT64 = struct.Struct("<i"), struct.Struct("<q")
# Version, flags, properties, start, number of states and of arcs.
_REST = struct.Struct("<iiQqqq")
_HAS_ISYMBOLS, _HAS_OSYMBOLS, _IS_ALIGNED = 1, 2, 4
_ALIGNMENT = 16


class Cursor:
    """A place in a file's bytes.

    Attributes:
        data: all bytes.
        file: name of the file, for messages.
        at: offset of the next byte.
    """

    __slots__ = ("at", "data", "file")

    def __init__(self, data: bytes, file: str, at: int = 0) -> None:
        self.data = data
        self.file = file
        self.at = at

    @property
    def left(self) -> int:
        """How many bytes follow."""
        return len(self.data) - self.at

    def fail(self, message: str, at: int | None = None, hint: str | None = None) -> NoReturn:
        """Raise FormatError at an offset; None: at the next byte."""
        raise FormatError(f"at byte {self.at if at is None else at}: {message}", file=self.file, hint=hint)

    def take(self, n_bytes: int, what: str) -> int:
        """Step over so many bytes, once it is known that they exist; the offset of the first."""
        if n_bytes > self.left:
            self.fail(f"{what} takes {counted(n_bytes, 'byte')}, but {self.left} follow", hint="is the file whole?")
        self.at += n_bytes
        return self.at - n_bytes

    def int32(self, what: str) -> int:
        """The next 32-bit integer."""
        return int(_INT32.unpack_from(self.data, self.take(4, what))[0])

    def int64(self, what: str) -> int:
        """The next 64-bit integer."""
        return int(_INT64.unpack_from(self.data, self.take(8, what))[0])

    def string(self, what: str) -> bytes:
        """The next string: its length, and its bytes."""
        at = self.at
        length = self.int32(f"the length of {what}")
        if length < 0:
            self.fail(f"{what} has the length {length}", at)
        first = self.take(length, what)
        return self.data[first : self.at]

    def word(self, what: str, at: int, raw: bytes) -> str:
        """A string's text."""
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.fail(f"{what} {shown(raw)} is not UTF-8", at)

    def align(self) -> None:
        """Step to the next multiple of 16, where arrays of aligned files begin."""
        self.take(-self.at % _ALIGNMENT, "the padding of an aligned file")


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before a graph's states; sizes are claims, not facts.

    Attributes:
        at: offset of the graph.
        fst_type: "vector", "const" …
        arc_type: "standard", "log" or "log64".
        version: of the form of fst_type.
        aligned: whether arrays begin at multiples of 16 bytes.
        start: the start state, −1 for none.
        n_states: number of states; −1: as many as follow.
        n_arcs: number of arcs; says nothing for vectors.
        symbols: where the tables of input and of output symbols begin; None where there is none.
    """

    at: int
    fst_type: str
    arc_type: str
    version: int
    aligned: bool
    start: int
    n_states: int
    n_arcs: int
    symbols: tuple[int | None, int | None]

    @classmethod
    def read(cls, cursor: Cursor) -> Header:
        """Read a header and step over it and over the tables of symbols.

        Raises:
            FormatError: there is none, or one of another kind of graph.
        """
        begin = cursor.at
        magic = cursor.int32("the magic number of a graph")
        if magic != _FST_MAGIC:
            found = cursor.data[begin : begin + 8]
            hint = "OpenFst's text form is .att" if found.isascii() and b"\0" not in found else None
            cursor.fail(f"expected a graph in OpenFst's binary form, but found {found!r}", begin, hint)
        at = cursor.at
        fst_type = cursor.word("the type", at, cursor.string("the type"))
        if fst_type not in ("vector", "const"):
            cursor.fail(
                f"the graph is of the type {shown(fst_type)}, but only vector and const are read",
                at,
                hint="convert it: fstconvert --fst_type=vector",
            )
        at = cursor.at
        arc_type = cursor.word("the arc type", at, cursor.string("the arc type"))
        if arc_type not in ARC_TYPES:
            cursor.fail(
                f"the arcs are of the type {shown(arc_type)}, but only {', '.join(ARC_TYPES)} have one cost that is "
                "a weight here",
                at,
                hint="fstmap --map_type=to_standard converts some types",
            )
        at = cursor.take(_REST.size, "the header")
        version, flags, properties, start, n_states, n_arcs = _REST.unpack_from(cursor.data, at)
        if version not in ((2,) if fst_type == "vector" else (1, 2)):
            cursor.fail(f"version {version} of the form {fst_type!r} is not known", at)
        if flags & ~(_HAS_ISYMBOLS | _HAS_OSYMBOLS | _IS_ALIGNED):
            cursor.fail(f"the flags are {flags:#x}, of which only the last three bits mean something", at + 4)
        if properties & 4:
            cursor.fail("the graph is marked as the result of an error", at + 8)
        if not -1 <= start <= LARGEST or not -1 <= n_states <= LARGEST or n_arcs < -1:
            cursor.fail(f"{n_states} states, {n_arcs} arcs and the start {start} make no graph", at + 16)
        places: list[int | None] = []
        for flag, side in ((_HAS_ISYMBOLS, "input"), (_HAS_OSYMBOLS, "output")):
            places.append(cursor.at if flags & flag else None)
            if flags & flag:
                _entries(cursor, side)
        aligned = bool(flags & _IS_ALIGNED) or (fst_type != "vector" and version == 1)
        return cls(begin, fst_type, arc_type, version, aligned, start, n_states, n_arcs, (places[0], places[1]))


def read_symbols(cursor: Cursor, side: str, shift: int = 0) -> SymbolTable:
    """Read a table of symbols; label 0 of a symbol that means ε is left out, as in ``SymbolTable.from_text``.

    Raises:
        FormatError: it is none, or one that is no table here: labels that are negative or occur twice.
    """
    labels: dict[str, int] = {}
    symbols: dict[int, str] = {}
    for at, raw, label in _entries(cursor, side):
        symbol = cursor.word("the symbol", at, raw)
        if label == 0 and symbol in EPSILON_NAMES:
            continue
        if not 0 <= label + shift <= LARGEST:
            cursor.fail(f"symbol {shown(symbol)} has the label {label}, but labels go from {-shift} to {LARGEST}", at)
        if not symbol or symbol in labels or label in symbols:
            other = "is empty" if not symbol else "occurs twice" if symbol in labels else "shares its label"
            cursor.fail(f"symbol {shown(symbol)} (label {label}) {other}", at)
        labels[symbol] = label + shift
        symbols[label] = symbol
    return SymbolTable(labels)


def _entries(cursor: Cursor, side: str) -> list[tuple[int, bytes, int]]:
    """Each entry of a table with its offset; steps over the table."""
    what = f"the table of {side} symbols"
    at = cursor.at
    if cursor.int32(what) != _SYMBOLS_MAGIC:
        cursor.fail(f"expected {what}, but found other bytes", at)
    cursor.string(f"the name of {what}")
    cursor.int64(what)
    at = cursor.at
    size = cursor.int64(what)
    if not 0 <= 12 * size <= cursor.left:
        cursor.fail(f"{what} has {size} entries of 12 bytes or more, but {cursor.left} bytes follow", at)
    found = []
    for _ in range(size):
        at = cursor.at
        found.append((at, cursor.string("a symbol"), cursor.int64("the label of a symbol")))
    return found


def symbols_bytes(table: SymbolTable, shift: int = 0) -> bytes:
    """A table as OpenFst stores it, by label; begins with ``<eps>`` 0 where no symbol has that label.

    Raises:
        InputError: a label that ``shift`` makes negative.
    """
    entries = sorted((table[symbol] - shift, symbol) for symbol in table)
    if entries and entries[0][0] < 0:
        label, symbol = entries[0]
        raise InputError(f"symbol {symbol!r} has label {label + shift}, which becomes {label} with shift={shift}")
    if not entries or entries[0][0] > 0:
        epsilon = next(name for name in (*EPSILON_NAMES, "") if name not in table)
        entries.insert(0, (0, epsilon))
    parts = [_INT32.pack(_SYMBOLS_MAGIC), _string("symbols"), struct.pack("<qq", entries[-1][0] + 1, len(entries))]
    for label, symbol in entries:
        parts += [_string(symbol), _INT64.pack(label)]
    return b"".join(parts)


def _string(text: str) -> bytes:
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise InputError(f"the symbol {shown(text)} is no text: it has half a surrogate pair") from None
    return _INT32.pack(len(raw)) + raw


def header_bytes(
    fst_type: str,
    arc_type: str,
    properties: int,
    start: int,
    n_states: int,
    n_arcs: int,
    tables: tuple[SymbolTable | None, SymbolTable | None],
    shift: int,
    align: bool,
) -> bytes:
    """A header with its tables of symbols."""
    flags = (_HAS_ISYMBOLS if tables[0] is not None else 0) | (_HAS_OSYMBOLS if tables[1] is not None else 0)
    version = 1 if align else 2
    flags |= _IS_ALIGNED if align else 0
    parts = [
        _INT32.pack(_FST_MAGIC),
        _string(fst_type),
        _string(arc_type),
        _REST.pack(version, flags, properties, start, n_states, n_arcs),
    ]
    return b"".join(parts + [symbols_bytes(table, shift) for table in tables if table is not None])


def const_types(arc_type: str) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """A state and an arc as C holds them, padding included."""
    weight = ARC_TYPES[arc_type]
    numbers = [(name, "<u4") for name in ("pos", "n_arcs", "n_ieps", "n_oeps")]
    state = np.dtype([("final", weight), *numbers], align=True)
    arc = np.dtype([("ilabel", "<i4"), ("olabel", "<i4"), ("cost", weight), ("dst", "<i4")], align=True)
    return state, arc


def properties_of(src: Array, ilabel: Array, olabel: Array, cost: Array, final: Array) -> int:
    """The bits of what costs nothing to know; OpenFst finds out the others when it needs them."""
    same = src[1:] == src[:-1]
    weighted = bool(np.any((cost != 0.0) & (cost < np.inf))) or bool(np.any((final != 0.0) & (final < np.inf)))
    facts = (
        (0x10000, bool(np.array_equal(ilabel, olabel))),  # acceptor
        (0x400000, bool(np.any((ilabel == 0) & (olabel == 0)))),  # ε:ε arcs
        (0x1000000, bool(np.any(ilabel == 0))),  # input ε
        (0x4000000, bool(np.any(olabel == 0))),  # output ε
        (0x10000000, not np.any(same & (ilabel[1:] < ilabel[:-1]))),  # arcs sorted by input label
        (0x40000000, not np.any(same & (olabel[1:] < olabel[:-1]))),  # by output label
        (0x100000000, weighted),
    )
    return sum(bit if holds else bit << 1 for bit, holds in facts)


def costs_of(weight: Array, arc_type: str) -> Array:
    """The costs of weights, as an arc type holds them.

    Raises:
        InputError: a weight that is too large for float32.
    """
    dtype = ARC_TYPES[arc_type]
    if dtype == "<f4":
        too_large = (np.abs(weight) > np.finfo(np.float32).max) & (weight > -np.inf)
        if too_large.any():
            k = int(np.argmax(too_large))
            raise InputError(
                f"weight[{k}] is {weight[k]}, which is too large for the float32 of arcs of type {arc_type}",
                hint="write arc_type='log64'",
            )
    costs: Array = (0.0 - weight).astype(dtype)
    return costs
