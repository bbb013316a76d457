"""Compiled orders of states against the compiler's own: the same numbers, on graphs of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from arcgrad.compiler.graphs import orders as plain
from arcgrad.runtime.regions import orders
from arcgrad.runtime.regions.orders import components, topological_order, trim


@pytest.fixture
def by_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels, however small the graph."""
    monkeypatch.setattr(orders, "_SMALL", -1)
    monkeypatch.setattr(orders.patience, "spent", np.inf)


def random_arcs(rng: np.random.Generator, most_states: int, most_arcs: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Half of them acyclic, and half of these numbered in topological order."""
    n = int(rng.integers(0, most_states))
    m = int(rng.integers(0, most_arcs)) if n else 0
    src, dst = rng.integers(0, max(n, 1), (2, m)).astype(np.int32)
    if rng.random() < 0.5:
        src, dst = np.minimum(src, dst), np.maximum(src, dst)
        src, dst = src[src < dst], dst[src < dst]
        if rng.random() < 0.5:
            number = rng.permutation(n).astype(np.int32)
            src, dst = number[src], number[dst]
    return n, src, dst


@pytest.mark.parametrize(("most_states", "most_arcs", "n_graphs"), [(8, 16, 1500), (60, 150, 300), (2000, 4000, 20)])
def test_both_give_the_same_numbers(by_kernel: None, most_states: int, most_arcs: int, n_graphs: int) -> None:
    rng = np.random.default_rng(most_states)
    trimmed = cyclic = large = 0
    for _ in range(n_graphs):
        n, src, dst = random_arcs(rng, most_states, most_arcs)
        begin, end = (np.flatnonzero(rng.random(n) < rng.choice([0.05, 0.5])).astype(np.int32) for _ in range(2))
        kept = trim(n, src, dst, begin, end)
        assert kept.dtype == np.bool_
        np.testing.assert_array_equal(kept, plain.trim(n, src, dst, begin, end))
        trimmed += 0 < kept.sum() < n
        found, expected = topological_order(n, src, dst), plain.topological_order(n, src, dst)
        assert (found is None) == (expected is None)
        cyclic += found is None
        if found is not None:
            np.testing.assert_array_equal(found, expected)
        for one, other in zip(components(n, src, dst), plain.components(n, src, dst), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        large += len(one) - 1 < n
    assert min(trimmed, cyclic, large) > n_graphs // 8


def test_long_chains(by_kernel: None) -> None:
    n = 100_000
    src = np.arange(n - 1, dtype=np.int32)[::-1].copy()
    order, begins = components(n, src, src + np.int32(1))
    np.testing.assert_array_equal(order, np.arange(n))
    assert len(begins) == n + 1
    ring, _ = components(n, np.arange(n, dtype=np.int32), (np.arange(n, dtype=np.int32) + 1) % np.int32(n))
    np.testing.assert_array_equal(ring, np.arange(n))
    backwards = topological_order(n, src + np.int32(1), src)
    np.testing.assert_array_equal(backwards, np.arange(n)[::-1])


def test_python_orders_until_kernels_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kernel:
        is_ready = False

    called: list[str] = []

    def choose(size: int) -> str:
        return orders._choose(Kernel(), size, lambda: "kernel", lambda: called.append("python") or "python")  # type: ignore[arg-type,func-returns-value]

    monkeypatch.setattr(orders.patience, "spent", 0.0)
    assert choose(10_000) == "python"
    assert orders.patience.spent > 0.0
    assert choose(int(orders.patience.seconds / orders._PLAIN) + 1) == "kernel"
    monkeypatch.setattr(orders.patience, "spent", orders.patience.seconds + 1.0)
    assert choose(10_000) == "kernel"
    assert choose(orders._SMALL) == "python"
    Kernel.is_ready = True
    monkeypatch.setattr(orders.patience, "spent", 0.0)
    assert choose(10_000) == "kernel"
