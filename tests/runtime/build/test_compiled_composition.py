"""The compiled composition against numpy's and the oracle's: state by state, arc by arc, selections included."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import numpy as np
import pytest
from oracle import graphs as oracle
from support.adapter import assert_built, naive
from support.random_graphs import draw_topology

import arcgrad as ag
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.compiler.operators import Built
from arcgrad.compiler.operators.compose import composed as composed_by_numpy
from arcgrad.grammar.errors import LimitError
from arcgrad.runtime.build.operators import compose as compiled
from arcgrad.runtime.build.operators.compose import composed, composed_by_kernel
from arcgrad.runtime.kernels.graphs import compose as kernels

ARRAYS = ("src", "dst", "ilabel", "olabel", "start", "accept")
N_CASES = 2500
N_ORACLE_CASES = 400


@functools.cache
def random_pairs() -> list[tuple[Topology, Topology]]:
    rng = np.random.default_rng(7)
    pairs = []
    for _ in range(N_CASES):
        labels = rng.integers(0, rng.choice([4, 60, 2**31]), 1 + rng.integers(6))
        sizes = 1 + rng.integers(0, 10, 2)
        degrees = rng.choice([0, 1, 2, 4, 20], 2, p=[0.02, 0.18, 0.4, 0.3, 0.1])
        left, right = (draw_topology(rng, int(n), int(n * d), labels) for n, d in zip(sizes, degrees, strict=True))
        pairs.append((left, right))
    return pairs


def assert_same(found: Built | None, expected: Built) -> None:
    assert found is not None
    assert found.topology.n_states == expected.topology.n_states
    for name in ARRAYS:
        array = getattr(found.topology, name)
        np.testing.assert_array_equal(array, getattr(expected.topology, name), err_msg=name)
        assert array.dtype == np.int32
        assert array.flags.c_contiguous
        assert not array.flags.writeable
    for selection, other in zip(found.selections, expected.selections, strict=True):
        np.testing.assert_array_equal(selection, other)
        assert selection.dtype == np.int32


@pytest.fixture
def small_arrays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """First arrays so small that they are outgrown all the time, and no table of all state pairs at first."""
    sizes = {"ARCS": 2, "STATES": 2, "TABLE": 1, "HASH_TABLE": 2}
    for name, size in sizes.items():
        monkeypatch.setattr(compiled, f"_FIRST_{name}", size)
    monkeypatch.setattr(compiled, "_LEAST_GROWTH", 2)
    monkeypatch.setattr(compiled, "_MOST_GROWTH", 2)
    monkeypatch.setattr(compiled, "_MOST_WORK", 3)
    for name in ("STATES", "TABLE", "HASH_TABLE", "INDEX"):
        monkeypatch.setattr(compiled, f"_KEPT_{name}", 0)
    compiled._kept.take()
    yield
    compiled._kept.take()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """What the kernel has answered so far."""
    given: set[int] = set()
    kernel = kernels.compose_arcs

    def watched(*arguments: object) -> int:
        answer: int = kernel(*arguments)  # type: ignore[arg-type]
        given.add(answer)
        return answer

    monkeypatch.setattr(kernels, "compose_arcs", watched)
    return given


def test_both_compose_random_graphs_alike() -> None:
    sizes = []
    for left, right in random_pairs():
        expected = composed_by_numpy(left, right, DEFAULT_LIMITS, "the composition")
        assert_same(composed_by_kernel(left, right, DEFAULT_LIMITS), expected)
        sizes.append(expected.topology.n_arcs)
    assert np.count_nonzero(sizes) > 1000
    assert np.quantile(sizes, 0.75) > 10
    assert max(sizes) > 2000


def test_arrays_that_are_outgrown_change_nothing(small_arrays: None, answers: set[int]) -> None:
    for left, right in random_pairs()[:600]:
        expected = composed_by_numpy(left, right, DEFAULT_LIMITS, "the composition")
        assert_same(composed_by_kernel(left, right, DEFAULT_LIMITS), expected)
    assert answers >= {kernels.DONE, kernels.FULL_ARCS, kernels.FULL_STATES, kernels.FULL_TABLE, kernels.MORE}


def test_the_oracle_composes_the_same() -> None:
    for left, right in random_pairs()[:N_ORACLE_CASES]:
        sides = [
            naive(ag.Graph(t.src, t.dst, t.ilabel, t.olabel, start=t.start, accept=t.accept, n_states=t.n_states), name)
            for name, t in (("left", left), ("right", right))
        ]
        found = composed_by_kernel(left, right, DEFAULT_LIMITS)
        assert found is not None
        assert_built(found, oracle.compose(*sides, max_states=10**5, max_arcs=10**6), ("left", "right"))


def test_sizes_that_random_graphs_do_not_reach() -> None:
    rng = np.random.default_rng(8)
    for n_states, n_arcs, n_labels in ((300, 3000, 40), (3000, 9000, 3000), (40, 4000, 2**31)):
        pool = rng.integers(0, n_labels, 500)
        left, right = (draw_topology(rng, n_states, n_arcs, pool) for _ in range(2))
        limits = Limits(arcs=1 << 24)
        assert_same(composed_by_kernel(left, right, limits), composed_by_numpy(left, right, limits, "x"))
    n = 2**20  # two to the fortieth pairs of states
    few = Topology.make(n, [0, n - 2, n - 1], [n - 2, n - 1, 0], [1, 1, 1], None, [0], [n - 1])
    assert_same(composed_by_kernel(few, few, DEFAULT_LIMITS), composed_by_numpy(few, few, DEFAULT_LIMITS, "x"))


def test_graphs_whose_arcs_lead_back_are_trimmed_in_linear_time(answers: set[int]) -> None:
    """A chain of states that lead to the accept one after another, against the order in which they are met."""
    n = 2000
    line = np.arange(n)
    fan = Topology.make(n, np.append(np.zeros(n - 1), line[2:]), np.append(line[1:], line[1:-1]), np.zeros(2 * n - 3),
                        None, [0], [1])  # fmt: skip
    loop = Topology.from_arcs(1, [(0, 0, 0)], [0], [0])
    assert_same(composed_by_kernel(fan, loop, DEFAULT_LIMITS), composed_by_numpy(fan, loop, DEFAULT_LIMITS, "x"))
    assert kernels.UNTRIMMED in answers
    dead = np.append(line[1:], 1)  # a cycle that no accept is reached from
    rest = Topology.make(n, line, dead, line, None, [0, 5], [])
    assert_same(composed_by_kernel(rest, rest, DEFAULT_LIMITS), composed_by_numpy(rest, rest, DEFAULT_LIMITS, "x"))


def test_graphs_without_states_or_arcs() -> None:
    nothing, point = Topology.make(0, [], [], []), Topology.make(1, [], [], [], None, [0], [0])
    line = Topology.from_arcs(2, [(0, 1, 3)], [0], [1])
    for left in (nothing, point, line):
        for right in (nothing, point, line):
            expected = composed_by_numpy(left, right, DEFAULT_LIMITS, "x")
            assert_same(composed_by_kernel(left, right, DEFAULT_LIMITS), expected)


def test_limits_are_those_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled.patience, "spent", 1e9)
    raised = 0
    for left, right in random_pairs()[:150]:
        for limits in (Limits(states=9), Limits(arcs=14), Limits(bytes=16 * 20), Limits(states=0), Limits(arcs=0)):
            expected: Built | None = None
            with contextlib.suppress(LimitError):
                expected = composed_by_numpy(left, right, limits, "the composition")
            if expected is not None:
                assert_same(composed_by_kernel(left, right, limits), expected)
                continue
            raised += 1
            with pytest.raises(LimitError) as by_numpy:
                composed_by_numpy(left, right, limits, "the composition")
            with pytest.raises(LimitError) as found:
                composed(left, right, limits, "the composition")
            assert str(found.value) == str(by_numpy.value)
    assert raised > 100
    many = Topology.make(10_000, (), (), (), start=range(10_000), accept=range(10_000))
    with pytest.raises(LimitError, match="at least 100000000 states"):
        composed(many, many, DEFAULT_LIMITS, "the composition")


def test_composition_that_explodes_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled.patience, "spent", 1e9)
    rng = np.random.default_rng(9)
    sides = [draw_topology(rng, 60_000, 240_000, np.zeros(1, dtype=np.int64)) for _ in range(2)]
    with pytest.raises(LimitError, match=r"the intersection would have at least \d+ states, but the limit is 100000"):
        composed(*sides, Limits(states=100_000), "the intersection")


def test_equations_compose_by_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    a = ag.Graph([0, 0, 1], [1, 1, 0], [1, 2, 3], [2, -1, 4], [0.5, 1.5, -2.0], accept=[1])
    b = ag.Graph([0, 0, 1], [1, 1, 0], [2, -1, 4], [7, 8, -1], [0.25, 4.0, 8.0], accept=[0, 1])
    for text in ("A ∘ B", "in[A] ∩ in[B]", "rev[A ∘ B]", "(A ∘ B)⟨2⟩ + A"):
        expected = ag.compile(text, mode="interpret").value_and_grad(A=a, B=b)
        for spent in (0.0, 1e9):
            monkeypatch.setattr(compiled.patience, "spent", spent)
            ag.cache.clear(disk=False)
            value = ag.compile(text, mode="fused")(A=a, B=b)
            assert ag.equal(value, expected[0])
            again, gradient = ag.compile(text, mode="fused").value_and_grad(A=a, B=b)
            assert ag.equal(again, expected[0])
            for name in ("A", "B"):
                np.testing.assert_array_equal(gradient[name], expected[1][name])


@pytest.mark.parametrize("row", range(6))
def test_a_broken_kernel_is_noticed(row: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = kernels.compose_arcs

    def broken(*arguments: object) -> int:
        answer = kernel(*arguments)  # type: ignore[arg-type]
        counts, out = arguments[13], arguments[18]
        assert isinstance(counts, np.ndarray)
        assert isinstance(out, np.ndarray)
        if answer == kernels.DONE and counts[1]:
            out[row, counts[1] - 1] += 1
        return int(answer)

    monkeypatch.setattr(kernels, "compose_arcs", broken)
    with pytest.raises(AssertionError):
        test_both_compose_random_graphs_alike()


def test_numpy_composes_until_the_kernels_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kernel:
        is_ready = False
        calls = 0

        def __call__(self, *arguments: object) -> int:
            self.calls += 1
            return kernels.TOO_MANY

    kernel = Kernel()
    monkeypatch.setattr(kernels, "compose_arcs", kernel)
    monkeypatch.setattr(compiled.patience, "spent", 0.0)
    line = Topology.from_arcs(2, [(0, 1, 0)], [0], [1])
    assert composed(line, line, DEFAULT_LIMITS, "x").topology.n_arcs == 1
    assert not kernel.calls
    assert compiled.patience.spent > 0.0
    monkeypatch.setattr(compiled.patience, "spent", 1e9)
    assert composed(line, line, DEFAULT_LIMITS, "x").topology.n_arcs == 1  # numpy's, since this kernel declines
    assert kernel.calls == 1
