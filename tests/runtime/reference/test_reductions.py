"""The reference reductions against sums over enumerated paths and closed forms."""

from __future__ import annotations

import heapq
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.adapter import convert
from support.cyclic_graphs import sparse_chain
from support.random_graphs import Style, draw_graph, graphs

import arcgrad as ag
from arcgrad.runtime.reference.exact_weights import in_units
from arcgrad.runtime.reference.reductions import best_path, count_paths, log_score, log_score_and_gradient


def paths(graph: ag.Graph) -> list[tuple[int, ...]]:
    found, stack = [], [(s, ()) for s in graph.start.tolist()]
    while stack:
        state, arcs = stack.pop()
        if state in graph.accept:
            found.append(arcs)
        stack += [(int(graph.dst[k]), (*arcs, k)) for k in np.flatnonzero(graph.src == state).tolist()]
    return found


ACYCLIC = graphs(n_arcs=10, acyclic=True, weights=st.sampled_from([-math.inf, 0.5, 0.5, -2.25, 1.75, 3.1, -0.7]))


@given(ACYCLIC.map(convert))
def test_acyclic_graphs_against_their_paths(graph: ag.Graph) -> None:
    weight = graph.arc_weight
    every = paths(graph)
    sums = [float(weight[list(p)].sum()) for p in every]
    assert count_paths(graph.topology) == len(every)
    score, gradient = log_score_and_gradient(graph.topology, weight)
    assert score == log_score(graph.topology, weight)
    right, exact = exact_posteriors(graph, weight)
    assert score == pytest.approx(right, abs=1e-12)
    np.testing.assert_allclose(gradient, exact, atol=1e-12)
    for sign in (1.0, -1.0):
        value, path = best_path(graph.topology, weight, sign)
        finite = [t for t in sums if sign < 0 or t > -math.inf]
        if not finite:
            assert (value, path) == (-sign * math.inf, None)
            continue
        assert value == pytest.approx(max(t * sign for t in finite) * sign, abs=1e-12)
        assert tuple(path or ()) in every


def test_among_best_paths_fewest_arcs_then_the_smallest_numbers() -> None:
    graph = ag.Graph([0, 1, 0, 0], [1, 2, 2, 2], [0] * 4, weight=[0.5, 0.5, 1.0, 1.0], start=[0], accept=[2])
    assert best_path(graph.topology, graph.arc_weight) == (1.0, [2])
    assert best_path(graph.topology, graph.arc_weight, -1.0) == (1.0, [2])
    both = ag.Graph([0, 1], [2, 2], [0, 0], start=[0, 1], accept=[2])
    assert best_path(both.topology, both.arc_weight) == (0.0, [0])
    here = ag.Graph([0], [0], [0], weight=[0.0], start=[0], accept=[0])
    assert best_path(here.topology, here.arc_weight) == (0.0, [])


def test_a_cyclic_graph_against_its_matrix() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(1, 6))
        src, dst = (a.ravel() for a in np.meshgrid(range(n), range(n), indexing="ij"))
        p = rng.random(n * n) * rng.integers(0, 2, size=n * n)
        p *= 0.9 / max(1e-9, np.abs(np.linalg.eigvals(p.reshape(n, n))).max(), 0.9)
        with np.errstate(divide="ignore"):
            graph = ag.Graph(src, dst, [0] * (n * n), weight=np.log(p), start=[0], accept=[n - 1], n_states=n)
        total = np.linalg.inv(np.eye(n) - p.reshape(n, n))
        score, gradient = log_score_and_gradient(graph.topology, graph.arc_weight)
        exact = total[0, n - 1]
        assert math.exp(score) == pytest.approx(exact, rel=1e-9, abs=1e-12)
        if exact > 1e-9:
            expected = total[0][:, None] * p.reshape(n, n) * total[:, n - 1][None, :] / exact
            np.testing.assert_allclose(gradient.reshape(n, n), expected, rtol=1e-8, atol=1e-12)


@pytest.mark.slow
def test_long_chains_do_not_recurse_and_counts_are_exact() -> None:
    n = 20_000
    chain = ag.Graph(np.repeat(np.arange(n), 2), np.repeat(np.arange(n), 2) + 1, [0, 1] * n, start=[0], accept=[n])
    assert count_paths(chain.topology) == 2**n
    assert log_score(chain.topology, chain.arc_weight) == pytest.approx(n * math.log(2))
    ring = ag.Graph(np.arange(n), (np.arange(n) + 1) % n, [0] * n, weight=np.full(n, -1.0 / n), start=[0], accept=[0])
    assert log_score(ring.topology, ring.arc_weight) == pytest.approx(-math.log(-math.expm1(-1.0)))


