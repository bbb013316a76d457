"""Why a result is −inf or ∅, where that is plain: a graph that accepts nothing, or two without a label in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from arcgrad.grammar.errors import ArcgradError
from arcgrad.repl.printing import Symbols, label_text

if TYPE_CHECKING:
    from arcgrad.equation import Equation

__all__ = ["note_on"]

_MOST_ARCS = 2_000  # those of a dense input count, too
_MOST_LABELS = 8
_MOST_NAME = 24


def note_on(equation: Equation, inputs: Mapping[str, Any], value: Any, symbols: Symbols = None) -> str | None:
    """Say why a value is −inf or ∅, None where it is neither or the reason is not plain.

    Example:
        >>> import arcgrad as ag
        >>> from arcgrad.repl.notes import note_on
        >>> note_on(ag.compile("LSE[A]"), {"A": ag.Graph([0], [1], [5])}, float("-inf"))
        'A has no accept state'
    """
    from arcgrad.runtime.data.graph import Graph

    if isinstance(value, Graph):
        if value.n_states and len(value.start) and len(value.accept):
            return None
    elif not isinstance(value, float) or value != float("-inf"):
        return None
    graphs = {name: given for name, given in inputs.items() if isinstance(given, Graph)}
    for name, graph in graphs.items():
        for kind, states in (("start", graph.start), ("accept", graph.accept)):
            if graph.n_states and not len(states):
                return f"{name} has no {kind} state"
    if sum(given.n_arcs if isinstance(given, Graph) else _size(given) for given in inputs.values()) > _MOST_ARCS:
        return None
    try:
        nodes = equation.trace(inputs).nodes
    except ArcgradError:  # a batch, or more than the interpreter may make
        return None
    for node in nodes:
        signs = [sign for sign in (" ∘ ", " ∩ ") if sign in node.expression]
        values = [operand.value for operand in node.inputs]
        if not signs or len(values) != 2 or not all(isinstance(one, Graph) for one in values):
            continue
        sides = values[0].olabel.tolist(), values[1].ilabel.tolist()
        if all(-1 not in side and side for side in sides) and not set(sides[0]) & set(sides[1]):
            names = [_name(operand) for operand in node.inputs]
            shown = ", ".join(f"{name}: {_labels(side, symbols)}" for name, side in zip(names, sides, strict=True))
            return f"{names[0]} and {names[1]} share no label ({shown})"
    return None


def _size(given: Any) -> int:
    return int(getattr(getattr(given, "scores", given), "size", 1))


def _name(node: Any) -> str:
    """What an operand is called: its expression where that names no intermediate result."""
    inner = [operand for operand in node.inputs if operand.inputs]
    return str(node.expression) if not inner and len(node.expression) <= _MOST_NAME else str(node.name)


def _labels(labels: Iterable[int], symbols: Symbols) -> str:
    found = sorted(set(labels))
    return " ".join(label_text(label, symbols) for label in found[:_MOST_LABELS]) + " …" * (len(found) > _MOST_LABELS)
