"""``POST[A]``: posterior probabilities of arcs."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed
from arcgrad.compiler.graphs.useful_graph import is_cyclic
from arcgrad.compiler.graphs.weighted.path_sums import path_sums, sums_ahead
from arcgrad.compiler.graphs.weighted.tape import Term
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Category, Law, Operator, Parameters
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _transform(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    sums = path_sums(topology, weights, best=0)
    graph, tape, ahead = sums.graph, sums.tape, sums.ahead
    behind = sums_ahead(tape, graph.reversed())
    total = tape.total([Term((ahead[state],), weight=weight) for state, weight in graph.start.items()])
    terms: dict[int, Term] = {}
    for state, arcs in enumerate(graph.out):
        for arc, other, weight in arcs:
            terms[arc] = Term((behind[state], ahead[other]), arc, weight, over=(total,))
    found = np.full(topology.n_arcs, -math.inf)
    if tape.values[total] > -math.inf:
        for arc, term in terms.items():
            found[arc] = tape.value(term)
    if not any(is_cyclic(graph, component) for component in graph.components):
        found = np.minimum(found, 0.0)  # rounding makes a little more than 1 of an arc that all paths take

    def pull_back(cotangent: FloatArray) -> FloatArray:
        given = cotangent.tolist()
        return tape.pull_back((term, given[arc]) for arc, term in terms.items() if found[arc] > -math.inf)

    moving = [terms[arc] if weight > -math.inf else None for arc, weight in enumerate(found.tolist())]
    return Transformed(topology, found, pull_back, along=partial(tape.along, moving))


OPERATOR = Operator(
    name="posterior",
    summary="Has A's states and arcs, each arc weighted by the logarithm of how often a path takes it, on average "
    "under p(path) ∝ exp(weight): in a graph without cycles, of the probability that one does; -inf where none does.",
    category=Category.TRANSFORM,
    operands=(Type.GRAPH,),
    names=("POST",),
    semiring="log",
    transform=_transform,
    laws=(Law("POST[rev[A]]", "rev[POST[A]]", ("lse", "max"), "a path takes the same arcs in either direction"),),
    example="POST[A ∘ B]",
    reference="Rabiner, A Tutorial on Hidden Markov Models and Selected Applications in Speech Recognition (1989)",
)
