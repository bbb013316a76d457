"""Minimal deterministic acceptors beside OpenFst's ε removal, determinisation and minimisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Case, Contender, Outcome, Setting, Target
from benchmarks.peers import openfst

__all__ = ["set_of_walks", "set_of_words"]

# Graphs: arcgrad remembers what it built from the same topology, which is not what is timed here. One more warms up.
GRAPHS = 6


def set_of_words(setting: Setting) -> Case:
    """A list of words: a chain for each, all of them begun by ε, of 100,000 arcs in all and 26 labels."""
    random = np.random.default_rng(0)
    n_words = setting.pick(15_000, 50)
    return _case([_words(n_words, random) for _ in range(GRAPHS + 1)], setting)


def _words(n_words: int, random: np.random.Generator) -> ag.Graph:
    lengths = random.integers(3, 9, n_words)
    begins = 1 + np.concatenate([[0], np.cumsum(lengths + 1)])
    src = np.concatenate([np.arange(begin, begin + n) for begin, n in zip(begins[:-1], lengths, strict=True)])
    letters = np.minimum(random.geometric(0.15, len(src)) - 1, 25)
    src, dst = np.append(np.zeros(n_words, dtype=np.int64), src), np.append(begins[:-1], src + 1)
    label = np.append(np.full(n_words, -1), letters)
    return ag.Graph(src, dst, label, accept=begins[:-1] + lengths)


def set_of_walks(setting: Setting) -> Case:
    """A random graph of 100,000 arcs, cyclic, 50,000 labels: a few arcs with ε or with another one's label a state."""
    random = np.random.default_rng(1)
    n_states = setting.pick(30_000, 100)
    return _case([_walks(n_states, random) for _ in range(GRAPHS + 1)], setting)


def _walks(n_states: int, random: np.random.Generator) -> ag.Graph:
    n_arcs = 10 * n_states // 3
    src, dst = random.integers(0, n_states, (2, n_arcs))
    label = random.integers(0, 5 * n_states // 3, n_arcs)
    label[random.random(n_arcs) < 0.03] = -1
    twins = random.integers(0, n_arcs, n_arcs // 30)  # two arcs with one label
    src[: len(twins)], label[: len(twins)] = src[twins], label[twins]
    return ag.Graph(src, dst, label, accept=random.integers(0, n_states, n_states // 100), n_states=n_states)


def _case(graphs: Sequence[ag.Graph], setting: Setting) -> Case:
    equation = ag.compile("support[A]", mode="fused")
    ag.warmup(equation, A=graphs[-1])

    def call(step: int) -> ag.Graph:
        result = equation(A=graphs[step % GRAPHS])
        assert isinstance(result, ag.Graph)
        return result

    peers: dict[str, Contender] = {}
    if "openfst" in setting.modules:
        fst = setting.modules["openfst"]
        made = [openfst(fst, graph) for graph in graphs]

        def minimal(step: int) -> Any:
            found = fst.determinize(made[step % GRAPHS].copy().rmepsilon())
            return found.minimize()

        peers["openfst"] = Contender(minimal, _openfst_size, (0.0, 0.0))
    work = float(graphs[-1].n_arcs)
    return Case(
        arcgrad=Contender(call, lambda raw: Outcome.of([raw.n_states, raw.n_arcs]), (0.0, 0.0)),
        peers=peers,
        truth=None,
        work=work,
        multiply_adds=work,
        bytes=28.0 * work,
        target=Target("ratio", 1.0),
        repetitions=GRAPHS - 2,
    )


def _openfst_size(made: Any) -> Outcome:
    return Outcome.of([made.num_states(), sum(made.num_arcs(state) for state in made.states())])
