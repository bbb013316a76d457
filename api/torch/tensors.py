"""Tensors that enter an equation: looked at, lent to numpy, without a copy where that can be; gradients come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.buffers import empty_array

__all__ = [
    "LABELS",
    "TensorError",
    "as_lent",
    "check_kind",
    "check_tensor",
    "describe",
    "lend",
    "product",
    "room",
    "take_back",
]

# From which on the layout and the memory of a gradient matter more than looking at them costs.
_MANY_NUMBERS = 1 << 14

_LENT = (torch.float64, torch.float32)
_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)

# For those who give whole numbers where a graph is asked for, which are not converted silently.
LABELS = (
    "of labels, ag.graphs.alignments makes graphs as CTC has them, and ag.linear makes one of a sequence; of "
    "scores, tensor.to(torch.float32)"
)


class TensorError(InputError, RuntimeError):
    """A tensor that an equation cannot take: also the exception that torch raises for such."""


def describe(tensor: Tensor) -> str:
    """Shape and dtype, for messages: ``shape (3, 2), dtype torch.float64``."""
    return f"shape {tuple(tensor.shape)}, dtype {tensor.dtype}"


def check_kind(tensor: Tensor, what: str, whole: str | None = None) -> None:
    """Check that a tensor holds real numbers, whether or not these are known yet; ``whole``: a hint for whole ones.

    Raises:
        InputError: it has another dtype, or is sparse.
    """
    if tensor.dtype not in _DTYPES:
        hint = None
        if tensor.dtype.is_complex:
            hint = "scores are real numbers: give its real part, or its absolute value"
        elif not tensor.dtype.is_floating_point:
            hint = whole or "whole numbers are not converted silently: use tensor.to(torch.float32)"
        raise TensorError(
            f"{what} has {describe(tensor)}, but must be float64, float32, bfloat16 or float16", hint=hint
        )
    if tensor.layout is not torch.strided:
        raise TensorError(f"{what} has layout {tensor.layout}, but must be dense", hint="use tensor.to_dense()")


def check_tensor(tensor: Tensor, what: str, whole: str | None = None) -> Tensor:
    """The tensor, where it holds real numbers in memory; ``whole``: a hint for whole ones.

    Raises:
        InputError: it has another dtype, is sparse, has no data, or its shape is not known yet.
    """
    check_kind(tensor, what, whole)
    if any(type(size) is not int for size in tensor.shape):
        raise TensorError(
            f"{what} has the symbolic shape {tuple(tensor.shape)}, but an equation needs the numbers",
            hint="call it outside of what torch.compile or torch.export traces",
        )
    if tensor.device.type == "meta":
        raise TensorError(f"{what} lies on the device 'meta', so that it has a shape, but no data")
    return tensor


def as_lent(tensor: Tensor) -> torch.dtype:
    """The dtype in which a tensor is lent, and in which gradients for ones come."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def lend(tensor: Tensor) -> NDArray[Any]:
    """The tensor's numbers, float64 or float32: the same memory where it is on the CPU and of such a dtype."""
    plain = tensor.detach()
    is_lent = type(plain) is Tensor and plain.is_cpu and plain.dtype in _LENT and plain.is_contiguous()
    if not is_lent or plain.is_neg():
        plain = _converted(plain)
    array: NDArray[Any] = plain.numpy()
    return array


def _converted(plain: Tensor) -> Tensor:
    """A tensor's numbers in memory that numpy can take."""
    if plain.dtype not in _LENT:
        plain = plain.to(torch.float32)
    if type(plain) is not Tensor:
        raise TensorError(
            f"an equation needs the numbers in a tensor, which a {type(plain).__name__} does not show",
            hint="call it outside of what torch.export or make_fx traces",
        )
    plain = plain.cpu().resolve_neg()
    return plain if plain.is_contiguous() else room(plain.shape, plain.dtype).copy_(plain)


def room(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A contiguous tensor on the CPU, float64 or float32, with anything in it, in memory that earlier ones left."""
    return torch.from_numpy(empty_array(tuple(shape), np.float64 if dtype is torch.float64 else np.float32))


def product(gradient: Tensor, factor: Tensor, like: Tensor) -> Tensor:
    """A gradient times a factor, in the dtype and the layout of the tensor that it is a gradient of.

    Autograd then copies it no more where that is a view of another tensor, as a transposed one is.
    """
    if gradient.numel() < _MANY_NUMBERS or torch.is_grad_enabled() or like.dtype not in _LENT or not like.is_cpu:
        found = gradient * factor
        return found if found.dtype is like.dtype else found.to(like.dtype)
    strides = torch.empty_like(like, device="meta").stride()
    return torch.mul(gradient, factor, out=room([gradient.numel()], like.dtype).as_strided(gradient.shape, strides))


def take_back(gradient: Any, like: Tensor) -> Tensor:
    """A gradient as a tensor on the device of what was lent, as precise as it was lent."""
    array = np.ascontiguousarray(gradient)
    if not array.flags.writeable:
        array = array.copy()
    return torch.from_numpy(array.reshape(tuple(like.shape))).to(device=like.device, dtype=as_lent(like))
