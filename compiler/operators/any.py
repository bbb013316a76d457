"""``ANY[A]``: whether there is a path."""

from __future__ import annotations

import numpy as np

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import FloatArray
from arcgrad.compiler.graphs.useful_graph import useful_graph
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _reduce(topology: Topology, weights: FloatArray) -> tuple[float, FloatArray]:
    found = useful_graph(topology, weights, drop_minus_infinity=True)
    return float(bool(found.start)), np.zeros(topology.n_arcs)


OPERATOR = Operator(
    name="any",
    summary="Is 1 where A has a path, arcs of weight −inf being absent, else 0; it has no gradient.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH,),
    result=Type.SCORE,
    names=("ANY",),
    semiring="boolean",
    reduce=_reduce,
    laws=(
        Law("ANY[ε]", "1", (), "one path"),
        Law("ANY[∅]", "0", (), "no path"),
        Law("ANY[A + B]", "max[ANY[A], ANY[B]]", (), "a path of A + B is a path of one of them"),
        Law("ANY[A B]", "min[ANY[A], ANY[B]]", (), "a path of A B is a path of each of them"),
    ),
    example="ANY[A ∘ B]",
    reference="Mohri, Semiring Frameworks and Algorithms for Shortest-Distance Problems (2002)",
)
