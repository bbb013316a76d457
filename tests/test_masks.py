"""Masks as "log zero" on arcs that every path must take: what is masked everywhere is masked nowhere.

A constant added to all arcs that compete changes no posterior, however large it is; the score moves by as much as paths
take. Each shape, in each tier and dtype, is compared with itself without the mask.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from support.magnitudes import MASKS

import arcgrad as ag

MODES = ("interpret", "kernels", "fused")
SEED = np.random.default_rng(5)
ORDINARY = SEED.normal(size=200)
Maker = Callable[[float], ag.Graph]


def graph(arcs: list[tuple], start: list[int], accept: list[int]) -> ag.Graph:
    return ag.Graph.from_arcs(arcs, start=start, accept=accept)


# -- graphs that are built: the mask stands on a cut, other arcs have ordinary weights --------------------------------


def parallel(mask: float) -> ag.Graph:
    """Two arcs, nothing else."""
    return graph([(0, 1, 0, mask), (0, 1, 1, mask)], [0], [1])


def lattice(mask: float) -> ag.Graph:
    """A lattice with choices before the masked level and behind it."""
    w = ORDINARY
    arcs = [(0, 1, 0, w[0]), (0, 2, 1, w[1]), (0, 2, 2, w[2])]
    arcs += [(s, d, s + d, mask) for s in (1, 2) for d in (3, 4)]
    arcs += [(3, 5, 0, w[3]), (4, 5, 1, w[4]), (3, 5, 2, w[5]), (4, 6, 0, w[6]), (6, 5, 1, w[7])]
    return graph(arcs, [0], [5])


def several_ends(mask: float) -> ag.Graph:
    """Masked first arcs out of several starts, and several accepts."""
    w = ORDINARY
    return graph([(0, 2, 0, mask), (1, 2, 1, mask), (2, 3, 0, w[0]), (2, 4, 1, w[1]), (3, 4, 2, w[2])], [0, 1], [3, 4])


def cycles_beside(mask: float) -> ag.Graph:
    """Cycles before and behind the masked arcs."""
    w = ORDINARY
    arcs = [(0, 0, 0, -1.0 + w[0] / 9), (0, 1, 0, w[1]), (0, 2, 1, w[2])]
    arcs += [(s, d, s + d, mask) for s in (1, 2) for d in (3, 4)]
    arcs += [(3, 4, 0, -1.2), (4, 3, 1, -0.9), (3, 5, 0, w[3]), (4, 5, 1, w[4]), (3, 5, 2, w[5])]
    return graph(arcs, [0], [5])


def masked_out_of_a_cycle(mask: float) -> ag.Graph:
    """All ways out of a component are masked."""
    arcs = [(0, 1, 0, -0.7), (1, 0, 1, -0.9), (0, 0, 2, -1.5), (0, 2, 0, mask), (1, 2, 1, mask), (1, 2, 2, mask)]
    return graph([*arcs, (2, 3, 0, ORDINARY[0]), (2, 3, 1, ORDINARY[1])], [0], [3])


GRAPHS: list[Maker] = [parallel, lattice, several_ends, cycles_beside, masked_out_of_a_cycle]


# -- graphs that are composed with a dense input: all arcs have the mask ----------------------------------------------


def loop(mask: float) -> ag.Graph:
    """One state."""
    return graph([(0, 0, 0, mask), (0, 0, 1, mask)], [0], [0])


def transitions(mask: float) -> ag.Graph:
    """Arc by arc: two states, each entered with its label."""
    return graph([(s, d, d, mask) for s in range(2) for d in range(2)], [0, 1], [0, 1])


def with_silent(mask: float) -> ag.Graph:
    """Arc by arc, with ε arcs before the first frame, each path taking one."""
    silent = [(2, 0, -1, mask), (2, 1, -1, mask)]
    return graph([*((s, d, (s + d) % 2, mask) for s in range(2) for d in range(2)), *silent], [2], [0, 1])


def matrix(mask: float) -> ag.Graph:
    """A full matrix."""
    return graph([(s, d, d % 2, mask) for s in range(10) for d in range(10)], list(range(10)), list(range(10)))


def diagonals(mask: float) -> ag.Graph:
    """Diagonals, and leftover arcs."""
    arcs = [(s, s + step, (s + step) % 2, mask) for s in range(30) for step in range(3) if s + step < 30]
    return graph([*arcs, (0, 21, 1, mask), (3, 28, 0, mask)], list(range(30)), list(range(30)))


TRELLISES: list[tuple[Maker, int]] = [(loop, 0), (transitions, 0), (with_silent, 0), (matrix, 2), (diagonals, 1)]


@pytest.fixture(autouse=True)
def _no_warning() -> None:
    warnings.simplefilter("error")


def close(found: np.ndarray, right: np.ndarray, dtype: type = np.float64) -> None:
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-11 if dtype is np.float64 else 2e-7)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make", GRAPHS)
def test_graphs(make: Maker, mode: str) -> None:
    equation = ag.compile("LSE[A]", mode=mode)
    value, gradient = equation.value_and_grad(A=make(0.0))
    for mask in MASKS:
        masked, found = equation.value_and_grad(A=make(mask))
        assert masked == pytest.approx(value + mask, rel=4e-16)
        close(found["A"], gradient["A"])
    assert equation.value_and_grad(A=make(-np.inf))[0] == -np.inf


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("make", "format_"), TRELLISES, ids=lambda value: getattr(value, "__name__", ""))
def test_trellises(make: Maker, format_: int, mode: str, dtype: type) -> None:
    equation = ag.compile("LSE[X ∘ D]", mode=mode)
    silent = int(make is with_silent)
    for n_frames in (4, 5, 60) if mode != "interpret" else (4,):
        for scores in (np.zeros((n_frames, 2)), SEED.normal(size=(n_frames, 2))):
            x = scores.astype(dtype)
            value, gradient = equation.value_and_grad(X=x, D=make(0.0))
            for mask in MASKS:
                masked, found = equation.value_and_grad(X=x, D=make(mask))
                assert masked == pytest.approx(value + (n_frames + silent) * mask, rel=1e-14)
                close(found["X"], gradient["X"], dtype)
                close(found["D"], gradient["D"], np.float32 if dtype is np.float32 else np.float64)
                if n_frames == 4 and make in (loop, transitions) and not scores.any():
                    np.testing.assert_allclose(found["X"], 0.5, rtol=4e-16)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", ["LSE[X]", "LSE[X ∘ D]", "LSE[(X ∘ D) + ∅]"])
def test_frames_of_masks(text: str, mode: str, dtype: type) -> None:
    """All columns of a frame, and those of all frames."""
    equation = ag.compile(text, mode=mode)
    given = {"D": transitions(0.0)} if "D" in text else {}
    x = SEED.normal(size=(6, 2)).astype(dtype)
    for rows in ([2], [0], [5], [0, 1, 2, 3, 4, 5]):
        level = x.copy()
        level[rows] = 0.0
        value, gradient = equation.value_and_grad(X=level, **given)
        for mask in MASKS:
            if abs(mask) <= float(np.finfo(dtype).max):
                masked = level.copy()
                masked[rows] = mask
                found_value, found = equation.value_and_grad(X=masked, **given)
                assert found_value == pytest.approx(value + sum(map(float, masked[rows, 0])), rel=1e-14)
                close(found["X"], gradient["X"], dtype)


@pytest.mark.parametrize("mode", MODES)
def test_masks_on_some_arcs_are_as_good_as_no_arcs(mode: str) -> None:
    """Where another way is open, a mask of any size forbids an arc."""
    arcs = [(s, d, d, 0.0) for s in range(3) for d in range(3)]
    x = SEED.normal(size=(20, 3))
    if mode == "interpret":
        x = x[:5]
    equation = ag.compile("LSE[X ∘ D]", mode=mode)
    for forbidden in ([1, 5], [0, 4, 8], [2, 3, 4, 6]):
        weights = np.zeros(9)
        weights[forbidden] = -np.inf
        value, gradient = equation.value_and_grad(X=x, D=graph(arcs, [0], [0, 1, 2]).with_weight(weights))
        for mask in MASKS:
            weights[forbidden] = mask
            masked, found = equation.value_and_grad(X=x, D=graph(arcs, [0], [0, 1, 2]).with_weight(weights))
            assert masked == pytest.approx(value, rel=1e-14)
            close(found["X"], gradient["X"])
            close(found["D"], gradient["D"])


@pytest.mark.parametrize("mode", MODES)
def test_masks_of_several_sizes_in_a_row(mode: str) -> None:
    x = SEED.normal(size=(4, 2))
    value, gradient = ag.compile("LSE[X ∘ D]", mode=mode).value_and_grad(X=x, D=chain([0.0] * 4))
    for sizes in ([-1e9, -1e30, 0.0, -1e16], [-1e300, -1e20, -1e20, -1e300], [-1e12, 1e12, -1e16, 1e16]):
        masked, found = ag.compile("LSE[X ∘ D]", mode=mode).value_and_grad(X=x, D=chain(sizes))
        assert masked == pytest.approx(value + sum(sizes), rel=1e-14)
        close(found["X"], gradient["X"])
        close(found["D"], gradient["D"])


def chain(sizes: list[float]) -> ag.Graph:
    """A level of four arcs for each size, between two pairs of states."""
    arcs = [(2 * t + s, 2 * t + 2 + d, d, size) for t, size in enumerate(sizes) for s in range(2) for d in range(2)]
    last = 2 * len(sizes)
    return graph(arcs, [0, 1], [last, last + 1])


@pytest.mark.parametrize("mode", MODES)
def test_sums_of_masks(mode: str) -> None:
    """Near float64's end: sums that it holds are right, and what is below it is −inf, with gradient 0."""
    line = graph([(0, 1, 0, -1e299), (1, 2, 0, -1e299), (2, 3, 0, -1e299)], [0], [3])
    for text, given in (("LSE[X ∘ A]", {"X": np.zeros((3, 1))}), ("LSE[A]", {}), ("LSE[A + A]", {})):
        assert ag.compile(text, mode=mode)(A=line, **given) == pytest.approx(-3e299, rel=1e-15)
    least = float(np.finfo(np.float64).min)
    assert ag.compile("LSE[A]", mode=mode)(A=graph([(0, 1, 0, least)], [0], [1])) == pytest.approx(least, rel=1e-15)
    value, gradient = ag.compile("LSE[A]", mode=mode).value_and_grad(
        A=graph([(0, 1, 0, least), (1, 2, 0, least)], [0], [2])
    )
    assert value == -np.inf
    assert not gradient["A"].any()


@pytest.mark.parametrize("mode", MODES)
def test_shares_of_scores(mode: str) -> None:
    """Two scores that are equal share alike, whatever their size."""
    for mask in MASKS:
        for text in ("LSE[A + B]", "logadd[LSE[A], LSE[B]]", "logadd[LSE[A], LSE[B]] - LSE[A] + LSE[A]"):
            _, gradient = ag.compile(text, mode=mode).value_and_grad(A=parallel(mask), B=parallel(mask))
            np.testing.assert_array_equal(gradient["A"], 0.25)
            np.testing.assert_array_equal(gradient["B"], 0.25)
