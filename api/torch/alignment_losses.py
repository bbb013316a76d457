"""The loss of a batch of targets under their alignments: directly by the kernels, or as an equation of tensors.

The direct way reads scores and writes gradients where they lie, and the forward pass has the gradient ready, the
reduction's part included. What it does not do is left to the equation, by `arcgrad.torch.functions`: other dtypes and
devices, second derivatives, ``torch.func``'s transforms, scores that are none, kernels that are not compiled yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import inf, isnan
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arcgrad.runtime.call.losses.aligned import (
    FILLED_BY_EXPONENTIALS,
    FILLED_BY_NOTHING,
    FILLED_BY_SHARES,
    Alignments,
    Rows,
    kernels,
    kernels_called_late,
    patience,
)
from arcgrad.runtime.data.builders.alignments import alignments
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.jit.background.process import background
from arcgrad.runtime.jit.background.waiting import NotCompiled, compiling
from arcgrad.torch.functions import compile
from arcgrad.torch.tensors import lend, room
from arcgrad.torch.traced.transforms import is_transformed

__all__ = ["Loss", "direct_loss", "kernels_of_losses", "loss_by_equation"]

_LOSS, _NORMALIZED_LOSS = "0 - LSE[log_probs ∘ targets]", "LSE[log_probs] - LSE[log_probs ∘ targets]"

_DTYPES = {torch.float32: "f", torch.float64: "d"}
_INTEGERS = torch.int64, torch.int32
# Up to which the C library has memory ready that was used before.
_MANY_NUMBERS = 1 << 20
# Well within what float32 holds.
_LARGE = 1e38
_TENSORS = Tensor, torch.nn.Parameter

# By autograd, with many upstream gradients at once.
_is_mapped = getattr(getattr(torch._C, "_functorch", None), "is_legacy_batchedtensor", lambda tensor: False)
_is_compiling = torch.compiler.is_compiling


class Loss(NamedTuple):
    """What is asked for; as of ``ctc_loss``."""

    blank: int
    reduction: str
    zero_infinity: bool
    true_gradient: bool
    normalize: bool


def direct_loss(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, loss: Loss) -> Tensor | None:
    """The loss by the kernels; None where anything about the arguments is unusual, or wrong.

    Looking at arguments takes as long as computing a small loss, so this is what the usual ones need, and who gets None
    looks closer.
    """
    if type(log_probs) in _TENSORS and log_probs.ndim == 2:  # without a batch
        found = direct_loss(log_probs.unsqueeze(1), targets, input_lengths, target_lengths, loss)
        return None if found is None else found.reshape(())
    blank, reduction, zero_infinity, true_gradient, normalize = loss
    if type(log_probs) not in _TENSORS or type(targets) is not Tensor or log_probs.ndim != 3:
        return None
    dtype = _DTYPES.get(log_probs.dtype)
    n_steps, n_items, n_columns = log_probs.shape
    if (
        dtype is None
        or log_probs.layout is not torch.strided
        or not (log_probs.is_cpu and targets.is_cpu)
        or not (type(blank) is int and 0 <= blank < n_columns)
        or reduction not in ("mean", "sum", "none")
        or not (type(zero_infinity) is type(true_gradient) is type(normalize) is bool)
        or (normalize and not true_gradient)
        or targets.dtype not in _INTEGERS
        or type(input_lengths) is not type(target_lengths)
        or n_steps == 0
        or n_items == 0
        or is_transformed()
        or _is_compiling()
    ):
        return None
    steps, counts = _lengths(input_lengths, n_items), _lengths(target_lengths, n_items)
    if steps is None or counts is None:
        return None
    labels = np.array(targets.detach().numpy(), dtype=np.int64)  # a copy: they are asked for again
    row = -1
    if labels.ndim == 2 and len(labels) == n_items:
        row = widest = labels.shape[1]
        labels = labels.reshape(-1)
    elif labels.ndim == 1:
        widest = max(0, min(int(counts.max()), len(labels)))
    else:
        return None
    given = Alignments(labels, row, counts, widest, steps, blank)
    if not patience.ends_for(*kernels(dtype), also=kernels_called_late):
        return None
    try:
        if log_probs.requires_grad and torch.is_grad_enabled():
            return _Loss.apply(log_probs, given, loss)  # type: ignore[no-any-return,no-untyped-call]
        return _evaluate(log_probs, given, loss, False)[0]
    except _NotDirect:
        return None


def _lengths(given: Any, n_items: int) -> NDArray[np.int64] | None:
    """Lengths of the usual kind, not looked at; or None."""
    if type(given) is Tensor:
        if given.dtype not in _INTEGERS or not given.is_cpu or given.numel() != n_items:
            return None
        return np.array(given.detach().numpy(), dtype=np.int64).reshape(-1)
    if type(given) not in (tuple, list) or len(given) != n_items or set(map(type, given)) != {int}:
        return None
    return None if min(given) < 0 or max(given) > 2**62 else np.array(given, dtype=np.int64)


class _NotDirect(Exception):  # noqa: N818 - a signal
    """The equation has to say what is wrong with the arguments, or to do without kernels."""


def _evaluate(log_probs: Tensor, given: Alignments, loss: Loss, want: bool) -> tuple[Tensor, Tensor | None]:
    """The result and, if wanted, the gradient of the scores, of their layout."""
    plain = log_probs.detach()
    frames = None if plain.is_neg() else _rows(plain)
    if frames is None:
        frames = _rows(torch.from_numpy(lend(plain)))
        assert frames is not None
    gradient = to = None
    if want:
        gradient = _empty_like(plain)
        to = _rows(gradient)
        if to is None:  # columns do not lie side by side
            gradient = room(plain.shape, plain.dtype)
            to = _rows(gradient)
    fill = FILLED_BY_SHARES if loss.normalize else FILLED_BY_NOTHING if loss.true_gradient else FILLED_BY_EXPONENTIALS
    # Made before the kernel runs, which fills the processor's caches; lists behind it, for the same reason.
    is_reduced = loss.reduction != "none"
    value = np.empty(() if is_reduced else len(given.counts), frames.matrix.dtype)
    result = torch.from_numpy(value)
    is_mean = loss.reduction == "mean"
    try:
        with compiling(False):
            found = given.evaluate(frames, to, fill, is_mean=is_mean)
    except NotCompiled as missing:  # what only some scores ask for
        if background.takes(missing.code):
            raise _NotDirect from None
        found = given.evaluate(frames, to, fill, is_mean=is_mean)  # which compiles it
    if found is None:
        raise _NotDirect
    losses = [0.0 - score for score in found[0].tolist()]
    total = sum(losses)
    if not total < inf:
        if isnan(total):
            raise _NotDirect
        if loss.zero_infinity:
            losses = [each if each < inf else 0.0 for each in losses]
    if is_mean:
        losses = [each * share for each, share in zip(losses, found[1].tolist(), strict=True)]
    total = sum(losses)
    if min(total, *losses) > -_LARGE and max(total, *losses) < _LARGE:
        value[...] = total if is_reduced else losses
    else:
        with np.errstate(over="ignore"):  # float32 holds less
            value[...] = total if is_reduced else losses
    return result, gradient


def _rows(scores: Tensor) -> Rows | None:
    if scores.is_contiguous():
        n_steps, n_items, n_columns = scores.shape
        matrix = scores.numpy().reshape(n_steps * n_items, n_columns)
        return Rows(matrix, _numbers(n_items), n_items, n_steps, n_columns)
    return Rows.of(scores.numpy().transpose(1, 0, 2))


@lru_cache(maxsize=16)
def _numbers(count: int) -> NDArray[np.int64]:
    return np.arange(count, dtype=np.int64)


def _empty_like(scores: Tensor) -> Tensor:
    """Memory of the scores' layout, as autograd wants a gradient, with anything in it."""
    if scores.numel() < _MANY_NUMBERS:
        return torch.empty_like(scores)
    if scores.is_contiguous():
        return room(scores.shape, scores.dtype)
    strides = torch.empty_like(scores, device="meta").stride()
    return room([scores.numel()], scores.dtype).as_strided(scores.shape, strides)