MASKS = (-1e9, -1e12, -1e16, -1e20, -1e30, -3.4028234663852886e38, -1e300, -1.7976931348623157e308)


def chain(steps: int, width: int = 2) -> ag.Graph:
    """Parallel arcs from each state to the next."""
    src = np.repeat(np.arange(steps), width)
    return ag.Graph(src, src + 1, [0] * len(src), start=[0], accept=[steps])


def lattice() -> ag.Graph:
    """Levels of two states, each with arcs to both of the next; arcs 4 to 7 are a level's."""
    arcs = [(2 * level + s, 2 * level + 2 + d) for level in range(4) for s in (0, 1) for d in (0, 1)]
    return ag.Graph([a for a, _ in arcs], [b for _, b in arcs], [0] * 16, start=[0, 1], accept=[8, 9])


def cyclic() -> ag.Graph:
    """Two states in a cycle with loops, behind arcs 0 and 1 and before arc 7."""
    return ag.Graph([0, 0, 1, 1, 2, 2, 1, 2], [1, 2, 1, 2, 1, 2, 3, 3], [0] * 8, start=[0], accept=[3])


def several() -> ag.Graph:
    """Three starts and two accepts, of which one leads on; arcs 0 to 3 leave the starts."""
    return ag.Graph([0, 1, 2, 2, 3, 3, 4], [3, 3, 4, 3, 5, 4, 5], [0] * 7, start=[0, 1, 2], accept=[4, 5])


