"""Dense compositions that are not built, one item's, and graphs whose arcs are copies of theirs.

An arc of the composition is an arc of the graph, and the frame that it takes where it is not an ε arc. Of a dense input
alone, it is a frame and a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed, copied_arcs, lines_of
from arcgrad.compiler.limits import Limits
from arcgrad.runtime.build.operators.compose import build_composition
from arcgrad.runtime.data.dense import dense_topology, limited_topology
from arcgrad.runtime.regions.out_arcs import OutArcs

__all__ = ["Chosen", "Composition", "TrellisGraph"]

TrellisGraph = tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, NDArray[np.bool_]]
"""Rows, ends, columns, ranks and weights of the arcs, as `trellis_path` says, and whether a state accepts."""

_NO_ARCS: IntArray = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Chosen(Transformed):
    """The result of an operator over a dense composition, whose arcs are copies of the composition's.

    ``pull_back`` and ``copies`` are in terms of the graph's arcs; where there is none, of no arcs.

    Attributes:
        frames: (n,) the frame of each output arc that takes one.
        columns: (n,) its column.
        takes: (n,) numbers of these output arcs.
    """

    frames: IntArray
    columns: IntArray
    takes: NDArray[np.intp]

    def add_to_frames(self, cotangent: FloatArray, gradient: NDArray[Any]) -> None:
        """Add the cotangent of the output's arcs to (T, C) that of the dense input."""
        np.add.at(gradient, (self.frames, self.columns), cotangent[self.takes])


@dataclass(frozen=True, eq=False)
class Composition:
    """One item's dense composition.

    Attributes:
        scores: (T, C) of the dense input.
        side: "input" where it comes before the graph, else "output".
        graph: what it is composed with; None where it stands alone.
        labels: the same arcs with the labels that the composition's have.
        weights: (n_arcs,) of the graph.
        arcs: the graph's arcs, packed; None where there is no graph, or one with a cycle of ε arcs.
    """

    scores: NDArray[Any]
    side: str = "input"
    graph: Topology | None = None
    labels: Topology | None = None
    weights: FloatArray | None = None
    arcs: OutArcs | None = None

    @property
    def work(self) -> int:
        """Arc-frames."""
        n_frames, n_columns = self.scores.shape
        return int(n_frames * (n_columns if self.graph is None else self.graph.n_arcs))

    def trellis(self) -> tuple[TrellisGraph, IntArray, IntArray, bool] | None:
        """Its arcs as the kernels of paths take them, starts, the graph's numbers of the arcs, and if there are ε arcs.

        None where no state lies on an accepting path. Of a dense input alone: one state, and a loop for each column.
        """
        if self.graph is None:
            columns: IntArray = np.arange(self.scores.shape[1], dtype=np.int32)
            zeros = np.zeros(len(columns) + 1, dtype=np.int32)
            rows = np.array([0, len(columns), len(columns)], dtype=np.int32)
            loops = rows, zeros[1:], columns, columns, np.zeros(len(columns)), np.ones(1, dtype=np.bool_)
            return loops, zeros[:1], columns, False
        assert self.arcs is not None
        assert self.weights is not None
        arcs, n_states = self.arcs, len(self.arcs.rows) // 2
        if not n_states:
            return None
        accepts = np.zeros(n_states, dtype=np.bool_)
        accepts[arcs.accepts] = True
        graph = arcs.rows, arcs.ends, arcs.columns, arcs.ranks, self.weights[arcs.numbers], accepts
        return graph, arcs.starts, arcs.numbers, arcs.has_silent

    def build(self, limits: Limits) -> tuple[Topology, FloatArray, IntArray, IntArray]:
        """Build it: the graph, its weights, and for each arc the graph's arc or else the column, and the frame or −1.

        Raises:
            LimitError: it exceeds the budget.
        """
        n_frames, n_columns = self.scores.shape
        width = np.int32(max(n_columns, 1))
        chain = limited_topology(n_frames, n_columns, limits)
        scores = self.scores.reshape(-1).astype(np.float64, copy=False)
        if self.graph is None:
            arcs = np.arange(chain.n_arcs, dtype=np.int32)
            return chain, scores, arcs % width, arcs // width
        assert self.weights is not None
        operands = (chain, self.graph) if self.side == "input" else (self.graph, chain)
        built = build_composition(operands, (), limits)
        taken, arcs = built.selections if self.side == "input" else built.selections[::-1]
        weights = np.zeros(built.topology.n_arcs)
        moves = np.flatnonzero(taken >= 0)
        with np.errstate(over="ignore"):  # what is too small for a float is −inf
            weights[moves] = scores[taken[moves]]
            weights += self.weights[arcs]
        return built.topology, weights, arcs, np.where(taken >= 0, taken // width, np.int32(-1))

    def line(self, path: tuple[IntArray, IntArray] | None) -> Chosen:
        """The linear graph of a path; ∅ where there is none.

        Args:
            path: the graph's arcs, or where there is none the columns; and the frame that each takes, −1 for ε arcs.
        """
        if path is None:
            return self.lines(_NO_ARCS, _NO_ARCS, [])
        return self.lines(*path, [len(path[0])])

    def lines(self, arcs: IntArray, frames: IntArray, lengths: Sequence[int] | NDArray[np.integer]) -> Chosen:
        """The linear graphs of some paths side by side; ∅ where there are none.

        Args:
            arcs: the graph's arcs of the first path, then of the second and so on, or where there is none the columns.
            frames: the frame that each takes, −1 for ε arcs.
            lengths: (n_paths,) how many arcs each has.
        """
        takes = np.flatnonzero(frames >= 0)
        taken = frames[takes]
        if self.graph is None:
            columns = arcs
            line = lines_of(dense_topology(1, self.scores.shape[1]), arcs, lengths)
            made = Transformed(line, np.zeros(len(columns)), lambda cotangent: np.zeros(0))
        else:
            assert self.labels is not None
            assert self.weights is not None
            made = copied_arcs(lines_of(self.labels, arcs, lengths), self.weights, arcs)
            columns = (self.graph.ilabel if self.side == "input" else self.graph.olabel)[arcs[takes]]
        made.weights[takes] += self.scores[taken, columns]
        return Chosen(
            made.topology, made.weights, made.pull_back, made.copies, frames=taken, columns=columns, takes=takes
        )
