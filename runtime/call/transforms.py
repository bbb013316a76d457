"""Operators whose output depends on weights, at a stage's end: by compiled twins where there are any.

Called by `stages`. `TRANSFORMS` says which operators have a twin; both give the same graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Node
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import Transform, Transformed, copied_arcs, line_of
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Parameters
from arcgrad.runtime.call.best_paths import best_arcs
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.kernels.lattice.graph_max import graph_max_forward, graph_max_path

__all__ = ["TRANSFORMS", "TRANSFORM_KERNELS", "transform"]


def _path(topology: Topology, weights: NDArray[np.float64], parameters: Parameters, limits: Limits) -> Transformed:
    line, chosen = line_of(topology, best_arcs(topology, weights))
    return copied_arcs(line, weights, chosen)


TRANSFORMS: Mapping[str, Transform] = {"path": _path}
"""By the operator's registry name."""


TRANSFORM_KERNELS: Mapping[str, tuple[Kernel[..., Any], ...]] = {"path": (graph_max_forward, graph_max_path)}
"""The kernels that they may call, by the same names."""


def transform(node: Node, topology: Topology, weights: NDArray[np.float64], limits: Limits) -> Transformed:
    """Apply an operator to its operand's graph."""
    own = node.definition.transform
    assert own is not None
    return TRANSFORMS.get(node.operator, own)(topology, weights, node.parameters, limits)