# Graphs, arcs of which every path takes exactly one, and the size of the other weights.
SHAPES = {
    "one arc of a chain": (chain(3, 1), [1], 5.0),
    "a step of a chain": (chain(4), [2, 3], 45.0),
    "the last step of a chain": (chain(4), [6, 7], 300.0),
    "a level of a lattice": (lattice(), [4, 5, 6, 7], 20.0),
    "the first level of a lattice": (lattice(), [0, 1, 2, 3], 200.0),
    "what enters a cycle": (cyclic(), [0, 1], 1.0),
    "what leaves a cycle": (cyclic(), [6, 7], 1.0),
    "what leaves several starts": (several(), [0, 1, 2, 3], 3.0),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_mask_on_every_path_changes_no_posterior(shape: str, mask: float) -> None:
    graph, arcs, scale = SHAPES[shape]
    rng = np.random.default_rng(0)
    for _ in range(5):
        weight = rng.normal(size=graph.n_arcs) * scale - (4.0 if "cycle" in shape else 0.0)
        weight[arcs] = 0.0
        score, gradient = log_score_and_gradient(graph.topology, weight)
        weight[arcs] = mask
        masked, posteriors = log_score_and_gradient(graph.topology, weight)
        assert masked == pytest.approx(float(Fraction(score) + Fraction(mask)), rel=1e-15)
        assert log_score(graph.topology, weight) == masked
        np.testing.assert_allclose(posteriors, gradient, rtol=1e-12, atol=1e-12)
        assert posteriors[arcs].sum() == pytest.approx(1.0, abs=1e-12)


def test_masks_on_every_step_add_up() -> None:
    graph = chain(3)
    weight = np.repeat([-1e30, -2e30, -3e30], 2)
    score, gradient = log_score_and_gradient(graph.topology, weight)
    assert score == float(sum(Fraction(w) for w in weight[::2].tolist()))
    np.testing.assert_allclose(gradient, 0.5, rtol=1e-15)
    ordinary = np.array([0.5, -1.0, 3.0, 0.0, 700.0, 45.0])
    exact = in_units(weight.tolist()) + in_units(ordinary.tolist())
    score, gradient = log_score_and_gradient(graph.topology, weight + ordinary, exact)
    np.testing.assert_allclose(gradient, log_score_and_gradient(graph.topology, ordinary)[1], rtol=1e-12)
    straight = chain(3, 1)
    score, gradient = log_score_and_gradient(straight.topology, np.full(3, -1e299))
    assert (score, gradient.tolist()) == (float(3 * Fraction(-1e299)), [1.0] * 3)
    # What is too small for a float is −inf, below which no derivative passes.
    score, gradient = log_score_and_gradient(straight.topology, np.full(3, -1e308))
    assert (score, gradient.tolist()) == (-math.inf, [0.0] * 3)
    assert log_score(straight.topology, np.array([-1e308, 1e300, -1e308])) == -math.inf


@pytest.mark.parametrize("mask", MASKS)
def test_masks_in_and_behind_cycles(mask: float) -> None:
    loop = ag.Graph([0, 0], [0, 1], [0, 0], start=[0], accept=[1])
    assert log_score(loop.topology, np.array([mask, -0.5])) == -0.5
    score, gradient = log_score_and_gradient(loop.topology, np.array([mask, mask]))
    assert (score, gradient.tolist()) == (mask, [0.0, 1.0])
    # Beside a mask, a cycle's weight is what it is without it: −2, of weights that swallow it in any sum.
    graph = ag.Graph([0, 1, 2, 1], [1, 2, 1, 3], [0] * 4, start=[0], accept=[3])
    score, gradient = log_score_and_gradient(graph.topology, np.array([mask, 1e16, -1e16 - 2, 0.25]))
    count = 1 / -math.expm1(-2.0)
    np.testing.assert_allclose(gradient, [1.0, count - 1, count - 1, 1.0], rtol=1e-12)
    assert score == pytest.approx(float(Fraction(math.log(count) + 0.25) + Fraction(mask)), rel=1e-15)


@pytest.mark.parametrize("mask", MASKS)
def test_divergence_beside_masks_names_the_weights_as_given(mask: float) -> None:
    graph = ag.Graph([0, 1, 1, 2, 1], [1, 1, 2, 1, 3], [0] * 5, start=[0], accept=[3])
    for cycle, weights in (
        ((1,), [mask, 0.0, mask, 0.0, mask]),
        ((1,), [mask, 2e3, -1.0, mask, 0.0]),
        ((2, 3), [mask, mask, 1e16, -1e16, 0.5]),
        ((2, 3), [mask, -1e9, 1e300, -1e16, mask]),
        ((2, 3), [-1.0, mask, 3.0, -2.5, mask]),
    ):
        with pytest.raises(ag.DivergenceError, match="LSE diverges: the cycle through state") as caught:
            log_score_and_gradient(graph.topology, np.array(weights))
        assert sorted(caught.value.cycle or ()) == list(cycle)
        total = float(sum(Fraction(weights[arc]) for arc in cycle))
        assert f"(weight {total!r})" in str(caught.value)


@pytest.mark.slow
def test_a_long_cycle_takes_no_longer_for_its_masks() -> None:
    n = 5_000
    for order in (np.arange(n), np.random.default_rng(0).permutation(n)):
        ring = ag.Graph(order, np.roll(order, -1), [0] * n, start=[int(order[0])], accept=[int(order[-1])])
        weight = np.full(n, -1e30)
        score, gradient = log_score_and_gradient(ring.topology, weight)
        assert score == float(Fraction(-1e30) * (n - 1))
        assert gradient.tolist() == [1.0] * (n - 1) + [0.0]


WEIGHTS = (0.0, 1.0, -1.0, 45.0, -45.0, 1e3, -1e3, 1e9, -1e9, -1e16, -1e20, -1e30, -1e300, -math.inf)


def exact_posteriors(graph: ag.Graph, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Sum the weights of every path in fractions, and take shares by exact differences from the best."""
    every = [(path, [weight[arc] for arc in path]) for path in paths(graph)]
    sums = [(path, sum(map(Fraction, taken), Fraction())) for path, taken in every if -math.inf not in taken]
    posterior = np.zeros(graph.n_arcs)
    if not sums:
        return -math.inf, posterior
    top = max(total for _, total in sums)
    terms = [math.exp(float(max(total - top, Fraction(-1000)))) for _, total in sums]
    for (path, _), term in zip(sums, terms, strict=True):
        np.add.at(posterior, list(path), term / math.fsum(terms))
    return float(top + Fraction(math.log(math.fsum(terms)))), posterior


def levels(rng: random.Random) -> tuple[ag.Graph, np.ndarray]:
    """Draw a graph of levels of up to two states, each level with few weights, so that paths are often close."""
    arcs: list[tuple[int, int]] = []
    weight: list[float] = []
    for level in range(rng.randint(1, 4)):
        choice = rng.sample(WEIGHTS, rng.randint(1, 3))
        between = [(2 * level + s, 2 * level + 2 + d) for s in (0, 1) for d in (0, 1) for _ in range(rng.randint(0, 2))]
        arcs += between
        weight += [rng.choice(choice) + rng.choice((0.0, 0.5)) for _ in between]
    last = max((d for _, d in arcs), default=0) | 1
    graph = ag.Graph(
        [s for s, _ in arcs], [d for _, d in arcs], [0] * len(arcs), n_states=last + 1, start=[0, 1],
        accept=[*range(last - 1, last + 1), *rng.sample(range(last - 1), rng.choice((0, 0, 1)) if last > 1 else 0)],
    )  # fmt: skip
    return graph, np.array(weight)


def test_weights_of_any_size_against_fractions() -> None:
    rng = random.Random(7)
    n_close = 0
    for _ in range(600):
        graph, weight = levels(rng)
        score, gradient = log_score_and_gradient(graph.topology, weight)
        right, posterior = exact_posteriors(graph, weight)
        assert score == pytest.approx(right, rel=1e-15, abs=1e-15)
        np.testing.assert_allclose(gradient, posterior, rtol=0, atol=1e-9)
        between = (posterior > 0.01) & (posterior < 0.99)
        n_close += bool(between.any() and weight[posterior > 0.01].min() < -1e8)
    assert n_close > 100


def test_exact_sums_and_floats_agree_on_ordinary_graphs() -> None:
    """Any graph, most of them cyclic, balanced and not: one verdict on divergence, values and gradients alike."""
    rng = random.Random(3)
    finite = diverging = 0
    for _ in range(400):
        style = Style(cycles=0.9, infinite=0.1, spread=rng.choice([0.5, 3.0, 30.0]))
        graph = convert(draw_graph(rng, style, acceptor=True).shift(rng.choice([0.0, 1.5])))
        weight = graph.arc_weight
        try:
            score, gradient = log_score_and_gradient(graph.topology, weight)
        except ag.DivergenceError:
            diverging += 1
            with pytest.raises(ag.DivergenceError):
                log_score_and_gradient(graph.topology, weight, in_units(weight.tolist()))
            continue
        balanced, posteriors = log_score_and_gradient(graph.topology, weight, in_units(weight.tolist()))
        assert balanced == pytest.approx(score, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(posteriors, gradient, rtol=1e-12, atol=1e-12)
        finite += score > -math.inf
    assert min(finite, diverging) > 60


def test_the_best_path_of_weights_beyond_floats() -> None:
    straight = chain(2, 1)
    assert best_path(straight.topology, np.full(2, -1.7e308)) == (-math.inf, [0, 1])
    ring = ag.Graph([0, 1, 1], [1, 0, 2], [0] * 3, start=[0], accept=[2])
    assert best_path(ring.topology, np.full(3, -1.7e308)) == (-math.inf, [0, 2])
    with pytest.raises(ag.DivergenceError, match=r"MIN diverges.*along arcs 0, 1 \(weight -inf\)"):
        best_path(ring.topology, np.full(3, -1.7e308), -1.0)


@pytest.mark.parametrize("radius", [1 - 1e-4, 1 + 1e-6, 3.0])
def test_many_states_that_diverge_are_told_at_once(monkeypatch: pytest.MonkeyPatch, radius: float) -> None:
    """By products alone: elimination would take minutes."""
    topology, weight = sparse_chain(600, 2400, 0)
    matrix = np.zeros((600, 600))
    np.add.at(matrix, (topology.src, topology.dst), np.exp(weight))
    weight = weight + math.log(radius / max(abs(np.linalg.eigvals(matrix))))
    monkeypatch.setattr(heapq, "heapify", lambda _: pytest.fail("eliminates"))
    if radius < 1:
        with pytest.raises(pytest.fail.Exception):
            log_score(topology, weight)
        return
    with pytest.raises(ag.DivergenceError, match="can be repeated without end") as caught:
        log_score(topology, weight)
    cycle = list(caught.value.cycle or ())
    np.testing.assert_array_equal(topology.dst[cycle], np.roll(topology.src[cycle], -1))
