"""A linear-chain CRF: log-partition and its gradients by scores and transitions."""

from __future__ import annotations

from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Case, Contender, Outcome, Setting, Target
from benchmarks.graphs import chain_crf
from benchmarks.peers import torch_crf, torch_struct_crf
from benchmarks.reference import trellis_score

__all__ = ["linear_chain"]


def linear_chain(setting: Setting) -> Case:
    """B=16, T=200, 64 tags, float32 scores."""
    batch, n_frames, n_tags = setting.pick(16, 2), setting.pick(200, 20), setting.pick(64, 8)
    random = np.random.default_rng(0)
    scores = random.normal(size=(batch, n_frames, n_tags)).astype(np.float32)
    transitions = random.normal(size=(n_tags, n_tags)).astype(np.float32)
    graph = chain_crf(transitions.astype(np.float64))
    equation = ag.compile("LSE[X ∘ Y]", mode="fused")

    def call(step: int) -> Any:
        return equation.value_and_grad(X=scores, Y=graph)

    def split(value: Any, by_scores: Any, by_arcs: Any) -> Outcome:
        return Outcome.of(value, {"X": by_scores, "transitions": by_arcs[n_tags:].reshape(n_tags, n_tags)})

    def truth() -> Outcome:
        values, by_scores, by_arcs = zip(*(trellis_score(graph, item) for item in scores), strict=True)
        return split(values, np.stack(by_scores), np.sum(by_arcs, axis=0))

    peers: dict[str, Contender] = {}
    modules = setting.modules
    if "torch" in modules:
        peers["torch"] = torch_crf(modules["torch"], scores, transitions)
        if "torch_struct" in modules:
            peers["torch_struct"] = torch_struct_crf(modules["torch"], modules["torch_struct"], scores, transitions)
    work = float(batch * ((n_frames - 1) * n_tags * n_tags + n_tags))
    return Case(
        arcgrad=Contender(call, lambda raw: split(raw[0], raw[1]["X"], raw[1]["Y"]), (1e-6, 1e-5)),
        peers=peers,
        truth=truth,
        work=work,
        multiply_adds=3 * work + 10 * scores.size,
        bytes=8.0 * scores.size + 16.0 * batch * n_frames * n_tags,  # and forward scores, written and read
        target=Target("ratio", 5.0),
    )
