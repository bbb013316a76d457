"""Inputs of an equation read from text: numbers, mappings of labels, graphs, dense scores, expressions of literals."""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import TYPE_CHECKING, Any

from arcgrad.grammar.errors import ArcgradError, FormatError, InputError

if TYPE_CHECKING:
    from arcgrad.compiler.limits import Limits
    from arcgrad.runtime.data.graph import Graph
    from arcgrad.runtime.data.symbols import SymbolTable

__all__ = [
    "FORMS",
    "MAPPING",
    "form_of",
    "is_expression",
    "read_bytes",
    "read_expression",
    "read_mapping",
    "read_number",
    "read_scores",
    "read_text",
    "tables_of",
]

MAPPING = re.compile(r"\s*-?\d+\s*:\s*-?\d+\s*(,\s*-?\d+\s*:\s*-?\d+\s*)*")
_EXPRESSION = re.compile(r'[\s(]*((re|graph)?"|[ε∅])')
_FILE = re.compile(r'[^"]*\.[A-Za-z]\w*')
_TYPED = re.compile(r"\s*(\d|start\b)")
_NUMBER = re.compile(r"\s*[+\-−]?(\d+\.?\d*|\.\d+|inf|∞)([eE][+-]?\d+)?\s*")

TEXTS = ("gtn", "openfst", "k2", "arpa", "json")
BINARIES = ("fst", "npz", "npy")
FORMS = ("auto", "score", "mapping", "scores", "expression", "graph", *TEXTS, *BINARIES)
"""How an input may be written: ``auto`` tells numbers, mappings, expressions and typed graphs by their looks."""


def is_expression(text: str) -> bool:
    """Whether a text looks like an expression: it begins with a quote, ``re"``, ``graph"``, ε or ∅, or it has a quote,
    a bracket or a blank and does not end as names of files do.

    Example:
        >>> is_expression('det["a" + "a"]'), is_expression("NBEST[A, 2]"), is_expression("my [1].txt")
        (True, True, False)
        >>> is_expression('"cat" + "dog"'), is_expression('re"a*"'), is_expression("a.txt")
        (True, True, False)
    """
    if _EXPRESSION.match(text):
        return True
    return any(sign in text for sign in '"[ ') and not _FILE.fullmatch(text)


def read_expression(text: str, symbols: SymbolTable | None = None, limits: Limits | None = None) -> Graph:
    """The graph that an expression of literals stands for.

    Raises:
        EquationError: the expression is wrong.
        InputError: it has names, or its value is a number.
        LimitError: it is too large.

    Example:
        >>> read_expression('"cat" + "dog"')
        Graph(8 states, 6 arcs, acceptor, start 0 4, accept 3 7)
    """
    from arcgrad.equation import compile_equation
    from arcgrad.runtime.data.graph import Graph

    equation = compile_equation(text, symbols, mode="interpret", limits=limits)
    if equation.inputs:
        raise InputError(
            f"an input is written with literals alone, but {text!r} has the name {equation.inputs[0]}",
            hint='write it into the equation, or quote it: "abc" is the graph of a string',
        )
    value = equation()
    if not isinstance(value, Graph):
        raise InputError(f"{text!r} is a score, {value!r}, where a graph was expected", hint="write the number itself")
    return value


def read_mapping(text: str) -> dict[int, int]:
    """A mapping of labels, written ``1:2,3:4``."""
    pairs = [pair.split(":") for pair in text.split(",")]
    mapping = {int(a): int(b) for a, b in pairs}
    if len(mapping) < len(pairs):
        raise InputError(f"the mapping {text.strip()!r} maps a label twice")
    return mapping


def read_scores(text: str, file: str = "<text>") -> Any:
    """Dense scores as typed: a frame a line, its columns apart by blanks or commas.

    Raises:
        FormatError: what is not a number, or frames of several widths; it names line and column.
    """
    import numpy as np

    from arcgrad.runtime.data.dense import dense

    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = list(re.finditer(r"[^\s,]+", line.partition("#")[0]))
        row = []
        for field in fields:
            try:
                row.append(float(field[0].replace("−", "-").replace("∞", "inf")))
            except ValueError:
                place = {"file": file, "line": number, "column": field.start() + 1}
                raise FormatError(f"expected a score, but found {field[0][:40]!r}", **place) from None  # type: ignore[arg-type]
        if row and rows and len(row) != len(rows[0]):
            raise FormatError(
                f"this frame has {len(row)} columns, but those before have {len(rows[0])}", file=file, line=number
            )
        if row:
            rows.append(row)
    return dense(np.array(rows, dtype=np.float64).reshape(len(rows), -1) if rows else np.zeros((0, 0)))


