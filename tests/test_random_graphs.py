"""Graph-valued equations against the oracle's naive constructions: states, arcs, order, weights, gradient, Jacobian."""

from __future__ import annotations

import pytest
from oracle.graph_cases import generate_graph
from support.adapter import graph_disagreement

CHUNK = 100


@pytest.mark.parametrize("number", range(6))
def test_graphs_are_built_arc_by_arc(number: int):
    cases = (generate_graph(seed) for seed in range(number * CHUNK, (number + 1) * CHUNK))
    found = [problem for case in cases if (problem := graph_disagreement(case)) is not None]
    assert not found, f"{len(found)} of {CHUNK} graphs disagree, such as\n" + "\n".join(found[:3])
