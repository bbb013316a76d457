"""Selections: what is known of them, and composing them."""

from __future__ import annotations

import numpy as np
import pytest

from arcgrad.compiler.graphs.selection import Selection


def selection(offsets: list[int], leaf: list[int], arc: list[int]) -> Selection:
    return Selection(np.array(offsets), np.array(leaf, dtype=np.int32), np.array(arc, dtype=np.int32))


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (Selection.identity(3, 4), (3, 0)),
        (Selection.identity(3, 0), None),
        (Selection.none(2), None),
        (selection([0, 1, 2], [1, 1], [5, 6]), (1, 5)),
        (selection([0, 1, 2], [1, 1], [5, 7]), None),
        (selection([0, 1, 2], [0, 1], [5, 6]), None),
        (selection([0, 2, 2], [1, 1], [5, 6]), None),
        (selection([0, 1, 2, 2], [1, 1], [5, 6]), None),
        (Selection.identity(3, 4).take(np.array([1, 2], dtype=np.int32)), (3, 1)),
        (Selection.identity(3, 4).take(np.array([2, -1], dtype=np.int32)), None),
    ],
)
def test_entries_in_line(made: Selection, line: tuple[int, int] | None) -> None:
    assert made.line == line


def test_leaves_are_those_with_entries() -> None:
    assert selection([0, 2, 3], [4, 1, 4], [0, 0, 0]).leaves == [1, 4]
    assert Selection.none(2).leaves == []
    assert Selection.identity(3, 2).leaves == [3]
    assert Selection.identity(3, 0).leaves == []


def test_a_few_arcs_of_many() -> None:
    made = selection([0, 2, 2, 3], [0, 1, 2], [7, 8, 9]).take(np.array([2, -1, 0, 1, 0], dtype=np.int32))
    assert made.offsets.tolist() == [0, 1, 1, 3, 3, 5]
    assert made.leaf.tolist() == [2, 0, 1, 0, 1]
    assert made.arc.tolist() == [9, 7, 8, 7, 8]
