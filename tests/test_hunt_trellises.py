"""Trellises of extreme scores against sums in the log domain: some that were wrong once, and a part of the hunt.

``make hunt`` hunts at full length; see `hunts.trellises`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from math import inf

import hunts.trellises
import numpy as np
import pytest
from hunts.draws import CROSSED, MOODS, draw_shape
from hunts.reference import Reference
from hunts.stand import CALLS, FORMATS, Found, Stand
from hunts.trellises import Case, hunt, problems
from support.seeds import for_seeds

from arcgrad.compiler.graphs.topology import Topology

ARCS, STRIPS, MATRIX = range(3)

# -- the reference itself ---------------------------------------------------------------------------------------------


def paths(graph: Topology, n_frames: int, n_columns: int) -> Iterator[list[tuple[int, int]]]:
    """Every accepting path, as (arc, frame that it takes or −1)."""
    left: list[tuple[int, int, list[tuple[int, int]]]] = [(int(s), 0, []) for s in graph.start]
    accept = set(graph.accept.tolist())
    while left:
        state, t, path = left.pop()
        if t == n_frames and state in accept:
            yield path
        for arc in np.flatnonzero(graph.src == state).tolist():
            label = int(graph.ilabel[arc])
            if label == -1:
                left.append((int(graph.dst[arc]), t, [*path, (arc, -1)]))
            elif label < n_columns and t < n_frames:
                left.append((int(graph.dst[arc]), t + 1, [*path, (arc, t)]))


@for_seeds(150)
def test_the_reference_is_the_sum_over_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_columns, n_frames = int(rng.integers(1, 4)), int(rng.integers(0, 4))
    n_states, n_arcs = int(rng.integers(1, 4)), int(rng.integers(0, 7))
    src, dst = rng.integers(0, n_states, (2, n_arcs))
    label = np.where((src < dst) & (rng.random(n_arcs) < 0.4), -1, rng.integers(0, n_columns + 1, n_arcs))
    start, accept = (np.flatnonzero(rng.random(n_states) < 0.7) for _ in range(2))
    graph = Topology.make(n_states, src, dst, label, None, start, accept)
    scores = [0.0, 0.0, 0.5, -1.0, 45.0, -700.0, 1000.0, -1e4, -inf]
    weights, frames = rng.choice(scores, (n_arcs, 3)), rng.choice(scores, (n_frames, n_columns, 3))
    found = Reference(graph, n_columns)(weights, frames)
    for draw in range(3):
        arcs, columns, scale = np.zeros(n_arcs), np.zeros((n_frames, n_columns)), 0.0
        totals = []
        for path in paths(graph, n_frames, n_columns):
            terms = [float(weights[arc, draw]) for arc, _ in path]
            terms += [float(frames[t, label[arc], draw]) for arc, t in path if t >= 0]
            totals.append((sum(terms), path, sum(map(abs, terms))))
        best = max((total for total, _, _ in totals), default=-inf)
        value = best
        if best > -inf:
            value += math.log(math.fsum(math.exp(total - best) for total, _, _ in totals))
            for total, path, size in totals:
                share = math.exp(total - value)
                scale += share * size if share else 0.0
                for arc, t in path:
                    arcs[arc] += share
                    if t >= 0:
                        columns[t, label[arc]] += share
            scale += abs(value)
        assert found.values[draw] == pytest.approx(value, rel=1e-13, abs=1e-12)
        np.testing.assert_allclose(found.arcs[:, draw], arcs, atol=1e-10)
        np.testing.assert_allclose(found.columns[:, :, draw], columns, atol=1e-10)
        assert found.scale[draw] == pytest.approx(scale, rel=1e-9, abs=1e-9)


# -- trellises that were wrong ----------------------------------------------------------------------------------------


def full(labels: list[int], weights: list[float], frames: list[list[float]], **ends: list[int]) -> Case:
    """Every state after every other, each entered with its label; weights by destination, then source."""
    n = len(labels)
    arcs = [(source, state, labels[state]) for state in range(n) for source in range(n)]
    start, accept = (ends.get(name, list(range(n))) for name in ("start", "accept"))
    return Case.make(n, arcs, start, accept, weights, len(frames[0]), frames)


def row(arcs: list[tuple[int, int, int]], weights: list[float], frames: list[list[float]]) -> Case:
    """States in a row from 0, and some arcs; the last two accept."""
    n = 1 + max(max(arc[:2]) for arc in arcs)
    return Case.make(n, arcs, [0], [n - 2, n - 1], weights, len(frames[0]), frames)


ONE_LOOP = [(0, 0, 0)]
WERE_WRONG: dict[str, tuple[int, Case]] = {
    # A loop's weight is so low that exponents, raised by a few bits less each time, never reached those of its scores.
    "a loop of −1000": (ARCS, Case.make(1, ONE_LOOP, [0], [0], [-1000.0], 1, [[45.0], [1.0], [1.0], [-1.0], [-1.0]])),
    "a loop of −745, and a last frame of −45": (
        ARCS,
        Case.make(1, ONE_LOOP, [0], [0], [-745.0], 1, [[0.0], [0.0], [0.0], [0.0], [-45.0]]),
    ),
    "a cycle of two states, one way at −1000": (
        ARCS,
        Case.make(2, [(1, 0, 1), (0, 1, 0)], [0, 1], [1], [0.0, -1000.0], 2, [[0.0, 0.0]] * 4 + [[-86.0, 0.0]]),
    ),
    "one frame, and ε at −745": (
        ARCS,
        Case.make(3, [(1, 2, -1), (2, 0, 0), (1, 1, 1)], [0, 1, 2], [0], [0.0, -745.0, 0.0], 2, [[-300.0, 0.0]]),
    ),
    "one frame, and a state entered at −1000 from all": (
        MATRIX,
        full([0, 3, 2, 0, 3, 1, 2, 0], [0.0] * 24 + [-1000.0] * 8 + [0.0] * 32, [[0.0, 0.0, 0.0, 123.0]], accept=[3]),
    ),
    "loops of −745, each alone": (
        STRIPS,
        Case.make(
            4, [(0, 0, 0), (1, 1, 1), (2, 2, 0), (3, 3, 0)], [0, 1, 2, 3], [0, 1, 2, 3], [-745.0] * 4, 2,
            [[0.0, 0.0], [0.0, 0.0], [32.0, 0.0], [0.0, 0.0], [-6.0, -11.0]], "float32",
        ),
    ),
    "a last loop of −1000": (
        STRIPS,
        row([(0, 1, 2), (1, 2, 0), (2, 3, 1), (3, 4, 0), (4, 4, 0)], [0.0] * 4 + [-1000.0],
            [[0.0, 0.0, 39.0]] + [[0.0, 0.0, 0.0]] * 4),
    ),
    "some loops of −1000, and another value than it should be": (
        STRIPS,
        Case.make(
            6, [(0, 3, 3), (2, 5, 1), (1, 0, 0), (3, 2, 1), (5, 4, 2), (2, 2, 1), (3, 3, 3), (4, 4, 2), (5, 5, 1)],
            list(range(6)), list(range(6)), [0.0] * 4 + [-1000.0] * 5, 4,
            [[0.0] * 4, [0.0] * 4, [0.0, -61.0, 0.0, 0.0], [0.0] * 4, [0.0, 0.0, 69.0, 0.0]],
        ),
    ),
    "a frame of 10⁴, and another value than it should be": (
        ARCS,
        Case.make(3, [(0, 1, 1), (2, 2, 0), (2, 1, 2)], [0, 1, 2], [0, 1, 2], [0.0] * 3, 3,
                  [[0.0] * 3] * 3 + [[0.0, 0.0, 1e4], [-45.0, 0.0, -45.0]]),
    ),
    # A column of −inf behind others of wide range: 0 · inf.
    "a column falls to −1000, then to −inf": (
        MATRIX, full([0, 1, 0, 1, 0, 1, 0, 1, 0], [0.0] * 81, [[0.0, 0.0]] * 3 + [[0.0, -1000.0], [0.0, -inf]]),
    ),
    "two falls of a column": (
        MATRIX,
        full([0, 1, 2, 0, 1, 2, 0, 1], [0.0] * 64, [[0.0] * 3] * 4
             + [[-1000.0, 0.0, 0.0], [0.0] * 3, [0.0] * 3, [-1000.0, 0.0, 0.0], [-inf, 0.0, 0.0]], start=[1]),
    ),
    "a column falls, and the only accepting state with it": (
        MATRIX, full([0, 1, 0, 1, 0, 1, 0, 1], [0.0] * 64, [[0.0, 0.0]] * 3 + [[0.0, -745.0], [0.0, -inf]], accept=[5]),
    ),
    "a column of a CTC graph falls": (
        STRIPS,
        row([(0, 1, 3), (1, 2, 0), (1, 3, 2), (2, 3, 2), (3, 4, 0), (3, 5, 1), (4, 5, 1), (5, 6, 0), (5, 7, 2),
             (6, 7, 2), (7, 7, 2), (7, 8, 0), (7, 9, 3), (8, 9, 3), (9, 10, 0)],
            [0.0] * 15, [[0.0, 0.0, 0.0, fall] for fall in (0.0, 0.0, 0.0, 0.0, -1e3, 0.0, -745.0, -1e3, -inf)]),
    ),
    "a column falls beside weights of 700": (
        ARCS,
        row([(0, 1, 0), (1, 1, 0), (1, 2, 1), (2, 3, 0)], [700.0, 0.0, 46.0, 0.0],
            [[0.0, 0.0], [0.0, 0.0], [0.0, -300.0], [0.0, -745.0], [0.0, -inf]]),
    ),
    "no path after weights of 1000": (
        ARCS,
        Case.make(3, [(1, 1, 0), (0, 1, 0), (1, 2, 0), (2, 1, 0)], [0], [0, 1], [1e3, 0.0, 1e3, 1e3], 1,
                  [[0.0]] * 4 + [[-inf]]),
    ),
    "no path after ε at 10⁴": (
        ARCS, Case.make(2, [(1, 0, 0), (0, 1, -1), (1, 0, 0)], [0, 1], [0, 1], [0.0, 1e4, 0.0], 1, [[-inf]], "float32"),
    ),
    # A mantissa that had grown in its block, times a power of two that was clamped where the product was in range.
    "a CTC graph's late labels gain 45 a frame": (
        ARCS,
        row([(0, 1, 0), (0, 2, 3), (1, 1, 0), (1, 2, 3), (2, 2, 3), (2, 3, 1), (3, 4, 3), (4, 5, 1), (5, 6, 2),
             (6, 7, 0), (7, 8, 1), (8, 8, 1), (8, 9, 0), (9, 10, 4), (10, 11, 0), (11, 11, 0)],
            [0.0] * 4 + [45.0] + [0.0] * 2 + [45.0] * 9, [[0.0] * 5] * 16),
    ),
    "a CTC graph's late labels gain 30 a frame": (
        ARCS,
        row([(0, 1, 0), (0, 2, 4), (1, 2, 4), (2, 3, 0), (2, 4, 3), (3, 4, 3), (4, 5, 0), (4, 6, 2), (5, 5, 0),
             (5, 6, 2), (6, 6, 2), (6, 7, 0), (7, 8, 2), (8, 8, 2), (8, 9, 0), (8, 10, 3), (9, 9, 0), (9, 10, 3),
             (10, 10, 3), (10, 11, 0), (10, 12, 1), (11, 11, 0), (11, 12, 1), (12, 12, 1), (12, 13, 0), (13, 13, 0),
             (13, 14, 1), (14, 14, 1), (14, 15, 0), (15, 15, 0)],
            [0.0] * 10 + [30.0] * 20, [[0.0] * 5] * 21),
    ),
}  # fmt: skip


def in_type(case: Case, dtype: str) -> Case:
    return Case(case.topology, case.weights, case.frames.astype(dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", WERE_WRONG)
def test_what_was_wrong_once_is_right(name: str, dtype: str) -> None:
    format_, case = WERE_WRONG[name]
    assert case.format == format_
    assert problems(in_type(case, dtype)) == []


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("n_tags", "n_frames"), [(4, 5), (5, 13), (9, 13), (12, 9), (12, 50)])
def test_tags_most_of_which_must_not_follow_one_another(n_tags: int, n_frames: int, dtype: str) -> None:
    """A CRF: nine of ten transitions at −1000, and scores between which a softmax is sharp."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        weights = np.where(rng.random(n_tags * n_tags) < 0.9, -1000.0, rng.normal(size=n_tags * n_tags))
        frames = 40.0 * rng.normal(size=(n_frames, n_tags))
        for start in ([0], list(range(n_tags))):
            case = in_type(full(list(range(n_tags)), weights.tolist(), frames.tolist(), start=start), dtype)
            assert problems(case) == [], f"seed {seed}, start {start}"


