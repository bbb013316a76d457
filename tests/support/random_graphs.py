"""Random graphs and dense inputs: small ones of a seed, any by Hypothesis, which shrinks, and topologies of any size.

Small graphs are leaves of the oracle (``GraphLeaf``): ``to_graph(name)`` makes a naive graph of one, whose arcs say
which weights they take; ``support.adapter.convert`` makes an arcgrad graph, whose ``topology`` the kernels read.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracle.leaves import DenseLeaf, GraphLeaf
from oracle.paths import components
from support.magnitudes import draw_penalty

from arcgrad.compiler.graphs.topology import Topology

__all__ = ["Style", "draw_dense", "draw_graph", "draw_topology", "graphs"]

Floats = NDArray[np.float64]

LARGEST_RADIUS = 0.9
LABELS = st.integers(-1, 2)
NO_WEIGHT = st.just(0.0)


@dataclass(frozen=True)
class Style:
    """What the leaves of one case have in common.

    Attributes:
        n_labels: labels are 0 … n_labels − 1.
        grid: weights are multiples of 1/2, so that ties are frequent and sums exact.
        cycles: how likely a graph may have cycles.
        minimised: the case takes a minimum, so cycles must gain instead of lose.
        infinite: how likely a weight is −inf.
        spread: weights are this many times a probability's size; large ones under- and overflow in linear arithmetic.
        penalties: how likely a weight is a penalty, or another of the sizes that people use.
        long: dense inputs have tens of steps, so that routines renew their exponents.
        n_states: graphs have at most so many states.
        epsilon: how likely a label is ε.
    """

    n_labels: int = 3
    grid: bool = False
    cycles: float = 0.0
    minimised: bool = False
    infinite: float = 0.0
    spread: float = 1.0
    penalties: float = 0.0
    long: bool = False
    n_states: int = 5
    epsilon: float = 0.2

    @classmethod
    def draw(cls, rng: random.Random, *, best: bool, minimised: bool) -> Style:
        """A style for a case that takes a best path, or a minimum, or neither."""
        return cls(
            n_labels=rng.choice([1, 2, 2, 3, 3, 5]),
            grid=rng.random() < (0.4 if best else 0.1),
            cycles=rng.choice([0.0, 0.3, 0.9]),
            minimised=minimised,
            infinite=rng.choice([0.0, 0.0, 0.05, 0.2] if best else [0.0, 0.0, 0.02, 0.1]),
            spread=rng.choices([1.0, 20.0, 400.0], [90, 6, 4])[0],
            penalties=rng.choices([0.0, 0.1, 0.7], [80, 12, 8])[0],
            long=rng.random() < 0.06,
        )

    def weight(self, rng: random.Random) -> float:
        """A finite weight, mostly of a probability's size."""
        drawn = rng.gauss(-0.7, 0.9) * self.spread
        if rng.random() < self.penalties:
            drawn = draw_penalty(rng)
        if self.grid:
            drawn = round(drawn * 2) / 2
        return -drawn if self.minimised else drawn

    def arc_weight(self, rng: random.Random) -> float:
        """A weight, now and then −inf."""
        return -math.inf if rng.random() < self.infinite else self.weight(rng)


def draw_graph(rng: random.Random, style: Style, acceptor: bool) -> GraphLeaf:
    """A small random graph; one in sixty has no states."""
    if rng.random() < 0.015:
        return GraphLeaf(0, (), np.zeros(0), (), ())
    n_states = rng.randint(1, style.n_states)
    cyclic = rng.random() < style.cycles
    arcs: list[tuple[int, int, int, int]] = []
    if rng.random() < 0.7:  # a backbone, so that most graphs accept something
        arcs += [(s, s + 1, *_labels(rng, style, acceptor)) for s in range(n_states - 1)]
    for _ in range(rng.randint(0, 5)):
        if arcs and rng.random() < 0.15:  # parallel to another, with the same or other labels
            p, q, i, o = rng.choice(arcs)
            arcs.append((p, q, i, o) if rng.random() < 0.5 else (p, q, *_labels(rng, style, acceptor)))
            continue
        p, q = rng.randrange(n_states), rng.randrange(n_states)
        if cyclic and rng.random() < 0.25:
            q = p
        if not cyclic:
            p, q = min(p, q), max(p, q)
            if p == q:
                continue
        arcs.append((p, q, *_labels(rng, style, acceptor)))
    rng.shuffle(arcs)
    start = _pick(rng, n_states, first=0)
    accept = _pick(rng, n_states, first=n_states - 1)
    tie = None
    n_weights = len(arcs)
    if arcs and rng.random() < 0.1:
        n_weights = rng.randint(1, len(arcs))
        tie = tuple(rng.randrange(n_weights) for _ in arcs)
    weights = np.array([style.arc_weight(rng) for _ in range(n_weights)], dtype=np.float64)
    if cyclic:
        _limit_radius(style, n_states, arcs, weights, tie)
    return GraphLeaf(n_states, tuple(arcs), weights, start, accept, tie)


def _labels(rng: random.Random, style: Style, acceptor: bool) -> tuple[int, int]:
    def label() -> int:
        return -1 if rng.random() < style.epsilon else rng.randrange(style.n_labels)

    i = label()
    return (i, i) if acceptor or rng.random() < 0.3 else (i, label())


