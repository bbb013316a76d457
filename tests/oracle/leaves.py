"""What the inputs of a case are made of: plain values from which a test builds arcgrad's own objects.

Leaves turn into naive graphs (``to_graph``) for the oracle; a leaf's gradient has the shape of its weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oracle.graphs import Arc, Graph

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GraphLeaf:
    """A graph input.

    Attributes:
        n_states: number of states.
        arcs: (src, dst, ilabel, olabel) each.
        weights: (n_arcs,), or (n_parameters,) where ``tie`` gives each arc's parameter.
        start, accept: sorted state numbers.
        tie: None, or the parameter number of each arc.
    """

    n_states: int
    arcs: tuple[tuple[int, int, int, int], ...]
    weights: Floats
    start: tuple[int, ...]
    accept: tuple[int, ...]
    tie: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.weights.shape

    def entry(self, arc: int) -> int:
        """The weight entry of an arc."""
        return arc if self.tie is None else self.tie[arc]

    def to_graph(self, name: str) -> Graph:
        weights = self.weights.tolist()
        arcs = [Arc(*ends, weights[self.entry(k)], ((name, self.entry(k)),)) for k, ends in enumerate(self.arcs)]
        return Graph(self.n_states, arcs, list(self.start), list(self.accept))

    def shift(self, amount: float) -> GraphLeaf:
        """The same leaf with every weight moved."""
        return GraphLeaf(self.n_states, self.arcs, self.weights + amount, self.start, self.accept, self.tie)


@dataclass(frozen=True, eq=False)
class DenseLeaf:
    """A dense input: (T, C) scores, a chain of T steps with an arc per column; entries are numbered row by row."""

    scores: Floats

    @property
    def shape(self) -> tuple[int, ...]:
        return self.scores.shape

    def to_graph(self, name: str) -> Graph:
        steps, columns = self.scores.shape
        arcs = [
            Arc(t, t + 1, c, c, float(self.scores[t, c]), ((name, t * columns + c),))
            for t in range(steps)
            for c in range(columns)
        ]
        return Graph(steps + 1, arcs, [0], [steps])

    def shift(self, amount: float) -> DenseLeaf:
        """The same leaf with every score moved."""
        return DenseLeaf(self.scores + amount)


@dataclass(frozen=True, eq=False)
class DenseBatch:
    """A padded batch of dense inputs: (B, T, C) scores and (B,) lengths, or None where all have length T."""

    scores: Floats
    lengths: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, item: int) -> DenseLeaf:
        if item >= len(self.scores):
            raise IndexError(item)
        return DenseLeaf(self.scores[item, : None if self.lengths is None else self.lengths[item]])

    def shift(self, amount: float) -> DenseBatch:
        """The same batch with every score moved."""
        return DenseBatch(self.scores + amount, self.lengths)


@dataclass(frozen=True)
class Mapping:
    """An input that maps labels."""

    labels: dict[int, int] = field(default_factory=dict)


Leaf = GraphLeaf | DenseLeaf
# A batch of graphs is a list of leaves; of scores, a (B,) array.
Input = Leaf | DenseBatch | list | Mapping | float | Floats


def is_batched(value: Input) -> bool:
    """Whether an input has one value for each item."""
    return isinstance(value, (list, DenseBatch, np.ndarray))


def item_of(value: Input, item: int) -> Leaf | Mapping | float:
    """An input's value for one item of the batch; shared inputs have one for all."""
    if isinstance(value, np.ndarray):
        return float(value[item])
    return value[item] if is_batched(value) else value


def zero_gradient(value: Input) -> Floats | list[Floats]:
    """A zero gradient in an input's shape: a list for a list, (B, T, C) for a padded batch, (B,) or () for scores."""
    if isinstance(value, list):
        return [np.zeros(leaf.shape) for leaf in value]
    if isinstance(value, DenseBatch):
        return np.zeros(value.scores.shape)
    return np.zeros(np.shape(value) if isinstance(value, (float, np.ndarray)) else value.shape)


def add_item_gradient(total: Floats | list[Floats], value: Input, item: int, entry: int, amount: float) -> None:
    """Adds one entry of one item's gradient to a total made by ``zero_gradient``."""
    if isinstance(value, (list, DenseBatch)):
        total[item].reshape(-1)[entry] += amount
    elif isinstance(value, np.ndarray):
        total[item] += amount
    elif isinstance(value, float):
        total[...] += amount
    else:
        total.reshape(-1)[entry] += amount


def has_minus_infinity(value: Input) -> bool:
    """Whether any weight is −inf."""
    if isinstance(value, list):
        return any(has_minus_infinity(x) for x in value)
    if isinstance(value, GraphLeaf):
        return bool(np.isneginf(value.weights).any())
    if isinstance(value, (DenseLeaf, DenseBatch)):
        return bool(np.isneginf(value.scores).any())
    return isinstance(value, float) and value == -math.inf
