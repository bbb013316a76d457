"""Notebooks: ``%load_ext arcgrad`` brings ``%arcgrad`` and ``%%arcgrad``: equations over the notebook's own names.

IPython calls ``load`` through ``arcgrad.load_ipython_extension``; nothing here imports IPython before.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from arcgrad.grammar.errors import ArcgradError, EquationError, InputError

if TYPE_CHECKING:
    from arcgrad.equation import Equation

__all__ = ["Magics", "complete", "load"]

_FRAGMENT = re.compile(r"\\?\w*$")
_BEGINS = re.compile(r"\s*%%?arcgrad\b|.*=\s*%arcgrad\b")
_COMPLETED = {
    "circ": "∘",
    "cap": "∩",
    "cup": "∪",
    "setminus": "∖",
    "times": "×",
    "cdot": "·",
    "ast": "*",
    "langle": "⟨",
    "rangle": "⟩",
    "emptyset": "∅",
    "varepsilon": "ε",
}
"""What LaTeX commands are completed to, beside Greek letters."""


class _Parser(argparse.ArgumentParser):
    """Options of the cell magic; wrong ones are errors of the cell instead of the end of the kernel."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"%%arcgrad: {message}", hint=self.format_usage().strip())


def _parser() -> _Parser:
    parser = _Parser(prog="%%arcgrad", add_help=False)
    parser.add_argument("-o", "--output", metavar="NAME")
    parser.add_argument("--grad", nargs="?", const="", metavar="NAMES")
    parser.add_argument("--symbols", metavar="TABLE")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--plan", action="store_true")
    return parser


class Magics:
    """The two magics of one IPython shell.

    Args:
        shell: what has ``user_ns``, the names of the notebook.

    Example:
        >>> import arcgrad as ag
        >>> from types import SimpleNamespace
        >>> magics = Magics(SimpleNamespace(user_ns={"A_1": ag.linear([1], [0.5])}))
        >>> magics.line("LSE[A₁] + 1")
        1.5
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    def magic(self, line: str, cell: str | None = None) -> Any:
        """Evaluate an equation: ``%arcgrad EQUATION`` is its value, ``%%arcgrad`` shows it with its picture."""
        try:
            return self.line(line) if cell is None else self.cell(line, cell)
        except ArcgradError as error:
            raise _without_traceback(error) from None

    def line(self, text: str) -> Any:
        """The value of an equation of one line, over the notebook's names.

        Raises:
            ArcgradError: the equation is wrong, or an input is missing or wrong.
        """
        equation = self._compiled(text, None)
        return equation(self._given(equation))

    def cell(self, options: str, text: str) -> None:
        """Show the value of the cell's equation, and a picture of it.

        Args:
            options: ``-o NAME`` keeps the value under a name; ``--grad`` or ``--grad A,B`` also shows gradients, drawn
                on the graphs, or as heat maps of scores; ``--trace`` draws every intermediate graph; ``--plan`` prints
                the plan; ``--symbols TABLE`` names a symbol table of the notebook, for literals and pictures (``chr``:
                labels are code points).
            text: an equation or a program.

        Raises:
            ArcgradError: as for ``line``, or an option is wrong.
        """
        import IPython.display

        from arcgrad.display import heatmap

        display: Callable[..., Any] = IPython.display.display
        chosen = _parser().parse_args(shlex.split(options))
        symbols = None if chosen.symbols is None else self._symbols(chosen.symbols)
        equation = self._compiled(text, None if symbols is chr else symbols)
        given = self._given(equation)
        value = equation(given)
        gradients: dict[str, Any] = {}
        if chosen.grad is not None:
            wrt = [name for name in re.split(r"[\s,]+", chosen.grad) if name] or None
            value, gradients = equation.value_and_grad(given, wrt=wrt)
        if chosen.output is not None:
            self.shell.user_ns[chosen.output] = value
        display(value) if not hasattr(value, "draw") else print(value)
        if chosen.trace:
            display(equation.trace(given).draw(symbols=symbols))
        else:
            drawn = value.draw(symbols=symbols) if hasattr(value, "draw") else equation.draw(data=_data(given))
            display(drawn)
        for name, gradient in gradients.items():
            title = f"gradient with respect to {name}"
            if hasattr(given[name], "draw"):
                display(given[name].draw(color=gradient, symbols=symbols, title=title))
            elif getattr(gradient, "ndim", 0) == 2:
                display(heatmap(gradient, symbols=symbols, title=title))
            else:
                print(title, gradient, sep="\n")
        if chosen.plan:
            print(equation.explain(given) if given else equation.explain())

    def _compiled(self, text: str, symbols: Any) -> Equation:
        from arcgrad.equation import compile_equation

        return compile_equation(text.rstrip("\n"), symbols)

    def _given(self, equation: Equation) -> dict[str, Any]:
        """The notebook's values of the equation's inputs; one that is missing is left out, and the call names it."""
        found = {name: self.shell.user_ns[name] for name in equation.inputs if name in self.shell.user_ns}
        missing = set(equation.inputs) - set(found)
        if missing:
            plain = _plain_names(self.shell.user_ns)
            found |= {name: self.shell.user_ns[plain[name]] for name in missing if name in plain}
            missing -= set(found)
        if missing:
            names = ", ".join(name for name in equation.inputs if name in missing)
            raise InputError(
                f"{names} {'is' if len(missing) == 1 else 'are'} not defined in this notebook",
                hint=f"the equation takes {', '.join(equation.inputs)}; define them in a cell above",
            )
        return {name: found[name] for name in equation.inputs}

    def _symbols(self, name: str) -> Any:
        if name in self.shell.user_ns:
            return self.shell.user_ns[name]
        if name == "chr":
            return chr
        raise InputError(f"--symbols {name}: {name} is not defined in this notebook", hint="a SymbolTable, or chr")


def complete(text: str, names: Mapping[str, Any]) -> tuple[str, list[str]]:
    r"""What may stand at the end of a text of the language.

    Args:
        text: up to the cursor.
        names: the notebook's names; those of what may be an input are offered.

    Returns:
        The fragment to replace, and what may take its place: names of inputs, operators, signs for LaTeX commands.

    Example:
        >>> complete(r"A \cir", {})
        ('\\cir', ['∘'])
        >>> complete("LS", {"LSTM": 3.0, "LST": "text"})
        ('LS', ['LSTM', 'LSE['])
    """
    from arcgrad.compiler.frontend.elaborate import operator_names
    from arcgrad.grammar.spelling import GREEK

    match = _FRAGMENT.search(text)
    fragment = match[0] if match is not None else ""
    if fragment.startswith("\\"):
        signs = {**_COMPLETED, **GREEK}
        return fragment, list(dict.fromkeys(sign for name, sign in signs.items() if name.startswith(fragment[1:])))
    inputs = sorted(name for name, value in names.items() if name[:1] != "_" and _may_be_input(value))
    offered = [*inputs, *(f"{name}[" for name in sorted(operator_names()))]
    return fragment, [name for name in offered if name.startswith(fragment)]


def load(shell: Any) -> None:
    """Give an IPython shell the magics and their completion."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    magics = Magics(shell)
    shell.register_magic_function(magics.magic, "line_cell", "arcgrad")

    @context_matcher()  # type: ignore[untyped-decorator,unused-ignore]
    def matcher(context: Any) -> Any:
        text = context.full_text[: _offset(context)]
        if not _BEGINS.match(context.full_text if context.full_text.lstrip().startswith("%%") else _last_line(text)):
            return {"completions": []}
        fragment, offered = complete(text, shell.user_ns)
        return {
            "completions": [SimpleCompletion(text=name, type="arcgrad") for name in offered],
            "matched_fragment": fragment,
            "suppress": bool(offered),
        }

    matcher.matcher_identifier = "arcgrad"
    matchers = shell.Completer.custom_matchers
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", None) != "arcgrad"]
    matchers.append(matcher)


