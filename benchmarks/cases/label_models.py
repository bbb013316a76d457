"""Label models met with frames: dense and back-off n-grams over 28 symbols; gradients by scores and by the model."""

from __future__ import annotations

from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Case, Contender, Outcome, Setting, Target
from benchmarks.graphs import backoff_model, dense_model
from benchmarks.peers import gtn_trellis
from benchmarks.reference import trellis_score

__all__ = ["backoff_bigram", "backoff_trigram", "dense_bigram", "dense_trigram"]

SYMBOLS = 28


def dense_trigram(setting: Setting) -> Case:
    """Every state is entered from 28 states by one label, and they are not neighbours: sparse rows."""
    return _case(dense_model(3, setting.pick(SYMBOLS, 4), np.random.default_rng(0)), 1, setting, Target("arcs", 150e6))


def backoff_trigram(setting: Setting) -> Case:
    """Two levels of ε arcs within each frame."""
    if setting.quick:
        model = backoff_model(5, 10, 20, np.random.default_rng(0))
    else:
        model = backoff_model(SYMBOLS, 400, 3000, np.random.default_rng(0))
    return _case(model, 2, setting, Target("arcs", 150e6))


def dense_bigram(setting: Setting) -> Case:
    """A dense block of 28 by 28."""
    return _case(dense_model(2, setting.pick(SYMBOLS, 4), np.random.default_rng(0)), 4, setting, Target("arcs", 500e6))


def backoff_bigram(setting: Setting) -> Case:
    """The last symbol is known or it is not: half the pairs have an arc, one level of ε arcs."""
    random = np.random.default_rng(0)
    n = setting.pick(SYMBOLS, 4)
    src, label = np.divmod(np.sort(random.choice(n * n, n * n // 2, replace=False)), n)
    everyone = np.arange(n)
    table = np.concatenate(
        [
            np.stack([np.zeros(n, dtype=np.int64), 1 + everyone, everyone]),
            np.stack([1 + src, 1 + label, label]),
            np.stack([1 + everyone, np.zeros(n, dtype=np.int64), np.full(n, -1)]),
        ],
        axis=1,
    )
    states = np.arange(n + 1)
    weight = random.normal(-2.0, 1.0, table.shape[1])
    return _case(
        ag.Graph(table[0], table[1], table[2], weight=weight, start=states, accept=states),
        4,
        setting,
        Target("arcs", 150e6),
    )


def _case(model: ag.Graph, batch: int, setting: Setting, target: Target) -> Case:
    n_frames, n_symbols = setting.pick(200, 20), int(model.ilabel.max()) + 1
    scores = np.random.default_rng(1).normal(size=(batch, n_frames, n_symbols)).astype(np.float32)
    equation = ag.compile("LSE[X ∘ Y]", mode="fused")

    def call(step: int) -> Any:
        return equation.value_and_grad(X=scores, Y=model)

    def truth() -> Outcome:
        values, by_scores, by_arcs = zip(*(trellis_score(model, item) for item in scores), strict=True)
        return Outcome.of(values, {"X": np.stack(by_scores), "Y": np.sum(by_arcs, axis=0)})

    peers: dict[str, Contender] = {}
    if "gtn" in setting.modules:
        peers["gtn"] = gtn_trellis(setting.modules["gtn"], lambda step: [model] * batch, scores)
    work = float(batch * n_frames * model.n_arcs)
    return Case(
        arcgrad=Contender(call, lambda raw: Outcome.of(raw[0], raw[1]), (1e-6, 1e-5)),
        peers=peers,
        truth=truth,
        work=work,
        multiply_adds=3 * work + 10 * scores.size,
        bytes=8.0 * scores.size + 16.0 * batch * n_frames * model.n_states,
        target=target,
    )
