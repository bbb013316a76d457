"""Compiled twins of operators' ``build`` functions, for those that take long in numpy.

Stage: symbolic part. `BUILDS` says which operators have one; ``builder.build_node`` takes it instead of the operator's
own, and it decides at each call whether a kernel or numpy builds the graph. Importing this module imports no numba.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arcgrad.compiler.operators.base import Build
from arcgrad.runtime.build.operators.compose import build_composition, build_intersection
from arcgrad.runtime.build.operators.connect import build_connected
from arcgrad.runtime.build.operators.difference import build_difference
from arcgrad.runtime.build.operators.support import build_support
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.kernels.graphs.compose import compose_arcs
from arcgrad.runtime.kernels.graphs.label_index import index_arcs
from arcgrad.runtime.kernels.graphs.order import trim_ints
from arcgrad.runtime.kernels.graphs.partition import minimize_arcs
from arcgrad.runtime.kernels.graphs.subsets import determinize_arcs

__all__ = ["BUILDS", "KERNELS"]

BUILDS: Mapping[str, Build] = {
    "compose": build_composition,
    "connect": build_connected,
    "difference": build_difference,
    "intersect": build_intersection,
    "support": build_support,
}
"""By the operator's registry name."""

KERNELS: Mapping[str, tuple[Kernel[..., Any], ...]] = {
    "compose": (compose_arcs, index_arcs),
    "connect": (trim_ints,),
    "difference": (determinize_arcs, minimize_arcs, trim_ints, compose_arcs, index_arcs),
    "intersect": (compose_arcs, index_arcs),
    "support": (determinize_arcs, minimize_arcs, trim_ints),
}
"""The kernels that they may call, by the same names."""