def form_of(text: str, form: str, *, is_graph: bool = False) -> str:
    """The form that a text is taken to have: "auto" goes by its looks, and by whether a graph is expected.

    Example:
        >>> form_of("0.5", "auto"), form_of("0 1 a; 1", "auto"), form_of("0", "auto", is_graph=True)
        ('score', 'graph', 'graph')
    """
    if form != "auto":
        return form
    if not is_graph and _NUMBER.fullmatch(text):
        return "score"
    if not is_graph and MAPPING.fullmatch(text):
        return "mapping"
    if text.lstrip().startswith("{"):
        return "json"
    return "graph" if _TYPED.match(text) else "expression"


def tables_of(text: str, form: str) -> tuple[str, ...]:
    """The options by which a form takes tables of symbols; OpenFst's text, only where it has symbols and no labels."""
    if form == "openfst" and re.search(r"^\s*\d+\s+\d+\s+[^\d\s]", text, re.MULTILINE):
        return "isymbols", "osymbols"
    return ("symbols",) if form == "arpa" else ()


def read_number(text: str) -> float:
    """A score as typed.

    Raises:
        InputError: it is not a number.
    """
    try:
        return float(text.strip().replace("−", "-").replace("∞", "inf"))
    except ValueError:
        raise InputError(f"{text.strip()[:40]!r} is not a number") from None


def read_text(
    text: str, form: str, symbols: SymbolTable | None, limits: Limits | None, *, is_graph: bool = False
) -> Any:
    """An input from text in one of `FORMS` that are not binary; ``is_graph``: "auto" takes it for a graph.

    Raises:
        ArcgradError: it is not of that form.
    """
    from arcgrad.runtime.data.graph import Graph

    form = form_of(text, form, is_graph=is_graph)
    if form == "score":
        return read_number(text)
    if form == "mapping":
        if not MAPPING.fullmatch(text):
            raise InputError(f"{text.strip()[:40]!r} is not a mapping of labels", hint="write 1:2,3:4")
        return read_mapping(text)
    if form == "scores":
        return read_scores(text)
    if form == "expression":
        return read_expression(text, symbols, limits)
    if form == "graph":
        return _read_typed(text, symbols, limits)
    options: dict[str, Any] = {} if symbols is None else dict.fromkeys(tables_of(text, form), symbols)
    return Graph.from_text(text, form, **options)


def _read_typed(text: str, symbols: SymbolTable | None, limits: Limits | None) -> Graph:
    """The graph that ``graph"…"`` stands for, from what is between the quotes; errors point into the text."""
    from arcgrad.grammar.errors import Place, Span

    opening = 'graph"'
    try:
        return read_expression(f'{opening}{text}"', symbols, limits)
    except ArcgradError as error:
        if error.place is not None:
            span = error.place.span
            start, end = (min(max(at - len(opening), 0), len(text)) for at in (span.start, span.end))
            error.place = Place(text, Span(start, max(start, end)))
        raise


def read_bytes(data: str, form: str, symbols: SymbolTable | None) -> Any:
    """An input from a file's bytes in base64.

    Raises:
        ArcgradError: it is not of that form.
    """
    from arcgrad.runtime.data.arguments import decoded
    from arcgrad.runtime.data.formats import formats
    from arcgrad.runtime.data.graph import Graph

    try:
        given = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("base64 is not base64") from None
    if form == "npy":
        import numpy as np

        from arcgrad.runtime.data.dense import dense
        from arcgrad.runtime.data.formats.arrays import read_array

        array = read_array(io.BytesIO(given), len(given), "<file>", "the array", n_axes=(0, 1, 2, 3))
        return dense(array) if array.ndim >= 2 else array.astype(np.float64)
    if form in BINARIES:
        read = formats()[form].read(given, "<file>")
        return Graph.from_topology(read.topology, read.weight, read.tie, read._attributes)
    return read_text(decoded(given, "<file>"), form, symbols, None)
