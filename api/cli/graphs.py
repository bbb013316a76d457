"""The commands about graphs: ``convert``, ``info``, ``paths``."""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any

from arcgrad.cli.given import is_written, namer_of, own_tables_of, print_json, read_graph, shown_tables
from arcgrad.explore.encode import encode_number
from arcgrad.grammar.errors import ArcgradError, InputError

if TYPE_CHECKING:
    from arcgrad.runtime.data.graph import Graph
    from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["convert", "info", "paths"]

_GIVEN = re.compile(r"\s*[^\W\d]\w*\s*=")
_SIDES = {"isymbols": "input", "osymbols": "output"}
_COUNTED_ARCS = 1_000_000  # of graphs whose paths are counted


def _graph(word: str, arguments: argparse.Namespace) -> Graph:
    found = read_graph(word, arguments)
    if not hasattr(found, "n_arcs"):
        if getattr(found, "is_batch", True):
            raise InputError(f"{word} is an array of scores or numbers, not one graph")
        return found.to_graph()  # type: ignore[no-any-return]
    return found  # type: ignore[no-any-return]


def convert(arguments: argparse.Namespace) -> int:
    """``arcgrad convert``."""
    from arcgrad.runtime.data.files import format_of, save
    from arcgrad.runtime.data.formats import format_named

    graph = _graph(arguments.graph, arguments)
    target, to = arguments.target, arguments.to
    if target == "-":
        chosen = format_named("gtn" if to is None else to)
    else:
        chosen = format_of(target, to, arguments.graph)
    tables: dict[str, Any] = (
        {} if is_written(arguments.graph) and not arguments.symbols else shown_tables(arguments.graph, arguments)
    )
    if "isymbols" not in chosen.options and tables:
        if not arguments.symbols:
            warnings.warn(f"the form {chosen.name!r} holds no symbols, which are left out", UserWarning, stacklevel=2)
        tables = {}
    if chosen.name == "openfst" and not _name_all(graph, tables):
        warnings.warn("labels are written as numbers, since not all of them have symbols", UserWarning, stacklevel=2)
        tables = {}
    if arguments.arc_type is not None:
        tables["arc_type"] = arguments.arc_type
        if chosen.name != "fst":
            raise InputError(f"the form {chosen.name!r} has no --arc-type", hint="only .fst has: --to fst")
    if target != "-":
        save(target, graph, chosen.name, **tables)
    elif chosen.binary:
        if chosen.write is None or not hasattr(sys.stdout, "buffer"):
            raise InputError(f"the form {chosen.name} is not text", hint="name a file to write")
        written = chosen.write(graph, **tables)
        sys.stdout.buffer.write(written if isinstance(written, bytes) else written.encode())
    else:
        print(graph.to_text(chosen.name, **tables).removesuffix("\n"))
    return 0


def _name_all(graph: Graph, tables: dict[str, SymbolTable]) -> bool:
    """Whether each label has a symbol in the table of its side, if there is one."""
    sides = {"isymbols": graph.ilabel, "osymbols": graph.olabel}
    return all(table._name(k) is not None for name, table in tables.items() for k in set(sides[name].tolist()) - {-1})


def info(arguments: argparse.Namespace) -> int:
    """``arcgrad info``."""
    words = [word for word in arguments.more if os.path.exists(word) or not _GIVEN.match(word)]
    arguments.inputs = [word for word in arguments.more if word not in words]
    for number, word in enumerate([arguments.graph, *words]):
        found = read_graph(word, arguments)
        described = _facts(word, found) if hasattr(found, "n_arcs") else _array_facts(word, found)
        if arguments.json:
            print_json(described)
            continue
        if number:
            print()
        print("\n".join(_lines(described)))
        own = {} if is_written(word) or not os.path.isfile(word) else own_tables_of(word, arguments.format)
        if own:
            print(f"  symbols    {' and '.join(f'{len(t)} of {_SIDES[name]}' for name, t in own.items())}")
    return 0


def _array_facts(word: str, found: Any) -> dict[str, Any]:
    scores = getattr(found, "scores", found)
    return {"file": word, "kind": "scores", "shape": list(scores.shape)}


