"""Composition ``A ∘ B``: what A writes, B reads. Breadth first from the start pairs, with a two-state ε filter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.adjacency import coaccessible, induced, state_mask
from arcgrad.compiler.graphs.matching import Matcher, Pairs
from arcgrad.compiler.graphs.numbering import numbering
from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["BYTES_PER_ARC", "OPERATOR", "composed", "composed_size"]

LongArray = NDArray[np.int64]

# What is kept of each arc until the result is trimmed: source, destination, arc of A, arc of B, as int32.
BYTES_PER_ARC = 16
# With the origin of each arc's weight, and what composing these holds.
_BYTES_IN_ALL = 128


class _StatePairs:
    """Numbers of the states (state of A, state of B, ε-filter state), each coded as one number below 2⁶³."""

    def __init__(self, left: Topology, right: Topology) -> None:
        self._width = max(right.n_states, 1)
        self._numbering = numbering(left.n_states * self._width * 2)

    def add(self, pairs: Pairs) -> tuple[LongArray, LongArray]:
        """The number of each pair, and the codes of those that are new."""
        return self._numbering.add((pairs.left * self._width + pairs.right) * 2 + pairs.filter)

    def decode(self, codes: LongArray) -> Pairs:
        """The pairs that have these codes."""
        both, state_filter = np.divmod(codes, 2)
        left, right = np.divmod(both, self._width)
        return Pairs(left, right, state_filter)

    def __len__(self) -> int:
        return self._numbering.count


def composed(left: Topology, right: Topology, limits: Limits, what: str) -> Built:
    """``left ∘ right``, trimmed, and which arc of each side every arc takes its weight from.

    Raises:
        LimitError: as soon as more states or arcs were met than the limits allow; ``what`` is the message's subject.
    """
    n_states = n_arcs = n_expanded = 0

    def check(more_arcs: int = 0) -> None:
        arcs = n_arcs + more_arcs
        if n_states <= limits.states and arcs <= limits.arcs and BYTES_PER_ARC * arcs <= limits.bytes:
            return
        usual = _usual_size(left, right, max(n_states, 1), arcs, n_expanded)
        smaller = "make either side smaller, above all its states whose arcs share a label, and its ε arcs"
        used = BYTES_PER_ARC * arcs
        limits.check(what, states=n_states, arcs=arcs, bytes=used, at_least=True, usual=usual, smaller=smaller)

    n_states = len(left.start) * len(right.start)
    check()
    states, matcher = _StatePairs(left, right), Matcher(left, right)
    left_dst, right_dst = np.append(left.dst, -1), np.append(right.dst, -1)
    start_left = np.repeat(left.start.astype(np.int64), len(right.start))
    start_right = np.tile(right.start.astype(np.int64), len(left.start))
    _, frontier = states.add(Pairs(start_left, start_right, np.zeros_like(start_left)))
    n_starts = len(states)

    levels: list[LongArray] = []
    arcs: list[NDArray[np.int32]] = []
    while len(frontier):
        levels.append(frontier)
        discovered = []
        for begin, pairs in matcher.pieces(states.decode(frontier)):
            moves = matcher.moves(pairs, check)
            n_arcs += len(moves.owner)
            left_stays = moves.left_arc < 0
            destination, new = states.add(
                Pairs(
                    np.where(left_stays, pairs.left[moves.owner], left_dst[moves.left_arc]),
                    np.where(moves.right_arc < 0, pairs.right[moves.owner], right_dst[moves.right_arc]),
                    left_stays.astype(np.int64),
                )
            )
            n_states = len(states)
            check()
            source = n_expanded + begin + moves.owner
            arcs.append(np.stack([source, destination, moves.left_arc, moves.right_arc]).astype(np.int32))
            discovered.append(new)
        n_expanded += len(frontier)
        frontier = np.concatenate(discovered)

    src, dst, left_arc, right_arc = np.concatenate([np.empty((4, 0), dtype=np.int32), *arcs], axis=1)
    pairs = states.decode(np.concatenate([np.empty(0, dtype=np.int64), *levels]))
    accepts = state_mask(left.n_states, left.accept)[pairs.left] & state_mask(right.n_states, right.accept)[pairs.right]
    ilabel = np.append(left.ilabel, EPSILON)[left_arc]
    both_acceptors = left.is_acceptor and right.is_acceptor
    olabel = None if both_acceptors else np.append(right.olabel, EPSILON)[right_arc]
    whole = Topology.make(len(states), src, dst, ilabel, olabel, np.arange(n_starts), np.flatnonzero(accepts))
    trimmed, kept = induced(whole, coaccessible(whole))
    return Built(trimmed, (left_arc[kept], right_arc[kept]))


def _usual_size(left: Topology, right: Topology, n_states: int, n_arcs: int, n_expanded: int) -> dict[str, float]:
    """What a composition that was stopped may come to, from its operands' sizes and from how far it was."""
    sides = [Size(t.n_states, t.n_arcs, t.n_labels) for t in (left, right)]
    whole = composed_size(sides)
    states = min(max(2.0 * n_states, whole.states), 2.0 * left.n_states * right.n_states)
    arcs = max(2.0 * n_arcs, whole.arcs, states * n_arcs / max(n_expanded, 1))
    return {"states": states, "arcs": arcs, "bytes": _BYTES_IN_ALL * arcs}


def composed_size(sizes: Sequence[Size], parameters: Parameters = ()) -> Size:
    """Every pair of arcs matches with probability one over the larger alphabet, and every arc may find a new state."""
    left, right = sizes
    arcs = left.arcs * right.arcs / max(left.labels, right.labels, 1.0)
    states = min(left.states * right.states, arcs + 1)
    return Size(states, arcs, min(left.labels, right.labels))


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    left, right = topologies
    return composed(left, right, limits, "the composition")


_ALL = ("lse", "max", "min", "count")

OPERATOR = Operator(
    name="compose",
    summary="Pairs every path of A with every path of B that reads what it writes, each pair once; weights add.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.GRAPH),
    tag="compose",
    sign="∘",
    build=_build,
    size=composed_size,
    laws=(
        Law("(A @ B) @ C", "A @ (B @ C)", _ALL, "both pair up matching triples of paths, each triple once"),
        Law("A @ (B + C)", "A @ B + A @ C", _ALL, "a path of B + C is a path of one of them"),
        Law("(A + B) @ C", "A @ C + B @ C", _ALL, "a path of A + B is a path of one of them"),
        Law("out[A @ B]", "out[out[A] @ B]", ("equal",), "A's input labels play no part in matching"),
        Law("connect[A @ B]", "A @ B", ("equal",), "breadth first reaches, and trimming keeps, only useful states"),
    ),
    example="LSE[A ∘ B]",
    reference="Mohri, Pereira, Riley, Weighted Automata in Text and Speech Processing (1996); ε filter: Allauzen, "
    "Riley, Schalkwyk, A Generalized Composition Algorithm for Weighted Finite-State Transducers (2009)",
)
