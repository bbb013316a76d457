"""Eager calls that are like an earlier one: what was checked and decided then is not checked and decided again.

A signature has what such decisions depend on: kinds, shapes and dtypes, and which tensors need a gradient; numbers and
graphs may be new. Of the plain forms of inputs alone; what has no signature takes the general way, `calls.Call`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from arcgrad.runtime.data.graph import Graph
from arcgrad.torch.calls import Call, make_call
from arcgrad.torch.slots import Slot
from arcgrad.torch.tensors import as_lent, lend, product

__all__ = ["Plan", "make_plan", "signature"]

# A tensor that has left a transform of torch.func is still wrapped.
_is_wrapped = getattr(getattr(torch._C, "_functorch", None), "is_functorch_wrapped_tensor", lambda tensor: False)
_TENSORS = (Tensor, Parameter)


def signature(given: Mapping[str, Any]) -> tuple[tuple[Any, ...], list[Tensor]] | None:
    """The signature of inputs, and their tensors in order; None where some input is of no plain form."""
    key: list[Any] = []
    tensors: list[Tensor] = []
    for value in given.values():
        kind = type(value)
        if kind is tuple:
            if len(value) != 2:
                return None
            first, value = value
            if type(first) is Graph:
                key.append(len(first.weight))
            elif type(first) in _TENSORS:
                if isinstance(value, Tensor) and value.is_floating_point():  # which is no length
                    return None
                key.append("all" if value is None else "lengths")
                value = first
            else:
                return None
            kind = type(value)
        elif kind is Graph or kind is float:
            key.append(kind)
            continue
        elif kind is list:
            if set(map(type, value)) != {Graph}:
                return None
            key.append(len(value))
            continue
        if kind not in _TENSORS or not value.is_cpu or not value.is_floating_point() or _is_wrapped(value):
            return None
        key += (value.shape, value.dtype, value.layout, value.requires_grad)
        tensors.append(value)
    return tuple(key), tensors


@dataclass(frozen=True, eq=False, slots=True)
class _Step:
    """A tensor's way in, and its gradient's way out.

    Attributes:
        slot: that such a tensor had.
        dtype: of its gradient for ones.
        is_needed: whether that is.
        size: for how many items the tensor is expanded then; None: for none.
        ones: dimensions that follow those of an upstream gradient in it.
    """

    slot: Slot
    dtype: torch.dtype
    is_needed: bool
    size: int | None
    ones: tuple[int, ...]


class Plan:
    """How calls of a signature run.

    Attributes:
        needed: whether a gradient is needed, of each tensor.
        is_differentiated: whether any is.
        expands: whether tensors are given an item for each of the batch then.
    """

    def __init__(self, call: Call, needed: tuple[bool, ...], steps: tuple[_Step, ...]) -> None:
        self.needed = needed
        self.is_differentiated = any(needed)
        self._call = call
        self._dtype = np.float64 if call.dtype is torch.float64 else np.float32
        self._evaluator = call.equation._evaluator
        self._steps = steps
        self._asked = tuple(step.slot.name for step in steps if step.is_needed)
        self.expands = any(step.size is not None for step in steps)

    def call(self, given: Mapping[str, Any]) -> Call:
        """The same call in general form, whose tensors in need have an item for each of the batch."""
        return make_call(self._call.equation, given).with_items(self.needed)

    def expanded(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The tensors, those in need with an item for each of the batch, so that autograd sums."""
        pairs = zip(tensors, self._steps, strict=True)
        return [t if step.size is None else t.expand(step.size, *t.shape) for t, step in pairs]

    def value(self, given: Mapping[str, Any], tensors: Sequence[Tensor]) -> Tensor:
        """The value alone, of tensors as they are given."""
        inputs = dict(given)
        for step, tensor in zip(self._steps, tensors, strict=True):
            name = step.slot.name
            inputs[name] = step.slot.enter(given[name], lend(tensor), None)
        return self._tensor(self._evaluator.value(inputs))

    def value_and_gradients(self, given: Mapping[str, Any], tensors: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The value, and for ones upstream the gradient with respect to each tensor in need; of expanded tensors."""
        inputs = dict(given)
        for step, tensor in zip(self._steps, tensors, strict=True):
            name, size = step.slot.name, step.size
            inputs[name] = step.slot.enter(given[name], lend(tensor if size is None else tensor[0]), size)
        value, found = self._evaluator.value_and_grad(inputs, self._asked, None)
        kept: list[Tensor] = []
        for step in self._steps:
            if step.is_needed:
                gradient = found[step.slot.name]
                if type(gradient) is float:
                    gradient = np.array(gradient)
                elif type(gradient) is list:
                    gradient = np.stack(gradient)
                elif not gradient.flags.writeable:
                    gradient = gradient.copy()
                one = torch.from_numpy(gradient)
                kept.append(one if one.dtype is step.dtype else one.to(step.dtype))
        return self._tensor(value), kept

    def _tensor(self, value: Any) -> Tensor:
        if type(value) is float or self._dtype is np.float32:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, as in torch
                value = np.array(value, self._dtype)
        return torch.from_numpy(value)

    def scale(self, kept: Sequence[Tensor], upstream: Tensor, tensors: Sequence[Tensor]) -> list[Tensor | None]:
        """Gradients for ones times the upstream gradient, each as its tensor is."""
        left = iter(kept)
        found: list[Tensor | None] = []
        for step, tensor in zip(self._steps, tensors, strict=True):
            if not step.is_needed:
                found.append(None)
                continue
            factor = upstream if upstream.dtype is step.dtype else upstream.to(step.dtype)
            if step.ones:
                factor = factor.reshape(factor.shape + step.ones)
            found.append(product(next(left), factor, tensor))
        return found


def make_plan(call: Call) -> Plan | None:
    """The plan of calls like this one; None where they take the general way."""
    if call.is_whole:
        return None
    needed = tuple(tensor.requires_grad for tensor in call.tensors)
    expanded = call.with_items(needed) if any(needed) else call
    steps: list[_Step] = []
    if any(len(slot.tensors) != 1 for slot in call.slots):
        return None
    for slot, full, is_needed in zip(call.slots, expanded.slots, needed, strict=True):
        (tensor,) = full.tensors
        size = full.batch if slot.batch is None else None
        if not slot.enters(size):
            return None
        ones = () if full.batch is None else (1,) * (tensor.ndim - 1)
        steps.append(_Step(slot.like(), as_lent(tensor), is_needed, size, ones))
    plain = Call(call.equation, (), {}, call.dtype, call.device, call.is_whole)
    return Plan(plain, needed, tuple(steps))
