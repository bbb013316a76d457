"""Hessian-vector products against differences of gradients, on the oracle's random cases and on chosen equations."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from oracle.cases import Case, generate
from support.adapter import arcgrad_inputs

import arcgrad as ag
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import Along, Transformed
from arcgrad.compiler.operators import Category, Operator, registered
from arcgrad.compiler.types import Type

MODES = ("interpret", "kernels")
N_CASES = 300
STEP = 1e-5

Gradient = Any  # of one input: an array, a list of arrays, or a number


def numbers(value: Gradient) -> np.ndarray:
    """All numbers of a gradient, one after the other."""
    parts = value if isinstance(value, list) else [value]
    return np.concatenate([np.ravel(np.asarray(part, dtype=np.float64)) for part in parts] or [np.zeros(0)])


def like(value: Gradient, rng: np.random.Generator) -> Gradient:
    """A random direction of a gradient's form."""
    if isinstance(value, list):
        return [rng.normal(size=np.shape(part)) for part in value]
    drawn = rng.normal(size=np.shape(value))
    return float(drawn) if np.ndim(value) == 0 else drawn.astype(value.dtype)


def moved(value: Any, direction: Gradient, step: float) -> Any:
    """An input a step along a direction."""
    if isinstance(value, (list, tuple)):
        return [moved(item, part, step) for item, part in zip(value, direction, strict=True)]
    if isinstance(value, ag.Graph):
        return value.with_weight(value.weight + step * direction)
    if isinstance(value, np.ndarray) or np.isscalar(value):
        return value + step * direction
    scores = value.scores + step * direction  # a dense input with lengths
    return ag.dense(scores, value.lengths if value.is_batch else int(value.lengths[0]))


def slope(
    equation: Any, given: dict[str, Any], direction: dict[str, Gradient], wrt: tuple[str, ...], step: float
) -> dict[str, np.ndarray]:
    """Central differences of the gradient along a direction."""
    ends = []
    for sign in (1.0, -1.0):
        there = {n: moved(v, direction[n], sign * step) if n in wrt else v for n, v in given.items()}
        gradient = equation.value_and_grad(there, wrt=wrt)[1]
        ends.append({name: numbers(gradient[name]) for name in wrt})
    return {name: (ends[0][name] - ends[1][name]) / (2 * step) for name in wrt}


def compare(equation: Any, given: dict[str, Any], wrt: tuple[str, ...], rng: np.random.Generator) -> bool:
    """Whether the product could be compared: the gradient may jump, or bend too fast for differences."""
    value, gradient = equation.value_and_grad(given, wrt=wrt)
    direction = {name: like(gradient[name], rng) for name in wrt}
    product = equation.hvp(direction, given, wrt=wrt)
    assert list(product) == list(wrt)
    other = {name: like(gradient[name], rng) for name in wrt}
    of_other = equation.hvp(other, given, wrt=wrt)
    for name in wrt:
        shapes = [list(map(np.shape, p if isinstance(p, list) else [p])) for p in (product[name], gradient[name])]
        assert shapes[0] == shapes[1]
        assert np.all(np.isfinite(numbers(product[name])))
    flat = [np.concatenate([numbers(part[name]) for name in wrt]) for part in (direction, product, other, of_other)]
    size = max(1.0, float(np.abs(flat[1]).max(initial=0.0)), float(np.abs(flat[3]).max(initial=0.0)))
    assert flat[2] @ flat[1] == pytest.approx(flat[0] @ flat[3], abs=1e-10 * size * max(1, len(flat[0])))
    if not np.all(np.isfinite(value)):
        return True
    try:
        slopes = [slope(equation, given, direction, wrt, step) for step in (STEP, STEP / 3)]
    except ag.DivergenceError:  # a step too far
        return False
    compared = False
    for name in wrt:
        one, finer = slopes[0][name], slopes[1][name]
        noise = 1e-9 * max(1.0, float(np.abs(numbers(gradient[name])).max(initial=0.0)))
        sure = np.abs(one - finer) <= 1e-7 * np.maximum(1.0, np.abs(finer)) + noise / STEP * 1e-2
        bound = 1e-6 * np.maximum(1.0, np.abs(finer)) + noise / STEP * 1e-2
        assert np.all((np.abs(numbers(product[name]) - finer) <= bound)[sure]), (name, product[name], finer)
        compared = compared or bool(sure.any())
    return compared


def usable(case: Case) -> bool:
    return case.has_gradient and bool(case.wrt) and (case.batch is None or case.batch > 0)


