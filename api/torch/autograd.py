"""The derivatives of an equation as torch's autograd asks for them: first, and second.

The value's routine gives the gradient for ones in the same pass; upstream gradients multiply it, item by item. What
multiplies is torch's own and differentiable, so that a second derivative needs that of the gradient for ones alone: a
Hessian-vector product, which has one block for each item of a batch, since no item shares a tensor here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from arcgrad.equation import Equation
from arcgrad.torch.slots import Slot
from arcgrad.torch.tensors import lend, take_back

__all__ = ["Call", "evaluate"]


@dataclass(frozen=True, eq=False)
class Call:
    """An equation and what it is called with, except for the numbers in tensors.

    Attributes:
        equation: what is evaluated.
        slots: inputs that hold tensors.
        constants: the other inputs, by name.
        dtype: of the value.
        device: of the value.
        is_whole: the value counts.
    """

    equation: Equation
    slots: tuple[Slot, ...]
    constants: dict[str, Any]
    dtype: torch.dtype
    device: torch.device
    is_whole: bool

    def inputs(self, tensors: Sequence[Tensor]) -> dict[str, Any]:
        """All inputs of the equation."""
        given = dict(self.constants)
        for slot, part in self.parts(tensors):
            given[slot.name] = slot.give([lend(tensor) for tensor in part])
        return given

    def parts(self, tensors: Sequence[Any]) -> list[tuple[Slot, Sequence[Any]]]:
        """Each slot with what belongs to its tensors, of one entry for each tensor of all slots."""
        found, at = [], 0
        for slot in self.slots:
            found.append((slot, tensors[at : at + len(slot.tensors)]))
            at += len(slot.tensors)
        return found

    def asked(self, needed: Sequence[bool]) -> list[str]:
        """The inputs with respect to some of whose tensors a derivative is needed."""
        return [slot.name for slot, part in self.parts(needed) if any(part)]

    def as_tensor(self, value: Any) -> Tensor:
        """The equation's value."""
        array = np.asarray(value)
        dtype = self.dtype
        if self.is_whole:
            if array.dtype.kind != "i":
                array = array.astype(np.float64)
            dtype = torch.int64 if array.dtype.kind == "i" else torch.float64
        return torch.from_numpy(array.reshape(-1)).reshape(array.shape).to(device=self.device, dtype=dtype)

    def taken(
        self, gradients: dict[str, Any], tensors: Sequence[Tensor], needed: Sequence[bool]
    ) -> list[Tensor | None]:
        """One gradient for each tensor that needs one."""
        found: list[Tensor | None] = []
        for (slot, part), (_, wanted) in zip(self.parts(tensors), self.parts(needed), strict=True):
            if slot.name in gradients:
                arrays = slot.take(gradients[slot.name])
                found += [take_back(*pair) if w else None for *pair, w in zip(arrays, part, wanted, strict=True)]
            else:
                found += [None] * len(part)
        return found


def evaluate(call: Call) -> Tensor:
    """The value of the equation, through which gradients flow to the tensors."""
    tensors = [tensor for slot in call.slots for tensor in slot.tensors]
    needed = tuple(tensor.requires_grad for tensor in tensors)
    if not (any(needed) and torch.is_grad_enabled()):
        return call.as_tensor(call.equation(call.inputs(tensors)))
    if _are_transforms_active():
        return _TransformedValue.apply(call, needed, *tensors)[0]  # type: ignore[no-any-return,no-untyped-call]
    return _Value.apply(call, needed, *tensors)  # type: ignore[no-any-return,no-untyped-call]


# Whether torch.func transforms what runs; there, functions say apart how they compute and what they keep, for which
# torch looks up a signature in each call, ten times what one of `_Value` costs.
_are_transforms_active = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)


class _Value(torch.autograd.Function):
    """Tensors → the value; keeps, for ones upstream, the gradient of each tensor that needs one."""

    @staticmethod
    def forward(ctx: Any, call: Call, needed: tuple[bool, ...], *tensors: Tensor) -> Any:
        value, *kept = _TransformedValue.forward(call, needed, *tensors)
        ctx.call, ctx.needed = call, needed
        ctx.save_for_backward(*tensors, *kept)
        return value

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        call, needed, count = ctx.call, ctx.needed, len(ctx.needed)
        saved = ctx.saved_tensors
        if torch.is_grad_enabled():
            kept = iter(_Gradient.apply(call, needed, *saved))  # type: ignore[no-untyped-call]
        else:
            kept = iter(saved[count:])
        ones = [next(kept) if wanted else None for wanted in needed]
        found: list[Any] = []
        for (slot, part), (_, tensors) in zip(call.parts(ones), call.parts(saved[:count]), strict=True):
            found += slot.scale(part, upstream[0], tensors)
        return None, None, *found


class _TransformedValue(torch.autograd.Function):
    """`_Value` in the form that torch.func asks for: what it keeps are results, too."""

    @staticmethod
    def forward(call: Call, needed: tuple[bool, ...], *tensors: Tensor) -> tuple[Tensor, ...]:
        value, found = call.equation.value_and_grad(call.inputs(tensors), wrt=call.asked(needed))
        kept = [gradient for gradient in call.taken(found, tensors, needed) if gradient is not None]
        return call.as_tensor(value), *kept

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, ctx.needed, *tensors = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*tensors, *output[1:])

    backward = _Value.backward


class _Gradient(torch.autograd.Function):
    """Tensors → their gradients for ones, which `_Value` has computed already; its own derivative is the Hessian."""

    @staticmethod
    def forward(call: Call, needed: tuple[bool, ...], *saved: Tensor) -> tuple[Tensor, ...]:
        return tuple(gradient.detach() for gradient in saved[len(needed) :])

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, ctx.needed, *saved = inputs
        ctx.save_for_backward(*saved[: len(ctx.needed)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *vectors: Tensor) -> Any:
        call, needed, tensors = ctx.call, ctx.needed, ctx.saved_tensors
        given = iter(vectors)
        arrays = [lend(next(given)) if w else np.zeros(tuple(t.shape)) for w, t in zip(needed, tensors, strict=True)]
        if not all(np.isfinite(array).all() for array in arrays):  # no direction, so that nothing is known along it
            lost = [torch.full_like(t, torch.nan) if w else None for w, t in zip(needed, tensors, strict=True)]
            return None, None, *lost, *(None for _ in vectors)
        asked = call.asked(needed)
        put = {slot.name: slot.put(part) for slot, part in call.parts(arrays) if slot.name in asked}
        product = call.equation.hvp(put, call.inputs(tensors), wrt=asked)
        taken = call.taken(product, tensors, needed)
        found = [None if p is None else p.to(t.dtype) for p, t in zip(taken, tensors, strict=True)]
        return None, None, *found, *(None for _ in vectors)
