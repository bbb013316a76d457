"""``prune[A, beam]``: without what lies on bad paths only."""

from __future__ import annotations

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed, copied_arcs
from arcgrad.compiler.graphs.weighted.pruning import chosen_arcs, slacks
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Category, Law, Operator, Parameters
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _transform(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    (beam,) = parameters
    assert isinstance(beam, (int, float))
    made, arcs = chosen_arcs(topology, *slacks(topology, weights), float(beam))
    return copied_arcs(made, weights, arcs)


OPERATOR = Operator(
    name="prune",
    summary="Has the states and arcs of A that lie on a path whose weight is at most the beam below the best path's.",
    category=Category.TRANSFORM,
    operands=(Type.GRAPH,),
    names=("prune",),
    parameter_names=("beam",),
    decimals=("beam",),
    transform=_transform,
    laws=(
        Law("MAX[prune[A, 0]]", "MAX[A]", (), "the best path is within any beam"),
        Law("prune[prune[A, 3], 3]", "prune[A, 3]", ("max",), "what is left is within the beam"),
    ),
    example="prune[A, 2.5]",
    reference="OpenFst, Prune",
)
