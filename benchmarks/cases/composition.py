"""Composition of explicit graphs beside OpenFst's: the built graph is the result, trimmed on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Case, Contender, Outcome, Setting, Skipped, Target
from benchmarks.graphs import lexicon, random_transducer, word_bigram
from benchmarks.peers import openfst

__all__ = ["lexicon_composition", "random_composition"]

# Pairs of graphs: arcgrad remembers what it built from the same topologies, which is not what is timed here. One more
# warms up.
PAIRS = 6


def random_composition(setting: Setting) -> Case:
    """1,000 states each, 10 to 30 arcs a state, 100 labels: a million pairs of states."""
    random = np.random.default_rng(0)
    n = setting.pick(1000, 30)
    return _case(
        [(random_transducer(n, 100, random), random_transducer(n, 100, random)) for _ in range(PAIRS + 1)], setting
    )


def lexicon_composition(setting: Setting) -> Case:
    """Phones to words (all of cmudict, closed), and a graph of pairs of words over 1,000 of its words."""
    if setting.data is None:
        raise Skipped("needs cmudict/cmudict.dict: name its folder with --data or ARCGRAD_DATA")
    random = np.random.default_rng(0)
    words, n_words = lexicon(setting.data / "cmudict" / "cmudict.dict", 500 if setting.quick else None)
    n, out_degree = setting.pick(1000, 20), setting.pick(20, 3)
    vocabularies = [np.sort(random.choice(n_words, n, replace=False)) for _ in range(PAIRS + 1)]
    return _case([(words, word_bigram(chosen, out_degree, random)) for chosen in vocabularies], setting)


def _case(pairs: Sequence[tuple[ag.Graph, ag.Graph]], setting: Setting) -> Case:
    equation = ag.compile("A ∘ B", mode="fused", limits=ag.Limits(arcs=1 << 25, bytes=8 << 30))

    ag.warmup(equation, A=pairs[-1][0], B=pairs[-1][1])

    def call(step: int) -> ag.Graph:
        left, right = pairs[step % PAIRS]
        result = equation(A=left, B=right)
        assert isinstance(result, ag.Graph)
        return result

    peers: dict[str, Contender] = {}
    if "openfst" in setting.modules:
        fst = setting.modules["openfst"]
        made: dict[int, Any] = {}
        for left, right in pairs:
            for graph, side in ((left, "olabel"), (right, "ilabel")):
                if id(graph) not in made:
                    made[id(graph)] = openfst(fst, graph, sort=side)

        def compose(step: int) -> Any:
            left, right = pairs[step % PAIRS]
            return fst.compose(made[id(left)], made[id(right)])

        peers["openfst"] = Contender(compose, _openfst_size, (0.0, 0.0))
    largest = equation(A=pairs[-1][0], B=pairs[-1][1])
    assert isinstance(largest, ag.Graph)
    work = float(largest.n_arcs)
    return Case(
        arcgrad=Contender(call, lambda raw: Outcome.of([raw.n_states, raw.n_arcs]), (0.0, 0.0)),
        peers=peers,
        truth=None,
        work=work,
        multiply_adds=work,
        bytes=28.0 * work,  # source, destination, two labels, weight and the arc's origin, written
        target=Target("ratio", 3.0),
        repetitions=PAIRS - 2,
    )


def _openfst_size(made: Any) -> Outcome:
    return Outcome.of([made.num_states(), sum(made.num_arcs(state) for state in made.states())])
