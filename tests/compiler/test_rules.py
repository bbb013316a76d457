"""Every row of the table of rewrite rules is a law: values and gradients on random graphs, interpreted and compiled."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_dense, draw_graph

import arcgrad as ag
from arcgrad.compiler.frontend.elaborate import elaborate
from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.compiler.operators import Category, operators
from arcgrad.compiler.plan.rules import RULES, Rule
from arcgrad.compiler.types import Type
from arcgrad.equation import Equation
from arcgrad.grammar import parse

REDUCTIONS = ("LSE", "MAX", "MIN", "COUNT", "H", "KL")
ALIKE = ("KL", "E[")  # take graphs of one topology
CASES = 40


def graph(rng: random.Random, minimised: bool, acceptor: bool) -> ag.Graph:
    penalties = rng.choice([0.0, 0.0, 0.3])
    style = Style(3, rng.random() < 0.3, 0.4, minimised, infinite=0.1, penalties=penalties)
    return convert(draw_graph(rng, style, acceptor))


def inputs(rule: Rule, seed: int) -> dict[str, object]:
    rng = random.Random(f"{rule} {seed}")
    types = elaborate(parse(rule.left), internal=True).inputs
    given: dict[str, object] = {}
    for name, type_ in types.items():
        if type_ is Type.MAPPING:
            given[name] = {label: rng.randrange(4) for label in range(3)}
        elif type_ is Type.SCORE:
            given[name] = rng.choice([-np.inf, rng.gauss(0, 1), rng.gauss(0, 1)])
        elif rule.splits and rng.random() < 0.5:  # split rows are used where a dense input is met
            style = Style(infinite=0.1, penalties=rng.choice([0.0, 0.2]))
            given[name] = convert(draw_dense(rng, style, rng.randrange(4)))
        else:
            given[name] = graph(rng, minimised="MIN" in rule.left, acceptor="support" in rule.left)
    return alike(given, rng, rule.left.startswith("KL")) if rule.left.startswith(ALIKE) else given


def alike(given: dict[str, object], rng: random.Random, infinite: bool) -> dict[str, object]:
    """Graphs of the first one's topology, with arcs of weight −inf where that has them, and no heavier ones."""
    first = next(value for value in given.values() if isinstance(value, ag.Graph))
    moved = np.array([w if np.isneginf(w) else w - rng.expovariate(2.0) for w in first.weight])
    if infinite and len(moved) and rng.random() < 0.1:
        moved[rng.randrange(len(moved))] = -np.inf
    others = {n: first.with_weight(moved) for n, v in given.items() if isinstance(v, ag.Graph) and v is not first}
    return {**given, **others}


def evaluate(
    text: str, given: dict[str, object], mode: str, wrt: tuple[str, ...]
) -> tuple[float, list[np.ndarray]] | None:
    equation = _compiled(text, mode)
    own = {name: given[name] for name in equation.inputs}
    try:
        value, gradients = equation.value_and_grad(own, wrt=[n for n in wrt if n in own])
    except ag.DivergenceError:
        return None
    return value, [np.ravel(gradients[n]) if n in own else np.zeros(np.size(own.get(n, 0.0))) for n in wrt]


def _compiled(text: str, mode: str) -> Equation:
    """The equation of a text in which operators without a spelling go by their registry names."""
    return Equation(text, None, None, mode, DEFAULT_LIMITS, elaborate(parse(text), internal=True))


def same(value: float, other: float) -> bool:
    return value == other or abs(value - other) <= 1e-9 * max(1.0, abs(other))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_both_sides_have_one_value_and_gradient(rule: Rule) -> None:
    """The left side compiled is rewritten, interpreted it is not; the right side is interpreted as written."""
    checked = 0
    for seed in range(CASES):
        given = inputs(rule, seed)
        names = tuple(n for n in given if n != "m")
        if not rule.left.startswith(REDUCTIONS):
            sides = [ag.compile(side, mode="interpret") for side in (rule.left, rule.right)]
            one, other = (side({n: given[n] for n in side.inputs}) for side in sides)
            assert ag.equal(one, other), f"{rule} on {given}"
            checked += 1
            continue
        left = evaluate(rule.left, given, "interpret", names)
        compiled = evaluate(rule.left, given, "kernels", names)
        right = _right_side(rule, given, names)
        if left is None:
            assert compiled is None
            continue
        assert compiled is not None
        assert right is not None
        assert same(compiled[0], left[0]), f"{rule} on {given}: {compiled} is not {left}"
        assert same(right[0], left[0]), f"{rule} on {given}: {right} is not {left}"
        ties = rule.left.startswith(("MAX", "MIN"))
        for name, a, b, c in zip(names, left[1], compiled[1], right[1], strict=True):
            if not ties:
                np.testing.assert_allclose(b, a, rtol=1e-7, atol=1e-7, err_msg=f"{rule}: {name}")
                np.testing.assert_allclose(c, a, rtol=1e-7, atol=1e-7, err_msg=f"{rule}: {name}")
            elif np.isfinite(left[0]) and np.ndim(given[name]) != 0:
                weights = np.ravel(given[name].arc_weight if isinstance(given[name], ag.Graph) else given[name])
                assert np.all(b[np.isneginf(weights)] == 0.0) or "MIN" in rule.left
        if ties and np.isfinite(left[0]):  # the gradient is that of one best path: it says the best path's weight
            for _, bars in (left, compiled, right):
                assert same(_weight(given, names, bars), left[0]), f"{rule} on {given}"
        checked += 1
    assert checked >= CASES // 2


