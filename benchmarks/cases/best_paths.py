"""``PATH`` of dense compositions beside ``MAX`` of the same, which finds the weight and no path.

The best alignment of a target, and the best words of a lexicon, by float32 scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Array, Case, Contender, Outcome, Setting, Target
from benchmarks.graphs import ctc_target, tokens

__all__ = ["path_lexicon", "path_long", "path_symbols"]


def path_symbols(setting: Setting) -> Case:
    """3,000 frames of 500 symbols, a target of 200."""
    return _alignment(setting.pick(3000, 60), setting.pick(500, 20), setting.pick(200, 8))


def path_long(setting: Setting) -> Case:
    """100,000 frames of 201 symbols, a target of 200: choices of 160 MB, of which 64 MB are kept at a time."""
    return _alignment(setting.pick(100_000, 200), setting.pick(201, 20), setting.pick(200, 8))


def path_lexicon(setting: Setting) -> Case:
    """150 frames, CTC's tokens, and a flat lexicon of 2,000 words of 3 to 8 letters out of 28."""
    random = np.random.default_rng(0)
    words = [random.integers(1, 29, random.integers(3, 9)) for _ in range(setting.pick(2000, 20))]
    arcs: list[tuple[int, int, int, int, float]] = []
    n_states = 1
    for number, letters in enumerate(words):
        state = 0
        for k, letter in enumerate(letters):
            is_last = k == len(letters) - 1
            following = 0 if is_last else n_states
            n_states += not is_last
            arcs.append((state, following, int(letter), number if is_last else -1, -1.0 if is_last else 0.0))
            state = following
    graphs = {"T": tokens(29), "L": ag.Graph.from_arcs(arcs, start=[0], accept=[0], n_states=n_states)}
    scores = random.normal(size=(setting.pick(150, 20), 29)).astype(np.float32)
    return _case("X ∘ (T ∘ L)", scores, graphs, ag.compile("T ∘ L")(graphs))


def _alignment(n_frames: int, n_columns: int, n_labels: int) -> Case:
    random = np.random.default_rng(0)
    target = ctc_target(random.integers(1, n_columns, n_labels))
    scores = random.standard_normal((n_frames, n_columns), dtype=np.float32)
    return _case("X ∘ Y", scores, {"Y": target}, target)


def _case(composition: str, scores: Array, graphs: dict[str, ag.Graph], composed: ag.Graph) -> Case:
    given: dict[str, Any] = {"X": scores, **graphs}
    equation, weight = (ag.compile(f"{name}[{composition}]", mode="fused") for name in ("PATH", "MAX"))

    def truth() -> Outcome:
        best = np.full(composed.n_states, -np.inf)
        best[composed.start] = 0.0
        for frame in scores.astype(np.float64):
            reached = best[composed.src] + composed.weight + frame[composed.ilabel]
            best = np.full(composed.n_states, -np.inf)
            np.maximum.at(best, composed.dst, reached)
        return Outcome.of(best[composed.accept].max())

    work = float(len(scores) * composed.n_arcs)
    return Case(
        arcgrad=Contender(lambda step: equation(given), lambda raw: Outcome.of(raw.arc_weight.sum()), (1e-9, 0.0)),
        peers={"MAX": Contender(lambda step: weight(given), Outcome.of)},
        truth=truth,
        work=work,
        multiply_adds=2.0 * work,
        bytes=4.0 * scores.size + 4.0 * len(scores) * composed.n_states,
        target=Target("ratio", 0.5),
    )
