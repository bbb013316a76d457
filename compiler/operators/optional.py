"""Zero or one ``A?``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.operators.epsilon import EPSILON_GRAPH
from arcgrad.compiler.operators.union import united
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    (operand,) = topologies
    both = united([EPSILON_GRAPH, operand], limits)
    return Built(both.topology, (np.arange(operand.n_arcs, dtype=np.int32),))


OPERATOR = Operator(
    name="optional",
    summary="Has the empty path and the paths of A.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    tag="optional",
    sign="?",
    build=_build,
    size=lambda sizes, parameters: Size(sizes[0].states + 1, sizes[0].arcs, sizes[0].labels),
    laws=(Law("A?", "ε + A", ("equal",), "its definition"),),
    example="LSE[A? B]",
    reference="IEEE Std 1003.1 (POSIX), section 9.4.6, EREs Matching Multiple Characters",
)
