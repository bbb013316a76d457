"""``PATH[A]``: the best path as a linear graph; ∅ where ``MAX[A]`` is −inf."""

from __future__ import annotations

from math import inf

from arcgrad.compiler.graphs.best_path import best_path
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed, copied_arcs, line_of
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Category, Law, Operator, Parameters
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _transform(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    score, path = best_path(topology, weights)
    line, chosen = line_of(topology, path if score > -inf else None)
    return copied_arcs(line, weights, chosen)


OPERATOR = Operator(
    name="path",
    summary="Has the path of A of greatest weight alone, with its labels and weights; ∅ where A has no path.",
    category=Category.TRANSFORM,
    operands=(Type.GRAPH,),
    names=("PATH",),
    semiring="max",
    transform=_transform,
    laws=(
        Law("MAX[PATH[A]]", "MAX[A]", (), "the best path weighs what the best path weighs"),
        Law("LSE[PATH[A]]", "MAX[A]", (), "the sum over one path is its weight"),
    ),
    example="PATH[A ∘ B]",
    reference="Viterbi, Error bounds for convolutional codes and an asymptotically optimum decoding algorithm (1967)",
)
