"""Hessian-vector products beside the gradients of the same scores."""

from __future__ import annotations

from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Array, Case, Contender, Outcome, Setting, Target
from benchmarks.graphs import chain_crf, lattice
from benchmarks.reference import graph_score, trellis_score

__all__ = ["crf_product", "lattice_product"]

# The product takes at most six times as long as the gradient, which stands where other libraries do in other cases.
_TARGET = Target("ratio", 1 / 6)
_STEP = 1e-4
_NO_VALUE = np.zeros(0)


def lattice_product(setting: Setting) -> Case:
    """The Hessian of ``LSE[A]`` times a vector, new weights at every call."""
    random = np.random.default_rng(0)
    graph = lattice(setting.pick(100_001, 101), 10, 30, random)
    weights = [graph.weight, *random.normal(-1.0, 1.0, (3, graph.n_arcs))]
    vector = random.normal(size=graph.n_arcs)
    equation = ag.compile("LSE[A]", mode="fused")

    def at(step: int) -> ag.Graph:
        return graph.with_weight(weights[step % len(weights)])

    def truth() -> Outcome:
        ends = [graph_score(graph.with_weight(graph.weight + step * vector))[1] for step in (_STEP, -_STEP)]
        return Outcome.of(_NO_VALUE, {"A": (ends[0] - ends[1]) / (2 * _STEP)})

    return Case(
        arcgrad=Contender(
            lambda step: equation.hvp(vector, A=at(step), wrt="A"),
            lambda raw: Outcome.of(_NO_VALUE, {"A": raw}),
            (0.0, 1e-6),
        ),
        peers={"gradient": Contender(lambda step: equation.value_and_grad(A=at(step)), lambda raw: Outcome(_NO_VALUE))},
        truth=truth,
        work=float(graph.n_arcs),
        multiply_adds=(4 * 3.0 + 10.0) * graph.n_arcs,
        bytes=2 * (8.0 + 8.0 + 2 * 16.0 + 8.0) * graph.n_arcs,  # twice those of the gradient
        target=_TARGET,
    )


def crf_product(setting: Setting) -> Case:
    """The Hessian of a linear-chain CRF's log-partition, B=16, T=200, 64 tags, times a vector, in float64."""
    batch, n_frames, n_tags = setting.pick(16, 2), setting.pick(200, 20), setting.pick(64, 8)
    random = np.random.default_rng(0)
    scores = random.normal(size=(batch, n_frames, n_tags))
    graph = chain_crf(random.normal(size=(n_tags, n_tags)))
    vector = {"X": random.normal(size=scores.shape), "Y": random.normal(size=graph.n_arcs)}
    equation = ag.compile("LSE[X ∘ Y]", mode="fused")

    def moved(step: float) -> tuple[Array, Array]:
        there = graph.with_weight(graph.weight + step * vector["Y"])
        found = [trellis_score(there, item + step * v) for item, v in zip(scores, vector["X"], strict=True)]
        return np.stack([each[1] for each in found]), np.sum([each[2] for each in found], axis=0)

    def truth() -> Outcome:
        ends = moved(_STEP), moved(-_STEP)
        by_scores, by_arcs = ((one - other) / (2 * _STEP) for one, other in zip(*ends, strict=True))
        return Outcome.of(_NO_VALUE, {"X": by_scores, "Y": by_arcs})

    def product(step: int) -> Any:
        return equation.hvp(vector, X=scores, Y=graph)

    work = float(batch * ((n_frames - 1) * n_tags * n_tags + n_tags))
    return Case(
        arcgrad=Contender(product, lambda raw: Outcome.of(_NO_VALUE, raw), (0.0, 1e-6)),
        peers={
            "gradient": Contender(
                lambda step: equation.value_and_grad(X=scores, Y=graph), lambda raw: Outcome(_NO_VALUE)
            )
        },
        truth=truth,
        work=work,
        multiply_adds=4 * 3 * work + 10 * scores.size,
        bytes=4 * 8.0 * scores.size + 32.0 * batch * n_frames * n_tags,
        target=_TARGET,
    )
