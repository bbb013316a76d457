"""``A - B``: the paths of A that spell no string of B, against enumeration, the textbook's pairs and OpenFst."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from oracle import graphs as naive
from oracle.relations import relation_of
from support.adapter import assert_built, convert
from support.adapter import naive as naive_graph
from support.random_graphs import Style, draw_graph, draw_topology
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.compiler.operators import Built
from arcgrad.compiler.operators.difference import without
from arcgrad.compiler.operators.support import minimal_acceptor
from arcgrad.runtime.build.operators.difference import build_difference, without_by_kernel

STYLE = Style(n_states=4, epsilon=0.2)


def strings_of(graph: ag.Graph) -> dict[tuple[int, ...], float]:
    """Σ exp(weight) by string."""
    totals: dict[tuple[int, ...], float] = {}
    for read, _, weight in relation_of(naive_graph(graph), cap=10**6):
        totals[read] = totals.get(read, 0.0) + math.exp(weight)
    return totals


@for_seeds(150)
def test_what_b_accepts_is_left_out(seed: int) -> None:
    rng = random.Random(seed)
    a, b = (convert(draw_graph(rng, STYLE, acceptor=True)) for _ in range(2))
    expected = {string: total for string, total in strings_of(a).items() if string not in strings_of(b)}
    for mode in ("interpret", "kernels"):
        found = strings_of(ag.compile("A - B", mode=mode)(A=a, B=b))
        assert found == pytest.approx(expected)
        score, gradient = ag.compile("LSE[A - B]", mode=mode).value_and_grad(A=a, B=b)
        assert score == pytest.approx(math.log(sum(expected.values())) if expected else -math.inf)
        assert not gradient["B"].any()


def assert_same(found: Built | None, expected: Built) -> None:
    assert found is not None
    assert found.topology.fingerprint == expected.topology.fingerprint
    for one, other in zip(found.selections, expected.selections, strict=True):
        np.testing.assert_array_equal(one, other)


def draw(rng: np.random.Generator) -> Topology:
    labels = rng.integers(0, rng.choice([2, 4, 60]), 1 + rng.integers(4))
    n = int(rng.integers(0, 8))
    return draw_topology(rng, n, int(n * rng.choice([1, 2, 4])), labels, acceptor=True)


def test_the_compiled_one_builds_the_same_graph() -> None:
    rng, sizes = np.random.default_rng(3), []
    for _ in range(500):
        left, right = draw(rng), draw(rng)
        strings = minimal_acceptor(right, DEFAULT_LIMITS)
        expected = without(left, strings, DEFAULT_LIMITS)
        assert_same(without_by_kernel(left, strings, DEFAULT_LIMITS), expected)
        assert_same(build_difference([left, right], (), DEFAULT_LIMITS), expected)
        sizes.append(expected.topology.n_arcs)
    assert np.count_nonzero(sizes) > 200


def test_graphs_of_the_textbook() -> None:
    rng = random.Random(1)
    for _ in range(300):
        drawn = [draw_graph(rng, Style(cycles=0.5, epsilon=0.3), acceptor=True) for _ in range(2)]
        leaves = [replace(leaf, tie=None, weights=np.zeros(len(leaf.arcs))) for leaf in drawn]
        built = build_difference([convert(leaf).topology for leaf in leaves], (), DEFAULT_LIMITS)
        expected = naive.difference(*(leaf.to_graph(name) for leaf, name in zip(leaves, "AB", strict=True)))
        assert_built(built, expected, "AB")


def test_the_same_as_openfst() -> None:
    pynini = pytest.importorskip("pynini", reason="pynini (OpenFst) is not installed")
    rng = random.Random(2)
    for _ in range(300):
        sets = [["".join(rng.choice("ab") for _ in range(rng.randrange(4))) for _ in range(3)] for _ in range(2)]
        left, right = (" + ".join(f'"{word}"' for word in words) for words in sets)
        found = ag.compile(f"support[({left})* - ({right})*]")()
        closures = [pynini.union(*map(pynini.accep, words)).closure() for words in sets]
        expected = pynini.difference(closures[0], pynini.determinize(closures[1].rmepsilon())).rmepsilon()
        expected = pynini.determinize(expected).minimize()
        assert found.n_states == expected.num_states()
        assert found.n_arcs == sum(expected.num_arcs(state) for state in expected.states())


def test_weights_and_gradients_are_those_of_a() -> None:
    a = ag.Graph([0, 0, 1], [1, 1, 1], [1, 2, 1], weight=[0.5, 0.25, -2.0], accept=[1])
    value, gradient = ag.compile("LSE[A - B]").value_and_grad(A=a, B=ag.linear([1], weight=[3.0]))
    expected = math.exp(0.25) / (1 - math.exp(-2)) + math.exp(0.5) * (1 / (1 - math.exp(-2)) - 1)
    assert value == pytest.approx(math.log(expected))
    assert gradient["B"].tolist() == [0.0]
    assert gradient["A"][:2].sum() == pytest.approx(1.0)


def test_transducers_are_refused() -> None:
    transducer, line = ag.Graph([0], [1], [4], [5], accept=[1]), ag.linear([4])
    for given, side in (({"A": transducer, "B": line}, "left"), ({"A": line, "B": transducer}, "right")):
        with pytest.raises(ag.InputError, match=f"- needs acceptors, but its {side} operand is a transducer"):
            ag.compile("LSE[A - B]")(given)


@pytest.mark.parametrize("limits", [Limits(states=50), Limits(arcs=60), Limits(bytes=800)])
def test_what_is_too_large_stops_at_the_limit(limits: Limits) -> None:
    rng = np.random.default_rng(0)
    src, dst = rng.integers(0, 40, (2, 200))
    left = Topology.make(40, src, dst, rng.integers(0, 2, 200), None, [0], range(40))
    ring = [(k, (k + step) % 5, step - 1) for k in range(5) for step in (1, 2)]
    right = Topology.from_arcs(5, ring, [0], [3])
    strings = minimal_acceptor(right, DEFAULT_LIMITS)
    for build in (without, lambda *_: build_difference([left, right], (), limits)):
        with pytest.raises(ag.LimitError, match=r"would have at least \d+ (states|arcs|bytes)"):
            build(left, strings, limits)
