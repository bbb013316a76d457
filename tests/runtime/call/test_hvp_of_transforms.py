"""Hessian-vector products through operators whose output depends on weights, against differences of gradients."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_graph
from support.seeds import for_seeds

import arcgrad as ag

MODES = ("interpret", "kernels")
STEP = 1e-5
TEXTS = (
    "LSE[rmeps[A] ∘ B]", "LSE[push[A] + B]", "H[push[A, end]]", "LSE[POST[A] + B]", "LSE[POST[A ∘ B]⟨s⟩] × LSE[A]",
    "LSE[det[in[A]]] × s", "LSE[det[in[A]] ∘ in[B]]", "LSE[minimize[det[in[A]]] + B]", "LSE[prune[A, 3] ∘ B]",
    "H[rmeps[A⟨LSE[B]⟩ + B]]", "LSE[push[rmeps[A]] ∘ push[B]]", "MAX[push[A] ∘ B] × LSE[A]", "E[push[A], push[A]]",
)  # fmt: skip


def drawn(seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    style = Style(cycles=0.4, n_states=4, epsilon=0.3)
    graphs = [convert(draw_graph(rng, style, acceptor=False).shift(-1.0)) for _ in range(2)]
    return {"A": graphs[0], "B": graphs[1], "s": rng.gauss(0.0, 1.0)}


def moved(given: dict[str, Any], direction: dict[str, Any], step: float) -> dict[str, Any]:
    return {
        name: value.with_weight(value.weight + step * direction[name])
        if isinstance(value, ag.Graph)
        else value + step * direction[name]
        for name, value in given.items()
    }


def gradient_at(equation: Any, given: dict[str, Any]) -> np.ndarray:
    gradient = equation.value_and_grad(given)[1]
    return np.concatenate([np.ravel(gradient[name]) for name in equation.inputs])


def products(equation: Any, given: dict[str, Any], rng: np.random.Generator) -> bool:
    """Whether the equation has a finite value there, and a gradient that changes slowly enough for differences."""
    value, gradient = equation.value_and_grad(given)
    if not math.isfinite(value):
        return False
    directions = [{n: rng.normal(size=np.shape(g)) for n, g in gradient.items()} for _ in range(2)]
    flat = [np.concatenate([np.ravel(d[name]) for name in equation.inputs]) for d in directions]
    found = [equation.hvp(d, given) for d in directions]
    own = [np.concatenate([np.ravel(f[name]) for name in equation.inputs]) for f in found]
    size = max(1.0, *(float(np.abs(each).max(initial=0.0)) for each in own))
    assert flat[1] @ own[0] == pytest.approx(flat[0] @ own[1], abs=1e-10 * size * len(flat[0]))
    slopes = []
    for step in (STEP, STEP / 3):
        ends = [gradient_at(equation, moved(given, directions[0], sign * step)) for sign in (1.0, -1.0)]
        slopes.append((ends[0] - ends[1]) / (2 * step))
    sure = np.abs(slopes[0] - slopes[1]) <= 1e-6 * np.maximum(1.0, np.abs(slopes[1]))
    assert np.all((np.abs(own[0] - slopes[1]) <= 1e-6 * np.maximum(size, np.abs(slopes[1])))[sure])
    return bool(sure.any())


def check(text: str, mode: str, seed: int) -> bool:
    equation = ag.compile(text, mode=mode)
    given = {name: value for name, value in drawn(seed).items() if name in equation.inputs}
    try:
        return products(equation, given, np.random.default_rng(seed))
    except (ag.DivergenceError, ag.LimitError, ag.UndefinedError):  # det without twins; a step too far; −inf × 0
        return False


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", TEXTS)
def test_products_of_random_graphs(mode: str, text: str) -> None:
    assert sum(check(text, mode, seed) for seed in range(12)) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS)
@for_seeds(100)
def test_products_of_many_random_graphs(text: str, seed: int) -> None:
    check(text, "kernels", 100 + seed)


def test_what_moves_weights_along_paths_changes_no_second_derivative() -> None:
    for seed in range(10):
        given = drawn(seed)
        rng = np.random.default_rng(seed)
        for one, other in (("LSE[push[A] ∘ B]", "LSE[A ∘ B]"), ("LSE[rmeps[A] ∘ B]", "LSE[A ∘ B]")):
            mine = {name: given[name] for name in "AB"}
            direction = {name: rng.normal(size=graph.weight.shape) for name, graph in mine.items()}
            try:
                found, expected = (ag.compile(text).hvp(direction, mine) for text in (one, other))
            except ag.DivergenceError:
                continue
            for name in mine:
                np.testing.assert_allclose(found[name], expected[name], rtol=1e-8, atol=1e-9, err_msg=one)
