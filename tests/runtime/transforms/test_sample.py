"""SAMPLE: exact draws of every kind of graph (χ² beside enumeration), the same in all tiers, batches and threads."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from oracle.paths import Useful, enumerate_paths
from scipy.stats import chi2
from support.adapter import convert, naive
from support.random_graphs import Style, draw_graph
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.runtime.reference.draws import keys_of
from arcgrad.runtime.transforms import TWINS, sample

MODES = ("interpret", "kernels")
RNG = np.random.default_rng(0)


@pytest.fixture(params=["kernels", pytest.param("reference", marks=pytest.mark.slow)], scope="module", autouse=True)
def how(request: pytest.FixtureRequest) -> Iterator[str]:
    """Small graphs, too, by the kernels; or all by what stands in until these are compiled."""
    for kernels in TWINS["sample"].kernels.values():
        for kernel in kernels:
            kernel.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "_SMALL", 0)
        if request.param == "kernels":
            patch.setattr(sample.patience, "seconds", 0.0)
        else:
            patch.setattr(sample.patience, "ends_for", lambda *kernels, expected=0.0: False)
        yield request.param


def strings(graph: ag.Graph, side: str = "ilabel") -> list[tuple[int, ...]]:
    """The labels of each linear graph."""
    labels = getattr(graph, side).tolist()
    ends = zip(graph.start.tolist(), graph.accept.tolist(), strict=True)
    return [tuple(labels[first - k : last - k]) for k, (first, last) in enumerate(ends)]


def assert_drawn(draws: list[tuple[int, ...]], probabilities: dict[tuple[int, ...], float]) -> None:
    """χ² of the draws; outcomes that are seldom expected, and all that have no probability given, are one."""
    counts = Counter(draws)
    n = len(draws)
    common = {path: p for path, p in probabilities.items() if n * p >= 5.0}
    pairs = [(counts[path], n * p) for path, p in common.items()]
    rest = n - sum(expected for _, expected in pairs)
    pairs.append((n - sum(found for found, _ in pairs), rest))
    pairs = [(found, expected) for found, expected in pairs if expected > 1e-6 or found]
    assert all(expected > 1e-6 for _, expected in pairs)
    statistic = sum((found - expected) ** 2 / expected for found, expected in pairs)
    assert chi2.sf(statistic, max(len(pairs) - 1, 1)) > 1e-4, (counts.most_common(5), sorted(pairs)[-5:])


def distinct(graph: ag.Graph) -> ag.Graph:
    """The same graph with a label of its own on every arc."""
    labels = np.arange(graph.n_arcs)
    return ag.Graph(
        graph.src, graph.dst, labels, weight=graph.arc_weight, start=graph.start, accept=graph.accept,
        n_states=graph.n_states,
    )  # fmt: skip


def drawn(seed: int, cycles: float) -> ag.Graph:
    rng = random.Random(seed)
    return distinct(convert(draw_graph(rng, Style(cycles=cycles, infinite=rng.choice([0.0, 0.1])), acceptor=True)))


@for_seeds(25)
def test_lattices_are_drawn_by_their_probabilities(seed: int) -> None:
    graph = drawn(seed, cycles=0.0)
    paths = [tuple(path) for path in enumerate_paths(Useful(naive(graph), keep_minus_infinity=False), 10_000)]
    part = Useful(naive(graph), keep_minus_infinity=False)
    chosen = [tuple(int(part.index[k]) for k in path) for path in paths]
    if len(set(chosen)) != len(chosen):  # several empty paths
        pytest.skip("paths that labels do not tell apart")
    found = strings(ag.compile("SAMPLE[A, 4000, 7]", mode="kernels")(A=graph))
    if not chosen:
        assert found == []
        return
    weights = np.array([graph.arc_weight[list(path)].sum() for path in chosen])
    shares = np.exp(weights - weights.max())
    assert len(found) == 4000
    assert_drawn(found, dict(zip(chosen, (shares / shares.sum()).tolist(), strict=True)))


@for_seeds(25)
def test_cyclic_graphs_are_drawn_by_their_probabilities(seed: int) -> None:
    graph = drawn(seed, cycles=1.0)
    if len(set(graph.start.tolist()) & set(graph.accept.tolist())) > 1:
        pytest.skip("several empty paths")
    found = strings(ag.compile("SAMPLE[A, 4000, 11]", mode="kernels")(A=graph))
    total = ag.compile("LSE[A]", mode="interpret")(A=graph)
    best = ag.compile("NBEST[A, 300]", mode="interpret")(A=graph)
    ends = zip(best.start.tolist(), best.accept.tolist(), strict=True)
    weights = [best.arc_weight[first - k : last - k].sum() for k, (first, last) in enumerate(ends)]
    probabilities = {path: math.exp(w - total) for path, w in zip(strings(best), weights, strict=True)}
    if math.isfinite(total):
        assert_drawn(found, probabilities)
    else:
        assert found == []


X = RNG.normal(size=(4, 3))
T = ag.Graph.from_arcs(
    [(0, 0, 0, 4, 0.1), (0, 1, 1, -1, -0.3), (1, 1, 1, 1, 0.0), (1, 2, -1, 2, -0.5), (2, 2, 2, 5, 0.2),
     (0, 2, 2, 3, 0.4), (0, 1, -1, 6, -1.0), (2, 0, 0, 7, 0.3), (0, 2, 1, 8, -0.2)],
    start=[0, 1], accept=[2, 1],
)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", ["X", "X ∘ T", "T⁻¹ ∘ X"])
def test_dense_compositions_are_drawn_by_their_probabilities(text: str, dtype: str) -> None:
    side = "olabel" if "∘ T" in text else "ilabel"
    given: dict[str, Any] = {"X": X.astype(dtype), **({"T": T} if "T" in text else {})}
    built = ag.compile(text, mode="interpret")(given)
    paths = enumerate_paths(Useful(naive(built), keep_minus_infinity=False), 10_000)
    shares = np.exp([built.arc_weight[path].sum() for path in paths])
    probabilities: Counter[tuple[int, ...]] = Counter()
    for path, share in zip(paths, shares / shares.sum(), strict=True):
        probabilities[tuple(getattr(built, side)[path].tolist())] += share
    found = ag.compile(f"SAMPLE[{text}, 20000, 5]", mode="kernels")(given)
    assert_drawn(strings(found, side), probabilities)


def test_draws_are_independent_of_one_another() -> None:
    """χ² of pairs of draws that follow one another, of neighbouring seeds, and of neighbouring items."""
    coin = ag.Graph([0, 0, 0], [1, 1, 1], [0, 1, 2], weight=np.log([0.5, 0.3, 0.2]), accept=[1])
    p = {(a, b): x * y for a, x in enumerate((0.5, 0.3, 0.2)) for b, y in enumerate((0.5, 0.3, 0.2))}
    equation = ag.compile("SAMPLE[A, 3, s]", mode="kernels")
    draws = ag.compile("SAMPLE[A, 20001, 3]", mode="kernels")(A=coin).ilabel.tolist()
    assert_drawn(list(zip(draws[:-1:2], draws[1::2], strict=True)), p)
    seeds = [strings(found)[0][0] for found in equation(A=coin, s=np.arange(2000.0))]
    assert_drawn(list(zip(seeds[::2], seeds[1::2], strict=True)), p)
    items = [strings(found)[2][0] for found in equation(A=[coin] * 2000, s=4.0)]
    assert_drawn(list(zip(items[::2], items[1::2], strict=True)), p)


def check_tiers(seed: int) -> None:
    rng = random.Random(seed)
    style = Style(cycles=rng.choice([0.0, 0.5, 1.0]), infinite=rng.choice([0.0, 0.1]))
    a, b = (convert(draw_graph(rng, style, acceptor=False)) for _ in range(2))
    x = np.random.default_rng(seed).normal(size=(rng.randrange(4), 3)).astype(rng.choice("fd"))
    for text in ("SAMPLE[A, 20, s]", "SAMPLE[X ∘ A, 20, s]", "SAMPLE[A ∘ X ∘ B, 9, s]", "SAMPLE[X, 3, s]"):
        equation = ag.compile(text, mode="kernels")
        given = {name: {"A": a, "B": b, "X": x, "s": float(seed)}[name] for name in equation.inputs}
        outcomes = []
        for mode in MODES:
            try:
                outcomes.append(ag.compile(text, mode=mode)(given))
            except ag.DivergenceError:
                outcomes.append("diverges")
        if "diverges" in outcomes:
            assert outcomes == ["diverges"] * 2
        else:
            assert ag.equal(*outcomes, tolerance=1e-12)


@for_seeds(60)
def test_all_tiers_draw_the_same(seed: int) -> None:
    check_tiers(seed)


@pytest.mark.slow
@for_seeds(600)
def test_all_tiers_draw_the_same_of_many(seed: int) -> None:
    check_tiers(seed + 1000)


def test_batches_items_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an item's draws are is decided by its inputs, the seed and its number alone."""
    x = RNG.normal(size=(5, 4, 3))
    for mode in MODES:
        equation = ag.compile("SAMPLE[X ∘ T, 6, s]", mode=mode)
        whole = equation(X=x, T=T, s=2.5)
        assert all(map(ag.equal, equation(X=x[:2], T=T, s=2.5), whole))
        assert ag.equal(equation(X=x[0], T=T, s=2.5), whole[0])
        assert all(map(ag.equal, equation(X=x, T=[T] * 5, s=np.full(5, 2.5)), whole))
        same = equation(X=x[[0, 0]], T=T, s=2.5)
        assert not ag.equal(*same)
        for threads in ("1", "3"):
            monkeypatch.setenv("ARCGRAD_THREADS", threads)
            assert all(map(ag.equal, equation(X=x, T=T, s=2.5), whole))
        light = T.with_weight(T.weight - 2.0)
        # A shared graph is drawn from anew for each item.
        shared = ag.compile("LSE[SAMPLE[T, 3, s] ∘ A]", mode=mode)
        loops = ag.Graph([0] * 9, [0] * 9, range(9), accept=[0])
        values, gradient = shared.value_and_grad(T=light, A=[loops] * 6, s=1.0)
        alone = ag.compile("SAMPLE[T, 3, s]", mode=mode)(T=[light] * 6, s=1.0)
        assert len(set(values.tolist())) > 1
        for value, graph in zip(values, alone, strict=True):
            assert value == pytest.approx(ag.compile("LSE[T ∘ A]")(T=graph, A=loops), rel=1e-12)
        assert gradient["T"].shape == (9,)
        assert gradient["s"] == 0.0


