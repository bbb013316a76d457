"""A stored lattice: the score of all its paths with the gradient by its arcs, and its best path."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

import arcgrad as ag
from arcgrad.compiler.graphs.best_paths import best_paths as reference_paths
from benchmarks.case import Array, Case, Contender, Outcome, Setting, Target
from benchmarks.graphs import lattice
from benchmarks.peers import openfst, openfst_distances
from benchmarks.reference import graph_score

__all__ = ["best_path", "best_paths", "lattice_score"]


def _stored(setting: Setting) -> tuple[ag.Graph, list[Array]]:
    """A lattice of a million arcs, and weights for it that change from step to step."""
    random = np.random.default_rng(0)
    graph = lattice(setting.pick(100_001, 101), 10, 30, random)
    return graph, [graph.weight, *random.normal(-1.0, 1.0, (3, graph.n_arcs))]


def lattice_score(setting: Setting) -> Case:
    """``LSE[A]`` and its gradient, new weights at every call."""
    graph, weights = _stored(setting)
    equation = ag.compile("LSE[A]", mode="fused")

    def call(step: int) -> Any:
        return equation.value_and_grad(A=graph.with_weight(weights[step % len(weights)]))

    def truth() -> Outcome:
        value, by_arcs = graph_score(graph)
        return Outcome.of(value, {"A": by_arcs})

    peers: dict[str, Contender] = {}
    if "openfst" in setting.modules:
        peers["openfst"] = openfst_distances(setting.modules["openfst"], graph)
    return Case(
        arcgrad=Contender(call, lambda raw: Outcome.of(raw[0], raw[1]), (1e-9, 1e-9)),
        peers=peers,
        truth=truth,
        work=float(graph.n_arcs),
        multiply_adds=(3.0 + 10.0) * graph.n_arcs,
        # Weights are read; exponentials written, and read twice with source and destination; the gradient written.
        bytes=(8.0 + 8.0 + 2 * 16.0 + 8.0) * graph.n_arcs,
        target=Target("arcs", 100e6),
    )


def best_path(setting: Setting) -> Case:
    """``PATH[A]`` beside OpenFst's shortestpath; its weight is compared."""
    graph, weights = _stored(setting)
    equation = ag.compile("PATH[A]", mode="fused")

    def call(step: int) -> Any:
        return equation(A=graph.with_weight(weights[step % len(weights)]))

    def truth() -> Outcome:
        best = np.full(graph.n_states, -np.inf)
        best[graph.start] = 0.0
        for src, dst, weight in zip(graph.src.tolist(), graph.dst.tolist(), graph.weight.tolist(), strict=True):
            best[dst] = max(best[dst], best[src] + weight)
        return Outcome.of(best[graph.accept].max())

    peers: dict[str, Contender] = {}
    if "openfst" in setting.modules:
        fst = setting.modules["openfst"]
        made = openfst(fst, graph)
        peers["openfst"] = Contender(lambda step: fst.shortestpath(made), lambda raw: Outcome.of(_path_weight(raw)))
    return Case(
        arcgrad=Contender(call, lambda raw: Outcome.of(raw.arc_weight.sum()), (1e-9, 0.0)),
        peers=peers,
        truth=truth,
        work=float(graph.n_arcs),
        multiply_adds=2.0 * graph.n_arcs,
        bytes=(8.0 + 16.0) * graph.n_arcs,
        target=Target("ratio", 3.0),
    )


def best_paths(setting: Setting, n: int, n_states: int) -> Case:
    """``NBEST[A, n]`` of a lattice beside OpenFst's shortestpath; the sum of the paths' weights is compared.

    Of 1,000 paths of a lattice of a million arcs, OpenFst exceeds 14 GB.
    """
    random = np.random.default_rng(0)
    graph = lattice(setting.pick(n_states, 101), 10, 30, random)
    weights = [graph.weight, *random.normal(-1.0, 1.0, (3, graph.n_arcs))]
    equation = ag.compile(f"NBEST[A, {n}]", mode="fused", limits=ag.Limits(states=1 << 25, arcs=1 << 25))

    def call(step: int) -> Any:
        return equation(A=graph.with_weight(weights[step % len(weights)]))

    def truth() -> Outcome:
        found = islice(reference_paths(graph.topology, graph.arc_weight), n)
        return Outcome.of(sum(weight for weight, _ in found))

    peers: dict[str, Contender] = {}
    if "openfst" in setting.modules:
        fst = setting.modules["openfst"]
        made = openfst(fst, graph)
        peers["openfst"] = Contender(
            lambda step: fst.shortestpath(made, nshortest=n), lambda raw: Outcome.of(_paths_weight(raw))
        )
    return Case(
        arcgrad=Contender(call, lambda raw: Outcome.of(raw.arc_weight.sum()), (1e-9, 0.0)),
        peers=peers,
        truth=truth if n * graph.n_states < 2 * 10**7 else None,  # plain Python would fill the memory
        work=float(graph.n_arcs),
        multiply_adds=2.0 * graph.n_arcs,
        bytes=(8.0 + 16.0) * graph.n_arcs,
        target=Target("ratio", 1.0),
        repetitions=2 if n * n_states >= 2 * 10**7 else 15,
    )


def _paths_weight(paths: Any) -> float:
    """Sum of the weights of all paths of an OpenFst graph without cycles."""
    total = 0.0
    stack = [(paths.start(), 0.0)]
    while stack:
        state, weight = stack.pop()
        final = float(paths.final(state))
        if final != float("inf"):
            total += weight - final
        stack += [(arc.nextstate, weight - float(arc.weight)) for arc in paths.arcs(state)]
    return total


def _path_weight(path: Any) -> float:
    """Weight of the one path of an OpenFst graph."""
    state, total = path.start(), 0.0
    while True:
        arcs = list(path.arcs(state))
        if not arcs:
            return total - float(path.final(state))
        total -= float(arcs[0].weight)
        state = arcs[0].nextstate
