"""Jacobians of graph-valued equations: the selection of the result, by input, as sparse matrices.

Row i and column j say how often the weight of arc j of the input enters that of arc i of the output.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Node, Program
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import Transformed
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.call.evaluator import Evaluator
from arcgrad.runtime.call.stages import StagedCall
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph, BoundInput
from arcgrad.runtime.reference.interpreter import Interpretation
from arcgrad.runtime.transforms.composition import Chosen

if TYPE_CHECKING:
    from arcgrad.runtime.draw.drawing import Drawing

__all__ = ["Jacobian", "jacobians"]

_MOST_DRAWN = 1_000_000  # entries


class Jacobian:
    """A sparse matrix of partial derivatives ∂(output arc weight) / ∂(input arc weight).

    Attributes:
        shape: (arcs of the output, arcs of the input); a score input has one column.
        rows, columns: (nnz,) places of the entries that are not zero, row by row; each place occurs once.
        values: (nnz,) float64. Structural operators count how often a weight enters, so they give whole numbers.

    Example:
        >>> import arcgrad as ag
        >>> J = ag.compile("A A").jacobian(wrt="A", A=ag.linear([1]))
        >>> J.toarray()
        array([[1.],
               [0.],
               [1.]])
    """

    def __init__(
        self,
        shape: tuple[int, int],
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        values: NDArray[np.float64],
        output: Topology,
        input: Topology | None,
    ) -> None:
        order = np.lexsort((columns, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        # Entries of one place are added up.
        first = np.ones(len(rows), dtype=bool)
        first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        group = np.cumsum(first) - 1
        summed = np.bincount(group, weights=values, minlength=int(first.sum())).astype(np.float64)
        rows, columns = rows[first], columns[first]
        kept = summed != 0
        self.shape = shape
        self.rows, self.columns, self.values = rows[kept], columns[kept], summed[kept]
        self._output, self._input = output, input

    @property
    def nnz(self) -> int:
        """Number of entries that are not zero."""
        return len(self.values)

    def toarray(self) -> NDArray[np.float64]:
        """The dense matrix of ``shape``."""
        dense = np.zeros(self.shape)
        dense[self.rows, self.columns] = self.values
        return dense

    def column(self, index: int) -> Graph:
        """Column ``index`` as a graph of the output's shape: how every output arc depends on that one input arc.

        Raises:
            InputError: there is no such column.
        """
        at = self._check(index, 1, "column")
        weights = np.zeros(self.shape[0])
        here = self.columns == at
        weights[self.rows[here]] = self.values[here]
        return Graph.from_topology(self._output, weights)

    def row(self, index: int) -> Graph:
        """Row ``index`` as a graph of the input's shape: how that one output arc depends on every input arc.

        Raises:
            InputError: there is no such row, or the input is a score, which has no shape of a graph.
        """
        at = self._check(index, 0, "row")
        if self._input is None:
            raise InputError("the input is a score: a row of its Jacobian is one number", hint="use toarray()")
        weights = np.zeros(self.shape[1])
        here = self.rows == at
        weights[self.columns[here]] = self.values[here]
        return Graph.from_topology(self._input, weights)

    def draw(self, file: str | os.PathLike[str] | None = None, *, title: str | None = None) -> Drawing:
        """Draw the matrix as a heat map: to the right the arcs of the input, downwards those of the result.

        Args:
            file: where to write the picture: .svg or .png (extra ``plot``); None: nowhere.
            title: a line above the picture.

        Raises:
            InputError: a file of another suffix, or a matrix of more than a million entries.
            UnsupportedError: a PNG without cairosvg.
            OSError: the file cannot be written.

        Example:
            >>> import arcgrad as ag
            >>> ag.compile("A A").jacobian(wrt="A", A=ag.linear([1])).draw()
            <Drawing ...: A heat map of 3 arcs of the result over 1 arcs of the input>
        """
        from arcgrad.runtime.draw.drawing import checked_file, saved
        from arcgrad.runtime.draw.heatmap import draw_heatmap

        if file is not None:
            checked_file(file)
        if self.shape[0] * self.shape[1] > _MOST_DRAWN:
            raise InputError(f"a Jacobian of shape {self.shape} is too large to draw", hint="draw a row or a column")
        axes = ("arcs of the input", "arcs of the result")
        return saved(draw_heatmap(self.toarray().T, "values", None, title, axes), file)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The picture, where it is not too large, and the text, for notebooks."""
        bundle = {"text/plain": repr(self)}
        if self.shape[0] * self.shape[1] <= _MOST_DRAWN:
            bundle["image/svg+xml"] = self.draw().svg
        return bundle

    def _check(self, index: int, axis: int, name: str) -> int:
        size = self.shape[axis]
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise InputError(f"a {name} is chosen by a whole number, not by {shown(index)}")
        if not -size <= index < size:
            there = f"{name}s are 0 to {size - 1}" if size else f"it has no {name}s"
            raise InputError(f"{name} {shown(index)} of a Jacobian of shape {self.shape}", hint=there)
        return int(index) % size

    def __repr__(self) -> str:
        return f"<Jacobian of shape {self.shape} with {self.nnz} entries>"