@pytest.mark.parametrize("mode", MODES)
def test_gradients_go_to_the_arcs_that_were_copied(mode: str) -> None:
    equation = ag.compile("LSE[SAMPLE[X ∘ T, 7, 3]]", mode=mode)
    value, gradient = equation.value_and_grad(X=X, T=T)
    found = ag.compile("SAMPLE[X ∘ T, 7, 3]", mode=mode)(X=X, T=T)
    assert value == pytest.approx(ag.compile("LSE[A]")(A=found), rel=1e-12)
    assert gradient["X"].sum(axis=1) == pytest.approx(np.ones(4))  # each path takes each frame once
    moved, posterior = X.copy(), ag.compile("LSE[A]").value_and_grad(A=found)[1]["A"]
    assert gradient["T"].sum() == pytest.approx(posterior.sum())
    moved[0] += 1e-9  # the same paths are drawn
    assert (equation(X=moved, T=T) - value) / 1e-9 == pytest.approx(1.0, abs=1e-5)


LINE = ag.linear([1, 2], [0.5, -1.0])
LOOP = ag.Graph([0, 0], [0, 0], [1, 2], weight=[-1.5, -1.5], start=[0], accept=[0])
EMPTY = ag.Graph([], [], [], n_states=0, start=[])


@pytest.mark.parametrize("mode", MODES)
def test_edges(mode: str) -> None:
    def draw(n: int, graph: ag.Graph, **options: Any) -> ag.Graph:
        return ag.compile(f"SAMPLE[A, {n}, 1]", mode=mode, **options)(A=graph)

    for none in (EMPTY, ag.Graph([0], [1], [1], accept=[]), LINE.with_weight([-np.inf, 0.0])):
        assert draw(3, none).n_states == 0
    assert draw(3, LINE).ilabel.tolist() == [1, 2] * 3
    two = draw(50, ag.Graph([], [], [], start=[0, 1], accept=[0, 1]))
    assert (two.n_states, two.n_arcs, len(two.start)) == (50, 0, 50)
    with pytest.raises(ag.DivergenceError, match="diverges: the cycle") as caught:
        draw(2, LOOP.with_weight([0.0, -1.0]))
    assert caught.value.place is not None
    with pytest.raises(ag.LimitError, match="the paths would have"):
        draw(2_147_483_647, LOOP)
    with pytest.raises(ag.LimitError, match=r"would have at least [0-9]+ arcs, but the limit is 100"):
        draw(2, LOOP.with_weight([-1e-6, -20.0]), limits=ag.Limits(arcs=100))
    for shape, states in (((0, 0), 3), ((0, 3), 3), ((2, 0), 0)):
        assert ag.compile("SAMPLE[X, 3, 1]", mode=mode)(X=np.zeros(shape)).n_states == states
    assert ag.compile("SAMPLE[X, 3, 1]", mode=mode)(X=np.full((2, 2), -np.inf)).n_states == 0
    assert ag.compile("SAMPLE[X ∘ A, 3, 1]", mode=mode)(X=np.zeros((2, 3)), A=EMPTY).n_states == 0


