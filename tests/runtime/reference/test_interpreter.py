"""The interpreter's record: every intermediate value and gradient, in order, named as the textbook names them."""

from __future__ import annotations

import numpy as np
import pytest

import arcgrad as ag

A = ag.linear([1], [-1.0])


def test_a_trace_names_values_and_gradients_in_order() -> None:
    trace = ag.compile("LSE[(A1 + A2) ∘ X*]").trace(A1=A, A2=A, X=A)
    results = [n for n in trace.nodes if n.inputs]
    assert [f"{n.name} = {n.expression}" for n in results] == [
        "G1 = A1 + A2", "G2 = X*", "G3 = G1 ∘ G2", "G4 = LSE[G3]",
    ]  # fmt: skip
    assert [m.name for m in trace["G3"].inputs] == ["G1", "G2"]
    assert trace["G4"].value == pytest.approx(-2 + np.log(2))
    assert trace["G4"].gradient == 1.0
    assert trace["A1"].gradient == pytest.approx([0.5])
    assert trace["X"].gradient == pytest.approx([1.0])
    for node in trace.nodes:
        if isinstance(node.value, ag.Graph):
            assert node.gradient.shape == (node.value.n_arcs,)
    assert "G4 = LSE[G3]: " in str(trace)
    with pytest.raises(KeyError):
        trace["G9"]


def test_a_shared_value_stands_once_and_its_gradients_add_up() -> None:
    trace = ag.compile("b = LSE[A]\nb × b + 3 b").trace(A=A)
    assert [n.expression for n in trace.nodes if n.inputs].count("LSE[A]") == 1
    assert trace["G1"].gradient == pytest.approx(2 * -1.0 + 3)
    assert next(n.name for n in trace.nodes) == "A"


def test_a_trace_of_a_graph_takes_a_cotangent_and_one_item() -> None:
    equation = ag.compile("A B")
    trace = equation.trace(A=A, B=A, cotangent=[2.0, 5.0, 7.0])
    assert (trace["A"].gradient.tolist(), trace["B"].gradient.tolist()) == ([2.0], [7.0])
    with pytest.raises(ag.InputError, match="cotangent has shape"):
        equation.trace(A=A, B=A, cotangent=[2.0])
    with pytest.raises(ag.InputError, match="the inputs are a batch"):
        equation.trace(A=[A], B=A)


def test_errors_point_at_the_operator() -> None:
    transducer = ag.Graph([0], [1], [1], [2], start=[0], accept=[1])
    with pytest.raises(ag.InputError, match="its right operand is a transducer: arc 0 of C has input") as caught:
        ag.compile("LSE[A B ∩ C]", mode="interpret")(A=A, B=A, C=transducer)
    assert caught.value.place is not None
    assert caught.value.place.text[caught.value.place.span.start : caught.value.place.span.end] == "A B ∩ C"
    with pytest.raises(ag.InputError, match="item 1 of the batch"):
        ag.compile("A ∩ C", mode="interpret")(A=A, C=[A, transducer])


MASKS = (-1e9, -1e16, -1e20, -1e30, -3.4028234663852886e38, -1e300, -1.7976931348623157e308)
WORDS = ag.Graph([0, 0, 1, 1], [1, 1, 2, 2], [0, 1, 0, 1], weight=[0.5, -2.0, 45.0, 44.5], start=[0], accept=[2])


def differentiate(text: str, **given: object) -> tuple[float, dict[str, np.ndarray]]:
    return ag.compile(text, mode="interpret").value_and_grad(given)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(
    "text", ["LSE[A ∘ X]", "LSE[X ∘ A]", "LSE[A ∘ X ∘ A]", "LSE[(A + A ∘ A) ∘ X]", "LSE[A⟨w⟩ ∘ X]"]
)
def test_a_mask_on_a_whole_frame_changes_no_posterior(text: str, mask: float) -> None:
    """The arcs that meet the frame have ordinary weights, which floats lose beside the mask's."""
    scores = np.array([[0.25, -0.5], [0.0, 0.0]])
    given = {"A": WORDS, "X": scores, "w": 3.0}
    given = {name: given[name] for name in ag.compile(text).inputs}
    _, right = differentiate(text, **given)
    value, gradient = differentiate(text, **{**given, "X": scores + np.array([[0.0], [mask]])})
    assert value == pytest.approx(mask, rel=1e-7)
    for name in ("A", "X"):
        np.testing.assert_allclose(gradient[name], right[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("mask", MASKS)
def test_masks_meet_in_scores(mask: float) -> None:
    a = ag.linear([1], [mask])
    for text in ("LSE[A + B]", "logadd[LSE[A], LSE[B]]"):
        value, gradient = differentiate(text, A=a, B=a)
        assert value == pytest.approx(mask + np.log(2), rel=1e-15)
        assert [g.tolist() for g in gradient.values()] == [[0.5], [0.5]]
    value, gradient = differentiate("LSE[A⟨w⟩] - w", A=WORDS, w=mask)
    np.testing.assert_allclose(gradient["A"], differentiate("LSE[A]", A=WORDS)[1]["A"], rtol=0, atol=1e-12)
    assert gradient["w"] == 0.0


def test_large_weights_that_cancel_leave_the_ordinary_ones() -> None:
    up = ag.Graph([0, 0], [1, 1], [0, 1], weight=[1e30, 1e30], start=[0], accept=[1])
    small = up.with_weight([0.5, -1.0])
    value, gradient = differentiate("LSE[A ∘ (B ∘ C)]", A=up, B=up.with_weight([-1e30, -1e30]), C=small)
    right, shares = differentiate("LSE[C]", C=small)
    assert value == right
    for name in "ABC":
        np.testing.assert_allclose(gradient[name], shares["C"], rtol=0, atol=1e-12)
    value, gradient = differentiate("LSE[PATH[A ∘ C] ∘ (B + B)]", A=up, B=up.with_weight([-1e30, -1e30]), C=small)
    assert value == 0.5 + np.log(2)
    assert gradient["C"].tolist() == pytest.approx([1.0, 0.0], abs=1e-15)


def test_what_is_beyond_floats_is_absent_and_warns_of_nothing() -> None:
    a = WORDS.with_weight([-1e308, 0.0, -1e308, -1e308])
    for reduction in ("LSE", "MAX"):
        value, gradient = differentiate(f"{reduction}[A ∘ A]", A=a)
        assert (value, gradient["A"].tolist()) == (-np.inf, [0.0] * 4)
    value, gradient = differentiate("MAX[A]", A=ag.linear([1, 1], [-1e308, -1e308]))
    assert (value, gradient["A"].tolist()) == (-np.inf, [0.0, 0.0])
    value, gradient = differentiate("LSE[A] × LSE[X]", A=a.with_weight([-1e300] * 4), X=np.zeros((1, 2), np.float32))
    assert gradient["X"].dtype == np.float32
    assert np.all(gradient["X"] == -np.inf)
    batch = [np.full((1, 1), -1e200), np.full((1, 1), -1e200)]
    _, gradient = differentiate("LSE[A] × LSE[X] × LSE[X]", A=a.with_weight([1e-200] * 4), X=batch)
    assert gradient["A"].tolist() == [0.0] * 4


def test_a_cycle_of_a_graph_made_on_the_way_is_named_by_its_own_numbers() -> None:
    B = ag.compile('graph"0 1 a 1e300; 0 1 a -1e300; 1"')()
    loop = ag.Graph([0], [0], [97], weight=[-1.0], accept=[0])
    with pytest.raises(ag.DivergenceError, match="through state 1 along arc 1"):
        ag.compile("minimize[A B]", mode="interpret")(A=loop, B=B)
