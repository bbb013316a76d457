"""Trimming, topological order and components against plain definitions, on random graphs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.leaves import GraphLeaf
from support.adapter import convert
from support.random_graphs import graphs

from arcgrad.compiler.graphs.orders import _is_trim, components, outgoing, reached, topological_order, trim
from arcgrad.compiler.graphs.topology import Topology


def closure(n: int, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """(n, n) whether one state can be reached from another, by no or more arcs."""
    matrix = np.eye(n, dtype=bool)
    matrix[src, dst] = True
    for _ in range(n):
        matrix |= matrix @ matrix
    return matrix


ANY = graphs(n_states=11, n_arcs=20).map(lambda leaf: convert(leaf).topology)


@given(ANY)
def test_trim_keeps_what_lies_on_accepting_paths(g: Topology) -> None:
    reach = closure(g.n_states, g.src, g.dst)
    expected = reach[g.start].any(axis=0) & reach[:, g.accept].any(axis=1)
    np.testing.assert_array_equal(trim(g.n_states, g.src, g.dst, g.start, g.accept), expected)


@given(ANY)
def test_components_are_whole_and_in_topological_order(g: Topology) -> None:
    order, begins = components(g.n_states, g.src, g.dst)
    assert sorted(order.tolist()) == list(range(g.n_states))
    assert begins[0] == 0
    assert begins[-1] == g.n_states
    reach = closure(g.n_states, g.src, g.dst)
    number = np.empty(g.n_states, dtype=int)
    number[order] = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    np.testing.assert_array_equal(number[:, None] == number[None, :], reach & reach.T)
    assert np.all(number[g.src] <= number[g.dst])


@given(ANY)
def test_topological_order_exists_where_there_is_no_cycle(g: Topology) -> None:
    order = topological_order(g.n_states, g.src, g.dst)
    reach = closure(g.n_states, g.src, g.dst)
    cyclic = bool(np.any(g.src == g.dst)) or bool((reach & reach.T & ~np.eye(g.n_states, dtype=bool)).any())
    assert (order is None) == cyclic


@given(graphs(n_states=11, n_arcs=20, acyclic=True), st.permutations(range(11)))
def test_a_topological_order_puts_sources_first(leaf: GraphLeaf, shuffle: list[int]) -> None:
    shuffled = np.argsort([s for s in shuffle if s < leaf.n_states]).astype(np.int32)
    ends = np.array([arc[:2] for arc in leaf.arcs], dtype=np.int32).reshape(-1, 2)
    src, dst = (shuffled[ends] if leaf.n_states else ends).T
    order = topological_order(leaf.n_states, src, dst)
    assert order is not None
    position = np.empty(leaf.n_states, dtype=int)
    position[order] = np.arange(leaf.n_states)
    assert np.all(position[src] < position[dst])


@pytest.mark.slow
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
