"""Difference ``A − B``: the paths of A whose labels B does not accept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.adjacency import by_input, expand_ranges, induced, outgoing, state_mask
from arcgrad.compiler.graphs.numbering import numbering
from arcgrad.compiler.graphs.orders import trim
from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters
from arcgrad.compiler.operators.support import minimal_acceptor
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR", "without"]

# Source, destination and arc of A of each arc until the result is trimmed, as int32.
_BYTES_PER_ARC = 12


def without(left: Topology, strings: Topology, limits: Limits) -> Built:
    """The paths of ``left`` whose labels ``strings`` does not accept.

    States are (state of A, state of B), breadth first from the starts of A: A's arcs in order, with B's only arc that
    has the label, or to a state of B's that accepts nothing any more; ε moves A alone. Dead states are dropped.

    Args:
        left: any acceptor.
        strings: a minimal deterministic acceptor.
        limits: budget.

    Raises:
        LimitError: as soon as more states or arcs were met than the limits allow.
    """
    lost = strings.n_states  # a state of B's from which nothing is accepted
    width = lost + 1
    leaving, index = outgoing(left), by_input(strings)
    strings_dst = np.append(strings.dst, lost)
    pairs = numbering(max(left.n_states * width, 1))
    begin = int(strings.start[0]) if len(strings.start) else lost
    _, frontier = pairs.add(left.start.astype(np.int64) * width + begin)
    n_starts, n_done, n_arcs = pairs.count, 0, 0
    levels: list[NDArray[np.int64]] = []
    arcs: list[NDArray[np.int32]] = []

    def check(states: int, arcs: int) -> None:
        smaller = "make either side smaller"
        used = _BYTES_PER_ARC * arcs
        limits.check("the difference", states=states, arcs=arcs, bytes=used, at_least=True, smaller=smaller)

    check(n_starts, 0)
    while len(frontier):
        levels.append(frontier)
        state, other = np.divmod(frontier, width)
        degree = leaving.degree(state)
        n_arcs += int(degree.sum())
        check(pairs.count, n_arcs)
        owner, position = expand_ranges(leaving.offsets[state], degree)
        arc = leaving.order[position]
        label, there = left.ilabel[arc], other[owner]
        known = there < lost
        at, count = index.find(np.where(known, there, 0), label) if lost else (np.zeros_like(arc), np.zeros_like(arc))
        matched = known & (count > 0)
        reached = strings_dst[np.where(matched, index.padded_order[at], -1)]
        reached = np.where(label == EPSILON, there, reached)
        destination, new = pairs.add(left.dst[arc].astype(np.int64) * width + reached)
        check(pairs.count, n_arcs)
        arcs.append(np.stack([n_done + owner, destination, arc]).astype(np.int32))
        n_done += len(frontier)
        frontier = new

    src, dst, taken = np.concatenate([np.empty((3, 0), dtype=np.int32), *arcs], axis=1)
    state, other = np.divmod(np.concatenate([np.empty(0, dtype=np.int64), *levels]), width)
    accepted = np.append(state_mask(lost, strings.accept), False)
    accept = np.flatnonzero(state_mask(left.n_states, left.accept)[state] & ~accepted[other])
    whole = Topology.make(pairs.count, src, dst, left.ilabel[taken], None, np.arange(n_starts), accept)
    result, kept = induced(whole, trim(whole.n_states, whole.src, whole.dst, whole.start, whole.accept))
    return Built(result, (taken[kept], np.full(len(kept), -1, dtype=np.int32)))


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    left, right = topologies
    return without(left, minimal_acceptor(right, limits), limits)


_ALL = ("lse", "max", "min", "count")

OPERATOR = Operator(
    name="difference",
    summary="Has the paths of A whose labels no path of B has; B stands for its strings, whatever its weights.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.GRAPH),
    acceptors=(True, True),
    tag="difference",
    sign="-",
    overload="subtract",
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("in[A] - ∅", "connect[in[A]]", _ALL, "there is nothing to leave out"),
        Law("in[A] - in[A]", "∅", _ALL, "every path of A is left out"),
        Law("in[A] - in[B] - in[C]", "in[A] - (in[B] + in[C])", _ALL, "what neither B nor C accepts"),
        Law("(in[A] + in[B]) - in[C]", "(in[A] - in[C]) + (in[B] - in[C])", _ALL, "path by path"),
        Law("in[A] - support[in[B]]", "in[A] - in[B]", ("equal",), "B stands for its strings"),
        Law("(in[A] - in[B]) + (in[A] & support[in[B]])", "in[A]", _ALL, "B accepts a path's labels or it does not"),
    ),
    example="LSE[in[A] - in[B]]",
    reference="Mohri, Weighted Automata Algorithms, in Handbook of Weighted Automata (2009)",
)
