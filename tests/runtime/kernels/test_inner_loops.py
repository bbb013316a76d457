"""Every format of a trellis' inner loop against the built lattice, and the exponentials of the kernel library."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from kernel_harness import run, unroll
from support.ctc_graphs import alignment_graph as alignments

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.runtime.kernels.frames.frames_log import greatest
from arcgrad.runtime.kernels.math.exponentials import exponential, exponentials
from arcgrad.runtime.kernels.trellis.trellis_format import ARC_BY_ARC, DIAGONALS, INNER_LOOP, MATRIX
from arcgrad.runtime.regions import pack_graph, pack_trellis

OFFSETS = np.zeros(1, dtype=np.int64)


def fully_connected(n_tags: int, epsilon: bool) -> Topology:
    """Every tag after every other, entered with its label; where wanted, ε arcs from each tag to the next."""
    src, dst = np.divmod(np.arange(n_tags * n_tags), n_tags)
    label = dst % 7
    if epsilon:
        src = np.concatenate([src, np.arange(n_tags - 1)])
        dst = np.concatenate([dst, np.arange(1, n_tags)])
        label = np.concatenate([label, np.full(n_tags - 1, -1)])
    return Topology.make(n_tags, src, dst, label, label, np.arange(0, n_tags, 2), np.arange(1, n_tags, 3))


def banded(rng: np.random.Generator, n: int, loops: bool) -> Topology:
    """States entered from those up to three before them, and some leftover arcs; labels of their own or in common."""
    label = np.where(np.arange(n) % 2 == 0, 3, rng.integers(0, 3, n))
    steps = [0, 1, 2, 4] if loops else [1, 2, 4]
    src = np.concatenate([*(np.arange(n - step) for step in steps), rng.integers(0, n, 3)])
    dst = np.concatenate([*(np.arange(step, n) for step in steps), rng.integers(0, n, 3)])
    return Topology.make(n, src, dst, label[dst], None, np.arange(0, n, 3), np.arange(1, n, 2))


def scores(rng: np.random.Generator, n_frames: int, kind: str, scale: float) -> np.ndarray:
    """Frames of seven columns: ordinary, with columns of −inf, with one that dominates, or ever smaller."""
    frames = scale * rng.normal(size=(n_frames, 7))
    if kind == "absent":
        frames[rng.random(frames.shape) < 0.1] = -math.inf
    elif kind == "dominated":
        frames[:, 0] += 25.0
    elif kind == "falling":
        frames[:, 1:] -= 3.0 * np.arange(n_frames)[:, None]
    return frames


def check(graph: Topology, local: np.ndarray, frames: np.ndarray, format_: int) -> None:
    """The trellis' score and gradients are those of the lattice that it stands for."""
    region = pack_trellis(graph, Selection.identity(0, graph.n_arcs), OFFSETS, "input", 7, "log")
    assert region is not None
    assert region.ints[INNER_LOOP] == format_
    result = run(region, local, frames)
    built, arcs, cells = unroll(graph, len(frames), 7)
    pairs = np.stack([arcs, np.where(cells >= 0, graph.n_arcs + cells, -1)], axis=1)
    present = pairs >= 0
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    entries = pairs[present].astype(np.int32)
    selection = Selection(offsets, np.zeros(len(entries), np.int32), entries)
    expected = run(pack_graph(built, selection, OFFSETS, "log"), np.concatenate([local, frames.ravel()]))
    finite = np.abs(np.concatenate([local, frames.ravel()]))
    size = max(1.0, float(finite[np.isfinite(finite)].max()))
    assert result.value == pytest.approx(expected.value, rel=1e-12, abs=1e-13 * size * len(frames))
    tolerance = 1e-13 * size * len(frames)
    np.testing.assert_allclose(result.gradient, expected.gradient[: graph.n_arcs], rtol=1e-9, atol=tolerance)
    by_frame = expected.gradient[graph.n_arcs :].reshape(frames.shape)
    np.testing.assert_allclose(result.frames_gradient, by_frame, rtol=1e-9, atol=tolerance)


