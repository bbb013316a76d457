"""``push[A]``, ``push[A, end]``: weights moved towards the start, or the end."""

from __future__ import annotations

from dataclasses import replace

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed
from arcgrad.compiler.graphs.weighted.pushing import in_semiring, pushed, reversed_topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Category, Law, Operator, Parameters
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

_END = "end"
_towards_start = in_semiring("push", pushed)


def _transform(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    if _END not in parameters:
        return _towards_start(topology, weights, parameters, limits)
    made = _towards_start(reversed_topology(topology), weights, parameters, limits)
    return replace(made, topology=reversed_topology(made.topology))


OPERATOR = Operator(
    name="push",
    summary="Has the paths of A with the same weights, moved along them so that what leaves a state sums to 1 "
    "(under MAX and MIN: is at best 0), or with `end` what enters one; what is left of a start's, or an accept's, sum "
    "is on an ε arc.",
    category=Category.TRANSFORM,
    operands=(Type.GRAPH,),
    names=("push",),
    words=(_END,),
    follows_reduction=True,
    transform=_transform,
    laws=(
        Law("push[A]", "A", ("lse", "max"), "weights move along the paths and add up to the same"),
        Law("push[A, end]", "A", ("lse", "max"), "in either direction"),
        Law("push[rev[A], end]", "rev[push[A]]", ("lse", "max"), "one direction is the other's reverse"),
        Law("push[push[A]]", "push[A]", ("lse", "max"), "what is pushed stays"),
    ),
    example="push[A]",
    reference="Mohri, Weighted Automata Algorithms, in Handbook of Weighted Automata (2009)",
)
