"""Projection ``in[A]``: the acceptor of what A's paths read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

_ALL = ("lse", "max", "min", "count")


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    (a,) = topologies
    topology = Topology.make(a.n_states, a.src, a.dst, a.ilabel, None, a.start, a.accept)
    return Built(topology, (np.arange(a.n_arcs, dtype=np.int32),))


OPERATOR = Operator(
    name="project_input",
    summary="Has the paths of A, reading and writing what they read.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    names=("in",),
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("in[in[A]]", "in[A]", ("equal",), "a projection is an acceptor"),
        Law("out[in[A]]", "in[A]", ("equal",), "a projection is an acceptor"),
        Law("in[A + B]", "in[A] + in[B]", ("equal",), "arc by arc"),
        Law("in[A B]", "in[A] in[B]", ("equal",), "arc by arc"),
        Law("in[inv[A]]", "out[A]", ("equal",), "the inverse swaps the sides"),
        Law("in[A]", "A", _ALL, "a path's weight does not depend on its labels"),
    ),
    example="LSE[in[A ∘ B]]",
    reference="Mohri, Weighted Automata Algorithms, in Handbook of Weighted Automata (2009)",
)
