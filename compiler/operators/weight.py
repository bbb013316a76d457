"""Weighting ``A⟨w⟩``: a score added to every path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.selection import block_selection
from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

_ALL = ("lse", "max", "min", "count")


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    operand = topologies[0]
    n_starts = len(operand.start)
    n_arcs = n_starts + operand.n_arcs
    limits.check_graph("the weighted graph", operand.n_states + 1, n_arcs)
    epsilons = np.full(n_starts, EPSILON, dtype=np.int32)
    topology = Topology.make(
        operand.n_states + 1,
        np.concatenate([np.zeros(n_starts, dtype=np.int32), operand.src + 1]),
        np.concatenate([operand.start, operand.dst]) + 1,
        np.concatenate([epsilons, operand.ilabel]),
        None if operand.is_acceptor else np.concatenate([epsilons, operand.olabel]),
        (0,),
        operand.accept + 1,
    )
    score = np.full(n_arcs, -1, dtype=np.int32)
    score[:n_starts] = 0
    return Built(topology, (block_selection(n_arcs, n_starts, operand.n_arcs), score))


OPERATOR = Operator(
    name="weight",
    summary="Has the paths of A, each with w added to its weight by an ε arc from a new single start, state 0.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.SCORE),
    tag="weight",
    sign="⟨ ⟩",
    build=_build,
    size=lambda sizes, parameters: Size(sizes[0].states + 1, sizes[0].arcs + 1, sizes[0].labels),
    laws=(
        Law("(A B)⟨w⟩", "A⟨w⟩ B", ("equal",), "the starts of A B are A's"),
        Law("(A + B)⟨w⟩", "A⟨w⟩ + B⟨w⟩", _ALL, "every path gets w either way"),
        Law("A⟨v⟩⟨w⟩", "A⟨w⟩⟨v⟩", _ALL, "sums have no order"),
        Law("A⟨0⟩", "A", _ALL, "0 changes no weight"),
        Law(
            "LSE[A⟨w⟩]",
            "w + LSE[A]",
            (),
            "a factor common to all paths; where A has no path, the right side alone has "
            "a gradient, so rewrites use path_product",
        ),
        Law("COUNT[A⟨w⟩]", "COUNT[A]", (), "each path of A is there once"),
    ),
    example="LSE[A⟨w⟩ + B]",
    reference="Thrax grammar compiler, weighted expressions",
)
