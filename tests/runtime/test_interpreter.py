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
    with pytest.raises(ag.InputError, match="its right operand is a transducer: arc 0 has input label 1") as caught:
        ag.compile("LSE[A B ∩ C]", mode="interpret")(A=A, B=A, C=transducer)
    assert caught.value.place is not None
    assert caught.value.place.text[caught.value.place.span.start : caught.value.place.span.end] == "A B ∩ C"
    with pytest.raises(ag.InputError, match="item 1 of the batch"):
        ag.compile("A ∩ C", mode="interpret")(A=A, C=[A, transducer])
