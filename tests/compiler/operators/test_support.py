"""``support`` and regular expressions: sets of strings, each string once, so that no probability is above one."""

from __future__ import annotations

import itertools
import math
import os
import random
import re
import time

import numpy as np
import pytest
from oracle import graphs as naive
from support.adapter import assert_built, convert
from support.random_graphs import Style, draw_graph, draw_topology
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.compiler.operators import operator

SYMBOLS = "abc"
# Ten thousand, by make fuzz, take a minute.
MANY = 10_000 if "ARCGRAD_FUZZ" in os.environ else 1_000
STYLE = Style(cycles=0.5, infinite=0.1, n_states=6, epsilon=0.3)


def log_probabilities(rng: np.random.Generator, frames: int, columns: int) -> np.ndarray:
    scores = rng.normal(size=(frames, columns))
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def draw_pattern(rng: random.Random, depth: int) -> str:
    """A regular expression that Python reads alike; often ambiguous."""
    kind = rng.random()
    if depth == 0 or kind < 0.2:
        return rng.choice(["a", "b", "c", "ab", "[ab]", "[^a]", ".", "[a-c]", "aa", "(|b)"])
    inner = draw_pattern(rng, depth - 1)
    if kind < 0.5:
        return inner + draw_pattern(rng, depth - 1)
    if kind < 0.7:
        return f"({inner}|{draw_pattern(rng, depth - 1)})"
    return f"({inner}){rng.choice(['*', '+', '?', '{2}', '{1,2}', '{0}', '{2,}'])}"


def check_pattern(seed: int) -> None:
    rng = random.Random(seed)
    pattern, frames = draw_pattern(rng, rng.randint(1, 4)), rng.randint(0, 4)
    scores = log_probabilities(np.random.default_rng(seed), frames, len(SYMBOLS))
    matching = re.compile(pattern)
    terms = [
        sum(scores[t, label] for t, label in enumerate(labels))
        for labels in itertools.product(range(len(SYMBOLS)), repeat=frames)
        if matching.fullmatch("".join(SYMBOLS[label] for label in labels))
    ]
    expected = float(np.logaddexp.reduce(terms)) if terms else -math.inf
    found = ag.compile(f'LSE[X ∘ re"{pattern}"]', symbols=list(SYMBOLS), mode="interpret")(X=scores)
    assert found == pytest.approx(expected, abs=1e-12), pattern
    assert found <= 1e-12, pattern
    assert ag.compile(f'COUNT[X ∘ re"{pattern}"]', symbols=list(SYMBOLS))(X=scores) == len(terms), pattern


@for_seeds(150)
def test_regular_expressions_have_the_probability_of_enumeration(seed: int) -> None:
    check_pattern(seed)


@pytest.mark.slow
@for_seeds(MANY)
def test_many_regular_expressions_have_the_probability_of_enumeration(seed: int) -> None:
    check_pattern(1_000_000 + seed)


def check_graph(seed: int) -> None:
    """The same graph as the oracle's, which reverses and makes deterministic twice, and no probability above one."""
    rng = random.Random(seed)
    leaf = draw_graph(rng, STYLE, acceptor=True)
    graph = convert(leaf)
    build = operator("support").build
    assert build is not None
    assert_built(build([graph.topology], (), DEFAULT_LIMITS), naive.support(leaf.to_graph("A")), "A")
    scores = log_probabilities(np.random.default_rng(seed), rng.randint(0, 4), STYLE.n_labels)
    value, gradient = ag.compile("LSE[X ∘ support[A]] - LSE[X]").value_and_grad(X=scores, A=graph)
    assert value <= 1e-12
    assert not gradient["A"].any()


@for_seeds(150)
def test_graphs_have_one_minimal_acceptor(seed: int) -> None:
    check_graph(seed)


@pytest.mark.slow
@for_seeds(MANY)
def test_many_graphs_have_one_minimal_acceptor(seed: int) -> None:
    check_graph(1_000_000 + seed)


def test_a_keyword_that_may_occur_twice_counts_once() -> None:
    """The graph of all ways of matching gives +0.507 here: a probability of 1.66."""
    symbols = ["_", "a", "b", "c"]
    logits = np.random.default_rng(0).normal(size=(6, 4))
    scores = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    without = np.prod(1 - np.exp(scores[:, 1]))
    found = ag.compile('LSE[X ∘ re"[abc_]*a[abc_]*"] - LSE[X]', symbols=symbols)(X=scores)
    assert found == pytest.approx(math.log(1 - without), abs=1e-12)
    assert found == pytest.approx(-0.1204, abs=5e-5)
    ways = ag.compile('S = re"[abc_]"\nLSE[X ∘ (S* "a" S*)] - LSE[X]', symbols=symbols)(X=scores)
    assert ways == pytest.approx(0.5068, abs=5e-5)


def ctc_topology(n_labels: int) -> ag.Graph:
    """Frames to labels; label 0 is the blank, state k follows label k."""
    arcs = []
    for state in range(n_labels):
        for label in range(n_labels):
            written = -1 if label in (0, state) else label
            arcs.append((state, label, label, written, 0.0))
    return ag.Graph.from_arcs(arcs, start=[0], accept=range(n_labels))


def collapsed(labels: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(labels) if label)


