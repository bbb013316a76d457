"""Evaluates an expression tree over inputs: the value and the exact gradient by every weight entry.

Graphs are built naively (``graphs``), reduced by their paths (``paths``), and scores carry sparse gradients forward.
Where MAX or MIN has several best paths, every choice's gradient is reported; a test accepts any of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping as Map
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oracle import graphs, paths
from oracle.graphs import Graph, Key, TooLargeError
from oracle.leaves import Input, Mapping, add_item_gradient, is_batched, item_of, zero_gradient
from oracle.trees import REDUCTIONS, Tree

Floats = NDArray[np.float64]
Sparse = dict[Key, float]
Gradient = dict[str, "Floats | list[Floats]"]

MAX_CHOICES = 48


class UndefinedScoreError(Exception):
    """An operation between scores has no value, such as −inf − −inf."""


@dataclass(frozen=True)
class Score:
    """A score's value, the size of its terms, and its gradient for each choice among best paths."""

    value: float
    scale: float
    choices: tuple[Sparse, ...] = ({},)


@dataclass
class Limits:
    """The largest graph that an evaluation may build before it raises TooLargeError."""

    states: int = 400
    arcs: int = 3000


class Evaluator:
    """Evaluates trees over one item's inputs. Shared nodes are built once.

    Attributes:
        n_finite_paths: for each reduction evaluated, accepting paths of finite weight.
        cyclic: whether any reduced graph had a cycle on an accepting path.
    """

    def __init__(self, inputs: Map[str, object], limits: Limits | None = None) -> None:
        self.inputs = inputs
        self.limits = limits or Limits()
        self.n_finite_paths: list[float] = []
        self.cyclic = False
        self._graphs: dict[int, Graph] = {}
        self._scores: dict[int, Score] = {}
        self._inner: dict[str, Score] = {}

    def graph(self, tree: Tree) -> Graph:
        """The naive graph of a graph expression."""
        if id(tree) not in self._graphs:
            built = self._build(tree)
            if built.n_states > self.limits.states or len(built.arcs) > self.limits.arcs:
                raise TooLargeError(f"{tree.operator}: {built.n_states} states, {len(built.arcs)} arcs")
            self._graphs[id(tree)] = built
        return self._graphs[id(tree)]

    def _build(self, tree: Tree) -> Graph:
        op = tree.operator
        if op == "leaf":
            return self.inputs[tree.parameters[0]].to_graph(tree.parameters[0])
        if op == "epsilon":
            return graphs.epsilon()
        if op == "empty":
            return graphs.empty()
        if op == "linear":
            return graphs.linear(tree.parameters)
        operand = self.graph(tree.operands[0])
        if op == "repeat":
            least, most = tree.parameters
            copies = least + 1 if most is None else most
            if copies * len(operand.arcs) > self.limits.arcs:
                raise TooLargeError("repetition")
            return graphs.repeat(operand, least, most)
        if op == "weight":
            return self._weighted(operand, tree.operands[1])
        if op in ("relabel", "relabel_input", "relabel_output"):
            mapping = self.inputs[tree.operands[1].parameters[0]]
            assert isinstance(mapping, Mapping)
            return graphs.relabel(operand, mapping.labels, op.removeprefix("relabel").removeprefix("_") or "both")
        if op in ("compose", "intersect"):
            build = graphs.compose if op == "compose" else graphs.intersect
            return build(operand, self.graph(tree.operands[1]), 4 * self.limits.states, 4 * self.limits.arcs)
        functions = {"input": graphs.project_input, "output": graphs.project_output}
        function = functions.get(op) or getattr(graphs, op)
        return function(*(self.graph(x) for x in tree.operands))

    def _weighted(self, operand: Graph, score_tree: Tree) -> Graph:
        score = self.score(score_tree)
        if math.isnan(score.value) or score.value == math.inf:
            raise TooLargeError("weight of +inf")
        if score_tree.operator == "score":
            terms: tuple[Key, ...] = ((score_tree.parameters[0], 0),)
        elif score_tree.operator == "number":
            terms = ()
        else:
            # A pseudo-leaf: its gradient is passed on to the score's own inputs by _through_inner_scores.
            name = f"⟨{id(score_tree)}⟩"
            self._inner[name] = score
            terms = ((name, 0),)
        return graphs.weight(operand, score.value, terms)

    def score(self, tree: Tree) -> Score:
        """The value and gradients of a score expression."""
        if id(tree) not in self._scores:
            self._scores[id(tree)] = self._reduce(tree) if tree.operator in REDUCTIONS else self._arithmetic(tree)
        return self._scores[id(tree)]

    def _reduce(self, tree: Tree) -> Score:
        graph = self.graph(tree.operands[0])
        if tree.operator == "LSE":
            reduced = paths.lse(graph)
        elif tree.operator == "COUNT":
            reduced = paths.count(graph)
        else:
            is_leaf = tree.operator == "MAX" and tree.operands[0].operator == "leaf"
            reduced = paths.best(graph, 1 if tree.operator == "MAX" else -1, canonical=is_leaf)
        self.n_finite_paths.append(reduced.n_finite_paths)
        self.cyclic |= reduced.cyclic
        choices: list[Sparse] = []
        if math.isinf(reduced.value):  # no derivative passes below an infinite score
            return Score(reduced.value, reduced.scale)
        for by_arc in reduced.gradients:
            sparse: Sparse = {}
            for k in np.flatnonzero(by_arc).tolist():
                for key in graph.arcs[k].terms:
                    sparse[key] = sparse.get(key, 0.0) + float(by_arc[k])
            choices.extend(self._through_inner_scores(sparse))
        return Score(reduced.value, reduced.scale, _distinct(choices))

    def _through_inner_scores(self, sparse: Sparse) -> list[Sparse]:
        outer = {key: g for key, g in sparse.items() if key[0] not in self._inner}
        parts = [
            [(g, choice) for choice in self._inner[key[0]].choices] for key, g in sparse.items() if key not in outer
        ]
        return [_combine([(1.0, outer), *chosen]) for chosen in itertools.product(*parts)]

    def _arithmetic(self, tree: Tree) -> Score:
        op = tree.operator
        if op == "number":
            return Score(float(tree.parameters[0]), max(1.0, abs(tree.parameters[0])))
        if op == "score":
            name = tree.parameters[0]
            value = float(self.inputs[name])
            return Score(value, max(1.0, abs(value) if math.isfinite(value) else 1.0), ({(name, 0): 1.0},))
        operands = [self.score(x) for x in tree.operands]
        value, factor_choices = _ARITHMETIC[op](*(float(x.value) for x in operands))
        if math.isnan(value):
            raise UndefinedScoreError(tree.text())
        scale = sum(x.scale for x in operands)
        if math.isinf(value):
            return Score(value, scale)
        for factors in factor_choices:
            finite = [abs(f) for f in factors if math.isfinite(f)]
            scale = max(scale, sum(x.scale * f for x, f in zip(operands, finite, strict=False)))
        choices = [
            _combine(list(zip(factors, chosen, strict=True)))
            for factors in factor_choices
            for chosen in itertools.product(*(x.choices for x in operands))
        ]
        return Score(value, scale, _distinct(choices))