def _offset(context: Any) -> int:
    """Where the cursor stands in the whole text."""
    lines = context.full_text.split("\n")
    return sum(len(line) + 1 for line in lines[: context.cursor_line]) + int(context.cursor_position)


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2]


def _plain_names(names: Mapping[str, Any]) -> dict[str, str]:
    """The notebook's names of possible inputs by their plain spelling: A1 for A_1."""
    from arcgrad.grammar import normalise_name

    found = {}
    for name, value in names.items():
        if name[:1] != "_" and _may_be_input(value):
            try:
                found[normalise_name(name)] = name
            except EquationError:
                continue
    return found


def _may_be_input(value: Any) -> bool:
    from arcgrad.runtime.data.dense import Dense
    from arcgrad.runtime.data.graph import Graph

    return isinstance(value, (Graph, Dense, int, float, list, dict)) or hasattr(value, "__array__")


def _data(given: Mapping[str, Any]) -> list[str]:
    """The dense inputs, which pictures show as data."""
    from arcgrad.runtime.data.dense import Dense

    return [name for name, value in given.items() if isinstance(value, Dense) or getattr(value, "ndim", 0) >= 2]


def _without_traceback(error: ArcgradError) -> ArcgradError:
    """The error, shown by IPython as its message alone: the traceback would lead through this package.

    IPython shows what is a SyntaxError its own way, so an EquationError becomes an error that is not.
    """
    from arcgrad.terminal import describe_error

    text = f"{type(error).__name__}: {describe_error(error)}"
    shown = ArcgradError(text) if isinstance(error, SyntaxError) else error
    shown._render_traceback_ = lambda *_: text.split("\n")  # type: ignore[attr-defined]
    return shown