@for_seeds(10)
def test_star_ctc_is_a_probability(seed: int) -> None:
    frames, n_labels = 5, 3
    scores = log_probabilities(np.random.default_rng(seed), frames, n_labels)
    target = [(1,), (1, 2), (2, 2), (1, 2, 1), ()][seed % 5]
    found = ag.compile("LSE[X ∘ support[in[T ∘ (S* Y S*)]]] - LSE[X]")(
        X=scores, T=ctc_topology(n_labels), S=ag.Graph([0, 0], [1, 1], [1, 2], accept=[1]), Y=ag.linear(list(target))
    )
    total = 0.0
    for labels in itertools.product(range(n_labels), repeat=frames):
        words = collapsed(labels)
        if any(words[k : k + len(target)] == target for k in range(len(words) - len(target) + 1)):
            total += math.exp(sum(scores[t, label] for t, label in enumerate(labels)))
    assert found == pytest.approx(math.log(total), abs=1e-12)
    assert found <= 1e-12


def test_states_are_numbered_breadth_first_and_arcs_by_label() -> None:
    graph = ag.compile('re"(cat|dog|do)s?"')()
    arcs = list(zip(graph.src.tolist(), graph.dst.tolist(), map(chr, graph.ilabel.tolist()), strict=True))
    assert arcs == [
        (0, 1, "c"), (0, 2, "d"), (1, 3, "a"), (2, 4, "o"), (3, 5, "t"), (4, 5, "g"), (4, 6, "s"), (5, 6, "s"),
    ]  # fmt: skip
    assert graph.accept.tolist() == [4, 5, 6]
    assert not graph.arc_weight.any()


def test_edges() -> None:
    support = ag.compile("support[A]")
    assert ag.equal(support(A=ag.Graph([], [], [])), ag.compile("∅")())
    assert ag.equal(support(A=ag.Graph([0], [1], [4], accept=[])), ag.compile("∅")())
    assert ag.equal(support(A=ag.Graph([0, 1], [1, 0], [-1, -1], accept=[1])), ag.compile("ε")())
    absent = ag.Graph([0], [1], [4], weight=[-math.inf], accept=[1])
    assert ag.equal(support(A=absent), ag.linear([4]))  # whatever the weights
    assert ag.compile('COUNT[re"[^ab]"]', symbols=["a", "b"])() == 0


def test_transducers_are_refused() -> None:
    with pytest.raises(
        ag.InputError, match="support needs acceptors, but its only operand is a transducer: arc 0 of A"
    ):
        ag.compile("support[A]")(A=ag.Graph([0], [1], [4], [5], accept=[1]))


@pytest.mark.parametrize("limits", [ag.Limits(states=1000), ag.Limits(arcs=1000), ag.Limits(bytes=50_000)])
def test_sets_of_exponentially_many_states_stop_at_the_limit(limits: ag.Limits) -> None:
    began = time.perf_counter()
    with pytest.raises(ag.LimitError, match=r"would have at least \d+ (states|arcs|bytes), .*; building stopped there"):
        ag.compile('re"[ab]*a[ab]{40}"', limits=limits)()
    assert time.perf_counter() - began < 2


@for_seeds(40)
def test_the_hint_of_a_limit_leads_there(seed: int) -> None:
    """Raising what the message asks for ends in a graph, in a few steps."""
    text, limits = f're"[ab]*a[ab]{{{seed % 8}}}"', ag.Limits(states=2, arcs=2, bytes=100)
    for _ in range(12):
        try:
            assert ag.compile(text, limits=limits)().n_states == 2 ** (seed % 8 + 1)
        except ag.LimitError as error:
            asked = dict(part.split("=") for part in re.search(r"Limits\((.*?)\)", error.hint)[1].split(", "))
            given = {name: getattr(limits, name) for name in ("states", "arcs", "bytes")}
            limits = ag.Limits(**(given | {name: int(count) for name, count in asked.items()}))
        else:
            return
    raise AssertionError(limits)


def test_larger_random_graphs_accept_the_same_strings() -> None:
    """Strings drawn from walks, and others: accepted by both or by neither, at sizes beyond the oracle's."""
    rng = np.random.default_rng(5)
    for _ in range(30):
        topology = draw_topology(rng, 12, 24, np.arange(4), acceptor=True)
        build = operator("support").build
        assert build is not None
        made = build([topology], (), DEFAULT_LIMITS).topology
        for _ in range(30):
            word = rng.integers(0, 4, rng.integers(0, 6)).tolist()
            assert accepts(made, word) == accepts(topology, word)


def accepts(topology: Topology, word: list[int]) -> bool:
    here = close(topology, set(topology.start.tolist()))
    for label in word:
        arcs = zip(topology.src.tolist(), topology.dst.tolist(), topology.ilabel.tolist(), strict=True)
        here = close(topology, {q for p, q, found in arcs if p in here and found == label})
    return not here.isdisjoint(topology.accept.tolist())


def close(topology: Topology, states: set[int]) -> set[int]:
    arcs = zip(topology.src.tolist(), topology.dst.tolist(), topology.ilabel.tolist(), strict=True)
    epsilons = [(p, q) for p, q, label in arcs if label < 0]
    while more := {q for p, q in epsilons if p in states} - states:
        states = states | more
    return states
