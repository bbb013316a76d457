"""Values, gradients and errors as what JSON has: what ``explore`` answers and ``--json`` prints; `schema` describes it.

JSON has no infinities: they are the strings "inf" and "-inf".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from arcgrad.grammar.errors import ArcgradError, EquationError, FormatError
from arcgrad.runtime.data.graph import Graph
from arcgrad.terminal import number_text

__all__ = ["encode_array", "encode_error", "encode_gradients", "encode_graph", "encode_number", "encode_value", "named"]


def encode_number(number: Any) -> float | int | str:
    """A score: a number, or "inf" or "-inf"; a COUNT of more than 4,300 digits, which no reader takes, as a string.

    Example:
        >>> encode_number(-math.inf), encode_number(0.5), encode_number(3)
        ('-inf', 0.5, 3)
    """
    if isinstance(number, int):
        return number if number.bit_length() <= 14_000 else number_text(number)
    value = float(number)
    return value if math.isfinite(value) else "nan" if value != value else "inf" if value > 0 else "-inf"


def encode_array(values: Any) -> Any:
    """An array, or a list of arrays, as nested lists of numbers."""
    if isinstance(values, (list, tuple)):
        return [encode_array(value) for value in values]
    array = np.asarray(values)
    return encode_number(array.item()) if array.ndim == 0 else [encode_array(value) for value in array]


def named(graph: Graph, symbols: Any) -> dict[str, str]:
    """The symbols of a graph's labels by label, as far as a table has them."""
    labels = sorted({*graph.ilabel.tolist(), *graph.olabel.tolist()} - {-1})
    found = {}
    for label in labels:
        name = symbols._name(label)
        if name is not None:
            found[str(label)] = name
    return found


def encode_graph(graph: Graph, symbols: Any = None, most: int | None = None) -> dict[str, Any]:
    """A graph: its states by number, and its arcs as [source, destination, input label, output label, weight].

    Args:
        graph: the graph.
        symbols: a SymbolTable; the graph's labels are named by it.
        most: the most arcs (and starts and accepts) to list; ``shortened`` says whether there are more. None: all.
    """
    part = slice(most)
    columns = (graph.src, graph.dst, graph.ilabel, graph.olabel)
    ends = zip(*(column[part].tolist() for column in columns), strict=True)
    weights = graph.arc_weight[part].tolist()
    encoded: dict[str, Any] = {
        "type": "graph",
        "n_states": graph.n_states,
        "n_arcs": graph.n_arcs,
        "is_acceptor": bool(graph.is_acceptor),
        "start": graph.start[part].tolist(),
        "accept": graph.accept[part].tolist(),
        "arcs": [[*arc, encode_number(weight)] for arc, weight in zip(ends, weights, strict=True)],
        "shortened": most is not None and max(graph.n_arcs, len(graph.start), len(graph.accept)) > most,
    }
    if symbols is not None:
        encoded["symbols"] = named(graph, symbols)
    return encoded


def encode_value(value: Any, symbols: Any = None, most: int | None = None) -> dict[str, Any]:
    """What an equation returned: {"type": "score" …}, {"type": "graph" …}, or {"type": "batch", "items": […]}.

    Args:
        value: a number, a Graph, an array (B,), or a list of graphs.
        symbols: as for `encode_graph`.
        most: as for `encode_graph`.
    """
    if isinstance(value, Graph):
        return encode_graph(value, symbols, most)
    if isinstance(value, list):
        return {"type": "batch", "items": [encode_value(item, symbols, most) for item in value]}
    if isinstance(value, np.ndarray) and value.ndim:
        return {"type": "batch", "items": [encode_value(item) for item in value.tolist()]}
    number = value.item() if hasattr(value, "item") else value
    return {"type": "score", "value": encode_number(number), "text": number_text(number)}


def encode_gradients(
    inputs: Mapping[str, Any], gradient: Mapping[str, Any], most: int | None = None
) -> dict[str, dict[str, Any]]:
    """Gradients by input: {"of": "arcs", "parameters", "scores" or "number", "values": …}, in the inputs' shapes."""
    encoded = {}
    for name, values in gradient.items():
        given = inputs[name]
        one = given[0] if isinstance(given, list) and given else given
        if isinstance(one, Graph):
            of = "arcs" if one.tie is None else "parameters"
        else:
            of = "scores" if isinstance(values, list) or np.ndim(values) > 1 else "number"
        shortened = most is not None and not isinstance(values, list) and np.size(values) > most
        shown = np.asarray(values)[:most] if shortened and np.ndim(values) == 1 else values
        if shortened and np.ndim(values) > 1:
            shown = np.asarray(values)[: max(1, (most or 1) // max(1, np.shape(values)[-1]))]
        encoded[name] = {"of": of, "values": encode_array(shown), "shortened": shortened}
    return encoded


def encode_error(error: Exception, where: str | None = None, name: str | None = None) -> dict[str, Any]:
    """An error: its kind, message and hint, and its place.

    Args:
        error: what was raised.
        where: what it is in: "equation", "input", "symbols", "request" or "file"; None: the equation, where it has a
            place there, else "input" for malformed texts and nothing for others.
        name: of the input.
    """
    encoded: dict[str, Any] = {"kind": type(error).__name__, "message": str(error), "where": where}
    if isinstance(error, OSError):
        named_file = error.filename is not None and error.strerror
        encoded["message"] = f"{error.filename}: {error.strerror}" if named_file else (error.strerror or str(error))
        encoded["where"] = "file"
    if isinstance(error, ArcgradError):
        encoded["message"] = error.message
        if error.hint:
            encoded["hint"] = error.hint
        if error.place is not None:
            place = error.place
            encoded["where"] = where or "equation"
            encoded |= {"line": place.line, "column": place.column, "end_column": place.end_column}
            encoded |= {"start": place.span.start, "end": place.span.end, "excerpt": place.excerpt()}
    if isinstance(error, EquationError):
        encoded["expected"] = list(error.expected)
        if error.found is not None:
            encoded["found"] = error.found
    if isinstance(error, FormatError):
        encoded["where"] = where or "input"
        encoded |= {key: value for key, value in (("line", error.line), ("column", error.column)) if value is not None}
    if name is not None:
        encoded["input"] = name
    return encoded
