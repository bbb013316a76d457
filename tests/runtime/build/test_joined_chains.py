"""Chains of unions and concatenations, built at once, are what one operator after the other builds."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import arcgrad as ag
from arcgrad.compiler.frontend.elaborate import elaborate
from arcgrad.compiler.plan.building import building_of
from arcgrad.grammar import parse

INPUTS: dict[str, Any] = {
    "A": ag.linear([1, 2], [-1.0, -2.0]),
    "B": ag.Graph([0, 0, 1], [1, 1, 0], [3, 4, -1], [3, -1, -1], [-1.5, -2.0, -3.0], start=[0, 1], accept=[1]),
    "C": ag.Graph([], [], [], n_states=2, start=[0, 1], accept=[0, 1]),
    "w": -0.5,
}
LEAVES = st.sampled_from(["A", "B", "C", "ε", "∅", '"ab"', "A⟨w⟩", '"a" : "b"'])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: f"({' + '.join(parts)})"),
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: f"({' '.join(f'({p})' for p in parts)})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} + ({pair[1]} + {pair[0]}))"),
        inner.map(lambda graph: f"rev[{graph}]"),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_a_chain_is_built_as_its_parts(text: str) -> None:
    chained, one_by_one = (ag.compile(text, mode=mode) for mode in ("kernels", "interpret"))
    inputs = {name: INPUTS[name] for name in chained.inputs}
    batch = {name: value if name == "w" else [value, ag.linear([7])] for name, value in inputs.items()}
    for given_ in (inputs, batch) if set(batch) - {"w"} else (inputs,):
        found, gradient = chained.value_and_grad(given_)
        expected, right = one_by_one.value_and_grad(given_)
        for one, other in zip(listed(found), listed(expected), strict=True):
            assert ag.equal(one, other)
        for name in right:
            for one, other in zip(listed(gradient[name]), listed(right[name]), strict=True):
                np.testing.assert_array_equal(one, other)


def listed(value: Any) -> list[Any]:
    """What a batch gave, or the one thing that a call without one gave."""
    return value if isinstance(value, list) else [value]


def test_what_is_used_twice_ends_a_chain_and_what_is_constant_is_kept_whole() -> None:
    lines = ["D0 = A + A", *(f"D{k} = D{k - 1} + D{k - 1}" for k in range(1, 40)), "D39"]
    assert building_of(elaborate(parse("\n".join(lines))).result).chains == {}
    root = elaborate(parse('A ∘ ("a" + "b" : "c" + "d" "e" "f")')).result
    building = building_of(root)
    assert [len(operands) for operands in building.chains.values()] == [3, 3]
    assert building.kept == {root.operands[1]}
    assert len(building.constants) == 11  # literals and operations
