"""One frame of a block in linear arithmetic, forward and back: by diagonals, by whole rows of sources, or arc by arc.

Used by ``trellis_log``; ``blocks`` says what the factors are. Kernels rather than helpers, for their licences: products
and sums may be fused, and sums reordered. Gathers stand in loops of their own, since they keep LLVM from vectorising.
"""

from __future__ import annotations

from arcgrad.runtime.routines import helper, kernel

__all__ = [
    "add_products",
    "are_rows_dense",
    "dense_backward",
    "dense_forward",
    "enter_with_label",
    "gather_columns",
    "sparse_backward",
    "sparse_forward",
    "three_diagonals",
    "three_diagonals_back",
]

_ARRAY = "float64[::1]"
_NUMBERS = "uint32[::1]"
_DENSE = 8
"""Arcs into a state, on average, from which on it pays to see them as a row."""


@helper
def sparse_forward(cells, sources, slots, emitting, silent, columns, before, after):
    """One frame, arc by arc."""
    for state in range(len(after)):
        total = 0.0
        for arc in range(emitting[state], emitting[state + 1]):
            total += cells[arc] * columns[slots[arc]] * before[sources[arc]]
        for arc in range(silent[state], silent[state + 1]):
            total += cells[arc] * after[sources[arc]]
        after[state] = total


@helper
def sparse_backward(cells, sums, sources, slots, emitting, silent, columns, before, after, beta, earlier, used):
    """One frame back, arc by arc: from β after it to β before it; adds posteriors to ``sums`` and ``used``."""
    n_states = len(after)
    for back in range(n_states):
        state = n_states - 1 - back
        if after[state] == 0.0:
            beta[state] = 0.0
        else:
            for arc in range(silent[state], silent[state + 1]):
                flow = cells[arc] * beta[state]
                beta[sources[arc]] += flow
                sums[arc] += flow * after[sources[arc]]
    for state in range(n_states):
        earlier[state] = 0.0
    for state in range(n_states):
        own = beta[state]
        if own != 0.0:
            for arc in range(emitting[state], emitting[state + 1]):
                source = sources[arc]
                flow = cells[arc] * columns[slots[arc]] * own
                earlier[source] += flow
                share = flow * before[source]
                used[slots[arc]] += share
                sums[arc] += share
    for state in range(n_states):
        if before[state] == 0.0:
            earlier[state] = 0.0


@helper
def are_rows_dense(sources, slots, emitting):
    """Whether each state is entered from consecutive states, in order, with one label: a fully connected model."""
    n_states = len(emitting) - 1
    if len(slots) < _DENSE * n_states:
        return False
    for state in range(n_states):
        low = emitting[state]
        for arc in range(low + 1, emitting[state + 1]):
            if sources[arc] != sources[arc - 1] + 1 or slots[arc] != slots[low]:
                return False
    return True


@kernel("float64(float64[::1], float64[::1])", fastmath=("reassoc", "contract"))
def dot(a, b):
    """Σ a · b."""
    total = 0.0
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@kernel(
    "void(float64[::1], float64[::1], float64[::1], float64[::1], float64)",
    fastmath=("contract",),
)
def row_backward(factors, before, earlier, sums, flow):
    """Spread one state's flow over the states that it is entered from."""
    for k in range(len(factors)):
        part = flow * factors[k]
        earlier[k] += part
        sums[k] += part * before[k]


@helper
def dense_forward(cells, sources, slots, emitting, silent, columns, before, after):
    """One frame, row by row; see `are_rows_dense`."""
    for state in range(len(after)):
        low = emitting[state]
        high = emitting[state + 1]
        total = 0.0
        if low < high:
            first = sources[low]
            total = columns[slots[low]] * dot(cells[low:high], before[first : first + (high - low)])
        for arc in range(silent[state], silent[state + 1]):
            total += cells[arc] * after[sources[arc]]
        after[state] = total


