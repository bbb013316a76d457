"""Best paths of built graphs, for PATH: by the kernel where that is compiled or cached, else by the reference.

Both follow the same tie rule, so that a result does not depend on which of them found it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.runtime.buffers import empty_floats
from arcgrad.runtime.reference import reductions as reference
from arcgrad.runtime.regions.graph import pack_graph
from arcgrad.runtime.regions.orders import ORDERS

__all__ = ["best_arcs"]

# Arcs below which the reference is as fast as packing the graph for the kernel.
_SMALL = 500
# Seconds that the reference may take in this process before the kernel is compiled, and its seconds an arc.
_PATIENCE = 1.5
_REFERENCE = 2e-6

_spent = 0.0


def best_arcs(topology: Topology, weights: NDArray[np.float64]) -> Sequence[int] | IntArray | None:
    """Arc numbers of the best path, or None where there is no path.

    Args:
        topology: the graph.
        weights: (n_arcs,) its weights.

    Raises:
        DivergenceError: a cycle makes the path's weight ever greater.
    """
    global _spent
    if topology.n_arcs >= _SMALL:
        from arcgrad.runtime.kernels.lattice.graph_max import graph_max_forward, graph_max_path

        pays = _spent + _REFERENCE * topology.n_arcs > _PATIENCE
        if pays or (graph_max_forward.is_ready and graph_max_path.is_ready):
            memo = topology.memo("best path")
            if "region" not in memo:
                identity = Selection.identity(0, topology.n_arcs)
                memo["region"] = pack_graph(topology, identity, np.zeros(1, dtype=np.int64), "max", orders=ORDERS)
            region = memo["region"]
            floats, numbers = region.work(0)
            work, found = empty_floats(floats), np.empty(numbers, dtype=np.int32)
            score = graph_max_forward(region.ints, 0, weights, len(weights), 0, work, 0, found, 0, 1.0)
            if score == -math.inf:
                return None
            if not math.isnan(score):
                arcs = np.empty(numbers, dtype=np.int32)
                return arcs[: graph_max_path(region.ints, 0, found, 0, arcs)]
    began = time.perf_counter()
    best = reference.best_path(topology, weights)[1]
    _spent += time.perf_counter() - began
    return best
