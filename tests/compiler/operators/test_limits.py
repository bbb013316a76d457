"""Operators stop with a LimitError before they build what is too large, soon and without filling the memory."""

from __future__ import annotations

import re
import time
import tracemalloc
from dataclasses import replace

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


def follow(hint: str | None, limits: Limits) -> Limits:
    """The limits that a hint asks to give, beside those that were given."""
    found = re.search(r"limits=ag\.Limits\(([^)]*)\)", hint or "")
    assert found is not None
    asked = dict(part.split("=") for part in found[1].split(", "))
    return replace(limits, **{name: int(count) for name, count in asked.items()})


@pytest.mark.parametrize("budget", [{"states": 40}, {"arcs": 40}, {"bytes": 4000}, {"states": 40, "arcs": 40}])
@pytest.mark.parametrize("seed", range(6))
def test_a_hint_that_is_followed_suffices(budget: dict[str, int], seed: int) -> None:
    """At once; with the count at which building stopped for a hint, it took up to 78 tries, 24 on average."""
    pair = [random_acceptor(40 + 20 * seed, 130 + 50 * seed + k, 2 + seed) for k in range(2)]
    a, b = (Topology.make(t.n_states, t.src, t.dst, t.ilabel, None, range(9), t.accept) for t in pair)
    limits = Limits(**budget)
    with pytest.raises(LimitError, match="; building stopped there") as caught:
        build("compose", a, b, limits=limits)
    assert build("compose", a, b, limits=follow(caught.value.hint, limits)).is_acceptor


def test_a_hint_names_all_budgets_that_are_exceeded() -> None:
    with pytest.raises(LimitError) as caught:
        build("repeat", TWO_ARCS, parameters=(1000, 1000), limits=Limits(states=10, arcs=10, bytes=10))
    assert caught.value.hint.endswith(
        "Limits(states=3000, arcs=2999, bytes=71976); or repeat less, or something smaller"
    )
    exact = follow(caught.value.hint, Limits(states=10, arcs=10, bytes=10))
    assert build("repeat", TWO_ARCS, parameters=(1000, 1000), limits=exact).n_states == 3000
