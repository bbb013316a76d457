"""Coordinates of a layered drawing: heights within columns, and the columns' widths.

Heights minimise the slopes of all segments, those of long arcs more than others, while neighbours in a column keep
their distance: first the slopes' squares, then their magnitudes (by weights that are divided by the slopes before), so
that few segments bend instead of all of them a little. Each column is solved exactly, by isotonic regression (pool
adjacent violators), again and again. Second step of a layout, after `layers`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from arcgrad.runtime.draw.layout.layers import Layers

__all__ = ["Box", "heights", "spread"]

_SWEEPS = 24  # with squares
_STRAIGHTENING = 40  # with magnitudes
_LEVEL = 1.0  # pixels: a slope that is none


@dataclass(frozen=True)
class Box:
    """What a place takes of its column, in pixels: up and down from its height, and from the middle to each side."""

    up: float
    down: float
    half: float


def spread(wanted: Sequence[float], weights: Sequence[float], distances: Sequence[float]) -> list[float]:
    """Positions nearest to the wanted ones (weighted least squares) that keep at least these distances, in order.

    Args:
        wanted: (n,) positions.
        weights: (n,) positive.
        distances: (n − 1,) from each to the next.
    """
    shifts = [0.0]
    for distance in distances:
        shifts.append(shifts[-1] + distance)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, number of members
    for position, shift, weight in zip(wanted, shifts, weights, strict=False):
        mean, total, members = position - shift, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, heavy, others = blocks.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total += heavy
            members += others
        blocks.append((mean, total, members))
    means = [mean for mean, _, members in blocks for _ in range(members)]
    return [mean + shift for mean, shift in zip(means, shifts, strict=False)]


def heights(layers: Layers, boxes: Sequence[Box], gap: float) -> list[float]:
    """The height of each place; boxes of one column do not touch, and are ``gap`` apart."""
    beside: list[list[tuple[int, float]]] = [[] for _ in boxes]
    for chain in layers.chains:
        for left, right in itertools.pairwise(chain):
            passing = (left >= layers.n_nodes) + (right >= layers.n_nodes)
            weight = (1.0, 2.0, 8.0)[passing]
            beside[left].append((right, weight))
            beside[right].append((left, weight))
    y = [0.0] * len(boxes)
    distances = [
        [boxes[upper].down + boxes[lower].up + gap for upper, lower in itertools.pairwise(column)]
        for column in layers.columns
    ]
    for column, apart in zip(layers.columns, distances, strict=True):
        at = -sum(apart) / 2
        for place, distance in zip(column, [*apart, 0.0], strict=True):
            y[place] = at
            at += distance
    numbered = list(enumerate(layers.columns))
    for sweep in range(_SWEEPS + _STRAIGHTENING):
        forward = sweep % 2 == 0
        one_sided, straighten = sweep < 6, sweep >= _SWEEPS
        for number, column in numbered if forward else numbered[::-1]:
            wanted, weights = [], []
            for place in column:
                near = beside[place]
                if one_sided:
                    ahead = number + (-1 if forward else 1)
                    near = [pair for pair in near if layers.column_of[pair[0]] == ahead] or near
                if straighten:
                    near = [(other, weight / max(abs(y[other] - y[place]), _LEVEL)) for other, weight in near]
                total = sum(weight for _, weight in near)
                wanted.append(sum(weight * y[other] for other, weight in near) / total if near else y[place])
                weights.append(total if near else 1.0)
            for place, height in zip(column, spread(wanted, weights, distances[number]), strict=True):
                y[place] = height
    return y
