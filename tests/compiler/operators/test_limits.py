"""Operators stop with a LimitError before they build what is too large, soon and without filling the memory."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.compiler.operators import operator
from arcgrad.grammar.errors import InputError, LimitError

TWO_ARCS = Topology.from_arcs(3, [(0, 1, 0), (1, 2, 1)], [0], [2])
EMPTY = Topology.make(0, (), (), ())


def build(name: str, *topologies: Topology, parameters: tuple = (), limits: Limits = DEFAULT_LIMITS):
    return operator(name).build(topologies, parameters, limits).topology


def test_a_million_copies_are_built_at_once() -> None:
    began = time.perf_counter()
    built = build("repeat", TWO_ARCS, parameters=(1_000_000, 1_000_000), limits=Limits(states=3_000_000))
    assert time.perf_counter() - began < 5  # measured 0.05 s; a loop over copies takes minutes
    assert (built.n_states, built.n_arcs) == (3_000_000, 2_999_999)
    assert (built.start.tolist(), built.accept.tolist()) == ([0], [2_999_999])


@pytest.mark.parametrize("bounds", [(10**12, 10**12), (0, 10**12), (10**12, None), (5, 10**30)])
def test_huge_powers_are_refused_before_they_are_built(bounds: tuple[int, int | None]) -> None:
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(
        LimitError, match=r"the repetition \{\d+,?\d*\} would have \d+ states, but the limit is 2097152"
    ):
        build("repeat", TWO_ARCS, parameters=bounds)
    assert time.perf_counter() - began < 1
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


CASES = [
    ("union", (TWO_ARCS, TWO_ARCS), ()),
    ("concatenate", (TWO_ARCS, TWO_ARCS), ()),
    ("closure", (TWO_ARCS,), ()),
    ("plus", (TWO_ARCS,), ()),
    ("optional", (TWO_ARCS,), ()),
    ("cross", (TWO_ARCS, TWO_ARCS), ()),
    ("weight", (TWO_ARCS, EMPTY), ()),
    ("linear", (), (1, 2, 3)),
    ("symbols", (), (1, 2, 3)),
    *(("repeat", (TWO_ARCS,), b) for b in [(2, 2), (0, 3), (2, 5), (1, 2), (2, None), (0, None), (1, None)]),
]


@pytest.mark.parametrize(("name", "operands", "parameters"), CASES)
def test_counts_are_exact(name: str, operands: tuple[Topology, ...], parameters: tuple) -> None:
    """What is built passes limits of just its size, and a limit of one less stops it, for states, arcs and bytes."""
    built = build(name, *operands, parameters=parameters)
    exact = Limits(states=built.n_states, arcs=built.n_arcs)
    assert build(name, *operands, parameters=parameters, limits=exact).n_arcs == built.n_arcs
    with pytest.raises(LimitError, match=f"would have {built.n_states} states, but the limit is {built.n_states - 1}"):
        build(name, *operands, parameters=parameters, limits=Limits(states=built.n_states - 1))
    with pytest.raises(LimitError, match=f"would have {built.n_arcs} arcs, but the limit is {built.n_arcs - 1}"):
        build(name, *operands, parameters=parameters, limits=Limits(arcs=built.n_arcs - 1))
    with pytest.raises(LimitError, match="bytes"):
        build(name, *operands, parameters=parameters, limits=Limits(bytes=8 * built.n_arcs))


def random_acceptor(n_states: int, n_arcs: int, n_labels: int) -> Topology:
    source = np.random.default_rng(n_arcs)
    src, dst = source.integers(n_states, size=(2, n_arcs))
    return Topology.make(n_states, src, dst, source.integers(n_labels, size=n_arcs), None, [0], [n_states - 1])


def test_composition_that_explodes_stops_at_the_limit() -> None:
    a, b = random_acceptor(60_000, 240_000, 1), random_acceptor(60_000, 230_000, 1)  # billions of pairs are reachable
    limits = Limits(states=100_000)
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(LimitError, match=r"the composition would have at least \d+ states, but the limit is 100000"):
        build("compose", a, b, limits=limits)
    assert time.perf_counter() - began < 10
    assert tracemalloc.get_traced_memory()[1] < 300 << 20
    tracemalloc.stop()


def test_composition_with_too_many_arcs_from_one_pair_stops_before_they_are_written() -> None:
    a = random_acceptor(1, 100_000, 1)
    tracemalloc.start()
    with pytest.raises(LimitError, match="at least 10000000000 arcs, but the limit is 8388608"):
        build("intersect", a, a)
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


def test_composition_with_too_many_start_pairs_stops() -> None:
    a = Topology.make(10_000, (), (), (), start=range(10_000), accept=range(10_000))
    with pytest.raises(LimitError, match="at least 100000000 states"):
        build("compose", a, a)


def test_limits_beyond_32_bits_are_refused() -> None:
    with pytest.raises(InputError, match="numbered with 32 bits"):
        Limits(states=2**31)
    with pytest.raises(LimitError, match="no graph can have more than 2147483647 states"):
        build("repeat", TWO_ARCS, parameters=(10**12, 10**12))
