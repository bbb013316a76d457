"""Cycles: exact values and gradients up to the edge of convergence, beyond it an error that names a cycle."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

import arcgrad as ag

MODES = ("interpret", "kernels", "fused")
NEAR = [0.5, 0.9999, 1 - 1e-9]


def loop(log_p: float) -> ag.Graph:
    """A state with a self-loop and an exit."""
    return ag.Graph([0, 0], [0, 1], [0, 1], weight=[log_p, 0.0], start=[0], accept=[1])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("p", NEAR)
def test_a_geometric_series_is_summed_exactly(mode: str, p: float) -> None:
    log_p = math.log(p)
    rest = -math.expm1(log_p)
    value, gradient = ag.compile("LSE[A]", mode=mode).value_and_grad(A=loop(log_p))
    assert abs(value + math.log(rest)) <= 1e-12
    exact = [math.exp(log_p) / rest, 1.0]
    np.testing.assert_allclose(gradient["A"], exact, rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("p", [1.0, 1.5, 1e300])
def test_a_series_without_a_sum_names_its_cycle(mode: str, p: float) -> None:
    equation = ag.compile("LSE[A]", mode=mode)
    for call in (equation, equation.value_and_grad):
        with pytest.raises(ag.DivergenceError, match=r"through state 0 of A along arc 0, label 0 \(weight") as caught:
            call(A=loop(math.log(p)))
        assert caught.value.cycle == (0,)
        assert caught.value.place is not None
    with pytest.raises(ag.DivergenceError, match="item 1 of the batch: LSE diverges"):
        equation(A=[loop(-1.0), loop(math.log(p)), loop(-2.0)])


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
def test_two_states_diverge_together(mode: str) -> None:
    def pair(w: float) -> ag.Graph:
        return ag.Graph([0, 1, 0, 1], [1, 0, 2, 1], [0, 0, 1, 0], weight=[w, w, 0.0, -1.0], start=[0], accept=[2])

    equation = ag.compile("LSE[A]", mode=mode)
    # det(1 − W) = 1 − e⁻¹ − e²ʷ is 0 where w = log(1 − e⁻¹) / 2.
    edge = math.log(-math.expm1(-1.0)) / 2
    inside = edge - 1e-6
    expected = math.log(-math.expm1(-1.0)) - math.log(-math.expm1(-1.0) - math.exp(2 * inside))
    assert equation(A=pair(inside)) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ag.DivergenceError) as caught:
        equation(A=pair(edge + 1e-6))
    assert caught.value.cycle
    with pytest.raises(ag.DivergenceError, match="LSE diverges"):
        ag.compile("LSE[A*]", mode=mode)(A=ag.linear([1], [0.0]))
    assert ag.compile("LSE[A*]", mode=mode)(A=ag.linear([1], [-1.0])) == pytest.approx(-math.log(-math.expm1(-1.0)))


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
@pytest.mark.parametrize("reduction", ["LSE", "MAX", "MIN"])
def test_what_lies_on_no_accepting_path_does_not_matter(mode: str, reduction: str) -> None:
    w = -2.0 if reduction == "MIN" else 2.0
    # State 2 is a dead end with a loop, state 3 has a loop and is never reached.
    graph = ag.Graph([0, 0, 2, 3, 3], [1, 2, 2, 3, 1], [0] * 5, weight=[-0.5, 0.0, w, w, 0.0], start=[0], accept=[1])
    equation = ag.compile(f"{reduction}[A]", mode=mode)
    value, gradient = equation.value_and_grad(A=graph)
    assert value == -0.5
    assert gradient["A"].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    if reduction != "MIN":  # an arc of −inf is absent, also when judging divergence
        broken = ag.Graph([0, 0, 1, 1], [1, 0, 1, 2], [0] * 4, weight=[0.0, -np.inf, w, -np.inf], start=[0], accept=[0])
        assert equation(A=broken) == 0.0


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
@pytest.mark.parametrize(("reduction", "w", "word"), [("MAX", 0.25, "greater"), ("MIN", -0.25, "smaller")])
def test_a_cycle_that_improves_diverges(mode: str, reduction: str, w: float, word: str) -> None:
    graph = ag.Graph([0, 1, 2, 1], [1, 2, 1, 3], [0] * 4, weight=[1.0, -1.0, 1.0 + w, 0.5], start=[0], accept=[3])
    equation = ag.compile(f"{reduction}[A]", mode=mode)
    with pytest.raises(ag.DivergenceError, match=f"{reduction} diverges.* ever {word}") as caught:
        equation(A=graph)
    assert sorted(caught.value.cycle or ()) == [1, 2]
    assert ag.compile(f"{reduction}[A]", mode=mode)(A=graph.with_weight([1.0, -1.0, 1.0 - w, 0.5])) == 1.5


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
def test_a_cycle_of_weight_zero_is_left_out_of_a_best_path(mode: str) -> None:
    graph = ag.Graph([0, 0, 1, 1], [0, 1, 0, 2], [0, 1, 2, 3], weight=[0.0, 0.5, -0.5, 0.25], start=[0], accept=[2])
    for reduction in ("MAX", "MIN"):
        value, gradient = ag.compile(f"{reduction}[A]", mode=mode).value_and_grad(A=graph)
        assert value == 0.75
        assert gradient["A"].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert ag.compile("PATH[A]", mode=mode)(A=graph).ilabel.tolist() == [1, 3]
    assert ag.compile("MAX[A]", mode=mode)(A=graph.with_weight([0.0, 0.3, -0.3, 0.25])) == 0.55
    # Weights count as given: 0.1 + 0.2 is a little more than 0.3, so that one cycle improves and the other does not.
    with pytest.raises(ag.DivergenceError, match="along arcs 1, 2, labels"):
        ag.compile("MAX[A]", mode=mode)(A=graph.with_weight([0.0, 0.1 + 0.2, -0.3, 0.25]))
    assert ag.compile("MAX[A]", mode=mode)(A=graph.with_weight([0.0, 0.3, -0.1 - 0.2, 0.25])) == 0.55


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
def test_counts_of_cyclic_graphs_are_infinite(mode: str) -> None:
    equation = ag.compile("COUNT[A]", mode=mode)
    assert equation(A=loop(-1.0)) == math.inf
    assert equation(A=[loop(-1.0), ag.linear([1])]).tolist() == [math.inf, 1.0]


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
def test_divergence_below_other_operators(mode: str) -> None:
    diverging, empty = loop(1.0), ag.Graph([], [], [], n_states=0, start=[], accept=[])
    for text in ("LSE[A] - LSE[B]", "LSE[B⟨LSE[A]⟩]", "max[MAX[A], 3]", "LSE[A + X]", "LSE[A ∘ X*]"):
        equation = ag.compile(text, mode=mode)
        given = {"A": diverging, "B": ag.linear([1]), "X": np.zeros((2, 2))}
        with pytest.raises(ag.DivergenceError):
            equation({n: given[n] for n in equation.inputs})
    assert ag.compile("LSE[A B]", mode=mode)(A=diverging, B=empty) == -math.inf
    assert ag.compile("LSE[A X ∘ B]", mode=mode)(A=diverging, X=np.full((1, 2), -np.inf), B=loop(-1.0)) == -math.inf
    assert ag.compile("MAX[A X]", mode=mode)(A=diverging, X=np.full((1, 2), -np.inf)) == -math.inf
    # A closed dense input limits the steps: no divergence however great the weights.
    assert np.isfinite(ag.compile("LSE[A ∘ X]", mode=mode)(A=diverging, X=np.full((3, 2), 50.0)))


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
def test_rounding_neither_diverges_nor_hides_a_path(mode: str) -> None:
    """Random graphs whose cycles weigh exactly zero, in weights that floating point cannot add exactly."""
    rng = np.random.default_rng(0)
    equation, best = ag.compile("MAX[A]", mode=mode), ag.compile("PATH[A]", mode=mode)
    finite = 0
    for _ in range(60):
        n = int(rng.integers(2, 7))
        height = rng.integers(-9, 10, size=n) / 10  # each arc goes from one height to another: cycles weigh nothing
        src, dst = rng.integers(0, n, size=(2, 3 * n))
        arcs = ag.Graph(
            src, dst, np.arange(3 * n), weight=height[dst] - height[src], start=[0], accept=[n - 1], n_states=n
        )
        try:
            value, gradient = equation.value_and_grad(A=arcs)
        except ag.DivergenceError as error:  # rounded weights may add up to a little more than zero
            assert sum(map(float, arcs.weight[list(error.cycle or ())])) > -1e-15  # noqa: PT017
            continue
        if value > -np.inf:
            finite += 1
            assert value == pytest.approx(height[-1] - height[0], abs=1e-12)
            assert gradient["A"] @ arcs.weight == pytest.approx(value, abs=1e-12)
            assert best(A=arcs).weight.sum() == pytest.approx(value, abs=1e-12)
    assert finite > 15


@pytest.mark.slow
@pytest.mark.parametrize("reduction", ["LSE", "MAX", "MIN"])
@pytest.mark.parametrize("penalty", [0.0, -2000.0])
def test_large_cyclic_graphs_take_no_square_of_their_size(reduction: str, penalty: float) -> None:
    """A ring of two-way arcs with its numbers at random, whose best path takes half of it; and one that diverges."""
    n, rng = 50_000, np.random.default_rng(0)
    number = rng.permutation(n)
    src, dst = np.tile(number, 2), np.concatenate([np.roll(number, -1), np.roll(number, 1)])
    weight = np.concatenate([-0.1 * rng.random(n) - 0.7, -2 - rng.random(n)]) + penalty
    sign = -1.0 if reduction == "MIN" else 1.0
    ring = ag.Graph(src, dst, np.zeros(2 * n, int), weight=sign * weight, start=[number[0]], accept=[number[n // 2]])
    equation = ag.compile(f"{reduction}[A]", mode="kernels")
    equation.value_and_grad(A=ag.Graph([0, 1], [1, 0], [0, 0], weight=[sign * -1100.0] * 2, start=[0], accept=[1]))
    began = time.process_time()
    value, gradient = equation.value_and_grad(A=ring)
    best = weight[: n // 2].sum()
    if reduction == "LSE":
        assert value >= best
        flow = np.bincount(dst, gradient["A"], n) - np.bincount(src, gradient["A"], n)
        flow[number[[0, n // 2]]] += [1.0, -1.0]
        np.testing.assert_allclose(flow, 0.0, atol=1e-6)
    else:
        assert value == pytest.approx(sign * best, rel=1e-12)
        np.testing.assert_array_equal(np.flatnonzero(gradient["A"]), np.arange(n // 2))
    weight[[n // 2 - 9, n + n // 2 - 8]] = 2.0  # there and back again
    with pytest.raises(ag.DivergenceError, match=r"along arcs \d+, \d+, labels 0, 0 "):
        equation(A=ring.with_weight(sign * weight))
    assert time.process_time() - began < 20  # of which the interpreter, which names the cycle, takes most


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("LSE[A]", "state 1 of A along arcs 1, 0, labels ε, 1:ε "),
        ("MAX[rev[A]]", "state 1 of `rev[A]` along arc 0 of A (label 1:ε), arc 1 of A (ε) "),
        ("LSE[B*]", "along an arc of `B*` (ε), an arc of `B*` (ε), arc 0 of B (label 1) "),
        (
            "PATH[B* ∘ C]",
            "of `B* ∘ C` along arc 0 of B with arc 0 of C (label 1), an arc of `B*` (ε), an arc of `B*` (ε) ",
        ),
        ("LSE[(B⟨w⟩)*]", "the weight w (ε), arc 0 of B (label 1) "),
        ("LSE[X*]", "column 0 of frame 0 of X (label 0), column 0 of frame 1 of X (label 0) "),
        ("MAX[linear[7]* B*]", "of `linear[7]* B*` along arc 0 of B (label 1), an arc of `B*` (ε), "),
    ],
)
def test_cycles_are_told_in_arcs_of_the_inputs(text: str, where: str, mode: str) -> None:
    known = {
        "A": ag.Graph([0, 1], [1, 0], [1, -1], [-1, -1], weight=[0.5, 0.5], accept=[1]),
        "B": ag.linear([1], [0.5]),
        "C": ag.Graph([0], [0], [1], weight=[0.25], accept=[0]),
        "X": np.ones((2, 1)),
        "w": 1.0,
    }
    equation = ag.compile(text, mode=mode)
    for batch in (False, True):
        inputs = {name: [known[name]] if batch and name in "ABC" else known[name] for name in equation.inputs}
        with pytest.raises(ag.DivergenceError) as caught:
            equation(inputs)
        assert where in str(caught.value)
        assert caught.value.cycle
