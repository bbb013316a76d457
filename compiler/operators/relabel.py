"""``relabel[A, m]``: labels of both sides mapped by a dict or an array."""

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
    ilabel = mapping.apply(a.ilabel)
    olabel = None if a.is_acceptor else mapping.apply(a.olabel)
    topology = Topology.make(a.n_states, a.src, a.dst, ilabel, olabel, a.start, a.accept)
    return Built(topology, (np.arange(a.n_arcs, dtype=np.int32), np.full(a.n_arcs, -1, dtype=np.int32)))


OPERATOR = Operator(
    name="relabel",
    summary="Has the paths of A with their labels mapped by m; labels that m does not mention stay.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.MAPPING),
    names=("relabel",),
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("relabel[A, m]", "relabel_in[relabel_out[A, m], m]", ("equal",), "the sides do not meet"),
        Law("relabel[A + B, m]", "relabel[A, m] + relabel[B, m]", ("equal",), "arc by arc"),
        Law("inv[relabel[A, m]]", "relabel[inv[A], m]", ("equal",), "both sides are mapped alike"),
        Law("relabel[A, m]", "A", _ALL, "a path's weight does not depend on its labels"),
    ),
    example="LSE[relabel[A, m] ∘ B]",
    reference="OpenFst, Relabel",
)