@pytest.mark.parametrize("mode", MODES)
def test_seeds(mode: str) -> None:
    equation = ag.compile("SAMPLE[A, 9, s]", mode=mode)

    def drawn(seed: float) -> list[int]:
        return equation(A=LOOP, s=seed).ilabel.tolist()

    assert drawn(3) == drawn(3.0) == ag.compile("SAMPLE[A, 9, 3]", mode=mode)(A=LOOP).ilabel.tolist()
    assert drawn(0.0) == drawn(-0.0)
    seeds = (0.0, 1.0, 0.1, -1.0, 5e-324, 1e308, math.inf, -math.inf)
    assert len({tuple(drawn(seed)) for seed in seeds}) == len(seeds)
    of_score = ag.compile("SAMPLE[A, 9, 1 + LSE[B] × 2]", mode=mode)
    assert of_score(A=LOOP, B=LINE.with_weight([1.0, 0.0])).ilabel.tolist() == drawn(3.0)
    assert (
        len(ag.compile("SAMPLE[A, 2, COUNT[A{2000}]]", mode=mode)(A=ag.Graph([0, 0], [1, 1], [1, 2], accept=[1])).start)
        == 2
    )
    batch = equation(A=LOOP, s=np.array([3.0, 4.0]))
    assert batch[0].ilabel.tolist() == drawn(3.0)
    assert equation.value_and_grad(A=LOOP, s=3.0)[1]["s"] == 0.0
    with pytest.raises(ag.InputError, match="NaN"):
        equation(A=LOOP, s=math.nan)
    with pytest.raises(ag.UndefinedError):
        ag.compile("SAMPLE[A, 2, log[0 - 1]]", mode=mode)(A=LOOP)


