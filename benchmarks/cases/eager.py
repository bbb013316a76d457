"""Small calls through torch's autograd: what ``ag.torch`` costs beside the routine, and autograd by itself."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Case, Contender, Outcome, Setting, Skipped
from benchmarks.cases.tiny import sausage
from benchmarks.reference import graph_score

__all__ = ["torch_call"]


def torch_call(setting: Setting, *, backward: bool) -> Case:
    """``LSE[A]`` of ten arcs whose weights are a tensor that requires a gradient.

    Args:
        setting: of the run.
        backward: with the backward pass; without, the forward pass has computed the gradient already.

    The peers are the same by ``value_and_grad(out=…)``, and a function of autograd's that computes next to nothing.
    """
    torch = setting.modules.get("torch")
    if torch is None:
        raise Skipped("needs torch")
    graph = sausage(np.random.default_rng(0))
    weights = torch.tensor(graph.weight, requires_grad=True)
    score = ag.torch.compile("LSE[A]", mode="fused")
    out = {"A": np.empty(graph.n_arcs)}

    def through(function: Any) -> Any:
        def call(step: int) -> Any:
            value = function()
            if not backward:
                return value, None
            value.backward()
            gradient, weights.grad = weights.grad, None
            return value, gradient

        return call

    class Nothing(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, given: Any) -> Any:
            ctx.save_for_backward(given)
            return given[0].clone()

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return ctx.saved_tensors[0] * upstream

    def outcome(raw: Any) -> Outcome:
        value, gradient = raw
        return Outcome.of([value.detach()], {} if gradient is None else {"A": gradient})

    def truth() -> Outcome:
        value, by_arcs = graph_score(graph)
        return Outcome.of([value], {"A": by_arcs})

    routine = partial(score.equation.value_and_grad, A=graph, out=out)
    return Case(
        arcgrad=Contender(through(lambda: score(A=(graph, weights))), outcome, (1e-9, 1e-9)),
        peers={
            "routine": Contender(lambda step: routine(), lambda raw: Outcome.of([raw[0]], {"A": raw[1]["A"]})),
            "autograd": Contender(
                through(lambda: Nothing.apply(weights)), lambda raw: truth()
            ),  # it computes nothing that could be compared
        },
        truth=truth,
        work=float(graph.n_arcs),
        multiply_adds=13.0 * graph.n_arcs,
        bytes=0.0,
    )
