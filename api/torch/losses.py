"""Losses with the signatures of torch's own, as equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.compiler import is_dynamo_compiling

from arcgrad.grammar.errors import InputError, UnsupportedError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.builders.alignments import alignments
from arcgrad.torch.alignment_losses import Loss, direct_loss, kernels_of_losses, loss_by_equation
from arcgrad.torch.tensors import check_tensor, describe

__all__ = ["ctc_loss"]

_REDUCTIONS = ("none", "mean", "sum")


class _ShapeError(InputError, RuntimeError):
    """What torch's own loss refuses with a RuntimeError."""


class _KindError(InputError, TypeError):
    """What torch's own loss refuses with a TypeError."""


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
    *,
    true_gradient: bool = True,
    normalize: bool = False,
) -> Tensor:
    """The loss of connectionist temporal classification: −log of the sum over a target's alignments of their weights.

    It is the equation ``0 - LSE[X ∘ Y]`` of the scores X and the alignments Y (``ag.graphs.alignments``), and can take
    the place of ``torch.nn.functional.ctc_loss``. It differs where that is silent or refuses needlessly: a label out of
    range or equal to the blank raises; NaN and +∞ in log_probs raise; where a target has no alignment, the gradient is
    zero, not NaN, with or without ``zero_infinity``; bfloat16 and float16 are taken; and it is differentiable twice.

    float32 and float64 scores on the CPU are read as they lie in memory, whether as (T, N, C) or transposed, and the
    gradient is written in their layout, by the forward pass; a reduction's part of it is known then. So where the
    result is what ``backward`` is called on, nothing else passes over memory. ``ag.warmup(ag.torch.ctc_loss)`` compiles
    what this takes beforehand; first calls take the slower way of an equation until another process has compiled it.

    Args:
        log_probs: (T, N, C), or (T, C) without a batch: log-probabilities in nats of C labels at T steps. The loss is
            that of the scores as they are, whether they are normalised or not.
        targets: labels, (N, S), padded with anything, or all targets one after the other in one dimension, as
            without a batch.
        input_lengths: (N,) how many steps of each item count, as a tensor or a sequence of integers.
        target_lengths: (N,) how many labels each target has, of the same kind.
        blank: the label of the blank.
        reduction: "none", "sum", or "mean": each loss is divided by its target's length (1 where that is 0), and the
            mean taken of these.
        zero_infinity: losses of targets without an alignment become 0.
        true_gradient: the gradient with respect to log_probs is the loss's own: minus the expected counts. False adds
            torch's term, exp(log_probs): the gradient with respect to the logits, handed out as that with respect to
            log_probs. Behind ``log_softmax`` both lead to the same gradient.
        normalize: log_probs are logits, and ``log_softmax`` is part of the loss, ``LSE[X] - LSE[X ∘ Y]``: one pass
            over memory does what takes three behind ``log_softmax``.

    Returns:
        () or, without reduction, (N,); float64 for float64 scores, else float32.

    Raises:
        InputError: also the exception that torch raises: RuntimeError for shapes and lengths that do not fit, TypeError
            for arguments of a wrong type, ValueError for an unknown reduction.
        UnsupportedError: log_probs hold no real numbers; a NotImplementedError, as torch's.

    References:
        A. Graves and others, Connectionist Temporal Classification, ICML 2006.

    Example:
        >>> import arcgrad as ag, torch
        >>> log_probs = torch.zeros(3, 1, 4).log_softmax(-1)
        >>> loss = ag.torch.ctc_loss(log_probs, torch.tensor([[1, 2]]), [3], [2], reduction="sum")
        >>> round(torch.exp(-loss).item() * 4**3, 3)  # 112 122 012 102 120
        5.0
    """
    if is_dynamo_compiling():  # which calls it as it stands
        from arcgrad.torch.traced import untraced

        return untraced.ctc_loss(  # type: ignore[no-any-return]
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            blank,
            reduction,
            zero_infinity,
            true_gradient=true_gradient,
            normalize=normalize,
        )
    loss = Loss(blank, reduction, zero_infinity, true_gradient, normalize)
    found = direct_loss(log_probs, targets, input_lengths, target_lengths, loss)
    if found is not None:
        return found
    if not isinstance(reduction, str) or reduction not in _REDUCTIONS:
        raise InputError(f"reduction={shown(reduction)} is not a valid value: it is one of {', '.join(_REDUCTIONS)}")
    for name, value, kind in [
        ("log_probs", log_probs, Tensor),
        ("targets", targets, Tensor),
        ("blank", blank, int),
        ("zero_infinity", zero_infinity, bool),
        ("true_gradient", true_gradient, bool),
        ("normalize", normalize, bool),
    ]:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _KindError(f"{name} is {kind_of(value)}, but must be a {kind.__name__}")
    if normalize and not true_gradient:
        raise InputError(
            "true_gradient=False asks for the gradient with respect to the logits behind log_softmax, but with "
            "normalize=True there are none behind: give one of the two"
        )
    _check_scores(log_probs)
    n_steps, n_labels = log_probs.shape[0], log_probs.shape[-1]
    n_items = log_probs.shape[1] if log_probs.ndim == 3 else 1
    if not 0 <= blank < n_labels:
        raise _ShapeError(f"blank must be in label range: it is {blank}, but labels go from 0 to {n_labels - 1}")
    steps, counts = _lengths(input_lengths, target_lengths, n_items)
    _check_range(steps, "input_lengths", n_steps, f"the steps of log_probs, which has shape {tuple(log_probs.shape)}")
    graphs = alignments(_labels(targets, counts), blank, lengths=counts, n_labels=n_labels)
    try:
        return loss_by_equation(log_probs, graphs, steps, counts, loss)
    except InputError:
        _check_numbers(log_probs, steps)
        raise


