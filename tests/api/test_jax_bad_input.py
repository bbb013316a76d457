"""What ``ag.jax`` says to wrong arguments: while a function is traced where shapes show it, else when it runs."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

jax = pytest.importorskip("jax")
jnp = jax.numpy

A = ag.linear([1, 2])
X = np.zeros((2, 3), np.float32)
# XLA's status decides which of them JAX raises.
STOPPED = (jax.errors.JaxRuntimeError, ValueError)
TEXT = "LSE[X ∘ A] * s"


def call(**given: Any) -> Any:
    return ag.jax.compile(TEXT, mode="interpret")({"X": X, "A": A, "s": 1.0} | given)


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "graph value": (lambda: ag.jax.compile("A B"), "value is a score, but this one's is a graph"),
    "whole scores": (lambda: call(X=np.zeros((2, 3), int)), "input X has shape (2, 3), dtype int64, but must be float"),
    "complex scores": (lambda: call(X=jnp.zeros((2, 3), complex)), "dtype complex64, but must be float64, float32"),
    "rank": (lambda: call(X=np.zeros((2, 3, 4, 5))), "must have shape (T, C) or (B, T, C)"),
    "vector": (lambda: call(A=jnp.zeros(2)), "input A is a graph in this equation, so that an array must have shape"),
    "raw handles": (lambda: call(A=jnp.zeros(2, int)), "handles of graphs are given as ag.jax.graphs(…) made them"),
    "number for a graph": (lambda: call(A=3), "input A is a graph in this equation, but an int"),
    "text for a graph": (lambda: call(A="ab"), "input A is a graph in this equation, but"),
    "list of arrays": (lambda: call(X=[X, X]), "give scores as one array (B, T, C)"),
    "empty list": (lambda: call(A=[]), "input A is a list, which here holds graphs, but its first item is missing"),
    "empty batch": (lambda: call(X=np.zeros((0, 2, 3))), "input X is an empty batch"),
    "batches differ": (lambda: call(X=np.zeros((3, 2, 3)), A=[A, A]), "X has 3 items, A has 2 items"),
    "graph for a score": (lambda: call(s=A), "input s is a score in this equation, but"),
    "matrix for a score": (lambda: call(s=np.zeros((2, 2))), "must have shape (), or (B,)"),
    "text for a score": (lambda: call(s="1"), "input s, a score in this equation, must be an array of real numbers"),
    "weights": (lambda: call(A=(A, jnp.zeros(3))), "have shape (3,), dtype float32, but must have shape (2,)"),
    "one row for a batch": (lambda: call(A=([A, A], jnp.zeros(2))), "must have shape (2, n), a row a graph"),
    "rows": (lambda: call(A=([A, A], jnp.zeros((3, 2)))), "but there are 2 graphs"),
    "lengths": (lambda: call(X=(np.zeros((2, 2, 3)), [1.0, 2.0])), "lengths have shape (2,), dtype float"),
    "lengths of another batch": (lambda: call(X=(np.zeros((2, 2, 3)), [1])), "must be integers of shape (2,)"),
    "graphs of two axes": (
        lambda: call(A=jax.tree.map(lambda h: h[None], ag.jax.graphs([A]))),
        "takes one, (), or a batch, (B,)",
    ),
    "no graphs": (lambda: ag.jax.graphs([A, 3]), "item 1 of what ag.jax.graphs is given is an int"),
    "not a list": (lambda: ag.jax.graphs("A"), "takes a graph or a list of graphs"),
    "missing": (lambda: ag.jax.compile(TEXT)(X=X, s=1.0), "missing input: A"),
    "count": (
        lambda: jax.grad(lambda x: ag.jax.compile("COUNT[X ∘ A]", mode="interpret")(X=x, A=A))(X),
        "this equation counts, and a count has none",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_refused_at_once(case: str) -> None:
    run, message = BAD[case]
    with pytest.raises(ag.InputError, match=re.escape(message)):
        run()


def test_a_third_derivative_is_refused() -> None:
    function = ag.jax.compile("LSE[X ∘ A]", mode="interpret")
    with pytest.raises(ag.UnsupportedError, match="a third derivative"):
        jax.jacfwd(jax.hessian(lambda x: function(X=x, A=A)))(X)


# What numbers alone show.
LATER: dict[str, tuple[Callable[[], Any], str]] = {
    "NaN": (lambda: call(X=np.full((2, 3), np.nan)), "input X"),
    "undefined": (lambda: call(s=0.0, X=np.full((2, 3), -np.inf)), "UndefinedError"),
    "NaN weight": (lambda: call(A=(A, jnp.array([0.0, jnp.nan]))), "the weights of input A"),
    "label": (lambda: call(A=ag.linear([7])), "label 7"),
    "length": (lambda: call(X=(X, 3)), "lengths go from 0 to 2"),
    "too few weights": (lambda: call(A=([A, A], jnp.zeros((2, 1)))), "the weights of item 0 of input A have 1 entries"),
    "divergence": (lambda: ag.jax.compile("LSE[A*]", mode="interpret")(A=A), "DivergenceError"),
}


@pytest.mark.parametrize("case", LATER)
def test_refused_when_it_runs(case: str) -> None:
    run, message = LATER[case]
    with pytest.raises(STOPPED, match=re.escape(message)):
        jax.block_until_ready(run())


def test_a_stale_handle_says_so() -> None:
    step = jax.jit(lambda targets: ag.jax.compile("LSE[A]", mode="interpret")(A=targets))
    fresh = ag.jax.graphs(ag.linear([1], [0.5]))
    assert step(fresh) == 0.5
    handles = fresh.handles
    del fresh
    gc.collect()
    assert step(ag.jax.Graphs(handles)) == 0.5  # one of the latest
    ag.cache.clear()
    gc.collect()
    with pytest.raises(STOPPED, match="stands for no graph of this process, or for none any more"):
        jax.block_until_ready(step(ag.jax.Graphs(handles)))


def test_a_graph_that_was_traced_as_a_constant_stays() -> None:
    def make() -> Any:
        graph = ag.linear([1], [0.5])
        return jax.jit(lambda s: ag.jax.compile("LSE[A] * s", mode="interpret")(A=graph, s=s)).lower(1.0).compile()

    step = make()
    gc.collect()
    ag.cache.clear()
    gc.collect()
    assert step(2.0) == 1.0
