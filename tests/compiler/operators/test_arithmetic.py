"""Arithmetic between scores: values, exactness, undefined operations, derivatives, templates of generated code."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

from arcgrad.compiler.operators import Category, Operator, operator, operators
from arcgrad.runtime.kernels.math import scalar

ARITHMETIC = [entry for entry in operators().values() if entry.category is Category.ARITHMETIC]
FLOATS = (-math.inf, -1e308, -800.0, -2.5, -1.0, -0.0, 0.0, 1e-310, 0.5, 1.0, 3.0, 709.0, 800.0, 1e308, math.inf)
FEW = (-math.inf, -2.5, 0.0, 1e-310, 0.5, 800.0, math.inf)
HELPERS = {name: getattr(scalar, name) for name in scalar.__all__}


def operand_values(entry: Operator) -> itertools.product[tuple[float, ...]]:
    return itertools.product(FLOATS if len(entry.operands) < 4 else FEW, repeat=len(entry.operands))


def evaluate(name: str, *operands: float) -> float:
    return operator(name).evaluate(*operands)


def same(a: float, b: float) -> bool:
    return (math.isnan(a) and math.isnan(b)) or a == b or math.isclose(a, b, rel_tol=1e-13)


def run(template: str, operands: tuple[float, ...], **more: float) -> float:
    """The value of a template, its operands and the rest being variables, as in generated source."""
    names = {f"v{i}": value for i, value in enumerate(operands)}
    return eval(template.format(*names, **{k: k for k in more}), {**HELPERS, **names, **more})


@pytest.mark.parametrize("entry", ARITHMETIC, ids=lambda entry: entry.name)
def test_the_template_computes_the_value(entry: Operator) -> None:
    for operands in operand_values(entry):
        assert same(run(entry.code, operands), entry.evaluate(*operands)), operands


@pytest.mark.parametrize("entry", ARITHMETIC, ids=lambda entry: entry.name)
def test_the_templates_compute_the_gradients(entry: Operator) -> None:
    assert len(entry.gradient_code) == len(entry.operands)
    for operands in operand_values(entry):
        value = entry.evaluate(*operands)
        if math.isnan(value):
            continue
        derivatives = entry.derivatives(value, *operands)
        assert len(derivatives) == len(operands)
        for template, derivative in zip(entry.gradient_code, derivatives, strict=True):
            assert not math.isnan(derivative), operands
            for cotangent in (0.0, -1.5, 2.0):
                wanted = 0.0 if cotangent == 0 or derivative == 0 else cotangent * derivative
                assert same(run(template, operands, cotangent=cotangent, value=value), wanted), (operands, template)


@pytest.mark.parametrize("entry", ARITHMETIC, ids=lambda entry: entry.name)
def test_derivatives_are_the_slopes(entry: Operator) -> None:
    step = 1e-6
    for operands in itertools.product((0.3, 1.7, 2.9), repeat=len(entry.operands)):
        if entry.name in ("score_max", "score_min") and len(set(operands)) < 2:
            continue
        if entry.name == "chosen" and operands[0] == operands[1]:
            continue
        if entry.name == "relative_entropy" and entry.evaluate(*operands) < 1e-5:
            continue  # of no distributions: rounding alone leads below 0
        derivatives = entry.derivatives(entry.evaluate(*operands), *operands)
        for i, derivative in enumerate(derivatives):
            moved = [[x + sign * step * (i == j) for j, x in enumerate(operands)] for sign in (1, -1)]
            slope = (entry.evaluate(*moved[0]) - entry.evaluate(*moved[1])) / (2 * step)
            assert derivative == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize(
    ("name", "operands"),
    [
        ("add", (-math.inf, math.inf)),
        ("subtract", (-math.inf, -math.inf)),
        ("subtract", (math.inf, math.inf)),
        ("multiply", (0.0, math.inf)),
        ("multiply", (-math.inf, 0)),
        ("divide", (0.0, 0.0)),
        ("divide", (1.0, 0)),
        ("divide", (math.inf, -math.inf)),
        ("log", (-1e-300,)),
        ("log", (-math.inf,)),
        ("log", (-(10**400),)),
    ],
)
def test_what_is_undefined_is_nan(name: str, operands: tuple[float, ...]) -> None:
    assert math.isnan(evaluate(name, *operands))


def test_edges() -> None:
    assert evaluate("log", 0) == evaluate("log", 0.0) == -math.inf
    assert evaluate("exp", 800.0) == evaluate("exp", 10**400) == math.inf
    assert evaluate("exp", -math.inf) == evaluate("exp", -(10**400)) == 0.0
    assert evaluate("divide", 1.0, -math.inf) == 0.0
    assert evaluate("logadd", -math.inf, -math.inf) == -math.inf
    assert evaluate("logadd", 1000.0, 1000.0) == 1000 + math.log(2)
    assert evaluate("logadd", -math.inf, math.inf) == math.inf
    assert evaluate("score_max", -math.inf, -math.inf) == -math.inf
    assert evaluate("path_product", -math.inf, math.inf) == -math.inf
    assert operator("log").derivatives(-math.inf, 0.0) == (math.inf,)
    assert operator("logadd").derivatives(-math.inf, -math.inf, -math.inf) == (0.0, 0.0)
    assert operator("score_max").derivatives(-math.inf, -math.inf, -math.inf) == (0.0, 0.0)
    assert operator("score_min").derivatives(math.inf, math.inf, math.inf) == (0.0, 0.0)
    assert operator("score_min").derivatives(1.0, 1.0, 2.0, 1.0) == (1.0, 0.0, 0.0)
    assert operator("score_max").derivatives(2.0, 1.0, 2.0, 2.0) == (0.0, 1.0, 0.0)
    assert operator("path_product").derivatives(-math.inf, -math.inf, 3.0) == (0.0, 0.0)


@pytest.mark.parametrize("score", [-1e16, -1e20, -1e30, -3.4028234663852886e38, -1e300, 1e300])
def test_huge_scores_share_a_sum(score: float) -> None:
    """The logarithm of 2 is lost in the value, which must not be given out twice."""
    entry = operator("logadd")
    assert entry.derivatives(entry.evaluate(score, score), score, score) == (0.5, 0.5)
    assert entry.derivatives(score, score, score, -math.inf, score) == (1 / 3, 1 / 3, 0.0, 1 / 3)
    less = math.nextafter(score, -math.inf)  # by 2 and more
    assert entry.derivatives(score, score, less) == pytest.approx(
        (1 / (1 + math.exp(less - score)), 1 - 1 / (1 + math.exp(less - score)))
    )
    for first, second in ((score, score), (score, less), (less, score)):
        shares = [run(t, (first, second), cotangent=3.0, value=score) for t in entry.gradient_code]
        assert shares == pytest.approx([3.0 * d for d in entry.derivatives(score, first, second)], rel=1e-15)
        assert sum(shares) == pytest.approx(3.0, rel=1e-15)


def test_shares_are_at_most_one() -> None:
    entry = operator("logadd")
    for operands in itertools.product(FLOATS, repeat=2):
        value = entry.evaluate(*operands)
        shares = entry.derivatives(value, *operands)
        assert all(0.0 <= share <= 1.0 for share in shares)
        assert sum(shares) == (0.0 if math.isinf(value) else pytest.approx(1.0, rel=1e-15))


def test_counts_stay_exact() -> None:
    huge = 10**400 + 1
    assert evaluate("add", huge, 1) == 10**400 + 2
    assert evaluate("subtract", huge, 10**400) == 1
    assert evaluate("multiply", huge, 3) == 3 * 10**400 + 3
    assert evaluate("negate", huge) == -huge
    assert evaluate("divide", huge, 10**399) == 10.0
    assert evaluate("log", huge) == pytest.approx(400 * math.log(10))
    assert evaluate("path_product", huge, 1) == huge + 1


def test_counts_beyond_float_meet_floats() -> None:
    huge = 10**400
    assert evaluate("multiply", huge, 1e-300) == float(Fraction(huge) * Fraction(1e-300))
    assert evaluate("add", huge, 0.5) == evaluate("multiply", huge, 0.5) == math.inf
    assert evaluate("subtract", 0.5, huge) == -math.inf
    assert evaluate("add", huge, -math.inf) == -math.inf
    assert evaluate("divide", -huge, math.inf) == 0.0
    assert evaluate("divide", huge, 1) == math.inf
    assert math.isnan(evaluate("subtract", math.inf, math.inf))
    assert evaluate("score_max", huge, 0.5) == huge
    assert evaluate("logadd", huge, 0.5) == math.inf
    assert operator("multiply").derivatives(huge * 2, huge, 2) == (2.0, math.inf)


def test_logadd_and_max_take_any_number() -> None:
    values = (0.5, -math.inf, 2.0, 1.0)
    expected = math.log(sum(math.exp(v) for v in values))
    assert evaluate("logadd", *values) == pytest.approx(expected)
    shares = operator("logadd").derivatives(expected, *values)
    assert shares == pytest.approx([math.exp(v - expected) for v in values])
    assert evaluate("score_max", *values) == 2.0
    assert operator("score_max").derivatives(2.0, *values) == (0.0, 0.0, 1.0, 0.0)
