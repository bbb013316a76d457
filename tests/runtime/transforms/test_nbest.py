"""NBEST: best paths of every kind of graph, best first, beside brute force, OpenFst, PATH and finite differences."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_graph
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.compiler.graphs.best_paths import best_paths
from arcgrad.runtime.transforms import TWINS, nbest

MODES = ("interpret", "kernels")
LIMITED = 3000


@pytest.fixture(params=["kernels", "reference"], scope="module", autouse=True)
def how(request: pytest.FixtureRequest) -> Iterator[str]:
    """Small graphs, too, by the kernels; or all by what stands in until these are compiled."""
    for kernels in TWINS["nbest"].kernels.values():
        for kernel in kernels:
            kernel.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nbest, "_SMALL", 0)
        if request.param == "reference":
            patch.setattr(nbest.patience, "ends_for", lambda *kernels, expected=0.0: False)
        yield request.param


class TooManyError(Exception):
    """Brute force would take too long."""


def brute(graph: ag.Graph, n: int) -> list[tuple[int, ...]]:
    """The n best paths by looking at all, shorter ones first, as long as they may be among the best."""
    rows = list(zip(graph.src.tolist(), graph.dst.tolist(), graph.arc_weight.tolist(), strict=True))
    ahead = dict.fromkeys(range(graph.n_states), -math.inf) | dict.fromkeys(graph.accept.tolist(), 0.0)
    for _ in range(graph.n_states + 1):
        for src, dst, weight in rows:
            ahead[src] = max(ahead[src], weight + ahead[dst])
    level: list[tuple[float, tuple[int, ...], int]] = [(0.0, (), state) for state in graph.start.tolist()]
    found: list[tuple[float, int, tuple[int, ...]]] = []
    accepting = set(graph.accept.tolist())
    while level:
        if len(level) > LIMITED:
            raise TooManyError
        found = sorted(found + [(-value, len(path), path) for value, path, s in level if s in accepting])[:n]
        last = found[-1][:2] if len(found) == n else (math.inf, 0)
        level = [
            (value + weight, (*path, k), dst)
            for value, path, state in level
            for k, (src, dst, weight) in enumerate(rows)
            if src == state and value + weight + ahead[dst] > -math.inf
            and (-(value + weight + ahead[dst]), len(path) + 1) <= last
        ]  # fmt: skip
    return [path for _, _, path in found]


def lines(graph: ag.Graph) -> list[list[int]]:
    """The arcs of each linear graph, which is checked to be one."""
    found = []
    for k, (first, last) in enumerate(zip(graph.start.tolist(), graph.accept.tolist(), strict=True)):
        found.append(list(range(first - k, last - k)))
        assert graph.src[found[-1]].tolist() == list(range(first, last))
        assert graph.dst[found[-1]].tolist() == list(range(first + 1, last + 1))
    assert sum(map(len, found)) == graph.n_arcs
    assert graph.n_states == graph.n_arcs + len(found)
    return found


def same_paths(found: ag.Graph, graph: ag.Graph, paths: list[tuple[int, ...]]) -> None:
    """The linear graphs are those of these paths, labels and weights and all."""
    assert [len(arcs) for arcs in lines(found)] == [len(path) for path in paths]
    chosen = [k for path in paths for k in path]
    for name in ("ilabel", "olabel", "arc_weight"):
        assert getattr(found, name).tolist() == getattr(graph, name)[chosen].tolist()


def drawn(seed: int, grid: bool) -> ag.Graph:
    rng = random.Random(seed)
    style = Style(grid=grid, cycles=rng.choice([0.0, 0.5, 1.0]), infinite=rng.choice([0.0, 0.1]))
    graph = convert(draw_graph(rng, style, acceptor=rng.random() < 0.5))
    if grid and rng.random() < 0.3:  # cycles of weight 0
        graph = graph.with_weight(np.where(np.isfinite(graph.weight), np.minimum(graph.weight, 0.0), graph.weight))
        graph = graph.with_weight(np.where(graph.weight < -0.5, graph.weight, 0.0))
    return graph


def check_brute_force(seed: int) -> None:
    graph = drawn(seed, grid=True)
    n = random.Random(seed).choice([2, 3, 7, 20, 100])
    try:
        expected = brute(graph, n)
    except TooManyError:
        pytest.skip("too many paths")
    for mode in MODES:
        same_paths(ag.compile(f"NBEST[A, {n}]", mode=mode)(A=graph), graph, expected)
    assert [tuple(path) for _, path in zip(range(n), (p for _, p in best_paths(graph.topology, graph.arc_weight)),
                                           strict=False)] == expected  # fmt: skip


@for_seeds(150)
def test_brute_force(seed: int) -> None:
    check_brute_force(seed)


@pytest.mark.slow
@for_seeds(5000)
def test_brute_force_on_many(seed: int) -> None:
    check_brute_force(seed + 1000)


@for_seeds(100)
def test_rounded_weights(seed: int) -> None:
    """Sums are rounded, yet every tier finds the same paths, and their order is that of their weights."""
    graph = drawn(seed, grid=False)
    found = [ag.compile("NBEST[A, 12]", mode=mode)(A=graph) for mode in MODES]
    assert ag.equal(*found)
    totals = [float(graph_weight) for graph_weight in (found[0].arc_weight[arcs].sum() for arcs in lines(found[0]))]
    assert all(after <= before + 1e-9 * max(1.0, abs(before)) for before, after in pairwise(totals))
    for mode in MODES:
        path, first, best = (
            ag.compile(text, mode=mode)(A=graph) for text in ("PATH[A]", "NBEST[A, 1]", "PATH[NBEST[A, 4]]")
        )
        assert ag.equal(path, first)
        assert ag.equal(path, best)
    assert totals[:1] == pytest.approx([ag.compile("MAX[A]")(A=graph)] if totals else [], rel=1e-12)


# -- OpenFst ----------------------------------------------------------------------------------------------------------


def check_openfst(seed: int) -> None:
    """OpenFst's n-shortest paths have the same costs."""
    fst = pytest.importorskip("pynini", reason="pynini (OpenFst) is not installed")
    rng = random.Random(seed)
    style = Style(grid=True, cycles=rng.choice([0.0, 0.5]), infinite=0.1)
    graph = convert(draw_graph(rng, style, acceptor=False))
    if not graph.is_acyclic:  # its shortest distances want costs of 0 or more
        graph = graph.with_weight(np.minimum(graph.weight, -0.5))
    made = fst.Fst("standard")
    for _ in range(graph.n_states + 1):
        made.add_state()
    made.set_start(graph.n_states)
    for state in graph.start.tolist():
        made.add_arc(graph.n_states, fst.Arc(0, 0, 0.0, state))
    for state in graph.accept.tolist():
        made.set_final(state, 0.0)
    for src, dst, weight in zip(graph.src.tolist(), graph.dst.tolist(), graph.arc_weight.tolist(), strict=True):
        if weight > -math.inf:
            made.add_arc(src, fst.Arc(1, 1, -weight, dst))
    n = rng.choice([2, 5, 10])
    expected = sorted(_costs(fst.shortestpath(made, nshortest=n)))
    found = ag.compile(f"NBEST[A, {n}]", mode="kernels")(A=graph)
    assert [-found.arc_weight[arcs].sum() for arcs in lines(found)] == pytest.approx(expected, abs=1e-4)