def _check_numbers(log_probs: Tensor, steps: NDArray[np.int64]) -> None:
    """Say where the caller's scores hold what none can be, in the layout in which they were given."""
    plain = log_probs.detach().double()
    is_bad = plain.isnan() | (plain.abs() > 1e300) & (plain != -torch.inf)
    counting = torch.arange(len(plain))[:, None] < torch.from_numpy(steps)
    counting = counting.to(plain.device).reshape(plain.shape[:-1])
    try:
        places = (is_bad & counting.unsqueeze(-1)).nonzero().tolist()
        value = plain[tuple(places[0])].item() if places else None
    except RuntimeError:  # mapped: the numbers of one call are not to be seen
        return
    if places:
        place = ", ".join(map(str, places[0]))
        axes = "step, item, label" if plain.ndim == 3 else "step, label"
        raise InputError(
            f"log_probs[{place}] ({axes}) is {value} ({describe(log_probs)}), but scores must be real numbers up to "
            f"1e+300 or −inf, never NaN or +inf"
        ) from None


def _check_scores(log_probs: Tensor) -> None:
    if not log_probs.dtype.is_floating_point:
        raise UnsupportedError(f"log_probs has {describe(log_probs)}: ctc_loss is not implemented for it")
    if log_probs.ndim not in (2, 3):
        raise _ShapeError(f"log_probs has {describe(log_probs)}, but must have shape (T, N, C) or (T, C)")
    check_tensor(log_probs, "log_probs")
    if log_probs.numel() == 0:
        raise _ShapeError(f"log_probs tensor must not be empty, but has {describe(log_probs)}")


def _lengths(input_lengths: Any, target_lengths: Any, n_items: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both lengths as (N,); of one kind, as torch demands."""
    given = [("input_lengths", input_lengths), ("target_lengths", target_lengths)]
    are_tensors = [isinstance(value, Tensor) for _, value in given]
    found = []
    for name, value in given:
        if not all(are_tensors) and (
            any(are_tensors)
            or not isinstance(value, (list, tuple))
            or any(not isinstance(each, int) or isinstance(each, bool) for each in value)
        ):
            raise _KindError(
                f"{name} is {shown(value)} ({type(value).__name__}), but both lengths must be tensors, or both "
                f"sequences of integers"
            )
        if isinstance(value, Tensor):
            if value.is_floating_point() or value.is_complex():
                raise _ShapeError(f"{name} must be integral, but has {describe(value)}")
            size, what = value.numel(), describe(value)
            array = _integers(value, name).reshape(-1)
        else:
            size, what = len(value), f"{len(value)} of them"
            if any(abs(each) >= 2**63 for each in value):
                raise _KindError(f"{name} is {shown(value)}, but a length is a number of 64 bits")
            array = np.array(value, dtype=np.int64)
        if size != n_items:
            raise _ShapeError(f"{name} must be of size batch_size, {n_items}, but has {what}")
        found.append(array)
    return found[0], found[1]


def _integers(tensor: Tensor, name: str) -> NDArray[np.int64]:
    """The numbers in a tensor, also where it was made within a transform of ``torch.func`` that does not batch it."""
    plain = tensor.detach().cpu()
    try:
        found: NDArray[np.int64] = plain.numpy().astype(np.int64)
        return found
    except (RuntimeError, TypeError):
        try:
            return np.array(plain.tolist(), dtype=np.int64).reshape(tuple(plain.shape))
        except RuntimeError as error:
            raise _ShapeError(f"{name} holds no numbers that can be read here: {error}") from error


def _check_range(lengths: NDArray[np.int64], name: str, most: int, what: str) -> None:
    if lengths.size and (lengths.min() < 0 or lengths.max() > most):
        item = int(np.argmax((lengths < 0) | (lengths > most)))
        raise _ShapeError(f"{name}[{item}] is {int(lengths[item])}, but must be from 0 to {most}, {what}")


def _labels(targets: Tensor, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Targets as (N, S), or one after the other."""
    if targets.is_complex():
        raise _ShapeError(f"targets has {describe(targets)}, but labels are integers")
    labels = _integers(targets, "targets")
    if labels.ndim not in (1, 2):
        raise _ShapeError(f"targets has {describe(targets)}, but must have shape (N, S) or one dimension")
    what = f"the labels of targets, which has shape {tuple(targets.shape)}"
    if labels.ndim == 2:
        _check_range(counts, "target_lengths", labels.shape[1], what)
        if len(labels) != len(counts):
            raise _ShapeError(f"targets has {len(labels)} rows, but log_probs has {len(counts)} items")
    else:
        _check_range(counts, "target_lengths", len(labels), what)
        if int(counts.sum()) != len(labels):
            raise _ShapeError(
                f"target_lengths sum up to {int(counts.sum())}, but targets, of one dimension, has {len(labels)} labels"
            )
    return labels


ctc_loss.kernels_of_its_own = kernels_of_losses  # type: ignore[attr-defined]