def check_case(seed: int, mode: str) -> bool:
    case = generate(seed)
    if not usable(case):
        return False
    try:
        return compare(ag.compile(case.text, mode=mode), arcgrad_inputs(case), case.wrt, np.random.default_rng(seed))
    except BaseException:
        print(f"with seed={seed}, mode {mode}: {case.text}")
        raise


@pytest.mark.parametrize("mode", MODES)
def test_products_of_random_cases(mode: str) -> None:
    assert sum(check_case(seed, mode) for seed in range(20)) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_products_of_many_random_cases(mode: str) -> None:
    assert sum(check_case(seed, mode) for seed in range(20, N_CASES * 3)) >= N_CASES


# -- chosen equations -------------------------------------------------------------------------------------------------

A = ag.Graph([0, 0, 1, 1], [1, 1, 2, 2], [0, 1, 0, 1], weight=[-1.0, -0.7, -0.2, -0.9], accept=[2])
B = A.with_weight([0.1, 0.2, 0.3, -0.4])
LOOP = ag.Graph([0, 0, 1], [0, 1, 1], [0, 1, 0], weight=[-1.1, 0.2, -0.8], accept=[1])
TIED = ag.Graph([0, 0, 1], [0, 1, 1], [0, 1, 0], weight=[-1.1, 0.2], accept=[1], tie=[0, 1, 0])
RNG = np.random.default_rng(4)
X, V = RNG.normal(size=(2, 4, 2)) - 1.0
SHORT = RNG.normal(size=(2, 2)) - 1.0


@pytest.mark.parametrize("mode", [*MODES, "auto"])
@pytest.mark.parametrize(
    "text",
    [
        "LSE[A]", "LSE[A ∘ S]", "LSE[X ∘ L]", "LSE[X] - LSE[X ∘ L]", "LSE[A ∘ S ∘ L]", "LSE[L ∩ X]",
        "LSE[X + A]", "LSE[X A⟨s⟩]", "LSE[(L⟨-4⟩)*]", "LSE[(L T)⁺⟨-4⟩ ∘ X]", "LSE[rev[A] ∘ B]", "LSE[A⟨LSE[B]⟩ + B]",
        "LSE[A⟨s × LSE[B]⟩ ∘ S] × LSE[B]", "LSE[(A⟨H[B]⟩) ∘ S]",
        "E[A, B]", "E[X ∘ L, V ∘ L]", "E[X, V]", "H[A]", "H[X ∘ L]", "H[X]", "H[L]", "KL[A, B]", "KL[X ∘ L, V ∘ L]",
        "E[A, B] × s", "E[A⟨LSE[B]⟩, B⟨s⟩]",
        "LSE[A] × LSE[B A]", "LSE[A] / LSE[B A]", "log[2 + LSE[A] × LSE[A]]", "exp[LSE[A]]", "logadd[LSE[A], H[B], s]",
        "max[LSE[A], LSE[B]] × s", "min[LSE[A], s, LSE[B A]] × LSE[B]", "MAX[A] × LSE[B]",
        "MIN[A] × LSE[A] - MAX[A ∘ S]", "exp[MAX[A⟨LSE[B]⟩]]", "-s × s", "COUNT[A] × LSE[A]",
        "LSE[PATH[A] ∘ B]", "LSE[PATH[A⟨H[B]⟩] ∘ S] × s", "LSE[PATH[X ∘ L] + A]", "LSE[PATH[PATH[A] ∘ B] A]",
    ],
)  # fmt: skip
def test_products_of_chosen_equations(mode: str, text: str) -> None:
    known = {"A": A, "B": B, "X": X, "V": V, "S": SHORT, "L": LOOP, "T": TIED, "s": 0.7}
    equation = ag.compile(text, mode=mode)
    given = {name: known[name] for name in equation.inputs}
    assert np.isfinite(equation(given))
    rng = np.random.default_rng(len(text))
    assert compare(equation, given, equation.inputs, rng)
    for name in equation.inputs:
        compare(equation, given, (name,), rng)


