"""Small calls, where all that counts is what a call costs beside its arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Case, Contender, Outcome, Setting, Skipped, Target
from benchmarks.peers import openfst
from benchmarks.reference import graph_score, trellis_score

__all__ = ["jax_loop", "sausage", "tiny_batch", "tiny_gradient", "tiny_value"]


def sausage(random: np.random.Generator) -> ag.Graph:
    """Ten arcs: five places with two labels each."""
    place = np.repeat(np.arange(5), 2)
    return ag.Graph(place, place + 1, np.arange(10) % 2, weight=random.normal(size=10), accept=[5])


def tiny_value(setting: Setting) -> Case:
    """``LSE[A]`` of ten arcs."""
    graph = sausage(np.random.default_rng(0))
    equation = ag.compile("LSE[A]", mode="fused")
    return _case(setting, [graph], lambda step: (equation(A=graph), {}), lambda raw: Outcome.of(raw[0]), 20e-6)


def tiny_gradient(setting: Setting) -> Case:
    """``LSE[A]`` of ten arcs, and its gradient."""
    graph = sausage(np.random.default_rng(0))
    equation = ag.compile("LSE[A]", mode="fused")

    def outcome(raw: Any) -> Outcome:
        return Outcome.of(raw[0], {"A": raw[1]["A"][None]})

    return _case(setting, [graph], lambda step: equation.value_and_grad(A=graph), outcome, 30e-6)


def tiny_batch(setting: Setting) -> Case:
    """The same for a list of eight."""
    random = np.random.default_rng(0)
    graphs = [sausage(random) for _ in range(8)]
    equation = ag.compile("LSE[A]", mode="fused")

    def outcome(raw: Any) -> Outcome:
        return Outcome.of(raw[0], {"A": np.stack(raw[1]["A"])})

    return _case(setting, graphs, lambda step: equation.value_and_grad(A=graphs), outcome, 60e-6)


_LOOP = 100


def jax_loop(setting: Setting) -> Case:
    """A hundred times ``LSE[X ∘ A]`` and its gradient in a loop of XLA's, beside the routine called from Python.

    What a call costs beside its arithmetic is the difference to the routine; that also has Python's part of a call.
    """
    try:
        import jax
    except ImportError:
        raise Skipped("needs jax") from None
    from arcgrad.runtime.call.execute import load

    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    graph = ag.graphs.alignments([1, 2])
    equation = ag.compile("LSE[X ∘ A]", mode="fused")
    function = ag.jax.compile("LSE[X ∘ A]", mode="fused")
    handle = ag.jax.graphs(graph)

    @jax.jit
    def loop(x: Any, handle: Any) -> Any:
        def body(_: Any, carry: Any) -> Any:
            value, gradient = jax.value_and_grad(lambda x: function(X=x + 0.0 * carry[0], A=handle))(x)
            return value, gradient

        return jax.lax.fori_loop(0, _LOOP, body, (0.0, x))

    for _ in range(2):
        jax.block_until_ready(loop(x, handle))  # what comes twice is known to the handler
    evaluator = equation._evaluator
    prepared = evaluator.engine.preparer.prepare(evaluator.bind({"X": x, "A": graph}))
    routine, calls = load(prepared, "fused"), []
    prepared.keep("fused", lambda *given: (calls.append(given), routine(*given)))
    equation.value_and_grad(X=x, A=graph, wrt="X")
    prepared.keep("fused", routine)

    def alone(step: int) -> Any:
        for _ in range(_LOOP):
            routine(*calls[0])
        return calls[0]

    def truth() -> Outcome:
        value, by_scores, _ = trellis_score(graph, x.astype(np.float64))
        return Outcome.of(value, {"X": by_scores})

    return Case(
        arcgrad=Contender(
            lambda step: jax.block_until_ready(loop(x, handle)),
            lambda raw: Outcome.of(raw[0], {"X": raw[1]}),
            (1e-6, 1e-5),
        ),
        peers={"routine": Contender(alone, lambda raw: Outcome.of(raw[9][0, 0]))},
        truth=truth,
        work=float(_LOOP * len(x) * graph.n_arcs),
        multiply_adds=30.0 * _LOOP * len(x) * graph.n_arcs,
        bytes=0.0,  # all of it is in the caches
        target=Target("seconds", _LOOP * 10e-6),
    )


def _case(setting: Setting, graphs: list[ag.Graph], call: Any, outcome: Any, most: float) -> Case:
    def truth() -> Outcome:
        values, by_arcs = zip(*map(graph_score, graphs), strict=True)
        return Outcome.of(values, {"A": np.stack(by_arcs)})

    peers: dict[str, Contender] = {}
    if "openfst" in setting.modules:
        fst = setting.modules["openfst"]
        made = [openfst(fst, graph, "log64") for graph in graphs]
        peers["openfst"] = Contender(
            lambda step: [fst.shortestdistance(one, reverse=True)[0] for one in made],
            lambda raw: Outcome.of([-float(weight) for weight in raw]),
        )
    if "gtn" in setting.modules:
        peers["gtn"] = _gtn(setting.modules["gtn"], graphs)
    work = float(sum(graph.n_arcs for graph in graphs))
    return Case(
        arcgrad=Contender(call, outcome, (1e-9, 1e-9)),
        peers=peers,
        truth=truth,
        work=work,
        multiply_adds=13 * work,
        bytes=0.0,  # all of it is in the caches
        target=Target("seconds", most),
    )


def _gtn(gtn: Any, graphs: list[ag.Graph]) -> Contender:
    from benchmarks.peers import gtn_graph

    made = [gtn_graph(gtn, graph) for graph in graphs]

    def call(step: int) -> Any:
        totals = []
        for one in made:
            one.zero_grad()
            total = gtn.forward_score(one)
            gtn.backward(total)
            totals.append(total.item())
        return totals

    return Contender(call, Outcome.of)
