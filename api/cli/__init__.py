"""The command ``arcgrad``: evaluate, explain and draw equations; look at, convert and search graphs; without arguments,
the REPL. See docs/cli.md.

The parser and ``main`` are here. What a command does is in a module beside, imported when it runs, so that
``arcgrad --help`` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from arcgrad.grammar.errors import ArcgradError
from arcgrad.terminal import coloured, describe_error, warnings_to

__all__ = ["main", "make_parser"]

_INPUTS = """\
inputs are NAME=VALUE, where VALUE is
  a number                  for a score
  FILE.npy                  an array (T, C) or (B, T, C): a dense input; () or (B,): scores
  FILE                      a graph: .fst OpenFst, .att its text, .gtn or .txt GTN text, .k2, .arpa, .json; .npz or
                            no suffix; - reads the standard input, whose form --format names
  "abc", re"a|b*", …        a graph written with literals of the language (quote it for the shell)
  1:2,3:4                   a mapping of labels
a name given several times makes a batch of its values.

example:
  arcgrad eval "LSE[A ∘ B]" A=a.txt B='"cat" + "dog"' --grad
"""

_GRAPHS = """\
a graph is a FILE; - for the standard input, whose form --format names; or an expression, such as
'"cat" + "dog"', quoted for the shell, whose names are inputs: '"cat" ∘ R' R=rules.fst
"""

_STATUS = "exit status: 0; 1: an equation or an input is wrong; 2: the command is; 130: it was interrupted"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the console script and ``python -m arcgrad`` come here.

    Args:
        argv: arguments without the program's name; None: those of the process.

    Returns:
        The exit status: 0, or 1 where the equation or an input is wrong (the error goes to stderr, and with ``--json``
        as JSON to stdout, too). Wrong usage of the command exits with 2, as argparse does.
    """
    if sys.stdout is None:  # it was closed before the process began
        print("arcgrad: the standard output is closed", file=sys.stderr)
        return 1
    # Terminals that know neither ∘ nor ε show escapes; what they send and cannot be read is an error in its equation.
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stdin, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    parser = make_parser()
    arguments, rest = parser.parse_known_args((sys.argv[1:] if argv is None else argv) or ["repl"])
    # argparse takes no positional arguments after an option that follows positional ones: `eval EQUATION --grad A=…`
    several = getattr(arguments, "inputs", getattr(arguments, "more", None))
    late = [word for word in rest if several is not None and (word == "-" or not word.startswith("-"))]
    if len(late) < len(rest):
        parser.error(f"unknown argument {next(word for word in rest if word not in late)}")
    if several is not None:
        several += late
    if hasattr(arguments, "graph") and hasattr(arguments, "inputs"):
        for word in arguments.inputs:
            if "=" not in word:
                parser.error(f"unknown argument {word}")
    try:
        with warnings_to(sys.stderr, _in_shell_words):
            module, _, function = arguments.run.partition(":")
            status: int = getattr(importlib.import_module(f"arcgrad.cli.{module}"), function)(arguments)
            sys.stdout.flush()
    except (ArcgradError, OSError) as error:
        if not isinstance(error, BrokenPipeError):  # as in `arcgrad eval … | head`
            if isinstance(error, ArcgradError) and error.hint:
                error.hint = _in_shell_words(error.hint)
            print(coloured(f"arcgrad: {describe_error(error)}", sys.stderr), file=sys.stderr)
            if getattr(arguments, "json", False):
                _print_failure(error)
        try:
            sys.stdout.flush()
        except OSError:  # nor must Python try again as it exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


_SHELL_WORDS = {
    "compile(…, symbols=ag.SymbolTable([…]))": "--symbols FILE",
    "isymbols=ag.SymbolTable.load(…)": "--isymbols FILE",
    "osymbols=ag.SymbolTable.load(…)": "--osymbols FILE",
    "arc_type='log64'": "--arc-type log64",
}


def _in_shell_words(message: str) -> str:
    """A message with the command's options where it names arguments of Python's functions."""
    for python, shell in _SHELL_WORDS.items():
        message = message.replace(python, shell)
    return message


