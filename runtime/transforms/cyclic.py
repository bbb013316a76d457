"""Sums over the paths from each state of a cyclic graph in compiled code.

In the log semiring by elimination, in the max semiring by what is best so far.
"""

from __future__ import annotations

import math

import numpy as np

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray
from arcgrad.compiler.limits import Limits
from arcgrad.runtime.buffers import empty_floats
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.kernels.cyclic.cyclic_log import cyclic_log_forward
from arcgrad.runtime.kernels.weighted.best_sums import find_best_ahead, pull_back_best
from arcgrad.runtime.kernels.weighted.cyclic_sums import solve_ahead, solve_behind
from arcgrad.runtime.kernels.weighted.sorting import rows_by_state
from arcgrad.runtime.regions.graph import pack_graph
from arcgrad.runtime.regions.orders import ORDERS
from arcgrad.runtime.regions.region import Region
from arcgrad.runtime.transforms.useful import by_state

__all__ = ["KERNELS", "LARGEST", "BestSums", "CyclicSums", "Diverges", "Factors"]

KERNELS = (rows_by_state, find_best_ahead, pull_back_best, cyclic_log_forward, solve_ahead, solve_behind)

LARGEST = 1e3
"""Weights up to this are eliminated as they are."""


# Turns a state, beyond which plain Python tells whether weights rise without end.
_TURNS = 200


class Diverges(ArithmeticError):  # noqa: N818 - a signal: the reference names the cycle
    """The sum over all paths is not finite."""


class Factors:
    """A cyclic graph, eliminated: its equations can be solved for any right-hand side.

    Args:
        topology: every arc that counts is on an accepting path.
        weights: (n_arcs,) −inf where an arc is absent.
        limits: budget of what elimination fills.

    Raises:
        Diverges: the sum over all paths is not finite.
        LimitError: elimination exceeds the budget.
    """

    def __init__(self, topology: Topology, weights: FloatArray, limits: Limits) -> None:
        self._n_states = topology.n_states
        self._region, self._numbers = _packed(topology, limits)
        floats, numbers = self._region.work(0)
        self._work = empty_floats(floats)
        leaves = np.ascontiguousarray(weights), len(weights), 0
        score = cyclic_log_forward(self._region.ints, leaves, self._work, np.empty(numbers, dtype=np.int32), 1.0)
        if math.isnan(score):
            raise Diverges

    def solve(self, right: FloatArray, *, back: bool) -> FloatArray:
        """The logarithms of x(state) = right(state) + Σ over arcs out of it (``back``: into it) of weight · x there."""
        solution = right.copy()  # of states without arcs
        result = np.empty(self._region.n_states)
        mapped = self._numbers >= 0
        packed = np.full(self._region.n_states, -math.inf)
        packed[self._numbers[mapped]] = right[mapped]
        (solve_behind if back else solve_ahead)(self._region.ints, self._work, packed, result)
        solution[mapped] = result[self._numbers[mapped]]
        return solution

    def pull_back(self, bars: FloatArray, sums: FloatArray, *, back: bool) -> FloatArray:
        """The cotangent of right-hand sides' exponentials over the sums, from that of the sums solved with ``back``."""
        total = np.zeros(self._n_states)
        for sign in (1.0, -1.0):
            own = np.maximum(sign * bars, 0.0)
            own[sums == -math.inf] = 0.0
            if own.any():
                with np.errstate(divide="ignore", invalid="ignore"):
                    right = np.where(own > 0.0, np.log(own) - sums, -math.inf)
                    total += sign * np.exp(
                        np.where(sums > -math.inf, self.solve(right, back=not back) + sums, -math.inf)
                    )
        return total


