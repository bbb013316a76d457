"""The graph ``∅``, which accepts nothing."""

from __future__ import annotations

from collections.abc import Sequence

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size

__all__ = ["EMPTY_GRAPH", "OPERATOR"]

EMPTY_GRAPH = Topology.make(0, (), (), ())

_ALL = ("lse", "max", "min", "count")


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    return Built(EMPTY_GRAPH, ())


OPERATOR = Operator(
    name="empty",
    summary="Has no path.",
    category=Category.LITERAL,
    build=_build,
    size=lambda sizes, parameters: Size(0, 0, 0),
    laws=(
        Law("A + ∅", "A", ("equal",), "there are no states to add"),
        Law("∅ + A", "A", ("equal",), "there are no states to add to"),
        Law("A ∅", "∅", _ALL, "no path of A can be continued"),
        Law("∅ A", "∅", _ALL, "there is no path to continue"),
        Law("A @ ∅", "∅", ("equal",), "there is no start pair"),
        Law("∅ @ A", "∅", ("equal",), "there is no start pair"),
    ),
    example="LSE[A + ∅]",
    reference="Hannun, An Introduction to Weighted Automata in Machine Learning (2021)",
)
