"""Operations on vectors: what LLVM's code answers is what the Python functions say, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.jit.vectors import INTRINSICS
from arcgrad.runtime.kernels.math import vectors
from arcgrad.runtime.kernels.math.exponentials import MAGIC, MAGIC_FLOAT32
from arcgrad.runtime.kernels.math.vectors import (
    LANES,
    add_picked,
    add_up,
    at_least,
    broadcast,
    broadcast_like,
    divide,
    entry,
    exponents,
    greater,
    greatest_of,
    is_short,
    least_of,
    lesser,
    load,
    load_rest,
    load_row,
    number,
    picked,
    powers_of_rounded,
    powers_of_two,
    put,
    store,
    store_rest,
    store_row,
    sum_of,
    where_greater,
)

TINY = 5e-324
NORMAL = 2.0**-1022
LARGEST = math.ldexp(2.0 - 2.0**-52, 1023)
EDGES = [0.0, -0.0, 1.0, -1.0, TINY, -TINY, 3e-310, NORMAL, -NORMAL, LARGEST, -LARGEST, math.inf, -math.inf]


@kernel("void(float64[::1], float64[::1], float64[::1], float64[::1], float64[:, ::1])")
def of_each(a, b, c, d, out):  # type: ignore[no-untyped-def]
    """Every operation that answers eight numbers, on each eight of the inputs."""
    for at in range(0, len(a), 8):
        x, y = load(a, at), load(b, at)
        store(out[0], at, x + y)
        store(out[1], at, x - y)
        store(out[2], at, x * y)
        store(out[3], at, b[at] + x)
        store(out[4], at, x - b[at])
        store(out[5], at, b[at] * x)
        store(out[6], at, divide(x, y))
        store(out[7], at, greater(x, y))
        store(out[8], at, lesser(x, y))
        store(out[9], at, where_greater(x, y, load(c, at), load(d, at)))
        store(out[10], at, broadcast(number(a, at + 3)))


@kernel("void(float64[::1], float64[:, ::1])")
def of_all_lanes(a, out):  # type: ignore[no-untyped-def]
    """Every operation that answers one number."""
    for at in range(0, len(a), 8):
        x = load(a, at)
        put(out[0], at // 8, sum_of(x))
        put(out[1], at // 8, greatest_of(x))
        put(out[2], at // 8, least_of(x))


@kernel("void(float64[::1], float64[:, ::1])")
def of_exponents(a, out):  # type: ignore[no-untyped-def]
    """The operations on exponents."""
    for at in range(0, len(a), 8):
        store(out[0], at, powers_of_two(load(a, at)))
        store(out[1], at, exponents(load(a, at)))
        store(out[2], at, powers_of_rounded(load(a, at) + MAGIC))


@kernel("void(float64[::1], int32[::1], int64, float64[::1])")
def moved(a, ints, at, out):  # type: ignore[no-untyped-def]
    """Reading and writing at any place, and whole numbers."""
    store(out, at, load(a, at + 1))
    put(out, at + 8, number(a, at))
    put(out, at + 9, entry(ints, at))


def _of_rows(rows, columns, work, ints, out):  # type: ignore[no-untyped-def]
    """Every operation on rows of a matrix, and those on vectors that it may have of either kind."""
    lanes = 64 // rows.itemsize
    magic = MAGIC_FLOAT32 if is_short(broadcast_like(rows, 0.0)) else MAGIC
    n = rows.shape[1]
    for row in range(len(rows)):
        total = broadcast(0.0)
        greatest = broadcast_like(rows, -math.inf)
        for k in range(0, n // lanes * lanes, lanes):
            x = load_row(rows, row, k)
            store_row(out, row, k, at_least(where_greater(x, x * 0.5, x - 1.0, 2.0 + x), -3.0))
            total = add_up(total, x)
            greatest = greater(greatest, x)
        for k in range(n // lanes * lanes, n, lanes):
            x = load_rest(rows, row, k, n - k, -1.0)
            store_rest(out, row, k, n - k, lesser(x, x * x) + x)
            total = add_up(total, x)
            greatest = greater(greatest, load_rest(rows, row, k, n - k, -math.inf))
        # Beside others' columns, which are to stay.
        store_rest(out, row, 1, 1, powers_of_rounded(broadcast_like(rows, 3.0) + magic))
        put(work, 2 * row, sum_of(total))
        put(work, 2 * row + 1, greatest_of(greatest))
        store(work, 2 * len(rows) + 8 * row, picked(rows, row, ints, row))
        add_picked(columns, row, ints, row, load(work, 2 * len(rows) + 8 * row) + 0.1)


_ROWS = "void({0}[:, ::1], {0}[:, ::1], float64[::1], int32[::1], {0}[:, ::1])"
of_rows = {"d": kernel(_ROWS.format("float64"))(_of_rows), "f": kernel(_ROWS.format("float32"))(_of_rows)}


def numbers(seed: int, size: int = 800, edges: list[float] = EDGES) -> np.ndarray:
    """Random numbers of all sizes, every fourth of them an edge."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=size) * 2.0 ** rng.integers(-60, 60, size)
    found[rng.random(size) < 0.25] = rng.choice(edges)
    chosen = rng.random(size) < 0.25
    found[chosen] = rng.choice(edges, int(chosen.sum()))
    return found


