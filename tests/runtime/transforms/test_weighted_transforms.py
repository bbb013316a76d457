"""Operators that depend on weights, against enumerated strings, finite differences and their definitions."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from support.seeds import for_seeds
from support.strings import assert_same_strings, draw_strings_graph, string_weights

import arcgrad as ag
from arcgrad.compiler.graphs.transforms import Transformed
from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.compiler.operators import operator

KEEPING = ["rmeps", "determinize", "minimize", "push"]
SEMIRINGS: list[tuple[Any, ...]] = [(), ("max",), ("min",)]


def apply(name: str, graph: ag.Graph, parameters: tuple[Any, ...] = ()) -> tuple[ag.Graph, Transformed]:
    transform = operator(name).transform
    assert transform is not None
    made = transform(graph.topology, graph.arc_weight, parameters, DEFAULT_LIMITS)
    return ag.Graph.from_topology(made.topology, made.weights), made


def drawn(seed: int, cyclic: bool, **options: Any) -> ag.Graph:
    return draw_strings_graph(random.Random(seed), cyclic=cyclic, **options)


def negated(graph: ag.Graph) -> ag.Graph:
    return graph.with_weight(0.0 - graph.arc_weight)


# -- what they keep ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", SEMIRINGS, ids=str)
@pytest.mark.parametrize("name", KEEPING)
@pytest.mark.parametrize("acceptor", [True, False])
@for_seeds(60)
def test_strings_keep_their_weights(name: str, parameters: tuple[Any, ...], acceptor: bool, seed: int) -> None:
    cyclic = seed % 3 == 0
    minus_infinity = 0.0 if "min" in parameters else 0.08
    graph = drawn(seed, cyclic, acceptor=acceptor, minus_infinity=minus_infinity, grid=seed % 5 == 0)
    sign = "min" in parameters
    given = negated(graph) if sign else graph
    try:
        made, _ = apply(name, given, parameters)
    except ag.LimitError:
        assert name in ("determinize", "minimize")
        assert cyclic
        return
    best = bool(parameters)
    expected = string_weights(graph, 4, best)
    assert_same_strings(string_weights(negated(made) if sign else made, 4, best), expected)


@for_seeds(60)
def test_push_to_the_end_keeps_weights_too(seed: int) -> None:
    graph = drawn(seed, cyclic=seed % 3 == 0, acceptor=False)
    made, _ = apply("push", graph, ("end",))
    assert_same_strings(string_weights(made, 4), string_weights(graph, 4))


# -- what they make ---------------------------------------------------------------------------------------------------


@for_seeds(60)
def test_rmeps_leaves_one_silent_arc_at_most(seed: int) -> None:
    graph = drawn(seed, cyclic=seed % 2 == 0, acceptor=False, epsilon=0.6)
    made, _ = apply("rmeps", graph)
    silent = np.flatnonzero((made.ilabel == -1) & (made.olabel == -1))
    assert len(silent) <= 1
    for arc in silent:
        src, dst = made.src[arc], made.dst[arc]
        assert src in made.start
        assert dst in made.accept
        assert np.sum(made.src == src) == 1
        assert src not in made.dst
        assert dst not in made.src


def silent_ends(graph: ag.Graph) -> set[int]:
    """Arcs that only end a path: ε:ε, into an accept that no arc leaves."""
    silent = (graph.ilabel == -1) & (graph.olabel == -1)
    leaves = np.isin(graph.dst, graph.src)
    return set(np.flatnonzero(silent & ~leaves & np.isin(graph.dst, graph.accept)).tolist())


@pytest.mark.parametrize("parameters", SEMIRINGS[:2], ids=str)
@pytest.mark.parametrize("name", ["determinize", "minimize"])
@for_seeds(60)
def test_deterministic_graphs(name: str, parameters: tuple[Any, ...], seed: int) -> None:
    graph = drawn(seed, cyclic=False, acceptor=seed % 2 == 0)
    made, _ = apply(name, graph, parameters)
    ends = silent_ends(made)
    rows = list(zip(made.src.tolist(), made.ilabel.tolist(), made.olabel.tolist(), strict=True))
    assert len(set(rows)) == len(rows)
    assert len(made.start) == (made.n_states > 0)
    for k, (src, i, o) in enumerate(rows):
        assert (i, o) != (-1, -1) or k in ends
        assert k not in ends or src not in made.accept
    # Breadth first, arcs in order of labels, each state's end last.
    inner = list(dict.fromkeys([0, *(made.dst[k] for k in range(made.n_arcs) if k not in ends)]))
    assert inner == sorted(inner) or made.n_states == 0
    assert rows == sorted(rows, key=lambda r: (r[0], r[1:] == (-1, -1), r[1:]))


@for_seeds(80)
def test_push_leaves_probabilities(seed: int) -> None:
    graph = drawn(seed, cyclic=seed % 2 == 0, acceptor=False)
    for parameters in ((), ("max",), ("end",)):
        made, _ = apply("push", graph, parameters)
        if not made.n_states:
            assert not string_weights(graph, 7)
            continue
        src, dst, accept = made.src, made.dst, set(made.accept.tolist())
        if "end" in parameters:
            src, dst, accept = dst, src, set(made.start.tolist())
        ends = {
            int(dst[k]) for k in range(made.n_arcs) if int(dst[k]) in accept and int(dst[k]) not in set(src.tolist())
        }
        for state in set(range(1, made.n_states)):
            leaving = made.arc_weight[src == state]
            if len(leaving) == 0:
                assert state in accept
            elif "max" in parameters:
                assert max([*leaving.tolist(), 0.0 if state in accept else -math.inf]) == pytest.approx(0.0, abs=1e-12)
                assert max(leaving) <= 0.0
            else:
                total = float(np.exp(leaving).sum()) + (state in accept)
                assert total == pytest.approx(1.0, abs=1e-9), (state, ends)
        total = float(np.logaddexp.reduce(made.arc_weight[src == 0]))
        if "max" not in parameters:
            assert total == pytest.approx(ag.compile("LSE[A]")(A=graph), rel=1e-9, abs=1e-9)


@for_seeds(60)
def test_minimal_graphs_have_no_equal_states(seed: int) -> None:
    graph = drawn(seed, cyclic=False, grid=seed % 2 == 0, minus_infinity=0.0)
    made, _ = apply("minimize", graph)
    rest: dict[str, int] = {}
    for state in range(made.n_states):
        if state == 0:
            continue
        from_here = ag.Graph(
            made.src, made.dst, made.ilabel, made.olabel, made.arc_weight, start=[state], accept=made.accept,
            n_states=made.n_states,
        )  # fmt: skip
        language = sorted((s, round(w, 6)) for s, w in string_weights(from_here, 7).items())
        assert str(language) not in rest, (state, rest[str(language)])
        rest[str(language)] = state


@for_seeds(60)
def test_posteriors_are_expected_counts(seed: int) -> None:
    graph = drawn(seed, cyclic=seed % 2 == 0, acceptor=False)
    made, _ = apply("posterior", graph)
    expected = ag.compile("LSE[A]", mode="interpret").value_and_grad(A=graph)[1]["A"]
    np.testing.assert_allclose(np.exp(made.arc_weight), expected, rtol=1e-9, atol=1e-12)
    assert np.all(np.isneginf(made.arc_weight) == (expected == 0.0))
    assert made.topology is graph.topology or made.n_arcs == graph.n_arcs


def best_weight(graph: ag.Graph, start: Any, accept: Any) -> float:
    columns = (graph.src, graph.dst, graph.ilabel, graph.olabel, graph.arc_weight)
    between = ag.Graph(*columns, start=start, accept=accept, n_states=graph.n_states)
    return float(ag.compile("MAX[A]", mode="interpret")(A=between))


@pytest.mark.parametrize("beam", [0, 0.5, 2, 100])
@for_seeds(40)
def test_pruned_graphs_have_the_arcs_within_the_beam(beam: float, seed: int) -> None:
    graph = drawn(seed, cyclic=seed % 2 == 0, acceptor=False, grid=seed % 3 == 0)
    equation = ag.compile(f"prune[A, {beam}]", mode="interpret")
    made = equation(A=graph)
    best = ag.compile("MAX[A]", mode="interpret")(A=graph)
    # The best path through an arc: the graph with that arc's weight raised above all others.
    kept = []
    for arc in range(graph.n_arcs):
        if graph.arc_weight[arc] == -math.inf:
            continue
        src, dst = int(graph.src[arc]), int(graph.dst[arc])
        ends = ((graph.start, [src]), ([dst], graph.accept))
        through = [best_weight(graph, start, accept) for start, accept in ends]
        if -math.inf < sum(through) and sum(through) + graph.arc_weight[arc] >= best - beam - 1e-9:
            kept.append(arc)
    assert made.arc_weight.tolist() == graph.arc_weight[kept].tolist()
    assert made.ilabel.tolist() == graph.ilabel[kept].tolist()
    assert ag.compile("MAX[A]", mode="interpret")(A=made) == best


# -- derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [(), ("max",), ("end",)], ids=str)
@pytest.mark.parametrize("name", [*KEEPING, "posterior"])
@for_seeds(25)
def test_cotangents_come_back_as_finite_differences_say(name: str, parameters: tuple[Any, ...], seed: int) -> None:
    if ("end" in parameters and name != "push") or (name == "posterior" and parameters):
        pytest.skip("not a parameter of it")
    graph = drawn(seed, cyclic=seed % 2 == 0, acceptor=False, minus_infinity=0.0)
    try:
        made, transformed = apply(name, graph, parameters)
    except ag.LimitError:
        return
    finite = made.arc_weight > -math.inf
    cotangent = np.random.default_rng(seed).normal(size=made.n_arcs)
    pulled = transformed.pull_back(cotangent)
    step = 1e-6
    for arc in range(graph.n_arcs):
        values = []
        for sign in (1.0, -1.0):
            weights = graph.arc_weight.copy()
            weights[arc] += sign * step
            moved, _ = apply(name, graph.with_weight(weights), parameters)
            if moved.n_arcs != made.n_arcs:  # equal weights made states equal, and moving one of them does not
                return
            values.append(float(cotangent[finite] @ moved.arc_weight[finite]))
        assert pulled[arc] == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
@pytest.mark.parametrize("name", ["rmeps", "det", "push", "minimize"])
@pytest.mark.parametrize("reduction", ["LSE", "MAX", "MIN"])
@for_seeds(12)
def test_chains_have_the_values_and_gradients_of_chains_without(
    name: str, reduction: str, mode: str, seed: int
) -> None:
    options = {"minus_infinity": 0.0 if reduction == "MIN" else 0.05}
    a, b = (drawn(3 * seed + k, False, acceptor=k == 1, **options) for k in range(2))
    c = drawn(3 * seed + 2, True, **options)
    if reduction == "MIN":
        a, b, c = map(negated, (a, b, c))
    left = ag.compile(f"{reduction}[{name}[A ∘ B] ∘ C]", mode=mode)
    right = ag.compile(f"{reduction}[(A ∘ B) ∘ C]", mode="interpret")
    value, gradient = left.value_and_grad(A=a, B=b, C=c)
    expected, gradients = right.value_and_grad(A=a, B=b, C=c)
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-9)
    for letter in "ABC":
        np.testing.assert_allclose(gradient[letter], gradients[letter], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("mode", ["interpret", "kernels", "auto"])
@pytest.mark.parametrize("text", ["LSE[{}[A] ∘ B]", "MAX[{}[A ∘ B]]", "LSE[X ∘ {}[A]]"])
@pytest.mark.parametrize("name", ["rmeps", "det", "push", "minimize", "POST"])
def test_batches_and_shared_inputs(text: str, name: str, mode: str) -> None:
    equation = ag.compile(text.format(name), mode=mode)
    items = [drawn(seed, False, n_arcs=12, minus_infinity=0.0) for seed in (3, 4, 5)]
    given: dict[str, Any] = {"A": items, "B": drawn(7, False), "X": np.random.default_rng(0).normal(size=(3, 2, 2))}
    mine = {key: given[key] for key in equation.inputs}
    value, gradient = equation.value_and_grad(mine)
    for k, item in enumerate(items):
        single = {**mine, "A": item} | ({"X": given["X"][k]} if "X" in mine else {})
        v, g = equation.value_and_grad(single)
        assert value[k] == pytest.approx(v, rel=1e-12)
        np.testing.assert_allclose(gradient["A"][k], g["A"], atol=1e-12)


# -- odd and bad input ------------------------------------------------------------------------------------------------

EMPTY = [
    ag.Graph.from_arcs([], start=[], accept=[]),
    ag.Graph.from_arcs([(0, 1, 0)], start=[0], accept=[]),
    ag.Graph.from_arcs([(0, 1, 0)], start=[], accept=[1]),
    ag.Graph.from_arcs([(0, 1, 0, -math.inf)], start=[0], accept=[1]),
]


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
@pytest.mark.parametrize("expression", ["rmeps[A]", "det[A]", "minimize[A]", "push[A]", "push[A, end]", "prune[A, 3]"])
@pytest.mark.parametrize("graph", EMPTY, ids=["nothing", "no accept", "no start", "absent"])
def test_graphs_without_paths_are_empty(graph: ag.Graph, expression: str, mode: str) -> None:
    made = ag.compile(expression, mode=mode)(A=graph)
    assert (made.n_states, made.n_arcs) == (0, 0)
    value, gradient = ag.compile(f"LSE[{expression}]", mode=mode).value_and_grad(A=graph)
    assert value == -math.inf
    assert not gradient["A"].any()


@pytest.mark.parametrize("expression", ["rmeps[A]", "det[A]", "minimize[A]", "push[A]", "push[A, end]", "prune[A, 3]"])
def test_the_empty_string_alone(expression: str) -> None:
    alone = ag.Graph.from_arcs([], start=[0], accept=[0], n_states=1)
    two = ag.Graph.from_arcs([], start=[0, 1], accept=[0, 1], n_states=2)
    silent = ag.Graph.from_arcs([(0, 1, -1, -0.5)], start=[0], accept=[1])
    for graph, weight in ((alone, 0.0), (two, math.log(2)), (silent, -0.5)):
        assert ag.compile(f"LSE[{expression}]")(A=graph) == pytest.approx(weight)
        _value, gradient = ag.compile(f"LSE[{expression}]").value_and_grad(A=graph)
        assert gradient["A"].tolist() == [1.0] * graph.n_arcs


ENDLESS = ag.Graph.from_arcs(
    [(0, 1, 0, -0.5), (0, 2, 0, -0.7), (1, 1, 1, -1.0), (2, 2, 1, -2.0), (1, 3, 2, 0.0), (2, 3, 3, 0.0)],
    start=[0], accept=[3],
)  # fmt: skip


@pytest.mark.parametrize("mode", ["interpret", "kernels", "auto"])
@pytest.mark.parametrize(("name", "text"), [("det", "LSE[{}[A]]"), ("minimize", "MAX[{}[A] ∘ A]")])
def test_determinisation_that_does_not_end_says_by_which_string(name: str, text: str, mode: str) -> None:
    with pytest.raises(ag.LimitError) as caught:
        ag.compile(text.format(name), mode=mode)(A=ENDLESS)
    assert f"{name} does not end: strings such as 0 1 1 1" in str(caught.value)
    assert "states 1, 2" in str(caught.value)
    assert "support[A]" in str(caught.value)
    assert caught.value.place is not None
    assert name in caught.value.place.excerpt()


def test_twins_end() -> None:
    twins = ENDLESS.with_weight([-0.5, -0.7, -1.0, -1.0, 0.0, 0.0])
    made = ag.compile("det[A]")(A=twins)
    assert made.n_states == 3
    assert made.arc_weight[made.ilabel == 1].tolist() == pytest.approx([-1.0])


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
@pytest.mark.parametrize("name", ["push", "POST", "rmeps", "det", "minimize"])
def test_sums_that_diverge_name_the_cycle(name: str, mode: str) -> None:
    graph = ag.Graph.from_arcs([(0, 1, -1, -1.0), (1, 0, -1, 1.5), (1, 2, 4, 0.1)], start=[0], accept=[2])
    for reduction in ("LSE", "MAX"):
        with pytest.raises(ag.DivergenceError) as caught:
            ag.compile(f"{reduction}[{name}[A]]", mode=mode)(A=graph)
        assert set(caught.value.cycle) == {0, 1}
        assert "of A along arc" in str(caught.value)
    with pytest.raises(ag.DivergenceError) as caught:
        ag.compile("prune[A, 3]", mode=mode)(A=graph)


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
@pytest.mark.parametrize("name", ["rmeps", "det", "push", "minimize"])
def test_minus_infinity_under_min_is_refused(name: str, mode: str) -> None:
    graph = ag.Graph.from_arcs([(0, 1, 0, 1.0), (0, 1, 0, -math.inf)], start=[0], accept=[1])
    with pytest.raises(ag.InputError, match="arc 1 of its operand has weight -inf"):
        ag.compile(f"MIN[{name}[A]]", mode=mode)(A=graph)


def test_limits_stop_determinisation() -> None:
    # The n-th letter from the end is a 0: 2^n subsets.
    n = 14
    arcs = [(0, 0, 0, -1.0), (0, 0, 1, -1.0), (0, 1, 0, 0.0)] + [
        (k, k + 1, x, 0.0) for k in range(1, n) for x in (0, 1)
    ]
    graph = ag.Graph.from_arcs(arcs, start=[0], accept=[n])
    for mode in ("interpret", "kernels"):
        with pytest.raises(ag.LimitError, match=r"det would have at least .* states") as caught:
            ag.compile("det[A]", mode=mode, limits=ag.Limits(states=500))(A=graph)
        assert "support[A]" in str(caught.value)


@pytest.mark.parametrize("beam", ["-1", "x", "LSE[A]", "1e999", "B"])
def test_beams_are_numbers_that_are_written_out(beam: str) -> None:
    with pytest.raises(ag.EquationError) as caught:
        ag.compile(f"prune[A, {beam}]")
    assert "beam" in str(caught.value) or "finite" in str(caught.value) or "number" in str(caught.value)


def test_shown_as_written() -> None:
    for text in ("prune[A, 2.5]", "push[A, end]", "det[push[A]]", "prune[A, 3]"):
        assert str(ag.compile(f"LSE[{text}]").explain()).count(text) >= 1


# -- weights of any size ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("common", [0.0, 1e6, -1e9, -1e30, 1e200])
@pytest.mark.parametrize("name", ["POST", "push", "det", "minimize", "prune"])
def test_what_competing_arcs_share_changes_nothing_else(name: str, common: float) -> None:
    arcs = [
        (0, 1, 0, 0.5), (0, 2, 0, -0.25), (1, 3, 1, common), (2, 3, 1, common), (3, 4, 0, -1.0), (3, 4, 2, -2.0)
    ]  # fmt: skip
    graph = ag.Graph.from_arcs(arcs, start=[0], accept=[4])
    plain = graph.with_weight([0.5, -0.25, 0.0, 0.0, -1.0, -2.0])
    call = "prune[A, 3]" if name == "prune" else f"{name}[A]"
    expected = ag.compile(f"POST[{call}]", mode="interpret")(A=plain)
    found = ag.compile(f"POST[{call}]", mode="interpret")(A=graph)
    assert found.topology.fingerprint == expected.topology.fingerprint
    np.testing.assert_allclose(found.arc_weight, expected.arc_weight, atol=1e-9)