class _Version(argparse.Action):
    """Prints the version; looks it up only then, since that takes longer than all else here."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import arcgrad

        print(f"arcgrad {arcgrad.__version__}")
        parser.exit()


def _print_failure(error: Exception) -> None:
    import json

    from arcgrad.explore.encode import encode_error

    print(json.dumps({"error": encode_error(error)}))


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line; completion is generated from it."""
    parser = argparse.ArgumentParser(prog="arcgrad", description="Equations over weighted automata.", epilog=_STATUS)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    def command(name: str, run: str, summary: str, epilog: str = "", *options: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=epilog or None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=run)
        for option in options:
            _OPTIONS[option](added)
        return added

    added = command("eval", "equations:evaluate", "evaluate an equation, print its value", _INPUTS, "equation", "json")
    added.add_argument("--grad", action="store_true", help="print the gradient, too")
    added.add_argument("--wrt", metavar="NAME", action="append", help="gradient with respect to it only")
    added.add_argument("--to", metavar="FORMAT", default="gtn", help="text format of graph results (default: gtn)")
    command("explain", "equations:explain", "show how an equation is evaluated", _INPUTS, "equation", "json")
    command("source", "equations:source", "show the routine that is generated", _INPUTS, "equation", "json")

    added = command("convert", "graphs:convert", "read a graph in one form, write it in another", _GRAPHS, "graph")
    added.add_argument("target", metavar="TO", help="the file to write; - is the standard output")
    added.add_argument("inputs", metavar="NAME=VALUE", nargs="*", help="inputs of an expression, as of eval")
    added.add_argument("--to", metavar="FORMAT", help="the form to write, whatever the file's suffix")
    types = ("standard", "log", "log64")
    added.add_argument("--arc-type", choices=types, help="of OpenFst's binary form; log64 keeps all digits")
    added = command("info", "graphs:info", "say what a graph, or an array of scores, is like", _GRAPHS, "graph", "json")
    added.add_argument(
        "more", metavar="GRAPH", nargs="*", help="further ones; NAME=VALUE: inputs of an expression, as of eval"
    )
    added = command("paths", "graphs:paths", "list a graph's best paths, best first", _GRAPHS, "graph", "json")
    added.add_argument("inputs", metavar="NAME=VALUE", nargs="*", help="inputs of an expression, as of eval")
    added.add_argument("-n", metavar="N", type=int, default=10, help="print at most N (default: 10)")
    added.add_argument("--strings", action="store_true", help="distinct strings, each by its best path")

    added = command(
        "draw", "pictures:draw", "draw a graph, an equation's value, or its computation", _INPUTS, "equation"
    )
    added.add_argument("-o", "--output", metavar="FILE", help=".svg, .png or .dot; without, SVG goes to stdout")
    added.add_argument("--grad", metavar="NAME", help="draw this input, its arcs as wide as their gradients")

    command("repl", "tools:repl", "evaluate equations interactively")
    added = command("serve", "tools:serve", "open a page to play with equations, served on this machine only")
    added.add_argument("--port", metavar="N", type=int, default=0, help="(default: any that is free)")
    added.add_argument("link", metavar="LINK", nargs="?", help="a link of an earlier page: show what it holds")
    added.add_argument("--no-browser", action="store_true", help="print the page's address, open no browser")
    added = command("cache", "tools:cache", "show or clear the compiled routines on disk", "", "json")
    added.add_argument("action", choices=("info", "clear"))
    command("doctor", "doctor:doctor", "look at this installation, and say what is wrong with it", "", "json")
    added = command("completion", "completion:completion", "print what a shell needs to complete arcgrad's words")
    added.add_argument("shell", choices=("bash", "zsh", "fish"))
    return parser


def _equation_options(added: argparse.ArgumentParser) -> None:
    added.add_argument("equation", metavar="EQUATION", help="the equation or program; - reads it from stdin")
    added.add_argument("inputs", metavar="NAME=VALUE", nargs="*", help="the inputs; see below")
    _table_options(added)
    added.add_argument("--definitions", metavar="FILE", help="definitions that the equation may use")
    added.add_argument(
        "--mode", default="auto", choices=("auto", "interpret", "kernels", "fused"), help="how to evaluate"
    )


def _graph_options(added: argparse.ArgumentParser) -> None:
    added.add_argument("graph", metavar="GRAPH", help="the graph; see below")
    _table_options(added)
    added.add_argument("--definitions", metavar="FILE", help="definitions that an expression may use")


def _table_options(added: argparse.ArgumentParser) -> None:
    added.add_argument("--format", metavar="FORMAT", help="of graph files, whatever their suffix: gtn, openfst, …")
    added.add_argument("--symbols", metavar="FILE", help='symbol table (OpenFst\'s text) of literals such as "abc"')
    added.add_argument("--isymbols", metavar="FILE", help="symbol table of the input labels in OpenFst files")
    added.add_argument("--osymbols", metavar="FILE", help="symbol table of the output labels in OpenFst files")


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], object]] = {
    "equation": _equation_options,
    "graph": _graph_options,
    "json": lambda added: added.add_argument("--json", action="store_true", help="print JSON; see docs/cli.md"),
}
