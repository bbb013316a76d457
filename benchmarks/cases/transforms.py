"""rmeps, det, minimize, push and prune beside OpenFst's, on graphs of about a million arcs.

Each step takes another graph: what arcgrad remembers of a topology is not what is timed. Those of OpenFst that change
their operand get a copy, which shares its arcs until they are changed: one pass over memory of their time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Case, Contender, Outcome, Setting, Target
from benchmarks.peers import openfst

__all__ = ["determinization", "epsilon_removal", "minimization", "pruning", "pushing"]

# One more warms up.
GRAPHS = 4
DELTA = 1e-9
BEAM = 5.0


def random_acceptor(n_states: int, random: np.random.Generator, epsilon: float = 0.0) -> ag.Graph:
    """An acyclic graph of ten arcs a state, each to one of the next 49 states; 3,000 labels."""
    n_arcs = 10 * n_states
    src = np.minimum(np.sort(random.integers(0, n_states - 1, n_arcs)), n_states - 2)
    dst = np.minimum(src + random.integers(1, 50, n_arcs), n_states - 1)
    label = random.integers(0, 3000, n_arcs)
    label[random.random(n_arcs) < epsilon] = -1
    weight = random.normal(-2.0, 1.0, n_arcs)
    return ag.Graph(src, dst, label, None, weight, start=[0], accept=[n_states - 1], n_states=n_states)


def layered_acceptor(n_states: int, random: np.random.Generator) -> ag.Graph:
    """A lattice of layers of ten states, each with ten arcs to the next layer; 2,000 labels."""
    width = 10
    src = np.repeat(np.arange(n_states - width), 10)
    dst = (src // width + 1) * width + random.integers(0, width, len(src))
    label = random.integers(0, 2000, len(src))
    weight = random.normal(-2.0, 1.0, len(src))
    accept = np.arange(n_states - width, n_states)
    return ag.Graph(src, dst, label, None, weight, start=[0], accept=accept, n_states=n_states)


def epsilon_removal(setting: Setting) -> Case:
    """One arc in twenty is ε."""
    return _case(
        setting,
        "rmeps[A]",
        lambda n, random: random_acceptor(n, random, 0.05),
        lambda fst, made: _changed(made, "rmepsilon"),
    )


def determinization(setting: Setting, *, layered: bool = False) -> Case:
    """Subsets of mostly one state."""
    draw = layered_acceptor if layered else random_acceptor
    return _case(setting, "det[A]", draw, lambda fst, made: fst.determinize(made, delta=DELTA), sort="ilabel")


def minimization(setting: Setting) -> Case:
    """A deterministic lattice with weights that are whole numbers, so that many states have equals."""

    def draw(n_states: int, random: np.random.Generator) -> ag.Graph:
        graph = layered_acceptor(n_states, random)
        made = ag.compile("det[A]", limits=_LIMITS)(A=graph.with_weight(np.round(graph.weight)))
        assert isinstance(made, ag.Graph)
        return made

    return _case(setting, "minimize[A]", draw, lambda fst, made: _changed(made, "minimize", delta=DELTA))


def pushing(setting: Setting) -> Case:
    """Towards the start, in the log semiring."""
    return _case(setting, "push[A]", random_acceptor, lambda fst, made: _changed(made, "push", delta=DELTA))


def pruning(setting: Setting) -> Case:
    """What is within 5 nats of the best path."""
    return _case(
        setting,
        f"prune[A, {BEAM}]",
        random_acceptor,
        lambda fst, made: _changed(made, "prune", weight=BEAM),
        arc_type="standard",
    )


_LIMITS = ag.Limits(states=1 << 23, arcs=1 << 25, bytes=8 << 30)


def _changed(made: Any, method: str, **options: Any) -> Any:
    copy = made.copy()
    getattr(copy, method)(**options)
    return copy


def _case(
    setting: Setting,
    text: str,
    draw: Callable[[int, np.random.Generator], ag.Graph],
    apply: Callable[[Any, Any], Any],
    *,
    arc_type: str = "log64",
    sort: str | None = None,
) -> Case:
    random = np.random.default_rng(0)
    n_states = setting.pick(100_000, 200)
    graphs = [draw(n_states, random) for _ in range(GRAPHS + 1)]
    equation = ag.compile(text, mode="fused", limits=_LIMITS)
    ag.warmup(equation, A=graphs[-1])
    sum_all = ag.compile("LSE[A]" if arc_type == "log64" else "MAX[A]")

    def call(step: int) -> ag.Graph:
        result = equation(A=graphs[step % GRAPHS])
        assert isinstance(result, ag.Graph)
        return result

    peers: dict[str, Contender] = {}
    if "openfst" in setting.modules:
        fst = setting.modules["openfst"]
        made = [openfst(fst, graph, arc_type, sort=sort) for graph in graphs[:GRAPHS]]

        def outcome(result: Any) -> Outcome:
            total = -float(fst.shortestdistance(result, delta=DELTA, reverse=True)[result.start()])
            return Outcome.of([total])

        peers["openfst"] = Contender(lambda step: apply(fst, made[step % GRAPHS]), outcome)
    work = float(np.mean([graph.n_arcs for graph in graphs]))
    return Case(
        arcgrad=Contender(call, lambda raw: Outcome.of([sum_all(A=raw)])),
        peers=peers,
        truth=None,
        work=work,
        multiply_adds=work,
        bytes=48.0 * work,  # source, destination, two labels and weight, read and written
        target=Target("ratio", 1.0),
        repetitions=GRAPHS - 1,
    )
