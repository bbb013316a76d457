"""Adds to a packed region the values of its arcs: what expectations are taken of, beside the weights.

The region is one of the log semiring, by whichever packer: the paths' probabilities are made of its sums.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray
from arcgrad.compiler.semirings import semiring as record_of
from arcgrad.runtime.kernels import header as H
from arcgrad.runtime.kernels.lattice import lattice_format as L
from arcgrad.runtime.regions.region import Packing, Region

__all__ = ["with_values"]

_ARC_NUMBERS = {"lattice": L.ARC_NUMBERS}


def with_values(
    region: Region, semiring: str, selections: Sequence[Selection], leaf_offsets: NDArray[np.int64]
) -> Region:
    """Make a region of another semiring of one of the log semiring, with values of its arcs.

    Args:
        region: of semiring "log".
        semiring: "expectation", "entropy" or another whose probabilities are the log semiring's.
        selections: for each kind of values that the semiring takes, the leaf entries that the packed graph's arcs add
            up, by the graph's own arc numbers.
        leaf_offsets: (n_leaves,) where each leaf begins among an item's local entries.

    Raises:
        LimitError: the region does not fit 32-bit offsets.

    Example:
        >>> from arcgrad.compiler.graphs.topology import Topology
        >>> from arcgrad.runtime.regions.graph import pack_graph
        >>> graph = Topology.from_arcs(2, [(0, 1, 7)], [0], [1])
        >>> weights, values = Selection.identity(0, 1), Selection.identity(1, 1)
        >>> packed = pack_graph(graph, weights, np.array([0, 1]), "log")
        >>> with_values(packed, "expectation", [values], np.array([0, 1])).semiring
        'expectation'
    """
    assert region.semiring == "log"
    assert len(selections) == record_of(semiring).n_values
    ints = region.ints
    if selections:
        header = ints[: H.HEADER].copy()
        packing = Packing(len(ints))
        packing.header = header.tolist()
        if region.kind != "frames":
            at = int(header[_ARC_NUMBERS[region.kind]])
            arcs: IntArray = ints[at : at + region.n_arcs]
            for kind, selection in enumerate(selections):
                place = H.VALUES + kind * H.VALUE_FIELDS
                in_line = packing.entries(place + H.VALUE_POINTERS, selection, leaf_offsets, arcs)
                packing.number(place + H.VALUE_IN_LINE, int(in_line))
        ints = packing.ints(ints[H.HEADER :])
    fixed, frame = _WORK[semiring, region.kind](region)
    more = (region.fixed_work[0] + fixed[0], region.fixed_work[1] + fixed[1])
    each = (region.frame_work[0] + frame[0], region.frame_work[1] + frame[1])
    return Region(region.kind, semiring, ints, region.n_states, region.n_arcs, more, each, region.operations)


_Work = tuple[tuple[int, int], tuple[int, int]]


def _lattice(region: Region) -> _Work:
    """What lies ahead of states and before them; the expectation; values."""
    return (2 * region.n_states + 1 + region.n_arcs, 0), (0, 0)


def _lattice_covariance(region: Region) -> _Work:
    """The same of two kinds of values and their products."""
    return (6 * region.n_states + 3 + 2 * region.n_arcs, 0), (0, 0)


_WORK = {
    ("expectation", "lattice"): _lattice,
    ("entropy", "lattice"): _lattice,
    ("covariance", "lattice"): _lattice_covariance,
    ("entropy_along", "lattice"): _lattice_covariance,
}
"""Floats and integers of workspace beyond the log semiring's: fixed, and for each frame."""