def _costs(paths: Any) -> list[float]:
    """The costs of all paths of an OpenFst graph without cycles."""
    found = []
    stack = [(paths.start(), 0.0)] if paths.num_states() else []
    while stack:
        state, cost = stack.pop()
        final = float(paths.final(state))
        if final < math.inf:
            found.append(cost + final)
        stack += [(arc.nextstate, cost + float(arc.weight)) for arc in paths.arcs(state)]
    return found


@for_seeds(60)
def test_openfst(seed: int) -> None:
    check_openfst(seed)


@pytest.mark.slow
@for_seeds(1000)
def test_openfst_on_many(seed: int) -> None:
    check_openfst(seed + 1000)


# -- gradients, batches, what is empty, and mistakes -------------------------------------------------------------------


@for_seeds(25)
def test_finite_differences(seed: int) -> None:
    graph = drawn(seed, grid=False)
    for mode in MODES:
        for text in ("LSE[NBEST[A, 3]]", "LSE[NBEST[A ∘ A, 4] + A]", "MAX[NBEST[rev[A] A, 2]⟨LSE[NBEST[A, 2]]⟩]"):
            equation = ag.compile(text, mode=mode)
            try:
                value = equation(A=graph)
            except ag.DivergenceError:
                continue
            if math.isfinite(value):
                report = equation.check_grad(A=graph, step=1e-7)
                assert report.ok, report


LINE = ag.linear([1, 2], [0.5, -1.0])
LOOP = ag.Graph([0, 0], [0, 0], [1, 2], weight=[-0.5, -0.5], start=[0], accept=[0])
EMPTY = ag.Graph([], [], [], n_states=0, start=[])


@pytest.mark.parametrize("mode", [*MODES, "auto", pytest.param("fused", marks=pytest.mark.slow)])
def test_batches_and_shared_graphs(mode: str) -> None:
    equation = ag.compile("NBEST[A ∘ B, 3]", mode=mode)
    items = [LINE, LOOP, EMPTY, LINE]
    batch = equation(A=items, B=LOOP)
    assert all(ag.equal(found, equation(A=item, B=LOOP)) for found, item in zip(batch, items, strict=True))
    scores = ag.compile("LSE[NBEST[A ∘ B, 3]]", mode=mode)
    value, gradient = scores.value_and_grad(A=items, B=LOOP)
    singles = [scores.value_and_grad(A=item, B=LOOP) for item in items]
    assert value.tolist() == [single[0] for single in singles]
    for one, (_, other) in zip(gradient["A"], singles, strict=True):
        np.testing.assert_array_equal(one, other["A"])
    np.testing.assert_allclose(gradient["B"], sum(single[1]["B"] for single in singles))
    shared = ag.compile("LSE[NBEST[B, 4] ∘ A]", mode=mode).value_and_grad(A=items, B=LOOP)
    again = [ag.compile("LSE[NBEST[B, 4] ∘ A]", mode=mode).value_and_grad(A=item, B=LOOP) for item in items]
    assert shared[0].tolist() == [single[0] for single in again]
    np.testing.assert_allclose(shared[1]["B"], sum(single[1]["B"] for single in again))


