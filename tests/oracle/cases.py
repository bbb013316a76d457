"""Random cases: an equation, its inputs, and what the oracle says it is worth. Each is a pure function of its seed.

A case draws a shape for the score on top (few, since each distinct score expression is a routine of its own), leaf
inputs, and random operators over them; cases that the oracle cannot judge are drawn anew.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from support.random_graphs import Style, draw_dense, draw_graph

from oracle import leaves as leaf_kinds
from oracle.evaluate import Gradient, Limits, Result, UndefinedScoreError, batch_size, evaluate
from oracle.graphs import TooLargeError
from oracle.leaves import DenseBatch, DenseLeaf, Input, Mapping
from oracle.paths import DivergesError
from oracle.trees import GRAPH_OPERATORS, Tree, apply, leaf, linear, mapping, number, repeat, score

Floats = NDArray[np.float64]

# Names of the score shapes, with how often each is drawn; {} stands for a graph, w for a score input.
SHAPES = {
    "LSE[{}]": 34,
    "MAX[{}]": 16,
    "MIN[{}]": 8,
    "COUNT[{}]": 8,
    "-LSE[{}]": 5,
    "LSE[{}] - LSE[{}]": 12,
    "MAX[{}] - LSE[{}]": 4,
    "logadd[LSE[{}], w]": 5,
    "2 LSE[{}] - w": 5,
    "max[MAX[{}], w]": 3,
}

_BARE = ("LSE[{}]", "MAX[{}]", "MIN[{}]", "COUNT[{}]")
_MINIMISED = ("MIN[{}]",)
_LARGEST_ATTEMPT = 200


@dataclass(frozen=True, eq=False)
class Case:
    """One equation with inputs and expectations.

    Attributes:
        seed: what it was generated from.
        text: the equation.
        tree: the same as a tree.
        shape: the key of SHAPES that the score follows.
        inputs: by name; see ``oracle.leaves`` for what they are made of.
        batch: the number of items, or None.
        error: the name of arcgrad's error class that the evaluation must raise, or None.
        expected: value, gradients and tolerances; None where there is an error.
    """

    seed: int
    text: str
    tree: Tree
    shape: str
    inputs: dict[str, Input]
    batch: int | None
    error: str | None
    expected: Result | None

    @property
    def wrt(self) -> tuple[str, ...]:
        """The inputs that have gradients, in order of first appearance."""
        return tuple(name for name in self.tree.names() if not isinstance(self.inputs[name], Mapping))

    @property
    def has_gradient(self) -> bool:
        """Whether gradients are to be compared: COUNT has none."""
        return self.error is None and "COUNT" not in self.shape

    @property
    def value(self) -> float | Floats:
        """The expected value: a float, or (B,)."""
        assert self.expected is not None
        return self.expected.value

    @property
    def gradients(self) -> list[Gradient]:
        """The gradients that are right: one, or one for each choice among best paths."""
        assert self.expected is not None
        return self.expected.gradients

    @property
    def n_finite_paths(self) -> float:
        """The least number of finite paths under any reduction and item; 0 where there is an error."""
        return self.expected.n_finite_paths if self.expected else 0

    @property
    def has_dense(self) -> bool:
        """Whether an input is dense."""
        return any(
            isinstance(x, (DenseLeaf, DenseBatch)) or (isinstance(x, list) and x and isinstance(x[0], DenseLeaf))
            for x in self.inputs.values()
        )


class Writer:
    """Draws the equation of one case.

    Graph inputs are A and B (acceptors), C and D (transducers), X and Y (dense); v and w are scores, m maps labels.
    """

    def __init__(
        self, rng: random.Random, n_labels: int, *, sub_scores: bool = False, dense_anywhere: bool = True
    ) -> None:
        self.rng, self.n_labels, self.dense_anywhere = rng, n_labels, dense_anywhere
        inner = apply("LSE", leaf(rng.choice("AB")))
        # One for the whole equation, since each number of inner scores makes a routine of its own.
        self.sub_score = rng.choice([inner, apply("negate", inner)]) if sub_scores else None
        self.seen: dict[bool, list[Tree]] = {True: [], False: []}

    def graph(self, depth: int, acceptor: bool = False) -> Tree:
        """A graph expression of at most that depth; with ``acceptor``, one whose data cannot be a transducer."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.04:
            return self.atom(acceptor)
        usable = self.seen[True] if acceptor else self.seen[True] + self.seen[False]
        if usable and rng.random() < 0.06:
            return rng.choice(usable)
        tree = self.operation(depth, acceptor)
        self.seen[acceptor].append(tree)
        return tree

    def atom(self, acceptor: bool) -> Tree:
        kind = self.rng.random()
        if kind < 0.03:
            return apply("epsilon")
        if kind < 0.045:
            return apply("empty")
        if kind < 0.09:
            return linear(*(self.rng.randrange(self.n_labels) for _ in range(self.rng.randint(1, 3))))
        if kind < 0.19 and self.dense_anywhere:
            return self.dense()
        return leaf(self.rng.choice("AB" if acceptor else "ABCD"))

    def dense(self) -> Tree:
        return leaf(self.rng.choice("XXY"))

    def operation(self, depth: int, acceptor: bool) -> Tree:
        rng = self.rng
        below = depth - 1
        choices = {
            "union": 9, "concatenate": 9, "closure": 6, "plus": 2, "optional": 3, "repeat": 4, "inverse": 3,
            "reverse": 4, "input": 2, "output": 2, "weight": 7, "compose": 11, "dense": 16, "intersect": 5,
            "connect": 2, "relabel": 3, "support": 2, "difference": 3,
        }  # fmt: skip
        if not self.dense_anywhere:
            del choices["dense"]
        if not acceptor:
            choices |= {"cross": 4, "relabel_input": 2, "relabel_output": 2}
        op = rng.choices(list(choices), list(choices.values()))[0]
        if op == "dense":
            first = self.graph(below, acceptor)
            if acceptor:
                return apply(rng.choice(["intersect", "compose"]), first, self.dense())
            return self.with_dense(first)
        if op == "repeat":
            least, most = rng.choice(
                [(0, 0), (2, 2), (2, 2), (3, 3), (0, 1), (0, 2), (1, 2), (2, 3), (1, None), (2, None)]
            )
            return repeat(self.graph(below, acceptor), least, most)
        inner = op in ("cross", "intersect", "support", "difference") or (acceptor and op not in ("input", "output"))
        first = self.graph(below, inner)
        if op in ("union", "concatenate", "compose", "intersect", "cross", "difference"):
            return apply(op, first, self.graph(rng.randint(max(0, below - 2), below), inner))
        if op == "weight":
            return apply(op, first, self.weight())
        if op.startswith("relabel"):
            return apply(op, first, mapping("m"))
        return apply(op, first)

    def weight(self) -> Tree:
        kind = self.rng.random()
        if self.sub_score is not None and kind < 0.4:
            return self.sub_score
        return score(self.rng.choice("vw")) if kind < 0.7 else number(self.rng.choice([0.5, -1.25, -2.0]))

    def with_dense(self, graph: Tree) -> Tree:
        """The graph composed with a dense input, on either side."""
        return apply("compose", *([graph, self.dense()] if self.rng.random() < 0.7 else [self.dense(), graph]))

    def operand(self, depth: int, dense: bool) -> Tree:
        """What a reduction is taken of: where dense inputs may not be anywhere, one is on top or there is none."""
        if self.dense_anywhere or not dense:
            return self.graph(depth)
        return self.with_dense(self.graph(depth - 1))

    def top(self, shape: str, depth: int) -> Tree:
        """The whole equation."""
        dense = self.rng.random() < 0.45
        if shape in _BARE and self.rng.random() < 0.03:
            return apply(shape.removesuffix("[{}]"), self.dense())
        first = self.operand(depth, dense)
        if shape == "LSE[{}] - LSE[{}]":
            nested = self.rng.random() < 0.3
            second = apply("compose", self.graph(1), first) if nested else self.operand(depth - 1, dense)
            return apply("subtract", apply("LSE", first), apply("LSE", second))
        if shape == "MAX[{}] - LSE[{}]":
            return apply("subtract", apply("MAX", first), apply("LSE", first))
        if shape == "-LSE[{}]":
            return apply("negate", apply("LSE", first))
        if shape == "logadd[LSE[{}], w]":
            return apply("logadd", apply("LSE", first), score("w"))
        if shape == "max[MAX[{}], w]":
            return apply("max", apply("MAX", first), score("w"))
        if shape == "2 LSE[{}] - w":
            return apply("subtract", apply("multiply", number(2), apply("LSE", first)), score("w"))
        return apply(shape.removesuffix("[{}]"), first)


