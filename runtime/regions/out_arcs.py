"""A trellis's arcs by the states that they leave, for whoever goes through it from the end.

Read off a packed region. Arcs that leave a state come in the order of the built composition's, in whose terms ties are
decided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arcgrad.compiler.graphs.csr import row_pointers
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.regions.region import Region

__all__ = ["OutArcs", "out_arcs"]


@dataclass(frozen=True, eq=False)
class OutArcs:
    """The arcs of a trellis.

    Attributes:
        rows: (2 S + 1,) for each state where the arcs begin that leave it and take a frame, then where its ε arcs do.
            States have numbers of the region's own, in which ε arcs lead forward.
        ends: (n_arcs,) destinations.
        columns: (n_arcs,) the dense input's column that each takes, −1 of ε arcs.
        ranks: (n_arcs,) greater for the later of two arcs that leave one state of the composition.
        numbers: (n_arcs,) the graph's numbers of them.
        starts: in the order of the graph's.
        accepts: in any order.
        has_silent: whether there are ε arcs.
    """

    rows: IntArray
    ends: IntArray
    columns: IntArray
    ranks: IntArray
    numbers: IntArray
    starts: IntArray
    accepts: IntArray
    has_silent: bool

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return 4 * (len(self.rows) + 4 * len(self.ends) + len(self.starts) + len(self.accepts))


def out_arcs(region: Region, topology: Topology, side: str) -> OutArcs:
    """Sort a packed trellis's arcs by source.

    Args:
        region: shape "trellis", of a semiring whose states are not grouped ("max").
        topology: of the graph that was packed.
        side: "input" where the dense chain comes first: then arcs that leave a state of the composition are ordered by
            column first, with ε arcs behind all others; else by the graph's order alone.
    """
    header = region.ints[: T.HEADER].tolist()

    def array(place: int, size: int) -> IntArray:
        return region.ints[header[place] : header[place] + size]

    n_states, n_arcs, n_emitting = header[T.N_STATES], header[T.N_ARCS], header[T.N_EMITTING]
    sources, ends, numbers = (array(place, n_arcs) for place in (T.ARC_SOURCES, T.ARC_ENDS, T.ARC_NUMBERS))
    columns: IntArray = np.full(n_arcs, -1, dtype=np.int32)
    columns[:n_emitting] = array(T.SLOT_COLUMNS, header[T.N_SLOTS])[array(T.ARC_SLOTS, n_emitting)]
    by_column = (columns.view(np.uint32),) if side == "input" else ()  # where −1 is greatest
    ties = np.lexsort((numbers, *by_column))
    ranks = np.empty(n_arcs, dtype=np.int32)
    ranks[ties] = np.arange(n_arcs, dtype=np.int32)
    rows = 2 * sources.astype(np.int64) + (columns < 0)
    order = np.lexsort((ranks, rows))
    states = np.full(n_states, -1, dtype=np.int32)
    states[sources], states[ends] = topology.src[numbers], topology.dst[numbers]
    starts = array(T.STARTS, header[T.N_STARTS])
    lone = starts[states[starts] < 0]  # without arcs, one is like another
    if len(lone):
        both = np.intersect1d(topology.start, topology.accept)
        states[lone] = np.setdiff1d(both, states)[: len(lone)]
    return OutArcs(
        rows=row_pointers(rows, 2 * n_states).astype(np.int32),
        ends=ends[order],
        columns=columns[order],
        ranks=ranks[order],
        numbers=numbers[order],
        starts=starts[np.argsort(states[starts], kind="stable")],
        accepts=array(T.ACCEPTS, header[T.N_ACCEPTS]).copy(),
        has_silent=n_emitting < n_arcs,
    )