class _Loss(torch.autograd.Function):
    """Scores → the result; the gradient for 1 is computed with it, and handed out by the first backward pass."""

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, given: Alignments, loss: Loss) -> Tensor:
        value, ctx.gradient = _evaluate(log_probs, given, loss, True)
        ctx.given, ctx.loss = given, loss
        ctx.save_for_backward(log_probs)
        return value

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        (log_probs,) = ctx.saved_tensors
        is_followed = torch.is_grad_enabled()
        # A second derivative may follow, or the upstream gradient be more than its numbers.
        if is_followed or is_transformed() or _is_mapped(upstream[0]):
            with torch.enable_grad():
                value = _by_equation(log_probs, ctx.given, ctx.loss)
            (found,) = torch.autograd.grad(value, log_probs, upstream[0], create_graph=is_followed)
            return found, None, None
        # What is kept elsewhere, autograd would have to copy; a second backward pass computes it again.
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            _, gradient = _evaluate(log_probs, ctx.given, ctx.loss, True)
            assert gradient is not None
        return _scaled(gradient, upstream[0]), None, None


def _scaled(gradient: Tensor, upstream: Tensor) -> Tensor:
    """The gradient for 1, times the upstream gradient, () or (N,), in its own memory."""
    if upstream.ndim == 0:
        factor = upstream.item()
        return gradient if factor == 1.0 else gradient.mul_(factor)
    if bool((upstream == 1.0).all()):
        return gradient
    return gradient.mul_(upstream.to(gradient.dtype)[None, :, None])


