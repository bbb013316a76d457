"""Equations in which a dense input occurs in several regions, whose gradients meet in the same memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime.call import execute

LOOP = ag.Graph([0, 1, 1], [1, 1, 2], [0, 1, 0], weight=[-1.0, -0.7, -0.2], start=[0], accept=[1, 2])
FAN = ag.Graph([0, 0, 1, 1], [1, 1, 0, 1], [2, 1, 0, 2], weight=[0.3, -0.5, 0.1, -1.0], start=[0, 1], accept=[0, 1])
RENAMING = ag.Graph([0, 0, 1], [0, 1, 1], [0, 1, 2], [1, 0, 2], weight=[0.1, -0.2, 0.3], start=[0], accept=[0, 1])

LINEAR = [
    "LSE[X] - LSE[A ∘ X] + MAX[X]",
    "LSE[A ∘ X] - LSE[B ∘ X] + 2 LSE[X] + MIN[X]",
    "LSE[A ∘ X] + LSE[X ∘ B] - MAX[A ∘ X]",
    "w LSE[X] - LSE[R ∘ X] - LSE[X ∘ R]",
]
OTHERS = [
    "LSE[X] × LSE[A ∘ X]",
    "exp[LSE[A ∘ X] - LSE[X]] + LSE[X]",
    "log[exp[LSE[X] / 9] + 1] × MAX[X] - LSE[B ∘ X]",
    "logadd[LSE[A ∘ X], LSE[X]] - max[MAX[X], MAX[B ∘ X]]",
    "LSE[A⟨LSE[X]⟩] - LSE[X]",
    "LSE[X] × LSE[X] / (3 + exp[w])",
    "COUNT[A ∘ X] + LSE[X] / COUNT[B ∘ X]",
    "KEPT[P] = LSE[P ∘ X] - LSE[X]\nKEPT[A] × 0.5 - KEPT[B]",
]
SEVERAL = ["LSE[X] - LSE[A ∘ X] + LSE[B ∘ Y] - 2 LSE[Y]", "LSE[X] - exp[LSE[Y] / 9] + LSE[X ∘ A ∘ Y]"]


def given_for(text: str, batch: str, dtype: type = np.float64) -> dict[str, Any]:
    """Inputs: dense ones padded, ragged, without a batch, or shared beside a batch of graphs."""
    rng = np.random.default_rng(len(text))
    if batch == "padded":
        x: Any = ag.dense(rng.normal(size=(3, 5, 3)).astype(dtype), [5, 2, 3])
    elif batch == "ragged":
        x = [rng.normal(size=(n, 3)).astype(dtype) for n in (2, 5, 3)]
    else:
        x = rng.normal(size=(4, 3)).astype(dtype)
    graphs = [FAN, LOOP, FAN] if batch == "beside" else FAN
    y = rng.normal(size=(3, 4, 3)) if batch in ("padded", "ragged") else rng.normal(size=(4, 3))
    every = {"X": x, "Y": y, "A": LOOP, "B": graphs, "R": RENAMING, "w": 0.75}
    return {name: every[name] for name in ag.compile(text).inputs}


def parts(gradient: Any) -> list[np.ndarray]:
    return [np.asarray(g) for g in (gradient if isinstance(gradient, list) else [gradient])]


def check(text: str, mode: str, given: dict[str, Any], tolerance: float = 1e-11, **options: Any) -> None:
    """The interpreter's values and gradients, for all inputs and for one after the other."""
    equation, oracle = ag.compile(text, mode=mode), ag.compile(text, mode="interpret")
    value, right = oracle.value_and_grad(given, **options)
    for wrt in [None, *right]:
        found, gradient = equation.value_and_grad(given, wrt=wrt, **options)
        np.testing.assert_allclose(found, value, rtol=tolerance)
        assert list(gradient) == (list(right) if wrt is None else [wrt])
        for name, each in gradient.items():
            for one, other in zip(parts(each), parts(right[name]), strict=True):
                np.testing.assert_allclose(
                    one, other, rtol=100 * tolerance, atol=tolerance, err_msg=f"{text} by {name}"
                )


@pytest.mark.parametrize("batch", ["single", "padded", "ragged", "beside"])
@pytest.mark.parametrize("text", [*LINEAR, *OTHERS, *SEVERAL])
def test_kernels(text: str, batch: str) -> None:
    check(text, "kernels", given_for(text, batch))


@pytest.mark.parametrize("text", [*LINEAR[:2], *OTHERS[:2], SEVERAL[0]])
def test_fused_routines(text: str) -> None:
    for batch in ("single", "padded", "ragged", "beside"):
        check(text, "fused", given_for(text, batch))


@pytest.mark.parametrize("text", [*LINEAR, *OTHERS[:2]])
def test_float32(text: str) -> None:
    for batch in ("padded", "beside"):
        check(text, "kernels", given_for(text, batch, np.float32), 3e-6)


@pytest.mark.parametrize("text", [*LINEAR[:2], OTHERS[0], SEVERAL[0]])
def test_cotangents(text: str) -> None:
    given = given_for(text, "padded")
    for cotangent in (np.array([0.0, -2.0, 1e-3]), 3.0, np.zeros(3)):
        check(text, "kernels", given, cotangent=cotangent)


@pytest.mark.parametrize("mode", ["kernels", "fused"])
def test_columns_and_frames_without_a_path(mode: str) -> None:
    """−inf in some columns, in all of a frame, everywhere: a gradient is zero there, never NaN."""
    x = np.random.default_rng(0).normal(size=(4, 3, 3))
    x[0, :, 2] = -np.inf
    x[1, 1] = -np.inf
    x[2] = -np.inf
    for text in ("LSE[X]", "logadd[LSE[X], LSE[A ∘ X]]", "max[LSE[X], MAX[A ∘ X]] + 2"):
        given = {"X": x, "A": LOOP} if "A" in text else {"X": x}
        check(text, mode, given)
        gradient = ag.compile(text, mode=mode).value_and_grad(given)[1]["X"]
        assert np.isfinite(gradient).all()
        assert not gradient[1:3].any()
        assert gradient[0].any()


def test_a_gradient_does_not_depend_on_what_memory_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fresh memory is filled with NaN here."""
    taken = []

    def rubbish(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        taken.append(shape)
        return np.full(shape, np.nan, dtype)

    monkeypatch.setattr(execute, "empty_array", rubbish)
    for text in [*LINEAR, *OTHERS, *SEVERAL]:
        for batch in ("padded", "ragged"):
            check(text, "kernels", given_for(text, batch))
    assert taken
