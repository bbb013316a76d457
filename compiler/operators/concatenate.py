"""Concatenation ``A B``: a path of A, then a path of B."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.adjacency import expand_ranges
from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Joined, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR", "concatenated"]

_ALL = ("lse", "max", "min", "count")


def concatenated(topologies: Sequence[Topology], limits: Limits) -> Joined:
    """One graph or more, each linked to the next by ε arcs: what nested concatenations of two make."""
    states, arcs, starts, accepts = np.array(
        [(t.n_states, t.n_arcs, len(t.start), len(t.accept)) for t in topologies], dtype=np.int64
    ).T
    links = np.append(accepts[:-1] * starts[1:], 0)  # behind each operand
    n_arcs = int((arcs + links).sum())
    limits.check_graph("the concatenation", int(states.sum()), n_arcs)
    first_states = np.cumsum(states) - states
    begins = np.cumsum(arcs + links) - arcs - links
    _, own = expand_ranges(begins, arcs)
    owner, link = expand_ranges(begins + arcs, links)
    within = link - (begins + arcs)[owner]
    left, right = np.divmod(within, starts[1:][owner]) if len(owner) else (within, within)
    all_accepts = np.concatenate([t.accept for t in topologies]) + np.repeat(first_states, accepts)
    all_starts = np.concatenate([t.start for t in topologies]) + np.repeat(first_states, starts)

    def joined(name: str, between: IntArray | int) -> IntArray:
        whole = np.empty(n_arcs, dtype=np.int32)
        whole[link] = between
        whole[own] = np.concatenate([getattr(t, name) for t in topologies])
        if name in ("src", "dst"):
            whole[own] += np.repeat(first_states, arcs).astype(np.int32)
        return whole

    topology = Topology.make(
        int(states.sum()),
        joined("src", all_accepts[(np.cumsum(accepts) - accepts)[owner] + left]),
        joined("dst", all_starts[np.cumsum(starts)[owner] + right]),
        joined("ilabel", EPSILON),
        None if all(t.is_acceptor for t in topologies) else joined("olabel", EPSILON),
        topologies[0].start,
        topologies[-1].accept + first_states[-1],
    )
    return Joined(topology, begins)


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    return concatenated(topologies, limits).built(topologies)


def _size(sizes: Sequence[Size], parameters: Parameters) -> Size:
    links = len(sizes) - 1
    return Size(sum(s.states for s in sizes), sum(s.arcs for s in sizes) + links, max(s.labels for s in sizes))


OPERATOR = Operator(
    name="concatenate",
    summary="Has a path for each path of A followed by a path of B; its weight is the sum of theirs.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.GRAPH),
    tag="concatenate",
    sign="juxtaposition",
    overload="multiply",
    build=_build,
    join=concatenated,
    size=_size,
    laws=(
        Law("(A B) C", "A (B C)", ("equal",), "the links are the same either way"),
        Law("A (B + C)", "A B + A C", _ALL, "what follows A is a path of B or one of C"),
        Law("(A + B) C", "A C + B C", _ALL, "what comes before C is a path of A or one of B"),
        Law(
            "LSE[A B]",
            "LSE[A] + LSE[B]",
            (),
            "a sum of products over all pairs factors; where one side alone has no path, the gradients differ "
            "(a sum of scores always has one), so a rewrite must use path_product",
        ),
        Law("MAX[A B]", "MAX[A] + MAX[B]", (), "the best pair is the pair of the best; without a path, as for LSE"),
        Law(
            "MIN[A B]",
            "MIN[A] + MIN[B]",
            (),
            "the worst pair is the pair of the worst; undefined (−inf + inf) where MIN[A B] is not, so no rewrite",
        ),
        Law(
            "COUNT[A B]",
            "COUNT[A] × COUNT[B]",
            (),
            "every pair is a path; undefined (0 × inf) where COUNT[A B] is 0, so no rewrite",
        ),
    ),
    example="LSE[A B]",
    reference="Hannun, An Introduction to Weighted Automata in Machine Learning (2021)",
)
