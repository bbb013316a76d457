"""Inputs of an equation as a text and a flat list of tensors: how they pass through torch's operators.

The text, the *layout*, has a piece for each input, in order, with a letter for each of its tensors, its *operands*:

    d   scores (T, C)                    l   a length (); after d
    s   a score ()                       h   a handle () of a graph, or of anything that has no gradient
    w   weights (n,); after h            e   the same, which all items of a batch share
    c   a score () that is a number

so that ``dl;hw;s`` is what ``{"X": (x, lengths), "A": (graph, w), "s": s}`` has. Each tensor may have a batch dimension
before those. ``[d,d]`` and ``[hw,h]`` are batches given item by item. Mapped dimensions of ``torch.func.vmap`` become
part of the batch by `fold`, and come out of it by `unfold`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from arcgrad.torch.tensors import product

__all__ = ["Operand", "batch_size", "fold", "inner", "parse", "pieces", "scale", "unfold"]

# Dimensions of an operand without a batch.
_DIMENSIONS = {"d": 2, "l": 0, "s": 0, "c": 0, "h": 0, "w": 1, "e": 1}
# Operands that may have a gradient.
REAL = frozenset("dswe")


@dataclass(frozen=True)
class Operand:
    """One tensor of a layout.

    Attributes:
        letter: what it is.
        place: the item of the batch that it belongs to, where that is given item by item.
        piece: the number of its input.
    """

    letter: str
    place: int | None
    piece: int

    @property
    def dimensions(self) -> int:
        """Those of one item."""
        return _DIMENSIONS[self.letter]

    def is_batch(self, tensor: Tensor) -> bool:
        """Whether that tensor has a dimension for the items of the batch."""
        return self.place is None and tensor.ndim > self.dimensions


def parse(layout: str) -> tuple[Operand, ...]:
    """The operands of a layout, in order."""
    found: list[Operand] = []
    for number, piece in enumerate(layout.split(";") if layout else ()):
        for place, letters in pieces(piece):
            found += (Operand(letter, place, number) for letter in letters)
    return tuple(found)


def pieces(piece: str) -> Iterator[tuple[int | None, str]]:
    """The letters of each item of an input's piece, with the item's place; of one without a place, where none has."""
    if piece.startswith("["):
        yield from enumerate(piece[1:-1].split(","))
    else:
        yield None, piece


def batch_size(layout: str, tensors: Sequence[Tensor]) -> Any:
    """Number of items of the batch; None where there is none. A symbol, where the tensors' shapes are symbols."""
    for piece in layout.split(";"):
        if piece.startswith("["):
            return piece.count(",") + 1
    for operand, tensor in zip(parse(layout), tensors, strict=True):
        if operand.is_batch(tensor):
            return tensor.shape[0]
    return None


def fold(
    layout: str, tensors: Sequence[Tensor], dims: Sequence[int | None], count: int, needed: Sequence[bool]
) -> tuple[str, list[Tensor], list[bool]]:
    """Make the mapped dimensions of tensors part of the batch: the layout, tensors and needs of ``count`` × B items.

    Args:
        layout: of one call, without the mapped dimension.
        tensors: with it.
        dims: where it is; None where a tensor has none.
        count: its size.
        needed: whether a tensor's gradient is, for which it gets items of its own.
    """
    operands = parse(layout)
    first = [t if d is None else t.movedim(d, 0) for t, d in zip(tensors, dims, strict=True)]
    batch = batch_size(layout, [t if d is None else t[0] for t, d in zip(first, dims, strict=True)])
    folded: list[list[Tensor]] = []  # of each tensor: itself, or one for each mapped call
    for operand, tensor, dim, is_needed in zip(operands, first, dims, needed, strict=True):
        if operand.place is not None:
            folded.append([tensor] * count if dim is None else list(tensor.unbind(0)))
            continue
        has_items = operand.is_batch(tensor if dim is None else tensor[0])
        if dim is None and not has_items and not is_needed:
            folded.append([tensor])
            continue
        if dim is None:
            tensor = tensor.expand(count, *tensor.shape)
        if batch is not None:
            if not has_items:
                tensor = tensor.unsqueeze(1).expand(count, batch, *tensor.shape[1:])
            tensor = tensor.reshape(-1, *tensor.shape[2:])
        folded.append([tensor])
    found: list[str] = []
    flat: list[Tensor] = []
    needs: list[bool] = []
    for number, piece in enumerate(layout.split(";")):
        mine = [k for k, operand in enumerate(operands) if operand.piece == number]
        if piece.startswith("["):
            found.append(f"[{','.join([piece[1:-1]] * count)}]")
            flat += [folded[k][n] for n in range(count) for k in mine]
            needs += [needed[k] for k in mine] * count
        else:
            # What was shared by the items of a batch is no more, where it is mapped.
            shared = all(dims[k] is None for k in mine)
            found.append(piece if shared else piece.replace("e", "w"))
            flat += [folded[k][0] for k in mine]
            needs += [needed[k] for k in mine]
    return ";".join(found), flat, needs


def unfold(
    layout: str, folded: Sequence[Tensor], needed: Sequence[bool], count: int, batch: int | None
) -> list[Tensor]:
    """Gradients of a folded call, one for each operand in need, with the mapped dimension first."""
    given = iter(folded)
    operands = [operand for operand, is_needed in zip(parse(layout), needed, strict=True) if is_needed]
    found: list[Tensor] = []
    for number in dict.fromkeys(operand.piece for operand in operands):
        mine = [operand for operand in operands if operand.piece == number]
        if mine[0].place is None:
            for _, gradient in zip(mine, given, strict=False):
                found.append(gradient.reshape(count, batch, *gradient.shape[1:]) if batch is not None else gradient)
        else:
            each = [[next(given) for _ in mine] for _ in range(count)]
            found += [torch.stack(gradients) for gradients in zip(*each, strict=True)]
    return found


def scale(
    layout: str, gradients: Sequence[Tensor | None], upstream: Tensor, tensors: Sequence[Tensor]
) -> list[Tensor | None]:
    """Gradients for ones times the upstream gradient of the value, () or (B,), each in its tensor's dtype."""
    found: list[Tensor | None] = []
    for operand, gradient, tensor in zip(parse(layout), gradients, tensors, strict=True):
        if gradient is None:
            found.append(None)
            continue
        factor = upstream if operand.place is None else upstream[operand.place]
        factor = factor.to(gradient.dtype)
        factor = factor.reshape(factor.shape + (1,) * (gradient.ndim - factor.ndim))
        found.append(product(gradient, factor, tensor))
    return found


def inner(layout: str, gradients: Sequence[Tensor | None], tangents: Sequence[Tensor | None], like: Tensor) -> Tensor:
    """Gradients for ones times tangents of the operands, summed for each item: the tangent of the value ``like``."""
    total = torch.zeros_like(like)
    for operand, gradient, tangent in zip(parse(layout), gradients, tangents, strict=True):
        if gradient is None or tangent is None:
            continue
        each = (gradient * tangent.to(gradient.dtype)).to(like.dtype)
        if operand.place is not None:
            here = torch.zeros(len(like), dtype=like.dtype, device=like.device)
            here[operand.place] = 1.0
            total = total + each.sum() * here
        else:
            total = total + (each.flatten(like.ndim).sum(-1) if each.ndim > like.ndim else each)
    return total