def _combine(parts: list[tuple[float, Sparse]]) -> Sparse:
    total: Sparse = {}
    for factor, sparse in parts:
        if factor == 0.0:
            continue
        for key, g in sparse.items():
            total[key] = total.get(key, 0.0) + factor * g
    return total


def _distinct(choices: list[Sparse]) -> tuple[Sparse, ...]:
    found: dict[tuple, Sparse] = {}
    for choice in choices:
        found.setdefault(tuple(sorted((k, round(g, 9)) for k, g in choice.items() if g != 0.0)), choice)
        if len(found) > MAX_CHOICES:
            raise TooLargeError("too many choices among best paths")
    return tuple(found.values())


# Each gives the value and, for each choice, the operands' partial derivatives. NaN values mean: undefined.


def _add(a: float, b: float):
    return a + b, [(1.0, 1.0)]


def _subtract(a: float, b: float):
    return a - b, [(1.0, -1.0)]


def _multiply(a: float, b: float):
    return a * b, [(b, a)]


def _divide(a: float, b: float):
    if b == 0.0:
        return math.nan, [(0.0, 0.0)]
    return a / b, [(1.0 / b, -a / b / b)]


def _negate(a: float):
    return -a, [(-1.0,)]


def _log(a: float):
    if a < 0.0:
        return math.nan, [(0.0,)]
    return (math.log(a), [(1.0 / a,)]) if a > 0.0 else (-math.inf, [(math.inf,)])


