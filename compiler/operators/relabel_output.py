"""``relabel_out[A, m]``: output labels mapped by a dict or an array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.mapping import LabelMapping
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

_ALL = ("lse", "max", "min", "count")


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    (a,), mapping = topologies, parameters[0]
    assert isinstance(mapping, LabelMapping)
    topology = Topology.make(a.n_states, a.src, a.dst, a.ilabel, mapping.apply(a.olabel), a.start, a.accept)
    return Built(topology, (np.arange(a.n_arcs, dtype=np.int32), np.full(a.n_arcs, -1, dtype=np.int32)))


OPERATOR = Operator(
    name="relabel_output",
    summary="Has the paths of A with their output labels mapped by m; labels that m does not mention stay.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.MAPPING),
    names=("relabel_out",),
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("in[relabel_out[A, m]]", "in[A]", ("equal",), "inputs stay"),
        Law("inv[relabel_out[A, m]]", "relabel_in[inv[A], m]", ("equal",), "the inverse swaps the sides"),
        Law("relabel_out[A, m]", "A", _ALL, "a path's weight does not depend on its labels"),
    ),
    example="LSE[relabel_out[A, m] ∘ B]",
    reference="OpenFst, Relabel",
)
