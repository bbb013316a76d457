"""Builders of graphs, against what they stand for."""

from __future__ import annotations

import time
from itertools import zip_longest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import arcgrad as ag

STRINGS = st.text("abc", max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(STRINGS, STRINGS), max_size=8), st.tuples(STRINGS, STRINGS))
def test_a_string_map_has_each_pair_once_and_no_other(pairs: list[tuple[str, str]], other: tuple[str, str]) -> None:
    graph = ag.graphs.string_map(pairs)
    assert ag.compile("COUNT[M]")(M=graph) == len(set(pairs))
    for pair in (*pairs, other):
        read, written = map(ag.linear, pair)
        assert ag.compile("COUNT[A ∘ M ∘ B]")(A=read, B=written, M=graph) == (pair in pairs)
    aligned = [tuple(zip_longest(*pair)) for pair in pairs]
    assert graph.n_arcs == len({steps[: k + 1] for steps in aligned for k in range(len(steps))})
    assert ag.equal(graph, ag.graphs.string_map([([*map(ord, a)], np.array([*map(ord, b)], int)) for a, b in pairs]))


def test_five_thousand_pairs_take_a_moment() -> None:
    """As a union of 5,000 in an equation: 16 s before, 1.3 s now."""
    pairs = [(f"{k:06}", f"{7 * k:x}") for k in range(5_000)]
    began = time.process_time()
    graph = ag.graphs.string_map(pairs)
    assert time.process_time() - began < 1
    assert ag.compile('"000077" ∘ M')(M=graph).olabel[:3].tolist() == [*map(ord, f"{7 * 77:x}")]


@pytest.mark.parametrize("pairs", [["ab", "abc"], [("a",)], [("a", 3)], [("a", [-2])], [("a", [1.5])], [("a", None)]])
def test_what_is_no_pair_of_strings_is_refused(pairs: object) -> None:
    with pytest.raises(ag.InputError, match=r"pairs\[0\]"):
        ag.graphs.string_map(pairs)  # type: ignore[arg-type]
