"""Expectations and entropies over dense compositions, against the reference functions on what is built."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kernel_harness import random_graph, random_selection, run, unroll
from support.ctc_graphs import alignment_graph
from support.magnitudes import MASKS, with_penalties
from support.seeds import for_seeds

from arcgrad.compiler.graphs.orders import topological_order
from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.runtime.kernels.expectation.places import LONGEST
from arcgrad.runtime.kernels.trellis.blocks import KEPT
from arcgrad.runtime.reference.exact_weights import in_units
from arcgrad.runtime.reference.expectations import entropy, expectation
from arcgrad.runtime.regions import pack_frames, pack_trellis
from arcgrad.runtime.regions.values import with_values

OFFSETS = np.zeros(1, dtype=np.int64)
DTYPES = [np.float64, np.float32]


class Case:
    """A graph, with entries that its arcs' weights and values add up, and frames with values."""

    def __init__(
        self,
        graph: Topology,
        selections: tuple[Selection, Selection],
        local: np.ndarray,
        frames: np.ndarray,
        values: np.ndarray,
    ) -> None:
        self.graph, self.selections, self.local, self.frames, self.values = graph, selections, local, frames, values
        self.built, self.arcs, self.cells = unroll(graph, len(frames), frames.shape[1])

    def entries(self, kind: int, arc: int) -> np.ndarray:
        selection = self.selections[kind]
        return selection.arc[selection.offsets[arc] : selection.offsets[arc + 1]]

    def built_weights(self, kind: int) -> np.ndarray:
        own = self.selections[kind].weights(self.local, OFFSETS)[self.arcs]
        frames = (self.frames if kind == 0 else self.values).astype(np.float64)
        return own + np.where(self.cells >= 0, np.append(frames.ravel(), 0.0)[self.cells], 0.0)

    def exact(self) -> np.ndarray:
        units = in_units(self.local.tolist())
        columns = in_units([*self.frames.astype(np.float64).ravel().tolist(), 0.0])
        own = [sum(units[e] for e in self.entries(0, arc)) for arc in range(self.graph.n_arcs)]
        return np.array([own[a] + columns[c] for a, c in zip(self.arcs, self.cells, strict=True)], dtype=object)

    def collect(self, *gradients: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Derivatives with respect to entries, and to each kind's frames."""
        by_entry, by_frames = np.zeros(len(self.local)), []
        for kind, gradient in enumerate(gradients):
            by_arc = np.bincount(self.arcs, gradient, self.graph.n_arcs) if len(self.arcs) else np.zeros(0)
            for arc in range(len(by_arc)):
                np.add.at(by_entry, self.entries(kind, arc), by_arc[arc])
            read = self.cells >= 0
            found = np.bincount(self.cells[read], gradient[read], self.frames.size)
            by_frames.append(found.reshape(self.frames.shape))
        return by_entry, by_frames

    def check(self, semiring: str, tolerance: float = 1e-9) -> None:
        weights, values, exact = self.built_weights(0), self.built_weights(1), self.exact()
        packed = pack_trellis(self.graph, self.selections[0], OFFSETS, "input", self.frames.shape[1], "log")
        given = None
        if semiring == "expectation":
            region = with_values(packed, semiring, self.selections[1:], OFFSETS)
            value, *gradients = expectation(self.built, weights, values, exact)
            given = self.values
        else:
            region = with_values(packed, semiring, [], OFFSETS)
            value, *gradients = entropy(self.built, weights, exact)
        result = run(region, self.local, self.frames, cotangent=0.5, values=given)
        size = max(1.0, float(np.abs(values[np.isfinite(values)]).max(initial=0.0))) if given is not None else 1.0
        if self.frames.dtype == np.float32:
            tolerance = 1e-6
        assert result.value == pytest.approx(value, rel=tolerance, abs=tolerance * size)
        if math.isfinite(value):
            by_entry, by_frames = self.collect(*gradients)
            near = {"rtol": tolerance, "atol": tolerance * size}
            np.testing.assert_allclose(result.gradient, 0.5 * by_entry, **near)
            np.testing.assert_allclose(result.frames_gradient, 0.5 * by_frames[0], **near)
            if given is not None:
                np.testing.assert_allclose(result.values_gradient, 0.5 * by_frames[1], **near)


def random_case(seed: int, dtype: type) -> Case:
    """A graph with ε arcs, labels that match nothing, scores of any size, and −inf among weights and values."""
    rng = np.random.default_rng(seed)
    while True:
        graph = random_graph(rng, n_states=4, n_arcs=9, acyclic=False, n_labels=4, epsilon=0.3)
        silent = graph.ilabel == -1
        if topological_order(graph.n_states, graph.src[silent], graph.dst[silent]) is not None:
            break
    own = seed % 3 == 0
    n_entries = 2 * graph.n_arcs if own else 9
    first, second = (random_selection(rng, graph.n_arcs, n_entries, own) for _ in range(2))
    if own:
        second = Selection(second.offsets, second.leaf, second.arc + np.int32(graph.n_arcs))
    frames = rng.normal(size=(int(rng.integers(0, 5)), 3))
    scale = rng.choice([1.0, 1.0, 30.0, 2000.0])
    frames, local = with_penalties(rng, scale * frames), with_penalties(rng, scale * rng.normal(size=n_entries))
    frames[rng.random(frames.shape) < 0.1] = -math.inf
    local[rng.random(n_entries) < 0.05] = -math.inf
    values = rng.normal(size=frames.shape)
    if seed % 2:
        local[second.arc] = rng.normal(size=len(second.arc))
    else:
        values[rng.random(frames.shape) < 0.05] = -math.inf
    return Case(graph, (first, second), local, frames.astype(dtype), values.astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@for_seeds(80)
def test_expectations_of_random_trellises(seed: int, dtype: type) -> None:
    random_case(seed, dtype).check("expectation")


@pytest.mark.parametrize("dtype", DTYPES)
@for_seeds(60)
def test_entropies_of_random_trellises(seed: int, dtype: type) -> None:
    random_case(seed, dtype).check("entropy")


def chain(n_tags: int) -> Topology:
    """A linear-chain model: every tag after every other, and after state 0 at the start."""
    src, dst = np.divmod(np.arange((n_tags + 1) * n_tags), n_tags)
    return Topology.make(n_tags + 1, src, dst + 1, dst, None, [0], np.arange(1, n_tags + 1))


def long_case(rng: np.random.Generator, graph: Topology, n_columns: int, n_frames: int, scale: float = 1.0) -> Case:
    n = graph.n_arcs
    second = Selection.identity(0, n)
    second = Selection(second.offsets, second.leaf, second.arc + np.int32(n))
    frames, values = rng.normal(size=(2, n_frames, n_columns))
    return Case(graph, (Selection.identity(0, n), second), rng.normal(size=2 * n), scale * frames, values)


@pytest.mark.parametrize("n_frames", [0, 1, LONGEST - 1, LONGEST, LONGEST + 1, 2 * LONGEST + 5])
def test_any_number_of_frames(n_frames: int) -> None:
    rng = np.random.default_rng(n_frames)
    for graph in (alignment_graph([1, 2, 2, 3]), chain(5)):
        case = long_case(rng, graph, 5, n_frames)
        case.check("expectation")
        case.check("entropy")


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("where", ["a frame", "all arcs", "half of the arcs", "half of the columns", "columns"])
def test_masks_change_no_expectation(where: str, mask: float) -> None:
    rng = np.random.default_rng(7)
    for graph in (alignment_graph([1, 2, 2, 3]), chain(4)):
        case = long_case(rng, graph, 5, 9)
        n = graph.n_arcs
        if where == "a frame":
            case.frames[3] = mask
        elif where == "columns":
            case.frames[:, 1:3] = mask
        elif where == "half of the columns":
            case.frames[rng.random(case.frames.shape) < 0.5] = mask
        else:
            case.local[: n : 1 if where == "all arcs" else 2] = mask
        case.check("expectation")
        case.check("entropy")


@pytest.mark.parametrize("dtype", DTYPES)
@for_seeds(24)
def test_full_matrices(seed: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    n_tags = int(rng.choice([3, 4, 8, 9, 13]))
    n = n_tags * (n_tags + 1)
    graph = chain(n_tags)
    case = long_case(rng, graph, n_tags + 2, int(rng.choice([1, 2, LONGEST, LONGEST + 3])))
    if seed % 3 == 0:  # some transitions, columns and starts are absent
        case.local[:n][rng.random(n) < 0.2] = -math.inf
        case.frames[rng.random(case.frames.shape) < 0.1] = -math.inf
        case.values[rng.random(case.values.shape) < 0.05] = 3.0
    if seed % 4 == 1:
        case.frames *= 40.0
        case.local[:n] *= rng.choice([10.0, 70.0])
    if seed % 6 == 2:
        case.local[n + int(rng.integers(n))] = -math.inf
    if seed % 6 == 3:
        case.values[0, 0] = -math.inf
    if seed % 6 == 4:
        case.local[n:] += 1e6
    case.frames, case.values = case.frames.astype(dtype), case.values.astype(dtype)
    case.check("expectation")


def test_more_frames_than_rows_are_kept() -> None:
    """Rows, and what is expected by row, are computed again for the way back; against differences of the log kernel."""
    rng = np.random.default_rng(5)
    n_states, n_frames, n_columns = 300, 290, 4
    src, dst = rng.integers(0, n_states, (2, 4 * n_states))
    graph = Topology.make(n_states, src, dst, rng.integers(0, n_columns, len(src)), None, [0, 1], np.arange(50))
    n = graph.n_arcs
    weights, values = rng.normal(size=(2, n))
    frames, frame_values = rng.normal(size=(2, n_frames, n_columns))
    packed = pack_trellis(graph, Selection.identity(0, n), OFFSETS, "input", n_columns, "log")
    assert packed.n_states * n_frames > KEPT
    step = 1e-5
    up = run(packed, weights + step * values, frames + step * frame_values)
    down = run(packed, weights - step * values, frames - step * frame_values)
    selection = Selection.identity(0, n)
    own = Selection(selection.offsets, selection.leaf, selection.arc + np.int32(n))
    region = with_values(packed, "expectation", [own], OFFSETS)
    found = run(region, np.concatenate([weights, values]), frames, values=frame_values)
    assert found.value == pytest.approx((up.value - down.value) / (2 * step), rel=1e-7)
    by_weight = (up.gradient - down.gradient) / (2 * step)
    np.testing.assert_allclose(found.gradient[:n], by_weight, rtol=1e-5, atol=1e-5)
    middle = run(packed, weights, frames)
    np.testing.assert_allclose(found.gradient[n:], middle.gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.values_gradient, middle.frames_gradient, rtol=1e-9, atol=1e-9)
    by_frames = (up.frames_gradient - down.frames_gradient) / (2 * step)
    np.testing.assert_allclose(found.frames_gradient, by_frames, rtol=1e-5, atol=1e-5)
    # The entropy's derivative along its own weights: −Var(log p).
    entropy_region = with_values(packed, "entropy", [], OFFSETS)
    found = run(entropy_region, weights, frames)
    up = run(entropy_region, weights * (1 + step), frames * (1 + step))
    down = run(entropy_region, weights * (1 - step), frames * (1 - step))
    along = float(found.gradient @ weights + np.sum(found.frames_gradient * frames))
    assert along == pytest.approx((up.value - down.value) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("graph", [alignment_graph([1, 2, 2, 3, 4, 4, 1]), chain(3)])
@for_seeds(8)
def test_scores_that_need_slow_frames(seed: int, graph: Topology) -> None:
    rng = np.random.default_rng(seed)
    case = long_case(rng, graph, 5, 40, scale=float(rng.choice([1.0, 30.0, 300.0])))
    if seed % 2:
        case.frames[rng.random(case.frames.shape) < 0.05] = -1e4
    if seed % 4 == 2:
        case.values[int(rng.integers(40)), :] = -math.inf
    case.check("expectation")
    case.check("entropy")


def test_tags_that_fall_out_of_range_and_come_back() -> None:
    rng = np.random.default_rng(3)
    n_tags, n_frames = 8, 260
    case = long_case(rng, chain(n_tags), n_tags, n_frames)
    tags = np.arange(n_tags)
    before, after = np.divmod(np.arange(len(case.local) // 2), n_tags)
    apart = (before > 0) & ((before - 1) % 2 != after % 2)
    case.local[: len(apart)][apart] = -math.inf
    case.frames[: n_frames // 2, tags % 2 == 1] -= 8.0
    case.frames[n_frames // 2 :, tags % 2 == 1] += 9.0
    case.check("expectation")


def test_values_may_be_left_out() -> None:
    rng = np.random.default_rng(0)
    case = long_case(rng, chain(4), 4, 6)
    case.values[:] = 0.0
    packed = pack_trellis(case.graph, case.selections[0], OFFSETS, "input", 4, "log")
    region = with_values(packed, "expectation", case.selections[1:], OFFSETS)
    whole = run(region, case.local, case.frames, values=case.values)
    without = run(region, case.local, case.frames, values=np.zeros((0, 4)))
    assert without.value == whole.value
    np.testing.assert_array_equal(without.gradient, whole.gradient)
    np.testing.assert_array_equal(without.frames_gradient, whole.frames_gradient)


@pytest.mark.parametrize("semiring", ["expectation", "entropy"])
@pytest.mark.parametrize("dtype", DTYPES)
@for_seeds(50)
def test_dense_inputs_alone(seed: int, dtype: type, semiring: str) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(0, 5)), int(rng.choice([0, 1, 3, 8, 21, 40])))
    frames = with_penalties(rng, rng.normal(size=shape) * rng.choice([1.0, 30.0]))
    frames[rng.random(shape) < 0.1] = -math.inf
    if seed % 5 == 0 and len(frames):
        frames[-1] = rng.choice([-math.inf, -1e30])
    values = rng.normal(size=shape)
    if seed % 4 == 0:
        values[rng.random(shape) < 0.02] = -math.inf
    frames, values = frames.astype(dtype), values.astype(dtype)
    n = frames.size
    rows, columns = np.divmod(np.arange(n), max(shape[1], 1))
    graph = Topology.make(shape[0] + 1, rows, rows + 1, columns, None, [0], [shape[0]])
    region = with_values(pack_frames("log"), semiring, [], OFFSETS)
    weights = frames.astype(np.float64).ravel()
    given = None
    if semiring == "expectation":
        value, by_weights, by_values = expectation(graph, weights, values.astype(np.float64).ravel())
        given = values
    else:
        value, by_weights = entropy(graph, weights)
    result = run(region, np.zeros(0), frames, cotangent=0.5, values=given)
    near = 1e-11 if dtype == np.float64 else 2e-6
    assert result.value == pytest.approx(value, rel=near, abs=near)
    if math.isfinite(value):
        np.testing.assert_allclose(result.frames_gradient.ravel(), 0.5 * by_weights, rtol=near, atol=near)
        if given is not None:
            np.testing.assert_allclose(result.values_gradient.ravel(), 0.5 * by_values, rtol=near, atol=near)


SIZES = (0.0, 1.0, -1.0, 45.0, -45.0, 300.0, -300.0, 700.0, -745.0, -1000.0, -math.inf)


@pytest.mark.parametrize("semiring", ["expectation", "entropy"])
@for_seeds(60)
def test_scores_that_give_linear_numbers_trouble(seed: int, semiring: str) -> None:
    """Graphs without ε arcs, of all formats; what one form cannot do exactly, the next one does."""
    rng = np.random.default_rng(seed)
    graph = (
        alignment_graph(rng.integers(1, 5, int(rng.integers(0, 6))).tolist()),
        chain(int(rng.integers(7, 11))),
        random_graph(rng, n_states=12, n_arcs=40, acyclic=False, n_labels=5),
    )[seed % 3]
    case = long_case(rng, graph, 11, int(rng.integers(1, 20)))
    sizes = SIZES[: int(rng.choice([3, 6, 8, len(SIZES)]))]
    for scores in (case.local[: graph.n_arcs], case.frames):
        chosen = rng.random(scores.shape) < 0.5
        scores[chosen] = rng.choice(sizes, int(chosen.sum()))
    if seed % 10 == 0:
        case.values[rng.random(case.values.shape) < 0.1] = -math.inf
    if seed % 5 == 1:
        case.values *= 1e8
    case.check(semiring)
