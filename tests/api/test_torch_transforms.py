"""Equations under ``torch.func``: mapped calls are those one by one; derivatives are those of autograd and ``hvp``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

torch = pytest.importorskip("torch")

# torch scripts some of its own formulas when forward mode is first used.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")

WIDE = ag.graphs.alignments([1, 2])
LONG = ag.graphs.alignments([2, 1])
SCORE = ag.torch.compile("s * LSE[X ∘ A] - s * s * LSE[X]", mode="kernels")
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def random(*shape: int, seed: int = 0) -> Any:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 10 * sum(shape)))


def pick(value: Any, dim: int | None, k: int) -> Any:
    return value if dim is None else value.select(dim, k)


# Functions of tensors, the tensors' shapes with a mapped dimension, and where that is.
MAPPED: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]], tuple[int | None, ...]]] = {
    "one chain each": (lambda x: SCORE(X=x, A=WIDE, s=2.0), [(3, 4, 3)], (0,)),
    "another dimension": (lambda x: SCORE(X=x, A=WIDE, s=2.0), [(4, 3, 2)], (2,)),
    "all of them": (
        lambda x, w, s: SCORE(X=x, A=(WIDE, w), s=s),
        [(3, 4, 3), (3, WIDE.n_arcs), (3,)],
        (0, 0, 0),
    ),
    "some of them": (lambda x, w, s: SCORE(X=x, A=(WIDE, w), s=s), [(4, 3), (3, WIDE.n_arcs), ()], (None, 0, None)),
    "a batch each": (lambda x, w, s: SCORE(X=x, A=(WIDE, w), s=s), [(3, 2, 4, 3), (WIDE.n_arcs,), (3,)], (0, None, 0)),
    "a batch, shared weights": (
        lambda x, w: SCORE(X=(x, [4, 3]), A=(WIDE, w), s=1.0),
        [(2, 4, 3), (3, WIDE.n_arcs)],
        (None, 0),
    ),
    "graphs each": (lambda x, s: SCORE(X=x, A=[WIDE, LONG], s=s), [(3, 2, 4, 3), (3, 2)], (0, 0)),
    "lists": (
        lambda x, y, w: SCORE(X=[x, y], A=[WIDE, (LONG, w)], s=[0.5, 1.5]),
        [(3, 4, 3), (3, 3, 3), (LONG.n_arcs,)],
        (0, 0, None),
    ),
    "lengths": (lambda x: SCORE(X=(x, 3), A=WIDE, s=1.0), [(3, 4, 3)], (0,)),
}


@pytest.mark.parametrize("name", MAPPED)
def test_vmap(name: str) -> None:
    """Values, and gradients behind and inside of the map, with an upstream gradient of its own for each."""
    function, shapes, dims = MAPPED[name]
    tensors = [random(*shape, seed=k).requires_grad_() for k, shape in enumerate(shapes)]
    count = next(t.shape[d] for t, d in zip(tensors, dims, strict=True) if d is not None)
    mapped = torch.vmap(function, in_dims=dims)(*tensors)
    one_by_one = torch.stack(
        [function(*(pick(t, d, k) for t, d in zip(tensors, dims, strict=True))) for k in range(count)]
    )
    torch.testing.assert_close(mapped, one_by_one, **CLOSE)
    factors = random(*mapped.shape, seed=5)
    found = torch.autograd.grad((mapped * factors).sum(), tensors)
    expected = torch.autograd.grad((one_by_one * factors).sum(), tensors)
    for each, right in zip(found, expected, strict=True):
        torch.testing.assert_close(each, right, **CLOSE)
    numbers = tuple(range(len(tensors)))
    plain = [t.detach() for t in tensors]

    def total(*given: Any) -> Any:
        return function(*given).sum()

    inside = torch.vmap(torch.func.grad(total, argnums=numbers), in_dims=dims)(*plain)
    for k in range(count):
        here = [pick(t, d, k).clone().requires_grad_() for t, d in zip(plain, dims, strict=True)]
        for each, right in zip(inside, torch.autograd.grad(total(*here), here), strict=True):
            torch.testing.assert_close(each[k], right, **CLOSE)


def test_vmap_of_handles() -> None:
    graphs = [WIDE, LONG, ag.linear([1, 1, 2])]
    x, w = random(3, 3, 3), random(3, WIDE.n_arcs)
    found = torch.vmap(lambda scores, a: SCORE(X=scores, A=a, s=1.0))(x, ag.torch.handle(graphs))
    torch.testing.assert_close(found, SCORE(X=x, A=graphs, s=1.0), **CLOSE)
    pair = torch.vmap(lambda a, v: SCORE(X=x[0], A=(a, v), s=1.0))(ag.torch.handle([WIDE, LONG]), w[:2])
    expected = [SCORE(X=x[0], A=(graph, v), s=1.0) for graph, v in zip([WIDE, LONG], w, strict=False)]
    torch.testing.assert_close(pair, torch.stack(expected), **CLOSE)


def test_one_call_answers_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    original = ag.Equation.value_and_grad

    def counting(self: Any, *args: Any, **named: Any) -> Any:
        calls.append(args)
        return original(self, *args, **named)

    monkeypatch.setattr(ag.Equation, "value_and_grad", counting)
    torch.vmap(torch.func.grad(lambda x: SCORE(X=x, A=WIDE, s=1.0)))(random(5, 4, 3))
    torch.vmap(torch.vmap(torch.func.grad(lambda x: SCORE(X=x, A=WIDE, s=1.0))))(random(2, 5, 4, 3))
    assert len(calls) == 2
    torch.vmap(lambda x: SCORE(X=x, A=WIDE, s=1.0))(random(5, 4, 3))
    assert len(calls) == 2  # no gradient where nobody differentiates


def test_nested_maps_of_batches() -> None:
    x = random(2, 3, 2, 4, 3)
    nested = torch.vmap(torch.vmap(lambda scores: SCORE(X=scores, A=[WIDE, LONG], s=0.5)), in_dims=1)(x)
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(nested[j, i], SCORE(X=x[i, j], A=[WIDE, LONG], s=0.5), **CLOSE)


def scores_and_weights(x: Any, w: Any) -> Any:
    return SCORE(X=x, A=(WIDE, w), s=0.7)


def test_hessian() -> None:
    """Forward over reverse, and three more ways, against products with unit vectors and finite differences."""
    x, w = random(4, 3), random(WIDE.n_arcs)
    found = torch.func.hessian(scores_and_weights, argnums=(0, 1))(x, w)
    twice = torch.func.jacrev(torch.func.jacrev(scores_and_weights, argnums=(0, 1)), argnums=(0, 1))(x, w)
    forward = torch.func.jacfwd(torch.func.jacfwd(scores_and_weights, argnums=(0, 1)), argnums=(0, 1))
    older = torch.autograd.functional.hessian(scores_and_weights, (x, w))
    for i in range(2):
        for j in range(2):
            torch.testing.assert_close(twice[i][j], found[i][j], **CLOSE)
            torch.testing.assert_close(older[i][j], found[i][j], **CLOSE)
    with pytest.raises((RuntimeError, NotImplementedError), match="third derivative"):
        torch.func.jacrev(torch.func.hessian(scores_and_weights))(x, w)
    del forward
    equation = SCORE.equation
    for row in range(WIDE.n_arcs):
        unit = np.eye(WIDE.n_arcs)[row]
        product = equation.hvp({"A": unit}, X=x.numpy(), A=WIDE.with_weight(w.numpy()), s=0.7, wrt=["A"])["A"]
        np.testing.assert_allclose(found[1][1][row], product, atol=1e-10)
    step = 1e-5 * random(4, 3, seed=3)
    gradient = torch.func.grad(scores_and_weights)
    change = (gradient(x + step, w) - gradient(x - step, w)) / 2
    torch.testing.assert_close(torch.einsum("abcd,cd->ab", found[0][0], step), change, rtol=1e-4, atol=1e-12)


def test_hessians_of_a_batch() -> None:
    x = random(3, 4, 3)
    found = torch.vmap(torch.func.hessian(lambda scores: SCORE(X=scores, A=WIDE, s=0.7)))(x)
    for k in range(3):
        torch.testing.assert_close(
            found[k], torch.func.hessian(lambda scores: SCORE(X=scores, A=WIDE, s=0.7))(x[k]), **CLOSE
        )


def test_forward_mode() -> None:
    x, w = random(2, 4, 3), random(WIDE.n_arcs)
    vector, other = random(2, 4, 3, seed=1), random(WIDE.n_arcs, seed=1)
    value, tangent = torch.func.jvp(scores_and_weights, (x, w), (vector, other))
    torch.testing.assert_close(value, scores_and_weights(x, w), **CLOSE)
    rows = torch.func.jacrev(scores_and_weights, argnums=(0, 1))(x, w)
    expected = torch.einsum("bxyz,xyz->b", rows[0], vector) + rows[1] @ other
    torch.testing.assert_close(tangent, expected, **CLOSE)
    columns = torch.func.jacfwd(scores_and_weights, argnums=(0, 1))(x, w)
    for column, row in zip(columns, rows, strict=True):
        torch.testing.assert_close(column, row, **CLOSE)
    lists = MAPPED["lists"][0]
    given = tuple(random(*shape, seed=7) for shape in [(4, 3), (3, 3), (LONG.n_arcs,)])
    assert torch.autograd.gradcheck(lists, tuple(t.requires_grad_() for t in given), check_forward_ad=True)
    assert torch.autograd.gradcheck(
        scores_and_weights, (x.requires_grad_(), w.requires_grad_()), check_forward_ad=True, check_batched_grad=True
    )


def test_batched_upstream_gradients() -> None:
    x = random(2, 4, 3).requires_grad_()
    value = SCORE(X=x, A=WIDE, s=1.0)
    (rows,) = torch.autograd.grad(value, x, torch.eye(2, dtype=torch.float64), is_grads_batched=True)
    torch.testing.assert_close(rows, torch.func.jacrev(lambda y: SCORE(X=y, A=WIDE, s=1.0))(x.detach()), **CLOSE)


def test_dtypes_under_transforms() -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        x = random(3, 4, 3).to(dtype)
        assert torch.vmap(lambda y: SCORE(X=y, A=WIDE, s=1.0))(x).dtype == torch.float32
        gradient = torch.vmap(torch.func.grad(lambda y: SCORE(X=y, A=WIDE, s=1.0)))(x)
        assert gradient.dtype == dtype
        assert torch.func.hessian(lambda y: SCORE(X=y, A=WIDE, s=1.0))(x[0]).dtype == dtype


def test_counts() -> None:
    count = ag.torch.compile("COUNT[X ∘ A]")
    found = torch.vmap(lambda a: count(X=torch.zeros(4, 3), A=a))(ag.torch.handle([WIDE, LONG]))
    assert found.dtype == torch.int64
    assert found.tolist() == count(X=torch.zeros(4, 3), A=[WIDE, LONG]).tolist()
    with pytest.raises(ag.InputError, match="input X requires a gradient, but this equation counts"):
        torch.func.grad(lambda x: count(X=x, A=WIDE).sum())(torch.zeros(4, 3))


def test_bad_input_under_transforms() -> None:
    bad: list[tuple[Any, str]] = [
        (lambda: torch.vmap(lambda x: SCORE(X=x, A=WIDE, s=1.0))(random(4, 3)), r"input X has shape \(3,\)"),
        (
            lambda: torch.vmap(lambda x: SCORE(X=x, A=WIDE, s=1.0))(torch.zeros(2, 4, 3, dtype=torch.int64)),
            "input X has .*int64",
        ),
        (lambda: torch.vmap(lambda x: SCORE(X=x, A="a", s=1.0))(random(2, 4, 3)), "input A is a graph .* str"),
        (
            lambda: torch.vmap(lambda x, w: SCORE(X=x, A=(WIDE, w), s=1.0))(random(2, 4, 3), random(2, 5)),
            r"weights of input A have .*must have shape \(\d+,\)",
        ),
        (
            lambda: torch.vmap(lambda x, a: SCORE(X=x, A=a, s=1.0))(random(2, 4, 3), torch.tensor([1, 2])),
            "stands for no graph",
        ),
    ]
    for call, message in bad:
        with pytest.raises(ag.InputError, match=message):
            call()
