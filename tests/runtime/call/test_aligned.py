"""Alignments of a batch by two kernels: packed as their graphs are, and scored as an equation scores these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.ctc_graphs import alignment_score
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.compiler.graphs.selection import Selection
from arcgrad.runtime import threads
from arcgrad.runtime.call.losses import aligned
from arcgrad.runtime.call.losses.aligned import (
    FILLED_BY_EXPONENTIALS,
    FILLED_BY_NOTHING,
    FILLED_BY_SHARES,
    Alignments,
    Rows,
)
from arcgrad.runtime.kernels.packing.pack_alignments import (
    COLUMNS,
    FLOATS,
    INTS,
    WORK,
    alignment_sizes,
    pack_alignments,
)
from arcgrad.runtime.kernels.trellis.trellis_format import WIDTH
from arcgrad.runtime.regions import pack_trellis

FLAT = np.zeros(1, dtype=np.int64)
EQUATION = {
    FILLED_BY_NOTHING: ag.compile("0 - LSE[X ∘ Y]", mode="kernels"),
    FILLED_BY_SHARES: ag.compile("LSE[X] - LSE[X ∘ Y]", mode="kernels"),
}


def draw_targets(rng: np.random.Generator, n_items: int, n_columns: int, blank: int, longest: int) -> tuple[Any, Any]:
    """Labels (B, U), many of them equal to the one before, and how many count."""
    labels = rng.choice(np.delete(np.arange(n_columns), blank), size=(n_items, longest)).astype(np.int64)
    for k in range(1, longest):
        same = rng.random(n_items) < 0.3
        labels[same, k] = labels[same, k - 1]
    return labels, rng.integers(0, longest + 1, n_items)


def packed(labels: Any, row: int, counts: Any, steps: Any, blank: int, n_columns: int, n_steps: int = 99) -> Any:
    widest = int(counts.max(initial=0))
    most, scratch = alignment_sizes(widest, n_columns)
    out, bases = np.full(most * len(counts), -7, dtype=np.int32), np.empty(len(counts), dtype=np.int64)
    room, needs, shares = np.full(scratch, -7, dtype=np.int32), np.empty(4, dtype=np.int64), np.empty(len(counts))
    fits = pack_alignments(
        labels, row, counts, steps, n_steps, blank, n_columns, FLAT, out, bases, room, needs, True, shares
    )
    return fits, out, bases, needs, shares


@for_seeds(60)
def test_packs_what_the_graphs_are_packed_as(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_items, n_columns = int(rng.integers(1, 5)), int(rng.integers(2, 9))
    blank = int(rng.integers(n_columns))
    labels, counts = draw_targets(rng, n_items, n_columns, blank, int(rng.integers(1, 24)))
    steps = rng.integers(0, 100, n_items)
    flat = labels[np.arange(labels.shape[1]) < counts[:, None]]
    given = (labels.reshape(-1), labels.shape[1]) if seed % 2 else (flat, -1)
    fits, out, bases, needs, shares = packed(*given, counts, steps, blank, n_columns)
    assert fits
    regions = []
    for graph in ag.graphs.alignments(labels, blank, lengths=counts):
        topology = graph.topology
        selection = Selection.identity(0, topology.n_arcs)
        region = pack_trellis(topology, selection, FLAT, "input", n_columns, "log")
        assert region is not None
        regions.append(region)
    ends = [*bases[1:].tolist(), int(needs[INTS])]
    for region, begin, end in zip(regions, bases.tolist(), ends, strict=True):
        np.testing.assert_array_equal(out[begin:end], region.ints)
    assert needs[FLOATS] == max(region.work(count)[0] for region, count in zip(regions, steps, strict=True))
    assert needs[COLUMNS] == max(8 * region.ints[WIDTH] * count for region, count in zip(regions, steps, strict=True))
    assert needs[WORK] == sum(region.n_arcs * count for region, count in zip(regions, steps, strict=True))
    np.testing.assert_allclose(shares, 1 / np.maximum(counts, 1) / n_items, rtol=1e-15)


@pytest.mark.parametrize(
    ("labels", "row", "counts", "steps"),
    [
        ([1, 2, 3, 1], 2, [2, -1], [9, 9]),
        ([1, 2, 3, 1], 2, [2, 3], [9, 9]),
        ([1, 2, 3, 1], 2, [1, 2], [9, 100]),
        ([1, 2, 3, 1], 2, [1, 2], [-1, 9]),
        ([1, 5, 3, 1], 2, [2, 2], [9, 9]),
        ([1, 2, -1, 1], 2, [2, 2], [9, 9]),
        ([1, 2, 0, 1], 2, [2, 2], [9, 9]),
        ([1, 2, 3, 1], -1, [2, 1], [9, 9]),
        ([1, 2, 3, 1], -1, [2, 3], [9, 9]),
    ],
)
def test_says_what_is_out_of_range(labels: Any, row: int, counts: Any, steps: Any) -> None:
    as_ints = (np.array(each, dtype=np.int64) for each in (labels, counts, steps))
    labels, counts, steps = as_ints
    assert not packed(labels, row, counts, steps, 0, 5)[0]
    assert packed(np.array([1, 2, 3, 1]), 2, np.array([2, 2]), np.array([9, 99]), 0, 5)[0]


def lay_out(rng: np.random.Generator, scores: Any, kind: str) -> Any:
    """The same numbers (B, T, C) in another layout, among NaN."""
    n_items, n_steps, n_columns = scores.shape
    if kind == "by item":
        return scores.copy()
    if kind == "by step":
        return np.ascontiguousarray(scores.transpose(1, 0, 2)).transpose(1, 0, 2)
    wider = np.full((n_steps, n_items, n_columns + 3), np.nan, dtype=scores.dtype)
    if kind == "columns of a matrix":
        found = wider.transpose(1, 0, 2)[:, :, 2 : 2 + n_columns]
    else:
        found = np.full((2 * n_items, 3 * n_steps, n_columns), np.nan, dtype=scores.dtype)[1::2, 2::3]
    found[...] = scores
    return found


LAYOUTS = ("by item", "by step", "columns of a matrix", "of more")
MOODS = (0.0, 1.0, 30.0, 700.0)


def draw(seed: int) -> tuple[Any, Alignments, Any]:
    """Scores in some layout, targets, and the scores as they are."""
    rng = np.random.default_rng(seed)
    n_items, n_steps, n_columns = (int(rng.integers(*bounds)) for bounds in ((1, 6), (1, 70), (2, 40)))
    blank = int(rng.integers(n_columns))
    labels, counts = draw_targets(rng, n_items, n_columns, blank, int(rng.integers(1, 12)))
    scores = rng.normal(size=(n_items, n_steps, n_columns)) * rng.choice([1.0, 1.0, 10.0, 300.0])
    scores[:, :, blank] += rng.choice(MOODS)
    if rng.random() < 0.3:
        scores[rng.random(scores.shape) < 0.2] = rng.choice([-np.inf, -1e9, -1e30])
    scores = scores.astype((np.float64, np.float32)[seed % 2])
    steps = rng.integers(0, n_steps + 1, n_items) if rng.random() < 0.5 else np.full(n_items, n_steps)
    given = Alignments(labels.reshape(-1), labels.shape[1], counts, labels.shape[1], steps, blank)
    return lay_out(rng, scores, LAYOUTS[seed // 2 % 4]), given, scores


def graphs_of(given: Alignments) -> Any:
    return ag.graphs.alignments(given.labels.reshape(-1, given.row), given.blank, lengths=given.counts)


@for_seeds(160)
def test_has_the_bits_of_the_equation(seed: int) -> None:
    """Which runs the same steps over graphs: so what is tested of those holds here, extremes included."""
    laid_out, given, scores = draw(seed)
    frames = Rows.of(laid_out)
    assert frames is not None
    gradient = lay_out(
        np.random.default_rng(0), np.full(scores.shape, np.nan, dtype=scores.dtype), LAYOUTS[seed // 8 % 4]
    )
    around = gradient if gradient.base is None else gradient.base
    before = around.copy()
    found = given.evaluate(frames, Rows.of(gradient))
    assert found is not None
    value, gradients = EQUATION[FILLED_BY_NOTHING].value_and_grad(
        X=ag.dense(scores, given.steps), Y=graphs_of(given), wrt="X"
    )
    np.testing.assert_array_equal(0.0 - found[0], value)
    past = np.arange(scores.shape[1]) >= given.steps[:, None]
    gradients["X"][past] = 0.0
    np.testing.assert_array_equal(gradient, gradients["X"])
    gradient[...] = np.nan
    np.testing.assert_array_equal(around, before)  # nothing else was written
    alone = given.evaluate(frames)
    assert alone is not None
    np.testing.assert_array_equal(alone[0], found[0])


@for_seeds(40)
def test_agrees_with_sums_in_the_log_domain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, counts = draw_targets(rng, 3, 6, 0, 7)
    scores = rng.normal(size=(3, 30, 6)) * rng.choice([1.0, 100.0])
    gradient = np.empty_like(scores)
    frames, to = Rows.of(scores), Rows.of(gradient)
    assert frames is not None
    given = Alignments(labels.reshape(-1), 7, counts, 7, np.array([30, 30, 30]), 0)
    found = given.evaluate(frames, to, is_mean=True)
    assert found is not None
    for item in range(3):
        value, posteriors = alignment_score(scores[item], labels[item, : counts[item]].tolist())
        assert found[0][item] == pytest.approx(value, rel=1e-12, abs=1e-10)
        share = 1 / max(counts[item], 1) / 3
        np.testing.assert_allclose(gradient[item], -share * posteriors, atol=1e-10)


@for_seeds(60)
def test_fills_what_else_is_asked_for(seed: int) -> None:
    laid_out, given, scores = draw(seed)
    scores = np.clip(scores, None, 70.0)
    laid_out[...] = scores
    frames = Rows.of(laid_out)
    assert frames is not None
    tolerance = 1e-5 if scores.dtype == np.float32 else 1e-11
    plain, filled, shared = (np.empty_like(scores) for _ in range(3))
    one = given.evaluate(frames, Rows.of(plain))
    other = given.evaluate(frames, Rows.of(filled), FILLED_BY_EXPONENTIALS)
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one[0], other[0])
    counting = (np.arange(scores.shape[1]) < given.steps[:, None]) & (one[0] > -np.inf)[:, None]
    expected = plain + np.where(counting[:, :, None], np.exp(scores.astype(np.float64)), 0.0)
    np.testing.assert_allclose(filled, expected, rtol=tolerance, atol=tolerance)
    last = given.evaluate(frames, Rows.of(shared), FILLED_BY_SHARES)
    assert last is not None
    if np.isfinite(one[0]).all():
        value, gradients = EQUATION[FILLED_BY_SHARES].value_and_grad(
            X=ag.dense(scores, given.steps), Y=graphs_of(given), wrt="X"
        )
        np.testing.assert_allclose(0.0 - last[0], value, rtol=1e-12, atol=1e-6 if scores.dtype == np.float32 else 1e-9)
        gradients["X"][np.arange(scores.shape[1]) >= given.steps[:, None]] = 0.0
        np.testing.assert_allclose(shared, gradients["X"], atol=tolerance)
    alone = given.evaluate(frames, None, FILLED_BY_SHARES)
    assert alone is not None
    np.testing.assert_array_equal(alone[0], last[0])


def test_bits_do_not_depend_on_threads_or_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    labels, counts = draw_targets(rng, 9, 200, 0, 40)
    scores = np.ascontiguousarray(rng.normal(size=(300, 9, 200)).astype(np.float32)).transpose(1, 0, 2)
    given = Alignments(labels.reshape(-1), 40, counts, 40, rng.integers(100, 301, 9), 0)
    seen = []
    for n, together in ((1, 1 << 22), (2, 1 << 22), (3, 1), (1, 100_000)):
        monkeypatch.setattr(threads, "n_threads", lambda n=n: n)
        monkeypatch.setattr(aligned, "_MOST_TOGETHER", together)
        gradient = np.empty_like(scores)
        frames = Rows.of(scores)
        assert frames is not None
        found = given.evaluate(frames, Rows.of(gradient), FILLED_BY_SHARES)
        assert found is not None
        seen.append((found[0].tobytes(), np.ascontiguousarray(gradient).tobytes()))
    assert len(set(seen)) == 1
    item = Alignments(labels[4], 40, counts[4:5], 40, given.steps[4:5], 0)
    gradient = np.empty_like(scores[4:5])
    frames = Rows.of(scores[4:5])
    assert frames is not None
    alone = item.evaluate(frames, Rows.of(gradient), FILLED_BY_SHARES)
    assert alone is not None
    assert alone[0].tobytes() == seen[0][0][32:40]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e301])
def test_shows_scores_that_are_none(dtype: Any, bad: float) -> None:
    scores = np.zeros((2, 5, 40), dtype=dtype)
    given = Alignments(np.array([1, 2]), 1, np.array([1, 1]), 1, np.array([4, 5]), 0)
    for column in (0, 1, 17, 39):
        for step, is_bad in ((4, False), (3, True)):  # the one is past the length
            scores[...] = 0.0
            with np.errstate(over="ignore"):
                scores[0, step, column] = bad
            frames = Rows.of(scores)
            assert frames is not None
            found = given.evaluate(frames, Rows.of(np.empty_like(scores)))
            assert found is not None
            assert np.isnan(found[0]).tolist() == [is_bad, False]


def test_rows_of_what_cannot_be_read_in_place() -> None:
    scores = np.zeros((4, 6, 8))
    assert Rows.of(scores[:, :, ::2]) is None
    assert Rows.of(scores.transpose(0, 2, 1)) is None
    windows = np.lib.stride_tricks.sliding_window_view(np.zeros((1, 20)), 8, axis=1)
    assert Rows.of(windows) is None
    assert Rows.of(np.zeros((2, 0, 3))) is None
    for broadcast in (np.broadcast_to(scores[:1], (3, 6, 8)), np.broadcast_to(scores[:, :1], (4, 5, 8))):
        found = Rows.of(broadcast)
        assert found is not None
        assert found.step in (0, 1)
