"""Divergence, undefined arithmetic, infinities and overflow: an error with place and item, or the right value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arcgrad as ag

MODES = ("auto", "interpret", "kernels")
INF = np.inf
NOTHING = ag.Graph([], [], [], start=[])
EMPTY_STRING = ag.linear([])


def weighing(*weights: float) -> ag.Graph:
    """The chain of these weights."""
    return ag.linear(range(1, len(weights) + 1), weights)


def fails(error: type[ag.ArcgradError], at: str, *fragments: str, text: str, mode: str, **inputs: Any) -> None:
    """Value and gradient raise exactly this error, whose carets stand under ``at``, with the fragments."""
    equation = ag.compile(text, mode=mode)
    for call in (equation, equation.value_and_grad):
        with pytest.raises(ag.ArcgradError) as caught:
            call(**inputs)
        found = caught.value
        assert type(found) is error, repr(found)
        assert found.place is not None
        span = found.place.span
        assert found.place.text[span.start : span.end] == at
        for fragment in fragments:
            assert fragment in str(found)


@pytest.mark.parametrize("mode", MODES)
def test_divergence_names_cycle_place_and_item(mode: str) -> None:
    good, bad = weighing(-1.0), weighing(0.5)
    text = "1 + LSE[A*]"
    fails(ag.DivergenceError, "LSE[A*]", "LSE diverges", "(weight 0.5)", text=text, mode=mode, A=bad)
    fails(ag.DivergenceError, "LSE[A*]", "item 1 of the batch: LSE", text=text, mode=mode, A=[good, bad, good])
    fails(ag.DivergenceError, "LSE[A*]", "(weight 0.0)", text=text, mode=mode, A=weighing(-0.0))
    fails(ag.DivergenceError, "MAX[A*]", "MAX diverges", text="MAX[A*]", mode=mode, A=bad)
    fails(ag.DivergenceError, "MIN[A*]", "MIN diverges", text="MIN[A*]", mode=mode, A=good)
    fails(ag.DivergenceError, "MIN[A*]", "(weight -inf)", text="MIN[A*]", mode=mode, A=weighing(-INF))
    fails(ag.DivergenceError, "PATH[A*]", "MAX diverges", text="PATH[A*]", mode=mode, A=bad)


@pytest.mark.parametrize("mode", MODES)
def test_epsilon_cycles_meet_dense_inputs(mode: str) -> None:
    def around(weight: float) -> ag.Graph:
        return ag.Graph([0, 0, 1], [1, 0, 0], [-1, 1, -1], weight=[weight, -0.5, weight], accept=[1])

    frames = np.full((2, 4, 3), -1.0)
    fine = ag.compile("LSE[G ∘ X]", mode=mode)(G=around(-1.0), X=frames[0])
    assert fine == pytest.approx(-6.272932710655705, abs=1e-12)
    assert ag.compile("COUNT[G ∘ X]", mode=mode)(G=around(1.0), X=frames[0]) == INF
    for text in ("LSE[G ∘ X]", "MAX[G ∘ X]"):
        batch = [around(-1.0), around(1.0)]
        fails(ag.DivergenceError, text, "item 1 of the batch", "(weight 2.0)", text=text, mode=mode, G=batch, X=frames)


@pytest.mark.parametrize("mode", MODES)
def test_undefined_arithmetic_names_place_and_item(mode: str) -> None:
    for text, at, shown in [
        ("2 log[LSE[A]]", "log[LSE[A]]", "log[(-0.5)]"),
        ("1 + 1 / (LSE[A] + 0.5)", "1 / (LSE[A] + 0.5)", "1 / 0.0"),
        ("log[-LSE[A] - 0.5] LSE[A] (LSE[A] + 0.5)", "log[-LSE[A] - 0.5] LSE[A] (LSE[A] + 0.5)", "inf × 0.0"),
    ]:
        fails(ag.UndefinedError, at, shown, text=text, mode=mode, A=weighing(-0.5))
        batch = [weighing(-1.0), weighing(-2.0), weighing(-0.5)]
        if text.startswith("1"):
            fails(ag.UndefinedError, at, "item 2 of the batch", shown, text=text, mode=mode, A=batch)
    for text, shown in [("LSE[A] - LSE[B]", "(-inf) - (-inf)"), ("MIN[A] + MAX[B]", "inf + (-inf)"),
                        ("0 LSE[A] LSE[B]", "0 × (-inf)"), ("LSE[A] / LSE[B]", "(-inf) / (-inf)")]:  # fmt: skip
        equation = ag.compile(text, mode=mode)
        with pytest.raises(ag.UndefinedError) as caught:
            equation.value_and_grad(A=NOTHING, B=NOTHING)
        assert shown in str(caught.value)
    fails(ag.UndefinedError, "COUNT[A*] - COUNT[A*]", "inf - inf", text="COUNT[A*] - COUNT[A*]", mode=mode,
          A=weighing(1.0))  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_infinite_scores_are_legal_where_they_are_defined(mode: str) -> None:
    one = weighing(0.5)
    for text, a, b, expected, gradient in [
        ("LSE[A] - LSE[B]", one, NOTHING, INF, [0.0]),
        ("LSE[A] - LSE[B]", NOTHING, one, -INF, []),
        ("LSE[A] / LSE[B]", one, NOTHING, 0.0, [0.0]),
        ("logadd[LSE[A], LSE[B]]", one, NOTHING, 0.5, [1.0]),
        ("logadd[LSE[A], LSE[B]]", NOTHING, NOTHING, -INF, []),
        ("max[MAX[A], MAX[B]]", NOTHING, NOTHING, -INF, []),
        ("exp[LSE[A] + 0 LSE[B]]", NOTHING, one, 0.0, []),
        ("LSE[A] + exp[1000 LSE[B]]", one, weighing(5.0), INF, [0.0]),
        ("MIN[A + B]", weighing(-INF), one, -INF, [0.0]),
        ("MIN[A B]", weighing(-INF), one, -INF, [0.0]),
        ("MAX[A + B]", weighing(-INF), one, 0.5, [0.0]),
        ("LSE[A B]", weighing(-INF), one, -INF, [0.0]),
        ("LSE[A⟨LSE[B]⟩]", one, NOTHING, -INF, [0.0]),
        ("COUNT[A] / COUNT[B]", weighing(-INF), one, 1.0, [0.0]),
    ]:
        value, found = ag.compile(text, mode=mode).value_and_grad(A=a, B=b)
        assert value == pytest.approx(expected), text
        np.testing.assert_allclose(found["A"], gradient, err_msg=text)
        assert all(not np.isnan(g).any() for g in found.values()), text


@pytest.mark.parametrize("mode", MODES)
def test_infinite_score_inputs(mode: str) -> None:
    equation = ag.compile("w + LSE[A]", mode=mode)
    assert equation(A=weighing(1.0), w=INF) == INF
    assert equation(A=weighing(1.0), w=[-INF, 2.0]).tolist() == [-INF, 3.0]
    weighted = ag.compile("LSE[A⟨w⟩]", mode=mode)
    value, gradient = weighted.value_and_grad(A=weighing(1.0), w=-INF)
    assert (value, gradient["w"], gradient["A"].tolist()) == (-INF, 0.0, [0.0])
    for text, inputs in [
        ("LSE[A⟨w⟩]", {"w": INF}),
        ("A⟨w⟩", {"w": 1e301}),
        ("LSE[A⟨1e308⟩]", {}),
        ("A⟨-LSE[B]⟩", {"B": NOTHING}),
        ("LSE[A⟨-LSE[B]⟩]", {"B": NOTHING}),
        ("LSE[A⟨exp[-700 LSE[B]]⟩]", {"B": weighing(-1.0)}),
        ("A⟨COUNT[X]⟩", {"X": np.zeros((1500, 2))}),
        ("A⟨COUNT[B*]⟩", {"B": weighing(-1.0)}),
        ("PATH[A⟨-LSE[B]⟩]", {"B": NOTHING}),
    ]:
        with pytest.raises(ag.InputError, match=r"paths are weighted by .*, but weights go up to 1e\+300") as caught:
            ag.compile(text, mode=mode).value_and_grad(A=weighing(1.0), **inputs)
        assert caught.value.place is not None, text
    with pytest.raises(ag.InputError, match="item 1 of the batch: a graph's paths are weighted by inf"):
        weighted(A=weighing(1.0), w=[0.0, INF])
    with pytest.raises(ag.InputError, match="item 1 of the batch: a graph's paths are weighted by inf"):
        ag.compile("A⟨-LSE[B]⟩", mode=mode).value_and_grad(A=weighing(1.0), B=[EMPTY_STRING, NOTHING])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "text", ["LSE[A A]", "MAX[A A]", "PATH[A A]", "LSE[A ∘ A]", "A ∘ A", "MAX[A ∘ X]", "LSE[A ∘ X]"]
)
def test_the_largest_weights_add_up_without_overflow(mode: str, text: str) -> None:
    a = ag.linear([1], [1e300])
    equation = ag.compile(text, mode=mode)
    inputs = {"X": np.array([[0.0, 1e300]])} if "X" in equation.inputs else {}
    value, gradient = equation.value_and_grad(A=a, **inputs)
    weight = value.arc_weight.sum() if isinstance(value, ag.Graph) else value
    assert weight == pytest.approx(2e300)
    assert np.isfinite(gradient["A"]).all()


@pytest.mark.parametrize("mode", MODES)
def test_sums_below_all_floats_are_minus_infinity(mode: str) -> None:
    a = ag.linear([1], [-1.5e308])
    x = np.array([[0.0, -1.5e308]])
    for text in ("LSE[A A]", "LSE[A ∘ A]", "LSE[A ∘ X]", "MIN[A ∘ A]"):
        equation = ag.compile(text, mode=mode)
        value, gradient = equation.value_and_grad({"A": a, **({"X": x} if "X" in equation.inputs else {})})
        assert value == -INF, text
        assert gradient["A"].tolist() == [0.0], text
    assert ag.compile("MAX[A A]", mode=mode)(A=a) == -INF
    assert ag.compile("A ∘ A", mode=mode)(A=a).weight.tolist() == [-INF]


@pytest.mark.parametrize("weight", [np.nan, INF, 1e301, np.float32(INF), 10**400])
def test_weights_that_no_graph_may_have(weight: float) -> None:
    for make in (
        lambda: ag.linear([1, 2], [0.0, weight]),
        lambda: ag.Graph.from_arcs([(0, 1, 1, 0.0), (1, 2, 1, weight)], accept=[2]),
        lambda: ag.linear([1, 2]).with_weight([0.0, weight]),
        lambda: ag.Graph([0], [1], [1], weight=[0.0, weight], tie=[0]),
        lambda: ag.dense([[0.0, weight]]),
    ):
        with pytest.raises(ag.InputError):
            make()


@pytest.mark.parametrize("mode", MODES)
def test_counts_are_whole_numbers_of_any_size(mode: str) -> None:
    assert ag.compile("COUNT[X]", mode=mode)(X=np.zeros((700, 2))) == 2**700
    counted = ag.compile("COUNT[X] + 1", mode=mode)(X=ag.dense(np.zeros((2, 80, 2)), lengths=[80, 3]))
    assert counted.tolist() == [2**80 + 1, 9]
    assert ag.compile("log[COUNT[X]]", mode=mode)(X=np.zeros((1500, 2))) == pytest.approx(1500 * np.log(2))
    assert ag.compile("COUNT[X] / COUNT[X]", mode=mode)(X=np.zeros((1500, 2))) == 1.0
    assert ag.compile("COUNT[A*]", mode=mode)(A=weighing(-INF)) == INF
    assert ag.compile("COUNT[A B]", mode=mode)(A=NOTHING, B=weighing(1.0)) == 0
