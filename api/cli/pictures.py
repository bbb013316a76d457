"""``arcgrad draw``: a graph, an equation's value, or what an equation computes, as a picture."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from arcgrad.cli.given import compile_given, read_graph, read_inputs, shown_tables
from arcgrad.grammar.errors import InputError

if TYPE_CHECKING:
    from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["draw"]


def draw(arguments: argparse.Namespace) -> int:
    """``arcgrad draw``."""
    from arcgrad.runtime.data.graph import Graph

    is_file = arguments.equation == "-" or os.path.isfile(arguments.equation)
    gradient = None
    if is_file:
        if arguments.inputs or arguments.grad:
            raise InputError(f"{arguments.equation} is a graph, and takes no inputs", hint="write an equation instead")
        found = read_graph(arguments.equation, arguments)
    else:
        equation = compile_given(arguments)
        inputs = read_inputs(arguments)
        if arguments.grad:
            gradients = equation.value_and_grad(inputs, wrt=arguments.grad)[1]
            ((name, gradient),) = gradients.items()
            found = inputs[name]
        else:
            found = equation(inputs)
            if not isinstance(found, (Graph, list)):
                found = equation.trace(inputs)
    if not hasattr(found, "draw"):
        raise InputError(
            f"there is no picture of {_kind(found)}", hint="draw a graph, or an equation whose inputs are no batch"
        )
    tables = shown_tables(arguments.equation, arguments)
    options: dict[str, Any] = {}
    if "isymbols" in tables:
        options["symbols"] = _complete(tables["isymbols"], getattr(found, "ilabel", ()))
    if "osymbols" in tables and isinstance(found, Graph):
        options["osymbols"] = _complete(tables["osymbols"], found.olabel)
    if gradient is not None:
        options["color"] = gradient
    drawing = found.draw(arguments.output, **options)
    if arguments.output is None:
        print(drawing.svg.rstrip("\n"))
    return 0


def _complete(table: SymbolTable, labels: Iterable[Any]) -> SymbolTable:
    """The table, with numbers as the symbols of labels that it lacks."""
    from arcgrad.runtime.data.symbols import SymbolTable

    lacking = [label for label in sorted({int(k) for k in labels} - {-1}) if table._name(label) is None]
    return SymbolTable({symbol: table[symbol] for symbol in table} | {str(k): k for k in lacking}) if lacking else table


def _kind(found: Any) -> str:
    if isinstance(found, list):
        return "a batch"
    return "an array of scores" if hasattr(found, "shape") or hasattr(found, "scores") else "a number"