def _pick(rng: random.Random, n_states: int, first: int) -> tuple[int, ...]:
    if rng.random() < 0.03:
        return ()
    chosen = {first} if rng.random() < 0.8 else set()
    if not chosen or rng.random() < 0.25:
        chosen.add(rng.randrange(n_states))
    return tuple(sorted(chosen))


def _limit_radius(
    style: Style, n_states: int, arcs: list[tuple[int, int, int, int]], weights: Floats, tie: tuple[int, ...] | None
) -> None:
    """Lowers the weights on cycles so that the spectral radius is at most LARGEST_RADIUS (of −weights for MIN)."""
    sign = -1.0 if style.minimised else 1.0
    component = components(n_states, [a[0] for a in arcs], [a[1] for a in arcs])
    on_cycle = [k for k, a in enumerate(arcs) if component[a[0]] == component[a[1]]]
    entries = [k if tie is None else tie[k] for k in on_cycle]
    finite = [
        (arcs[k], sign * float(weights[e])) for k, e in zip(on_cycle, entries, strict=True) if weights[e] > -math.inf
    ]
    top = max((gain for _, gain in finite), default=0.0)
    matrix = np.zeros((n_states, n_states))
    for arc, gain in finite:
        matrix[arc[0], arc[1]] += math.exp(gain - top)
    radius = float(np.abs(np.linalg.eigvals(matrix)).max())
    amount = math.log(radius / LARGEST_RADIUS) + top if radius > 0.0 else 0.0
    if amount > 0.0:
        if style.grid:
            amount = math.ceil(amount * 2) / 2
        for entry in set(entries):
            weights[entry] -= sign * amount


def draw_dense(rng: random.Random, style: Style, steps: int) -> DenseLeaf:
    """(steps, n_labels) scores."""
    return DenseLeaf(
        np.array(
            [[style.arc_weight(rng) for _ in range(style.n_labels)] for _ in range(steps)], dtype=np.float64
        ).reshape(steps, style.n_labels)
    )


def draw_topology(
    rng: np.random.Generator,
    n_states: int,
    n_arcs: int,
    labels: NDArray[np.int64],
    *,
    acyclic: bool | None = None,
    epsilon: float | None = None,
    acceptor: bool | None = None,
) -> Topology:
    """Any graph of that size: parallel arcs, arcs in any order, states off accepting paths, several starts.

    Args:
        acyclic: False for what comes, with loops and cycles; None for either.
        epsilon: how likely a label is ε; None for any rate.
        acceptor: None for either.
    """
    if not n_states:
        return Topology.make(0, (), (), ())
    src, dst = rng.integers(0, n_states, (2, n_arcs))
    if rng.random() < 0.4:  # one state has most of the arcs, as a lexicon's root
        src[rng.random(n_arcs) < 0.8] = rng.integers(n_states)
    if rng.random() < 0.5:
        src = np.sort(src)
    if rng.random() < 0.4:  # a way through
        line = np.arange(min(n_states - 1, n_arcs))
        src[line], dst[line] = line, line + 1
    if acyclic or (acyclic is None and rng.random() < 0.4):
        keep = src != dst
        src, dst = np.minimum(src, dst)[keep], np.maximum(src, dst)[keep]
        if rng.random() < 0.5:
            shuffle = rng.permutation(n_states)
            src, dst = shuffle[src], shuffle[dst]
    rates = rng.choice([0.0, 0.0, 0.2, 0.6], 2) if epsilon is None else (epsilon, epsilon)
    ilabel, olabel = (np.where(rng.random(len(src)) < rate, -1, rng.choice(labels, len(src))) for rate in rates)
    start, accept = (np.flatnonzero(rng.random(n_states) < share) for share in rng.choice([0.05, 0.3, 0.7], 2))
    start = start if len(start) else np.zeros(1, dtype=np.int64)
    accept = accept if len(accept) or rng.random() < 0.1 else np.array([n_states - 1])
    same = rng.random() < 0.3 if acceptor is None else acceptor
    return Topology.make(n_states, src, dst, ilabel, None if same else olabel, start, accept)


@st.composite
def graphs(
    draw: st.DrawFn,
    *,
    n_states: int = 5,
    n_arcs: int = 7,
    labels: st.SearchStrategy[int] = LABELS,
    weights: st.SearchStrategy[float] = NO_WEIGHT,
    acceptor: bool | None = None,
    acyclic: bool = False,
    tied: bool = False,
) -> GraphLeaf:
    """Any graph of at most that size: empty, cyclic, with parallel arcs, several starts, and none.

    Args:
        acceptor: None for either.
        acyclic: no cycles, and arcs lead to later states.
        tied: some graphs have three parameters instead of a weight an arc.
    """
    n = draw(st.integers(0, n_states))
    states = st.integers(0, max(n - 1, 0))
    arcs = draw(st.lists(st.tuples(states, states, labels, labels), max_size=n_arcs if n else 0))
    if acceptor or (acceptor is None and draw(st.booleans())):
        arcs = [(s, d, i, i) for s, d, i, _ in arcs]
    if acyclic:
        arcs = [(min(s, d), max(s, d), i, o) for s, d, i, o in arcs if s != d]
    start, accept = (tuple(sorted(draw(st.sets(states)))) if n else () for _ in range(2))
    three = bool(tied and arcs) and draw(st.booleans())
    tie = tuple(draw(st.integers(0, 2)) for _ in arcs) if three else None
    values = [draw(weights) for _ in range(3 if three else len(arcs))]
    return GraphLeaf(n, tuple(arcs), np.array(values, dtype=np.float64), start, accept, tie)