@pytest.mark.parametrize("mode", MODES)
def test_edges(mode: str) -> None:
    def best(n: int, graph: ag.Graph) -> ag.Graph:
        return ag.compile(f"NBEST[A, {n}]", mode=mode)(A=graph)

    assert best(2, EMPTY).n_states == 0
    assert best(2, ag.Graph([0], [1], [1], accept=[])).n_states == 0
    assert best(2, LINE.with_weight([-np.inf, 0.0])).n_states == 0
    assert best(2, LINE.with_weight([-1e300, -1e300])).n_arcs == 2
    beyond = ag.Graph([0, 1] * 9, [1, 0] * 9, [1] * 18, weight=[-9e307] * 18, accept=[1])
    assert best(99, beyond).n_arcs == 9  # three arcs weigh more than floats hold
    assert best(5, LINE).n_arcs == 2  # fewer where there are fewer
    two = best(5, ag.Graph([], [], [], start=[0, 1], accept=[0, 1]))
    assert (two.n_states, two.n_arcs, two.start.tolist(), two.accept.tolist()) == (2, 0, [0, 1], [0, 1])
    first = best(3, LOOP)  # the empty path, then the two loops in order
    assert (first.n_states, first.ilabel.tolist()) == (5, [1, 2])
    assert lines(first) == [[], [0], [1]]
    huge = ag.compile("NBEST[A, 2147483647]", mode=mode)
    assert huge(A=LINE).n_arcs == 2
    with pytest.raises(ag.LimitError, match=r"(?s)the paths would have at least .* ask for fewer paths"):
        ag.compile("NBEST[A, 2147483647]", mode=mode, limits=ag.Limits(states=500))(A=LOOP)


@pytest.mark.parametrize("mode", MODES)
def test_a_cycle_that_gains_diverges(mode: str) -> None:
    for n in (1, 2):
        with pytest.raises(ag.DivergenceError, match="MAX diverges: the cycle") as caught:
            ag.compile(f"NBEST[A, {n}]", mode=mode)(A=LOOP.with_weight([-1.0, 0.25]))
        assert caught.value.place is not None
    assert ag.compile("NBEST[A, 4]", mode=mode)(A=LOOP.with_weight([-1.0, 0.0])).n_arcs == 6  # ε 2 22 222


def test_how_many_is_a_whole_number_from_one_on() -> None:
    for text in ("NBEST[A, 0]", "NBEST[A, -1]", "NBEST[A, 1.5]", "NBEST[A, B]", "NBEST[A, 2147483648]"):
        with pytest.raises(ag.EquationError, match="expected the number n here: a whole number from 1 to"):
            ag.compile(text)
    for text in ("NBEST[A]", "NBEST[A, 1, 2]", "NBEST"):
        with pytest.raises(ag.EquationError):
            ag.compile(text)


@pytest.mark.parametrize("mode", MODES)
def test_large_weights_lose_no_more_than_their_rounding(mode: str) -> None:
    graph = ag.Graph([0, 0, 0, 1, 1], [1, 1, 1, 2, 2], [1, 2, 3, 4, 5], weight=[0.0, -1.0, -3.0, 0.0, -2.0], accept=[2])
    moved = graph.with_weight(graph.weight - 1e12 * (graph.src == 0))
    found = [ag.compile("NBEST[A, 4]", mode=mode)(A=each).ilabel.tolist() for each in (graph, moved)]
    assert found[0] == found[1] == [1, 4, 2, 4, 1, 5, 2, 5]


@pytest.mark.slow
def test_long_graphs_and_many_paths() -> None:
    rng = np.random.default_rng(0)
    src = np.repeat(np.arange(3000), 4)
    graph = ag.Graph(src, src + rng.integers(1, 3, len(src)), src % 7, weight=rng.normal(size=len(src)),
                     accept=[3000, 3001])  # fmt: skip
    found = ag.compile("NBEST[A, 500]", mode="kernels")(A=graph)
    totals = np.array([math.fsum(found.arc_weight[arcs]) for arcs in lines(found)])
    assert len(totals) == 500
    assert (np.diff(totals) <= 1e-9).all()
    expected = [weight for _, (weight, _) in zip(range(500), best_paths(graph.topology, graph.weight), strict=False)]
    np.testing.assert_allclose(totals, expected, rtol=1e-12)
