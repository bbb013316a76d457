"""A call whose inputs are a layout and operands (`traced.operands`), and what makes it of a user's inputs.

Both `torch.func`'s transforms and the operators for ``torch.compile`` evaluate such calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from arcgrad.compiler.types import Type
from arcgrad.equation import Equation
from arcgrad.torch.calls import Call, make_call
from arcgrad.torch.traced.handles import objects_of
from arcgrad.torch.traced.operands import REAL, parse, pieces

__all__ = ["Encoded"]


@dataclass(frozen=True, eq=False)
class Encoded:
    """An equation and the layout of its operands.

    Attributes:
        equation: what is evaluated.
        layout: of its inputs.
        alive: what keeps handles among the operands good, of which copies may be given.
    """

    equation: Equation
    layout: str
    alive: tuple[Any, ...] = ()

    def with_layout(self, layout: str) -> Encoded:
        """The same of other operands."""
        return replace(self, layout=layout)

    def value_and_gradients(self, operands: Sequence[Tensor], needed: Sequence[bool]) -> tuple[Tensor, ...]:
        """The value, and for ones upstream the gradient with respect to each operand in need."""
        call = self._call(operands)
        return call.value_and_gradients(call.tensors, self._of_reals(needed))

    def product(
        self, vectors: Sequence[Tensor], operands: Sequence[Tensor], needed: Sequence[bool]
    ) -> tuple[Tensor, ...]:
        """The Hessian with respect to the operands in need times one vector for each."""
        call = self._call(operands)
        return call.product(vectors, call.tensors, self._of_reals(needed))

    def _of_reals(self, needed: Sequence[bool]) -> list[bool]:
        return [n for operand, n in zip(parse(self.layout), needed, strict=True) if operand.letter in REAL]

    def _call(self, operands: Sequence[Tensor]) -> Call:
        given: dict[str, Any] = {}
        left = iter(operands)
        expanded: list[str] = []
        types = self.equation._program.inputs
        for (name, type_), piece in zip(types.items(), self.layout.split(";") if self.layout else (), strict=True):
            if piece == "c":
                given[name] = next(left).detach().cpu().numpy()[()]
                continue
            items = [_item([next(left) for _ in letters], type_, name) for _, letters in pieces(piece)]
            given[name] = items if piece.startswith("[") else items[0]
            if piece == "he":
                expanded.append(name)
        call = make_call(self.equation, given)
        slots = [replace(slot, is_expanded=True) if slot.name in expanded else slot for slot in call.slots]  # type: ignore[call-arg]
        return replace(call, slots=tuple(slots))


def _item(tensors: Sequence[Tensor], type_: Type, name: str) -> Any:
    """An input, or an item of one, of its operands."""
    first, second = tensors[0], tensors[1] if len(tensors) > 1 else None
    if first.is_floating_point():
        if second is None:
            return first
        if first.ndim == 3 and second.ndim == 0:
            second = second.expand(len(first))
        if first.ndim == 2 and second.ndim == 1:
            first = first.expand(len(second), *first.shape)
        return first, second
    if second is not None and type_ is Type.GRAPH and first.ndim:
        return first, second
    found = objects_of(first, f"input {name}")
    if second is not None:
        return found[0], second
    if not first.ndim:
        return found[0]
    return np.array(found) if type_ is Type.SCORE else found
