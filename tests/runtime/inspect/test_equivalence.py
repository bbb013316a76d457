"""``ag.equivalent``: decided as by trying every string, and shortest witnesses; drawn where that cannot be."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_graph
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.runtime.inspect import equivalence, exact_equivalence
from arcgrad.runtime.inspect.exact_equivalence import TooMuchWorkError

N_LABELS = 2


def string_weights(graph: ag.Graph, longest: int) -> dict[tuple[int, ...], float]:
    """exp of the weight of each string, as products of matrices; moderate weights, and cycles of ε that converge."""
    n = graph.n_states
    matrices = {label: np.zeros((n, n)) for label in range(-1, N_LABELS)}
    for src, dst, label, weight in zip(graph.src, graph.dst, graph.ilabel, graph.arc_weight, strict=True):
        matrices[int(label)][src, dst] += math.exp(weight)
    closure = np.linalg.inv(np.eye(n) - matrices[-1])
    begin, end = np.zeros(n), np.zeros(n)
    begin[graph.start], end[graph.accept] = 1.0, 1.0
    rows = {(): begin @ closure}
    for length in range(1, longest + 1):
        for string in itertools.product(range(N_LABELS), repeat=length):
            rows[string] = rows[string[:-1]] @ matrices[string[-1]] @ closure
    return {string: float(row @ end) for string, row in rows.items()}


def shortest_difference(a: ag.Graph, b: ag.Graph) -> int | None:
    """Strings as long as both have states together suffice."""
    one, other = (string_weights(g, a.n_states + b.n_states - 1) for g in (a, b))
    differing = [len(s) for s in one if abs(one[s] - other[s]) > 1e-9 * max(one[s], other[s])]
    return min(differing, default=None)


def check(a: ag.Graph, b: ag.Graph) -> bool:
    found, expected = ag.equivalent(a, b), shortest_difference(a, b)
    assert found.confidence == 1.0
    assert bool(found) is (expected is None)
    if found.witness is not None:
        assert len(found.witness) == expected
        for graph, weight in zip((a, b), found.weights, strict=True):
            assert math.exp(weight) == pytest.approx(string_weights(graph, expected)[found.witness], rel=1e-9)
    return found.equal


def draw(rng: random.Random, n_states: int) -> ag.Graph:
    style = Style(n_labels=N_LABELS, cycles=0.5, infinite=0.1, n_states=n_states, epsilon=0.3, grid=True)
    return convert(draw_graph(rng, style, acceptor=True))


def rewritten(rng: random.Random, graph: ag.Graph) -> ag.Graph:
    """Other states and arcs for the same strings and weights."""
    text = rng.choice(["A + ∅", "ε A", "A ε", "rev[rev[A]] ε", "connect[A]", "A ∩ S"])
    loop = ag.Graph([0] * N_LABELS, [0] * N_LABELS, range(N_LABELS), accept=[0])
    equation = ag.compile(text, mode="interpret")
    made = equation({name: {"A": graph, "S": loop}[name] for name in equation.inputs})
    order = list(range(made.n_arcs))
    rng.shuffle(order)
    arcs = []
    for k in order:
        weight = float(made.arc_weight[k])
        share = [0.0] if rng.random() < 0.6 else [math.log(0.25), math.log(0.75)]  # two arcs for one
        arcs += [(int(made.src[k]), int(made.dst[k]), int(made.ilabel[k]), weight + part) for part in share]
    return ag.Graph.from_arcs(arcs, start=made.start, accept=made.accept, n_states=made.n_states)


def check_seed(seed: int) -> tuple[bool, bool]:
    rng = random.Random(seed)
    a = draw(rng, 3)
    b = rewritten(rng, a)
    assert check(a, b)
    moved = b.arc_weight + [rng.choice([0.0, 0.0, -0.125]) for _ in range(b.n_arcs)]
    return check(a, b.with_weight(moved)), check(a, draw(rng, 3))


def test_decided_as_by_all_strings() -> None:
    found = np.array([check_seed(seed) for seed in range(60)])
    assert 10 < found[:, 0].sum() < 55
    assert 0 < found[:, 1].sum() < 30


@pytest.mark.slow
@for_seeds(3000)
def test_decided_as_by_all_strings_often(seed: int) -> None:
    check_seed(10_000 + seed)


def test_deterministic_graphs_are_walked_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answers, where the general method would take too long; witnesses need not be shortest."""
    monkeypatch.setattr(exact_equivalence, "_FEW_STATES", -1)
    differing = 0
    for seed in range(150):
        rng = random.Random(seed)
        a = ag.compile("support[A]")(A=draw(rng, 4))
        shuffled = rng.sample(range(a.n_states), a.n_states)
        src, dst, start, accept = (
            np.array(shuffled)[x] if a.n_states else x for x in (a.src, a.dst, a.start, a.accept)
        )
        potential = np.array([rng.randint(-2, 2) / 2 for _ in range(a.n_states)])
        potential[a.start], potential[a.accept] = 0.0, 0.0
        weight = np.array([rng.randint(-4, 0) / 4 for _ in range(a.n_arcs)])
        a = a.with_weight(weight)
        moved = weight + potential[a.src] - potential[a.dst]
        b = ag.Graph(src, dst, a.ilabel, weight=moved, start=start, accept=accept, n_states=a.n_states)
        assert ag.equivalent(a, b)
        c = b.with_weight(b.weight + [rng.choice([0.0, 0.0, 0.5]) for _ in range(b.n_arcs)])
        found = ag.equivalent(a, c)
        assert found.confidence == 1.0
        assert bool(found) is (shortest_difference(a, c) is None)
        if not found:
            differing += 1
            for graph, expected in zip((a, c), found.weights, strict=True):
                value = ag.compile("LSE[W ∘ A]")(W=ag.linear(list(found.witness)), A=graph)
                assert value == pytest.approx(expected)
    assert differing > 25


