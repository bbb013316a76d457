"""CTC where scores are extreme, end to end: against a plain reference in the log domain, and the same in any thread."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from support.ctc_graphs import alignment_arcs, alignment_score, chain_score, fewest_frames

import arcgrad as ag
from arcgrad.runtime.call import execute as executor

CTC = "LSE[X] - LSE[X ∘ Y]"
COLUMNS = 40


@dataclass(frozen=True)
class Item:
    """Frames (T, C), and the labels that are to be read there."""

    scores: np.ndarray
    labels: list[int]


def ordinary(rng: np.random.Generator) -> Item:
    return Item(rng.normal(size=(50, COLUMNS)), rng.integers(1, COLUMNS, 12).tolist())


def huge(rng: np.random.Generator) -> Item:
    """±10⁴: next to nothing of a frame's columns is in float64's range."""
    return Item(1e4 * rng.choice([-1.0, 1.0], (60, COLUMNS)), rng.integers(1, COLUMNS, 20).tolist())


def wide(rng: np.random.Generator) -> Item:
    """Anything between −10⁴ and 10⁴."""
    return Item(1e4 * rng.uniform(-1, 1, (60, COLUMNS)), rng.integers(1, COLUMNS, 20).tolist())


def sharp(rng: np.random.Generator) -> Item:
    """Quiet frames between wild ones."""
    scores = rng.normal(size=(90, COLUMNS))
    scores[rng.random(90) < 0.2] *= 3e3
    return Item(scores, rng.integers(1, COLUMNS, 25).tolist())


def hundreds(rng: np.random.Generator) -> Item:
    """Frames whose columns are just beyond float64's range of one another."""
    return Item(300 * rng.normal(size=(50, COLUMNS)), rng.integers(1, COLUMNS, 20).tolist())


def absent(rng: np.random.Generator) -> Item:
    """Scores of −inf here and there, and columns that are −inf throughout."""
    labels = rng.integers(1, COLUMNS, 10).tolist()
    scores = 30 * rng.normal(size=(70, COLUMNS))
    scores[rng.random(scores.shape) < 0.15] = -math.inf
    scores[:, [c for c in range(1, COLUMNS) if c not in labels][:5]] = -math.inf
    return Item(scores, labels)


def label_never_there(rng: np.random.Generator) -> Item:
    """No alignment at all: a label's column is −inf throughout."""
    item = ordinary(rng)
    item.scores[:, item.labels[3]] = -math.inf
    return item


def frame_without_columns(rng: np.random.Generator) -> Item:
    """Neither an alignment nor any path."""
    item = ordinary(rng)
    item.scores[20] = -math.inf
    return item


def one_path(rng: np.random.Generator) -> Item:
    """All scores −inf but those along one alignment, and between it and any other."""
    labels = rng.permutation(np.arange(1, COLUMNS))[:15].tolist()
    path = [c for label in labels for c in [0] * int(rng.integers(3)) + [label] * int(rng.integers(1, 4))]
    scores = np.full((len(path), COLUMNS), -math.inf)
    scores[np.arange(len(path)), path] = 100 * rng.normal(size=len(path))
    return Item(scores, labels)


def shortest(rng: np.random.Generator) -> Item:
    """As many frames as the shortest alignment has: there is one."""
    labels = rng.integers(1, 6, 60).tolist()
    return Item(20 * rng.normal(size=(fewest_frames(labels), COLUMNS)), labels)


def one_frame_more(rng: np.random.Generator) -> Item:
    labels = rng.integers(1, 6, 48).tolist()
    return Item(5 * rng.normal(size=(fewest_frames(labels) + 1, COLUMNS)), labels)


def a_few_frames_more(rng: np.random.Generator) -> Item:
    """Paths that differ by hundreds of bits, and few of them: the best may be the least for a while."""
    labels = rng.integers(1, 3, 60).tolist()
    return Item(40 * rng.normal(size=(fewest_frames(labels) + 3, COLUMNS)), labels)


def too_short(rng: np.random.Generator) -> Item:
    labels = rng.integers(1, 6, 30).tolist()
    return Item(rng.normal(size=(fewest_frames(labels) - 1, COLUMNS)), labels)


def early_training(rng: np.random.Generator) -> Item:
    """Blanks at a probability near 1, and 80 labels to emit: states of a frame differ by more than 10³⁰⁸."""
    scores = rng.normal(size=(150, COLUMNS))
    scores[:, 0] += 25.0
    return Item(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True), rng.integers(1, COLUMNS, 80).tolist())


def nothing_to_read(rng: np.random.Generator) -> Item:
    return Item(300 * rng.normal(size=(40, COLUMNS)), [])


KINDS: list[Callable[[np.random.Generator], Item]] = [
    ordinary, huge, wide, sharp, hundreds, absent, label_never_there, frame_without_columns, one_path, shortest,
    one_frame_more, a_few_frames_more, too_short, early_training, nothing_to_read,
]  # fmt: skip
# Where not even LSE[X] has a path, the difference is undefined: such an item is no part of a batch.
BATCH = [kind for kind in KINDS if kind is not frame_without_columns]


def item_of(kind: Callable[[np.random.Generator], Item], seed: int, dtype: type) -> Item:
    item = kind(np.random.default_rng(seed))
    return Item(item.scores.astype(dtype), item.labels)


def target(labels: list[int]) -> ag.Graph:
    arcs, accept = alignment_arcs(labels)
    return ag.Graph.from_arcs(arcs, start=[0], accept=accept)


