"""ANY: is there a path? Beside MAX of the same graph with small weights, in every shape and tier."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_dense, draw_graph
from support.seeds import for_seeds

import arcgrad as ag

MODES = ("interpret", "kernels", "auto", pytest.param("fused", marks=pytest.mark.slow))
TEXTS = ("ANY[A]", "ANY[A ∘ B]", "ANY[X ∘ A]", "ANY[A ∘ X]", "ANY[A ∘ X ∘ B]", "ANY[X]", "ANY[A + X]", "ANY[A B*]")
LINE = ag.linear([1, 2], [0.5, -1.0])


def lower(graph: ag.Graph) -> ag.Graph:
    """The same arcs with weights none of which gains; those of −inf stay."""
    return graph.with_weight(np.where(np.isfinite(graph.weight), -20.0, -np.inf))


def check(seed: int, mode: str) -> None:
    rng = random.Random(seed)
    style = Style(cycles=rng.choice([0.0, 0.7]), infinite=rng.choice([0.0, 0.4]), epsilon=0.3)
    a, b = (convert(draw_graph(rng, style, acceptor=False)) for _ in range(2))
    a, b = (graph.with_weight(graph.weight + rng.choice([0.0, 3.0, -1e300])) for graph in (a, b))
    x = draw_dense(rng, style, rng.randrange(4)).scores.astype(rng.choice("fd"))
    known = {"A": a, "B": b, "X": x}
    low = {"A": lower(a), "B": lower(b), "X": np.where(np.isfinite(x), -20.0, -np.inf)}
    for text in TEXTS:
        equation = ag.compile(text, mode=mode)
        value = equation({name: known[name] for name in equation.inputs})
        best = ag.compile("MAX" + text[3:], mode="interpret")({name: low[name] for name in equation.inputs})
        assert value == float(best > -math.inf), text


@pytest.mark.parametrize("mode", MODES)
@for_seeds(40)
def test_it_is_one_where_the_best_weight_is_not_minus_infinity(seed: int, mode: str) -> None:
    check(seed, mode)


@pytest.mark.slow
@for_seeds(1000)
def test_it_is_on_many(seed: int) -> None:
    check(seed + 1000, "kernels")


@pytest.mark.parametrize("mode", MODES)
def test_gradients_batches_and_arithmetic(mode: str) -> None:
    none = LINE.with_weight([-np.inf, 0.0])
    values, gradient = ag.compile("2 ANY[A] × LSE[B] - ANY[A ∘ B]", mode=mode).value_and_grad(A=[LINE, none], B=LINE)
    assert values.tolist() == [2 * -0.5 - 1.0, 0.0]
    assert gradient["B"].tolist() == [2.0, 2.0]
    assert [found.tolist() for found in gradient["A"]] == [[0.0, 0.0]] * 2
    x = np.zeros((3, 2, 3))
    x[1, 0] = x[2, 1, 1:] = -np.inf
    assert ag.compile("ANY[X]", mode=mode)(X=x).tolist() == [1.0, 0.0, 1.0]
    assert ag.compile("ANY[X ∘ A]", mode=mode)(X=x, A=LINE).tolist() == [1.0, 0.0, 0.0]
    empty = ag.Graph([], [], [], n_states=0, start=[])
    assert ag.compile("ANY[A]", mode=mode)(A=empty) == 0.0
    assert ag.compile("ANY[X]", mode=mode)(X=np.zeros((0, 0))) == 1.0
    loop = ag.Graph([0, 0], [0, 1], [1, 1], weight=[5.0, 0.0], accept=[1])  # LSE and MAX diverge
    assert ag.compile("ANY[A]", mode=mode)(A=loop) == 1.0
    assert ag.compile("ANY[A]", mode=mode).value_and_grad(A=loop)[1]["A"].tolist() == [0.0, 0.0]