def jacobians(evaluator: Evaluator, bound: Bound, wrt: Sequence[str]) -> dict[str, Jacobian]:
    """The Jacobians of a graph-valued equation with respect to each input in ``wrt``.

    Stage by stage: the Jacobian of a stage's operand, then that of its operator, then that of what follows.

    Raises:
        InputError: the value is a score, or the inputs are a batch.
    """
    program = evaluator.program
    if program.result.type is not Type.GRAPH:
        raise InputError(
            "jacobian is for graph-valued equations; this one's value is a score",
            hint="value_and_grad gives the derivatives of a score",
        )
    if bound.batch is not None:
        raise InputError(f"jacobian takes single graphs, but the inputs are a batch of {bound.batch}")
    evaluator = evaluator.planned
    if evaluator.stages:
        call = StagedCall(evaluator.stages, bound, evaluator.limits)
        last = call.inputs_of(evaluator.engine.program)
    else:
        call, last = None, bound
    topology, entries = _entries(evaluator.engine.program, last, evaluator.limits)
    if call is not None:
        for run in reversed(call.runs):
            below, made = entries.pop(run.stage.name, None), run.made[0]
            if below is None:
                continue
            found: dict[str, _Entries] = {}
            for engine, here in run.engines[:1]:
                found = _entries(engine.program, here, evaluator.limits)[1]
                found = {name: _product(_of_transform(made), further) for name, further in found.items()}
            if isinstance(made, Chosen):
                found[run.dense] = _sum(found.get(run.dense, _NOTHING), _of_frames(made, run.here.inputs[run.dense]))
            for name, further in found.items():
                entries[name] = _sum(entries.get(name, _NOTHING), _product(below, further))
    result: dict[str, Jacobian] = {}
    for name in wrt:
        source = bound.inputs[name]
        own = source.topology(0, evaluator.limits) if isinstance(source, (BoundGraph, BoundDense)) else None
        shape = (topology.n_arcs, own.n_arcs if own is not None else 1)
        result[name] = Jacobian(shape, *entries.get(name, _NOTHING), topology, own)
    return result


_Entries = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
"""Rows, columns and values."""

_NO_INTS = np.zeros(0, dtype=np.int64)
_NOTHING: _Entries = (_NO_INTS, _NO_INTS, np.zeros(0))


def _entries(program: Program, bound: Bound, limits: Limits) -> tuple[Topology, dict[str, _Entries]]:
    """The built graph of one stage, and the entries of its Jacobian with respect to each input."""
    from arcgrad.runtime.call.prepare import Preparer

    prepared = Preparer(program, limits).prepare(bound)
    graph, plan = prepared.graphs[0], prepared.plan
    rows = np.repeat(np.arange(graph.topology.n_arcs, dtype=np.int64), np.diff(graph.selection.offsets))
    leaves, arcs = graph.selection.leaf, graph.selection.arc.astype(np.int64)
    found: dict[str, _Entries] = {}
    for name in bound.inputs:
        parts = [_direct(plan.leaf_numbers.get(program.input_node(name)), rows, leaves, arcs)]
        for slot in plan.weighting:
            if not slot.is_input and not slot.is_number:
                here = rows[leaves == plan.leaf_numbers[slot]]
                parts.append(_through(here, _score_gradient(program, bound, limits, slot, name)))
        found[name] = _sum(*parts)
    return graph.topology, found


def _sum(*parts: _Entries) -> _Entries:
    rows, columns, values = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return rows, columns, values


def _of_transform(made: Transformed) -> _Entries:
    """The entries of an operator's Jacobian, row by row; of one that copies arcs, all at once."""
    if made.copies is not None:
        rows = np.arange(len(made.copies), dtype=np.int64)
        return rows, made.copies.astype(np.int64), np.ones(len(rows))
    found = [_NOTHING]
    for row in range(made.topology.n_arcs):
        cotangent = np.zeros(made.topology.n_arcs)
        cotangent[row] = 1.0
        values = made.pull_back(cotangent)
        columns = np.flatnonzero(values)
        found.append((np.full(len(columns), row, dtype=np.int64), columns, values[columns]))
    return _sum(*found)


def _of_frames(made: Chosen, dense: BoundInput) -> _Entries:
    """The entries of an operator's Jacobian with respect to the dense input that its operand is composed with."""
    assert isinstance(dense, BoundDense)
    columns = made.frames.astype(np.int64) * dense.n_columns + made.columns
    return made.takes.astype(np.int64), columns, np.ones(len(columns))


def _product(one: _Entries, other: _Entries) -> _Entries:
    """The product of two sparse matrices, entry by entry: those of a row of ``other`` for each in that column."""
    order = np.argsort(other[0], kind="stable")
    rows, columns, values = (part[order] for part in other)
    begins, ends = np.searchsorted(rows, one[1]), np.searchsorted(rows, one[1], side="right")
    counts = ends - begins
    places = np.repeat(begins, counts) + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(one[0], counts), columns[places], np.repeat(one[2], counts) * values[places]


def _direct(leaf: int | None, rows: NDArray[np.int64], leaves: NDArray[np.int32], arcs: NDArray[np.int64]) -> _Entries:
    """Entries where the input's own weights are selected."""
    here = leaves == (-1 if leaf is None else leaf)
    return rows[here], arcs[here], np.ones(int(here.sum()))


def _through(rows: NDArray[np.int64], gradient: NDArray[np.float64]) -> _Entries:
    """Entries of arcs that are weighted by a score, which itself depends on the input."""
    columns = np.flatnonzero(gradient)
    return (
        np.repeat(rows, len(columns)),
        np.tile(columns, len(rows)),
        np.tile(gradient[columns], len(rows)),
    )


def _score_gradient(program: Program, bound: Bound, limits: Limits, score: Node, name: str) -> NDArray[np.float64]:
    """Derivatives of a score within the equation by the weights of an input."""
    run = Interpretation(replace(program, result=score), bound, 0, limits)
    run.forward(want_gradient=True)
    run.backward(1.0)
    value = run.values.get(program.input_node(name))
    if value is None:
        return np.zeros(0)
    return np.array([value.bar]) if value.topology is None else value.bars
