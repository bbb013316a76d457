"""Union ``A + B``: either a path of A or a path of B."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Joined, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR", "united"]

_ALL = ("lse", "max", "min", "count")


def united(topologies: Sequence[Topology], limits: Limits) -> Joined:
    """The disjoint union of one graph or more: what nested unions of two make."""
    states, arcs = np.array([(t.n_states, t.n_arcs) for t in topologies], dtype=np.int64).T
    limits.check_graph("the union", int(states.sum()), int(arcs.sum()))
    first_states = np.cumsum(states) - states

    def joined(name: str) -> IntArray:
        found: IntArray = np.concatenate([getattr(t, name) for t in topologies])
        return found

    def shifted(name: str) -> IntArray:
        counts = arcs if name in ("src", "dst") else [len(getattr(t, name)) for t in topologies]
        found: IntArray = (joined(name) + np.repeat(first_states, counts)).astype(np.int32)
        return found

    olabel = None if all(t.is_acceptor for t in topologies) else joined("olabel")
    topology = Topology.make(
        int(states.sum()), shifted("src"), shifted("dst"), joined("ilabel"), olabel, shifted("start"), shifted("accept")
    )
    return Joined(topology, np.cumsum(arcs) - arcs)


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    return united(topologies, limits).built(topologies)


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
    join=united,
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