def eights(function: Any, *arrays: np.ndarray) -> np.ndarray:
    """A Python function of vectors, applied to each eight."""
    rows = zip(*(array.reshape(-1, LANES) for array in arrays), strict=True)
    return np.array([function(*(row.copy() for row in each)) for each in rows])


def check(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal bit for bit, except for the bits of NaN and the sign of zero."""
    np.testing.assert_array_equal(found, expected.reshape(found.shape))


@pytest.mark.parametrize("edges", [EDGES, [*EDGES, math.nan]], ids=["numbers", "nan"])
def test_arithmetic_and_choices(edges: list[float]) -> None:
    a, b, c, d = (numbers(seed, edges=edges) for seed in range(4))
    out = np.empty((11, len(a)))
    of_each(a, b, c, d, out)
    with np.errstate(all="ignore"):
        first = np.repeat(b[::8], 8)
        expected = [a + b, a - b, a * b, first + a, a - first, first * a, eights(divide, a, b)]
    expected += [eights(greater, a, b), eights(lesser, a, b), eights(where_greater, a, b, c, d)]
    expected += [eights(lambda x: broadcast(x[3]), a)]
    for row, right in zip(out, expected, strict=True):
        check(row, right)


@pytest.mark.parametrize("edges", [[0.0], EDGES])
def test_sums_and_extremes(edges: list[float]) -> None:
    a = numbers(7, edges=edges)
    out = np.empty((3, len(a) // LANES))
    of_all_lanes(a, out)
    with np.errstate(all="ignore"):
        for row, function in zip(out, (sum_of, greatest_of, least_of), strict=True):
            check(row, eights(function, a))
    # A sum that begins with NaN is NaN, whatever follows.
    a[:8] = [math.nan, *range(7)]
    of_all_lanes(a, out)
    assert math.isnan(out[0, 0])


def test_powers_of_two_of_all_whole_exponents() -> None:
    a = np.concatenate([np.arange(-1100.0, 1101.0), [-1e18, -1e299, -1e300, -math.inf, math.inf, 1e300, math.nan]])
    a = np.concatenate([a, np.zeros(-len(a) % LANES)])
    out = np.empty((3, len(a)))
    of_exponents(a, out)
    check(out[0], eights(powers_of_two, a))
    wholes = np.arange(-1100, 1101)
    check(out[0][:2201], np.array([math.ldexp(1.0, min(max(k, -1022), 1023)) for k in wholes.tolist()]))
    inside = slice(1100 - 1022, 1100 + 1024)
    check(out[2][inside], out[0][inside])
    assert out[2][1100 - 1023] == 0.0
    inside = slice(1100 - 1023, 1100 + 1024)
    check(out[2][inside], powers_of_rounded(a[inside] + MAGIC))
    assert out[0][2201:2208].tolist() == [NORMAL, 0.0, 0.0, 0.0, 2.0**1023, 2.0**1023, 0.0]


def test_exponents_of_all_sizes() -> None:
    rng = np.random.default_rng(0)
    wholes = np.arange(-1022, 1024)
    rows = [np.ldexp(m, wholes) for m in (1.0, 1.0 + 2.0**-52, 1.5, 2.0 - 2.0**-52)]
    rows.append(np.ldexp(1.0 + rng.random(len(wholes)), wholes))
    small = [0.0, TINY, 1e-310, NORMAL - TINY]
    a = np.concatenate([*rows, small])
    a = np.concatenate([a, np.ones(-len(a) % LANES)])
    out = np.empty((3, len(a)))
    of_exponents(a, out)
    check(out[1], eights(exponents, a))
    check(out[1][: 5 * len(wholes)], np.tile(wholes.astype(float), 5))
    assert out[1][5 * len(wholes) :][: len(small)].tolist() == [-1023.0] * len(small)


def test_any_place_of_an_array() -> None:
    a, ints = numbers(3, 40), np.arange(-20, 20, dtype=np.int32)
    ints[5] = -(2**31)
    for at in range(20):
        out, expected = np.zeros(40), np.zeros(40)
        moved(a, ints, at, out)
        moved.python(a, ints, at, expected)
        check(out, expected)
        assert np.count_nonzero(expected) >= 5


@pytest.mark.parametrize("n_columns", [2, 7, 8, 15, 16, 17, 40, 64])
@pytest.mark.parametrize("kind", ["f", "d"])
def test_rows_of_a_matrix(kind: str, n_columns: int) -> None:
    rng = np.random.default_rng(n_columns)
    # Sums of few digits are exact, so that it does not matter what is fused.
    rows = np.round(rng.normal(size=(6, n_columns)) * 64).astype(kind) / 16
    rows[1:4] = np.where(rng.random((3, n_columns)) < 0.3, -math.inf, rows[1:4])
    ints = rng.integers(0, n_columns, 20).astype(np.int32)  # most columns more than once
    results = []
    for function in (of_rows[kind], of_rows[kind].python):
        columns, out, work = np.ones_like(rows), np.full_like(rows, 7.0), np.zeros(12 + 48)
        with np.errstate(all="ignore"):
            function(rows, columns, work, ints, out)
        results.append((columns, out, work))
    for found, expected in zip(*results, strict=True):
        check(found, expected)
    columns, out, work = results[0]
    np.testing.assert_array_equal(work[0:12:2], rows.sum(axis=1) - (-n_columns % (64 // rows.itemsize)))
    np.testing.assert_array_equal(work[1:12:2], rows.max(axis=1))
    np.testing.assert_array_equal(work[12:].reshape(6, 8), [rows[row, ints[row : row + 8]] for row in range(6)])
    assert np.all(out[:, 1] == 8.0)


def test_numbers_that_are_none_stay_so() -> None:
    rows = np.full((1, 16), np.nan, dtype=np.float32)
    assert np.isnan(at_least(rows[0], 1.0)).all()
    columns, out, work = np.ones_like(rows), np.zeros_like(rows), np.zeros(10)
    of_rows["f"](rows, columns, work, np.arange(8, dtype=np.int32), out)
    for found in (out[0, 2:], work[:1], columns[0, :8]):
        assert np.isnan(found).all()


def test_every_operation_is_compiled_and_tested() -> None:
    declared = {name for name in vectors.__all__ if name != "LANES"}
    assert declared == set(INTRINSICS)
    used = set().union(
        *(f.python.__code__.co_names for f in (of_each, of_all_lanes, of_exponents, moved, of_rows["d"]))
    )
    assert declared <= used
