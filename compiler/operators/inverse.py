"""Inverse ``A⁻¹``: input and output swapped."""

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
    olabel = None if a.is_acceptor else a.ilabel
    topology = Topology.make(a.n_states, a.src, a.dst, a.olabel, olabel, a.start, a.accept)
    return Built(topology, (np.arange(a.n_arcs, dtype=np.int32),))


OPERATOR = Operator(
    name="inverse",
    summary="Has the paths of A, reading what they wrote and writing what they read.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    tag="inverse",
    sign="⁻¹",
    names=("inv",),
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("inv[inv[A]]", "A", ("equal",), "swapping twice changes nothing"),
        Law("inv[A + B]", "inv[A] + inv[B]", ("equal",), "arc by arc"),
        Law("inv[A B]", "inv[A] inv[B]", ("equal",), "arc by arc"),
        Law("inv[A*]", "inv[A]*", ("equal",), "arc by arc"),
        Law("inv[A @ B]", "inv[B] @ inv[A]", _ALL, "the same pairs of paths, met in another order"),
        Law("inv[A]", "A", _ALL, "a path's weight does not depend on its labels"),
    ),
    example="LSE[A⁻¹ ∘ B]",
    reference="Mohri, Weighted Automata Algorithms, in Handbook of Weighted Automata (2009)",
)
