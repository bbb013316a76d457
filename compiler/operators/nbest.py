"""``NBEST[A, n]``: the n best paths as linear graphs side by side, best first; ∅ where ``MAX[A]`` is −inf."""

from __future__ import annotations

from math import inf

from arcgrad.compiler.graphs.best_path import best_path
from arcgrad.compiler.graphs.best_paths import best_paths, check_paths
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed, copied_arcs, lines_of
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Category, Law, Operator, Parameters
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _transform(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    (n,) = parameters
    assert isinstance(n, int)
    if n == 1:  # PATH, whatever rounding does
        score, path = best_path(topology, weights)
        return _copies(topology, weights, [] if path is None or score == -inf else [path])
    found: list[list[int]] = []
    n_arcs = 0
    for _, arcs in best_paths(topology, weights):
        found.append(arcs)
        n_arcs += len(arcs)
        check_paths(limits, len(found), n_arcs, n)
        if len(found) == n:
            break
    return _copies(topology, weights, found)


def _copies(topology: Topology, weights: FloatArray, paths: list[list[int]]) -> Transformed:
    chosen = [arc for path in paths for arc in path]
    return copied_arcs(lines_of(topology, chosen, [len(path) for path in paths]), weights, chosen)


OPERATOR = Operator(
    name="nbest",
    summary="Has the n paths of A of greatest weight, as linear graphs side by side, best first; fewer where A has "
    "fewer, ∅ where it has none.",
    category=Category.TRANSFORM,
    operands=(Type.GRAPH,),
    names=("NBEST",),
    parameter_names=("n",),
    least=1,
    semiring="max",
    transform=_transform,
    laws=(
        Law("NBEST[A, 1]", "PATH[A]", ("equal",), "the best path is the first of the best ones"),
        Law("PATH[NBEST[A, 3]]", "PATH[A]", ("equal",), "the best of the best paths is the best path"),
        Law("MAX[NBEST[A, 3]]", "MAX[A]", (), "the best path is among the best ones"),
    ),
    example="NBEST[A ∘ B, 5]",
    reference="Jiménez, Marzal, Computing the K Shortest Paths: a New Algorithm and an Experimental Comparison (1999); "
    "Huang, Chiang, Better k-best Parsing (2005)",
)