def _by_equation(log_probs: Tensor, given: Alignments, loss: Loss) -> Tensor:
    """The loss as an equation, of arguments that the kernels have been through."""
    labels, counts = given.labels, given.counts
    if given.row >= 0:
        labels = labels.reshape(len(counts), given.row)
    graphs = alignments(labels, given.blank, lengths=counts, n_labels=log_probs.shape[-1])
    return loss_by_equation(log_probs, graphs, given.steps, counts, loss)


def kernels_of_losses() -> list[Any]:
    """The kernels of the direct way, for both dtypes."""
    return list(dict.fromkeys([*kernels("f"), *kernels("d")]))


def loss_by_equation(
    log_probs: Tensor, graphs: Sequence[Graph], steps: NDArray[np.int64], counts: NDArray[np.int64], loss: Loss
) -> Tensor:
    """The loss of scores (T, N, C) or (T, C), the first steps of each item, under these graphs, as an equation."""
    is_batch = log_probs.ndim == 3
    scores = log_probs.transpose(0, 1) if is_batch else log_probs.unsqueeze(0)
    n_steps = scores.shape[1]
    lengths = None if bool((steps == n_steps).all()) else steps
    equation = compile(_NORMALIZED_LOSS if loss.normalize else _LOSS)
    with patience.tried():
        losses = equation({"log_probs": (scores, lengths), "targets": graphs})
    if not loss.true_gradient:
        inside = torch.arange(n_steps) < torch.from_numpy(steps)[:, None]
        losses = _LikeLogits.apply(losses, scores, inside.to(scores.device))  # type: ignore[no-untyped-call]
    if loss.zero_infinity:
        losses = torch.where(losses == torch.inf, torch.zeros_like(losses), losses)
    if loss.reduction == "mean":
        return (losses / torch.from_numpy(np.maximum(counts, 1)).to(losses)).mean()
    if loss.reduction == "sum":
        return losses.sum()
    return losses if is_batch else losses.squeeze(0)


class _LikeLogits(torch.autograd.Function):
    """Losses as they are; the gradient with respect to the scores has exp(scores) added, as torch's own loss has it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(losses: Tensor, scores: Tensor, inside: Tensor) -> Tensor:
        return losses.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        added = _exponentials(*ctx.saved_tensors)
        return upstream, added * upstream.to(added.dtype)[:, None, None], None

    @staticmethod
    def jvp(ctx: Any, losses: Tensor, scores: Tensor, inside: Any) -> Tensor:
        return losses + (_exponentials(*ctx.saved_tensors) * scores).sum((1, 2)).to(losses.dtype)


def _exponentials(losses: Tensor, scores: Tensor, inside: Tensor) -> Tensor:
    """exp(scores) of the steps that count; zero where there is no alignment, and so no gradient either."""
    counting = inside & (losses < torch.inf)[:, None]
    return torch.where(counting[:, :, None], scores.exp(), torch.zeros_like(scores))
