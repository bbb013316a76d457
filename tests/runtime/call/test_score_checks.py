"""Large batches of scores are looked at slice by slice, just before a routine reads them: nothing bad gets through."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data import score_checks
from arcgrad.runtime.data.inputs import bind

MODES = ("fused", "kernels", "interpret", "auto")
EQUATIONS = (
    "LSE[X] - LSE[X ∘ Y]",
    "LSE[X ∘ Y]",
    "MAX[X ∘ Y]",
    "0 LSE[X]",
    "LSE[Y] + exp[LSE[X] - LSE[X]]",
    "LSE[X] - LSE[Y X]",  # X is built, too
    "X ∘ Y",
    "Y⟨LSE[X]⟩",
    "LSE[PATH[X ∘ Y]] - LSE[X]",
    "LSE[PATH[Y⟨LSE[X]⟩]]",  # prepared with the scores
)
NEGATIVE_NAN = np.copysign(np.nan, -1.0)


@pytest.fixture(autouse=True)
def _every_batch_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_checks, "_MANY_SCORES", 1)


def scores(dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(4, 3, 5)).astype(dtype)


def target() -> ag.Graph:
    return ag.Graph([0, 0, 1], [0, 1, 1], [1, 2, 1], accept=[1])


def call(equation: ag.Equation, x: Any, gradient: bool) -> Any:
    names = equation.inputs
    given = {"X": x, "Y": [target() for _ in range(len(x))]}
    own = {name: given[name] for name in names}
    return equation.value_and_grad(own) if gradient else equation(own)


@pytest.mark.parametrize("text", EQUATIONS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gradient", [True, False])
def test_bad_scores_are_named_whatever_reads_them(text: str, mode: Any, gradient: bool) -> None:
    equation = ag.compile(text, mode=mode)
    for bad in (np.nan, NEGATIVE_NAN, np.inf, 1.1e300):
        x = scores()
        x[2, 1, 0] = bad
        message = f"input X[2, 1, 0] is {x[2, 1, 0]} (shape (4, 3, 5), dtype float64)"
        with pytest.raises(InputError, match=re.escape(message)):
            call(equation, x, gradient)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", MODES)
def test_bad_scores_are_found_in_any_place(dtype: Any, mode: Any) -> None:
    equation = ag.compile(EQUATIONS[0], mode=mode)
    for bad in (np.nan, NEGATIVE_NAN, np.inf):
        for place in [(0, 0, 0), (0, 2, 4), (3, 0, 0), (3, 2, 4), (1, 1, 3)]:
            x = scores(dtype)
            x[place] = bad
            for gradient in (True, False):
                with pytest.raises(InputError, match=re.escape(f"input X[{', '.join(map(str, place))}] is")):
                    call(equation, x, gradient)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_first_bad_score_of_all_slices_is_named(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCGRAD_THREADS", threads)
    monkeypatch.setattr("arcgrad.runtime.call.prepared.SLICING_THRESHOLD", 0.0)
    monkeypatch.setattr("arcgrad.runtime.threads.PARALLEL_THRESHOLD", 0.0)
    equation = ag.compile(EQUATIONS[0], mode="fused")
    x = scores()
    good, _ = call(equation, x, True)
    for _ in range(20):
        bad = x.copy()
        bad[1:, 2, 2] = np.nan
        with pytest.raises(InputError, match=re.escape("input X[1, 2, 2] is nan")):
            call(equation, bad, True)
    again, _ = call(equation, x, True)
    assert again.tolist() == good.tolist()


def test_steps_past_the_lengths_may_hold_anything() -> None:
    x = scores()
    x[1, 2] = np.nan
    x[3, 1:] = np.inf
    cut = np.where(np.isfinite(x), x, 0.0)
    lengths = [3, 2, 3, 1]
    for mode in MODES:
        equation = ag.compile(EQUATIONS[0], mode=mode)
        y = [target() for _ in range(4)]
        value, gradient = equation.value_and_grad(X=ag.dense(x, lengths), Y=y)
        expected, expected_gradient = equation.value_and_grad(X=ag.dense(cut, lengths), Y=y)
        np.testing.assert_array_equal(value, expected)
        np.testing.assert_array_equal(gradient["X"], expected_gradient["X"])
        with pytest.raises(InputError, match=re.escape("scores[0, 1, 0] is nan")):
            ag.dense(np.where(np.arange(3)[:, None] == 1, np.nan, x), lengths)


def test_an_item_that_fails_hides_no_bad_score() -> None:
    """Item 0 has no value before X is read, and item 1 has a bad score."""
    for mode in MODES:
        equation = ag.compile("log[0 + w] + LSE[X]", mode=mode)
        x = scores()
        with pytest.raises(ag.UndefinedError):
            equation(w=np.array([-1.0, 1.0, 1.0, 1.0]), X=x)
        x[1, 0, 0] = np.nan
        with pytest.raises(InputError, match=re.escape("input X[1, 0, 0] is nan")):
            equation(w=np.array([-1.0, 1.0, 1.0, 1.0]), X=x)


def test_every_other_use_of_the_inputs_looks_at_once() -> None:
    equation = ag.compile("LSE[X]")
    x = scores()
    x[0, 0, 0] = np.nan
    for use in (equation.explain, equation.source, equation.trace, equation.check_grad):
        with pytest.raises(InputError, match=re.escape("input X[0, 0, 0] is nan")):
            use(X=x)
    with pytest.raises(InputError, match="input X"):
        ag.warmup("LSE[X]", X=x)


def test_what_is_left_unchecked() -> None:
    from arcgrad.compiler.types import Type

    types = {"X": Type.GRAPH}
    bad = np.full((2, 3, 4), np.nan)
    found = bind(types, {"X": bad}, defer=True)
    assert list(found.waiting.inputs) == ["X"]
    found.waiting.check(but=("X", "Z"))
    with pytest.raises(InputError, match=re.escape("input X[0, 0, 0] is nan")):
        found.waiting.check()
    for given in (bad, bad[0], list(bad)):  # where nobody defers; one dense input for all; a list
        for defer in (False, True)[: 1 + (given is not bad)]:
            with pytest.raises(InputError, match="nan"):
                bind(types, {"X": given}, defer=defer)
    good = bind(types, {"X": np.zeros((2, 3, 4))}, defer=True)
    good.waiting.check()
    assert not good.waiting.inputs
    assert not bind(types, {"X": ag.dense(np.zeros((2, 3, 4)))}, defer=True).waiting.inputs


def test_small_batches_are_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from arcgrad.compiler.types import Type

    monkeypatch.setattr(score_checks, "_MANY_SCORES", 25)
    with pytest.raises(InputError, match="nan"):
        bind({"X": Type.GRAPH}, {"X": np.full((2, 3, 4), np.nan)}, defer=True)