@pytest.mark.parametrize("mode", MODES)
def test_batches_shared_and_ragged_inputs(mode: str) -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(3, 4, 2)) - 1.0
    equation = ag.compile("LSE[X] × s - LSE[X ∘ T⟨LSE[A]⟩] + H[X ∘ L]", mode=mode)
    shared = {"X": x, "s": 0.5, "T": TIED, "A": A, "L": LOOP}
    apart = {
        "X": x, "s": np.array([0.5, 1.0, -2.0]), "T": [TIED, TIED.with_weight([-2.0, 0.0]), TIED], "A": [A, B, A],
        "L": LOOP,
    }  # fmt: skip
    ragged = {**apart, "X": [x[0], x[1][:2], x[2][:0]]}
    padded = {**apart, "X": ag.dense(x, [4, 2, 0])}
    for given in (shared, apart, ragged, padded):
        assert compare(equation, given, equation.inputs, rng)
        assert compare(equation, given, ("T", "X"), rng)
    alone = [equation.hvp(np.ones((4, 2)), {**shared, "X": x[b]}, wrt="X") for b in range(3)]
    np.testing.assert_allclose(equation.hvp(np.ones((3, 4, 2)), shared, wrt="X"), np.array(alone), rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_items_have_the_same_bits_alone_and_in_a_batch(mode: str) -> None:
    rng = np.random.default_rng(8)
    x, v = rng.normal(size=(2, 3, 5, 2)) - 1.0
    graphs = [LOOP.with_weight(LOOP.weight - k) for k in range(3)]
    w = [rng.normal(size=3) for _ in range(3)]
    for text in ("LSE[X ∘ L]", "H[X ∘ L] × LSE[L]", "E[X ∘ L, X ∘ L]"):
        equation = ag.compile(text, mode=mode)
        whole = equation.hvp({"X": v, "L": w}, X=x, L=graphs)
        for k in range(3):
            alone = equation.hvp({"X": v[k], "L": w[k]}, X=x[k], L=graphs[k])
            np.testing.assert_array_equal(whole["X"][k], alone["X"])
            np.testing.assert_array_equal(whole["L"][k], alone["L"])


@pytest.mark.parametrize("mode", MODES)
def test_single_precision(mode: str) -> None:
    x = X.astype(np.float32)
    equation = ag.compile("LSE[X ∘ L] - LSE[X]", mode=mode)
    v = RNG.normal(size=x.shape).astype(np.float32)
    single, double = equation.hvp(v, X=x, L=LOOP, wrt="X"), equation.hvp(v, X=x.astype(float), L=LOOP, wrt="X")
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=2e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("LSE[X] - LSE[X ∘ Y]", {"X": X, "Y": ag.linear([0] * 5)}),
        ("LSE[A]", {"A": A.with_weight([-math.inf, -math.inf, 0.0, 1.0])}),
        ("log[LSE[A] - LSE[A]]", {"A": A}),
        ("LSE[A] / COUNT[A ∘ X]", {"A": A, "X": np.zeros((2, 2))}),
        ("KL[A, B]", {"A": A, "B": B.with_weight([-math.inf, 0.0, 0.0, 0.0])}),
        ("KL[A, B]", {"A": A.with_weight([-math.inf, -math.inf, 0.0, 1.0]), "B": B}),
        ("E[A, B]", {"A": A, "B": B.with_weight([-math.inf, 0.0, 0.0, 0.0])}),
        ("H[A]", {"A": ag.Graph([], [], [], n_states=0, start=[])}),
        ("logadd[LSE[A], LSE[A]]", {"A": A.with_weight([-math.inf, -math.inf, 0.0, 1.0])}),
        ("LSE[A⟨s⟩]", {"A": A, "s": -math.inf}),
        ("COUNT[A]", {"A": A}),
        ("MAX[A] - MIN[A]", {"A": A}),
        ("LSE[A] + s", {"A": ag.linear([1, 2]), "s": 3.0}),
    ],
)
def test_no_derivative_passes_below_an_infinite_score_nor_where_there_is_none(
    mode: str, text: str, given: dict[str, Any]
) -> None:
    equation = ag.compile(text, mode=mode)
    gradient = equation.value_and_grad(given)[1]
    direction = {name: like(part, np.random.default_rng(1)) for name, part in gradient.items()}
    if text.startswith("LSE[A] / COUNT"):
        assert compare(equation, given, equation.inputs, RNG)
        return
    product = equation.hvp(direction, given)
    for name, part in gradient.items():
        assert np.shape(product[name]) == np.shape(part)
        assert not np.any(np.asarray(product[name])), (name, product[name])


