"""``ag.jax.compile``: values and derivatives against arcgrad's own and finite differences, transformed in every way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

jax = pytest.importorskip("jax")
jnp = jax.numpy
_evaluate = pytest.importorskip("arcgrad.jax.functions")._evaluate
check_grads = pytest.importorskip("jax.test_util").check_grads

WIDE = ag.graphs.alignments([1, 2])
LONG = ag.graphs.alignments([2, 2])
BATCH = ag.graphs.alignments([[1, 2], [2], [3, 3]])
# Nothing has to be compiled; test_jax_foreign has routines.
MODE = "interpret"
LOSS = "s * LSE[X] - LSE[X ∘ A]"


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """With 64 bits, except where a test says otherwise."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed + 100 * sum(shape)).normal(size=shape)


# Each takes arrays and returns the inputs, for JAX; then the same for the equation; then the arrays' shapes.
FORMS: dict[str, tuple[Any, Any, list[tuple[int, ...]]]] = {
    "one of each": (
        lambda x, w, s: {"X": x, "A": (WIDE, w), "s": s},
        lambda x, w, s: {"X": x, "A": WIDE.with_weight(w), "s": s},
        [(4, 3), (WIDE.n_arcs,), ()],
    ),
    "batch": (
        lambda x, w, s: {"X": (x, np.array([4, 3])), "A": ([WIDE, LONG], w), "s": s},
        lambda x, w, s: {"X": ag.dense(x, [4, 3]), "A": [WIDE.with_weight(w[0]), LONG.with_weight(w[1, :-1])], "s": s},
        [(2, 4, 3), (2, WIDE.n_arcs), (2,)],
    ),
    "shared": (
        lambda x, w, s: {"X": (x, 3), "A": (WIDE, w), "s": s},
        lambda x, w, s: {"X": ag.dense(x, 3), "A": WIDE.with_weight(w), "s": s},
        [(4, 3), (WIDE.n_arcs,), (2,)],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_values_and_derivatives(form: str) -> None:
    """Values against the equation's, both derivatives against finite differences, in both modes."""
    give, give_equation, shapes = FORMS[form]
    function, equation = ag.jax.compile(LOSS, mode=MODE), ag.compile(LOSS, mode=MODE)
    arrays = [random(*shape, seed=k) - 3.0 for k, shape in enumerate(shapes)]
    found = function(give(*arrays))
    np.testing.assert_array_equal(found, equation(give_equation(*arrays)))
    assert found.dtype == np.float64
    scale = random(*found.shape, seed=7)

    def total(*given: Any) -> Any:
        return (function(give(*given)) * scale).sum()

    check_grads(total, arrays, order=2, modes=("fwd", "rev"), atol=1e-5, rtol=1e-5)


def test_new_targets_do_not_trace_again() -> None:
    """Neither as an argument of a function of the user's, nor of one that runs at once."""
    traced = []
    loss = ag.jax.compile("LSE[X] - LSE[X ∘ A]", mode=MODE)
    equation = ag.compile("LSE[X] - LSE[X ∘ A]", mode=MODE)

    @jax.jit
    def step(x: Any, targets: Any) -> Any:
        traced.append(1)
        return jax.value_and_grad(lambda x: loss(X=x, A=targets).sum())(x)

    for seed in range(4):
        targets = ag.graphs.alignments(np.random.default_rng(seed).integers(1, 3, size=(3, 2)))
        x = random(3, 5, 4, seed=seed)
        value, gradient = step(x, ag.jax.graphs(targets))
        values, expected = equation.value_and_grad(X=x, A=targets, wrt="X")
        np.testing.assert_allclose(value, values.sum(), rtol=1e-14)
        np.testing.assert_array_equal(gradient, expected["X"])
    assert traced == [1]
    before = _evaluate._cache_size()
    for seed in range(4):
        loss(X=random(3, 5, 4, seed=seed), A=ag.graphs.alignments(np.full((3, 2), 1 + seed % 2)))
    assert _evaluate._cache_size() - before <= 1


def test_vmap_and_scan_go_over_every_kind_of_input() -> None:
    function = ag.jax.compile(LOSS, mode=MODE)
    x, w, s = random(3, 5, 4), random(3, 20), random(3)
    targets = ag.jax.graphs(BATCH)
    lengths = np.array([5, 4, 5])
    expected = function(X=(x, lengths), A=(targets, w), s=s)

    def one(x: Any, n: Any, graph: Any, w: Any, s: Any) -> Any:
        return function(X=(x, n), A=(graph, w), s=s)

    def gradients(*given: Any) -> Any:
        return jax.grad(lambda x, w, s: one(x, given[1], given[2], w, s), argnums=(0, 1, 2))(given[0], *given[3:])

    given = x, lengths, targets, w, s
    np.testing.assert_array_equal(jax.vmap(one)(*given), expected)
    np.testing.assert_array_equal(jax.lax.map(lambda each: one(*each), given), expected)
    together = jax.jit(jax.vmap(gradients))(*given)
    _, apart = jax.lax.scan(lambda carry, each: (carry, gradients(*each)), 0.0, given)
    jax.tree.map(np.testing.assert_array_equal, together, apart)
    _, expected_gradients = ag.compile(LOSS, mode=MODE).value_and_grad(
        X=ag.dense(x, lengths), A=[g.with_weight(row[: g.n_arcs]) for g, row in zip(BATCH, w, strict=True)], s=s
    )
    np.testing.assert_array_equal(together[0], expected_gradients["X"])
    np.testing.assert_array_equal(together[2], expected_gradients["s"])
    for row, part in zip(together[1], expected_gradients["A"], strict=True):
        np.testing.assert_array_equal(row[: len(part)], part)
        assert not row[len(part) :].any()
    # A batch within a batch, with a graph, a length and a number that all share.
    deep = jax.vmap(lambda x: function(X=(x, lengths), A=WIDE, s=0.5))(np.stack([x, x + 1.0]))
    np.testing.assert_array_equal(deep[1], function(X=(x + 1.0, lengths), A=WIDE, s=0.5))
    hessians = jax.vmap(jax.hessian(one), in_axes=(0, 0, 0, 0, None))(*given[:4], 0.5)
    np.testing.assert_allclose(hessians[1], jax.hessian(one)(x[1], 4, targets[1], w[1], 0.5), atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_sums_are_in_float64_and_gradients_in_the_dtype(dtype: str) -> None:
    function = ag.jax.compile("LSE[X ∘ A]", mode=MODE)
    with jax.enable_x64(False):
        x = jnp.asarray(random(6, 3), dtype)
        value, gradient = jax.jit(jax.value_and_grad(lambda x: function(X=x, A=WIDE)))(x)
    exact = np.asarray(x.astype(np.float32), np.float64)
    expected, found = ag.compile("LSE[X ∘ A]", mode=MODE).value_and_grad(X=exact, A=WIDE, wrt="X")
    assert (value.dtype, gradient.dtype) == (np.float32, x.dtype)
    np.testing.assert_allclose(value, expected, rtol=1e-7)
    np.testing.assert_allclose(gradient.astype(np.float64), found["X"], rtol=float(jnp.finfo(dtype).eps))


def test_values_at_the_edges_have_zero_gradients() -> None:
    function = ag.jax.compile("LSE[X ∘ A]", mode=MODE)
    value, gradient = jax.value_and_grad(lambda x: function(X=x, A=WIDE))(np.zeros((1, 3)))
    assert value == -np.inf
    assert not gradient.any()
    assert ag.jax.compile("COUNT[X ∘ A]", mode=MODE)(X=np.zeros((3, 3)), A=WIDE) == 5.0
    count = ag.jax.compile("COUNT[A ∘ relabel[B, m]]", mode=MODE)
    assert count(A=ag.linear([1]), B=ag.linear([2]), m={2: 1}) == 1.0
