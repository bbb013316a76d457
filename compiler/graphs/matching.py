"""Which arcs of A and B move together in a composition, for many state pairs at once and in the pinned order.

Stands between adjacency.py and the composition operator. From a state pair the moves are: A's arcs in order, one with
an ε output alone, any other with each of B's arcs that reads its label; then B's ε-input arcs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.adjacency import by_input, by_output, expand_ranges, outgoing
from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology

__all__ = ["Matcher", "Moves", "Pairs"]

LongArray = NDArray[np.int64]
Check = Callable[[int], None]

# A frontier is expanded in pieces of about this many arcs of A, so that a level's candidates never fill the memory.
_PIECE = 1 << 18

# A state pair is matched from B's side where A has more than _FEW_ARCS arcs more than this many times those of B, as at
# the root of a lexicon. That side's moves need sorting.
_LOPSIDED = 8
_FEW_ARCS = 64


@dataclass(frozen=True, eq=False)
class Pairs:
    """State pairs with their filter state.

    Attributes:
        left, right: (n,) state of A, state of B.
        filter: (n,) 1 where B's last move was alone, else 0. A moves alone only from 0: so of two moves alone, A's
            comes first, and each pair of paths is met once.
    """

    left: LongArray
    right: LongArray
    filter: LongArray

    def __getitem__(self, part: slice | LongArray) -> Pairs:
        return Pairs(self.left[part], self.right[part], self.filter[part])

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True, eq=False)
class Moves:
    """Moves from state pairs, in order.

    Attributes:
        owner: (n,) from which of the pairs.
        left_arc, right_arc: (n,) by which arc of A and of B; −1 where that side stays.
    """

    owner: LongArray
    left_arc: LongArray
    right_arc: LongArray


class Matcher:
    """Finds the moves of ``left ∘ right`` from any state pairs."""

    def __init__(self, left: Topology, right: Topology) -> None:
        self.left, self.right = left, right
        self.left_arcs = outgoing(left)
        self.right_index = by_input(right)
        memo = left.memo("matching")
        if "slots" not in memo:
            # Each state's arcs, then a −1 for "A stays", so that one array lists all of a state's moves in order.
            memo["slots"] = np.insert(self.left_arcs.order, self.left_arcs.offsets[1:], -1)
            memo["labels"] = np.append(left.olabel, EPSILON)
        self.slots: LongArray = memo["slots"]
        self.slot_labels: IntArray = memo["labels"]  # slot −1, the last, is the ε that B reads alone

    def pieces(self, frontier: Pairs) -> Iterator[tuple[int, Pairs]]:
        """The frontier in pieces of bounded work, each with the position at which it begins."""
        work = np.cumsum(self.left_arcs.degree(frontier.left) + 1)
        begin = 0
        while begin < len(frontier):
            done = work[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(work, done + _PIECE, side="right")))
            yield begin, frontier[begin:end]
            begin = end

    def moves(self, pairs: Pairs, check: Check) -> Moves:
        """All moves from these pairs; ``check`` is called with a number of moves before they are written out."""
        right_degree = self.right_index.degree(pairs.right)
        lopsided = self.left_arcs.degree(pairs.left) > _FEW_ARCS + _LOPSIDED * right_degree
        if not lopsided.any():
            return self._from_left(pairs, check)
        left_part, right_part = np.flatnonzero(~lopsided), np.flatnonzero(lopsided)
        left_moves = self._from_left(pairs[left_part], check)
        right_moves = self._from_right(pairs[right_part], check)
        owner = np.concatenate([left_part[left_moves.owner], right_part[right_moves.owner]])
        left_arc = np.concatenate([left_moves.left_arc, right_moves.left_arc])
        right_arc = np.concatenate([left_moves.right_arc, right_moves.right_arc])
        rank = np.where(left_arc < 0, self.left.n_arcs, left_arc)
        order = np.lexsort((rank, owner))  # stable: for each arc of A, those of B are in order already
        return Moves(owner[order], left_arc[order], right_arc[order])

    def _from_left(self, pairs: Pairs, check: Check) -> Moves:
        """Go through A's arcs and look up B's; in order."""
        slots_begin = self.left_arcs.offsets[pairs.left] + pairs.left  # one slot more for each state before
        owner, position = expand_ranges(slots_begin, self.left_arcs.degree(pairs.left) + 1)
        slot = self.slots[position]
        label = self.slot_labels[slot]
        begin, count = self.right_index.find(pairs.right[owner], label)
        alone = (label == EPSILON) & (slot >= 0)
        count[alone] = pairs.filter[owner[alone]] == 0
        begin[alone] = self.right.n_arcs  # the −1 that ends padded_order
        check(int(count.sum()))
        row, position = expand_ranges(begin, count)
        return Moves(owner[row], slot[row], self.right_index.padded_order[position])

    def _from_right(self, pairs: Pairs, check: Check) -> Moves:
        """Go through B's arcs and look up A's; out of order."""
        index, left_index = self.right_index, by_output(self.left)
        epsilons = index.epsilon_count[pairs.right]
        labelled = index.state_offsets[pairs.right] + epsilons
        owner, position = expand_ranges(labelled, index.degree(pairs.right) - epsilons)
        right_arc = index.order[position]
        begin, count = left_index.find(pairs.left[owner], self.right.ilabel[right_arc])
        left_alone = np.where(pairs.filter == 0, left_index.epsilon_count[pairs.left], 0)
        check(int(count.sum() + left_alone.sum() + epsilons.sum()))
        row, matched = expand_ranges(begin, count)
        left_owner, left_position = expand_ranges(left_index.state_offsets[pairs.left], left_alone)
        right_owner, right_position = expand_ranges(index.state_offsets[pairs.right], epsilons)
        return Moves(
            np.concatenate([owner[row], left_owner, right_owner]),
            np.concatenate([left_index.order[matched], left_index.order[left_position], np.full(len(right_owner), -1)]),
            np.concatenate([right_arc[row], np.full(len(left_owner), -1), index.order[right_position]]),
        )