def test_closed_forms() -> None:
    """The Hessian of LSE of a union of arcs is that of log-sum-exp: diag(p) − p pᵀ."""
    w = np.array([0.3, -1.0, 2.0])
    graph = ag.Graph([0, 0, 0], [1, 1, 1], [1, 2, 3], weight=w, accept=[1])
    p = np.exp(w) / np.exp(w).sum()
    for mode in MODES:
        equation = ag.compile("LSE[A]", mode=mode)
        rows = [equation.hvp(unit, A=graph, wrt="A") for unit in np.eye(3)]
        np.testing.assert_allclose(rows, np.diag(p) - np.outer(p, p), atol=1e-15)


def test_large_weights_change_no_second_derivative() -> None:
    for mode in MODES:
        equation = ag.compile("LSE[X ∘ L]", mode=mode)
        v = np.random.default_rng(2).normal(size=X.shape)
        expected = equation.hvp(v, X=X, L=LOOP, wrt="X")
        far = X.copy()
        far[1] -= 512.0 * 2.0**20
        np.testing.assert_allclose(equation.hvp(v, X=far, L=LOOP, wrt="X"), expected, atol=1e-6)
        far[1] = -1e30
        level = X.copy()
        level[1] = 0.0
        expected = equation.hvp(v, X=level, L=LOOP, wrt="X")
        np.testing.assert_allclose(equation.hvp(v, X=far, L=LOOP, wrt="X"), expected, atol=1e-9)


def test_the_same_program_serves_many_calls_and_pickled_equations() -> None:
    equation = ag.compile("LSE[X ∘ L]", mode="kernels")
    v = np.ones_like(X)
    first = equation.hvp(v, X=X, L=LOOP, wrt="X")
    engines = equation._evaluator._second_order._last._engines
    made = len(engines)
    assert made >= 1
    np.testing.assert_array_equal(equation.hvp(v, X=X, L=LOOP, wrt="X"), first)
    np.testing.assert_array_equal(equation.hvp(2 * v, X=X, L=LOOP, wrt="X"), 2 * first)
    assert len(engines) == made
    again = pickle.loads(pickle.dumps(equation))
    np.testing.assert_array_equal(again.hvp(v, X=X, L=LOOP, wrt="X"), first)


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vector", "wrt", "fragment"),
    [
        (np.ones(3), "A", "vector for A has shape (3,), dtype float64, but must be real numbers of shape (4,)"),
        (1.0, "A", "shape ()"),
        ([np.ones(4)], "A", "shape (1, 4)"),
        (np.array([1.0, np.nan, 0.0, 0.0]), "A", "vector for A holds a number that is not finite"),
        (np.array([1.0, np.inf, 0.0, 0.0]), "A", "not finite"),
        (np.ones(4, dtype=complex), "A", "complex128"),
        (["a"] * 4, "A", "vector for A"),
        (None, "A", "vector for A"),
        (np.ones(4), None, "vector is a ndarray, but with several inputs in wrt it is a mapping"),
        ({"A": np.ones(4)}, None, "vector has no part for input s"),
        ({"A": np.ones(4), "s": 1.0, "Q": 2.0}, None, "vector has a part for 'Q'"),
        ({"A": np.ones(4), 3: 1.0}, None, "vector has a part for 3"),
        ({"s": np.ones(2)}, ("s",), "vector for s has shape (2,)"),
        (np.ones(4), "Q", "wrt='Q' is not an input"),
    ],
)
def test_vectors_that_do_not_fit(vector: Any, wrt: Any, fragment: str) -> None:
    for mode in MODES:
        with pytest.raises(ag.InputError) as caught:
            ag.compile("LSE[A⟨s⟩]", mode=mode).hvp(vector, A=A, s=1.0, wrt=wrt)
        assert fragment in str(caught.value)


def test_vectors_of_batches_that_do_not_fit() -> None:
    equation = ag.compile("LSE[A ∘ X]")
    batch = {"A": [A, B], "X": np.zeros((2, 2, 2))}
    for vector, wrt, fragment in (
        (np.ones((2, 4)), "A", "must be a list of 2 arrays, one for each item of the batch"),
        ([np.ones(4)], "A", "a list of 1"),
        ([np.ones(4), np.ones(5)], "A", "item 1 of vector for A has shape (5,)"),
        (np.ones((2, 2)), "X", "shape (2, 2, 2)"),
    ):
        with pytest.raises(ag.InputError) as caught:
            equation.hvp(vector, batch, wrt=wrt)
        assert fragment in str(caught.value)