def close(found: float, right: float, scale: float, dtype: type) -> None:
    if math.isinf(right):
        assert found == right
    else:
        assert abs(found - right) <= (1e-6 if dtype is np.float32 else 1e-9) * max(1.0, scale)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_and_posteriors_are_those_of_the_reference(
    kind: Callable[[np.random.Generator], Item], dtype: type
) -> None:
    for seed in range(4):
        item = item_of(kind, seed, dtype)
        score, posteriors = alignment_score(item.scores, item.labels)
        chain, softmax = chain_score(item.scores)
        y = target(item.labels)
        if kind is not absent:  # where it is chance
            assert (score == -math.inf) == (kind in (label_never_there, frame_without_columns, too_short))
        value, gradient = ag.compile("LSE[X ∘ Y]", mode="fused").value_and_grad(X=item.scores, Y=y)
        close(value, score, abs(score), dtype)
        np.testing.assert_allclose(gradient["X"], posteriors, atol=1e-5)
        leaving = gradient["Y"].sum()  # every alignment takes as many arcs as there are frames
        assert leaving == pytest.approx(len(item.scores) if score > -math.inf else 0.0, rel=1e-6)
        if kind is frame_without_columns:
            with pytest.raises(ag.UndefinedError):
                ag.compile(CTC, mode="fused").value_and_grad(X=item.scores, Y=y)
            continue
        # As a batch of one, whose gradient is written where memory holds anything.
        out = np.full((1, *item.scores.shape), np.nan, dtype=dtype)
        value, gradient = ag.compile(CTC, mode="fused").value_and_grad(
            X=item.scores[None], Y=y, wrt="X", out={"X": out}
        )
        close(float(value[0]), chain - score, abs(score) + abs(chain), dtype)
        passes = 1.0 if score > -math.inf else 0.0  # no derivative passes below an infinite score
        np.testing.assert_allclose(gradient["X"][0], passes * (softmax - posteriors), atol=1e-5)


def test_the_reference_knows_a_published_order_of_magnitude() -> None:
    """In early training the score is near −25 for each label that is read beside the blanks, and far from −inf."""
    item = item_of(early_training, 0, np.float64)
    score, posteriors = alignment_score(item.scores, item.labels)
    assert -27.0 * len(item.labels) < score < -18.0 * len(item.labels)
    np.testing.assert_allclose(posteriors.sum(axis=1), 1.0, rtol=1e-9)


# -- threads and processes --------------------------------------------------------------------------------------------

Answer = tuple[np.ndarray, np.ndarray, list[np.ndarray]]


@cache
def batch(dtype: type) -> tuple[list[np.ndarray], list[ag.Graph]]:
    items = [item_of(kind, seed, dtype) for seed in range(2) for kind in BATCH]
    return [item.scores for item in items], [target(item.labels) for item in items]


def answer(dtype: type) -> Answer:
    """Values and gradients of the batch, and of all targets beside one shared dense input."""
    scores, targets = batch(dtype)
    value, gradient = ag.compile(CTC, mode="fused").value_and_grad(X=scores, Y=targets, wrt="X")
    shared = scores[BATCH.index(early_training)]
    other, total = ag.compile("LSE[X ∘ Y]", mode="fused").value_and_grad(X=shared, Y=targets)
    return np.append(value, other), total["X"], gradient["X"] + total["Y"]


def same(one: Answer, other: Answer) -> bool:
    pairs = zip((*one[:2], *one[2]), (*other[:2], *other[2]), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Into how many slices batches were cut."""
    seen: list[int] = []
    original = executor.run_slices
    monkeypatch.setattr(
        executor,
        "run_slices",
        lambda calls, work, **options: (seen.append(len(calls)), original(calls, work, **options)),
    )
    return seen


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_any_number_of_threads_gives_the_same_bits(
    dtype: type, monkeypatch: pytest.MonkeyPatch, slices: list[int]
) -> None:
    found = []
    for n_threads in (1, 2, 3):
        monkeypatch.setenv("ARCGRAD_THREADS", str(n_threads))
        found.append(answer(dtype))
    assert slices
    assert min(slices) > 3
    assert same(found[0], found[1])
    assert same(found[0], found[2])
    scores, _ = batch(dtype)
    for k, x in enumerate(scores):
        item = item_of(BATCH[k % len(BATCH)], k // len(BATCH), dtype)
        score, posteriors = alignment_score(x, item.labels)
        chain, softmax = chain_score(x)
        close(float(found[0][0][k]), chain - score, abs(chain) + abs(score), dtype)
        passes = 1.0 if score > -math.inf else 0.0
        np.testing.assert_allclose(found[0][2][k], passes * (softmax - posteriors), atol=1e-5)


def test_python_threads_at_once_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCGRAD_THREADS", "2")
    expected = {dtype: answer(dtype) for dtype in (np.float64, np.float32)}
    together = threading.Barrier(4)

    def call(k: int) -> bool:
        together.wait(timeout=60)
        dtype = (np.float64, np.float32)[k % 2]
        return all(same(answer(dtype), expected[dtype]) for _ in range(3))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(call, range(4)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCGRAD_THREADS", "2")
    expected = answer(np.float64)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if same(answer(np.float64), expected) and same(answer(np.float64), expected) else 2
        finally:
            os._exit(status)
    assert same(answer(np.float64), expected)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
