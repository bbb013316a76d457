"""``arcgrad draw``: a graph, an equation's value, or what an equation computes, as a picture."""

from __future__ import annotations

import argparse
import os
from typing import Any

from arcgrad.cli.given import compile_given, read_graph, read_inputs, tables_given
from arcgrad.grammar.errors import InputError

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
    options: dict[str, Any] = {"symbols": _symbols(arguments)}
    if gradient is not None:
        options["color"] = gradient
    drawing = found.draw(arguments.output, **options)
    if arguments.output is None:
        print(drawing.svg.rstrip("\n"))
    return 0


def _kind(found: Any) -> str:
    if isinstance(found, list):
        return "a batch"
    return "an array of scores" if hasattr(found, "shape") or hasattr(found, "scores") else "a number"


def _symbols(arguments: argparse.Namespace) -> Any:
    """The table of labels: characters where something is written with characters."""
    words = [arguments.equation, *arguments.inputs]
    return tables_given(arguments).get("symbols", chr if any('"' in word for word in words) else None)
