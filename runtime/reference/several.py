"""Reductions over distributions of paths, mostly of several graphs of one topology: E[A, R], H[A], in plain Python.

The first graph's weights say how probable, or how good, its paths are; the further graphs give the same paths values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.best_path import best_path
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.runtime.reference.exact_weights import Units
from arcgrad.runtime.reference.expectations import (
    covariance,
    entropy,
    expectation,
    relative_entropy,
    surprisal_covariance,
)

__all__ = ["SEVERAL"]

FloatArray = NDArray[np.float64]
Reduced = tuple[float, Sequence[FloatArray]]
Several = Callable[[Topology, Sequence[FloatArray], "Sequence[Units | None]"], Reduced]


def _relative_entropy(topology: Topology, weights: Sequence[FloatArray], exact: Sequence[Units | None]) -> Reduced:
    value, *gradients = relative_entropy(topology, weights[0], weights[1], exact[0], exact[1])
    return value, gradients


def _several(function: Callable[..., tuple[Any, ...]]) -> Several:
    def reduce(topology: Topology, weights: Sequence[FloatArray], exact: Sequence[Units | None]) -> Reduced:
        value, *gradients = function(topology, *weights, exact[0])
        return value, gradients

    return reduce


def _along_best(sign: float) -> Several:
    """The values' sum along one best path, which is the same path wherever weights are close to these."""

    def reduce(topology: Topology, weights: Sequence[FloatArray], exact: Sequence[Units | None]) -> Reduced:
        score, arcs = best_path(topology, weights[0], sign)
        taken = np.zeros(topology.n_arcs)
        if arcs is not None and math.isfinite(score):
            taken += np.bincount(np.array(arcs, dtype=np.intp), minlength=topology.n_arcs)
        used = np.flatnonzero(taken)
        return float(taken[used] @ weights[1][used]), (np.zeros(topology.n_arcs), taken)

    return reduce


SEVERAL: dict[str, Several] = {
    "expectation": _several(expectation),
    "entropy": _several(entropy),
    "kl": _relative_entropy,
    "covariance": _several(covariance),
    "entropy_along": _several(surprisal_covariance),
    "max_along": _along_best(1.0),
    "min_along": _along_best(-1.0),
}
"""By semiring: the value and its derivatives with respect to each graph's weights, (n_arcs,) each.

Arguments: the topology, each graph's (n_arcs,) weights, and these in units where floats round them.
"""
