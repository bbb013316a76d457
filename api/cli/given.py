"""What the commands are given: equations, tables of symbols, inputs; and how JSON is printed."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from arcgrad.grammar.errors import InputError
from arcgrad.terminal import read_input

if TYPE_CHECKING:
    from arcgrad.equation import Equation
    from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["compile_given", "print_json", "read_graph", "read_inputs", "table_at", "tables_given"]


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


def read_graph(word: str, arguments: argparse.Namespace) -> Any:
    """The graph, or the dense scores, that a word names.

    Raises:
        InputError: it is a number or a mapping, or malformed.
        OSError: a file cannot be read.
    """
    found = read_input(word, arguments.format, **tables_given(arguments))
    if isinstance(found, (float, dict)):
        raise InputError(f"{word!r} is no graph", hint="give a file, or a string such as '\"abc\"'")
    return found


def print_json(value: Any) -> None:
    """Print JSON, in ASCII, so that no terminal's encoding can spoil it."""
    print(json.dumps(value, allow_nan=False))
