"""Trellis and frames kernels against enumeration of the paths of the built product."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kernel_harness import all_paths, lse, random_graph, random_selection, run, unroll
from support.ctc_graphs import alignment_graph as ctc
from support.magnitudes import with_penalties
from support.seeds import for_seeds

from arcgrad.compiler.graphs.orders import topological_order
from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.runtime.regions import pack_frames, pack_graph, pack_trellis

OFFSETS = np.zeros(1, dtype=np.int64)
N_COLUMNS = 3


def trellis_case(seed: int, dtype=np.float64):
    """A graph without ε cycles, labels 0 … N_COLUMNS (the last matches nothing), and scores with ties or without."""
    rng = np.random.default_rng(seed)
    while True:
        graph = random_graph(rng, n_states=4, n_arcs=9, acyclic=False, n_labels=N_COLUMNS + 1, epsilon=0.3)
        silent = graph.ilabel == -1
        if topological_order(graph.n_states, graph.src[silent], graph.dst[silent]) is not None:
            break
    identity = seed % 3 == 0
    n_entries = graph.n_arcs if identity else 7
    selection = random_selection(rng, graph.n_arcs, n_entries, identity)
    frames = rng.normal(size=(int(rng.integers(0, 5)), N_COLUMNS))
    local = rng.normal(size=n_entries)
    scale = rng.choice([1.0, 1.0, 30.0, 2000.0])
    frames, local = scale * frames, scale * local
    if seed % 2:
        frames, local = np.round(frames), np.round(local)
    frames, local = with_penalties(rng, frames), with_penalties(rng, local)
    frames[rng.random(frames.shape) < 0.1] = -math.inf
    local[rng.random(n_entries) < 0.05] = -math.inf
    frames = frames.astype(dtype)
    built, arcs, cells = unroll(graph, len(frames), N_COLUMNS)
    paths = all_paths(built, 25)
    weight = selection.weights(local, OFFSETS)
    built_weight = weight[arcs] + np.where(cells >= 0, np.append(frames.ravel(), 0.0)[cells], 0.0)
    counts = np.zeros((graph.n_arcs, n_entries))
    np.add.at(counts, (np.repeat(np.arange(graph.n_arcs), np.diff(selection.offsets)), selection.arc), 1.0)
    return graph, selection, local, frames, paths, built_weight, arcs, cells, counts


def gradients(paths, posteriors, arcs, cells, counts, shape):
    local, frames = np.zeros(counts.shape[1]), np.zeros(shape).ravel()
    for path, posterior in zip(paths, posteriors, strict=True):
        for arc in path:
            local += posterior * counts[arcs[arc]]
            if cells[arc] >= 0:
                frames[cells[arc]] += posterior
    return local, frames.reshape(shape)


def sided(graph: Topology, side: str) -> Topology:
    """The graph with its labels on one side and others on the other."""
    other = (graph.ilabel + 7) % 5
    pair = (graph.ilabel, other) if side == "input" else (other, graph.ilabel)
    return Topology.make(graph.n_states, graph.src, graph.dst, *pair, graph.start, graph.accept)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@for_seeds(120)
def test_trellis_log_is_the_sum_over_paths(seed: int, dtype) -> None:
    graph, selection, local, frames, paths, weight, arcs, cells, counts = trellis_case(seed, dtype)
    side = ("input", "output")[seed % 2]
    region = pack_trellis(sided(graph, side), selection, OFFSETS, side, N_COLUMNS, "log")
    scores = [math.fsum(weight[list(p)]) if np.all(np.isfinite(weight[list(p)])) else -math.inf for p in paths]
    expected = lse(scores)
    result = run(region, local, frames, cotangent=0.5)
    tolerance = 1e-12 if dtype == np.float64 else 1e-6
    assert result.value == pytest.approx(expected, rel=tolerance, abs=tolerance)
    posteriors = [0.5 * math.exp(s - expected) if expected > -math.inf else 0.0 for s in scores]
    by_entry, by_frame = gradients(paths, posteriors, arcs, cells, counts, frames.shape)
    scale = max([1.0, *np.abs(weight[np.isfinite(weight)])])
    np.testing.assert_allclose(result.gradient, by_entry, rtol=tolerance, atol=tolerance * scale)
    np.testing.assert_allclose(result.frames_gradient, by_frame, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("semiring", ["max", "min"])
@for_seeds(120)
def test_trellis_max_is_the_best_path(seed: int, semiring: str) -> None:
    dtype = (np.float64, np.float32)[seed % 2]
    graph, selection, local, frames, paths, weight, arcs, cells, counts = trellis_case(seed, dtype)
    region = pack_trellis(graph, selection, OFFSETS, "input", N_COLUMNS, semiring)
    sign = 1.0 if semiring == "max" else -1.0
    result = run(region, local, frames)
    best = max((sign * sum(weight[list(p)]) for p in paths), default=-math.inf)
    assert result.value == pytest.approx(sign * best, rel=1e-6 if seed % 2 else 1e-12)
    if best == -math.inf:
        assert not result.gradient.any()
        assert not result.frames_gradient.any()
        return
    chosen = [path for path in paths if sign * sum(weight[list(path)]) == pytest.approx(best, rel=1e-12)]
    found = [gradients([path], [1.0], arcs, cells, counts, frames.shape) for path in chosen]
    assert any((result.gradient == one).all() and (result.frames_gradient == other).all() for one, other in found)


@for_seeds(100)
def test_trellis_count_is_the_number_of_paths(seed: int) -> None:
    graph, selection, local, frames, paths, *_ = trellis_case(seed)
    region = pack_trellis(graph, selection, OFFSETS, "input", N_COLUMNS, "count")
    assert run(region, local, frames).value == len(paths)


def test_epsilon_cycles_are_left_to_the_caller() -> None:
    graph = Topology.from_arcs(2, [(0, 1, 0), (0, 0, -1)], [0], [1])
    assert pack_trellis(graph, Selection.none(2), OFFSETS, "input", 3, "log") is None
    # Where no path goes through it, an ε cycle is no matter.
    away = Topology.from_arcs(3, [(0, 1, 0), (2, 2, -1)], [0], [1])
    assert pack_trellis(away, Selection.none(2), OFFSETS, "input", 3, "log") is not None


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0, 0), (1, 1), (4, 3), (3, 17), (70, 33), (3, 2500)])
def test_frames_alone(shape: tuple[int, int], dtype) -> None:
    frames = np.random.default_rng(1).normal(size=shape).astype(dtype)
    nothing = np.zeros(0)
    result = run(pack_frames("log"), nothing, frames, cotangent=2.0)
    expected = sum(lse(row.astype(float).tolist()) for row in frames)
    assert result.value == pytest.approx(expected, rel=1e-6)
    if expected > -math.inf:
        softmax = np.exp(frames) / np.exp(frames).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(result.frames_gradient, 2 * softmax, rtol=1e-6)
    else:
        assert not result.frames_gradient.any()
    if shape[1] ** shape[0] < 2**53:
        assert run(pack_frames("count"), nothing, frames).value == float(shape[1]) ** shape[0]
    else:
        assert math.isnan(run(pack_frames("count"), nothing, frames).value)
    for semiring, pick in (("max", np.argmax), ("min", np.argmin)):
        result = run(pack_frames(semiring), nothing, frames)
        if shape[1]:
            columns = pick(frames, axis=1)
            assert result.value == pytest.approx(float(frames[np.arange(shape[0]), columns].sum()), rel=1e-6)
            np.testing.assert_array_equal(result.frames_gradient, np.eye(shape[1])[columns])
        elif shape[0]:
            assert result.value == (-math.inf if semiring == "max" else math.inf)
            assert not result.frames_gradient.any()


def test_frames_with_columns_of_minus_infinity() -> None:
    frames = np.array([[0.0, -math.inf], [-math.inf, 1.0]])
    nothing = np.zeros(0)
    np.testing.assert_array_equal(run(pack_frames("log"), nothing, frames).frames_gradient, np.eye(2))
    assert run(pack_frames("min"), nothing, frames).value == -math.inf
    blocked = np.array([[0.0, 1.0], [-math.inf, -math.inf]])
    for semiring in ("log", "max"):
        result = run(pack_frames(semiring), nothing, blocked)
        assert result.value == -math.inf
        assert not result.frames_gradient.any()


def log_domain_forward(graph: Topology, frames: np.ndarray) -> np.ndarray:
    """Forward scores of the last frame for a graph without ε and weights, by the plain log-domain recursion."""
    alpha = np.full(graph.n_states, -math.inf)
    alpha[graph.start] = 0.0
    for row in frames:
        new = np.full(graph.n_states, -math.inf)
        np.logaddexp.at(new, graph.dst, alpha[graph.src] + row[graph.ilabel])
        alpha = new
    return alpha


@pytest.mark.parametrize("peak", [0.0, 5.0, 10.0, 60.0, 800.0, 1e4])
def test_early_training_keeps_states_that_lie_far_behind(peak: float) -> None:
    """Blanks near probability 1, almost as many labels as frames: states differ by more than 1e308 within a frame."""
    rng = np.random.default_rng(3)
    graph = ctc(rng.integers(1, 20, 100).tolist())
    frames = rng.normal(size=(150, 20))
    frames[:, 0] += peak
    frames -= np.logaddexp.reduce(frames, axis=1, keepdims=True)
    region = pack_trellis(graph, Selection.none(graph.n_arcs), OFFSETS, "input", 20, "log")
    result = run(region, np.zeros(0), frames)
    expected = np.logaddexp.reduce(log_domain_forward(graph, frames)[graph.accept])
    assert result.value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(result.frames_gradient.sum(axis=1), 1.0, rtol=1e-9)


def test_ragged_items_share_nothing() -> None:
    """Fewer frames than labels: no path; exactly enough: one."""
    graph = ctc([1, 2, 3])
    region = pack_trellis(graph, Selection.none(graph.n_arcs), OFFSETS, "input", 4, "log")
    frames = np.random.default_rng(0).normal(size=(5, 4))
    assert run(region, np.zeros(0), frames[:2]).value == -math.inf
    exact = run(region, np.zeros(0), frames[:3])
    # The graph starts in its first blank, from which the first label is one arc away.
    assert exact.value == pytest.approx(frames[0, 1] + frames[1, 2] + frames[2, 3], rel=1e-12)


def test_the_built_lattice_agrees_with_the_trellis() -> None:
    rng = np.random.default_rng(5)
    graph = ctc([1, 2, 2, 3])
    frames = rng.normal(size=(9, 4))
    built, _, cells = unroll(graph, 9, 4)
    trellis = run(pack_trellis(graph, Selection.none(graph.n_arcs), OFFSETS, "input", 4, "log"), np.zeros(0), frames)
    selection = Selection(np.arange(built.n_arcs + 1), np.zeros(built.n_arcs, np.int32), cells.astype(np.int32))
    lattice = run(pack_graph(built, selection, OFFSETS, "log"), frames.ravel())
    assert lattice.value == pytest.approx(trellis.value, rel=1e-13)
    np.testing.assert_allclose(lattice.gradient, trellis.frames_gradient.ravel(), rtol=1e-11)


def long_case(seed: int):
    """Enough frames for several blocks: scales from mild to absurd, ε arcs, −inf columns, start states that die out."""
    rng = np.random.default_rng(seed)
    while True:
        n = int(rng.integers(2, 12))
        m = int(rng.integers(n, 4 * n))
        src, dst = rng.integers(0, n, (2, m))
        if seed % 3 == 0:  # left to right, like CTC: entered with one label
            dst = np.minimum(src + rng.integers(0, 3, m), n - 1)
            label = (dst * 7) % 5
        else:
            label = np.where((rng.random(m) < 0.2) & (src < dst), -1, rng.integers(0, 5, m))
        graph = Topology.make(n, src, dst, label, label, [0], np.unique(rng.integers(0, n, 3)))
        if pack_trellis(graph, Selection.identity(0, m), OFFSETS, "input", 5, "log").n_states > 1:
            break
    frames = rng.normal(size=(int(rng.integers(20, 60)), 5)) * rng.choice([0.1, 1.0, 5.0, 30.0, 300.0])
    if seed % 2:
        frames *= rng.choice([0.1, 1.0, 1.0, 30.0], size=(len(frames), 1))
    if seed % 4 == 0:
        frames[rng.random(frames.shape) < 0.05] = -math.inf
    if seed % 5 == 0:
        frames[:, 2] += rng.choice([-40.0, 40.0, 500.0])
    local = rng.normal(size=m) * rng.choice([0.1, 1.0, 10.0, 300.0, 2000.0])
    local[rng.random(m) < 0.05] = -math.inf
    return graph, local, frames


@pytest.mark.parametrize("block", range(10))
def test_blocks_of_frames_agree_with_the_built_lattice(block: int) -> None:
    compared = 0
    for seed in range(20 * block, 20 * block + 20):
        graph, local, frames = long_case(seed)
        region = pack_trellis(graph, Selection.identity(0, graph.n_arcs), OFFSETS, "input", 5, "log")
        result = run(region, local, frames)
        built, arcs, cells = unroll(graph, len(frames), 5)
        pairs = np.stack([arcs, np.where(cells >= 0, graph.n_arcs + cells, -1)], axis=1)
        present = pairs >= 0
        offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
        entries = pairs[present].astype(np.int32)
        selection = Selection(offsets, np.zeros(len(entries), np.int32), entries)
        expected = run(pack_graph(built, selection, OFFSETS, "log"), np.concatenate([local, frames.ravel()]))
        largest = [np.abs(a[np.isfinite(a)]).max(initial=0) for a in (local, frames)]
        scale = 1.0 + sum(largest)
        assert result.value == pytest.approx(expected.value, rel=1e-12, abs=1e-12 * scale)
        if math.isfinite(expected.value):
            compared += 1
        tolerance = 1e-13 * scale * len(frames)
        np.testing.assert_allclose(result.gradient, expected.gradient[: graph.n_arcs], rtol=1e-10, atol=tolerance)
        by_frame = expected.gradient[graph.n_arcs :].reshape(frames.shape)
        np.testing.assert_allclose(result.frames_gradient, by_frame, rtol=1e-10, atol=tolerance)
    assert compared > 5


def test_a_state_that_loses_its_best_way_in_keeps_its_others() -> None:
    """A column of −inf leaves a state only what comes in 2^−1500 below what it held."""
    graph = Topology.from_arcs(2, [(0, 0, 0), (0, 1, 1), (1, 1, 2)], [0], [1])
    local = np.array([0.0, -290.0, 0.0])
    frames = np.zeros((70, 3))
    frames[:, 2] = 17.0
    frames[62, 2] = -math.inf
    region = pack_trellis(graph, Selection.identity(0, 3), OFFSETS, "input", 3, "log")
    result = run(region, local, frames)
    # Paths enter in frame 62 at the earliest and loop in all frames after.
    expected = lse([-290.0 + 17.0 * (69 - entry) for entry in range(62, 70)])
    assert result.value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(result.gradient[1], 1.0, rtol=1e-12)
    np.testing.assert_allclose(result.frames_gradient.sum(axis=1), 1.0, rtol=1e-12)
