"""The command ``arcgrad``: evaluate and explain equations, look after the cache, start the REPL."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arcgrad.grammar.errors import ArcgradError, InputError
from arcgrad.terminal import describe_error, read_input, show_gradient, show_value, warnings_to

if TYPE_CHECKING:
    from arcgrad.equation import Equation
    from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["main"]

_INPUTS = """\
inputs are NAME=VALUE, where VALUE is
  a number                  for a score
  FILE.npy                  an array (T, C) or (B, T, C): a dense input; () or (B,): scores
  FILE                      a graph: .fst OpenFst, .att its text, .gtn or .txt GTN text, .k2, .arpa, .json; .npz or
                            no suffix
  1:2,3:4                   a mapping of labels
a name given several times makes a batch of its values.

example:
  arcgrad eval "LSE[A ∘ B]" A=a.txt B=b.txt --grad
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the console script and ``python -m arcgrad`` come here.

    Args:
        argv: arguments without the program's name; None: those of the process.

    Returns:
        The exit status: 0, or 1 where the equation or an input is wrong (the error goes to stderr). Wrong usage of the
        command exits with 2, as argparse does.
    """
    if sys.stdout is None:  # it was closed before the process began
        print("arcgrad: the standard output is closed", file=sys.stderr)
        return 1
    # Terminals that know neither ∘ nor ε show escapes; what they send and cannot be read is an error in its equation.
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stdin, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    # argparse takes no positional arguments after an option that follows positional ones: `eval EQUATION --grad A=…`
    late = [word for word in rest if not word.startswith("-") and hasattr(arguments, "inputs")]
    if len(late) < len(rest):
        parser.error(f"unknown argument {next(word for word in rest if word not in late)}")
    if late:
        arguments.inputs += late
    try:
        with warnings_to(sys.stderr):
            status: int = arguments.run(arguments)
            sys.stdout.flush()
    except (ArcgradError, OSError) as error:
        if not isinstance(error, BrokenPipeError):  # as in `arcgrad eval … | head`
            print(f"arcgrad: {describe_error(error)}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:  # nor must Python try again as it exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


class _Version(argparse.Action):
    """Prints the version; looks it up only then, since that takes longer than all else here."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import arcgrad

        print(f"arcgrad {arcgrad.__version__}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="arcgrad", description="Equations over weighted automata.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    def command(name: str, run: Any, summary: str, **options: Any) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".", **options)
        added.set_defaults(run=run)
        return added

    shared: dict[str, Any] = {"epilog": _INPUTS, "formatter_class": argparse.RawDescriptionHelpFormatter}
    evaluate = command("eval", _evaluate, "evaluate an equation, print its value", **shared)
    explain = command("explain", _explain, "show how an equation is evaluated", **shared)
    for added in (evaluate, explain):
        added.add_argument("equation", metavar="EQUATION", help="the equation or program; - reads it from stdin")
        added.add_argument("inputs", metavar="NAME=VALUE", nargs="*", help="the inputs; see below")
        added.add_argument("--format", metavar="FORMAT", help="of graph files, whatever their suffix: gtn, openfst, …")
        added.add_argument("--symbols", metavar="FILE", help='symbol table (OpenFst\'s text) of literals such as "abc"')
        added.add_argument("--isymbols", metavar="FILE", help="symbol table of the input labels in OpenFst files")
        added.add_argument("--osymbols", metavar="FILE", help="symbol table of the output labels in OpenFst files")
        added.add_argument("--definitions", metavar="FILE", help="definitions that the equation may use")
        added.add_argument("--mode", default="auto", choices=("auto", "interpret", "kernels", "fused"))
    evaluate.add_argument("--grad", action="store_true", help="print the gradient, too")
    evaluate.add_argument("--wrt", metavar="NAME", action="append", help="gradient with respect to it only")
    evaluate.add_argument("--to", metavar="FORMAT", default="gtn", help="text format of graph results (default: gtn)")
    command("repl", _repl, "evaluate equations interactively")
    cache = command("cache", _cache, "show or clear the compiled routines on disk")
    cache.add_argument("action", choices=("info", "clear"))
    return parser


def _compile(arguments: argparse.Namespace) -> Equation:
    from arcgrad.equation import compile_equation
    from arcgrad.runtime.data.arguments import decoded, read_utf8

    definitions = None if arguments.definitions is None else read_utf8(arguments.definitions)
    text = arguments.equation
    if text == "-":
        text = decoded(sys.stdin.buffer.read(), "<stdin>") if hasattr(sys.stdin, "buffer") else sys.stdin.read()
    return compile_equation(text, _table(arguments.symbols), definitions, arguments.mode)


def _table(file: str | None) -> SymbolTable | None:
    from arcgrad.runtime.data.symbols import SymbolTable

    return None if file is None else SymbolTable.load(file)


def _read_inputs(arguments: argparse.Namespace) -> dict[str, Any]:
    from arcgrad.grammar import normalise_name

    values: dict[str, list[Any]] = {}
    given = {"isymbols": _table(arguments.isymbols), "osymbols": _table(arguments.osymbols)}
    tables = {option: table for option, table in given.items() if table is not None}
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


def _evaluate(arguments: argparse.Namespace) -> int:
    equation = _compile(arguments)
    inputs = _read_inputs(arguments)
    if arguments.grad or arguments.wrt:
        value, gradient = equation.value_and_grad(inputs, wrt=arguments.wrt)
        print(show_value(value, arguments.to))
        print(show_gradient(inputs, gradient))
    else:
        print(show_value(equation(inputs), arguments.to))
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    equation = _compile(arguments)
    print(equation.explain(_read_inputs(arguments) if arguments.inputs else None))
    return 0


def _repl(_: argparse.Namespace) -> int:
    from arcgrad.repl import run_repl

    run_repl()
    return 0


def _cache(arguments: argparse.Namespace) -> int:
    from arcgrad.runtime.jit.cache import cache

    if arguments.action == "clear":
        cache.clear()
    info = cache.info()
    print(f"{info.files} files, {info.bytes / 1e6:.1f} MB in {info.dir}")
    return 0
