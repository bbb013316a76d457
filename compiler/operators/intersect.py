"""Intersection ``A ∩ B``: what both accept; composition of acceptors."""

from __future__ import annotations

from collections.abc import Sequence

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters
from arcgrad.compiler.operators.compose import composed, composed_size
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

_ALL = ("lse", "max", "min", "count")


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    left, right = topologies
    return composed(left, right, limits, "the intersection")


OPERATOR = Operator(
    name="intersect",
    summary="Pairs every path of A with every path of B that has the same labels, each pair once; weights add.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.GRAPH),
    acceptors=(True, True),
    tag="intersect",
    sign="∩",
    build=_build,
    size=composed_size,
    laws=(
        Law("in[A] & in[B]", "in[A] @ in[B]", ("equal",), "its definition"),
        Law("in[A] & in[B]", "in[B] & in[A]", _ALL, "the same pairs of paths, met in another order"),
        Law("(in[A] & in[B]) & in[C]", "in[A] & (in[B] & in[C])", _ALL, "the same triples of paths"),
        Law("in[A] & (in[B] + in[C])", "(in[A] & in[B]) + (in[A] & in[C])", _ALL, "a path of B + C is one of either"),
    ),
    example="LSE[A ∩ B]",
    reference="Hannun, An Introduction to Weighted Automata in Machine Learning (2021)",
)