class CyclicSums:
    """Sums over the paths that leave each state, or with ``back`` enter it, and their way back.

    Args:
        factors: of the graph.
        src, dst, weights: its arcs that count.
        ends: (n_states,) what ends weigh, or with ``back`` starts, −inf where there is none.

    Attributes:
        ahead: (n_states,) the sums, −inf where there is no path.
    """

    def __init__(
        self, factors: Factors, src: IntArray, dst: IntArray, weights: FloatArray, ends: FloatArray, *, back: bool
    ) -> None:
        self._factors, self._ends, self._back = factors, ends, back
        self._from, self._to = (dst, src) if back else (src, dst)
        self._weights = weights
        self.ahead = factors.solve(ends, back=back)

    def pull_back(self, bars: FloatArray, arc_bars: FloatArray, end_bars: FloatArray | None = None) -> None:
        """Add to the cotangents of arcs, and of ends, what those of the sums give them."""
        ahead = self.ahead
        spent = self._factors.pull_back(bars, ahead, back=self._back)
        arc_bars += spent[self._from] * np.exp(self._weights + (ahead[self._to] - ahead[self._from]))
        if end_bars is not None:
            ending = np.flatnonzero(self._ends > -math.inf)
            end_bars[ending] += spent[ending] * np.exp(self._ends[ending] - ahead[ending])


class BestSums:
    """The greatest weights of the paths that leave each state, and their way back.

    Args:
        src, dst, weights: arcs.
        ends: (n_states,) what ends weigh, −inf where there is none.

    Attributes:
        ahead: (n_states,) these weights, −inf where there is no path.

    Raises:
        Diverges: rounding, or a cycle, keeps them rising.
    """

    def __init__(self, src: IntArray, dst: IntArray, weights: FloatArray, ends: FloatArray) -> None:
        n_states = len(ends)
        self._src, self._dst, self._weights = src, dst, weights
        self.ahead: FloatArray = np.empty(n_states)
        self._choices, lengths, queue = (np.empty(n_states, dtype=np.int32) for _ in range(3))
        waiting = np.empty(n_states, dtype=np.int8)
        rows = by_state(n_states, dst)
        if not find_best_ahead(
            *rows, src, weights, ends, _TURNS * n_states, self.ahead, self._choices, lengths, queue, waiting
        ):
            raise Diverges
        self._order = np.argsort(-lengths, kind="stable").astype(np.int32)

    def pull_back(self, bars: FloatArray, arc_bars: FloatArray, end_bars: FloatArray | None = None) -> None:
        """Add to the cotangents of arcs, and of ends, what those of the sums, which are spent, give them."""
        if end_bars is None:
            end_bars = np.zeros(len(bars))
        pull_back_best(self._order, self._choices, self._dst, bars, arc_bars, end_bars)

    def slacks(self, start: IntArray) -> tuple[FloatArray, FloatArray]:
        """What the best path through each state, and each arc, lacks; inf where there is none."""
        begin = np.full(len(self.ahead), -math.inf)
        begin[start] = self.ahead[start] - self.ahead[start].max(initial=-math.inf)
        own = np.minimum(self._weights + self.ahead[self._dst] - self.ahead[self._src], 0.0)
        of_states = 0.0 - BestSums(self._dst, self._src, own, begin).ahead
        return of_states, of_states[self._src] - own


def _packed(topology: Topology, limits: Limits) -> tuple[Region, IntArray]:
    """The packed graph, and for each of the graph's states its number there, −1 of states without useful arcs."""
    memo = topology.memo("cyclic sums")
    if "region" not in memo:
        identity = Selection.identity(0, topology.n_arcs)
        region = pack_graph(
            topology, identity, np.zeros(1, dtype=np.int64), "log", as_cyclic=True, orders=ORDERS, limits=limits
        )
        ints, n = region.ints, region.n_arcs
        arcs, src, dst = (ints[ints[place] : ints[place] + n] for place in (C.ENTRIES, C.ARC_SOURCES, C.ARC_ENDS))
        numbers = np.full(topology.n_states, -1, dtype=np.int32)
        numbers[topology.src[arcs]] = src
        numbers[topology.dst[arcs]] = dst
        memo["region"] = region, numbers
    found: tuple[Region, IntArray] = memo["region"]
    return found
