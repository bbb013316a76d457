"""``value_and_grad(out=…)``: arrays that take gradients, whatever was in them, in every mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arcgrad as ag

MODES = ["interpret", "kernels", "fused", "auto"]
LOOP = ag.Graph([0, 1, 1], [1, 1, 2], [0, 1, 0], weight=[-1.0, -0.7, -0.2], start=[0], accept=[1, 2])
TIED = ag.Graph([0, 0, 1], [1, 1, 2], [0, 1, 2], weight=[-1.0, 0.5], tie=[1, 0, 1], start=[0], accept=[2])
CTC = "LSE[X] - LSE[A ∘ X]"
LENGTHS = [4, 2, 0, 1]  # a loop needs a frame: item 2 has no path


def scores(shape: tuple[int, ...], dtype: type = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def rubbish(shape: tuple[int, ...], dtype: type = np.float64) -> np.ndarray:
    """What memory may hold: NaN, infinities, large numbers."""
    return np.resize(np.array([np.nan, np.inf, 1e30, -np.inf]), shape).astype(dtype)


def check(text: str, mode: str, out: dict[str, np.ndarray], **given: Any) -> dict[str, Any]:
    """The gradients stand in ``out`` and are those of the interpreter; so are the others."""
    expected, right = ag.compile(text, mode="interpret").value_and_grad(given)
    value, found = ag.compile(text, mode=mode).value_and_grad(given, out=out)
    single = any(array.dtype == np.float32 for array in out.values())
    np.testing.assert_allclose(value, expected, rtol=1e-6 if single else 1e-12)
    assert found.keys() == right.keys()
    for name, gradient in right.items():
        if name in out:
            assert found[name] is out[name]
        for one, other in zip(*(g if isinstance(g, list) else [g] for g in (found[name], gradient)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6 if single else 1e-12)
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_padded_batch_is_written_and_its_padding_is_zero(mode: str, dtype: type) -> None:
    x = ag.dense(scores((4, 4, 2), dtype), LENGTHS)
    for text in (CTC, "LSE[X]", "LSE[A ∘ X]"):
        given = {"A": LOOP, "X": x} if "A" in text else {"X": x}
        if text == CTC:  # without a path the score is infinite: differences are undefined only where both are
            given["X"] = ag.dense(scores((4, 4, 2), dtype), [4, 2, 3, 1])
        out = rubbish((4, 4, 2), dtype)
        check(text, mode, {"X": out}, **given)
        for item, length in enumerate(given["X"].lengths):
            assert not out[item, length:].any()


@pytest.mark.parametrize("mode", MODES)
def test_steps_reuse_one_array(mode: str) -> None:
    equation, oracle = ag.compile(CTC, mode=mode), ag.compile(CTC, mode="interpret")
    out = rubbish((3, 4, 2))
    for step, lengths in enumerate([[4, 4, 4], [1, 4, 2], [4, 1, 3]]):
        x = ag.dense(scores((3, 4, 2), seed=step), lengths)
        kept = equation.value_and_grad(A=LOOP, X=x, out={"X": out})[1]["X"]
        assert kept is out
        np.testing.assert_allclose(out, oracle.value_and_grad(A=LOOP, X=x)[1]["X"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_shared_inputs_and_graphs_take_arrays_too(mode: str) -> None:
    shared = {"A": [LOOP, TIED, LOOP], "X": scores((3, 3))}
    check("LSE[A ∘ X] - LSE[X]", mode, {"X": rubbish((3, 3))}, **shared)
    check("LSE[A ∘ X]", mode, {"X": rubbish((3, 3)), "A": rubbish((2,))}, A=TIED, X=scores((3, 3)))
    check("LSE[A ∘ X]", mode, {"A": rubbish((3,))}, A=LOOP, X=scores((2, 3, 3)))
    check("LSE[A] + MAX[B]", mode, {"B": rubbish((2,))}, A=LOOP, B=ag.linear([1, 2]))


@pytest.mark.parametrize("mode", MODES)
def test_only_some_gradients_are_wanted(mode: str) -> None:
    x, out = scores((2, 3, 2)), rubbish((2, 3, 2))
    value, found = ag.compile(CTC, mode=mode).value_and_grad(A=LOOP, X=x, wrt="X", out={"X": out})
    assert list(found) == ["X"]
    right = ag.compile(CTC, mode="interpret").value_and_grad(A=LOOP, X=x)
    np.testing.assert_allclose(value, right[0], rtol=1e-12)
    np.testing.assert_allclose(out, right[1]["X"], rtol=1e-9, atol=1e-12)
    # Not differentiated with respect to X: nothing is written.
    kept = out.copy()
    ag.compile(CTC, mode=mode).value_and_grad(A=LOOP, X=x, wrt="A")
    np.testing.assert_array_equal(out, kept)


@pytest.mark.parametrize("mode", MODES)
def test_graph_valued_equations_and_cotangents(mode: str) -> None:
    x, out = scores((2, 3, 3)), rubbish((2, 3, 3))
    cotangent = [np.arange(9.0), np.ones(9)]
    found = ag.compile("rev[X]", mode=mode).value_and_grad(X=x, cotangent=cotangent, out={"X": out})[1]
    assert found["X"] is out
    np.testing.assert_array_equal(out.reshape(2, 9), cotangent)
    padded, out = ag.dense(x, [3, 1]), rubbish((2, 3, 3))
    ag.compile("rev[X]", mode=mode).value_and_grad(X=padded, out={"X": out})
    assert out.sum(axis=(1, 2)).tolist() == [9.0, 3.0]
    assert not out[1, 1:].any()
    batch = rubbish((2, 3, 2))
    ag.compile(CTC, mode=mode).value_and_grad(A=LOOP, X=scores((2, 3, 2)), cotangent=[0.0, 2.0], out={"X": batch})
    right = ag.compile(CTC, mode="interpret").value_and_grad(A=LOOP, X=scores((2, 3, 2)))[1]["X"]
    np.testing.assert_allclose(batch, [0 * right[0], 2 * right[1]], rtol=1e-9, atol=1e-12)


def test_edges() -> None:
    for mode in MODES[:2]:
        for shape in [(0, 4, 2), (2, 0, 2), (1, 1, 2), (0, 2)]:
            check("LSE[X]", mode, {"X": rubbish(shape)}, X=scores(shape))
        dead = np.full((2, 3, 2), -np.inf)
        check("LSE[X]", mode, {"X": rubbish((2, 3, 2))}, X=dead)
        check("MAX[X]", mode, {"X": rubbish((2, 3, 2))}, X=dead)
        check("LSE[A ∘ X]", mode, {"X": rubbish((2, 3, 2))}, A=LOOP, X=dead)
        built = ag.Graph([0, 1], [1, 0], [-1, 1], weight=[-1.0, -1.0], start=[0], accept=[0, 1])
        check("LSE[X* ∘ A]", mode, {"X": rubbish((2, 2, 2))}, A=built, X=scores((2, 2, 2)) - 3)  # X is built


def test_any_spelling_of_a_name() -> None:
    x, out = scores((2, 3)), rubbish((2, 3))
    found = ag.compile("LSE[X_1]").value_and_grad(X1=x, out={r"\mathcal{X}_1": out})[1]
    assert found["X₁"] is out
    assert np.isfinite(out).all()


# -- batches of which one item fails ----------------------------------------------------------------------------------

MANY = ag.Graph(np.repeat(np.arange(30), 2), np.repeat(np.arange(30), 2) + 1, [0, 1] * 30, start=[0], accept=[30])
"""2^30 paths: their number squared is more than a float64 tells from its neighbours."""


@pytest.mark.parametrize("mode", ["kernels", "fused"])
@pytest.mark.parametrize("many", [0, 1, 2])
@pytest.mark.parametrize(
    "text",
    [
        "LSE[X] - LSE[A ∘ X] + exp[0 - COUNT[B] COUNT[B]]",
        "exp[0 - COUNT[B] COUNT[B]] + LSE[A ∘ X] - LSE[X]",
        "exp[LSE[X]] + LSE[A ∘ X] / (COUNT[B] COUNT[B])",
    ],
)
def test_an_item_that_the_interpreter_answers(mode: str, many: int, text: str) -> None:
    batch = [LOOP] * 3
    batch[many] = MANY
    x = ag.dense(scores((3, 4, 2)), [4, 3, 2])
    out, given = rubbish((3, 4, 2)), {"A": LOOP, "B": batch, "X": x}
    oracle, right = ag.compile(text, mode="interpret").value_and_grad(given, wrt=("A", "X"))
    for taking in ({"X": out}, {"X": out}, None):
        value, found = ag.compile(text, mode=mode).value_and_grad(given, wrt=("A", "X"), out=taking)
        np.testing.assert_allclose(value, oracle, rtol=1e-12)
        np.testing.assert_allclose(found["X"], right["X"], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found["A"], right["A"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_after_an_error_the_array_serves_the_next_step(mode: str) -> None:
    text = "log[LSE[A ∘ X] + w] - LSE[X]"
    x, out = np.abs(scores((3, 2, 2))) + 2.0, rubbish((3, 2, 2))
    equation = ag.compile(text, mode=mode)
    with pytest.raises(ag.UndefinedError, match="item 1 of the batch"):
        equation.value_and_grad(A=LOOP, X=x, w=np.array([0.0, -100.0, 0.0]), wrt="X", out={"X": out})
    found = equation.value_and_grad(A=LOOP, X=x, w=np.zeros(3), wrt="X", out={"X": out})[1]["X"]
    assert found is out
    right = ag.compile(text, mode="interpret").value_and_grad(A=LOOP, X=x, w=np.zeros(3))[1]["X"]
    np.testing.assert_allclose(out, right, rtol=1e-9, atol=1e-12)


# -- what is no array for a gradient ----------------------------------------------------------------------------------

X = scores((2, 3, 2))
WRITABLE = np.zeros((2, 3, 2))
FROZEN = np.zeros((2, 3, 2))
FROZEN.flags.writeable = False


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
@pytest.mark.parametrize(
    ("out", "message"),
    [
        ([WRITABLE], "out is a mapping from names of inputs to arrays, not a list"),
        ({"Y": WRITABLE}, "out has an array for 'Y', but the gradient is taken by w, A, X"),
        ({7: WRITABLE}, "out has an array for 7"),
        ({"X +": WRITABLE}, "out has an array for 'X \\+'"),
        ({"": WRITABLE}, "out has an array for ''"),
        ({"w": np.zeros(2)}, "out takes no gradient with respect to w, which is not one array"),
        (
            {"X": WRITABLE[:1]},
            r"out for X has shape \(1, 3, 2\).* must be an array of shape \(2, 3, 2\), dtype float64",
        ),
        ({"X": WRITABLE.astype(np.float32)}, "out for X has .*float32.* must be an array of shape"),
        ({"X": WRITABLE.tolist()}, "out for X has type list, but must be"),
        ({"X": None}, "out for X has type NoneType"),
        ({"X": np.zeros((2, 2, 3)).transpose(0, 2, 1)}, "out for X must be C-contiguous and writable"),
        ({"X": FROZEN}, "out for X must be C-contiguous and writable"),
        ({"X": X}, "out for X shares memory with input X"),
        ({"A": np.zeros(4)}, r"out for A has shape \(4,\).* must be an array of shape \(3,\)"),
        ({"X": WRITABLE, "A": WRITABLE.reshape(-1)[:3]}, "out for A shares memory with another array in out"),
    ],
)
def test_what_is_refused(mode: str, out: Any, message: str) -> None:
    before = X.copy()
    with pytest.raises(ag.InputError, match=message):
        ag.compile("w × LSE[A ∘ X]", mode=mode).value_and_grad(A=LOOP, X=X, w=np.ones(2), out=out)
    np.testing.assert_array_equal(X, before)
    assert not WRITABLE.any()


def test_what_else_is_refused() -> None:
    equation = ag.compile("w × LSE[A ∘ X]", mode="kernels")
    with pytest.raises(ag.InputError, match="out has an array for 'X', but the gradient is taken by A"):
        equation.value_and_grad(A=LOOP, X=X, w=1.0, wrt="A", out={"X": WRITABLE})
    with pytest.raises(ag.InputError, match="the gradient is taken by nothing"):
        ag.compile("COUNT[relabel[A, m]]").value_and_grad(A=LOOP, m={0: 1}, wrt=(), out={"A": np.zeros(3)})
    with pytest.raises(ag.InputError, match="out takes no gradient with respect to X, which is not one array"):
        equation.value_and_grad(A=LOOP, X=list(X), w=1.0, out={"X": WRITABLE})
    with pytest.raises(ag.InputError, match="out takes no gradient with respect to A, which is not one array"):
        equation.value_and_grad(A=[LOOP, LOOP], X=X, w=1.0, out={"A": np.zeros(3)})
    with pytest.raises(ag.InputError, match="two spellings of one input, X1"):
        ag.compile("LSE[X1]").value_and_grad(X1=X, out={"X1": WRITABLE, "X₁": WRITABLE.copy()})
    assert not WRITABLE.any()


def test_a_score_may_lie_in_the_memory_that_is_written() -> None:
    """Its numbers are copied before: also the interpreter, when it answers an item in the end, finds them."""
    memory = rubbish((2, 3, 2))
    memory[0, 0] = w = [1.5, -2.0]
    check("w × LSE[A ∘ X] - exp[0 - COUNT[B] COUNT[B]]", "kernels", {}, A=LOOP, B=MANY, X=X, w=np.array(w))
    given = {"A": LOOP, "B": MANY, "X": X}
    text = "w × LSE[A ∘ X] - exp[0 - COUNT[B] COUNT[B]]"
    right = ag.compile(text, mode="interpret").value_and_grad(given, w=np.array(w), wrt="X")[1]["X"]
    ag.compile(text, mode="kernels").value_and_grad(given, w=memory[0, 0], wrt="X", out={"X": memory})
    np.testing.assert_allclose(memory, right, rtol=1e-9, atol=1e-12)