def test_large_graphs() -> None:
    n = 20_000
    line = ag.linear(np.arange(n) % 3, weight=np.full(n, -0.5))
    moved = line.with_weight(np.concatenate([[-1.0], np.full(n - 2, -0.5), [0.0]]))
    assert ag.equivalent(line, moved).confidence == 1.0
    found = ag.equivalent(line, line.with_weight(line.weight - np.eye(1, n, n - 1)[0] * 1e-3))
    assert not found
    assert found.witness is not None
    assert len(found.witness) == n
    once, twice = ag.compile('re"[ab]*a[ab]{7}"')(), ag.compile('S = re"[ab]"\nS* "a" S{7}')()
    assert str(ag.equivalent(once, twice)) == "equivalent"
    several = ag.equivalent(ag.compile('re"[ab]*a[ab]*"')(), ag.compile('S = re"[ab]"\nS* "a" S*')())
    assert str(several) == "different: 97 97 weighs 0 and 0.693147"


def test_weights_of_any_size() -> None:
    one = ag.Graph([0, 0, 1, 2], [1, 2, 3, 3], [0, 1, 0, 0], weight=[0.0, -1000.0, 0.0, 0.0], accept=[3])
    assert ag.equivalent(one, one)
    assert ag.equivalent(one, ag.linear([0, 0])).witness == (1, 0)
    huge = ag.Graph([0, 0, 1, 2], [1, 2, 3, 3], [0, 1, 0, 0], weight=[1e30, -1e30, 0.0, 0.0], accept=[3])
    assert ag.equivalent(huge, huge.with_weight([0.0, 0.0, 1e30, -1e30]))
    assert ag.equivalent(huge, huge.with_weight([1e30, -2e30, 0.0, 0.0])).weights == (-1e30, -2e30)
    gains = ag.Graph([0, 0], [0, 1], [0, 1], weight=[2.0, 0.0], accept=[1])  # strings of any weight, no sum of all
    assert ag.equivalent(gains, gains)
    assert ag.equivalent(gains, gains.with_weight([2.5, 0.0])).witness == (0, 1)
    tiny = ag.Graph([0, 0, 0, 1, 2], [1, 1, 2, 3, 3], [0, 1, 0, 0, 1], weight=[0, 0, -800, 0, 0], accept=[3])
    other = ag.Graph([0, 0, 0, 1, 2], [1, 1, 2, 3, 3], [0, 1, 1, 0, 1], weight=[0, 0, -800, 0, 0], accept=[3])
    assert ag.equivalent(tiny, other).witness == (0, 1)  # weighs e⁻⁸⁰⁰ and nothing
    for small in (-5.0, -30.0, -1000.0):  # beside the other state's weight it is less than a rounding error
        loops = ag.Graph([0, 0, 1, 1], [0, 1, 1, 2], [0, 0, 0, 1], weight=[0, small, -5, 0], accept=[0, 2])
        assert ag.equivalent(loops, loops).confidence == 1.0
        assert ag.equivalent(loops, loops.with_weight([0, small, -6, 0])).witness == (0, 0, 1)
        assert ag.equivalent(loops, loops.with_weight([0, small, -5, 0.5])).witness == (0, 1)
    ever = ag.Graph([0, 0, 0, 1, 1], [0, 1, 1, 1, 2], [0, 0, 2, 0, 1], weight=[0, -1000, 0, -5, 0], accept=[0, 2])
    assert (
        ag.equivalent(ever, ever).confidence == 1.0
    )  # ends, though each string leads to a weight too small for floats


