"""What the hunt draws: small graphs of every format, and weights and frames of extreme magnitudes in several moods.

A mood says how magnitudes are spread over a draw. Where everything comes from the whole set of magnitudes, one path
nearly always stands alone: so most moods draw ordinary weights, and a single difficulty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from support.ctc_graphs import alignment_graph

from arcgrad.compiler.graphs.topology import Topology

__all__ = ["MOODS", "SHAPES", "Sizes", "draw_frames", "draw_scores", "draw_shape"]

Floats = NDArray[np.float64]
Rng = np.random.Generator

SIZES = np.array([0.0, 1.0, 45.0, 300.0, 700.0, 745.0, 1000.0, 1e4])
MAGNITUDES = np.concatenate([SIZES, -SIZES[1:]])
BRINKS = np.log(2.0) * np.array([100.0, 250.0, 300.0, 450.0, 660.0, 1000.0, 1022.0, 1074.0])
"""The bits at which kernels decide something, and float64's range, in nats."""

SHORT = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16]
LONG = [47, 48, 49, 50, 95, 96, 97, 100]
"""Numbers of frames around those of blocks. Long ones cost as much as ten short ones."""


# -- graphs -----------------------------------------------------------------------------------------------------------


def _ends(rng: Rng, n_states: int) -> tuple[list[int], list[int]]:
    """Draw starts and accepts: one of each, several, or all."""

    def some() -> list[int]:
        kind = rng.integers(4)
        if kind == 0:
            return list(range(n_states))
        count = 1 if kind < 3 else int(rng.integers(1, n_states + 1))
        return sorted(rng.choice(n_states, count, replace=False).tolist())

    return some(), some()


def loop(rng: Rng, n_columns: int) -> Topology:
    """One state and its loop, or several."""
    labels = rng.choice(n_columns, int(rng.integers(1, min(3, n_columns) + 1)), replace=bool(rng.integers(2)))
    return Topology.make(1, 0 * labels, 0 * labels, labels, None, [0], [0])


def pair(rng: Rng, n_columns: int) -> Topology:
    """Two states, loops and arcs between them, at times parallel, at times ε from the first to the second."""
    n_arcs = int(rng.integers(2, 7))
    src, dst = rng.integers(0, 2, (2, n_arcs))
    label = rng.integers(0, n_columns, n_arcs)
    if rng.integers(2):
        label = (dst if rng.integers(2) else np.zeros(n_arcs, dtype=np.int64)) % n_columns
    if rng.random() < 0.3:
        label[(src < dst) & (rng.random(n_arcs) < 0.5)] = -1
    start, accept = _ends(rng, 2)
    return Topology.make(2, src, dst, label, None, start, accept)


def arcs(rng: Rng, n_columns: int, silent: float = 0.0) -> Topology:
    """Any arcs between a few states, so that these are entered with several labels; some with a label that is none."""
    n_states = int(rng.integers(3, 7))
    n_arcs = int(rng.integers(n_states, 4 * n_states))
    src, dst = rng.integers(0, n_states, (2, n_arcs))
    label = rng.integers(0, n_columns + (rng.random() < 0.1), n_arcs)
    order = rng.permutation(n_states)  # ε arcs need not lead to later numbers
    label[(rng.random(n_arcs) < silent) & (order[src] < order[dst])] = -1
    start, accept = _ends(rng, n_states)
    return Topology.make(n_states, src, dst, label, None, start, accept)


def with_silent(rng: Rng, n_columns: int) -> Topology:
    """As `arcs`, ε arcs among them; or a full matrix with a chain of them."""
    if rng.random() < 0.8:
        return arcs(rng, n_columns, silent=0.5)
    full = matrix(rng, n_columns)
    n = full.n_states
    src, dst = np.arange(n - 1), np.arange(1, n)
    label = np.concatenate([full.ilabel, np.full(n - 1, -1)])
    ends = np.concatenate([full.src, src]), np.concatenate([full.dst, dst])
    return Topology.make(n, *ends, label, None, full.start, full.accept)


def alignments(rng: Rng, n_columns: int) -> Topology:
    """CTC's graph of one to seven labels, at times of more."""
    return alignment_graph(rng.integers(1, n_columns, int(rng.integers(1, 8 if rng.random() < 0.8 else 16))).tolist())


