"""Number of accepting paths of a graph: of a lattice by addition, of a cyclic one infinite."""

from __future__ import annotations

from math import inf, nan

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.entries import GRAPH_FORWARD
from arcgrad.runtime.kernels.lattice import lattice_format as L

__all__ = ["EXACT", "graph_count_forward"]

EXACT = 9007199254740992.0
"""2^53: whole numbers up to here are exact in float64."""


@kernel(GRAPH_FORWARD)
def graph_count_forward(region, leaves, work, iwork, sign):
    """The number of accepting paths; inf where infinite, NaN where it is finite but exceeds 2^53."""
    if region[L.HAS_CYCLE] == 1:
        return inf  # every state lies on an accepting path, so a cycle does, too
    n_states = region[L.N_STATES]
    rows = region[L.ARC_POINTERS]
    ends = region[L.ARC_ENDS]
    for state in range(n_states):
        work[state] = 0.0
    for k in range(region[L.N_ACCEPTS]):
        work[region[region[L.ACCEPTS] + k]] = 1.0
    for state in range(n_states - 1, -1, -1):
        count = work[state]
        for arc in range(region[rows + state], region[rows + state + 1]):
            count += work[region[ends + arc]]
        work[state] = count
    total = 0.0
    for k in range(region[L.N_STARTS]):
        total += work[region[region[L.STARTS] + k]]
    return total if total <= EXACT else nan
