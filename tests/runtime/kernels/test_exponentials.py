"""Exponentials as kernels compile them: within their tolerances over the whole range, 0 where they say so."""

from __future__ import annotations

import math

import numpy as np

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.math.exponentials import (
    exponential,
    exponentials,
    exponentials_float32,
    short_exponentials,
    split_exponential,
)
from arcgrad.runtime.kernels.math.vectors import load, load_row, store, store_row


@kernel("void(float64[::1], float64[:, ::1])")
def of_scores(x, out):  # type: ignore[no-untyped-def]
    """All that take float64."""
    for at in range(0, len(x), 8):
        store(out[0], at, exponentials(load(x, at)))
        store(out[1], at, short_exponentials(load(x, at)))
    for k in range(len(x)):
        out[2, k] = exponential(x[k])


@kernel("void(float64[::1], float64[:, ::1])")
def split(x, out):  # type: ignore[no-untyped-def]
    """Mantissas and exponents."""
    for k in range(len(x)):
        out[0, k], out[1, k] = split_exponential(x[k])


@kernel("void(float32[:, ::1], float32[:, ::1])")
def of_float32(x, out):  # type: ignore[no-untyped-def]
    """Those of float32."""
    for row in range(len(x)):
        store_row(out, row, 0, exponentials_float32(load_row(x, row, 0)))


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.max(np.abs(found - expected) / expected))


def test_the_whole_range() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.linspace(-708.0, 700.0, 20001), rng.uniform(-2, 2, 9999), [0.0, -1e-300, 5e-324, -0.0]])
    x = np.concatenate([x, np.zeros(-len(x) % 8)])
    out = np.empty((3, len(x)))
    of_scores(x, out)
    right = np.array([math.exp(each) for each in x.tolist()])
    for row, tolerance in zip(out, (5e-16, 8e-9, 5e-16), strict=True):
        assert relative(row, right) <= tolerance
        assert row[x == 0.0].tolist() == [1.0] * int((x == 0.0).sum())


def test_what_is_too_small_is_zero() -> None:
    x = np.array([-709.5, -746.0, -1e4, -1e17, -1e300, -math.inf, -709.0, -720.0])
    out = np.empty((3, 8))
    of_scores(x, out)
    assert not out.any()
    # In between they fall, and none is more than it should be.
    x = np.linspace(-709.0, -707.0, 1000)
    out = np.empty((3, 1000))
    of_scores(x, out)
    assert np.all(out <= np.exp(x) * (1 + 1e-8))
    assert np.all(np.diff(out, axis=1) >= 0.0)


def test_halves_of_any_size() -> None:
    x = np.array([0.0, 1.0, -1.0, 1e4, -1e4, 123456.789, -3e5, 700.0, -745.0, 1e15, -1e18])
    out = np.empty((2, len(x)))
    split(x, out)
    assert np.all((out[0] >= 0.7) & (out[0] <= 1.42))
    assert np.all(out[1] == np.round(out[1]))
    near = np.abs(x) <= 1e6
    np.testing.assert_allclose((np.log(out[0]) + out[1] * math.log(2.0))[near], x[near], rtol=1e-14, atol=1e-15)


def test_float32() -> None:
    x = np.concatenate([np.linspace(-87.0, 80.0, 19996), [-88.5, -100.0, -1e30, -math.inf]]).astype(np.float32)
    out = np.empty_like(x)
    of_float32(x.reshape(-1, 16), out.reshape(-1, 16))
    right = np.exp(x.astype(np.float64))
    near = (x >= -16.0) & (x <= 16.0)
    assert relative(out[near].astype(np.float64), right[near]) <= 2.5e-7
    assert relative(out[:-4].astype(np.float64), right[:-4]) <= 5e-6
    assert not out[-4:].any()
    plain = np.concatenate([exponentials_float32(row) for row in x.reshape(-1, 16)])
    assert plain.dtype == np.float32
    np.testing.assert_allclose(out, plain, rtol=1e-5)  # nothing is fused there
    x[:] = np.nan
    of_float32(x.reshape(-1, 16), out.reshape(-1, 16))
    assert np.isnan(out).all()
