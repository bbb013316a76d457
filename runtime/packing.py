"""Packs trellis regions: by a compiled kernel where its code is at hand, else by the compiler's packer in numpy.

Stage: symbolic part, called by `prepare`. Both packers give the same numbers; the kernel takes a tenth of the time.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.regions.base import Region
from arcgrad.compiler.regions.trellis import pack_trellis as pack_by_numpy
from arcgrad.compiler.regions.trellis import trellis_region
from arcgrad.compiler.selection import Selection
from arcgrad.compiler.topology import Topology
from arcgrad.runtime.kernels.pack_trellis import out_size, pack_trellis_ints, workspace

__all__ = ["pack_by_kernel", "pack_trellis"]

# Seconds that numpy's packer may take in this process before the kernel is compiled.
_PATIENCE = 2.0
# The kernel looks at each column, and fills in 32-bit numbers: beyond these sizes numpy's packer decides.
_MOST_COLUMNS = 1 << 22
_MOST_NUMBERS = 2**31 - 1

_spent = 0.0


def pack_trellis(
    topology: Topology,
    selection: Selection,
    leaf_offsets: NDArray[np.int64],
    side: str,
    n_columns: int,
    semiring: str,
) -> Region | None:
    """As `arcgrad.compiler.regions.pack_trellis`, which says what the arguments are, what comes back, and what raises.

    Example:
        >>> from arcgrad.compiler.selection import Selection
        >>> from arcgrad.compiler.topology import Topology
        >>> graph = Topology.from_arcs(2, [(0, 0, 0), (0, 1, 2)], [0], [1])
        >>> pack_trellis(graph, Selection.identity(0, 2), np.zeros(1, dtype=np.int64), "input", 3, "log").n_arcs
        2
    """
    global _spent
    if pack_trellis_ints.is_ready or _spent > _PATIENCE:
        packed = pack_by_kernel(topology, selection, leaf_offsets, side, n_columns, semiring)
        if packed is not None:
            return packed
    began = time.perf_counter()
    found = pack_by_numpy(topology, selection, leaf_offsets, side, n_columns, semiring)
    _spent += time.perf_counter() - began
    return found


def pack_by_kernel(
    topology: Topology,
    selection: Selection,
    leaf_offsets: NDArray[np.int64],
    side: str,
    n_columns: int,
    semiring: str,
) -> Region | None:
    """The same region by the kernel; None where numpy's has to decide: a cycle of ε arcs, too large numbers."""
    n_states, n_arcs = topology.n_states, topology.n_arcs
    size = out_size(n_states, n_arcs, len(selection.arc), n_columns)
    if n_columns > _MOST_COLUMNS or size > _MOST_NUMBERS:
        return None
    out = np.empty(size, dtype=np.int32)
    length = pack_trellis_ints(
        n_states, n_columns, topology.ilabel if side == "input" else topology.olabel, topology.src, topology.dst,
        topology.start, topology.accept, selection.offsets, selection.leaf, selection.arc, leaf_offsets,
        semiring == "log", out, *workspace(n_states, n_arcs, n_columns),
    )  # fmt: skip
    if length < 0:
        return None
    ints = out[:length].copy()
    ints.flags.writeable = False
    return trellis_region(ints, semiring)
