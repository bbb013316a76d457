"""``relabel_in[A, m]``: input labels mapped by a dict or an array."""

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
    topology = Topology.make(a.n_states, a.src, a.dst, mapping.apply(a.ilabel), a.olabel, a.start, a.accept)
    return Built(topology, (np.arange(a.n_arcs, dtype=np.int32), np.full(a.n_arcs, -1, dtype=np.int32)))


OPERATOR = Operator(
    name="relabel_input",
    summary="Has the paths of A with their input labels mapped by m; labels that m does not mention stay.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.MAPPING),
    names=("relabel_in",),
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("out[relabel_in[A, m]]", "out[A]", ("equal",), "outputs stay"),
        Law("inv[relabel_in[A, m]]", "relabel_out[inv[A], m]", ("equal",), "the inverse swaps the sides"),
        Law("relabel_in[A, m]", "A", _ALL, "a path's weight does not depend on its labels"),
    ),
    example="LSE[relabel_in[A, m] ∘ B]",
    reference="OpenFst, Relabel",
)
