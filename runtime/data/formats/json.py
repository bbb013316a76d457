"""arcgrad's own readable form: a JSON object that holds everything a graph has, ties included. Round trips are exact.

{"format": "arcgrad graph", "version": 1, "n_states": 3, "start": [0], "accept": [2],
 "arcs": [[0, 1, 5, 6], [1, 2, -1, -1]],   source, destination, input label, output label
 "weight": [0.5, "-inf"],                  nats; −inf is a string, since JSON has no infinities
 "tie": null,                              or for each arc the entry of weight that it has
 "attributes": {"word": ["the", ""]}}      absent where there are none
"""

from __future__ import annotations

import json
import math
from typing import Any

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.formats.base import Format

__all__ = ["FORMAT", "read", "write"]

_MARK = "arcgrad graph"
_VERSION = 1
_KEYS = ("format", "version", "n_states", "start", "accept", "arcs", "weight", "tie")


def read(text: str, file: str = "<text>") -> BareGraph:
    """The graph that a JSON text describes.

    Raises:
        FormatError: it is not JSON, or not of a graph.
    """
    try:
        data = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise FormatError(f"not JSON: {error.msg}", file=file, line=error.lineno, column=error.colno) from None
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, NaN, nesting without end
        raise FormatError(f"not JSON of a graph: {error}", file=file) from None
    if not isinstance(data, dict) or data.get("format") != _MARK:
        raise FormatError(f'not a graph: expected a JSON object with "format": "{_MARK}"', file=file)
    if data.get("version") != _VERSION:
        raise FormatError(
            f"version {shown(data.get('version'))} of the form; this arcgrad reads version {_VERSION}", file=file
        )
    for key in _KEYS:
        if key not in data:
            raise FormatError(f"the object has no {key!r}; it must have {', '.join(_KEYS)}", file=file)
    if type(data["n_states"]) is not int:
        raise FormatError(f"n_states must be an integer, but is {shown(data['n_states'])}", file=file)
    arcs = data["arcs"]
    if not isinstance(arcs, list):
        raise FormatError(f"arcs must be a list, but is {shown(arcs)}", file=file)
    for number, arc in enumerate(arcs):
        if not (isinstance(arc, list) and len(arc) == 4 and all(type(entry) is int for entry in arc)):
            raise FormatError(f"arcs[{number}] must be [src, dst, ilabel, olabel], but is {shown(arc)}", file=file)
    for key in ("start", "accept") if data["tie"] is None else ("start", "accept", "tie"):
        values = data[key]
        if not (isinstance(values, list) and all(type(value) is int for value in values)):
            raise FormatError(f"{key} must be a list of integers, but is {shown(values)}", file=file)
    src, dst, ilabel, olabel = zip(*arcs, strict=True) if arcs else ((), (), (), ())
    try:
        return BareGraph(
            src,
            dst,
            ilabel,
            None if ilabel == olabel else olabel,
            _weights(data["weight"], file),
            start=data["start"],
            accept=data["accept"],
            n_states=data["n_states"],
            tie=data["tie"],
            attributes=data.get("attributes"),
        )
    except InputError as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(error.message, file=file, hint=error.hint) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not JSON (a weight of −inf is written "-inf")')


def _weights(values: Any, file: str) -> list[float]:
    if not isinstance(values, list):
        raise FormatError(f"weight must be a list, but is {shown(values)}", file=file)
    weights = []
    for number, value in enumerate(values):
        if value == "-inf":
            weights.append(-math.inf)
            continue
        try:
            if type(value) not in (int, float):
                raise TypeError
            weights.append(float(value))
            if math.isinf(weights[-1]):  # what JSON has no number for, such as -1e999
                raise OverflowError
        except (TypeError, OverflowError):
            raise FormatError(
                f'weight[{number}] must be a number within float64 or "-inf", but is {shown(value)}', file=file
            ) from None
    return weights


def write(graph: BareGraph) -> str:
    """The graph as JSON, one arc a line."""
    columns = (graph.src.tolist(), graph.dst.tolist(), graph.ilabel.tolist(), graph.olabel.tolist())
    arcs = ",\n  ".join(str(list(arc)) for arc in zip(*columns, strict=True))
    head = {
        "format": _MARK,
        "version": _VERSION,
        "n_states": graph.n_states,
        "start": graph.start.tolist(),
        "accept": graph.accept.tolist(),
    }
    tail: dict[str, Any] = {
        "weight": ["-inf" if weight == -math.inf else weight for weight in graph.weight.tolist()],
        "tie": None if graph.tie is None else graph.tie.tolist(),
    }
    if graph.attributes:
        tail["attributes"] = {name: values.tolist() for name, values in graph.attributes.items()}
    rows = [f' "{key}": {json.dumps(value, allow_nan=False)}' for key, value in head.items()]
    rows.append(f' "arcs": [\n  {arcs}\n ]' if arcs else ' "arcs": []')
    rows += [f' "{key}": {json.dumps(value, allow_nan=False)}' for key, value in tail.items()]
    return "{\n" + ",\n".join(rows) + "\n}\n"


FORMAT = Format(
    name="json",
    summary="arcgrad's readable form",
    suffixes=(".json",),
    read=read,
    write=write,
)
