"""What operators make whose output depends on weights: a graph with weights, and how cotangents come back from it.

PATH is the first. Such an operator cuts the program into stages (``stages``); its file has ``transform``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.limits import Limits

__all__ = ["Along", "FloatArray", "Transform", "Transformed", "copied_arcs", "line_of", "lines_of"]

FloatArray = NDArray[np.float64]


class Along(NamedTuple):
    """How a result's weights change where the operand's move in a direction, for second derivatives.

    Attributes:
        weights: (n_arcs,) their derivatives along the direction; 0 of arcs of weight −inf.
        pull_back: from the cotangent of these, (n_arcs,), those of the operand's weights and of the direction.
    """

    weights: FloatArray
    pull_back: Callable[[FloatArray], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, eq=False)
class Transformed:
    """The result of an operator that depends on weights.

    Attributes:
        topology: the output graph.
        weights: (n_arcs,) its arcs' weights.
        pull_back: the cotangent of the operand's arc weights from that of the output's, each as many as it has arcs.
        copies: where each arc of the output is a copy of an arc of the operand, (n_arcs,) that one; else None.
        along: from a direction of the operand's weights, how these change; None where there are ``copies``, which move
            as what they are copies of, or where that is not known.
    """

    topology: Topology
    weights: FloatArray
    pull_back: Callable[[FloatArray], FloatArray]
    copies: IntArray | None = None
    along: Callable[[FloatArray], Along] | None = None


Transform = Callable[[Topology, FloatArray, tuple[Hashable, ...], Limits], Transformed]
"""``transform(topology, weights, parameters, limits)``, of the operand; ``parameters`` are the literal ones."""


def copied_arcs(topology: Topology, weights: FloatArray, chosen: Sequence[int] | IntArray) -> Transformed:
    """The result whose arc k is a copy of the operand's arc ``chosen[k]``, weight and all.

    Args:
        topology: the output graph.
        weights: (n,) weights of the operand's arcs.
        chosen: (n_arcs,) an arc of the operand for each of the output's.
    """
    arcs = np.asarray(chosen, dtype=np.int32)
    n_operand = len(weights)

    def pull_back(cotangent: FloatArray) -> FloatArray:
        return np.bincount(arcs, weights=cotangent, minlength=n_operand).astype(np.float64, copy=False)

    return Transformed(topology, weights[arcs], pull_back, arcs)


def line_of(topology: Topology, path: Sequence[int] | IntArray | None) -> tuple[Topology, IntArray]:
    """The linear graph of a path with its labels, and the (n,) indices of its arcs; ∅ where the graph has no path."""
    if path is None:
        return Topology.make(0, [], [], []), np.empty(0, dtype=np.int32)
    chosen = np.asarray(path, dtype=np.int32)
    states = np.arange(len(chosen) + 1, dtype=np.int32)
    olabel = None if topology.is_acceptor else topology.olabel[chosen]
    line = Topology.make(len(states), states[:-1], states[1:], topology.ilabel[chosen], olabel, [0], [len(chosen)])
    return line, chosen


def lines_of(
    topology: Topology, arcs: Sequence[int] | IntArray, lengths: Sequence[int] | NDArray[np.integer]
) -> Topology:
    """The linear graphs of some paths side by side, with the paths' labels; ∅ where there are none.

    Args:
        topology: the graph that has the paths.
        arcs: the arcs of the first path, then those of the second, and so on.
        lengths: (n_paths,) how many arcs each has.

    Returns:
        A graph whose arc k is a copy of arc ``arcs[k]``; each path has a start and an accept of its own.
    """
    chosen = np.asarray(arcs, dtype=np.int32)
    sizes = np.asarray(lengths, dtype=np.int64)
    src = np.arange(len(chosen), dtype=np.int64) + np.repeat(np.arange(len(sizes)), sizes)
    accepts = np.cumsum(sizes + 1) - 1
    olabel = None if topology.is_acceptor else topology.olabel[chosen]
    n_states = len(chosen) + len(sizes)
    return Topology.make(n_states, src, src + 1, topology.ilabel[chosen], olabel, accepts - sizes, accepts)
