"""Compares the graphs that one reduction takes, as E[A, R]: they must agree in states and arcs, whatever their labels.

Used by the interpreter and by the packer of regions, once both graphs are built.
"""

from __future__ import annotations

import numpy as np

from arcgrad.compiler.frontend.ir import Node
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.grammar.errors import InputError, Place
from arcgrad.runtime.build.origins import expression_words

__all__ = ["check_topologies", "same_states_and_arcs"]

_HINT = "give both the same states and arcs in the same order, as G and G.with_weight(…); labels may differ"


def same_states_and_arcs(one: Topology, other: Topology) -> bool:
    """Tell whether two graphs have the same states, starts, accepts and arcs, whatever the arcs' labels."""
    return one is other or (
        one.n_states == other.n_states
        and np.array_equal(one.src, other.src)
        and np.array_equal(one.dst, other.dst)
        and np.array_equal(one.start, other.start)
        and np.array_equal(one.accept, other.accept)
    )


def check_topologies(node: Node, position: int, first: Topology, other: Topology, place: Place | None) -> None:
    """Refuse an operand of a reduction that has not the first one's states and arcs.

    Args:
        node: the reduction.
        position: of the other operand.
        first: the first operand's graph.
        other: the other one's.
        place: where the reduction stands.

    Raises:
        InputError: the graphs differ; it says where first.
    """
    if same_states_and_arcs(first, other):
        return
    names = [expression_words(node.operands[0]), expression_words(node.operands[position])]
    raise InputError(
        f"{node.definition.spelling} needs graphs of one topology, but {names[0]} and {names[1]} differ: "
        f"{_first_difference(first, other, names)}",
        place=place,
        hint=_HINT,
    )


def _first_difference(first: Topology, other: Topology, names: list[str]) -> str:
    """Words for the first arc or state in which two graphs differ."""
    n_arcs = min(first.n_arcs, other.n_arcs)
    unlike = (first.src[:n_arcs] != other.src[:n_arcs]) | (first.dst[:n_arcs] != other.dst[:n_arcs])
    if unlike.any():
        arc = int(unlike.argmax())
        ways = [f"from state {graph.src[arc]} to state {graph.dst[arc]}" for graph in (first, other)]
        return f"arc {arc} leads {ways[0]} in {names[0]}, and {ways[1]} in {names[1]}"
    if first.n_arcs != other.n_arcs:
        longer = names[0] if first.n_arcs > other.n_arcs else names[1]
        return f"they have {first.n_arcs} and {other.n_arcs} arcs, and arc {n_arcs} is in {longer} alone"
    for kind, one, two in (("a start", first.start, other.start), ("an accept", first.accept, other.accept)):
        alone = np.setxor1d(one, two)
        if len(alone):
            return f"state {alone[0]} is {kind} of {names[_is_in(alone[0], two)]} alone"
    return f"they have {first.n_states} and {other.n_states} states"


def _is_in(state: int, states: IntArray) -> int:
    return int(np.isin(state, states))