# -- a part of the hunt -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [11, pytest.param(12, marks=pytest.mark.slow)])
def test_a_part_of_the_hunt_finds_nothing(seed: int) -> None:
    tally = hunt(20_000, seed)
    assert not tally.wrong.total(), "\n\n".join([*tally.shown.values(), str(tally)])
    for name in (*FORMATS, "float64", "float32", CROSSED, *(mood.__name__ for mood in MOODS)):
        assert sum(n for group, n in tally.draws.items() if name in group) > 500, name


def test_the_hunt_sees_a_value_that_is_off_and_makes_it_small(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Stand.__call__

    def spoilt(self: Stand, weights: np.ndarray, frames: np.ndarray, *call: tuple) -> Found:
        found = original(self, weights, frames, *call)
        found.values[(frames == -1000.0).any(axis=(0, 1)) & np.isfinite(found.values)] += 0.1
        return found

    monkeypatch.setattr(Stand, "__call__", spoilt)
    monkeypatch.setattr(hunts.trellises, "SHOWN", 1)
    tally = hunt(1_000)
    assert 0 < tally.wrong.total() < 1_000
    assert tally.kinds == {"value": tally.wrong.total()}
    (text,) = tally.shown.values()
    names: dict[str, Case] = {}
    exec(text, names)
    case = names["case"]
    assert [said.split()[0] for said in problems(case)] == ["value"]
    assert len(case.frames) == 1
    assert np.count_nonzero(case.frames) == 1
    monkeypatch.undo()
    assert problems(case) == []


@pytest.mark.parametrize("off", [-1, 0])
def test_the_hunt_sees_what_is_written_outside(off: int) -> None:
    stand = Stand(draw_shape(np.random.default_rng(0), 2), 2, "float64")
    weights, frames = np.zeros((len(stand.ints), 1)), np.zeros((3, 2, 1))
    assert not stand(weights, frames, CALLS[0]).outside
    forward = stand.forward

    def spoilt(*given: np.ndarray) -> float:
        (given[3] if off < 0 else given[3].base)[off] = 0.0
        return forward(*given)

    stand.forward = spoilt
    assert stand(weights, frames, CALLS[0]).outside


def test_batches_are_the_same_in_every_run() -> None:
    one, other = hunt(1_000, seed=3), hunt(1_000, seed=3)
    assert one.draws == other.draws
    later = hunt(1, seed=3, first=1)
    assert not later.draws - one.draws
    assert list(itertools.chain(one.draws, later.draws))
