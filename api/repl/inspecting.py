"""Commands that look into an equation or a graph: gradients, traces, Jacobians, plans, paths, pictures, times."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from arcgrad.grammar.errors import EquationError, InputError
from arcgrad.grammar.mistakes import described, nearest, quoted
from arcgrad.repl.printing import label_text, spelled

if TYPE_CHECKING:
    from arcgrad.equation import Equation
    from arcgrad.repl.session import Session

__all__ = [
    "draw",
    "explain",
    "gradient",
    "jacobian",
    "latex",
    "paths",
    "plan",
    "source",
    "strings",
    "time_of",
    "trace",
    "type_of",
]

_PICTURES = (".svg", ".png", ".dot", ".gif", ".pdf")
_SECONDS = 0.5
_MOST_OF_A_TITLE = 32


def gradient(session: Session, rest: str) -> str:
    """``:grad``: of an equation with respect to its inputs, or to the names given."""
    entry, names = _with_respect_to(session, rest)
    if names is None:
        entry, names = ("", _as_names(session, rest)) if rest and _are_names(session, rest) else (rest, [])
    apart = [name for name in names if name in session.definitions]
    equation, inputs = session.equation(entry, apart)
    _check_names(names, equation.inputs)
    _, found = equation.value_and_grad(inputs, wrt=names or None)
    symbols = session.symbols_of(entry)
    if not found:
        return "the equation has no inputs, nor graphs typed under a name of their own"
    of = "" if entry else " ".join((session.latest or "").split())
    of = of if len(of) <= _MOST_OF_A_TITLE else of[: _MOST_OF_A_TITLE - 1] + "…"
    shown = session.printer.gradient(inputs, found, symbols, of)
    if not _is_score(equation):
        shown = f"(of the sum of the result's arc weights; :jacobian has them one by one)\n{shown}"
    return shown


def _is_score(equation: Equation) -> bool:
    from arcgrad.compiler.types import Type

    return equation._program.result.type is Type.SCORE


def trace(session: Session, rest: str) -> str:
    """``:trace``."""
    equation, inputs = session.equation(rest)
    return session.printer.trace(equation.trace(inputs), session.symbols_of(rest))


def jacobian(session: Session, rest: str) -> str:
    """``:jacobian E wrt A [row N | column N]``."""
    words = rest.split()
    which: tuple[str, str] | None = None
    if len(words) >= 3 and words[-2] in ("row", "column"):
        which, rest = (words[-2], words[-1]), rest.rsplit(None, 2)[0]
    behind = rest.rpartition(" wrt ")[2].split()
    if which is None and len(behind) == 3 and behind[2].lstrip("-").isdigit():
        raise InputError(
            f"{quoted(' '.join(behind[1:]))} is not understood",
            hint=f"behind wrt {behind[0]} may stand row N or column N",
        )
    entry, names = _with_respect_to(session, rest)
    if names is None and (rest or session.latest) and len(only := session.compile(rest).inputs) == 1:
        names = list(only)
    if names is None or len(names) != 1:
        raise InputError(
            ":jacobian takes the name of one graph",
            hint=":jacobian A B wrt A, or :jacobian wrt A for the latest equation; row N or column N may follow",
        )
    name = names[0]
    if _is_score(session.compile(entry)):
        raise InputError(
            "the value is a score, whose Jacobian has one row, the gradient",
            hint=f":grad {entry} wrt {name}" if entry else f":grad {name}",
        )
    equation, inputs = session.equation(entry, [name] if name in session.definitions else [])
    _check_names(names, equation.inputs)
    found = equation.jacobian(inputs, wrt=name)
    if which is None:
        return session.printer.jacobian(found, entry or session.latest or "", name, session.symbols_of(entry))
    if not which[1].lstrip("-").isdigit():
        raise InputError(
            f"a {which[0]} is chosen by a number, not by {quoted(which[1])}", hint=f":jacobian wrt {name} row 0"
        )
    chosen = found.row(int(which[1])) if which[0] == "row" else found.column(int(which[1]))
    return session.printer.graph(chosen, session.symbols_of(entry), title=f"{which[0]} {which[1]}: ")


def plan(session: Session, rest: str) -> str:
    """``:plan``."""
    equation, inputs = session.equation(rest)
    text = "\n".join(equation.explain(inputs).regions)
    return session.printer.wrapped(spelled(text, session.symbols_of(rest)))


def explain(session: Session, rest: str) -> str:
    """``:explain``."""
    equation, inputs = session.equation(rest)
    return session.printer.wrapped(spelled(str(equation.explain(inputs)), session.symbols_of(rest)))


def source(session: Session, rest: str) -> str:
    """``:source``."""
    equation, inputs = session.equation(rest)
    return equation.source(inputs).rstrip("\n")


def latex(session: Session, rest: str) -> str:
    """``:latex``."""
    return session.compile(rest).latex


def type_of(session: Session, rest: str) -> str:
    """``:type``: what an expression stands for, and its inputs."""
    equation = session.compile(rest)
    program = equation._program
    text = rest or session.latest or ""
    lines = [f"{text.strip()} is a {program.result.type}"]
    for name, type_ in program.inputs.items():
        known = session.inputs.get(name)
        if known is not None:
            shown = f", {known!r}"
        else:
            shown = "" if name in session.definitions else ", which has no value yet"
        lines.append(f"  {name}: a {type_}{shown}")
    return session.printer.wrapped("\n".join(lines))


def time_of(session: Session, rest: str) -> str:
    """``:time``: medians of repeated evaluations."""
    equation, inputs = session.equation(rest)
    value = _median(lambda: equation(inputs))
    lines = [f"value {_seconds(value)}"]
    if equation._differentiable:
        with contextlib.suppress(InputError):  # COUNT has none
            lines.append(f"with gradient {_seconds(_median(lambda: equation.value_and_grad(inputs)))}")
    tier = equation.explain(inputs).tier if equation.inputs else None
    return ", ".join(lines) + (f" (next call: {tier})" if tier is not None else "")


def _median(evaluate: Callable[[], object]) -> float:
    taken: list[float] = []
    began = time.perf_counter()
    while not taken or (time.perf_counter() - began < _SECONDS and len(taken) < 1000):
        before = time.perf_counter()
        evaluate()
        taken.append(time.perf_counter() - before)
    return statistics.median(taken)


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def paths(session: Session, rest: str) -> str:
    """``:paths``: the best paths of a graph."""
    graph, n, entry = _graph_and_number(session, rest, "paths")
    symbols = session.symbols_of(entry)
    found = graph.paths(n)
    lines = []
    for path in found:
        states = [int(graph.src[path.arcs[0]]), *(int(graph.dst[k]) for k in path.arcs)] if path.arcs else []
        labels = [label_text(i, symbols) if i == o else f"{label_text(i, symbols)}:{label_text(o, symbols)}"
                  for i, o in zip(path.ilabels, path.olabels, strict=True)]  # fmt: skip
        way = "".join(f" ─{label}▶ {state}" for label, state in zip(labels, states[1:], strict=True))
        lines.append(f"{path.weight:12.6g}  {states[0] if states else 'no arcs'}{way}")
    return _listed(session, lines, "the graph has no path")


def strings(session: Session, rest: str) -> str:
    """``:strings``: the best strings of a graph."""
    graph, n, entry = _graph_and_number(session, rest, "strings")
    symbols = session.symbols_of(entry)

    def text(labels: Any) -> str:
        words = [label_text(label, symbols) for label in labels]
        if not words:
            return "ε"
        return ("" if all(len(word) == 1 for word in words) else " ").join(words)

    if graph.is_acceptor:
        lines = [f"{weight:12.6g}  {text(labels)}" for labels, weight in graph.strings(n)]
    else:
        lines = [f"{weight:12.6g}  {text(a)} : {text(b)}" for a, b, weight in graph.strings(n, side="both")]
    return _listed(session, lines, "the graph accepts no string")


def _listed(session: Session, lines: list[str], nothing: str) -> str:
    width = session.printer.width
    return "\n".join(line if len(line) <= width else line[: width - 1] + "…" for line in lines) or nothing


def _graph_and_number(session: Session, rest: str, command: str) -> tuple[Any, int, str]:
    from arcgrad.runtime.data.graph import Graph

    n = 10
    words = rest.rsplit(None, 1)
    if len(words) == 2 and words[1].isdigit():
        more = words[0].rsplit(None, 1)
        if len(more) == 2 and more[1].isdigit():
            raise InputError(
                f":{command} takes one number behind the graph, but got {more[1]} and {words[1]}",
                hint=f":{command} {more[0]} {more[1]}",
            )
        rest, n = words[0], int(words[1])
    elif rest.isdigit():
        rest, n = "", int(rest)
    equation, inputs = session.equation(rest)
    value = equation(inputs)
    if not isinstance(value, Graph):
        what = "a batch" if isinstance(value, list) else "a score"
        raise InputError(f":{command} takes a graph, but this is {what}", hint=f":{command} A 5")
    return value, n, rest


def draw(session: Session, rest: str) -> str:
    """``:draw``: a picture of a graph, or of how a score is computed."""
    from arcgrad.runtime.data.graph import Graph

    words = rest.split()
    if "wrt" in words:
        raise InputError(
            ":draw takes an expression and a file, without wrt",
            hint=':trace shows an equation\'s gradients; in Python, A.draw(color=grad["A"]) draws one',
        )
    file = None
    if words and (os.path.splitext(words[-1])[1].lower() in _PICTURES or "/" in words[-1].strip('"')):
        file = os.path.expanduser(words[-1].strip('"'))
        rest = rest[: rest.rindex(words[-1])].strip()
    equation, inputs = session.equation(rest)
    value = equation(inputs)
    symbols = session.symbols_of(rest)
    if not isinstance(value, Graph):
        trace = equation.trace(inputs)
        if file is None:
            return session.printer.trace(trace, symbols)
        trace.draw(file, symbols=symbols)
    elif file is None:
        picture = value.draw(symbols=symbols).text(session.printer.ascii, session.printer.width)
        return picture or session.printer.graph(value, symbols)
    else:
        value.draw(file, symbols=symbols)
    return f"a picture in {file}"


def _with_respect_to(session: Session, rest: str) -> tuple[str, list[str] | None]:
    """``EQUATION wrt NAME …`` taken apart; names None where there is no ``wrt``."""
    head, found, tail = f" {rest} ".rpartition(" wrt ")
    if not found:
        return rest, None
    return head.strip(), _as_names(session, tail)


def _as_names(session: Session, text: str) -> list[str]:
    from arcgrad.grammar import normalise_name

    names = [normalise_name(word) for word in text.replace(",", " ").split()]
    if not names:
        raise InputError("wrt is followed by names", hint=":grad LSE[A] wrt A")
    return names


def _are_names(session: Session, text: str) -> bool:
    """Whether these words are names of inputs or definitions, rather than an equation."""
    try:
        names = _as_names(session, text)
    except EquationError:
        return False
    if all(name in session.inputs or name in session.definitions for name in names):
        return session.latest is not None
    return all(name.isidentifier() for name in names)


def _check_names(names: list[str], inputs: tuple[str, ...]) -> None:
    for name in names:
        if name not in inputs:
            near = nearest(name, inputs)
            meant = f"did you mean {described(near, name, near)}? " if near is not None else ""
            raise InputError(
                f"{name!r} is not an input of the equation, nor a definition that it uses",
                hint=f"{meant}its inputs are {', '.join(inputs) or 'none'}",
            )