def draw_inputs(rng: random.Random, names: Iterable[str], style: Style, batch: int | None) -> dict[str, Input]:
    """A value for each input of Writer's names; with ``batch``, at least one has a value for each item."""
    inputs: dict[str, Input] = {}
    kinds = list(names)
    must_vary = rng.choice([n for n in kinds if n != "m"] or [None]) if batch is not None else None
    for name in kinds:
        varies = batch is not None and (name == must_vary or rng.random() < 0.5)
        if name == "m":
            labels = list(range(style.n_labels))
            inputs[name] = Mapping({label: rng.choice(labels) for label in labels})
        elif name in "vw":
            drawn = [style.weight(rng) for _ in range(batch if varies else 1)]
            inputs[name] = np.array(drawn) if varies else drawn[0]
        elif name in "XY":
            inputs[name] = _draw_dense_input(rng, style, batch if varies else None)
        else:
            acceptor = name in "AB"
            inputs[name] = (
                [draw_graph(rng, style, acceptor) for _ in range(batch)] if varies else draw_graph(rng, style, acceptor)
            )
    return inputs


def _draw_dense_input(rng: random.Random, style: Style, batch: int | None) -> Input:
    longest = rng.randint(12, 60) if style.long else rng.choice([1, 2, 2, 3, 3, 4, 5, 7])
    if batch is None:
        return draw_dense(rng, style, 0 if rng.random() < 0.03 else longest)
    lengths = tuple(rng.randint(0 if rng.random() < 0.1 else 1, longest) for _ in range(batch))
    kind = rng.random()
    if kind < 0.4:
        return [draw_dense(rng, style, length) for length in lengths]
    padded = np.stack([draw_dense(rng, style, longest).scores for _ in range(batch)])
    if kind < 0.55:
        return DenseBatch(padded)
    for item, length in enumerate(lengths):
        padded[item, length:] = 7.0  # padding must not matter
    return DenseBatch(padded, lengths)