def _exp(a: float):
    value = math.exp(a) if a < 709.0 else math.inf
    return value, [(value,)]


def _logadd(a: float, b: float):
    top = max(a, b)
    if math.isinf(top):
        return top, [(float(a == top and top > 0), float(b == top and top > 0 and a != top))]
    value = top + math.log(math.exp(a - top) + math.exp(b - top))
    return value, [(math.exp(a - value), math.exp(b - value))]


def _max(a: float, b: float):
    if math.isfinite(a) and abs(a - b) <= paths.NEAR_TIE * max(1.0, abs(a)):
        return max(a, b), [(1.0, 0.0), (0.0, 1.0)]
    return max(a, b), [(float(a >= b), float(b > a))]


_ARITHMETIC = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "negate": _negate,
    "log": _log,
    "exp": _exp,
    "logadd": _logadd,
    "max": _max,
}


@dataclass
class Result:
    """What an equation is worth.

    Attributes:
        value: a float, or for a batch (B,) floats.
        gradients: one for each choice among best paths, each by input name and in the input's shape; of a batch, of the
            sum of its values.
        scale: Σ|terms|, per item for a batch.
        tie: whether there is more than one choice.
        n_finite_paths: the smallest count of finite paths over reductions and items.
        cyclic: whether a cycle was on an accepting path.
    """

    value: float | Floats
    gradients: list[Gradient]
    scale: float | Floats
    tie: bool
    n_finite_paths: float
    cyclic: bool


def batch_size(inputs: Map[str, Input]) -> int | None:
    """The number of items, or None where no input is a batch."""
    sizes = {len(x) for x in inputs.values() if is_batched(x)}
    assert len(sizes) <= 1, "batches of different sizes"
    return sizes.pop() if sizes else None


def evaluate(tree: Tree, inputs: Map[str, Input], limits: Limits | None = None) -> Result:
    """Evaluates a score expression over inputs, item by item.

    Raises:
        paths.DivergesError: a sum or a best path has no end.
        UndefinedScoreError: an operation between scores has no value.
        TooLargeError: the oracle's limits, or a case too near an edge to be judged.
    """
    size = batch_size(inputs)
    values, scales, choices, counts, cyclic = [], [], [], [], False
    for item in range(1 if size is None else size):
        evaluator = Evaluator({name: item_of(x, item) for name, x in inputs.items()}, limits)
        score = evaluator.score(tree)
        values.append(score.value)
        scales.append(score.scale)
        choices.append(score.choices)
        counts.append(min(evaluator.n_finite_paths, default=0))
        cyclic |= evaluator.cyclic
    if math.prod(len(c) for c in choices) > MAX_CHOICES:
        raise TooLargeError("too many choices among best paths")
    gradients = [_assemble(chosen, inputs) for chosen in itertools.product(*choices)]
    return Result(
        values[0] if size is None else np.array(values),
        gradients,
        scales[0] if size is None else np.array(scales),
        len(gradients) > 1,
        min(counts, default=0),
        cyclic,
    )


def _assemble(chosen: tuple[Sparse, ...], inputs: Map[str, Input]) -> Gradient:
    total: Gradient = {name: zero_gradient(x) for name, x in inputs.items() if not isinstance(x, Mapping)}
    for item, sparse in enumerate(chosen):
        for (name, entry), amount in sparse.items():
            add_item_gradient(total[name], inputs[name], item, entry, amount)
    return total