def _right_side(rule: Rule, given: dict[str, object], names: tuple[str, ...]) -> tuple[float, list[np.ndarray]] | None:
    """The right side, where necessary by its parts: path_product has no spelling, and −inf annihilates in it."""
    if "path_product" not in rule.right:
        return evaluate(rule.right, given, "interpret", names)
    parts = re.fullmatch(r"path_product\[(.*), (.*)\]", rule.right)
    assert parts is not None
    texts = ["0 + w" if part == "w" else part for part in parts.groups()]
    both = [evaluate(text, given, "interpret", names) for text in texts]
    if any(part is not None and part[0] == -np.inf for part in both):
        return -np.inf, [np.zeros(np.size(_weights(given[n]))) for n in names]
    left, right = both
    if left is None or right is None:
        return None
    gradients = [np.zeros(np.size(_weights(given[n]))) for n in names]
    for side, text in zip((left, right), texts, strict=True):
        for k, name in enumerate(names):
            if name in ag.compile(text).inputs:
                gradients[k] = gradients[k] + side[1][k]
    return left[0] + right[0], gradients


def _weights(value: object) -> np.ndarray:
    return np.ravel(value.weight if isinstance(value, ag.Graph) else getattr(value, "scores", value))


def _weight(given: dict[str, object], names: tuple[str, ...], bars: list[np.ndarray]) -> float:
    total = 0.0
    for name, bar in zip(names, bars, strict=True):
        weights = _weights(given[name])
        used = np.broadcast_to(bar, weights.shape) != 0
        total += float(np.sum(weights[used] * np.broadcast_to(bar, weights.shape)[used]))
    return total


def test_rules_are_no_more_than_their_text_says() -> None:
    assert len({rule.left for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.reason
        left = elaborate(parse(rule.left), internal=True)
        right = elaborate(parse(rule.right), internal=True, input_types=left.inputs)
        assert right.inputs.items() <= left.inputs.items()
        assert right.result.type is left.result.type
        if rule.splits:
            assert left.result.definition.category is Category.REDUCTION


# -- gradients over the registry --------------------------------------------------------------------------------------

EXAMPLES = list(operators().values())


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: entry.name)
def test_each_operators_example_has_the_gradient_of_finite_differences(entry: object, mode: str) -> None:
    rng = random.Random(entry.name)
    equation = ag.compile(entry.example, mode=mode)
    types = elaborate(parse(entry.example)).inputs
    checked = 0
    for _ in range(40):
        given: dict[str, object] = {}
        for name, type_ in types.items():
            if type_ is Type.MAPPING:
                given[name] = {0: 2, 1: 0}
            elif type_ is Type.SCORE:
                given[name] = rng.gauss(0, 1)
            elif name == "X":
                given[name] = np.random.default_rng(rng.randrange(99)).normal(size=(rng.randrange(1, 5), 120))[:, :110]
            else:
                style = Style(cycles=0.3, infinite=0.05)
                given[name] = convert(draw_graph(rng, style, acceptor="∩" in entry.example))
        if entry.example.startswith(ALIKE):
            given = alike(given, rng, infinite=False)
        if "X" in given:  # moving each of many columns is slow: shrink the alphabet, keep what literals name
            labels = 110 if '"' in entry.example else 8
            given["X"] = given["X"][:, :labels]
            if labels == 110:
                given["X"] = given["X"][:1]
        try:
            value = equation(given)
            report = equation.check_grad(given, step=1e-5, tolerance=1e-5)
        except (ag.DivergenceError, ag.UndefinedError):
            continue
        if not isinstance(value, ag.Graph) and not np.isfinite(value):
            continue  # x + −inf has the derivative 1 by x, and no difference shows it
        assert report.ok, f"{entry.example}: {report}"
        checked += 1
        if checked == 3:
            break
    assert checked >= 2
