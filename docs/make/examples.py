"""The examples of docs/operators.md: an expression for each operator, and how its value is shown.

``SETUP`` stands at the head of the page, where the tests run it; here it is run for the outputs and the pictures.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

from arcgrad.compiler.operators import Operator
from arcgrad.compiler.types import Type
from arcgrad.runtime.draw.drawing import Drawing

__all__ = ["SETUP", "drawing", "example_of", "shown"]

SETUP = '''\
import numpy as np

import arcgrad as ag


def graph(*arcs, accept):
    """The graph of arcs such as (0, 1, "a", 0.5) or (0, 1, "a", "b", 0.5); "" is ε."""
    labels = [(src, dst, *(ord(x) if x else -1 for x in more[:-1]), more[-1]) for src, dst, *more in arcs]
    return ag.Graph.from_arcs(labels, start=[0], accept=accept)


given = {
    "A": graph((0, 1, "a", 0.1), (1, 2, "b", 0.2), accept=[2]),
    "B": graph((0, 1, "b", 0.3), (0, 1, "c", 0.4), accept=[1]),
    "S": graph((0, 1, "a", 0.1), (0, 1, "b", 0.5), (1, 2, "b", 0.3), (1, 2, "c", 0.4), accept=[2]),  # four strings
    "T": graph((0, 1, "a", "x", 0.5), (1, 1, "b", "y", -0.5), accept=[1]),  # a transducer: a:x, then b:y at will
    "U": graph((0, 1, "a", 0.1), (0, 2, "b", 0.2), (3, 1, "c", 0.3), accept=[1]),  # states 2 and 3 are of no use
    "D": graph((0, 1, "a", 1.0), (0, 2, "a", 2.0), (1, 3, "b", 0.1), (2, 3, "c", 0.2), accept=[3]),  # a twice
    "N": graph((0, 1, "", 0.1), (1, 2, "a", 0.2), (0, 2, "b", 0.3), accept=[2]),  # with an ε arc
    "R": graph((0, 1, "a", 1.0), (0, 1, "b", 0.0), (1, 2, "b", 1.0), (1, 2, "c", 0.0), accept=[2]),  # S, 1 for a and b
    "a": 2.0,
    "b": 3.0,
    "w": 0.5,
    "m": {ord("a"): ord("z")},
}


def value(text):
    equation = ag.compile(text)
    return equation({name: given[name] for name in equation.inputs})


def show(text):
    """A score with its gradient, or a graph arc by arc, each arc with its row of the Jacobian."""
    equation = ag.compile(text)
    inputs = {name: given[name] for name in equation.inputs}
    made = equation(inputs)
    if not isinstance(made, ag.Graph):
        print(made if isinstance(made, int) else round(made, 4))
        for name, gradient in equation.value_and_grad(inputs)[1].items():
            print(f"  with respect to {name}: {np.round(gradient, 4) + 0}")
        return
    rows = [[] for _ in range(made.n_arcs)]
    for name, jacobian in equation.jacobian(inputs).items() if inputs else ():
        for row, column, entry in zip(jacobian.rows, jacobian.columns, jacobian.values.round(3)):
            sign = "-" if entry < 0 else "+" if rows[row] else ""
            factor = "" if abs(entry) == 1 else f"{abs(entry):g} "
            if entry:
                rows[row].append(f"{sign} {factor}{name if name in 'abw' else f'{name}{column + 1}'}".lstrip())
    print(f"start {made.start.tolist()}, accept {made.accept.tolist()}")
    for (src, dst, *labels, weight), row in zip(made.arcs(), rows):
        read, written = ("ε" if label < 0 else chr(label) for label in labels)
        text = read if made.is_acceptor else f"{read}:{written}"
        print(f"{src} → {dst}  {text:3} {round(weight, 4) + 0:7g}   {' '.join(row)}".rstrip())
'''

_EXPRESSIONS = {
    "add": "a + 1",
    "any": "ANY[S]",
    "closure": "A*",
    "compose": "A ∘ T",
    "concatenate": "A B",
    "connect": "connect[U]",
    "count": "COUNT[S]",
    "cross": 'A : "z"',
    "determinize": "det[D]",
    "difference": 'S - "ac"',
    "divide": "a / b",
    "empty": "A + ∅",
    "entropy": "H[S]",
    "epsilon": "ε A",
    "exp": "exp[a]",
    "expectation": "E[S, R]",
    "intersect": "S ∩ A",
    "inverse": "T⁻¹",
    "kl": "KL[S, R]",
    "linear": "linear[97, 98]",
    "log": "log[a]",
    "logadd": "logadd[a, b]",
    "lse": "LSE[S]",
    "max": "MAX[S]",
    "min": "MIN[S]",
    "minimize": "minimize[D]",
    "multiply": "2 a",
    "nbest": "NBEST[S, 2]",
    "negate": "-a",
    "optional": "A?",
    "path": "PATH[S]",
    "plus": "B⁺",
    "posterior": "POST[S]",
    "project_input": "in[T]",
    "project_output": "out[T]",
    "prune": "prune[S, 0.15]",
    "push": "push[S]",
    "relabel": "relabel[A, m]",
    "relabel_input": "relabel_in[A, m]",
    "relabel_output": "relabel_out[A, m]",
    "repeat": "B{1,2}",
    "replace": "replace[A, 98: B]",
    "reverse": "rev[A]",
    "rewrite": '"aba" ∘ rewrite[("a" : "x")⟨w⟩, "b", ε, "ab"]',
    "rmeps": "rmeps[N]",
    "sample": "SAMPLE[S, 2, 7]",
    "score_max": "max[a, b]",
    "score_min": "min[a, b]",
    "subtract": "a - 1",
    "support": 'support["ab" + "ac" + "ab"]',
    "symbols": 're"[ab]c"',
    "synchronize": 'synchronize["ab" : "xy"]',
    "topsort": "topsort[rev[A]]",
    "typed": 'graph"0 1 a 0.5; 1 2 b:x; 2"',
    "union": "A + B",
    "weight": "A⟨w⟩",
}

_namespace: dict[str, Any] = {}


def example_of(entry: Operator) -> str | None:
    """The expression that shows what an operator does; None where it has no spelling of its own."""
    return _EXPRESSIONS.get(entry.name)


def shown(expression: str) -> str:
    """What ``show`` prints of it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        _run()["show"](expression)
    return printed.getvalue()


def drawing(entry: Operator) -> Drawing | None:
    """The picture of the example's value, where that is a graph."""
    expression = example_of(entry)
    if expression is None or entry.result is not Type.GRAPH:
        return None
    made: Drawing = _run()["value"](expression).draw(symbols=chr, title=expression)
    return made


def _run() -> dict[str, Any]:
    if not _namespace:
        exec(compile(SETUP, "operators.md", "exec"), _namespace)
    return _namespace