def test_equations_that_have_no_second_derivative() -> None:
    far = A.with_weight(A.weight - 1e9)
    for mode in MODES:
        with pytest.raises(ag.UndefinedError, match="no second derivative can be computed here") as caught:
            ag.compile("KL[A, B]", mode=mode).hvp(np.ones(4), A=far, B=far.with_weight(far.weight + 1.0), wrt="A")
        assert caught.value.place is not None
    with pytest.raises(ag.InputError, match="hvp is a second derivative of a score"):
        ag.compile("A B").hvp(np.ones(4), A=A, B=B, wrt="A")
    for mode in MODES:
        with pytest.raises(ag.DivergenceError, match="LSE diverges: the cycle through state 0 of L"):
            ag.compile("LSE[L]", mode=mode).hvp(np.ones(3), L=LOOP.with_weight([0.5, 0.0, 0.0]), wrt="L")
        with pytest.raises(ag.UndefinedError, match=r"log\[.*\] is undefined"):
            ag.compile("log[LSE[A]]", mode=mode).hvp(np.ones(4), A=A.with_weight([-9.0] * 4), wrt="A")
        with pytest.raises(ag.InputError, match="NaN"):
            ag.compile("LSE[X]", mode=mode).hvp(np.ones((1, 2)), X=np.array([[np.nan, 0.0]]), wrt="X")


# -- operators whose output depends on weights ------------------------------------------------------------------------


def _square(topology: Topology, weights: np.ndarray, parameters: Any, limits: Any) -> Transformed:
    """Weights w become −w²: the direction of one is −2 w v, with the derivatives −2 v and −2 w."""

    def along(direction: np.ndarray) -> Along:
        return Along(-2 * weights * direction, lambda bars: (-2 * direction * bars, -2 * weights * bars))

    return Transformed(topology, -(weights**2), lambda bars: -2 * weights * bars, along=along)


SQUARE = Operator(
    name="square", summary="Has A's paths, weights squared.", category=Category.TRANSFORM, operands=(Type.GRAPH,),
    names=("SQUARE",), transform=_square,
)  # fmt: skip


@pytest.mark.parametrize("mode", [*MODES, "auto"])
def test_directions_go_through_operators_that_say_how(mode: str) -> None:
    rng = np.random.default_rng(1)
    batch = [A, B, A.with_weight([0.5, -0.3, 0.2, 0.1])]
    with registered(SQUARE):
        for text in (
            "LSE[SQUARE[A]]", "LSE[SQUARE[A ∘ S]] × s", "LSE[SQUARE[A⟨LSE[B]⟩] ∘ S] - LSE[B]",
            "LSE[SQUARE[SQUARE[A] B]]",
            "LSE[SQUARE[PATH[A]⟨s⟩]]", "LSE[PATH[SQUARE[A]] + B]", "H[SQUARE[B] + A]", "LSE[SQUARE[B]⟨s⟩ + SQUARE[B]]",
        ):  # fmt: skip
            equation = ag.compile(text, mode=mode)
            for first in (A, batch):
                known = {"A": first, "B": B, "S": SHORT, "s": 0.7}
                assert compare(equation, {n: known[n] for n in equation.inputs}, equation.inputs, rng), text


def test_operators_that_do_not_say_how_are_named() -> None:
    silent = replace(SQUARE, transform=lambda *given: replace(_square(*given), along=None))
    with registered(silent):
        for mode in MODES:
            equation = ag.compile("2 LSE[SQUARE[A] ∘ B]", mode=mode)
            with pytest.raises(ag.UnsupportedError, match="hvp through SQUARE is not implemented yet") as caught:
                equation.hvp(np.ones(4), A=A, B=B, wrt="A")
            assert caught.value.place is not None
            assert equation.value_and_grad(A=A, B=B)[1]["A"].shape == (4,)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["LSE[X] - LSE[X ∘ L]", "logadd[LSE[A], H[B]] × KL[A, B]", "E[X ∘ L, V ∘ L]"])
def test_fused_routines_give_the_same_products(text: str) -> None:
    known = {"A": A, "B": B, "X": X, "V": V, "L": LOOP}
    rng = np.random.default_rng(3)
    fused, kernels = ag.compile(text, mode="fused"), ag.compile(text, mode="kernels")
    given = {name: known[name] for name in fused.inputs}
    assert compare(fused, given, fused.inputs, rng)
    direction = {name: like(part, rng) for name, part in fused.value_and_grad(given)[1].items()}
    one, other = fused.hvp(direction, given), kernels.hvp(direction, given)
    for name in given:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12, atol=1e-13)
