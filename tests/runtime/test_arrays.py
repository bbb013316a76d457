"""The quick ways through the checks of arrays: the same answers as the slow ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from arcgrad.runtime import arrays
from arcgrad.runtime.graph import Graph


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32, np.uint64, ">i4", ">i8"])
def test_range_checks_see_both_ends(dtype: Any) -> None:
    info = np.iinfo(dtype)
    for low, high in ((0, 2**31 - 2), (-1, 2**31 - 1), (0, 4), (0, -1)):
        values = {info.min, info.max, low - 1, low, low + 1, high - 1, high, high + 1}
        for value in (v for v in values if info.min <= v <= info.max):
            for padding in ([], [max(info.min, 0)], [1, 2, 0]):
                array = np.array([*padding, value], dtype=dtype)
                expected = all(low <= entry <= high for entry in array.tolist())
                assert arrays._within(array, low, high) == expected, (array, low, high)
                assert arrays._within(np.repeat(array, 2)[::2], low, high) == expected


def test_quick_columns_are_those_of_the_slow_way() -> None:
    rng = np.random.default_rng(0)
    entries: list[Any] = [
        0,
        1,
        -1,
        7,
        2**31,
        2**63,
        2**70,
        1.5,
        -math.inf,
        True,
        np.int32(3),
        np.float64(2.0),
        "1",
        None,
    ]
    quick = 0
    for _ in range(3000):
        common = rng.random() < 0.8
        width = int(rng.integers(3, 6))
        rows: list[Any] = []
        for _ in range(int(rng.integers(0, 4))):
            size = width if common else int(rng.integers(2, 7))
            row: list[Any] = rng.integers(-1, 3, size).tolist()
            if size > 3:
                row[-1] = float(rng.normal())
            if rng.random() < 0.2:
                row[int(rng.integers(size))] = entries[int(rng.integers(len(entries)))]
            rows.append(tuple(row) if rng.random() < 0.9 else row)
        found = arrays._plain_columns(rows)
        if found is None:
            continue
        quick += 1
        columns, weights = arrays._parsed_columns(rows)
        assert [column.tolist() for column in found[0]] == columns
        assert (np.zeros(len(rows)) if found[1] is None else found[1]).tolist() == weights
    assert quick > 800


def test_states_may_be_repeated_and_in_any_order() -> None:
    for given in ([2, 0, 2], [0, 1, 1], [1, 0], [0, 2], [], 1, [1, 1]):
        graph = Graph([0], [2], [0], start=given)
        assert graph.start.tolist() == np.unique(given).tolist()
        assert not graph.start.flags.writeable