KINDS = ["ordinary", "absent", "dominated", "falling"]
SCALES = [1.0, 40.0, 1e4]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n_tags", [9, 12, 37])
@pytest.mark.parametrize("epsilon", [False, True])
def test_full_matrices(n_tags: int, scale: float, kind: str, epsilon: bool) -> None:
    rng = np.random.default_rng(n_tags)
    graph = fully_connected(n_tags, epsilon)
    local = scale * rng.normal(size=graph.n_arcs)
    local[rng.random(graph.n_arcs) < 0.05] = -math.inf
    check(graph, local, scores(rng, 45, kind, scale), ARC_BY_ARC if epsilon else MATRIX)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("n_labels", "n_frames"), [(4, 9), (4, 50), (30, 100), (30, 70), (40, 45)])
def test_diagonals_of_alignments(n_labels: int, n_frames: int, scale: float, kind: str) -> None:
    rng = np.random.default_rng(n_labels)
    labels = rng.integers(1, 7, n_labels).tolist()
    if n_labels + sum(a == b for a, b in pairwise(labels)) > n_frames:
        n_frames = n_labels + sum(a == b for a, b in pairwise(labels))
    graph = alignments(labels)
    check(graph, np.zeros(graph.n_arcs), scores(rng, n_frames, kind, scale), DIAGONALS)


def test_diagonals_with_just_enough_frames() -> None:
    labels = [1, 2, 3, 4, 5, 6] * 8
    for extra in (0, 1):
        check(
            alignments(labels),
            np.zeros(len(alignments(labels).src)),
            scores(np.random.default_rng(1), 48 + extra, "ordinary", 9.0),
            DIAGONALS,
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("n_states", "loops"), [(30, False), (30, True), (33, True), (100, False)])
def test_diagonals_with_weights(n_states: int, loops: bool, scale: float, kind: str) -> None:
    rng = np.random.default_rng(n_states)
    graph = banded(rng, n_states, loops)
    local = scale * rng.normal(size=graph.n_arcs)
    local[rng.random(graph.n_arcs) < 0.05] = -math.inf
    check(graph, local, scores(rng, 80, kind, scale), DIAGONALS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n_states", [5, 30])
def test_arcs_one_by_one(n_states: int, scale: float, kind: str) -> None:
    rng = np.random.default_rng(n_states)
    src, dst = rng.integers(0, n_states, (2, 4 * n_states))
    label = rng.integers(0, 7, len(src))
    silent = (rng.random(len(src)) < 0.2) & (src < dst)
    label[silent] = -1
    graph = Topology.make(n_states, src, dst, label, None, np.arange(0, n_states, 2), np.arange(n_states))
    local = scale * rng.normal(size=graph.n_arcs)
    check(graph, local, scores(rng, 60, kind, scale), ARC_BY_ARC)


def test_exponentials() -> None:
    for x in [*np.linspace(-700.0, 700.0, 4001).tolist(), 0.0, -707.9]:
        assert exponential(x) == pytest.approx(math.exp(x), rel=5e-16)
    assert exponential(-math.inf) == exponential(-709.0) == 0.0
    vector = np.array([-math.inf, -800.0, -709.5, -700.0, -1.0, 0.0, 1.0, 700.0])
    np.testing.assert_allclose(exponentials(vector), np.where(vector > -708.0, np.exp(vector), 0.0), rtol=5e-16)
    assert exponential(0.0) == 1.0


@pytest.mark.parametrize("size", [0, 1, 5, 64, 100])
def test_the_greatest_of_a_row(size: int) -> None:
    rng = np.random.default_rng(size)
    for offset in (-100.0, 0.0, 100.0):
        row = rng.normal(size=size) + offset
        row[::3] = -math.inf
        expected = row.max(initial=-math.inf)
        expected = expected if expected > -math.inf else 0.0
        assert greatest(row[None], 0) == expected
        assert greatest(row.astype(np.float32)[None], 0) == np.float32(expected)
