"""``unparse`` and ``to_latex`` write what ``parse`` reads back."""

from __future__ import annotations

from hypothesis import given, settings
from syntax_trees import TREES, shape

from arcgrad.grammar import parse, to_latex, unparse
from arcgrad.grammar.syntax import Expression


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_unparse_round_trips(tree: Expression) -> None:
    text = unparse(tree)
    result = parse(text).result
    assert result is not None
    assert shape(result) == shape(tree), text


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_latex_round_trips(tree: Expression) -> None:
    text = to_latex(tree)
    result = parse(text).result
    assert result is not None
    assert shape(result) == shape(tree), text
