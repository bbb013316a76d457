"""Reversal ``rev[A]``: every path backwards."""

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
    olabel = None if a.is_acceptor else a.olabel
    topology = Topology.make(a.n_states, a.dst, a.src, a.ilabel, olabel, a.accept, a.start)
    return Built(topology, (np.arange(a.n_arcs, dtype=np.int32),))


OPERATOR = Operator(
    name="reverse",
    summary="Has the paths of A from their end to their beginning; states and arcs keep their numbers.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    names=("rev",),
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("rev[rev[A]]", "A", ("equal",), "turning round twice changes nothing"),
        Law("rev[A + B]", "rev[A] + rev[B]", ("equal",), "arc by arc"),
        Law("rev[A B]", "rev[B] rev[A]", _ALL, "backwards, B's path comes first"),
        Law("rev[A]", "A", _ALL, "a path's weight does not depend on its direction"),
        Law("rev[A @ B]", "rev[A] @ rev[B]", _ALL, "the same pairs of paths match"),
    ),
    example="LSE[rev[A] ∘ B]",
    reference="Mohri, Weighted Automata Algorithms, in Handbook of Weighted Automata (2009)",
)
