"""Draws of paths in plain Python: what SAMPLE means, and the random numbers that all tiers take.

A path is drawn arc by arc: how often each arc is taken on average (the gradient of LSE) says with which probabilities
a path leaves a state, so that the draw is exact, cycles or not. Each state that a path comes to costs one number of the
draw's own stream, whatever there is to choose from.
"""

from __future__ import annotations

import itertools
import math
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.best_paths import check_paths
from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.graphs.transforms import Transform, Transformed, copied_arcs, lines_of
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Parameters
from arcgrad.runtime.reference.reductions import log_score_and_gradient

__all__ = ["TRANSFORMS", "draw_arguments", "draw_paths", "draws_between", "keys_of", "with_ends"]

FloatArray = NDArray[np.float64]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def _mix(number: int) -> int:
    """Scramble 64 bits (SplitMix64: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, 2014)."""
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def keys_of(seed: float, item: int, n: int) -> NDArray[np.uint64]:
    """(n,) a stream for each draw, of a seed and an item of the batch. A seed is any float."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", seed + 0.0))  # 0 and −0 are one seed
    key = _mix(_mix((bits + _GOLDEN) & _MASK) ^ _mix((item + 1) * _GOLDEN & _MASK))
    number = np.uint64(key) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(_GOLDEN)  # modulo 2⁶⁴
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return number ^ (number >> np.uint64(31))


def _uniforms(key: int) -> Iterator[float]:
    """The numbers of a stream, in [0, 1)."""
    while True:
        key = (key + _GOLDEN) & _MASK
        yield (_mix(key) >> 11) * 2.0**-53


def draw_arguments(parameters: Parameters) -> tuple[int, float, int]:
    """How many paths, the seed, and the item."""
    n, seed, item = parameters
    assert isinstance(n, int)
    assert isinstance(seed, (int, float))
    assert isinstance(item, int)
    try:
        return n, float(seed), item
    except OverflowError:  # a count of hundreds of digits
        return n, math.inf, item


def with_ends(topology: Topology) -> Topology:
    """The graph with one start and one accept more, and ε arcs to and from those that it had: first, and last."""
    n, starts, accepts = topology.n_states, topology.start, topology.accept
    ends = np.full(len(starts) + len(accepts), EPSILON, dtype=np.int32)
    first, last = ends[: len(starts)], ends[len(starts) :]
    return Topology.make(
        n + 2,
        np.concatenate([np.full(len(starts), n), topology.src, accepts]),
        np.concatenate([starts, topology.dst, np.full(len(accepts), n + 1)]),
        np.concatenate([first, topology.ilabel, last]),
        np.concatenate([first, topology.olabel, last]),
        [n],
        [n + 1],
    )


def draws_between(topology: Topology, weights: FloatArray, arcs: list[int], lengths: list[int]) -> Transformed:
    """The linear graphs of paths that were drawn."""
    return copied_arcs(lines_of(topology, arcs, lengths), weights, arcs)


def draw_paths(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    """Draw n paths with replacement.

    Args:
        topology: the graph.
        weights: (n_arcs,) its weights; an arc of −inf is absent.
        parameters: how many, the seed, and the number of the batch's item.
        limits: budget of the paths.

    Raises:
        DivergenceError: the sum over all paths is not finite.
        LimitError: the paths exceed the budget.
    """
    n, seed, item = draw_arguments(parameters)
    whole = with_ends(topology)
    n_starts, n_arcs = len(topology.start), topology.n_arcs
    extended = np.zeros(whole.n_arcs)
    extended[n_starts : n_starts + n_arcs] = weights
    score, counts = log_score_and_gradient(whole, extended)
    if score == -math.inf:
        return draws_between(topology, weights, [], [])
    check_paths(limits, n, 0, n)
    leaving: list[list[int]] = [[] for _ in range(whole.n_states)]
    for arc, src in enumerate(whole.src.tolist()):
        leaving[src].append(arc)
    listed, ends = counts.tolist(), whole.dst.tolist()
    sums = [list(itertools.accumulate(listed[arc] for arc in row)) for row in leaving]
    arcs: list[int] = []
    lengths: list[int] = []
    start, accept = whole.n_states - 2, whole.n_states - 1
    for draw, key in enumerate(keys_of(seed, item, n).tolist()):
        path: list[int] = []
        state, numbers = start, _uniforms(key)
        while state != accept:
            uniform = next(numbers)
            total = sums[state][-1] if sums[state] else 0.0
            if total <= 0.0:  # its arcs' counts are below all floats, and nearly was what led here
                state, path = start, []
                continue
            place = bisect_right(sums[state], uniform * total)
            if place == len(sums[state]):
                place = bisect_left(sums[state], total)
            arc = leaving[state][place]
            path.append(arc - n_starts)
            state = ends[arc]
            if len(path) > limits.arcs + 2:
                break
        arcs += path[1:-1]
        lengths.append(len(path) - 2)
        check_paths(limits, draw + 1, len(arcs), n)
    return draws_between(topology, weights, arcs, lengths)


TRANSFORMS: dict[str, Transform] = {"sample": draw_paths}
"""By registry name: operators whose output depends on sums over paths, which the compiler's layer has not."""