def band(rng: Rng, n_columns: int) -> Topology:
    """States entered from those a few before them and some others; labels of their own or one that many share."""
    n = int(rng.integers(6, 21))
    label = np.where(rng.random(n) < rng.choice([0.0, 0.5, 1.0]), 0, rng.integers(0, n_columns, n))
    steps = rng.choice([-1, 0, 1, 2, 3], int(rng.integers(1, 4)), replace=False).tolist()
    n_odd = int(rng.integers(0, 5))
    odd = rng.integers(0, n, (2, n_odd))
    src = np.concatenate([*(np.arange(max(0, -s), n - max(0, s)) for s in steps), odd[0]])
    dst = np.concatenate([*(np.arange(max(0, -s), n - max(0, s)) + s for s in steps), odd[1]])
    start, accept = _ends(rng, n)
    return Topology.make(n, src, dst, label[dst], None, start, accept)


def matrix(rng: Rng, n_columns: int) -> Topology:
    """Every state after every other, each entered with its label; at times after a start that is not entered."""
    n = int(rng.integers(8, 13))
    first = int(rng.integers(2))
    dst, src = (a.reshape(-1) for a in np.meshgrid(np.arange(first, n + first), np.arange(n + first), indexing="ij"))
    label = (np.arange(n + first) if rng.integers(2) else rng.integers(0, n_columns, n + first)) % n_columns
    start, accept = _ends(rng, n + first)
    return Topology.make(n + first, src, dst, label[dst], None, [0] if first else start, accept)


SHAPES: dict[Callable[[Rng, int], Topology], float] = {
    loop: 0.04, pair: 0.08, arcs: 0.12, with_silent: 0.12, alignments: 0.18, band: 0.2, matrix: 0.26,
}  # fmt: skip


def draw_shape(rng: Rng, n_columns: int) -> Topology:
    """Draw a graph."""
    shape = list(SHAPES)[int(rng.choice(len(SHAPES), p=list(SHAPES.values())))]
    return shape(rng, n_columns)


def draw_frames(rng: Rng) -> int:
    """Draw a number of frames, most often few."""
    return int(rng.choice(LONG if rng.random() < 0.18 else SHORT))


# -- weights and frames -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sizes:
    """What moods draw for: a graph's arcs, T frames of C columns, B draws, which are the last axis of everything."""

    topology: Topology
    n_frames: int
    n_columns: int
    n_draws: int

    @property
    def weights(self) -> tuple[int, int]:
        """The shape of weights, (A, B)."""
        return self.topology.n_arcs, self.n_draws

    @property
    def frames(self) -> tuple[int, int, int]:
        """The shape of frames, (T, C, B)."""
        return self.n_frames, self.n_columns, self.n_draws


Scores = tuple[Floats, Floats]


def _some(rng: Rng, shape: tuple[int, ...], rates: list[float]) -> NDArray[np.bool_]:
    """Mark some of all numbers, at a rate that each draw has of its own."""
    return rng.random(shape) < rng.choice(rates, shape[-1])


def _each(rng: Rng, values: Floats, n_draws: int) -> Floats:
    """Draw one value for each draw."""
    return rng.choice(values, n_draws)


def whole(rng: Rng, sizes: Sizes) -> Scores:
    """Anything of the whole set of magnitudes, −inf more or less often."""
    weights, frames = rng.choice(MAGNITUDES, sizes.weights), rng.choice(MAGNITUDES, sizes.frames)
    weights[_some(rng, weights.shape, [0.0, 0.02, 0.1])] = -np.inf
    frames[_some(rng, frames.shape, [0.0, 0.02, 0.1])] = -np.inf
    return weights, frames


def penalties(rng: Rng, sizes: Sizes) -> Scores:
    """Zeros, and a few penalties, mostly of −1000."""
    penalty = np.array([-1000.0, -1000.0, -1000.0, -745.0, -700.0, -300.0, -1e4, -np.inf])
    weights = np.where(_some(rng, sizes.weights, [0.05, 0.2]), _each(rng, penalty, sizes.n_draws), 0.0)
    frames = np.where(_some(rng, sizes.frames, [0.02, 0.1, 0.3]), _each(rng, penalty, sizes.n_draws), 0.0)
    return weights, frames


def forbidden(rng: Rng, sizes: Sizes) -> Scores:
    """Nine of ten transitions at −1000 or so, and scores between which a softmax is sharp."""
    penalty = _each(rng, np.array([-1000.0, -1000.0, -1000.0, -300.0, -745.0, -1e4]), sizes.n_draws)
    weights = np.where(_some(rng, sizes.weights, [0.9, 0.9, 0.5]), penalty, rng.normal(size=sizes.weights))
    return weights, rng.choice([40.0, 40.0, 15.0, 100.0], sizes.n_draws) * rng.normal(size=sizes.frames)


