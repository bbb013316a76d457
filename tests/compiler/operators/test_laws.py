"""The operators' laws hold on random graphs: values and gradients under reductions, arc by arc where equal."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_graph

import arcgrad as ag
from arcgrad.compiler.operators import Law, operators

LAWS = [(entry.name, law) for entry in operators().values() for law in entry.laws]
CASES = 25


# Mostly weights so small that cycles converge; now and then a penalty, or −inf.
STYLE = Style(cycles=0.5, infinite=0.05, penalties=0.1, n_states=3, epsilon=0.3)


def inputs(names: tuple[str, ...], source: random.Random) -> dict[str, object]:
    """Graphs for capital letters, a label mapping for m, scores for other small ones."""
    made: dict[str, object] = {}
    for name in names:
        if name == "m":
            made[name] = {source.randrange(3): source.randrange(-1, 5) for _ in range(2)}
        elif name.islower():
            made[name] = source.uniform(-2, 0)
        else:
            made[name] = convert(draw_graph(source, STYLE, acceptor=False).shift(-2.0))
    return made


def value_and_grad(text: str, given: dict[str, object]) -> tuple[float, dict[str, np.ndarray]] | None:
    equation = ag.compile(text, mode="interpret")
    mine = {name: given[name] for name in equation.inputs}
    wrt = tuple(name for name in mine if name != "m")
    try:
        value = equation(**mine)
        if "COUNT" in text or not np.isfinite(value):
            return value, {}
        return equation.value_and_grad(**mine, wrt=wrt)
    except (ag.DivergenceError, ag.UndefinedError):
        return None


def compare_scores(left: str, right: str, given: dict[str, object]) -> bool:
    """Whether both sides exist; where they do, they agree, and so do gradients where there is a path."""
    found, expected = value_and_grad(left, given), value_and_grad(right, given)
    if found is None or expected is None:
        return False
    assert found[0] == pytest.approx(expected[0], rel=1e-9, abs=1e-9), (left, right)
    if np.isfinite(found[0]) and "MAX" not in left and "MIN" not in left:  # ties have several gradients
        for name in given:
            mine, theirs = (np.asarray(side[1].get(name, 0.0)) for side in (found, expected))
            np.testing.assert_allclose(
                mine, theirs + 0 * mine, rtol=1e-7, atol=1e-7, err_msg=f"{left} = {right}: {name}"
            )
    return True


@pytest.mark.parametrize(("name", "law"), LAWS, ids=[f"{n}: {law.left} = {law.right}" for n, law in LAWS])
def test_law(name: str, law: Law) -> None:
    source = random.Random(law.left + law.right)
    letters = tuple(sorted(set(re.findall(r"(?<![\w])[A-Cmvw](?![\w])", law.left + " " + law.right))))
    compared = 0
    for _ in range(CASES):
        given = inputs(letters, source)
        if "equal" in law.under:
            sides = []
            for text in (law.left, law.right):
                equation = ag.compile(text, mode="interpret")
                sides.append(equation(**{n: given[n] for n in equation.inputs}))
            assert ag.equal(*sides)
            compared += 1
        elif not law.under:
            compared += compare_scores(law.left, law.right, given)
        for reduction in set(law.under) - {"equal"}:
            spelling = operators()[reduction].names[0]
            compared += compare_scores(f"{spelling}[{law.left}]", f"{spelling}[{law.right}]", given)
    assert compared >= CASES // 3
