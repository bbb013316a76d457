"""Fully connected models, whose trellises are computed row by row, and the exponentials of the kernel library."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kernel_harness import run, unroll

from arcgrad.compiler.regions import pack_graph, pack_trellis
from arcgrad.compiler.selection import Selection
from arcgrad.compiler.topology import Topology
from arcgrad.runtime.kernels.exponentials import exponential, exponential_float32
from arcgrad.runtime.kernels.frames_log import greatest, greatest_float32
from arcgrad.runtime.kernels.steps import are_rows_dense

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


@pytest.mark.parametrize("epsilon", [False, True])
@pytest.mark.parametrize("scale", [1.0, 40.0, 1000.0])
@pytest.mark.parametrize("n_tags", [9, 12, 37])
def test_dense_rows_agree_with_the_built_lattice(n_tags: int, scale: float, epsilon: bool) -> None:
    rng = np.random.default_rng(n_tags)
    graph = fully_connected(n_tags, epsilon)
    local = scale * rng.normal(size=graph.n_arcs)
    local[rng.random(graph.n_arcs) < 0.05] = -math.inf
    frames = scale * rng.normal(size=(30, 7))
    frames[rng.random(frames.shape) < 0.02] = -math.inf
    region = pack_trellis(graph, Selection.identity(0, graph.n_arcs), OFFSETS, "input", 7, "log")
    slots, emitting = (region.ints[region.ints[at] :].view(np.uint32) for at in (12, 15))
    sources = region.ints[region.ints[9] :].view(np.uint32)
    assert are_rows_dense.python(sources, slots[: region.ints[8]], emitting[: n_tags + 1])
    result = run(region, local, frames)
    built, arcs, cells = unroll(graph, len(frames), 7)
    pairs = np.stack([arcs, np.where(cells >= 0, graph.n_arcs + cells, -1)], axis=1)
    present = pairs >= 0
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    entries = pairs[present].astype(np.int32)
    selection = Selection(offsets, np.zeros(len(entries), np.int32), entries)
    expected = run(pack_graph(built, selection, OFFSETS, "log"), np.concatenate([local, frames.ravel()]))
    assert result.value == pytest.approx(expected.value, rel=1e-12)
    tolerance = 1e-13 * scale * len(frames)
    np.testing.assert_allclose(result.gradient, expected.gradient[: graph.n_arcs], rtol=1e-9, atol=tolerance)
    by_frame = expected.gradient[graph.n_arcs :].reshape(frames.shape)
    np.testing.assert_allclose(result.frames_gradient, by_frame, rtol=1e-9, atol=tolerance)


def test_exponentials() -> None:
    for x in [*np.linspace(-700.0, 700.0, 4001).tolist(), 0.0, -707.9]:
        assert exponential(x) == pytest.approx(math.exp(x), rel=5e-16)
    assert exponential(-math.inf) == exponential(-709.0) == 0.0
    for x in np.linspace(-10.0, 0.0, 1001).astype(np.float32):
        assert float(exponential_float32(x)) == pytest.approx(math.exp(float(x)), rel=2e-7)
    assert exponential_float32(np.float32(-math.inf)) == exponential_float32(np.float32(-88.0)) == 0.0
    assert exponential(0.0) == float(exponential_float32(np.float32(0.0))) == 1.0


@pytest.mark.parametrize("size", [0, 1, 5, 64, 100])
def test_the_greatest_of_a_row(size: int) -> None:
    rng = np.random.default_rng(size)
    for offset in (-100.0, 0.0, 100.0):
        row = rng.normal(size=size) + offset
        row[::3] = -math.inf
        expected = row.max(initial=-math.inf)
        expected = expected if expected > -math.inf else 0.0
        assert greatest(row) == expected
        assert greatest_float32(row.astype(np.float32)) == np.float32(expected)
