"""What holds for every operator: one file each, spellings that do not clash, fields that fit its category."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import arcgrad.compiler.operators as package
from arcgrad.compiler.operators import Category, Operator, named_operators, operators, tagged_operators
from arcgrad.compiler.types import Type

ALL = list(operators().values())
REDUCTIONS = {entry.name for entry in ALL if entry.category is Category.REDUCTION}


def test_one_file_is_one_operator() -> None:
    files = {p.stem for p in Path(package.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert files == set(operators())


def test_no_two_operators_share_a_spelling() -> None:
    assert len(named_operators()) == sum(len(entry.names) for entry in ALL)
    assert len(tagged_operators()) == sum(entry.tag is not None for entry in ALL)


def test_the_language_is_complete() -> None:
    names = "inv rev in out rmeps det minimize connect push prune relabel relabel_in relabel_out linear support "
    names += "rewrite topsort synchronize replace LSE MAX MIN COUNT ANY H E KL PATH NBEST SAMPLE POST log exp logadd "
    names += "max min"
    assert set(named_operators()) == set(names.split())
    tags = "closure plus optional repeat inverse weight cross concatenate compose intersect union difference "
    tags += "multiply divide negate"
    assert set(tagged_operators()) == set(tags.split())
    assert {e.overload for e in ALL} - {None} == {"add", "subtract", "multiply"}


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_fields_fit_the_category(entry: Operator) -> None:
    assert entry.summary.endswith(".")
    assert entry.example
    assert entry.reference
    built = entry.category in (Category.LITERAL, Category.STRUCTURAL)
    assert (entry.build is not None) == (entry.size is not None) == built
    if entry.category is not Category.TRANSFORM:
        assert (entry.semiring is not None) == (entry.category is Category.REDUCTION)
    arithmetic = entry.category is Category.ARITHMETIC
    assert (entry.evaluate is not None) == (entry.derivatives is not None) == (entry.code is not None) == arithmetic
    assert len(entry.gradient_code) == (len(entry.operands) if arithmetic else 0)
    if arithmetic or entry.category is Category.REDUCTION:
        assert entry.result is Type.SCORE
    if built:
        assert inspect.signature(entry.build).parameters.keys() == {"topologies", "parameters", "limits"}
    for law in entry.laws:
        assert law.reason
        assert set(law.under) <= REDUCTIONS | {"equal"}
