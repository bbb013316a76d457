"""What the commands are given: equations, tables of symbols, inputs; and how JSON is printed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from arcgrad.grammar.errors import InputError
from arcgrad.terminal import read_input

if TYPE_CHECKING:
    from arcgrad.equation import Equation
    from arcgrad.runtime.data.symbols import SymbolTable

__all__ = [
    "compile_given",
    "is_written",
    "namer_of",
    "own_tables_of",
    "print_json",
    "read_graph",
    "read_inputs",
    "shown_tables",
    "table_at",
    "tables_given",
]


def compile_given(arguments: argparse.Namespace) -> Equation:
    """The equation that the arguments name."""
    from arcgrad.equation import compile_equation
    from arcgrad.runtime.data.arguments import decoded, read_utf8

    definitions = None if arguments.definitions is None else read_utf8(arguments.definitions)
    text = arguments.equation
    if text == "-":
        text = decoded(sys.stdin.buffer.read(), "<stdin>") if hasattr(sys.stdin, "buffer") else sys.stdin.read()
    return compile_equation(text, table_at(arguments.symbols), definitions, arguments.mode)


def table_at(file: str | None) -> SymbolTable | None:
    """The table of symbols in a file."""
    from arcgrad.runtime.data.symbols import SymbolTable

    return None if file is None else SymbolTable.load(file)


def tables_given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The tables of ``--symbols``, ``--isymbols`` and ``--osymbols``, those that are given, by name."""
    given = {name: table_at(getattr(arguments, name)) for name in ("symbols", "isymbols", "osymbols")}
    return {name: table for name, table in given.items() if table is not None}


def read_inputs(arguments: argparse.Namespace) -> dict[str, Any]:
    """The inputs of an equation, from words NAME=VALUE.

    Raises:
        InputError: a word is none; an input is not what was expected.
        OSError: a file cannot be read.
    """
    from arcgrad.grammar import normalise_name

    values: dict[str, list[Any]] = {}
    tables = tables_given(arguments)
    for word in arguments.inputs:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InputError(f"{word!r} is not an input", hint="write NAME=VALUE, such as A=a.txt or α=0.5")
        values.setdefault(normalise_name(name), []).append(read_input(value, arguments.format, **tables))
    return {name: _batch(name, given) for name, given in values.items()}


def _batch(name: str, given: list[Any]) -> Any:
    if len(given) == 1:
        return given[0]
    if all(isinstance(value, float) for value in given):
        import numpy as np

        return np.array(given)
    if any(isinstance(value, (float, dict)) for value in given):
        raise InputError(f"{name} is given {len(given)} times, but only graphs, or only numbers, make a batch")
    return given


def is_written(word: str) -> bool:
    """Whether a word is an expression, not a file: no such file is there, and it looks like one."""
    from arcgrad.explore.inputs import is_expression

    return word != "-" and not os.path.exists(word) and is_expression(word)


def read_graph(word: str, arguments: argparse.Namespace) -> Any:
    """The graph, or the dense scores, that a word names; an expression may have inputs and definitions.

    Raises:
        EquationError: it is an expression, which is wrong.
        InputError: it is a number or a mapping, or malformed; an input is missing.
        OSError: a file cannot be read.
    """
    needs = "an input" if getattr(arguments, "inputs", None) else ""
    needs = "--definitions" if getattr(arguments, "definitions", None) else needs
    if is_written(word) or (needs and word != "-" and not os.path.exists(word)):
        found = _evaluated(word, arguments)
    elif needs:
        raise InputError(f"{word} is a graph as it is, but {needs} is given", hint="write an expression in its place")
    else:
        found = read_input(word, arguments.format, **tables_given(arguments))
    if isinstance(found, (float, int, dict)):
        raise InputError(f"{word!r} is no graph", hint="give a file, or a string such as '\"abc\"'")
    return found


def _evaluated(word: str, arguments: argparse.Namespace) -> Any:
    from arcgrad.equation import compile_equation
    from arcgrad.runtime.data.arguments import read_utf8

    file = getattr(arguments, "definitions", None)
    definitions = None if file is None else read_utf8(file)
    inputs = read_inputs(arguments) if getattr(arguments, "inputs", None) else {}
    equation = compile_equation(word, table_at(arguments.symbols), definitions, "auto" if inputs else "interpret")
    missing = [name for name in equation.inputs if name not in inputs]
    if missing:
        raise InputError(
            f"{word!r} has the name {missing[0]}, which is given no value",
            hint=f"give it as {missing[0]}=FILE, or quote it where it is a string: '\"{missing[0]}\"'",
        )
    return equation(inputs)


def shown_tables(word: str, arguments: argparse.Namespace) -> dict[str, SymbolTable]:
    """The tables that name a graph's labels, by side: those given for a side, a file's own, ``--symbols``, characters.

    Args:
        word: a file, or an expression, whose labels are those of its files where these agree on one table.
        arguments: the command's.
    """
    from arcgrad.runtime.data.symbols import CODE_POINTS

    given = tables_given(arguments)
    both = given.pop("symbols", None)
    if not is_written(word) and os.path.isfile(word):
        own = own_tables_of(word, arguments.format)
        return ({} if both is None else {"isymbols": both, "osymbols": both}) | own | given
    words = list(getattr(arguments, "inputs", None) or ())
    if both is None:
        files = [value for value in (each.partition("=")[2] for each in words) if os.path.isfile(value)]
        found = [table for file in files for table in own_tables_of(file, arguments.format).values()]
        if found and all(table == found[0] for table in found):
            both = found[0]
        elif any('"' in each for each in (word, *words)):
            both = CODE_POINTS
    return ({} if both is None else {"isymbols": both, "osymbols": both}) | given


def own_tables_of(file: str, format: str | None) -> dict[str, SymbolTable]:
    """The tables that a file holds beside its graph, by the options that name them."""
    from arcgrad.grammar.errors import FormatError
    from arcgrad.runtime.data.files import own_tables

    try:
        return own_tables(file, format)
    except FormatError:  # an array of scores
        return {}


def namer_of(table: SymbolTable | None) -> Callable[[int], Any]:
    """What shows a label: its symbol, or its number where there is none."""
    if table is None:
        return lambda label: label
    names = table._name
    return lambda label: "ε" if label < 0 else label if (name := names(label)) is None else name


def print_json(value: Any) -> None:
    """Print JSON, in ASCII, so that no terminal's encoding can spoil it."""
    print(json.dumps(value, allow_nan=False))
