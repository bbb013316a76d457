"""CTC as the equation ``LSE[X] - LSE[X ∘ Y]``, beside ``torch.nn.functional.ctc_loss`` with its backward pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Array, Case, Contender, Outcome, Setting, Skipped, Target
from benchmarks.graphs import ctc_targets, log_softmax, tokens
from benchmarks.peers import gtn_trellis, k2_ctc, torch_ctc
from benchmarks.reference import log_normaliser, trellis_score

__all__ = ["LARGE", "LONG", "MEDIUM", "MEDIUM_300", "SMALL", "Size", "composed_ctc", "ctc", "ctc_loss"]

# Targets in stock: more than the calls that arcgrad remembers, so that none is met again while it is known.
POOL = 256

EXPONENTIAL = 10  # multiply-adds of an exponential


@dataclass(frozen=True)
class Size:
    """Items, frames, columns and labels."""

    batch: int
    frames: int
    columns: int
    labels: int


SMALL = Size(8, 500, 64, 50)
MEDIUM = Size(4, 1000, 1000, 100)
MEDIUM_300 = Size(4, 1000, 1000, 300)
LARGE = Size(16, 400, 5000, 80)
LONG = Size(1, 100_000, 100, 200)


def ctc(size: Size, setting: Setting, new_targets: bool = True, blank_bonus: float = 0.0) -> Case:
    """Loss and gradient by float32 log-probabilities; graph construction included.

    Args:
        size: of the batch.
        setting: of the run.
        new_targets: other targets at every call, or always the same.
        blank_bonus: added to the blank's scores before they are normalised, as a network in its first steps does.
    """
    size, log_probs, targets = _inputs(size, setting, new_targets, blank_bonus)
    equation = ag.compile("LSE[X] - LSE[X ∘ Y]", mode="fused")

    def graphs(step: int) -> list[ag.Graph]:
        return ctc_targets(targets(step))

    ag.warmup(equation, X=log_probs, Y=graphs(0))
    gradient = {"X": np.empty_like(log_probs)}

    def call(step: int) -> Any:
        return equation.value_and_grad(X=log_probs, Y=graphs(step), wrt="X", out=gradient)

    ratio = 8.0 if blank_bonus else 10.0
    target = Target("ratio", ratio) if size.batch > 1 else None
    return _case(call, size, log_probs, targets, graphs, setting, target)


def composed_ctc(setting: Setting) -> Case:
    """The same, with the alignments made in the equation from the token graph and the target."""
    size, log_probs, targets = _inputs(SMALL, setting, True, 0.0)
    equation = ag.compile("LSE[X] - LSE[X ∘ (T ∘ Y)]", mode="fused")
    token_graph = tokens(size.columns)
    ag.warmup(equation, X=log_probs, T=token_graph, Y=[ag.linear(row) for row in targets(0)])
    gradient = {"X": np.empty_like(log_probs)}

    def call(step: int) -> Any:
        lines = [ag.linear(row) for row in targets(step)]
        return equation.value_and_grad(X=log_probs, T=token_graph, Y=lines, wrt="X", out=gradient)

    def graphs(step: int) -> list[ag.Graph]:
        return ctc_targets(targets(step))

    return _case(call, size, log_probs, targets, graphs, setting, Target("ratio", 8.0))


def ctc_loss(size: Size, setting: Setting, blank_bonus: float = 0.0, from_logits: bool = False) -> Case:
    """``ag.torch.ctc_loss`` in the place of torch's own: the mean over items, and its backward pass to a leaf.

    Args:
        size: of the batch.
        setting: of the run.
        blank_bonus: as for ``ctc``.
        from_logits: the leaf holds logits: torch's loss stands behind ``log_softmax``, arcgrad's takes them as such.
    """
    torch = setting.modules.get("torch")
    if torch is None:
        raise Skipped("needs torch")
    size, log_probs, targets = _inputs(size, setting, True, blank_bonus)
    scores = log_probs + np.float32(3.0) if from_logits else log_probs  # any logits of these log-probabilities
    ag.warmup(ag.torch.ctc_loss)

    def contender(loss: Any, tolerance: tuple[float, float], frames_first: bool, **options: Any) -> Contender:
        given = torch.from_numpy(scores)
        leaf = given.transpose(0, 1).contiguous() if frames_first else given.clone().transpose(0, 1)
        leaf.requires_grad_()
        input_lengths = torch.full((size.batch,), size.frames)
        is_own = loss is ag.torch.ctc_loss

        def call(step: int) -> Any:
            labels = torch.from_numpy(targets(step))
            target_lengths = torch.full((size.batch,), size.labels)
            leaf.grad = None
            shown = leaf.log_softmax(-1) if from_logits and not is_own else leaf
            value = loss(shown, labels, input_lengths, target_lengths, **options)
            value.backward()
            return value.detach(), leaf.grad

        def outcome(raw: Any) -> Outcome:
            value, gradient = (each.numpy() for each in raw)
            gradient = gradient.transpose(1, 0, 2)
            if not from_logits and not is_own:  # torch's has the normaliser's besides
                gradient = gradient - np.exp(log_probs) / np.float32(size.batch * size.labels)
            return Outcome.of(value, {"X": gradient})

        return Contender(call, outcome, tolerance)

    def truth() -> Outcome:
        value, gradient = 0.0, np.zeros(scores.shape)
        for item, graph in enumerate(ctc_targets(targets(0))):
            aligned, shares, _ = trellis_score(graph, log_probs[item])
            value -= aligned
            gradient[item] = (np.exp(log_probs[item].astype(np.float64)) if from_logits else 0.0) - shares
        each = size.batch * size.labels
        return Outcome(np.asarray(value / each), {"X": gradient / each})

    work = float(size.frames * sum(graph.n_arcs for graph in ctc_targets(targets(0))))
    entries = size.batch * size.frames * size.columns
    exponentiated = entries if from_logits else size.batch * size.frames * (size.labels + 1)
    loss = torch.nn.functional.ctc_loss
    return Case(
        arcgrad=contender(ag.torch.ctc_loss, (1e-6, 1e-5), True, normalize=from_logits),
        peers={"torch": _faster([contender(loss, (1e-3, 2e-2), first) for first in (True, False)])},
        truth=truth,
        work=work,
        multiply_adds=3 * work + EXPONENTIAL * exponentiated,
        bytes=8.0 * entries,
        target=Target("ratio", 8.0 if blank_bonus else 10.0),
    )


def _inputs(
    size: Size, setting: Setting, new_targets: bool, blank_bonus: float
) -> tuple[Size, Array, Callable[[int], Array]]:
    if setting.quick:
        size = replace(size, frames=min(size.frames, 60), columns=min(size.columns, 50), labels=min(size.labels, 12))
    random = np.random.default_rng(0)
    scores = random.normal(size=(size.batch, size.frames, size.columns)).astype(np.float32)
    scores[:, :, 0] += np.float32(blank_bonus)
    stock = random.integers(1, size.columns, (POOL, size.batch, size.labels))
    return size, log_softmax(scores), lambda step: np.asarray(stock[step % POOL if new_targets else 0])


def _case(
    call: Callable[[int], Any],
    size: Size,
    log_probs: Array,
    targets: Callable[[int], Array],
    graphs: Callable[[int], list[ag.Graph]],
    setting: Setting,
    target: Target | None,
) -> Case:
    def truth() -> Outcome:
        values, gradient = log_normaliser(log_probs)
        for item, graph in enumerate(graphs(0)):
            aligned, shares, _ = trellis_score(graph, log_probs[item])
            values[item] -= aligned
            gradient[item] -= shares
        return Outcome(values, {"X": gradient})

    peers: dict[str, Contender] = {}
    modules = setting.modules
    if "torch" in modules:
        peers["torch"] = _faster([torch_ctc(modules["torch"], log_probs, targets, first) for first in (True, False)])
        if "k2" in modules:
            peers["k2"] = k2_ctc(modules["k2"], modules["torch"], log_probs, targets)
    if "gtn" in modules:
        peers["gtn"] = gtn_trellis(modules["gtn"], graphs, log_probs, -1.0)
    work = float(size.frames * sum(graph.n_arcs for graph in graphs(0)))
    entries = size.batch * size.frames * size.columns
    return Case(
        arcgrad=Contender(call, lambda raw: Outcome.of(raw[0], raw[1]), (1e-6, 1e-5)),
        peers=peers,
        truth=truth,
        work=work,
        # Forward, backward and posterior of each arc; an exponential for each score.
        multiply_adds=3 * work + EXPONENTIAL * entries,
        # Scores are read, and gradients written, once.
        bytes=8.0 * entries,
        target=target,
    )


def _faster(contenders: list[Contender]) -> Contender:
    """The one of two that takes less time: torch's loss depends on the layout of its input."""
    seconds = []
    for contender in contenders:
        contender.call(0)
        begin = time.process_time()
        contender.call(0)
        seconds.append(time.process_time() - begin)
    return contenders[int(np.argmin(seconds))]