def _facts(word: str, graph: Graph) -> dict[str, Any]:
    import numpy as np

    weights = graph.arc_weight
    finite = weights[np.isfinite(weights)]
    silent = (graph.ilabel < 0) & (graph.olabel < 0)
    return {
        "file": word,
        "kind": "graph",
        "n_states": graph.n_states,
        "n_arcs": graph.n_arcs,
        "start": graph.start.tolist(),
        "accept": graph.accept.tolist(),
        "is_acceptor": bool(graph.is_acceptor),
        "is_acyclic": bool(graph.is_acyclic),
        "n_epsilon": int(silent.sum()),
        "n_input_labels": len(np.unique(graph.ilabel[graph.ilabel >= 0])),
        "n_output_labels": len(np.unique(graph.olabel[graph.olabel >= 0])),
        "weights": {"smallest": float(finite.min()), "largest": float(finite.max())} if len(finite) else None,
        "n_absent": int((weights == -np.inf).sum()),
        "n_paths": _n_paths(graph),
        "n_parameters": None if graph.tie is None else len(graph.weight),
        "attributes": list(graph.attributes),
    }


def _n_paths(graph: Graph) -> Any:
    """The number of accepting paths; None where it is not counted."""
    from arcgrad.equation import compile_equation

    if graph.n_arcs > _COUNTED_ARCS:
        return None
    try:
        return encode_number(compile_equation("COUNT[A]")(A=graph))
    except ArcgradError:
        return None


def _lines(described: dict[str, Any]) -> list[str]:
    if described["kind"] == "scores":
        return [described["file"], f"  an array of scores of shape {tuple(described['shape'])}"]
    kind = "acceptor" if described["is_acceptor"] else "transducer"
    cyclic = "acyclic" if described["is_acyclic"] else "with cycles"
    labels = f"{described['n_input_labels']}"
    if not described["is_acceptor"]:
        labels += f" of input, {described['n_output_labels']} of output"
    lines = [
        described["file"],
        f"  {kind}, {cyclic}",
        f"  states     {described['n_states']}, start {_few(described['start'])}, accept {_few(described['accept'])}",
        f"  arcs       {described['n_arcs']}, {described['n_epsilon']} of them ε",
        f"  labels     {labels}",
    ]
    if described["weights"] is not None:
        lines.append(
            f"  weights    {described['weights']['smallest']:.6g} to {described['weights']['largest']:.6g} nats"
        )
    if described["n_absent"]:
        lines.append(f"  absent     {described['n_absent']} arcs of weight -inf")
    if described["n_paths"] is not None:
        number = described["n_paths"]
        digits = str(number) if not isinstance(number, int) or number < 10**15 else f"about 10^{len(str(number)) - 1}"
        lines.append(f"  paths      {digits}")
    if described["n_parameters"] is not None:
        lines.append(f"  tied       to {described['n_parameters']} parameters")
    if described["attributes"]:
        lines.append(f"  attributes {', '.join(described['attributes'])}")
    return lines


def _few(states: list[int]) -> str:
    shown = " ".join(map(str, states[:5]))
    return "none" if not states else shown if len(states) <= 5 else f"{shown} … ({len(states)})"


def paths(arguments: argparse.Namespace) -> int:
    """``arcgrad paths``."""
    from arcgrad.runtime.data.symbols import CODE_POINTS

    graph = _graph(arguments.graph, arguments)
    tables = shown_tables(arguments.graph, arguments)
    names = [namer_of(tables.get(name)) for name in ("isymbols", "osymbols")]
    show = [lambda labels, name=name: [name(label) for label in labels] for name in names]
    found: list[dict[str, Any]] = []
    if arguments.strings:
        for read, written, weight in graph.strings(arguments.n, side="both"):
            found.append({"weight": encode_number(weight), "input": show[0](read), "output": show[1](written)})
    else:
        for path in graph.paths(arguments.n):
            read, written = ([label for label in side if label >= 0] for side in (path.ilabels, path.olabels))
            shown = {"input": show[0](read), "output": show[1](written)}
            found.append({"weight": encode_number(path.weight), "arcs": list(path.arcs), **shown})
    if arguments.json:
        print_json({"paths": found})
        return 0
    between = "" if all(table is CODE_POINTS for table in tables.values()) and tables else " "
    for entry in found:
        sides = [between.join(map(str, entry[side])) or "ε" for side in ("input", "output")]
        print(f"{entry['weight']!s:>12}  " + (sides[0] if graph.is_acceptor else " : ".join(sides)))
    return 0
