"""Sums over the paths of a graph that consume frames, in the log domain and for many draws at once: the hunt's oracle.

Plain numpy over arrays whose last axis are the draws: forward scores, backward scores, and posteriors from both. It
knows nothing of packed regions, blocks or scaled arithmetic, and reads the graph's arcs as they are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import Topology

__all__ = ["Reference", "Sums"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sums:
    """What is right for each of B draws.

    Attributes:
        values: (B,) log of the sum over accepting paths; −inf where there is none.
        arcs: (A, B) how often paths are expected to take each arc; 0 where there are no paths.
        columns: (T, C, B) posteriors of frames' columns; 0 where there are no paths.
        scale: (B,) how large the terms are that a value is the sum of: expected |weights| and |scores|, and |value|.
    """

    values: Floats
    arcs: Floats
    columns: Floats
    scale: Floats


class Reference:
    """A graph's arcs by destination, by source and by label, ready for any weights and frames.

    Arcs with labels from ``n_columns`` on match nothing; ε arcs (−1) must not form a cycle.
    """

    def __init__(self, topology: Topology, n_columns: int) -> None:
        src, dst = topology.src.astype(np.int64), topology.dst.astype(np.int64)
        label = topology.ilabel.astype(np.int64)
        self.topology = topology
        self.n_columns = n_columns
        emitting = np.flatnonzero((label >= 0) & (label < n_columns))
        self.arcs = emitting[np.argsort(dst[emitting], kind="stable")]
        self.src, self.dst, self.label = src[self.arcs], dst[self.arcs], label[self.arcs]
        self.heads = _Groups(self.dst)
        self.by_src = np.argsort(self.src, kind="stable")
        self.tails = _Groups(self.src[self.by_src])
        self.by_label = np.argsort(self.label, kind="stable")
        self.labels = _Groups(self.label[self.by_label])
        self.silent = np.flatnonzero(label == -1)
        self.silent_src, self.silent_dst = src[self.silent], dst[self.silent]
        order = _without_cycles(topology.n_states, self.silent_src, self.silent_dst)
        self.into = [(s, np.flatnonzero(self.silent_dst == s)) for s in order if s in self.silent_dst]
        self.out_of = [(s, np.flatnonzero(self.silent_src == s)) for s in order[::-1] if s in self.silent_src]

    def __call__(self, weights: Floats, frames: Floats) -> Sums:
        """Sum over paths, for weights (A, B) and frames (T, C, B)."""
        with np.errstate(divide="ignore"):  # log(0) is −inf, which is what it should be
            return self._sums(weights, frames)

    def _sums(self, weights: Floats, frames: Floats) -> Sums:
        n_frames, _, n_draws = frames.shape
        shape = (n_frames + 1, self.topology.n_states, n_draws)
        forward, backward = np.full(shape, -np.inf), np.full(shape, -np.inf)
        gains = weights[self.arcs] + frames[:, self.label]
        silent = weights[self.silent]
        forward[0, self.topology.start] = 0.0
        for t in range(n_frames + 1):
            if t > 0 and len(self.arcs):
                forward[t, self.heads.keys] = self.heads.log_sums(forward[t - 1, self.src] + gains[t - 1])
            for state, arcs in self.into:
                sent = forward[t, self.silent_src[arcs]] + silent[arcs]
                forward[t, state] = _log_sum(np.concatenate([forward[t, state, None], sent]))
        backward[n_frames, self.topology.accept] = 0.0
        for t in range(n_frames, -1, -1):
            if t < n_frames and len(self.arcs):
                terms = (backward[t + 1, self.dst] + gains[t])[self.by_src]
                backward[t, self.tails.keys] = self.tails.log_sums(terms)
            for state, arcs in self.out_of:
                sent = backward[t, self.silent_dst[arcs]] + silent[arcs]
                backward[t, state] = _log_sum(np.concatenate([backward[t, state, None], sent]))
        values = _log_sum(forward[n_frames, self.topology.accept])
        total = np.where(values > -np.inf, values, 0.0)  # without paths, all that is added below is −inf
        posteriors = np.exp(forward[:-1, self.src] + gains + backward[1:, self.dst] - total)
        by_arc = np.zeros(weights.shape)
        by_arc[self.arcs] = posteriors.sum(axis=0)
        by_arc[self.silent] = np.exp(forward[:, self.silent_src] + silent + backward[:, self.silent_dst] - total).sum(
            axis=0
        )
        columns = np.zeros(frames.shape)
        if len(self.arcs):
            by_label = np.add.reduceat(posteriors[:, self.by_label], self.labels.first, axis=1)
            columns[:, self.labels.keys] = by_label
        scale = np.abs(total) + _expected(by_arc, weights, 0) + _expected(columns, frames, (0, 1))
        return Sums(values, by_arc, columns, scale)


class _Groups:
    """Equal keys that stand together: the keys, and where each begins."""

    def __init__(self, keys: Ints) -> None:
        self.keys, self.first, self.lengths = np.unique(keys, return_index=True, return_counts=True)

    def log_sums(self, terms: Floats) -> Floats:
        """Sum, in the log domain, the rows of each group."""
        top = np.maximum.reduceat(terms, self.first, axis=0)
        top[top == -np.inf] = 0.0  # −inf − −inf is not a number
        shares = np.exp(terms - np.repeat(top, self.lengths, axis=0))
        return top + np.log(np.add.reduceat(shares, self.first, axis=0))


def _log_sum(terms: Floats) -> Floats:
    """Sum rows in the log domain; −inf where there are none, or all are −inf."""
    top = terms.max(axis=0, initial=-np.inf)
    top[top == -np.inf] = 0.0
    return top + np.log(np.exp(terms - top).sum(axis=0))  # type: ignore[no-any-return]


def _expected(posteriors: Floats, scores: Floats, axis: Any) -> Floats:
    """Add up expected |scores|; what is −inf no path takes."""
    return (posteriors * np.where(scores > -np.inf, np.abs(scores), 0.0)).sum(axis=axis)  # type: ignore[no-any-return]


def _without_cycles(n_states: int, src: Ints, dst: Ints) -> list[int]:
    """Order states so that every one of these arcs leads forward."""
    order: list[int] = []
    left = set(range(n_states))
    while left:
        blocked = {d for s, d in zip(src.tolist(), dst.tolist(), strict=True) if s in left}
        ready = sorted(left - blocked)
        assert ready, "ε arcs form a cycle"
        order += ready
        left -= set(ready)
    return order
