"""NBEST over dense compositions: never built where it can help, and yet the paths that the built composition has."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.leaves import GraphLeaf
from support.adapter import convert

import arcgrad as ag
from arcgrad.runtime.transforms import TWINS, nbest

# Ties are frequent, sums exact, and no cycle gains.
EXACT = st.sampled_from([-math.inf, -1.0, -0.5, *[0.0] * 5])
EXAMPLES = settings.default.max_examples
TEXTS = (
    "NBEST[X, 7]", "NBEST[X ∘ A, 9]", "NBEST[A ∘ X, 9]", "NBEST[A ∘ X ∘ B, 5]", "NBEST[A ∘ (X ∘ B), 5]",
    "NBEST[X ∘ (A ∘ B), 40]", "NBEST[X ∘ A⟨w⟩, 3]", "NBEST[X ∘ (A + B)*, 2]", "NBEST[X ∘ A, 1]", "NBEST[X ∘ A, 900]",
)  # fmt: skip


@pytest.fixture(params=["kernels", pytest.param("built", marks=pytest.mark.slow)], scope="module")
def how(request: pytest.FixtureRequest) -> Iterator[str]:
    """By the kernels, or by the building that stands in until they are compiled."""
    for kernels in TWINS["nbest"].kernels.values():
        for kernel in kernels:
            kernel.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nbest, "_SMALL", 0)
        if request.param == "built":
            patch.setattr(nbest.patience, "ends_for", lambda *kernels, expected=0.0: False)
        yield request.param


@st.composite
def lively(draw: st.DrawFn) -> GraphLeaf:
    """A graph of at most three states, through which mostly some paths lead, most of them equally good."""
    n = draw(st.integers(1, 3))
    states, labels = st.integers(0, n - 1), st.sampled_from([2, 1, 0, 2, 1, 0, -1])
    arcs = draw(st.lists(st.tuples(states, states, labels, labels), min_size=5, max_size=9))
    start, accept = draw(st.sets(states)) | {0}, draw(st.sets(states)) | {n - 1}
    weights = draw(st.lists(EXACT, min_size=len(arcs), max_size=len(arcs)))
    return GraphLeaf(n, tuple(arcs), np.array(weights), tuple(sorted(start)), tuple(sorted(accept)))


@st.composite
def scores(draw: st.DrawFn) -> np.ndarray:
    steps = draw(st.integers(1, 3))
    values = draw(st.lists(EXACT, min_size=steps * 3, max_size=steps * 3))
    return np.array(values, dtype=draw(st.sampled_from([np.float32, np.float64]))).reshape(steps, 3)


def outcome(evaluate: Callable[[], Any]) -> Any:
    try:
        return evaluate()
    except ag.DivergenceError:
        return "diverges"


@settings(max_examples=EXAMPLES)
@given(text=st.sampled_from(TEXTS), x=scores(), a=lively(), b=lively(), w=st.sampled_from([-1.0, 0.0, 0.5]))
def test_the_paths_are_those_of_the_built_composition(
    how: str, text: str, x: np.ndarray, a: GraphLeaf, b: GraphLeaf, w: float
) -> None:
    inputs = {"X": x, "A": convert(a), "B": convert(b), "w": w}
    equation = ag.compile(text, mode="kernels")
    given = {name: inputs[name] for name in equation.inputs}
    expected = outcome(lambda: ag.compile(text, mode="interpret")(given))
    found = outcome(lambda: equation(given))
    assert found == expected if isinstance(expected, str) or isinstance(found, str) else ag.equal(found, expected)


RNG = np.random.default_rng(0)
ARCS = [(0, 0, 0, 4), (0, 1, 1, -1), (1, 1, 1, 1), (1, 2, -1, 2), (2, 2, 2, 5), (0, 2, 2, 3)]
Y = ag.Graph.from_arcs([(*arc, 0.1 * k - 0.7) for k, arc in enumerate(ARCS)], start=[0], accept=[2])
LOOPS = [
    (state, state, label, label % 3, 0.1 * label + 0.0173 * state * (label + 2))
    for state in (0, 1)
    for label in range(6)
]
Z = ag.Graph.from_arcs([*LOOPS, (0, 1, -1, -1, -0.05)], start=[0], accept=[0, 1])
LONE = ag.linear([0] * 9)  # no path of fewer frames


def given_for(equation: ag.Equation, dtype: str, batch: bool) -> dict[str, Any]:
    x = RNG.normal(size=(4, 5, 3)).astype(dtype)
    known = {
        "X": ag.dense(x, lengths=[5, 3, 0, 4]) if batch else x[0],
        "Y": [Y, Y.with_weight(RNG.normal(size=6)), Y, LONE] if batch else Y,
        "Z": Z,
        "w": 0.3,
    }
    return {name: known[name] for name in equation.inputs}


DIFFERENTIATED = (
    "LSE[NBEST[X ∘ Y, 10]]",
    "LSE[NBEST[Z ∘ X, 4]] + LSE[NBEST[X, 3]]",
    "LSE[NBEST[X ∘ Y⟨w⟩, 6] ∘ Z] - LSE[X]",
    "MAX[NBEST[Z ∘ X ∘ Y⟨MAX[X ∘ Y]⟩, 3]]",
    "LSE[NBEST[NBEST[X ∘ Y, 5] ∘ Z, 4]]",
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("text", DIFFERENTIATED)
def test_gradients_go_to_the_arcs_that_were_copied(how: str, text: str, batch: bool, dtype: str) -> None:
    equation = ag.compile(text, mode="kernels")
    given = given_for(equation, dtype, batch)
    expected, gradients = ag.compile(text, mode="interpret").value_and_grad(given)
    value, pull = equation.pullback(given)
    np.testing.assert_allclose(value, expected, rtol=1e-6 if dtype == "float32" else 1e-12)
    for found in (pull(), equation.value_and_grad(given)[1]):
        for name, gradient in gradients.items():
            pairs = zip(gradient, found[name], strict=True) if name == "Y" and batch else [(gradient, found[name])]
            for one, other in pairs:
                np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-7, err_msg=name)
    if dtype == "float64" and not batch:  # of a batch, one score is −inf
        assert equation.check_grad(given).ok


@pytest.mark.parametrize("text", ["NBEST[X ∘ Y, 5]", "NBEST[X, 4] ∘ Z", "NBEST[Z ∘ X, 3]"])
def test_graph_values_and_jacobians(how: str, text: str) -> None:
    equation = ag.compile(text, mode="kernels")
    given = given_for(equation, "float64", False)
    value, gradients = equation.value_and_grad(given)
    jacobians = equation.jacobian(given, wrt=tuple(given))
    for name, gradient in gradients.items():
        rows = [equation.value_and_grad(given, cotangent=c, wrt=name)[1][name] for c in np.eye(value.n_arcs)]
        np.testing.assert_allclose(jacobians[name].toarray(), [np.ravel(row) for row in rows], atol=1e-12)
        np.testing.assert_allclose(np.sum(rows, axis=0), gradient, atol=1e-12)


def test_shared_inputs_and_threads(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.normal(size=(4, 60, 20)).astype(np.float32)
    states = np.arange(50)
    graph = ag.Graph(states, np.minimum(states + 1, 49), states % 20, start=states, accept=states)
    equation = ag.compile("NBEST[X ∘ Y, 20]", mode="kernels")
    singles = [equation(X=each, Y=graph) for each in x]
    for threads in ("1", "3"):
        monkeypatch.setenv("ARCGRAD_THREADS", threads)
        assert all(map(ag.equal, equation(X=x, Y=graph), singles))
        assert all(map(ag.equal, equation(X=x[0], Y=[graph] * 2), singles[:1] * 2))
    assert equation(X=x[:0], Y=graph) == []
    assert ag.compile("LSE[NBEST[X ∘ Y, 2]]").value_and_grad(X=x[:0], Y=graph)[1]["Y"].tolist() == [0.0] * 50


def test_inputs_of_no_frames_and_of_no_columns(how: str) -> None:
    for text, shape, states in (("[X, 3]", (0, 0), 1), ("[X, 3]", (0, 3), 1), ("[X, 3]", (2, 0), 0),
                                ("[X ∘ Y?, 4]", (0, 3), 1)):  # fmt: skip
        given = {"X": np.zeros(shape), **({"Y": Y} if "Y" in text else {})}
        found = ag.compile("NBEST" + text, mode="kernels")(given)
        assert found.n_states == states
        assert ag.equal(ag.compile("NBEST" + text, mode="interpret")(given), found)


@pytest.mark.parametrize("mask", [-np.inf, -1e30, -1e308])
def test_masks(how: str, mask: float) -> None:
    x = np.where(RNG.random((6, 3)) < 0.4, mask, RNG.normal(size=(6, 3)))
    for text in ("NBEST[X, 9]", "NBEST[X ∘ Y, 9]", "NBEST[Z ∘ X, 9]"):
        equation = ag.compile(text, mode="kernels")
        given = {name: {"X": x, "Y": Y, "Z": Z}[name] for name in equation.inputs}
        assert ag.equal(equation(given), ag.compile(text, mode="interpret")(given))
        for none in (np.full((6, 3), -np.inf), np.full((6, 3), -1e308)):  # the weight of a path is beyond floats
            for mode in ("kernels", "interpret"):
                assert ag.compile(text, mode=mode)({**given, "X": none}).n_states == 0


def test_limits_are_of_what_is_built(how: str) -> None:
    x = np.zeros((20, 3))
    for text in ("NBEST[X, 5]", "NBEST[Z ∘ X, 5]"):
        given = {"X": x, **({"Z": Z} if "Z" in text else {})}
        assert ag.compile(text, mode="kernels", limits=ag.Limits(arcs=105))(given).n_arcs in (100, 105)
        with pytest.raises(
            ag.LimitError, match=r"the paths would have (at least )?[0-9]+ arcs, but the limit is 99"
        ) as caught:
            ag.compile(text, mode="kernels", limits=ag.Limits(arcs=99))({**given, "X": x[None]})
        assert caught.value.place is not None
        assert "item 0 of the batch" in str(caught.value)
    if how == "kernels":
        with pytest.raises(ag.LimitError, match=r"the workspace of the best paths would have [0-9]+ bytes"):
            ag.compile("NBEST[X, 500]", limits=ag.Limits(bytes=60_000), mode="kernels")(X=x)


def test_explain_says_that_nothing_is_built() -> None:
    shown = str(ag.compile("NBEST[X ∘ (Y ∘ Z), 4]").explain(X=np.zeros((4, 3)), Y=Y, Z=Z))
    assert "trellis region over X: time-synchronous, the composition is never built; G = Y ∘ Z" in shown
    assert "frames region over X" in str(ag.compile("LSE[NBEST[X, 2]]").explain(X=np.zeros((4, 3))))
    assert "its operand is built" in str(ag.compile("LSE[NBEST[X + Y, 2]]").explain(X=np.zeros((4, 3)), Y=Y))
