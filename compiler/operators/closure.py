"""Closure ``A*``: zero or more paths of A, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.selection import block_selection
from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR", "closed"]


def closed(operand: Topology, limits: Limits) -> Built:
    """``A*`` with a new state 0 that is its only start and its only accept."""
    n_starts, n_accepts = len(operand.start), len(operand.accept)
    n_arcs = n_starts + operand.n_arcs + n_accepts
    limits.check_graph("the closure", operand.n_states + 1, n_arcs)
    enter, leave = np.zeros(n_starts, dtype=np.int32), np.zeros(n_accepts, dtype=np.int32)
    ilabel, olabel = (
        np.concatenate([enter + EPSILON, labels, leave + EPSILON]) for labels in (operand.ilabel, operand.olabel)
    )
    topology = Topology.make(
        operand.n_states + 1,
        np.concatenate([enter, operand.src + 1, operand.accept + 1]),
        np.concatenate([operand.start + 1, operand.dst + 1, leave]),
        ilabel,
        None if operand.is_acceptor else olabel,
        (0,),
        (0,),
    )
    return Built(topology, (block_selection(n_arcs, n_starts, operand.n_arcs),))


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    return closed(topologies[0], limits)


OPERATOR = Operator(
    name="closure",
    summary="Has a path for each sequence of paths of A, the empty sequence included; weights add.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    tag="closure",
    sign="*",
    build=_build,
    size=lambda sizes, parameters: Size(sizes[0].states + 1, sizes[0].arcs + 2, sizes[0].labels),
    laws=(
        Law("A*", "ε + A A*", ("lse", "max", "min", "count"), "a sequence is empty or has a first path"),
        Law("LSE[A*]", "-log[1 - exp[LSE[A]]]", (), "the geometric series; it diverges where LSE[A] is 0 or more"),
    ),
    example="LSE[A* ∘ X]",
    reference="Hannun, An Introduction to Weighted Automata in Machine Learning (2021)",
)
