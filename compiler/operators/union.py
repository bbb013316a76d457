"""Union ``A + B``: either a path of A or a path of B."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.selection import block_selection
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR", "united"]

_ALL = ("lse", "max", "min", "count")


def united(topologies: Sequence[Topology], limits: Limits) -> Built:
    """The disjoint union of one graph or more: what nested unions of two make."""
    n_states = sum(t.n_states for t in topologies)
    n_arcs = sum(t.n_arcs for t in topologies)
    limits.check_graph("the union", n_states, n_arcs)
    first_states = np.cumsum([0, *(t.n_states for t in topologies)])
    first_arcs = np.cumsum([0, *(t.n_arcs for t in topologies)])

    def joined(name: str) -> IntArray:
        return np.concatenate([getattr(t, name) for t in topologies])

    def shifted(name: str) -> IntArray:
        return np.concatenate([getattr(t, name) + s for t, s in zip(topologies, first_states[:-1], strict=True)])

    olabel = None if all(t.is_acceptor for t in topologies) else joined("olabel")
    topology = Topology.make(
        n_states, shifted("src"), shifted("dst"), joined("ilabel"), olabel, shifted("start"), shifted("accept")
    )
    return Built(
        topology,
        tuple(block_selection(n_arcs, b, t.n_arcs) for b, t in zip(first_arcs[:-1], topologies, strict=True)),
    )


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    return united(topologies, limits)


def _size(sizes: Sequence[Size], parameters: Parameters) -> Size:
    return Size(sum(s.states for s in sizes), sum(s.arcs for s in sizes), max(s.labels for s in sizes))


OPERATOR = Operator(
    name="union",
    summary="Has the paths of A and the paths of B; a path that is in both is there twice.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.GRAPH),
    tag="union",
    sign="+",
    overload="add",
    build=_build,
    size=_size,
    laws=(
        Law("(A + B) + C", "A + (B + C)", ("equal",), "operand order is kept either way"),
        Law("A + B", "B + A", _ALL, "a sum, a maximum or a count over paths has no order"),
        Law("LSE[A + B]", "logadd[LSE[A], LSE[B]]", (), "the sum over two sets of paths"),
        Law("MAX[A + B]", "max[MAX[A], MAX[B]]", (), "the best of two sets of paths"),
        Law("MIN[A + B]", "-max[-MIN[A], -MIN[B]]", (), "the worst of two sets of paths"),
        Law("COUNT[A + B]", "COUNT[A] + COUNT[B]", (), "the paths of the two are counted apart"),
    ),
    example="LSE[A + B]",
    reference="Hannun, An Introduction to Weighted Automata in Machine Learning (2021)",
)
