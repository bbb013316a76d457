"""``connect[A]``: A without the states that lie on no accepting path."""

from __future__ import annotations

from collections.abc import Sequence

from arcgrad.compiler.graphs.adjacency import accessible, coaccessible, induced
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

_ALL = ("lse", "max", "min", "count")


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    (operand,) = topologies
    topology, kept = induced(operand, accessible(operand) & coaccessible(operand))
    return Built(topology, (kept,))


OPERATOR = Operator(
    name="connect",
    summary="Has the paths of A, without the states and arcs that no path uses; order is kept.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    names=("connect",),
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("connect[A]", "A", _ALL, "only what no path uses is dropped"),
        Law("connect[connect[A]]", "connect[A]", ("equal",), "there is nothing left to drop"),
        Law("connect[rev[A]]", "rev[connect[A]]", ("equal",), "what paths use does not depend on their direction"),
    ),
    example="LSE[connect[A] ∘ B]",
    reference="Mohri, Weighted Automata Algorithms, in Handbook of Weighted Automata (2009)",
)