def test_streams_do_not_change() -> None:
    """Seeds mean the same in every version: who notes one down finds the draws again."""
    assert keys_of(1.0, 0, 2).tolist() == keys_of(1.0, 0, 3).tolist()[:2]
    assert [hex(key) for key in keys_of(1.0, 0, 2).tolist()] == FIRST_KEYS
    assert ag.compile("SAMPLE[A, 4, 1]")(A=LOOP).ilabel.tolist() == FIRST_DRAWS


FIRST_KEYS = ["0x380180708d3dc9fa", "0x36e7d9ca037f00dd"]
FIRST_DRAWS = [2, 2, 1, 1, 2]


def test_bad_arguments() -> None:
    for text in ("SAMPLE[A, 0, 1]", "SAMPLE[A, 1.5, 1]", "SAMPLE[A, B, 1]"):
        with pytest.raises(ag.EquationError, match="the number n here: a whole number from 1 to"):
            ag.compile(text)
    for text in ("SAMPLE[A]", "SAMPLE[A, 2]", "SAMPLE[A, 2, 3, 4]", "SAMPLE[A, 2, A ∘ A]"):
        with pytest.raises(ag.EquationError):
            ag.compile(text)
    with pytest.raises(ag.InputError):
        ag.compile("SAMPLE[A, 2, s]")(A=LOOP, s=LOOP)
    with pytest.raises(ag.InputError, match="batch sizes differ"):
        ag.compile("SAMPLE[A, 2, s]")(A=[LOOP, LOOP], s=np.zeros(3))