def late_falls(rng: Rng, sizes: Sizes) -> Scores:
    """No weights, and one column that falls in late frames, which is when a block has well begun."""
    t, column = np.arange(sizes.n_frames)[:, None], rng.integers(0, sizes.n_columns, sizes.n_draws)
    falls = rng.choice([-1000.0, -1000.0, -np.inf, -np.inf, -745.0, -300.0, 0.0], (sizes.n_frames, sizes.n_draws))
    begin = rng.integers(sizes.n_frames // 2, sizes.n_frames + 1, sizes.n_draws)
    frames = rng.choice([0.0, 0.0, 1.0], sizes.n_draws) * rng.normal(size=sizes.frames)
    own = np.arange(sizes.n_columns)[:, None] == column
    return np.zeros(sizes.weights), np.where((t >= begin)[:, None] & own, falls[:, None], frames)


def ties(rng: Rng, sizes: Sizes) -> Scores:
    """Two or three values, so that most paths are as good as others."""
    value = _each(rng, MAGNITUDES, sizes.n_draws)
    signs = np.array([0.0, 0.0, 1.0])
    weights = rng.choice(signs, sizes.weights) * value
    return weights, rng.choice(np.array([0.0, 1.0, -1.0]), sizes.frames) * _each(rng, SIZES, sizes.n_draws)


def mixed(rng: Rng, sizes: Sizes) -> Scores:
    """Normal numbers times magnitudes."""
    weights = rng.normal(size=sizes.weights) * rng.choice(SIZES, sizes.weights)
    return weights, rng.normal(size=sizes.frames) * rng.choice(SIZES, sizes.frames)


def shifted(rng: Rng, sizes: Sizes) -> Scores:
    """Quiet scores, but whole frames, and all weights, shifted."""
    weights = rng.normal(size=sizes.weights) + _each(rng, MAGNITUDES, sizes.n_draws)
    return weights, rng.normal(size=sizes.frames) + rng.choice(MAGNITUDES, (sizes.n_frames, 1, sizes.n_draws))


def apart(rng: Rng, sizes: Sizes) -> Scores:
    """Weights that are differences of potentials: states lie far apart, and paths do not."""
    potential = rng.choice(MAGNITUDES, (sizes.topology.n_states, sizes.n_draws))
    weights = potential[sizes.topology.dst] - potential[sizes.topology.src]
    return weights, rng.choice([0.0, 1.0, 45.0], sizes.n_draws) * rng.normal(size=sizes.frames)


def one_state(rng: Rng, sizes: Sizes) -> Scores:
    """Entering one state, or leaving it, costs or gains; all else is quiet."""
    state = rng.integers(0, sizes.topology.n_states, sizes.n_draws)
    ends = np.where(rng.random(sizes.n_draws) < 0.5, sizes.topology.dst[:, None], sizes.topology.src[:, None])
    weights = np.where(ends == state, _each(rng, MAGNITUDES, sizes.n_draws), 0.0)
    return weights, rng.choice([0.0, 1.0, 45.0], sizes.n_draws) * rng.normal(size=sizes.frames)


def declining(rng: Rng, sizes: Sizes) -> Scores:
    """Columns that fall behind, each by its own, at once or ever further; the last frame may be for the last alone."""
    slopes = rng.choice([0.0, 0.0, 1.0, 5.0, 15.0, 30.0, 45.0, 100.0], (sizes.n_columns, sizes.n_draws))
    weights = rng.choice([0.0, 1.0], sizes.n_draws) * rng.normal(size=sizes.weights)
    times = np.where(rng.random(sizes.n_draws) < 0.5, np.arange(sizes.n_frames)[:, None, None], 1.0)
    frames = -slopes * times
    if sizes.n_frames:
        # What had fallen behind is all that is left, or nearly.
        end = rng.choice([0.0, -300.0, -1000.0, -1e4, -np.inf], sizes.n_draws)
        frames[-1] = np.where(slopes == slopes.max(axis=0), 0.0, end)
    return weights, frames


def balanced(rng: Rng, sizes: Sizes) -> Scores:
    """Weights that cost what their arcs' columns gain in nearly all frames, and the columns of other arcs do not."""
    gain = rng.choice(MAGNITUDES, (sizes.n_columns, sizes.n_draws))
    label = sizes.topology.ilabel
    weights = np.where(((label >= 0) & (label < sizes.n_columns))[:, None], -gain[label % sizes.n_columns], 0.0)
    frames = gain + rng.choice([0.0, 1.0, 45.0], sizes.n_draws) * rng.normal(size=sizes.frames)
    off = _some(rng, (sizes.n_frames, sizes.n_draws), [0.0, 0.1])
    return weights, np.where(off[:, None], 0.0, frames)


def climbing(rng: Rng, sizes: Sizes) -> Scores:
    """Gains or losses that are modest, but add up over a block's frames: some arcs', or those from some state on."""
    gain = rng.choice([10.0, 20.0, 30.0, 45.0, 60.0, 100.0, -45.0, -100.0], sizes.n_draws)
    some = rng.random(sizes.weights) < rng.choice([0.2, 0.5, 0.8], sizes.n_draws)
    late = sizes.topology.dst[:, None] >= rng.integers(0, sizes.topology.n_states, sizes.n_draws)
    weights = gain * np.where(rng.random(sizes.n_draws) < 0.5, some, late)
    columns = gain * (rng.random(sizes.frames[1:]) < 0.5) * (rng.random(sizes.n_draws) < 0.3)
    return weights, columns + rng.choice([0.0, 1.0], sizes.n_draws) * rng.normal(size=sizes.frames)


def brinks(rng: Rng, sizes: Sizes) -> Scores:
    """Numbers that add up to float64's range, or to where kernels decide something, in a few frames."""
    step = _each(rng, BRINKS, sizes.n_draws) / rng.integers(1, 13, sizes.n_draws)
    noise = rng.choice([0.0, 1e-3, 1.0], sizes.n_draws)
    signs = np.array([0.0, 0.0, -1.0, -1.0, 1.0])
    weights = rng.choice(signs, sizes.weights) * step + noise * rng.normal(size=sizes.weights)
    return weights, rng.choice(signs, sizes.frames) * step + noise * rng.normal(size=sizes.frames)


def alone(rng: Rng, sizes: Sizes) -> Scores:
    """One column of each frame is far above the others."""
    best = rng.integers(0, sizes.n_columns, (sizes.n_frames, 1, sizes.n_draws))
    gap = _each(rng, np.array([45.0, 300.0, 700.0, 1000.0, 1e4]), sizes.n_draws)
    frames = np.where(np.arange(sizes.n_columns)[:, None] == best, 0.0, -gap)
    return rng.normal(size=sizes.weights), frames


def quiet(rng: Rng, sizes: Sizes) -> Scores:
    """Nothing of note, and some −inf."""
    weights, frames = rng.normal(size=sizes.weights), rng.normal(size=sizes.frames)
    weights[_some(rng, weights.shape, [0.0, 0.1])] = -np.inf
    frames[_some(rng, frames.shape, [0.0, 0.0, 0.1])] = -np.inf
    return weights, frames


MOODS: list[Callable[[Rng, Sizes], Scores]] = [
    whole, penalties, forbidden, late_falls, ties, mixed, shifted, apart, one_state, declining, balanced,
    climbing, brinks, alone, quiet,
]  # fmt: skip


CROSSED = "crossed"
"""The mood of draws that have one mood's weights, and another's frames."""


def draw_scores(rng: Rng, sizes: Sizes, n_moods: int = 5) -> tuple[Floats, Floats, list[str]]:
    """Draw weights, frames, and the name of each draw's mood; some without the mood's weights, arcs or frames."""
    chosen = [MOODS[k] for k in rng.choice(len(MOODS), n_moods, replace=False)]
    share = -(-sizes.n_draws // n_moods)
    part = Sizes(sizes.topology, sizes.n_frames, sizes.n_columns, share)
    drawn = [mood(rng, part) for mood in chosen]
    weights, frames = (np.concatenate(parts, axis=-1)[..., : sizes.n_draws] for parts in zip(*drawn, strict=True))
    names = [mood.__name__ for mood in chosen for _ in range(share)][: sizes.n_draws]
    if rng.random() < 0.2:
        frames = np.roll(frames, share, axis=-1)
        names = [CROSSED] * sizes.n_draws
    kind = rng.random(sizes.n_draws)
    weights[:, kind < 0.15] = 0.0
    weights[(rng.random(weights.shape) < 0.15) & (kind > 0.15) & (kind < 0.25)] = -np.inf
    frames[:, :, kind > 0.92] = 0.0
    return weights, frames, names
