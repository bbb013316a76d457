"""Calls that torch.compile or torch.func trace: a user's inputs as a layout and operands, before any number is known.

Plain code on purpose: torch.compile traces through it. Only what is marked runs as it stands while it traces; what that
is called with becomes a constant of the compiled code, which is compiled anew for another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.compiler import is_compiling

from arcgrad.grammar.mistakes import kind_of
from arcgrad.runtime.data.dense import Dense
from arcgrad.runtime.data.graph import Graph
from arcgrad.torch.tensors import LABELS, TensorError, check_kind, describe
from arcgrad.torch.traced.handles import constant, stand_for
from arcgrad.torch.traced.operands import REAL, batch_size, parse

__all__ = ["constant_of_trace", "encode"]

F = TypeVar("F", bound=Callable[..., Any])


def constant_of_trace(function: F) -> F:
    """Have torch.compile call a function while it traces, and take the result as a constant, for these arguments.

    What ``torch.compiler.assume_constant_result`` does, which loads all of torch.compile for it: seconds.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


def encode(
    types: Mapping[str, str], given: Mapping[str, Any], needs: Callable[[Tensor], bool]
) -> tuple[str, list[Tensor], list[bool]]:
    """The layout and the operands of inputs by plain name, and which of these need a gradient.

    Operands in need have an item for each of the batch, so that autograd sums over it.

    Args:
        types: "graph", "score" or "label mapping", of each input in order.
        given: the inputs.
        needs: whether a tensor of real numbers needs a gradient.

    Raises:
        InputError: an input is of a kind or shape that the equation does not take.
    """
    found: list[str] = []
    operands: list[Tensor] = []
    for name, type_ in types.items():
        value = given[name]
        if type_ == "graph" and isinstance(value, (list, tuple)) and not _is_pair(value):
            if len(value) == 0:
                _refuse(f"input {name} is an empty batch, but a batch has one item or more")
            found.append(_list(name, value, operands))
        elif type_ == "label mapping":
            operands.append(_handle([value], False))
            found.append("h")
        elif type_ == "score":
            found.append(_score(name, value, operands))
        else:
            found.append(_item(name, value, operands))
    layout = ";".join(found)
    kinds = parse(layout)
    needed = [operand.letter in REAL and needs(tensor) for operand, tensor in zip(kinds, operands, strict=True)]
    if any(needed):
        batch = batch_size(layout, operands)
        if batch is not None:
            for k, operand in enumerate(kinds):
                if needed[k] and operand.place is None and not operand.is_batch(operands[k]):
                    operands[k] = operands[k].expand(batch, *operands[k].shape)
                    if operand.letter == "w":
                        found[operand.piece] = "he"
            layout = ";".join(found)
    return layout, operands, needed


def _is_pair(value: Any) -> bool:
    """Whether it is a tuple of scores and lengths, or of graphs and weights."""
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    first, second = value
    if isinstance(first, Graph):
        return isinstance(second, Tensor)
    if not isinstance(first, Tensor):
        return False
    return not (isinstance(second, Tensor) and second.ndim >= 2 and first.dtype == second.dtype)


def _item(name: str, value: Any, operands: list[Tensor]) -> str:
    """The letters of a graph input, whose operands are appended."""
    if isinstance(value, np.ndarray):
        value = torch.as_tensor(value)
    if isinstance(value, Tensor):
        operands.append(value)
        if not value.is_floating_point() and value.ndim <= 1:
            _check_integers(name, value)
            return "h"
        _check_reals(f"input {name}", value, 2)
        return "d"
    if isinstance(value, tuple):
        first, second = value
        if isinstance(first, Graph):
            _check_reals(f"the weights of input {name}", second, 1)
            operands += [_handle([first], False), second]
            return "hw"
        operands.append(first)
        if not first.is_floating_point() and isinstance(second, Tensor):
            _check_integers(name, first)
            _check_reals(f"the weights of input {name}", second, 1)
            operands.append(second)
            return "hw"
        _check_reals(f"input {name}", first, 2)
        if second is None:
            return "d"
        operands.append(torch.as_tensor(second))
        return "dl"
    if isinstance(value, Dense) and value.is_batch:
        _refuse(
            f"input {name} is a batch made by ag.dense, which is not traced", hint="give a tensor (B, T, C) of scores"
        )
    if not isinstance(value, (Graph, Dense)):
        _refuse(f"input {name} is a graph in this equation, but {kind_of(value)} was given")
    operands.append(_handle([value], False))
    return "h"


def _list(name: str, values: Sequence[Any], operands: list[Tensor]) -> str:
    """The piece of a batch given item by item."""
    graphs = [value for value in values if isinstance(value, Graph)]
    if len(graphs) == len(values):
        operands.append(_handle(graphs, True))
        return "h"
    found = []
    for value in values:
        if isinstance(value, Graph):
            operands.append(_handle([value], False))
            found.append("h")
        elif isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[0], (Graph, Tensor)):
            found.append(_item(name, (value[0], value[1]), operands))
        elif isinstance(value, Tensor):
            found.append(_item(name, value, operands))
        else:
            _refuse(
                f"an item of input {name} is {kind_of(value)}, but a batch is a list of graphs, of (graph, weights), "
                f"or of tensors (T, C)",
                hint=LABELS if isinstance(value, (int, list, tuple)) else None,
            )
    return f"[{','.join(found)}]"


def _score(name: str, value: Any, operands: list[Tensor]) -> str:
    if not isinstance(value, Tensor):
        value = torch.as_tensor(value, dtype=torch.float64)
        if value.ndim > 1:
            _refuse(f"input {name}, a score in this equation, must have shape (), or (B,)")
        operands.append(value)
        return "c"
    _check_reals(f"input {name}", value, 0)
    operands.append(value)
    return "s"


def _check_reals(what: str, value: Tensor, least: int) -> None:
    check_kind(value, what, LABELS if least == 2 else None)
    if value.ndim not in (least, least + 1):
        shapes = ("(), or (B,)", "(n,), or (B, n)", "(T, C) or (B, T, C)")[least]
        _refuse(f"{what} has {describe(value)}, but must have shape {shapes}")


def _check_integers(name: str, value: Tensor) -> None:
    if value.dtype != torch.int64:
        _refuse(
            f"input {name} has {describe(value)}, but handles of graphs are int64",
            hint="ag.torch.handle makes handles; scores are floating-point tensors (T, C) or (B, T, C)",
        )


@constant_of_trace
def _refuse(message: str, hint: str | None = None) -> NoReturn:
    """Raise a TensorError, whether traced or not: torch.compile itself cannot make one."""
    raise TensorError(message, hint=hint)


def _handle(values: Sequence[Any], is_batch: bool) -> Tensor:
    """A handle of what has no gradient."""
    if not is_compiling():
        return stand_for(values, len(values) if is_batch else None)
    keys = [_constant(value) for value in values]
    return torch.tensor(keys if is_batch else keys[0], dtype=torch.int64)


_constant = constant_of_trace(constant)
