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
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.kernels.cyclic.local_chain import chain_size
from arcgrad.runtime.kernels.expectation.places import work_sizes
from arcgrad.runtime.kernels.lattice import lattice_format as L
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.regions.region import Packing, Region

__all__ = ["with_values"]

_ARC_NUMBERS = {"lattice": L.ARC_NUMBERS, "cyclic": C.ARC_NUMBERS, "trellis": T.ARC_NUMBERS}


def with_values(
    region: Region, semiring: str, selections: Sequence[Selection], leaf_offsets: NDArray[np.int64]
) -> Region:
    """Make a region of another semiring of one of the log semiring, with values of its arcs.

    Args:
        region: of semiring "log".
        semiring: "expectation", "entropy" or another whose probabilities are the log semiring's.
        selections: for each kind of values that the semiring takes, the leaf entries that the packed graph's arcs add
            up, by the graph's own arc numbers. Regions of shape "frames" have none.
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
    assert region.kind == "frames" or len(selections) == record_of(semiring).n_values
    ints = region.ints
    if selections and region.kind != "frames":
        header = ints[: H.HEADER].copy()
        packing = Packing(len(ints))
        packing.header = header.tolist()
        at = int(header[_ARC_NUMBERS[region.kind]])
        arcs: IntArray = ints[at : at + region.n_arcs]
        for kind, selection in enumerate(selections):
            place = H.VALUES + kind * H.VALUE_FIELDS
            in_line = packing.entries(place + H.VALUE_POINTERS, selection, leaf_offsets, arcs)
            packing.number(place + H.VALUE_IN_LINE, int(in_line))
        ints = packing.ints(ints[H.HEADER :])
    fixed, frame = _WORK[semiring, region.kind](region)
    return Region(region.kind, semiring, ints, region.n_states, region.n_arcs, fixed, frame, region.operations)


_Work = tuple[tuple[int, int], tuple[int, int]]


def _lattice(region: Region) -> _Work:
    """Behind what log needs: what lies ahead of states and before them; the expectation; values."""
    return (region.fixed_work[0] + 2 * region.n_states + 1 + region.n_arcs, 0), (0, 0)


def _lattice_covariance(region: Region) -> _Work:
    """The same of two kinds of values and their products."""
    return (region.fixed_work[0] + 6 * region.n_states + 3 + 2 * region.n_arcs, 0), (0, 0)


def _cyclic(region: Region) -> _Work:
    """What ``local_chain`` lays out behind what log needs."""
    return (int(chain_size(region.ints)), region.fixed_work[1]), (0, 0)


def _trellis(region: Region) -> _Work:
    """What `places` lays out."""
    fixed, frame = work_sizes(region.ints)
    return (fixed, max(region.fixed_work[1], 16)), (frame, region.frame_work[1])


def _frames(_: Region) -> _Work:
    """Whether there are paths; three numbers for each frame."""
    return (1, 1), (3, 0)


_WORK = {
    ("expectation", "lattice"): _lattice,
    ("entropy", "lattice"): _lattice,
    ("covariance", "lattice"): _lattice_covariance,
    ("entropy_along", "lattice"): _lattice_covariance,
    **{(name, "cyclic"): _cyclic for name in ("expectation", "entropy", "covariance", "entropy_along")},
    ("expectation", "trellis"): _trellis,
    ("entropy", "trellis"): _trellis,
    ("expectation", "frames"): _frames,
    ("entropy", "frames"): _frames,
}
"""Floats and integers of workspace: fixed, and for each frame."""
