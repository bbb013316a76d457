"""``ag.compile`` and what it gives: inputs by any spelling, shapes in and out, memory, pickles, copies, LaTeX."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

MODES = ("auto", "interpret", "kernels")
A = ag.linear([1, 2], [0.1, 0.2])
NOTHING = ag.Graph([], [], [], start=[])
PASTED = r"\text{LSE} [((\mathcal{A}_1 + \mathcal{A}_2) \circ \mathcal{X}^*)]. \quad (4)"


def test_inputs_are_named_in_order_and_given_by_any_spelling() -> None:
    equation = ag.compile(r"β LSE[\mathcal{B}_2 + A_{1} + token_graph + 𝒳]")
    assert equation.inputs == ("β", "B2", "A1", "token_graph", "X")
    given = {"B_2": A, "A₁": A, "token_graph": A, r"\mathcal{X}": A}
    expected = 3 * (0.3 + np.log(4))
    assert equation({**given, r"\beta": 3}) == pytest.approx(expected)
    assert equation({r"\beta": 3, "B2": A}, A1=A, token_graph=A, X=A) == pytest.approx(expected)
    assert ag.compile("wrt + LSE[cotangent]")({"wrt": 1.0, "cotangent": A}) == pytest.approx(1.3)


def test_the_pasted_equation_is_the_plain_one() -> None:
    pasted, plain = ag.compile(PASTED), ag.compile("LSE[(A1 + A2) ∘ X*]")
    assert pasted.inputs == plain.inputs == ("A1", "A2", "X")
    assert pasted.latex == plain.latex
    x = ag.linear([1], [-1.0])
    assert pasted(A1=x, A2=x, X=x) == plain(A1=x, A2=x, X=x)


def test_the_same_arguments_give_the_same_equation() -> None:
    assert ag.compile("LSE[A] + 1") is ag.compile("LSE[A] + 1")
    assert ag.compile("LSE[A] + 1") is not ag.compile("LSE[A] + 1", mode="kernels")
    assert ag.compile("LSE[A] + 1") is not ag.compile("LSE[A] + 1", definitions="f[Q] = Q")
    assert ag.compile("LSE[A] + 1") is not ag.compile("LSE[A] + 1", limits=ag.Limits(states=5))
    found = set()
    for label in range(200):  # tables that come and go are never mistaken for one another
        equation = ag.compile('COUNT["a" ∘ B]', symbols={"a": label})
        found.add(int(equation(B=ag.linear([label]))))
        del equation
        gc.collect(0)
    assert found == {1}


@pytest.mark.parametrize("mode", [*MODES, "fused"])
def test_equations_pickle(mode: str) -> None:
    equation = ag.compile(
        'f[P] = LSE[P ∘ "ab"]\nw f[A] + g[A]', {"a": 1, "b": 2}, "g[Q] = MAX[Q]", mode, limits=ag.Limits(states=99)
    )
    for again in (pickle.loads(pickle.dumps(equation)), copy.copy(equation), copy.deepcopy(equation)):
        assert (again.text, again.inputs, again.mode) == (equation.text, ("w", "A"), mode)
        assert again.mode == mode
    if mode != "fused":
        again = pickle.loads(pickle.dumps(equation))
        assert again(w=2.0, A=A) == pytest.approx(0.9)
        with pytest.raises(ag.LimitError):
            pickle.loads(pickle.dumps(ag.compile("A{9}", limits=ag.Limits(states=9))))(A=A)


def test_errors_pickle_with_their_places() -> None:
    def errors() -> list[ag.ArcgradError]:
        found = []
        for text, a in [("LSE[", A), ("LSE[A*]", A), ("log[-LSE[A]]", A), ("A{999999999}", A), ("A", 3)]:
            try:
                ag.compile(text)(A=a)
            except ag.ArcgradError as error:
                found.append(error)
        return [*found, ag.UnsupportedError("not there", hint="do without")]

    assert len(errors()) == 6
    for error in errors():
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.place == error.place


def arrays(value: Any) -> list[np.ndarray]:
    """Every array in a result."""
    if isinstance(value, ag.Graph):
        return [value.weight, value.src, value.ilabel]
    if isinstance(value, dict):
        return [a for v in value.values() for a in arrays(v)]
    if isinstance(value, (list, tuple)):
        return [a for v in value for a in arrays(v)]
    return [value] if isinstance(value, np.ndarray) else []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ("LSE[A]", {"A": A}),
        ("MAX[A]", {"A": [A, A]}),
        ("A", {"A": A}),
        ("A A", {"A": [A, A]}),
        ("PATH[A]", {"A": A}),
        ("A⟨w⟩", {"A": A, "w": 2.0}),
        ("w LSE[A]", {"A": [A, A], "w": np.array([1.0, 2.0])}),
        ("LSE[A ∘ X]", {"A": A, "X": np.zeros((2, 3))}),
        ("LSE[X]", {"X": np.zeros((2, 2, 3))}),
        ("LSE[X]", {"X": [np.zeros((2, 3)), np.zeros((1, 3))]}),
        ("X", {"X": np.zeros((2, 3))}),
        ("COUNT[A]", {"A": [A, A]}),
    ],
)
def test_results_are_nobodys_memory(mode: str, text: str, inputs: dict[str, Any]) -> None:
    equation = ag.compile(text, mode=mode)
    given = arrays(list(inputs.values()))
    kept_given = [a.copy() for a in given]
    first = arrays(list(equation.value_and_grad(inputs)))
    kept = [a.copy() for a in first]
    for array in first:
        if array.flags.writeable:
            array[...] = 77
    second = arrays(list(equation.value_and_grad(inputs)))
    for before, after in zip([*kept_given, *kept], [*given, *second], strict=True):
        np.testing.assert_array_equal(before, after)
    for array in arrays(equation.value_and_grad(inputs)[1]):
        assert array.flags.writeable  # gradients are the caller's, to scale and add in place
        assert not any(np.shares_memory(array, other) for other in given)


def test_jacobians_and_traces_are_nobodys_memory() -> None:
    equation = ag.compile("A A")
    for _ in range(2):
        J = equation.jacobian(wrt="A", A=A)
        assert J.values.tolist() == [1, 1, 1, 1]
        J.values[:], J.rows[:], J.columns[:] = 9, 0, 0
        trace = equation.trace(A=A)
        assert trace["A"].gradient.tolist() == [2, 2]
        trace["A"].gradient[:] = 9


@pytest.mark.parametrize("mode", MODES)
def test_inputs_may_change_between_calls(mode: str) -> None:
    scores, labels, weights = np.zeros((2, 3)), np.array([1, 2]), np.array([0.1, 0.2])
    graph, dense = ag.linear(labels, weights), ag.dense(scores)
    equation = ag.compile("LSE[A ∘ X]", mode=mode)
    assert equation(A=graph, X=dense) == pytest.approx(0.3)
    scores[:], labels[:], weights[:] = 5.0, 0, 99.0
    assert equation(A=graph, X=dense) == pytest.approx(0.3)  # graphs and ag.dense copy what they are given
    assert equation(A=graph, X=scores) == pytest.approx(10.3)  # a bare array is read as it is now
    assert scores.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        graph.weight[0] = 1.0
    with pytest.raises(AttributeError):
        graph.weight = weights


@pytest.mark.parametrize("mode", MODES)
def test_shapes_of_values_and_gradients(mode: str) -> None:
    equation = ag.compile("w LSE[A ∘ X] + 1", mode=mode)
    x = np.zeros((2, 3))
    value, gradient = equation.value_and_grad(A=A, X=x, w=1.0)
    assert isinstance(value, float)
    assert isinstance(gradient["w"], float)
    assert (gradient["A"].shape, gradient["X"].shape) == ((2,), (2, 3))
    for batch, shape in (([x], None), (x[np.newaxis], (1, 2, 3))):
        value, gradient = equation.value_and_grad(A=A, X=batch, w=np.array(1.0))
        assert value.shape == (1,)
        assert np.shape(gradient["w"]) == ()
        assert gradient["A"].shape == (2,)
        assert isinstance(gradient["X"], list) if shape is None else gradient["X"].shape == shape
    value, gradient = equation.value_and_grad(A=[A, A], X=x, w=[1.0, 2.0])
    assert value.shape == gradient["w"].shape == (2,)
    assert [g.shape for g in gradient["A"]] == [(2,), (2,)]
    np.testing.assert_allclose(gradient["X"][0], [0, 3, 0])
    assert equation.value_and_grad(A=A, X=x.astype(np.float32), w=1)[1]["X"].dtype == np.float32
    tied = ag.Graph([0, 1], [1, 2], [1, 2], weight=[0.5], tie=[0, 0], accept=[2])
    assert equation.value_and_grad(A=tied, X=x, w=1.0)[1]["A"].tolist() == [2.0]


EVERYWHERE = [
    "A + B", "A B", "A*", "A⁺", "A?", "A{3}", "A{2,5}", "A{0}", "A⁻¹", "rev[A]", "in[A]", "out[A]", "A⟨w⟩", "A : B",
    "A ∘ B", "A ∩ B", "connect[A]", "PATH[A]", "relabel[A, m]", "A ∘ X", "X ∘ A", "X*", "∅ ∅", "∅*", "ε?", "A ∘ ∅",
]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", EVERYWHERE)
def test_graphs_without_states_are_legal_everywhere(mode: str, text: str) -> None:
    known = {"A": NOTHING, "B": NOTHING, "w": 0.0, "m": {}, "X": np.zeros((0, 0))}
    accepts_empty = text in ("A*", "A?", "A{0}", "X*", "∅*", "ε?")
    for frame, without, empty in [("{0}", None, None), ("LSE[{0}]", -np.inf, 0), ("MAX[{0}]", -np.inf, 0),
                                  ("MIN[{0}]", np.inf, 0), ("COUNT[{0}]", 0, 1)]:  # fmt: skip
        if text in ("X*", "ε?") and frame != "{0}":
            continue  # X* diverges where X accepts ε, and ε? has two paths
        equation = ag.compile(frame.format(text), mode=mode)
        inputs = {name: known[name] for name in equation.inputs}
        value, gradient = equation.value_and_grad(inputs)
        if frame != "{0}":
            assert value == (empty if accepts_empty else without), frame
        for array in arrays(gradient):
            assert not array.size or not np.any(array)
        if "A" in inputs and frame != "{0}":
            batched = equation({**inputs, "A": [NOTHING, NOTHING]})
            assert batched.tolist() == [value] * 2


def test_an_equation_says_what_it_is() -> None:
    equation = ag.compile("LSE[A ∘ B]")
    assert repr(equation) == "<arcgrad equation 'LSE[A ∘ B]' of A, B>"
    assert repr(ag.compile("LSE[ε]")) == "<arcgrad equation 'LSE[ε]' of no inputs>"
    assert r"\mathcal{A} \circ \mathcal{B}" in equation.latex
    assert ag.compile(equation.latex)(A=A, B=A) == equation(A=A, B=A)
    assert "def routine(" in equation.source(A=A, B=A)
    assert "LSE[A ∘ B]" in str(equation.explain())
    assert "states" in str(equation.explain(A=A, B=A))
    assert equation.check_grad(A=A, B=A).ok


@pytest.mark.parametrize("text", ["LSE[A]", "2", "COUNT[ε]", "ε", "log[0]", '"ab"'])
def test_equations_of_few_inputs(text: str) -> None:
    for mode in MODES:
        equation = ag.compile(text, mode=mode)
        value, gradient = equation.value_and_grad(dict.fromkeys(equation.inputs, A))
        assert list(gradient) == list(equation.inputs)
        assert isinstance(value, (int, float, ag.Graph))