@helper
def dense_backward(cells, sums, sources, slots, emitting, silent, columns, before, after, beta, earlier, used):
    """One frame back, row by row: as `sparse_backward`."""
    n_states = len(after)
    for back in range(n_states):
        state = n_states - 1 - back
        if after[state] == 0.0:
            beta[state] = 0.0
        else:
            for arc in range(silent[state], silent[state + 1]):
                flow = cells[arc] * beta[state]
                beta[sources[arc]] += flow
                sums[arc] += flow * after[sources[arc]]
    for state in range(n_states):
        earlier[state] = 0.0
    for state in range(n_states):
        low = emitting[state]
        high = emitting[state + 1]
        if low < high and beta[state] != 0.0:
            first = sources[low]
            last = first + (high - low)
            flow = columns[slots[low]] * beta[state]
            used[slots[low]] += flow * dot(cells[low:high], before[first:last])
            row_backward(cells[low:high], before[first:last], earlier[first:last], sums[low:high], flow)
    for state in range(n_states):
        if before[state] == 0.0:
            earlier[state] = 0.0


@kernel(f"void({_ARRAY}, {_NUMBERS}, {_ARRAY})")
def gather_columns(columns, slots, result):
    """The column that each state is entered with."""
    for state in range(len(result)):
        result[state] = columns[slots[state]]


@kernel(f"void({_ARRAY}, {', '.join(['uint64'] * 9)}, boolean)", fastmath=("contract",))
def three_diagonals(work, factors0, factors1, factors2, before0, before1, before2, entering, after, n_states, first):
    """Add three diagonals' part of one frame to every state.

    Everything lies in the workspace, from these places on: slices would cost half of what the loop does. Places have no
    sign, or numba would look for negative ones.
    """
    if first:
        for state in range(n_states):
            total = work[factors0 + state] * work[before0 + state] + work[factors1 + state] * work[before1 + state]
            total += work[factors2 + state] * work[before2 + state]
            work[after + state] = total * work[entering + state]
    else:
        for state in range(n_states):
            total = work[factors0 + state] * work[before0 + state] + work[factors1 + state] * work[before1 + state]
            total += work[factors2 + state] * work[before2 + state]
            work[after + state] += total * work[entering + state]


@kernel(f"void({_ARRAY}, {', '.join(['uint64'] * 9)}, boolean)", fastmath=("contract",))
def three_diagonals_back(work, factors0, factors1, factors2, flow0, flow1, flow2, before, earlier, n_states, first):
    """Add three diagonals' part of β before the frame; places as in `three_diagonals`."""
    if first:
        for state in range(n_states):
            total = work[factors0 + state] * work[flow0 + state] + work[factors1 + state] * work[flow1 + state]
            total += work[factors2 + state] * work[flow2 + state]
            work[earlier + state] = total if work[before + state] != 0.0 else 0.0
    else:
        for state in range(n_states):
            total = work[factors0 + state] * work[flow0 + state] + work[factors1 + state] * work[flow1 + state]
            total += work[factors2 + state] * work[flow2 + state]
            work[earlier + state] += total if work[before + state] != 0.0 else 0.0


@kernel(f"void({_NUMBERS}, {', '.join([_ARRAY] * 5)})", fastmath=("reassoc",))
def enter_with_label(slots, after, beta, flow, posteriors, used):
    """From the columns in ``flow``, β after a frame times these, and the columns' posteriors.

    The first state's column is summed apart: as CTC's blank, it may be that of every other state, and one sum in memory
    would wait for the one before.
    """
    often = slots[0]
    total = 0.0
    for state in range(len(after)):
        flow[state] *= beta[state]
        posterior = after[state] * beta[state]
        posteriors[state] = posterior
        total += posterior if slots[state] == often else 0.0
    used[often] += total
    for state in range(len(after)):
        if slots[state] != often:
            used[slots[state]] += posteriors[state]


@kernel(f"void({', '.join([_ARRAY] * 4)})", fastmath=("contract",))
def add_products(sums, factors, before, flow):
    """Posteriors of one diagonal."""
    for state in range(len(sums)):
        sums[state] += factors[state] * before[state] * flow[state]
