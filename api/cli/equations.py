"""The commands about an equation: ``eval``, ``explain``, ``source``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from arcgrad.cli.given import compile_given, print_json, read_inputs, tables_given
from arcgrad.terminal import show_gradient, show_value

__all__ = ["evaluate", "explain", "source"]


def evaluate(arguments: argparse.Namespace) -> int:
    """``arcgrad eval``."""
    equation = compile_given(arguments)
    inputs = read_inputs(arguments)
    gradient = None
    if arguments.grad or arguments.wrt:
        value, gradient = equation.value_and_grad(inputs, wrt=arguments.wrt)
    else:
        value = equation(inputs)
    if arguments.json:
        from arcgrad.explore.encode import encode_gradients, encode_value

        printed = {"value": encode_value(value, tables_given(arguments).get("symbols"))}
        if gradient is not None:
            printed["gradient"] = encode_gradients(inputs, gradient)
        print_json(printed)
        return 0
    print(_shown(value, arguments.to))
    if gradient is not None:
        print(show_gradient(inputs, gradient))
    return 0


def _shown(value: Any, format: str) -> str:
    """The value as text; of a graph without states, ∅ on a terminal, else what can be read again, and a word beside."""
    text = show_value(value, format)
    if hasattr(value, "n_arcs") and not value.n_states:
        print("the graph is empty: it has no path", file=sys.stderr)
        return "∅" if sys.stdout.isatty() and not text else value.to_text(format).removesuffix("\n")
    return text


def explain(arguments: argparse.Namespace) -> int:
    """``arcgrad explain``."""
    equation = compile_given(arguments)
    found = equation.explain(read_inputs(arguments) if arguments.inputs else None)
    if not arguments.json:
        print(found)
        return 0
    print_json(
        {
            "equation": found.equation,
            "inputs": {name: type_.replace("label ", "") for name, type_ in found.inputs},
            "rewriting": [{"pass": stage, "what": line} for stage, line in found.passes],
            "plan": list(found.regions),
            "warnings": list(found.warnings),
            "costs": list(found.costs),
            "tier": found.tier,
        }
    )
    return 0


def source(arguments: argparse.Namespace) -> int:
    """``arcgrad source``."""
    text = compile_given(arguments).source(read_inputs(arguments))
    if arguments.json:
        print_json({"source": text})
    else:
        print(text.rstrip("\n"))
    return 0
