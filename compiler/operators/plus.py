"""One or more ``A⁺``: at least one path of A, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.operators.closure import closed
from arcgrad.compiler.operators.concatenate import concatenated
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    (operand,) = topologies
    rest = closed(operand, limits)
    both = concatenated([operand, rest.topology], limits)
    first = np.arange(operand.n_arcs, dtype=np.int32)
    return Built(both.topology, (both.local([first, rest.selections[0]]),))


OPERATOR = Operator(
    name="plus",
    summary="Has a path for each sequence of one or more paths of A; weights add.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    tag="plus",
    sign="⁺",
    build=_build,
    size=lambda sizes, parameters: Size(2 * sizes[0].states + 1, 2 * sizes[0].arcs + 3, sizes[0].labels),
    laws=(
        Law("A^+", "A A*", ("equal",), "its definition"),
        Law("A^+", "A* A", ("lse", "max", "min", "count"), "a sequence that is not empty has a first and a last path"),
        Law("A*", "ε + A^+", ("lse", "max", "min", "count"), "a sequence is empty or not"),
    ),
    example="LSE[A⁺ ∘ X]",
    reference="Hannun, An Introduction to Weighted Automata in Machine Learning (2021)",
)
