"""Packs the alignments of a whole batch of targets for dense composition: in one call, without graphs between.

The regions are, number for number, those of ``runtime.data.builders.alignments``' graphs, whose states and arcs these
are, as ``pack_trellis_ints`` packs them; tests hold the two to that.
"""

from __future__ import annotations

from functools import lru_cache

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.packing.pack_trellis import pack_trellis_ints, sizes
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import trellis_work

__all__ = ["COLUMNS", "FLOATS", "INTS", "NEEDS", "WORK", "alignment_sizes", "pack_alignments"]

INTS, FLOATS, COLUMNS, WORK = 0, 1, 2, 3
"""What the batch needs: numbers of all regions; the most floats of workspace that an item takes, and the most of these
that are columns of its frames; and arcs × frames of all."""

NEEDS = 4
"""How many these are."""


@lru_cache(maxsize=64)
def alignment_sizes(n_labels: int, n_columns: int) -> tuple[int, int]:
    """The most numbers that a target of so many labels takes when packed, and what the kernel needs of scratch."""
    n_states = 2 * n_labels + 2
    most, scratch = sizes(n_states, 3 * n_states, 3 * n_states, n_columns)
    return most, scratch + 9 * n_states + 4


@kernel(
    "boolean(const int64[::1], int64, const int64[::1], const int64[::1], int64, int64, int64, const int64[::1], "
    "int32[::1], int64[::1], int32[::1], int64[::1], boolean, float64[::1])"
)
def pack_alignments(
    labels, row, counts, frames, n_steps, blank, n_columns, zero, out, bases, room, needs, is_mean, shares
):  # fmt: skip
    """Pack the graphs of all targets' alignments, one behind the other. Whether all numbers are in range, and fit.

    Args:
        labels: of all targets: one after the other, or in rows.
        row: length of the rows, of which a target may be the first part; −1: there are none.
        counts: how many labels each target has.
        frames: how many frames each item has, at most ``n_steps``.
        blank: the blank's label, which is no target's.
        n_columns: width of the dense chain: labels are below.
        zero: one 0.
        out: gets the packed arrays.
        bases: gets where each begins.
        room: scratch, for the longest target.
        needs: gets what the batch needs.
        is_mean, shares: gets the share of each target in the mean of scores by label, or 1.
    """
    total = 0
    at_label = 0
    most_floats = most_columns = work = 0
    for item in range(len(counts)):
        count = counts[item]
        if row >= 0:
            at_label = item * row
        if count < 0 or at_label + count > len(labels) or (row >= 0 and count > row):
            return False
        if frames[item] < 0 or frames[item] > n_steps:
            return False
        for k in range(count):
            label = labels[at_label + k]
            if label < 0 or label >= n_columns or label == blank:
                return False
        shares[item] = 1.0 / (max(count, 1) * len(counts)) if is_mean else 1.0
        n_states = 2 * count + 2
        ends, rest = room[:4], room[4:]
        most = 3 * n_states
        src, dst, kinds, rest = rest[:most], rest[most : 2 * most], rest[2 * most : 3 * most], rest[3 * most :]
        n_arcs = 0
        for state in range(n_states):
            # To itself, to the next state, and over a blank that may be left out.
            for to in range(state, min(state + 3, n_states)):
                is_label = to % 2 == 0
                label = labels[at_label + to // 2 - 1] if is_label and to > 0 else blank
                exists = to > 0
                if to == state + 2:
                    exists = is_label and (state == 0 or label != labels[at_label + state // 2 - 1])
                if exists:
                    src[n_arcs] = state
                    dst[n_arcs] = to
                    kinds[n_arcs] = label
                    n_arcs += 1
        ends[0] = 0
        ends[1] = 0
        ends[2] = n_states - 2
        ends[3] = n_states - 1
        bases[item] = total
        region = out[total:]
        length = pack_trellis_ints(
            n_states, n_columns, kinds[:n_arcs], src[:n_arcs], dst[:n_arcs], ends[:1], ends[2:],
            zero[:0], ends[1:2], ends[:0], ends[:0], zero, True, region, rest,
        )  # fmt: skip
        if length < 0:
            return False
        fixed, each = trellis_work(region[T.FRAMES], region[T.STRIDE], region[T.WIDTH])
        most_floats = max(most_floats, fixed + each * frames[item])
        most_columns = max(most_columns, 8 * region[T.WIDTH] * frames[item])
        work += region[T.N_ARCS] * frames[item]
        total += length
        at_label += count
    needs[INTS] = total
    needs[FLOATS] = most_floats
    needs[COLUMNS] = most_columns
    needs[WORK] = work
    return row >= 0 or at_label == len(labels)
