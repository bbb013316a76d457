"""The compiled ``support`` against the one in Python: state by state, arc by arc, limits included."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from support.random_graphs import draw_topology

import arcgrad as ag
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.compiler.operators.support import minimal_acceptor as minimal_by_python
from arcgrad.grammar.errors import LimitError
from arcgrad.runtime.build.operators import support as compiled
from arcgrad.runtime.build.operators.support import build_support, minimal_by_kernel
from arcgrad.runtime.kernels.graphs import partition, subsets


def draw(rng: np.random.Generator) -> Topology:
    labels = rng.integers(0, rng.choice([2, 4, 60, 2**31]), 1 + rng.integers(6))
    n = int(1 + rng.integers(0, 12))
    return draw_topology(rng, n, int(n * rng.choice([1, 1.5, 2, 4])), labels, acceptor=True)


def assert_same(found: Topology, expected: Topology) -> None:
    assert found.n_states == expected.n_states
    for name in ("src", "dst", "ilabel", "start", "accept"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert found.fingerprint == expected.fingerprint


def check_random_graphs(count: int) -> list[int]:
    rng, sizes = np.random.default_rng(11), []
    edges = [Topology.make(n, [], [], [], None, range(n), accept) for n, accept in ((0, []), (3, []), (1, [0]))]
    for topology in [*edges, *(draw(rng) for _ in range(count))]:
        expected = minimal_by_python(topology, DEFAULT_LIMITS)
        assert_same(minimal_by_kernel(topology, DEFAULT_LIMITS), expected)
        sizes.append(expected.n_states)
    return sizes


def test_both_make_the_same_of_random_graphs() -> None:
    sizes = check_random_graphs(800)
    assert max(sizes) > 15
    assert np.count_nonzero(np.array(sizes) > 2) > 200


def test_arrays_that_are_outgrown_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = set()
    kernel = subsets.determinize_arcs

    def watched(*arguments: object) -> int:
        answer: int = kernel(*arguments)  # type: ignore[arg-type]
        answers.add(answer)
        return answer

    monkeypatch.setattr(subsets, "determinize_arcs", watched)
    monkeypatch.setattr(compiled, "_GROWTH", 1)
    monkeypatch.setattr(compiled, "_MOST_WORK", 2)
    monkeypatch.setattr(compiled, "_first_sizes", lambda n_states, n_arcs: (1, 1, 1))
    check_random_graphs(300)
    assert len(answers) == 6


@pytest.mark.parametrize("limits", [Limits(states=9), Limits(arcs=9), Limits(bytes=600)])
def test_both_stop_at_limits(limits: Limits) -> None:
    rng, stopped = np.random.default_rng(12), 0
    for _ in range(200):
        topology = draw(rng)
        answers = []
        for function in (minimal_by_python, minimal_by_kernel):
            answers.append(None)
            with contextlib.suppress(LimitError):
                answers[-1] = function(topology, limits)
        if answers[0] is None or answers[1] is None:
            assert answers[0] is answers[1]
            stopped += 1
        else:
            assert_same(answers[1], answers[0])
    assert stopped > 10


def test_hashes_that_collide_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """In plain Python, where all states have one hash: subsets of one size differ in their members alone."""
    monkeypatch.setattr(subsets, "_hash_of", lambda state: 1)
    monkeypatch.setattr(subsets, "determinize_arcs", subsets.determinize_arcs.python)
    check_random_graphs(60)


def test_a_broken_kernel_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = partition.minimize_arcs

    def broken(*arguments: np.ndarray) -> None:
        kernel(*arguments)
        arguments[3][0, :1] ^= 1

    monkeypatch.setattr(partition, "minimize_arcs", broken)
    with pytest.raises(AssertionError):
        check_random_graphs(50)


def test_long_chains_take_no_time_of_their_own() -> None:
    n = 100_000
    line = np.arange(n)
    chain = Topology.make(n, line[:-1], line[1:], line[1:] % 7, None, [0], [n - 1])
    assert_same(minimal_by_kernel(chain, DEFAULT_LIMITS), chain)


def test_python_builds_until_the_kernels_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    line = ag.linear([4, 4]).topology
    monkeypatch.setattr(compiled, "minimal_by_kernel", lambda *_: pytest.fail("called"))
    monkeypatch.setattr(compiled.patience, "ends_for", lambda *_: False)
    assert build_support([line], (), DEFAULT_LIMITS).topology.n_states == 3
