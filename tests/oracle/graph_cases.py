"""Random cases whose value is a graph: every operator's result state by state and arc by arc, and its Jacobian."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from support.random_graphs import Style

from oracle.cases import Writer, draw_inputs
from oracle.evaluate import Evaluator, Limits
from oracle.graphs import Graph, TooLargeError
from oracle.leaves import DenseLeaf, GraphLeaf, Input
from oracle.trees import Tree

__all__ = ["GraphCase", "generate_graph"]


@dataclass(frozen=True, eq=False)
class GraphCase:
    """An equation without reductions, its inputs (no batch), and the graph that the operators' definitions build."""

    seed: int
    text: str
    tree: Tree
    inputs: dict[str, Input]
    graph: Graph

    @property
    def wrt(self) -> tuple[str, ...]:
        """The inputs that are graphs or dense, in order of first appearance."""
        return tuple(n for n in self.tree.names() if isinstance(self.inputs[n], (GraphLeaf, DenseLeaf)))

    def jacobian(self, name: str) -> NDArray[np.float64]:
        """(n_arcs, entries of the input): how often each weight entry of that input enters each arc's weight."""
        result = np.zeros((len(self.graph.arcs), int(np.prod(self.inputs[name].shape))))
        for row, arc in zip(result, self.graph.arcs, strict=True):
            for (leaf, entry), count in arc.counts().items():
                if leaf == name:
                    row[entry] = count
        return result


def generate_graph(seed: int) -> GraphCase:
    """The graph-valued case of that seed."""
    rng = random.Random(f"graph {seed}")
    while True:
        style = Style.draw(rng, best=False, minimised=False)
        tree = Writer(rng, style.n_labels).graph(rng.randint(1, 5))
        inputs = draw_inputs(rng, tree.names(), style, None)
        if not any(isinstance(x, (GraphLeaf, DenseLeaf)) for x in inputs.values()):
            continue
        try:
            graph = Evaluator(inputs, Limits(states=400, arcs=2500)).graph(tree)
        except TooLargeError:
            continue
        return GraphCase(seed, tree.text(), tree, inputs, graph)
