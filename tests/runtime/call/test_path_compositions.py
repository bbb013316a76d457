"""PATH over dense compositions: never built where it can help, and yet the path that the built composition has."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from oracle import graphs as naive
from oracle.leaves import DenseLeaf, GraphLeaf
from oracle.paths import best
from support.adapter import convert
from support.random_graphs import graphs

import arcgrad as ag
from arcgrad.runtime.transforms import TWINS, path

EXACT = st.sampled_from([-math.inf, -1.0, 0.0, 0.0, 0.5, 1.0])  # ties are frequent, and sums exact
LEAF = graphs(n_states=4, weights=EXACT)
ACCEPTOR = graphs(n_states=4, weights=EXACT, acceptor=True)
EXAMPLES = 4 * settings.default.max_examples
TEXTS = (
    "PATH[X]", "PATH[X ∘ A]", "PATH[A ∘ X]", "PATH[A ∘ X ∘ B]", "PATH[A ∘ (X ∘ B)]", "PATH[X ∘ (A ∘ B)]",
    "PATH[(X ∘ A) ∘ B]", "PATH[A ∘ (B ∘ X)]", "PATH[X ∘ (A ∘ (B ∘ A))]", "PATH[X ∘ A⟨w⟩]", "PATH[X ∘ (A + B)*]",
)  # fmt: skip
OF_ACCEPTORS = ("PATH[X ∩ A]", "PATH[A ∩ X]", "PATH[A ∩ X ∩ B]")


@pytest.fixture(params=["kernels", "segments", "built"], scope="module")
def how(request: pytest.FixtureRequest) -> Iterator[str]:
    """By the kernels, with few choices kept at a time, or by the building that stands in until they are compiled."""
    for kernel in itertools.chain(*TWINS["path"].kernels.values()):
        kernel.load()
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "segments":
            patch.setattr(path, "_CHOICES", 1)
        if request.param == "built":
            patch.setattr(path.patience, "ends_for", lambda *kernels, expected=0.0: False)
        yield request.param


@st.composite
def scores(draw: st.DrawFn, weights: st.SearchStrategy[float] = EXACT) -> np.ndarray:
    steps, columns = draw(st.integers(0, 4)), draw(st.integers(0, 3))
    values = draw(st.lists(weights, min_size=steps * columns, max_size=steps * columns))
    return np.array(values, dtype=draw(st.sampled_from([np.float32, np.float64]))).reshape(steps, columns)


def outcome(evaluate: Callable[[], Any]) -> Any:
    try:
        return evaluate()
    except ag.DivergenceError:
        return "diverges"


def same(one: Any, other: Any) -> bool:
    return bool(one == other) if isinstance(one, str) or isinstance(other, str) else ag.equal(one, other)


@settings(max_examples=EXAMPLES)
@given(text=st.sampled_from(TEXTS), x=scores(), a=LEAF, b=LEAF, w=st.sampled_from([-1.0, 0.0, 0.5]))
def test_the_path_is_that_of_the_built_composition(
    how: str, text: str, x: np.ndarray, a: GraphLeaf, b: GraphLeaf, w: float
) -> None:
    check(text, {"X": x, "A": convert(a), "B": convert(b), "w": w})


@settings(max_examples=EXAMPLES // 4)
@given(text=st.sampled_from(OF_ACCEPTORS), x=scores(), a=ACCEPTOR, b=ACCEPTOR)
def test_acceptors(how: str, text: str, x: np.ndarray, a: GraphLeaf, b: GraphLeaf) -> None:
    check(text, {"X": x, "A": convert(a), "B": convert(b)})


def check(text: str, inputs: dict[str, Any]) -> None:
    equation = ag.compile(text, mode="kernels")
    given = {name: inputs[name] for name in equation.inputs}
    expected = outcome(lambda: ag.compile(text, mode="interpret")(given))
    assert same(outcome(lambda: equation(given)), expected)


@settings(max_examples=EXAMPLES // 2)
@given(x=scores(), a=LEAF)
def test_brute_force(x: np.ndarray, a: GraphLeaf) -> None:
    composed = naive.compose(DenseLeaf(x.astype(np.float64)).to_graph("X"), a.to_graph("A"))
    found = outcome(lambda: ag.compile("PATH[X ∘ A]", mode="kernels")(X=x, A=convert(a)))
    if found == "diverges":
        return
    try:
        reduced = best(composed, 1, canonical=True)
    except naive.TooLargeError:
        reject()
    assert (found.weight.sum() if found.n_states else -math.inf) == reduced.value
    assert found.n_arcs == reduced.gradients[0].sum()
    assert found.n_states == 0 or ag.compile("MAX[X ∘ A]")(X=x, A=convert(a)) == reduced.value
