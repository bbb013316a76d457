"""The derivatives of an equation as torch's autograd asks for them, in eager calls: what training runs.

The value's routine gives the gradient for ones in the same pass; upstream gradients multiply it, item by item. A second
derivative is that of `arcgrad.torch.traced.transforms`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from arcgrad.torch.calls import Call
from arcgrad.torch.plans import Plan
from arcgrad.torch.traced.encoded import Encoded
from arcgrad.torch.traced.transforms import Gradient

__all__ = ["evaluate", "evaluate_planned"]


def evaluate(call: Call) -> Tensor:
    """The value of the equation, through which gradients flow to the tensors."""
    tensors = call.tensors
    needed = tuple([tensor.requires_grad for tensor in tensors])
    if True not in needed or not torch.is_grad_enabled():
        return call.value(tensors)
    call = call.with_items(needed)
    return _Value.apply(call, needed, *call.tensors)  # type: ignore[no-any-return,no-untyped-call]


def evaluate_planned(plan: Plan, given: dict[str, Any], tensors: list[Tensor]) -> Tensor:
    """The same of a call that is like an earlier one."""
    if not plan.is_differentiated or not torch.is_grad_enabled():
        return plan.value(given, tensors)
    if plan.expands:
        tensors = plan.expanded(tensors)
    return _apply(plan, given, *tensors)  # type: ignore[no-any-return,no-untyped-call]


class _Value(torch.autograd.Function):
    """Tensors → the value; keeps, for ones upstream, the gradient of each tensor that needs one."""

    @staticmethod
    def forward(ctx: Any, call: Call, needed: tuple[bool, ...], *tensors: Tensor) -> Any:
        value, *kept = call.value_and_gradients(tensors, needed)
        ctx.call, ctx.needed = call, needed
        ctx.save_for_backward(*tensors, *kept)
        return value

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        call, needed, count = ctx.call, ctx.needed, len(ctx.needed)
        saved = ctx.saved_tensors
        kept = iter(_differentiable(call, needed, saved) if torch.is_grad_enabled() else saved[count:])
        ones = [next(kept) if wanted else None for wanted in needed]
        found: list[Any] = []
        for (slot, part), (_, tensors) in zip(call.parts(ones), call.parts(saved[:count]), strict=True):
            found += slot.scale(part, upstream[0], tensors)
        return None, None, *found


class _PlannedValue(torch.autograd.Function):
    """`_Value` of a plan."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, given: dict[str, Any], *tensors: Tensor) -> Any:
        value, kept = plan.value_and_gradients(given, tensors)
        ctx.plan, ctx.given = plan, given
        ctx.save_for_backward(*tensors, *kept)
        return value

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        plan = ctx.plan
        saved = ctx.saved_tensors
        count = len(plan.needed)
        kept = saved[count:]
        if torch.is_grad_enabled():
            kept = _differentiable(plan.call(ctx.given), plan.needed, saved)
        return None, None, *plan.scale(kept, upstream[0], saved[:count])


def _differentiable(call: Call, needed: tuple[bool, ...], saved: tuple[Tensor, ...]) -> Any:
    """The gradients for ones that were kept, as a function of the tensors."""
    count = len(needed)
    layout, operands = call.operands(saved[:count])
    tensors = {id(tensor): wanted for tensor, wanted in zip(saved[:count], needed, strict=True)}
    needs = [tensors.get(id(operand), False) for operand in operands]
    encoded = Encoded(call.equation, layout, alive=tuple(operands))
    return Gradient.apply(encoded, needs, *operands, *saved[count:])  # type: ignore[no-untyped-call]


# What `Function.apply` comes to where nothing is transformed, which is known here; a tenth of a small call.
_apply = super(torch.autograd.Function, _PlannedValue).apply
