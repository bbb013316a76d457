"""Compiled twins of operators' ``build`` functions, for those that take long in numpy.

Stage: symbolic part. `BUILDS` says which operators have one; `arcgrad.runtime.symbolic.build_node` takes it instead of
the operator's own, and it decides at each call whether compiled code or numpy builds the graph. Importing this module
imports no numba.
"""

from __future__ import annotations

from collections.abc import Mapping

from arcgrad.compiler.operators.base import Build
from arcgrad.runtime.operators.compose import build_composition, build_intersection
from arcgrad.runtime.operators.connect import build_connected

__all__ = ["BUILDS"]

BUILDS: Mapping[str, Build] = {
    "compose": build_composition,
    "connect": build_connected,
    "intersect": build_intersection,
}
"""By the operator's registry name."""
