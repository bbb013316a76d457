"""Trimming, topological order and components against plain definitions, on random graphs."""

from __future__ import annotations

import numpy as np
import pytest

from arcgrad.compiler.orders import _is_trim, components, outgoing, reached, topological_order, trim


def closure(n: int, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """(n, n) whether one state can be reached from another, by no or more arcs."""
    matrix = np.eye(n, dtype=bool)
    matrix[src, dst] = True
    for _ in range(n):
        matrix |= matrix @ matrix
    return matrix


def random_arcs(seed: int) -> tuple[int, np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 12))
    src, dst = rng.integers(0, max(n, 1), (2, int(rng.integers(0, 20)) if n else 0)).astype(np.int32)
    return n, src, dst, rng


@pytest.mark.parametrize("seed", range(60))
def test_trim_keeps_what_lies_on_accepting_paths(seed: int) -> None:
    n, src, dst, rng = random_arcs(seed)
    start, accept = (np.flatnonzero(rng.random(n) < 0.3).astype(np.int32) for _ in range(2))
    reach = closure(n, src, dst)
    expected = reach[start].any(axis=0) & reach[:, accept].any(axis=1)
    np.testing.assert_array_equal(trim(n, src, dst, start, accept), expected)


@pytest.mark.parametrize("seed", range(60))
def test_components_are_whole_and_in_topological_order(seed: int) -> None:
    n, src, dst, _ = random_arcs(seed)
    order, begins = components(n, src, dst)
    assert sorted(order.tolist()) == list(range(n))
    assert begins[0] == 0
    assert begins[-1] == n
    reach = closure(n, src, dst)
    number = np.empty(n, dtype=int)
    number[order] = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    np.testing.assert_array_equal(number[:, None] == number[None, :], reach & reach.T)
    assert np.all(number[src] <= number[dst])


@pytest.mark.parametrize("seed", range(60))
def test_topological_order_exists_where_there_is_no_cycle(seed: int) -> None:
    n, src, dst, rng = random_arcs(seed)
    if seed % 2:
        keep = src != dst
        shuffle = rng.permutation(n).astype(np.int32)
        low, high = np.minimum(src, dst)[keep], np.maximum(src, dst)[keep]
        src, dst = (shuffle[low], shuffle[high]) if n else (src, dst)
    order = topological_order(n, src, dst)
    reach = closure(n, src, dst)
    cyclic = bool(np.any(src == dst)) or bool((reach & reach.T & ~np.eye(n, dtype=bool)).any())
    assert (order is None) == cyclic
    if order is not None:
        position = np.empty(n, dtype=int)
        position[order] = np.arange(n)
        assert np.all(position[src] < position[dst])


def test_long_chains_need_no_recursion() -> None:
    n = 100_000
    src = np.arange(n - 1, dtype=np.int32)[::-1]
    order, begins = components(n, src, src + 1)
    np.testing.assert_array_equal(order, np.arange(n))
    assert len(begins) == n + 1
    assert topological_order(n, src, src + 1) is not None
    assert trim(n, src, src + 1, np.array([0]), np.array([n - 1])).all()


def test_what_numbers_tell_to_be_trim_is_trim() -> None:
    rng = np.random.default_rng(3)
    told = 0
    for _ in range(2000):
        n = int(rng.integers(0, 6))
        m = int(rng.integers(0, 12)) if n else 0
        src, dst = rng.integers(0, max(n, 1), (2, m)).astype(np.int32)
        if rng.random() < 0.7:
            src, dst = np.minimum(src, dst), np.maximum(src, dst)
        start, accept = (np.flatnonzero(rng.random(n) < 0.7).astype(np.int32) for _ in range(2))
        forward = reached(outgoing(n, src, dst), start.tolist())
        backward = reached(outgoing(n, dst, src), accept.tolist())
        expected = [bool(f and b) for f, b in zip(forward, backward, strict=True)]
        assert trim(n, src, dst, start, accept).tolist() == expected
        told += n > 1 and _is_trim(n, src, dst, start, accept)
    assert told > 100