@pytest.mark.parametrize("mode", MODES)
def test_a_constant_that_all_share_changes_no_draw(how: str, mode: str) -> None:
    graph = ag.Graph([0, 0, 0, 1, 1], [1, 1, 1, 2, 2], [1, 2, 3, 4, 5], weight=[0.0, -1.0, -3.0, 0.5, 0.0], accept=[2])
    moved = graph.with_weight(graph.weight - 1e15 * (graph.src == 1))
    equation = ag.compile("SAMPLE[A, 50, 4]", mode=mode)
    assert equation(A=graph).ilabel[::2].tolist() == equation(A=moved).ilabel[::2].tolist()
    if how == "reference" or mode == "interpret":
        return  # they build the composition, whose weights are floats
    dense = ag.compile("SAMPLE[X ∘ T, 50, 4]", mode=mode)
    rounded = np.where(np.arange(4)[:, None] == 2, 0.0, X)
    expected = dense(X=rounded, T=T)
    lower = np.where(np.arange(4)[:, None] == 2, -1e30, X)
    assert dense(X=lower, T=T).ilabel.tolist() == expected.ilabel.tolist()


@pytest.mark.slow
def test_long_lattices() -> None:
    n = 2_000
    src = np.repeat(np.arange(n), 3)
    graph = ag.Graph(
        src, np.minimum(src + RNG.integers(1, 4, 3 * n), n), src % 5, weight=RNG.normal(size=3 * n), accept=[n]
    )
    posterior = ag.compile("LSE[A]").value_and_grad(A=graph)[1]["A"]
    found = ag.compile("SAMPLE[A, 400, 2]", mode="kernels")
    counts = found.value_and_grad(A=graph)[1]["A"]
    error = np.abs(counts - 400 * posterior) / np.sqrt(400 * posterior * (1 - posterior) + 1e-3)
    assert np.quantile(error, 0.99) < 3.2


def test_explain_says_that_nothing_is_built() -> None:
    shown = str(ag.compile("SAMPLE[X ∘ (T ∘ A), 4, 1]").explain(X=X, T=T, A=LOOP))
    assert "trellis region over X: time-synchronous, the composition is never built; G = T ∘ A" in shown
    assert "its operand is built" in str(ag.compile("LSE[SAMPLE[A + A, 2, 1]]").explain(A=LOOP))
    assert ag.compile("SAMPLE[A, 2, s]").explain()


def test_it_is_named_as_it_is_written() -> None:
    equation = ag.compile("LSE[SAMPLE[A, 4, s + 1]]")
    assert "LSE[SAMPLE[A, 4, s + 1]]" in str(equation.explain())
    assert equation.check_grad(A=LINE, s=1.0).ok
    jacobian = ag.compile("SAMPLE[A, 2, s]").jacobian(A=LINE, s=1.0, wrt=("A", "s"))
    assert jacobian["A"].toarray().tolist() == [[1.0, 0.0], [0.0, 1.0]] * 2
    assert not jacobian["s"].toarray().any()
