"""Random graphs, brute-force sums over their paths, and a way to run a region's kernels on them."""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from support.random_graphs import draw_topology

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.runtime.kernels import KERNELS
from arcgrad.runtime.kernels.lattice.graph_max import graph_max_path
from arcgrad.runtime.regions import Region

N_SHARED = 3
BASE, WORK0, IWORK0, SHIFT, G_SHARED, G_SHIFT = 5, 3, 2, 7, 2, 11
"""Odd offsets of what kernels are given, so that one that reads or writes outside is caught."""


@dataclass
class Result:
    value: float
    gradient: np.ndarray
    frames_gradient: np.ndarray | None
    path: list[int] | None
    values_gradient: np.ndarray | None = None


def function(region: Region, role: str, dtype: Any = np.float64) -> Callable[..., Any] | None:
    names = KERNELS[region.kind, region.semiring]
    name = getattr(names, role)
    if name is None:
        return None
    suffix = "_float32" if dtype == np.float32 else ""
    return getattr(importlib.import_module(names.module), name + suffix)


def run(
    region: Region,
    local: np.ndarray,
    frames: np.ndarray | None = None,
    cotangent: float = 1.0,
    values: np.ndarray | None = None,
) -> Result:
    """Value and gradients with respect to local entries (the first N_SHARED are shared) and frames, and their values.

    Args:
        values: of an expectation's frames; of no frames: all 0.
    """
    rng = np.random.default_rng(0)
    n_shared = min(N_SHARED, len(local))
    n_frames = 0 if frames is None else len(frames)
    floats, integers = region.work(n_frames)
    work = np.full(WORK0 + floats + 2, np.nan)  # whatever a kernel reads before it writes shows
    iwork = np.full(IWORK0 + integers + 2, 777, dtype=np.int32)
    iwork[-1] = 0  # not to give up
    ints = np.concatenate([rng.integers(0, 9, BASE).astype(np.int32), region.ints])
    weights = np.full(len(local) + SHIFT, np.nan)
    weights[:n_shared] = local[:n_shared]
    weights[n_shared + SHIFT :] = local[n_shared:]
    gradient = np.zeros(len(local) + max(G_SHARED, G_SHIFT))
    sign = -1.0 if region.semiring == "min" else 1.0
    graph = (ints[BASE:], (weights, n_shared, SHIFT))
    space = (work[WORK0:], iwork[IWORK0:], sign)
    dtype = np.float64 if frames is None else frames.dtype
    given: tuple[Any, ...] = ()
    frames_gradient = None
    if frames is not None:
        padded = np.full((n_frames + 3, frames.shape[1]), np.nan, dtype=dtype)
        padded[2 : 2 + n_frames] = frames
        given = (padded[2 : 2 + n_frames],)
        frames_gradient = np.zeros((n_frames + 2, frames.shape[1]), dtype=dtype)
    values_gradient = None
    if values is not None:
        given += (values,)
        values_gradient = np.zeros((n_frames + 2, values.shape[1]), dtype=dtype)
    forward = function(region, "forward", dtype)
    value = forward(*graph, *given, *space)
    backward = function(region, "backward", dtype)
    if backward is not None:
        extra: tuple[Any, ...] = () if frames_gradient is None else (frames_gradient[1 : 1 + n_frames], True, True)
        if values is not None and values_gradient is not None:
            extra = (*extra[:1], values_gradient[1 : 1 + n_frames], True, True, len(values) > 0)
        sums = gradient[G_SHARED:], n_shared, G_SHIFT - G_SHARED
        backward(*graph, *given, *space, cotangent, sums, *extra)
    assert np.all(np.isnan(work[WORK0 + floats :]))
    assert np.all(np.isnan(work[:WORK0]))
    assert iwork[IWORK0 + integers :].tolist() == [777, 0]
    assert np.all(iwork[:IWORK0] == 777)
    own = gradient[G_SHIFT + n_shared : G_SHIFT + len(local)]
    local_gradient = np.concatenate([gradient[G_SHARED : G_SHARED + n_shared], own])
    if frames_gradient is not None:
        assert not frames_gradient[0].any()
        assert not frames_gradient[n_frames + 1].any()
        frames_gradient = frames_gradient[1 : 1 + n_frames]
    if values_gradient is not None:
        assert not values_gradient[0].any()
        assert not values_gradient[n_frames + 1].any()
        values_gradient = values_gradient[1 : 1 + n_frames]
    path = None
    if region.kind in ("lattice", "cyclic") and region.semiring in ("max", "min"):
        arcs = np.full(200, -9, dtype=np.int32)
        path = arcs[: graph_max_path(ints[BASE:], iwork[IWORK0:], arcs)].tolist()
    return Result(value, local_gradient, frames_gradient, path, values_gradient)


def random_graph(
    rng: np.random.Generator,
    *,
    n_states: int = 6,
    n_arcs: int = 12,
    acyclic: bool = True,
    n_labels: int = 4,
    epsilon: float = 0.0,
) -> Topology:
    """A graph of at most that size."""
    n, m = int(rng.integers(0, n_states + 1)), int(rng.integers(0, n_arcs + 1))
    return draw_topology(rng, n, m, np.arange(n_labels), acyclic=acyclic, epsilon=epsilon, acceptor=True)


def random_selection(rng: np.random.Generator, n_arcs: int, n_entries: int, identity: bool) -> Selection:
    if identity:
        return Selection.identity(0, n_arcs)
    lengths = rng.integers(0, 4, n_arcs)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    arc = rng.integers(0, max(n_entries, 1), offsets[-1]).astype(np.int32)
    return Selection(offsets, np.zeros(offsets[-1], dtype=np.int32), arc)


def all_paths(graph: Topology, longest: int) -> list[tuple[int, ...]]:
    """Every accepting path as a tuple of arcs, up to a length."""
    out: dict[int, list[int]] = {}
    for arc in range(graph.n_arcs):
        out.setdefault(int(graph.src[arc]), []).append(arc)
    accepts = set(graph.accept.tolist())
    found = []
    front: list[tuple[int, tuple[int, ...]]] = [(int(s), ()) for s in graph.start]
    for _ in range(longest + 1):
        found += [path for state, path in front if state in accepts]
        front = [(int(graph.dst[arc]), (*path, arc)) for state, path in front for arc in out.get(state, [])]
    return found


def lse(values: list[float]) -> float:
    best = max(values, default=-math.inf)
    if best == -math.inf:
        return best
    return best + math.log(math.fsum(math.exp(v - best) for v in values))


def unroll(graph: Topology, n_frames: int, n_columns: int) -> tuple[Topology, np.ndarray, np.ndarray]:
    """Dense composition with the graph, built: the arcs of G and the frame columns (−1: ε) that each arc came from."""
    n = graph.n_states
    src, dst, arcs, cells = [], [], [], []
    for t, arc in itertools.product(range(n_frames + 1), range(graph.n_arcs)):
        s, d, c = int(graph.src[arc]), int(graph.dst[arc]), int(graph.ilabel[arc])
        if c == -1:
            ends, cell = (t * n + s, t * n + d), -1
        elif t < n_frames and c < n_columns:
            ends, cell = (t * n + s, (t + 1) * n + d), t * n_columns + c
        else:
            continue
        src.append(ends[0])
        dst.append(ends[1])
        arcs.append(arc)
        cells.append(cell)
    labels = np.zeros(len(src))
    built = Topology.make(n * (n_frames + 1), src, dst, labels, None, graph.start, graph.accept + n * n_frames)
    return built, np.array(arcs, dtype=int), np.array(cells, dtype=int)
