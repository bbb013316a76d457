"""Best paths of built graphs, for PATH: by the compiled kernel where it is at hand, else by the reference.

Both follow the same tie rule, so that a result does not depend on which of them found it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.regions.graph import pack_graph
from arcgrad.compiler.selection import Selection
from arcgrad.compiler.topology import Topology
from arcgrad.runtime import reference

__all__ = ["best_arcs"]

# Arcs below which the reference is as fast as packing the graph for the kernel.
_SMALL = 500


def best_arcs(topology: Topology, weights: NDArray[np.float64]) -> Sequence[int] | None:
    """Arc numbers of the best path, or None where there is no path.

    Args:
        topology: the graph.
        weights: (n_arcs,) its weights.

    Raises:
        DivergenceError: a cycle makes the path's weight ever greater.
    """
    if topology.n_arcs >= _SMALL:
        from arcgrad.runtime.kernels.graph_max import graph_max_forward, graph_max_path

        if graph_max_forward.is_ready and graph_max_path.is_ready:
            memo = topology.memo("best path")
            if "region" not in memo:
                identity = Selection.identity(0, topology.n_arcs)
                memo["region"] = pack_graph(topology, identity, np.zeros(1, dtype=np.int64), "max")
            region = memo["region"]
            floats, numbers = region.work(0)
            work, found = np.empty(floats), np.empty(numbers, dtype=np.int32)
            score = graph_max_forward(region.ints, 0, weights, len(weights), 0, work, 0, found, 0, 1.0)
            if score == -math.inf:
                return None
            if not math.isnan(score):
                arcs = np.empty(numbers, dtype=np.int32)
                best: list[int] = arcs[: graph_max_path(region.ints, 0, found, 0, arcs)].tolist()
                return best
    return reference.best_path(topology, weights)[1]