def _shifted(inputs: dict[str, Input], amount: float) -> dict[str, Input]:
    """The inputs with all weights moved, so that cycles gain less (or, for MIN, more)."""

    def one(value: Input) -> Input:
        if isinstance(value, list):
            return [x.shift(amount) for x in value]
        if isinstance(value, Mapping):
            return value
        return value + amount if isinstance(value, (float, np.ndarray)) else value.shift(amount)

    return {name: one(x) for name, x in inputs.items()}


def generate(
    seed: int, *, paths_share: float = 0.75, divergent_share: float = 0.03, limits: Limits | None = None
) -> Case:
    """The case of that seed.

    Args:
        seed: any integer.
        paths_share: how many of the cases must have two or more finite paths under every reduction; the others take
            what comes.
        divergent_share: how many may end in a DivergenceError or UndefinedError.
        limits: the largest graph the oracle builds.
    """
    rng = random.Random(seed)
    want_paths = rng.random() < paths_share
    may_fail = rng.random() < divergent_share
    shape = rng.choices(list(SHAPES), list(SHAPES.values()))[0]
    batch = rng.choice([None, None, None, None, None, None, 1, 2, 2, 3])
    limits = limits or Limits(states=400, arcs=2500)
    for attempt in range(_LARGEST_ATTEMPT):
        depth = rng.choice([0, 1, 1, 2, 2, 3, 3, 4, 4, 5]) if attempt < 100 else rng.choice([1, 2])
        style = Style.draw(rng, best=shape[:2] in ("MA", "MI"), minimised=shape in _MINIMISED)
        if not want_paths and rng.random() < 0.5:
            # So that some graphs have paths, but none of finite weight.
            style = replace(style, infinite=rng.choice([0.4, 0.9]))
        # Dense inputs below unions and concatenations split a score into ever other sums of scores, each a routine.
        anywhere = shape in ("LSE[{}]", "MAX[{}]", "COUNT[{}]") and rng.random() < 0.2
        sub_scores = shape == "LSE[{}]" and not anywhere and rng.random() < 0.3
        tree = Writer(rng, style.n_labels, sub_scores=sub_scores, dense_anywhere=anywhere).top(shape, depth)
        inputs = draw_inputs(rng, tree.names(), style, batch)
        size = batch_size(inputs)
        error, expected = None, None
        for _ in range(4):
            try:
                expected, error = evaluate(tree, inputs, limits), None
                break
            except DivergesError:
                error = "DivergenceError"
            except UndefinedScoreError:
                error = "UndefinedError"
                break
            except TooLargeError:
                error = "TooLarge"
                break
            if may_fail:
                break
            inputs = _shifted(inputs, 1.0 if shape in _MINIMISED else -1.0)
        if error == "TooLarge" or (error is not None and not may_fail) or (may_fail and error is None and attempt < 60):
            continue
        if want_paths and error is None and (expected is None or expected.n_finite_paths < 2):
            continue
        return Case(seed, tree.text(), tree, shape, inputs, size, error, expected)
    raise AssertionError(f"no case for seed {seed}")


def statistics(cases: Iterable[Case]) -> dict[str, object]:
    """How many of the cases have what: counts, and how many cases use each operator and shape."""
    all_cases = list(cases)
    operators: Counter[str] = Counter()
    for case in all_cases:
        operators.update({t.operator for t in case.tree.walk()} & set(GRAPH_OPERATORS))
    return {
        "cases": len(all_cases),
        "two or more finite paths": sum(c.n_finite_paths >= 2 for c in all_cases),
        "infinitely many paths": sum(c.n_finite_paths == math.inf for c in all_cases),
        "cyclic": sum(bool(c.expected and c.expected.cyclic) for c in all_cases),
        "batches": sum(c.batch is not None for c in all_cases),
        "dense": sum(c.has_dense for c in all_cases),
        "ties": sum(bool(c.expected and c.expected.tie) for c in all_cases),
        "weights of -inf": sum(any(leaf_kinds.has_minus_infinity(x) for x in c.inputs.values()) for c in all_cases),
        "errors": dict(Counter(c.error for c in all_cases if c.error)),
        "depth": dict(sorted(Counter(c.tree.depth for c in all_cases).items())),
        "shapes": dict(Counter(c.shape for c in all_cases)),
        "operators": dict(operators.most_common()),
    }
