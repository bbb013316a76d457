"""The graph ``ε``, which accepts the empty string and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["EPSILON_GRAPH", "OPERATOR"]

EPSILON_GRAPH = Topology.make(1, (), (), (), start=(0,), accept=(0,))

_ALL = ("lse", "max", "min", "count")


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    return Built(EPSILON_GRAPH, ())


OPERATOR = Operator(
    name="epsilon",
    summary="Has one path, without arcs: it accepts the empty string with weight 0.",
    category=Category.LITERAL,
    result=Type.GRAPH,
    build=_build,
    size=lambda sizes, parameters: Size(1, 0, 0),
    laws=(
        Law("ε A", "A", _ALL, "the empty path before each path of A adds nothing"),
        Law("A ε", "A", _ALL, "the empty path after each path of A adds nothing"),
    ),
    example="LSE[A + ε]",
    reference="Hannun, An Introduction to Weighted Automata in Machine Learning (2021)",
)
