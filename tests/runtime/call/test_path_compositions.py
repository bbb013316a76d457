"""PATH over dense compositions: never built where it can help, and yet the path that the built composition has."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from oracle import graphs as naive
from oracle.leaves import DenseLeaf, GraphLeaf
from oracle.paths import best
from support.adapter import convert

import arcgrad as ag
from arcgrad.runtime.transforms import TWINS, path

# Ties are frequent, sums exact, and no cycle gains.
EXACT = st.sampled_from([-math.inf, -1.0, -0.5, *[0.0] * 5])


@st.composite
def lively(draw: st.DrawFn, acceptor: bool = False) -> GraphLeaf:
    """A graph of at most three states, through which mostly some paths lead, most of them equally good."""
    n = draw(st.integers(1, 3))
    states, labels = st.integers(0, n - 1), st.sampled_from([2, 1, 0, 2, 1, 0, -1])
    arcs = draw(st.lists(st.tuples(states, states, labels, labels), min_size=5, max_size=9))
    arcs = [(s, d, i, i if acceptor else o) for s, d, i, o in arcs]
    start, accept = draw(st.sets(states)) | {0}, draw(st.sets(states)) | {n - 1}
    weights = draw(st.lists(EXACT, min_size=len(arcs), max_size=len(arcs)))
    return GraphLeaf(n, tuple(arcs), np.array(weights), tuple(sorted(start)), tuple(sorted(accept)))


LEAF, ACCEPTOR = lively(), lively(acceptor=True)
EXAMPLES = 4 * settings.default.max_examples
TEXTS = (
    "PATH[X]", "PATH[X ∘ A]", "PATH[A ∘ X]", "PATH[A ∘ X ∘ B]", "PATH[A ∘ (X ∘ B)]", "PATH[X ∘ (A ∘ B)]",
    "PATH[(X ∘ A) ∘ B]", "PATH[A ∘ (B ∘ X)]", "PATH[X ∘ (A ∘ (B ∘ A))]", "PATH[X ∘ A⟨w⟩]", "PATH[X ∘ (A + B)*]",
)  # fmt: skip
OF_ACCEPTORS = ("PATH[X ∩ A]", "PATH[A ∩ X]", "PATH[A ∩ X ∩ B]")


@pytest.fixture(params=["kernels", "segments", pytest.param("built", marks=pytest.mark.slow)], scope="module")
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
def scores(draw: st.DrawFn) -> np.ndarray:
    steps = draw(st.integers(1, 3))
    values = draw(st.lists(EXACT, min_size=steps * 3, max_size=steps * 3))
    return np.array(values, dtype=draw(st.sampled_from([np.float32, np.float64]))).reshape(steps, 3)


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


RNG = np.random.default_rng(0)
ARCS = [(0, 0, 0, 4), (0, 1, 1, -1), (1, 1, 1, 1), (1, 2, -1, 2), (2, 2, 2, 5), (0, 2, 2, 3)]
Y = ag.Graph.from_arcs([(*arc, 0.1 * k - 0.7) for k, arc in enumerate(ARCS)], start=[0], accept=[2])
LOOPS = [(state, state, label, label % 3, 0.1 * label) for state in (0, 1) for label in range(6)]
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
    "LSE[PATH[X ∘ Y] ∘ Z]",
    "LSE[PATH[Z ∘ X]] + LSE[PATH[X]]",
    "LSE[PATH[X ∘ Y⟨w⟩] ∘ Z] - LSE[X]",
    "LSE[PATH[X ∘ (Y ∘ Z)]]",
    "MAX[PATH[Z ∘ X ∘ Y⟨MAX[X ∘ Y]⟩]]",
    "LSE[PATH[PATH[X ∘ Y] ∘ Z]]",
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("text", DIFFERENTIATED)
def test_gradients_go_to_the_arcs_that_were_copied(text: str, batch: bool, dtype: str) -> None:
    equation = ag.compile(text, mode="kernels")
    given = given_for(equation, dtype, batch)
    expected, gradients = ag.compile(text, mode="interpret").value_and_grad(given)
    value, pull = equation.pullback(given)
    np.testing.assert_allclose(value, expected, rtol=1e-6 if dtype == "float32" else 1e-12)
    out = {"X": np.full((4, 5, 3) if batch else (5, 3), np.nan, dtype)}
    for found in (pull(), equation.value_and_grad(given)[1], equation.value_and_grad(given, out=out)[1]):
        for name, gradient in gradients.items():
            pairs = zip(gradient, found[name], strict=True) if name == "Y" and batch else [(gradient, found[name])]
            for one, other in pairs:
                np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-9, err_msg=name)
                assert np.asarray(other).dtype == np.asarray(one).dtype


@pytest.mark.parametrize("text", ["PATH[X ∘ Y] ∘ Z", "PATH[Z ∘ X]", "PATH[Z ∘ X ∘ Y⟨MAX[X ∘ Y]⟩]", "PATH[X]"])
def test_jacobians(text: str) -> None:
    equation = ag.compile(text, mode="kernels")
    given = given_for(equation, "float64", False)
    value, gradients = equation.value_and_grad(given)
    cotangents = np.eye(value.n_arcs)
    jacobians = equation.jacobian(given, wrt=tuple(given))
    for name, gradient in gradients.items():
        rows = [equation.value_and_grad(given, cotangent=each, wrt=name)[1][name] for each in cotangents]
        np.testing.assert_allclose(jacobians[name].toarray(), [np.ravel(row) for row in rows], atol=1e-12)
        np.testing.assert_allclose(np.sum(rows, axis=0), gradient, atol=1e-12)
    assert equation.check_grad(given).ok


def test_shared_inputs_and_threads(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.normal(size=(6, 300, 40)).astype(np.float32)
    states = np.arange(90)
    graph = ag.Graph(states, np.minimum(states + 1, 89), states % 40, start=states, accept=states)
    equation = ag.compile("PATH[X ∘ Y]", mode="kernels")
    singles = [equation(X=each, Y=graph) for each in x]
    for threads in ("1", "3"):
        monkeypatch.setenv("ARCGRAD_THREADS", threads)
        assert all(map(ag.equal, equation(X=x, Y=graph), singles))
        assert all(map(ag.equal, equation(X=x[0], Y=[graph] * 2), singles[:1] * 2))
    assert equation(X=x[:0], Y=graph) == []
    assert ag.compile("LSE[PATH[X ∘ Y]]").value_and_grad(X=x[:0], Y=graph)[1]["Y"].tolist() == [0.0] * 90


def test_inputs_of_no_frames_and_of_no_columns(how: str) -> None:
    for text, shape, states in (("[X]", (0, 0), 1), ("[X]", (0, 3), 1), ("[X]", (2, 0), 0), ("[X ∘ Y?]", (0, 3), 1)):
        given = {"X": np.zeros(shape), **({"Y": Y} if "Y" in text else {})}
        found = ag.compile("PATH" + text, mode="kernels")(given)
        assert found.n_states == states
        assert ag.equal(ag.compile("PATH" + text, mode="interpret")(given), found)


@pytest.mark.parametrize("mask", [-np.inf, -1e30, -1e308])
def test_masks(how: str, mask: float) -> None:
    x = np.where(RNG.random((6, 3)) < 0.4, mask, RNG.normal(size=(6, 3)))
    for text in ("PATH[X]", "PATH[X ∘ Y]", "PATH[Z ∘ X]"):
        equation = ag.compile(text, mode="kernels")
        given = {name: {"X": x, "Y": Y, "Z": Z}[name] for name in equation.inputs}
        assert ag.equal(equation(given), ag.compile(text, mode="interpret")(given))
        for none in (np.full((6, 3), -np.inf), np.full((6, 3), -1e308)):  # the weight of a path is beyond floats
            for mode in ("kernels", "interpret"):
                assert ag.compile(text, mode=mode)({**given, "X": none}).n_states == 0


def test_limits_are_of_what_is_built(how: str) -> None:
    x = np.zeros((20, 3))
    for text, n in (("PATH[X]", 20), ("PATH[Z ∘ X]", 20), ("PATH[X ∘ Y]", 20)):
        given = {"X": x, **({"Y": Y} if "Y" in text else {"Z": Z} if "Z" in text else {})}
        assert ag.compile(text, mode="kernels", limits=ag.Limits(arcs=n))(given).n_arcs == n
        with pytest.raises(ag.LimitError, match=f"the best path would have {n} arcs, but") as caught:
            ag.compile(text, mode="kernels", limits=ag.Limits(arcs=n - 1))({**given, "X": x[None]})
        assert caught.value.place is not None
        assert "item 0 of the batch" in str(caught.value)


def test_explain_says_that_nothing_is_built() -> None:
    shown = str(ag.compile("PATH[X ∘ (Y ∘ Z)]").explain(X=np.zeros((4, 3)), Y=Y, Z=Z))
    assert "trellis region over X: time-synchronous, the composition is never built; G = Y ∘ Z" in shown
    assert "frames region over X" in str(ag.compile("LSE[PATH[X]]").explain(X=np.zeros((4, 3))))
    assert "its operand is built" in str(ag.compile("LSE[PATH[X + Y]]").explain(X=np.zeros((4, 3)), Y=Y))


MEMORY = """
import numpy as np, arcgrad as ag
from benchmarks.graphs import ctc_target

rng = np.random.default_rng(0)
x = rng.standard_normal((100_000, 201), dtype=np.float32)
y = ctc_target(rng.integers(1, 201, 200))
value, gradient = ag.compile("LSE[PATH[X ∘ Y]]", mode="kernels").value_and_grad(X=x, Y=y)
best = ag.compile("MAX[X ∘ Y]", mode="kernels", limits=ag.Limits(bytes=1 << 40))(X=x, Y=y)
assert abs(value - best) <= 1e-9 * abs(best), (value, best)
assert abs(gradient["X"].sum() - 100_000) + abs(gradient["Y"].sum() - 100_000) <= 1e-6
with open("/proc/self/status") as file:  # ru_maxrss begins with that of the process that started this one
    print(next(line.split()[1] for line in file if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_hundred_thousand_frames_take_less_than_a_gigabyte() -> None:
    root = Path(__file__).parents[3]
    found = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=False, cwd=root)
    assert found.returncode == 0, found.stderr[-2000:]
    assert int(found.stdout) < 1_000_000  # kilobytes
