"""``connect`` by a compiled kernel where its code is compiled or cached, else by the compiler's operator in numpy.

Stage: symbolic part, called by `arcgrad.runtime.build.builder.build_node`. Both give the same graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.adjacency import induced
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Parameters
from arcgrad.compiler.operators.connect import OPERATOR
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.graphs import order as kernels

__all__ = ["build_connected", "connected_by_kernel", "patience"]

# The kernel takes about a second to compile.
patience = Patience(0.5)


def build_connected(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    """The operator ``connect``."""
    if patience.ends_for(kernels.trim_ints):
        return connected_by_kernel(topologies[0])
    assert OPERATOR.build is not None
    with patience.tried():
        return OPERATOR.build(topologies, parameters, limits)


def connected_by_kernel(topology: Topology) -> Built:
    """The states and arcs on accepting paths, found by the kernel."""
    n_states = topology.n_states
    marks, stack = np.empty((2, n_states), dtype=np.int32)
    pointers, ends = np.empty(n_states + 1, dtype=np.int32), np.empty(topology.n_arcs, dtype=np.int32)
    kernels.trim_ints(topology.src, topology.dst, topology.start, topology.accept, marks, pointers, ends, stack)
    kept, arcs = induced(topology, marks == kernels.ON_ACCEPTING_PATHS)
    return Built(kept, (arcs,))
