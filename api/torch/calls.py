"""One call of an equation: its tensors in slots, what else it takes, and how numbers pass from torch to it and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from arcgrad.compiler.types import Type
from arcgrad.equation import Equation
from arcgrad.grammar.errors import InputError, UnsupportedError
from arcgrad.torch.slots import Slot, batch_of, slot_of, transposed
from arcgrad.torch.tensors import TensorError, lend, take_back
from arcgrad.torch.traced.handles import graphs_of, is_handle, stand_for

__all__ = ["Call", "make_call", "refuse_gradient", "refuse_positions", "refuse_third"]


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

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors of all slots."""
        return [tensor for slot in self.slots for tensor in slot.tensors]

    def with_items(self, needed: Sequence[bool]) -> Call:
        """The call whose tensors in need have items of their own, where there is a batch, so that autograd sums.

        Raises:
            InputError: the value counts.
        """
        asked = self.asked(needed)
        if self.is_whole and asked:
            refuse_gradient(asked[0])
        if all(slot.batch is not None for slot in self.slots if slot.name in asked):
            return self
        types = self.equation._program.inputs
        sizes = [slot.batch for slot in self.slots]
        sizes += [batch_of(value) for name, value in self.constants.items() if types[name] is not Type.MAPPING]
        batch = next((size for size in sizes if size is not None), None)
        if batch is None:
            return self
        shared = [slot.batch is None and slot.name in asked for slot in self.slots]
        slots = [slot.for_items(batch) if s else slot for slot, s in zip(self.slots, shared, strict=True)]
        return replace(self, slots=tuple(slots))

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

    def value(self, tensors: Sequence[Tensor]) -> Tensor:
        """The value alone."""
        return self.as_tensor(self.equation(self.inputs(tensors)))

    def value_and_gradients(self, tensors: Sequence[Tensor], needed: Sequence[bool]) -> tuple[Tensor, ...]:
        """The value, and for ones upstream the gradient with respect to each tensor in need."""
        if not any(needed):
            return (self.value(tensors),)
        value, found = self.equation.value_and_grad(self.inputs(tensors), wrt=self.asked(needed))
        return self.as_tensor(value), *(g for g in self.taken(found, tensors, needed) if g is not None)

    def product(
        self, vectors: Sequence[Tensor], tensors: Sequence[Tensor], needed: Sequence[bool]
    ) -> tuple[Tensor, ...]:
        """The Hessian with respect to the tensors in need times one vector for each, in the tensors' dtypes."""
        given = iter(vectors)
        arrays = [lend(next(given)) if w else np.zeros(tuple(t.shape)) for w, t in zip(needed, tensors, strict=True)]
        if not all(np.isfinite(array).all() for array in arrays):  # no direction, so that nothing is known along it
            return tuple(torch.full_like(t, torch.nan) for w, t in zip(needed, tensors, strict=True) if w)
        asked = self.asked(needed)
        put = {slot.name: slot.put(part) for slot, part in self.parts(arrays) if slot.name in asked}
        taken = self.taken(self.equation.hvp(put, self.inputs(tensors), wrt=asked), tensors, needed)
        return tuple(p.to(t.dtype) for p, t in zip(taken, tensors, strict=True) if p is not None)

    def operands(self, tensors: Sequence[Any]) -> tuple[str, list[Any]]:
        """The call with these tensors as `arcgrad.torch.traced.operands` has it: a layout, and its operands."""
        pieces: list[str] = []
        found: list[Any] = []
        parts = {slot.name: (slot, part) for slot, part in self.parts(tensors)}
        for name in self.equation.inputs:
            if name in parts:
                slot, part = parts[name]
                piece, mine = slot.operands(part)
            else:
                piece, mine = "h", [_constant(self.constants[name], self.equation._program.inputs[name])]
            pieces.append(piece)
            found += mine
        return ";".join(pieces), found


def _constant(value: Any, type_: Type) -> Tensor:
    size = None if type_ is Type.MAPPING else batch_of(value)
    if size is None:
        return stand_for([value], None)
    items = [value.item(k) if hasattr(value, "n_columns") else value[k] for k in range(size)]
    return stand_for(items, size)


def refuse_gradient(name: str) -> NoReturn:
    """Say that a count has no gradient with respect to an input."""
    raise TensorError(
        f"input {name} requires a gradient, but this equation counts, and a count has none",
        hint=f"give {name}.detach()",
    )


class _ArgumentsError(InputError, TypeError):
    """Arguments that do not fit the signature."""


def refuse_positions(names: Sequence[str]) -> NoReturn:
    """Say that inputs go by name."""
    raise _ArgumentsError(
        "inputs are given by name, but several positional arguments were given",
        hint=f"write function({', '.join(f'{name}=…' for name in names)})",
    )


def refuse_third() -> NoReturn:
    """Say that there is no third derivative."""
    raise UnsupportedError("the value of an equation is differentiable twice: its third derivative is not implemented")


def make_call(equation: Equation, given: Mapping[str, Any]) -> Call:
    """The call of an equation with these inputs, by plain name.

    Raises:
        InputError: see ``ag.torch.Function``.
    """
    types = equation._program.inputs
    slots: list[Slot] = []
    constants: dict[str, Any] = {}
    for name, value in given.items():
        if is_handle(value) and types[name] is Type.GRAPH:
            value = graphs_of(value, f"input {name}")
        slot = slot_of(name, value, types[name])
        if slot is None:
            constants[name] = value
            if batch_of(value) == 0 and types[name] is not Type.MAPPING:
                raise InputError(f"input {name} is an empty batch, but a batch has one item or more")
        else:
            slots.append(slot)
    _check_batch(slots, [batch_of(each) for name, each in constants.items() if types[name] is not Type.MAPPING])
    device = _device(slots)
    dtypes = {tensor.dtype for slot in slots for tensor in slot.tensors}
    dtype = torch.float64 if not dtypes or torch.float64 in dtypes else torch.float32
    return Call(equation, tuple(slots), constants, dtype, device, equation._evaluator._result[1])


def _check_batch(slots: list[Slot], sizes: list[int | None]) -> None:
    """Refuse scores whose second dimension is the batch of all other inputs; what else differs, the equation says."""
    for slot in slots:
        others = {*sizes, *(each.batch for each in slots if each is not slot)} - {None}
        if slot.batch is not None and len(others) == 1 and slot.batch not in others and slot.tensors[0].ndim == 3:
            other = next(iter(others))
            if slot.tensors[0].shape[1] == other:
                raise TensorError(
                    f"the inputs' batch sizes differ: {slot.name} has {slot.batch} items, others have {other}",
                    hint=transposed(slot.name),
                )


def _device(slots: list[Slot]) -> torch.device:
    """The one device of all tensors; the CPU where there are none."""
    devices = {tensor.device: slot.name for slot in slots for tensor in slot.tensors}
    if len(devices) > 1:
        (one, name), (other, second) = list(devices.items())[:2]
        raise TensorError(
            f"all tensors must be on the same device, but input {name} is on {one} and input {second} on {other}",
            hint=f"move one of them, as with {second}.to({str(one)!r})",
        )
    return next(iter(devices), torch.device("cpu"))
