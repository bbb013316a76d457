"""Cyclic graphs of any size, whose weights have a sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import Topology

__all__ = ["band", "sparse_chain"]


def sparse_chain(n_states: int, n_arcs: int, seed: int) -> tuple[Topology, NDArray[np.float64]]:
    """A Markov chain: a ring of all states, and arcs between any two. Elimination fills more than a third of it."""
    rng = np.random.default_rng(seed)
    n_arcs = max(n_arcs, n_states)
    src, dst = rng.integers(0, n_states, size=(2, n_arcs))
    src[:n_states] = np.arange(n_states)
    dst[:n_states] = (src[:n_states] + 1) % n_states
    weight = np.log(0.9 * rng.random(n_arcs) / np.bincount(src)[src])
    return _graph(n_states, src, dst), weight


def band(n_states: int, width: int, seed: int) -> tuple[Topology, NDArray[np.float64]]:
    """A long band: from each state arcs to near ones, before it and behind it. Few entries are filled."""
    rng = np.random.default_rng(seed)
    src = np.repeat(np.arange(n_states), 6)
    dst = np.clip(src + rng.integers(-width, width + 1, size=len(src)), 0, n_states - 1)
    dst[::6] = np.minimum(src[::6] + 1, n_states - 1)
    return _graph(n_states, src, dst), np.log(0.9 * rng.random(len(src)) / 6)


def _graph(n_states: int, src: NDArray[np.int64], dst: NDArray[np.int64]) -> Topology:
    return Topology.make(n_states, src, dst, np.zeros(len(src)), start=[0], accept=[n_states - 1])
