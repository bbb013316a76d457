"""The truth that cases are compared with: forward and backward in the log domain, in float64, an arc at a time.

Written for clarity and exactness, and apart from arcgrad's kernels: no scaling, no exponents, no formats.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

import arcgrad as ag
from benchmarks.case import Array

__all__ = ["graph_score", "log_normaliser", "trellis_score"]


def trellis_score(graph: ag.Graph, frames: Array) -> tuple[float, Array, Array]:
    """LSE of ``frames ∘ graph``, and its gradients with respect to the frames (T, C) and by the arcs (n_arcs,).

    Args:
        graph: an acceptor; its ε arcs lead from a state to one of a smaller number.
        frames: (T, C) scores in nats, of any real dtype.
    """
    silent = np.flatnonzero(graph.ilabel < 0)
    assert np.all(graph.src[silent] > graph.dst[silent])
    silent = silent[np.argsort(-graph.src[silent], kind="stable")]
    emitting = np.flatnonzero(graph.ilabel >= 0)
    scores = np.asarray(frames, dtype=np.float64)
    value, by_frames, by_arcs = _trellis(
        *_ends(graph), graph.src, graph.dst, graph.ilabel, graph.arc_weight, emitting, silent, np.array(scores)
    )
    return float(value), by_frames, by_arcs


def graph_score(graph: ag.Graph) -> tuple[float, Array]:
    """LSE of an acyclic graph whose arcs lead to states of larger numbers, and its gradient (n_arcs,)."""
    assert np.all(graph.src < graph.dst)
    order = np.argsort(graph.src, kind="stable")
    value, by_arcs = _lattice(*_ends(graph), graph.src, graph.dst, graph.arc_weight, order)
    return float(value), by_arcs


def log_normaliser(frames: Array) -> tuple[Array, Array]:
    """(B, T, C) scores → LSE of each item's frames, all columns allowed: (B,); and its gradient (B, T, C)."""
    scores = np.asarray(frames, dtype=np.float64)
    top = scores.max(axis=-1, keepdims=True)
    each = top[..., 0] + np.log(np.exp(scores - top).sum(axis=-1))
    return each.sum(axis=-1), np.exp(scores - each[..., None])


def _ends(graph: ag.Graph) -> tuple[Array, Array]:
    """0 for starts and for accepts, −inf for other states."""
    ends = np.full((2, graph.n_states), -np.inf)
    ends[0, graph.start] = 0
    ends[1, graph.accept] = 0
    return ends[0], ends[1]


def _log_add(a: float, b: float) -> float:
    if a < b:
        a, b = b, a
    return a if b == -np.inf else a + np.log1p(np.exp(b - a))


_add: Any = numba.njit(_log_add)


def _log_trellis(
    start: Any, accept: Any, src: Any, dst: Any, label: Any, weight: Any, emitting: Any, silent: Any, frames: Any
) -> Any:
    n_frames, n_states = len(frames), len(start)
    alpha = np.full((n_frames + 1, n_states), -np.inf)
    alpha[0] = start
    for t in range(n_frames + 1):
        if t > 0:
            for a in emitting:
                if label[a] < frames.shape[1]:
                    way = alpha[t - 1, src[a]] + weight[a] + frames[t - 1, label[a]]
                    alpha[t, dst[a]] = _add(alpha[t, dst[a]], way)
        for a in silent:
            alpha[t, dst[a]] = _add(alpha[t, dst[a]], alpha[t, src[a]] + weight[a])
    total = -np.inf
    for s in range(n_states):
        total = _add(total, alpha[n_frames, s] + accept[s])
    by_frames, by_arcs = np.zeros(frames.shape), np.zeros(len(src))
    if total == -np.inf:
        return total, by_frames, by_arcs
    beta = accept.copy()
    for t in range(n_frames, -1, -1):
        for k in range(len(silent) - 1, -1, -1):
            a = silent[k]
            way = weight[a] + beta[dst[a]]
            by_arcs[a] += np.exp(alpha[t, src[a]] + way - total)
            beta[src[a]] = _add(beta[src[a]], way)
        if t > 0:
            before = np.full(n_states, -np.inf)
            for a in emitting:
                if label[a] < frames.shape[1]:
                    way = weight[a] + frames[t - 1, label[a]] + beta[dst[a]]
                    share = np.exp(alpha[t - 1, src[a]] + way - total)
                    by_arcs[a] += share
                    by_frames[t - 1, label[a]] += share
                    before[src[a]] = _add(before[src[a]], way)
            beta = before
    return total, by_frames, by_arcs


_trellis: Any = numba.njit(_log_trellis)


def _log_lattice(start: Any, accept: Any, src: Any, dst: Any, weight: Any, order: Any) -> Any:
    alpha, beta = start.copy(), accept.copy()
    for a in order:
        alpha[dst[a]] = _add(alpha[dst[a]], alpha[src[a]] + weight[a])
    total = -np.inf
    for s in range(len(start)):
        total = _add(total, alpha[s] + accept[s])
    by_arcs = np.zeros(len(src))
    for k in range(len(order) - 1, -1, -1):
        a = order[k]
        way = weight[a] + beta[dst[a]]
        by_arcs[a] = np.exp(alpha[src[a]] + way - total)
        beta[src[a]] = _add(beta[src[a]], way)
    return total, by_arcs


_lattice: Any = numba.njit(_log_lattice)
