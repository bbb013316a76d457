"""Posteriors of a trellis, from what ``trellis_forward`` left in the workspace: compiled once for all kinds of frames.

Called by ``trellis_log``; ``blocks`` explains how it computes, ``steps`` and ``slow_frames`` hold its inner loops.
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.kernels.blocks import (
    BUDGET,
    convert_back,
    fill_cells,
    frame_places,
    places,
    row_limit,
)
from arcgrad.runtime.kernels.exponentials import LN2
from arcgrad.runtime.kernels.slow_frames import log_columns, relative_logs, slow_step_back
from arcgrad.runtime.kernels.steps import (
    add_products,
    dense_backward,
    enter_with_label,
    gather_columns,
    sparse_backward,
    three_diagonals_back,
)
from arcgrad.runtime.routines import kernel

__all__ = ["backward_blocks"]


@kernel("void(int32[::1], int64, int64, float64[::1], int64, int32[::1], int64, boolean)", fastmath=("contract",))
def backward_blocks(ints, base, n_frames, work, work0, iwork, iwork0, want_weights):
    """Posteriors of all arcs, in the workspace's sums, and of the columns, where their exponentials were."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    n_slots = ints[base + 13]
    n_diagonals = ints[base + 18]
    pad = ints[base + 20]
    logs_at, linear_at, cells_at, sums_at, scratch_at, vectors_at, total_at, columns_at = places(ints, base, work0)
    columns_at, _, ranges_at, _ = frame_places(ints, base, n_frames, work0)
    bits = work.view(np.int64)
    whole = ints.view(np.uint32)
    logs = work[logs_at : logs_at + n_arcs]
    linear = work[linear_at : linear_at + n_arcs]
    cells = work[cells_at:sums_at]
    sums = work[sums_at:scratch_at]
    sources = whole[base + ints[base + 9] : base + ints[base + 9] + n_arcs]
    slots = whole[base + ints[base + 12] : base + ints[base + 12] + ints[base + 8]]
    emitting = whole[base + ints[base + 15] : base + ints[base + 15] + n_states + 1]
    silent = whole[base + ints[base + 16] : base + ints[base + 16] + n_states + 1]
    state_slots = whole[base + ints[base + 23] : base + ints[base + 23] + n_states]
    stride = n_states + 2 * pad
    rows = ranges_at + n_frames
    first_exponents = rows + row_limit(n_frames) * stride
    scratch = work[scratch_at : scratch_at + max(n_states, n_arcs)]
    scratch_bits = bits[scratch_at : scratch_at + max(n_states, n_arcs)]
    after_logs = work[scratch_at : scratch_at + n_states]
    column_logs = work[scratch_at + n_states : scratch_at + n_states + n_slots]
    beta_at = vectors_at
    earlier_at = vectors_at + stride
    flow_at = vectors_at + 2 * stride
    work[vectors_at : flow_at + stride] = 0.0
    sums[:] = 0.0
    used = work[flow_at + stride : flow_at + stride + n_slots]
    used[:] = 0.0

    row = rows + iwork[iwork0 + 1] * stride
    exponents_at = first_exponents + iwork[iwork0 + 2] * n_states
    beta = work[beta_at + pad : beta_at + pad + n_states]
    for k in range(ints[base + 4]):
        state = ints[base + ints[base + 5] + k]
        if work[row + pad + state] != 0.0:
            exponent = work[exponents_at + state] - work[total_at + 1]
            beta[state] = 2.0**exponent / work[total_at + 2]
    frame = n_frames
    uniform_cells = False
    for number in range(iwork[iwork0] - 1, -1, -1):
        block = iwork0 + 4 + 4 * number
        first_frame = iwork[block]
        mode = iwork[block + 3]
        if mode > 0 and (mode == 2 or not uniform_cells):
            exponents = work[exponents_at : exponents_at + n_states]
            fill_cells(ints, base, mode == 1, linear, exponents, scratch[:n_arcs], scratch_bits[:n_arcs], cells)
            uniform_cells = mode == 1
        while frame > first_frame:
            frame -= 1
            at = columns_at + frame * n_slots
            columns = work[at : at + n_slots]
            beta = work[beta_at + pad : beta_at + pad + n_states]
            earlier = work[earlier_at + pad : earlier_at + pad + n_states]
            after = work[row + pad : row + pad + n_states]
            before = work[row - stride + pad : row - stride + pad + n_states]
            if mode == 0:
                log_columns(columns, abs(work[ranges_at + frame]) > BUDGET, column_logs)
                top = relative_logs(after, work[exponents_at : exponents_at + n_states], after_logs)
                exponents_at -= n_states
                exponents = work[exponents_at : exponents_at + n_states]
                before_logs = work[flow_at : flow_at + n_states]
                shift = (relative_logs(before, exponents, before_logs) - top) * LN2
                for state in range(n_states):
                    beta[state] *= after[state]
                slow_step_back(
                    ints,
                    base,
                    logs,
                    column_logs,
                    True,
                    shift,
                    before_logs,
                    after_logs,
                    beta,
                    before,
                    earlier,
                    sums,
                    used,
                )
            elif iwork[iwork0 + 3] > 0:
                dense_backward(
                    cells, sums, sources, slots, emitting, silent, columns, before, after, beta, earlier, used
                )
            elif n_diagonals == 0:
                sparse_backward(
                    cells, sums, sources, slots, emitting, silent, columns, before, after, beta, earlier, used
                )
            else:
                flow = work[flow_at + pad : flow_at + pad + n_states]
                gather_columns(columns, state_slots, flow)
                enter_with_label(state_slots, after, beta, flow, after_logs, used)
                for k in range(0, n_diagonals, 3):
                    offsets = base + ints[base + 19] + k
                    cell = cells_at + k * stride + pad
                    three_diagonals_back(
                        work,
                        np.uint64(cell + ints[offsets]),
                        np.uint64(cell + stride + ints[offsets + 1]),
                        np.uint64(cell + 2 * stride + ints[offsets + 2]),
                        np.uint64(flow_at + pad + ints[offsets]),
                        np.uint64(flow_at + pad + ints[offsets + 1]),
                        np.uint64(flow_at + pad + ints[offsets + 2]),
                        np.uint64(row - stride + pad),
                        np.uint64(earlier_at + pad),
                        np.uint64(n_states),
                        k == 0,
                    )
                if want_weights:
                    for k in range(n_diagonals):
                        cell = k * stride + pad
                        begin = row - stride + pad - ints[base + ints[base + 19] + k]
                        add_products(
                            sums[cell : cell + n_states],
                            cells[cell : cell + n_states],
                            work[begin : begin + n_states],
                            flow,
                        )
            for slot in range(n_slots):
                columns[slot] = used[slot]
                used[slot] = 0.0
            beta_at, earlier_at = earlier_at, beta_at
            row -= stride
        if mode > 0:
            # β to the units of the row that the block's first row was made from.
            convert_back(
                work[row + pad : row + pad + n_states],
                work[exponents_at : exponents_at + n_states],
                work[exponents_at - n_states : exponents_at],
                scratch[:n_states],
                scratch_bits[:n_states],
                work[beta_at + pad : beta_at + pad + n_states],
            )
            row -= stride
            exponents_at -= n_states
        elif number > 0 or ints[base + 17] > 0:
            # Left by `flow`'s use as scratch.
            work[flow_at : flow_at + pad] = 0.0
    if ints[base + 17] > 0:
        mantissas = work[row + pad : row + pad + n_states]
        relative_logs(mantissas, work[exponents_at : exponents_at + n_states], after_logs)
        beta = work[beta_at + pad : beta_at + pad + n_states]
        for state in range(n_states):
            beta[state] *= mantissas[state]
        slow_step_back(
            ints, base, logs, column_logs, False, 0.0, after_logs, after_logs, beta, mantissas, beta, sums, used
        )
