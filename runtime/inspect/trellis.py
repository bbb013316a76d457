"""``eq.draw_trellis``: posteriors of a graph composed with a dense input, states or labels by frames.

By plain forward and backward sums in the log domain, of the graph that meets the dense input, and not by the kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Node, Program
from arcgrad.compiler.graphs.orders import topological_order
from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.plan.chains import Meeting, find_meeting
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError, UnsupportedError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.data.arguments import whole_number
from arcgrad.runtime.data.inputs import Bound, BoundDense
from arcgrad.runtime.draw.drawing import Drawing
from arcgrad.runtime.draw.heatmap import heatmap_scene
from arcgrad.runtime.draw.scene import visible
from arcgrad.runtime.reference.interpreter import Interpretation

__all__ = ["Trellis", "draw_trellis", "find_trellis", "trellis_of"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trellis:
    """Sums over the paths of a graph composed with a dense input of T frames.

    Attributes:
        topology: the graph.
        labels: (n_arcs,) the column of the dense input that each arc is matched with; ε is −1.
        forward: (T + 1, n_states) log of the sum over paths from a start to each state that read t frames.
        backward: (T + 1, n_states) log of the sum over paths from there to an accept.
        arcs: (T, n_arcs) log of the sum over paths that take an arc in frame t; −inf for ε arcs.
        heads: (T, n_arcs) the same over paths that end with that arc.
        n_columns: of the dense input.
    """

    topology: Topology
    labels: NDArray[np.int32]
    forward: FloatArray
    backward: FloatArray
    arcs: FloatArray
    heads: FloatArray
    n_columns: int

    @property
    def total(self) -> float:
        """The forward score, in nats."""
        return float(np.logaddexp.reduce(self.forward[-1][self.topology.accept], initial=-np.inf))

    def states(self, *, filtered: bool = False) -> FloatArray:
        """(T + 1, n_states) probability that a path is in a state after t frames; ``filtered``: given these alone."""
        return _normalised(self.forward) if filtered else _shares(self.forward + self.backward, self.total)

    def columns(self, *, filtered: bool = False) -> FloatArray:
        """(T, C) probability that a path has a label in a frame; ``filtered``: given the frames up to it alone."""
        shares = _normalised(self.heads) if filtered else _shares(self.arcs, self.total)
        found = np.zeros((len(shares), self.n_columns))
        reading = np.flatnonzero(self.labels >= 0)
        np.add.at(found.T, self.labels[reading], shares[:, reading].T)
        return found


def _shares(sums: FloatArray, total: float) -> FloatArray:
    shares: FloatArray = np.exp(sums - total) if total > -np.inf else np.zeros_like(sums)
    return shares


def _normalised(sums: FloatArray) -> FloatArray:
    most = sums.max(axis=1, initial=-np.inf, keepdims=True)
    weights = np.exp(sums - np.where(most > -np.inf, most, 0.0))
    totals = weights.sum(axis=1, keepdims=True)
    normalised: FloatArray = weights / np.where(totals > 0, totals, 1.0)
    return normalised


def trellis_of(topology: Topology, weights: FloatArray, labels: NDArray[np.int32], scores: FloatArray) -> Trellis:
    """The sums of a graph whose arcs are matched with the columns of (T, C) scores.

    Raises:
        UnsupportedError: the graph has a cycle of ε arcs.
    """
    n_frames, n_columns = scores.shape
    src, dst = topology.src, topology.dst
    silent, reading = np.flatnonzero(labels == EPSILON), np.flatnonzero(labels != EPSILON)
    levels = _levels(topology, silent)
    forward = np.full((n_frames + 1, topology.n_states), -np.inf)
    backward = forward.copy()
    arcs = np.full((n_frames, len(src)), -np.inf)
    heads = arcs.copy()
    forward[0, topology.start] = 0.0
    backward[n_frames, topology.accept] = 0.0
    for t in range(n_frames + 1):
        for level in levels:
            np.logaddexp.at(forward[t], dst[level], forward[t][src[level]] + weights[level])
        if t < n_frames:
            heads[t, reading] = forward[t][src[reading]] + weights[reading] + scores[t][labels[reading]]
            np.logaddexp.at(forward[t + 1], dst[reading], heads[t, reading])
    for t in range(n_frames, -1, -1):
        if t < n_frames:
            ahead = weights[reading] + scores[t][labels[reading]] + backward[t + 1][dst[reading]]
            arcs[t, reading] = forward[t][src[reading]] + ahead
            np.logaddexp.at(backward[t], src[reading], ahead)
        for level in reversed(levels):
            np.logaddexp.at(backward[t], src[level], backward[t][dst[level]] + weights[level])
    return Trellis(topology, labels, forward, backward, arcs, heads, n_columns)


def _levels(topology: Topology, silent: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """ε arcs by the longest way of ε arcs to their sources, so that one level after another is complete."""
    if not len(silent):
        return []
    src, dst = topology.src[silent], topology.dst[silent]
    order = topological_order(topology.n_states, src, dst)
    if order is None:
        raise UnsupportedError("the graph has a cycle of ε arcs, whose trellis is not drawn", hint="use rmeps[…]")
    depth = np.zeros(topology.n_states, dtype=np.int64)
    leaving: dict[int, list[int]] = {}
    for source, destination in zip(src.tolist(), dst.tolist(), strict=True):
        leaving.setdefault(source, []).append(destination)
    for state in np.asarray(order).tolist():
        for there in leaving.get(state, ()):
            depth[there] = max(depth[there], depth[state] + 1)
    levels = depth[src]
    return [silent[levels == level] for level in range(int(levels.max()) + 1)]


def find_trellis(program: Program, bound: Bound, item: int, limits: Limits) -> Trellis:
    """The sums of the first composition with a dense input in the equation.

    Raises:
        InputError: there is none, or no such item.
    """
    dense = frozenset(name for name, found in bound.inputs.items() if isinstance(found, BoundDense))
    item = whole_number(item, "item", f"a whole number from 0 to {bound.n_items - 1}", 0, bound.n_items - 1)
    meeting = _first_meeting(program, dense)
    if meeting is None or meeting.graph is None:
        given = f"the dense inputs are {', '.join(sorted(dense))}" if dense else "no input is dense"
        raise InputError(
            f"the equation composes no graph with a dense input ({given})",
            hint="a trellis is of X ∘ G or G ∘ X, where X is ag.dense(…) or an array (T, C)",
        )
    found = bound.inputs[str(meeting.dense.parameters[0])]
    assert isinstance(found, BoundDense)
    scores = np.asarray(found.scores(item), dtype=np.float64)
    graph = Interpretation(replace(program, result=meeting.graph), bound, item, limits).forward(want_gradient=False)
    topology = graph.topology
    assert topology is not None
    n_frames, n_columns = scores.shape
    limits.check("the trellis", bytes=16 * (n_frames + 1) * (topology.n_states + len(topology.src)))
    labels = topology.ilabel if meeting.side == "input" else topology.olabel
    if labels.max(initial=-1) >= n_columns:
        raise InputError(f"the graph has the label {labels.max()}, but the dense input has {n_columns} columns")
    return trellis_of(topology, graph.weights, labels, scores)


def _first_meeting(program: Program, dense: frozenset[str]) -> Meeting | None:
    operands: list[Node] = [operand for node in program.nodes for operand in node.operands]
    for node in [*(o for o in reversed(operands) if o.type is Type.GRAPH), program.result]:
        meeting = find_meeting(node, dense, program.interner) if node.type is Type.GRAPH else None
        if meeting is not None and meeting.graph is not None:
            return meeting
    return None


def draw_trellis(
    program: Program,
    bound: Bound,
    limits: Limits,
    *,
    of: str,
    animate: bool,
    item: int,
    names: Callable[[int], str],
    title: str | None,
) -> Drawing:
    """The heat map of posteriors; what ``eq.draw_trellis`` does, which says what the arguments mean."""
    if of not in ("states", "labels"):
        raise InputError(f"of is {shown(of)}, but must be 'states' or 'labels'")
    if title is not None and not isinstance(title, str):
        raise InputError(f"title is {shown(title)} ({type(title).__name__}), but must be a str")
    trellis = find_trellis(program, bound, item, limits)
    if of == "states":
        rows = _state_names(trellis, names)
        after, during = trellis.states(), trellis.states(filtered=True)
    else:
        rows = [visible(names(label)) for label in range(trellis.n_columns)]
        after, during = trellis.columns(), trellis.columns(filtered=True)
    axes = ("frames", of)
    if not animate:
        return Drawing(heatmap_scene([(after, ())], rows, title, axes))
    n = max(len(after), 1)
    there = [0.46 * t / n for t in range(n)]
    back = [0.5 + 0.42 * (n - 1 - t) / n for t in range(n)]
    captions = [("forward: given the frames so far", 0.0, 0.5), ("backward: given all frames", 0.5, 1.0)]
    seconds = min(max(4.0, 0.16 * n), 16.0)
    return Drawing(heatmap_scene([(during, there), (after, back)], rows, title, axes, seconds, captions))


def _state_names(trellis: Trellis, names: Callable[[int], str]) -> list[str]:
    """A state's number, with the symbol by which it is entered where that is one."""
    entering: list[set[int]] = [set() for _ in range(trellis.topology.n_states)]
    for destination, label in zip(trellis.topology.dst.tolist(), trellis.labels.tolist(), strict=True):
        entering[destination].add(label)
    shown = []
    for state, labels in enumerate(entering):
        label = labels.pop() if len(labels) == 1 else EPSILON
        shown.append(str(state) if label == EPSILON else f"{state}: {visible(names(label))}")
    return shown
