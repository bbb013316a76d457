"""Cross product ``A : B``: reads a path of A, writes a path of B."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Joined, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

_ALL = ("lse", "max", "min", "count")


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    a, b = topologies
    n_links = len(a.accept) * len(b.start)
    n_arcs, read = a.n_arcs + n_links + b.n_arcs, a.n_arcs + n_links
    limits.check_graph("the cross product", a.n_states + b.n_states, n_arcs)
    ilabel, olabel = np.full((2, n_arcs), EPSILON, dtype=np.int32)
    ilabel[: a.n_arcs], olabel[read:] = a.ilabel, b.olabel
    topology = Topology.make(
        a.n_states + b.n_states,
        np.concatenate([a.src, np.repeat(a.accept, len(b.start)), b.src + a.n_states]),
        np.concatenate([a.dst, np.tile(b.start, len(a.accept)) + a.n_states, b.dst + a.n_states]),
        ilabel,
        olabel,
        a.start,
        b.accept + a.n_states,
    )
    return Joined(topology, np.array([0, read])).built(topologies)


def _size(sizes: Sequence[Size], parameters: Parameters) -> Size:
    a, b = sizes
    return Size(a.states + b.states, a.arcs + b.arcs + 1, max(a.labels, b.labels))


OPERATOR = Operator(
    name="cross",
    summary="Has a path for each pair of a path of A, which it reads, and a path of B, which it writes; weights add.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.GRAPH),
    acceptors=(True, True),
    tag="cross",
    sign=":",
    build=_build,
    size=_size,
    laws=(
        Law("in[A] : out[B]", "in[A] out[B]", _ALL, "the same pairs of paths, with other labels"),
        Law("inv[in[A] : in[B]]", "in[B] : in[A]", _ALL, "the same pairs of paths, in another order"),
        Law("(in[A] + in[B]) : in[C]", "(in[A] : in[C]) + (in[B] : in[C])", _ALL, "pairs with A and pairs with B"),
    ),
    example='LSE[("a" : "b")* ∘ X]',
    reference="Gorman, Pynini: A Python library for weighted finite-state grammar compilation (2016)",
)
