"""Projection ``out[A]``: the acceptor of what A's paths write."""

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
    topology = Topology.make(a.n_states, a.src, a.dst, a.olabel, None, a.start, a.accept)
    return Built(topology, (np.arange(a.n_arcs, dtype=np.int32),))


OPERATOR = Operator(
    name="project_output",
    summary="Has the paths of A, reading and writing what they write.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    names=("out",),
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("in[out[A]]", "out[A]", ("equal",), "a projection is an acceptor"),
        Law("out[out[A]]", "out[A]", ("equal",), "a projection is an acceptor"),
        Law("out[A + B]", "out[A] + out[B]", ("equal",), "arc by arc"),
        Law("out[A B]", "out[A] out[B]", ("equal",), "arc by arc"),
        Law("out[inv[A]]", "in[A]", ("equal",), "the inverse swaps the sides"),
        Law("out[A]", "A", _ALL, "a path's weight does not depend on its labels"),
    ),
    example="LSE[out[A ∘ B]]",
    reference="Mohri, Weighted Automata Algorithms, in Handbook of Weighted Automata (2009)",
)
