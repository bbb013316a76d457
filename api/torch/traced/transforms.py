"""Calls under `torch.func`: vmap, grad, jacrev, jacfwd, hessian, nested as one likes; and every second derivative.

The value's routine gives the gradient for ones in the same pass; upstream gradients multiply it, item by item. What
multiplies is torch's own and differentiable, so that a second derivative needs that of the gradient for ones alone: a
Hessian-vector product, which has one block for each item of a batch, since no item shares a tensor here. A mapped
dimension becomes part of the batch, so that one routine answers for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd import forward_ad

from arcgrad.equation import Equation
from arcgrad.torch.calls import refuse_gradient, refuse_third
from arcgrad.torch.tensors import as_lent
from arcgrad.torch.traced.encoded import Encoded
from arcgrad.torch.traced.operands import batch_size, fold, inner, parse, scale, unfold
from arcgrad.torch.traced.tracing import encode

__all__ = ["Gradient", "evaluate_transformed", "is_transformed"]

_functorch = getattr(torch._C, "_functorch", None)
_are_transforms_active = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)


def is_transformed() -> bool:
    """Whether torch.func, or forward-mode differentiation, transforms what runs.

    There, functions say apart how they compute and what they keep, for which torch looks up a signature in each call,
    ten times what the plain form costs.
    """
    return forward_ad._current_level >= 0 or _are_transforms_active()


def evaluate_transformed(equation: Equation, kinds: Mapping[str, str], given: Mapping[str, Any]) -> Tensor:
    """The value of the equation where something is transformed; inputs by plain name."""
    layout, operands, needed = encode(kinds, given, _may_need_gradient)
    if equation._evaluator._result[1] and any(needed):
        place = parse(layout)[needed.index(True)].piece
        refuse_gradient(equation.inputs[place])
    call = Encoded(equation, layout, alive=tuple(operands))
    return _Value.apply(call, needed, *operands)[0]  # type: ignore[no-any-return,no-untyped-call]


def _may_need_gradient(tensor: Tensor) -> bool:
    """Whether something differentiates with respect to a tensor, which mapped ones do not say themselves."""
    if _functorch is None or forward_ad._current_level >= 0:
        return True
    while not tensor.requires_grad:
        if _functorch.is_gradtrackingtensor(tensor):
            return True
        if not _functorch.is_batchedtensor(tensor):
            return False
        tensor = _functorch.get_unwrapped(tensor)
    return True


class _Value(torch.autograd.Function):
    """Operands → the value; and, for ones upstream, the gradient of each operand in need, which backward multiplies."""

    @staticmethod
    def forward(call: Encoded, needed: Sequence[bool], *operands: Tensor) -> tuple[Tensor, ...]:
        return call.value_and_gradients(operands, needed)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, ctx.needed, *operands = inputs
        ctx.mark_non_differentiable(*(output if not output[0].is_floating_point() else output[1:]))
        ctx.save_for_backward(*operands, *output[1:])
        ctx.save_for_forward(*operands, *output)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        operands, ones = _differentiable(ctx, ctx.saved_tensors)
        return None, None, *scale(ctx.call.layout, ones, upstream[0], operands)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        count = len(ctx.needed)
        operands, value, kept = ctx.saved_tensors[:count], ctx.saved_tensors[count], ctx.saved_tensors[count + 1 :]
        ones = _differentiable(ctx, (*operands, *kept))[1]
        return inner(ctx.call.layout, ones, tangents[2:], value), *(None for _ in kept)

    @staticmethod
    def vmap(info: Any, in_dims: Any, call: Encoded, needed: Sequence[bool], *operands: Tensor) -> Any:
        layout, folded, needs = fold(call.layout, operands, in_dims[2:], info.batch_size, needed)
        value, *kept = _Value.apply(call.with_layout(layout), needs, *folded)  # type: ignore[no-untyped-call]
        batch = _batch(call.layout, operands, in_dims[2:])
        value = value if batch is None else value.reshape(info.batch_size, batch)
        found = value, *unfold(call.layout, kept, needed, info.batch_size, batch)
        return found, (0,) * len(found)


class Gradient(torch.autograd.Function):
    """Operands and their gradients for ones → these gradients; its own derivative is the Hessian."""

    @staticmethod
    def forward(call: Encoded, needed: Sequence[bool], *saved: Tensor) -> tuple[Tensor, ...]:
        return tuple(gradient.detach() for gradient in saved[len(needed) :])

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, ctx.needed, *saved = inputs
        operands = saved[: len(ctx.needed)]
        ctx.save_for_backward(*operands)
        ctx.save_for_forward(*operands)

    @staticmethod
    def backward(ctx: Any, *vectors: Tensor) -> Any:
        found = iter(_Product.apply(ctx.call, ctx.needed, *ctx.saved_tensors, *vectors))  # type: ignore[no-untyped-call]
        return None, None, *(next(found) if n else None for n in ctx.needed), *(None for _ in vectors)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        operands = ctx.saved_tensors
        pairs = zip(ctx.needed, operands, tangents[2 : 2 + len(operands)], strict=True)
        vectors = [torch.zeros_like(t) if v is None else v for n, t, v in pairs if n]
        found = _Product.apply(ctx.call, ctx.needed, *operands, *vectors)  # type: ignore[no-untyped-call]
        # Gradients for ones are as precise as they were lent, products as their tensors are.
        kinds = [as_lent(t) for n, t in zip(ctx.needed, operands, strict=True) if n]
        return tuple(product.to(kind) for product, kind in zip(found, kinds, strict=True))

    @staticmethod
    def vmap(info: Any, in_dims: Any, call: Encoded, needed: Sequence[bool], *saved: Tensor) -> Any:
        return _mapped(Gradient, info.batch_size, in_dims[2:], call, needed, saved)


class _Product(torch.autograd.Function):
    """Operands and a vector for each in need → the Hessian times these."""

    @staticmethod
    def forward(call: Encoded, needed: Sequence[bool], *given: Tensor) -> tuple[Tensor, ...]:
        return call.product(given[len(needed) :], given[: len(needed)], needed)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> NoReturn:
        refuse_third()

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> NoReturn:
        refuse_third()

    @staticmethod
    def vmap(info: Any, in_dims: Any, call: Encoded, needed: Sequence[bool], *given: Tensor) -> Any:
        return _mapped(_Product, info.batch_size, in_dims[2:], call, needed, given)


def _differentiable(ctx: Any, saved: Sequence[Tensor]) -> tuple[Sequence[Tensor], list[Tensor | None]]:
    """The operands, and for each its gradient for ones, or None, as a function of the operands."""
    count = len(ctx.needed)
    found = iter(Gradient.apply(ctx.call, ctx.needed, *saved))  # type: ignore[no-untyped-call]
    return saved[:count], [next(found) if needed else None for needed in ctx.needed]


def _batch(layout: str, tensors: Sequence[Tensor], dims: Sequence[int | None]) -> int | None:
    """The batch of each mapped call."""
    found = batch_size(layout, [t if d is None else t.select(d, 0) for t, d in zip(tensors, dims, strict=True)])
    return None if found is None else int(found)


def _mapped(
    function: Any,
    count: int,
    dims: Sequence[int | None],
    call: Encoded,
    needed: Sequence[bool],
    given: Sequence[Tensor],
) -> Any:
    """A function of operands and of a tensor for each in need, mapped: these have the operands' form."""
    n, here = len(needed), [k for k, is_needed in enumerate(needed) if is_needed]
    layout, folded, needs = fold(call.layout, given[:n], dims[:n], count, needed)
    # In the places of the operands in need; the rest is not looked at.
    others, other_dims = list(given[:n]), list(dims[:n])
    for k, tensor, dim in zip(here, given[n:], dims[n:], strict=True):
        others[k], other_dims[k] = tensor, dim
    _, vectors, _ = fold(call.layout, others, other_dims, count, needed)
    chosen = [vector for vector, is_needed in zip(vectors, needs, strict=True) if is_needed]
    found = function.apply(call.with_layout(layout), needs, *folded, *chosen)
    batch = _batch(call.layout, given[:n], dims[:n])
    unfolded = tuple(unfold(call.layout, found, needed, count, batch))
    return unfolded, (0,) * len(unfolded)