def test_transducers() -> None:
    letters = ag.Graph([0, 0], [1, 1], [1, 1], [2, 3], weight=[-1.0, -2.0], accept=[1])
    found = ag.equivalent(letters, letters.with_weight([-1.0, -2.5]))
    assert found.witness == ((1,), (3,))
    assert found.confidence == 1.0
    assert str(found) == "different: 1 : 3 weighs -2 and -2.5"
    assert ag.equivalent(letters, letters).confidence == 1.0
    one, other = (
        ag.Graph([0, 1], [1, 2], reads, writes, accept=[2])
        for reads, writes in (([1, -1], [-1, 2]), ([-1, 1], [2, -1]))
    )
    found = ag.equivalent(one, other)
    assert found
    assert 0.99 < found.confidence < 1
    assert str(found).startswith("equivalent with confidence 0.99")
    found = ag.equivalent(one, other.with_weight([0.0, 0.5]))
    assert (found.witness, found.weights) == (((1,), (2,)), (0.0, 0.5))


def test_the_best_paths_of_strings() -> None:
    a = ag.Graph([0, 0], [1, 1], [1, 1], weight=[0.0, -1.0], accept=[1])
    b = ag.linear([1])
    assert not ag.equivalent(a, b)
    assert 0.99 < ag.equivalent(a, b, semiring="max").confidence < 1
    assert ag.equivalent(a, b, semiring="max")
    assert ag.equivalent(a, b.with_weight([0.5]), semiring="max").weights == (0.0, 0.5)
    assert ag.equivalent(b, b, semiring="max").confidence == 1.0


def test_what_cannot_be_decided_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object) -> None:
        raise TooMuchWorkError

    monkeypatch.setattr(equivalence, "difference_of", give_up)
    missed = 0
    for seed in range(30):
        rng = random.Random(seed)
        a = draw(rng, 3)
        b = rewritten(rng, a)
        found = ag.equivalent(a, b, seed=seed)
        assert found
        c = b.with_weight(b.arc_weight - 0.125)
        expected = shortest_difference(a, c) is None
        if not expected:
            missed += bool(ag.equivalent(a, c))
    assert missed <= 2


def test_tolerance() -> None:
    a = ag.linear([1], weight=[1.0])
    assert ag.equivalent(a, ag.linear([1], weight=[1.0 + 1e-10]))
    assert not ag.equivalent(a, ag.linear([1], weight=[1.0 + 1e-10]), tolerance=0)
    assert ag.equivalent(a, ag.linear([1], weight=[1.1]), tolerance=0.2)


def test_edges() -> None:
    nothing = ag.Graph([], [], [])
    assert ag.equivalent(nothing, ag.Graph([0], [1], [3]))
    assert ag.equivalent(nothing, ag.linear([])).weights == (-math.inf, 0.0)
    assert ag.equivalent(ag.linear([]), ag.Graph([0], [1], [-1], accept=[1]))
    assert ag.equivalent(ag.Graph([0], [1], [-1], weight=[-1.0], start=[0, 1], accept=[1]), ag.linear([])).witness == ()
    absent = ag.Graph([0, 0], [1, 1], [3, 4], weight=[0.0, -math.inf], accept=[1])
    assert ag.equivalent(absent, ag.linear([3]))


def test_bad_arguments() -> None:
    a = ag.linear([1])
    with pytest.raises(ag.InputError, match=r"b is an? int, but must be a Graph"):
        ag.equivalent(a, 3)
    with pytest.raises(ag.InputError, match=r"to_graph\(\)"):
        ag.equivalent(ag.dense(np.zeros((2, 2))), a)
    with pytest.raises(ag.InputError, match="semiring is 'prob', but must be 'log' or 'max'"):
        ag.equivalent(a, a, semiring="prob")
    with pytest.raises(ag.InputError, match="tolerance"):
        ag.equivalent(a, a, -1)
    with pytest.raises(ag.InputError, match=r"seed is 0\.5"):
        ag.equivalent(a, a, seed=0.5)
    with pytest.raises(ag.DivergenceError):
        ag.equivalent(ag.Graph([0, 0], [0, 1], [-1, 1], weight=[0.5, 0.0], accept=[1]), a)
