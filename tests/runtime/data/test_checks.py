"""The quick ways through the checks of arrays: the same answers as the slow ones."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data import checks as arrays
from arcgrad.runtime.data.checks import arc_arrays, states_array
from arcgrad.runtime.data.graph import Graph


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


def test_arcs_in_one_pass_are_what_the_checks_one_by_one_make_of_them() -> None:
    rng = np.random.default_rng(1)
    dtypes = [np.int32, np.int64, np.int16, np.dtype(">i4"), np.dtype(">i8")]
    for number in range(300):
        n = int(rng.integers(0, 6))
        src, dst, label = (
            rng.integers(low, high, n).astype(dtypes[int(rng.integers(len(dtypes)))])
            for low, high in ((0, 9), (0, 9), (-1, 9))
        )
        if number % 3 == 0:
            src = np.repeat(src, 2)[::2]
        count = (None, 9)[number % 2]
        found = arc_arrays(src, dst, label, count)
        slowly = arc_arrays(src.tolist(), dst.tolist(), label.tolist(), count)
        assert found[3] == slowly[3] == max([-1, *src.tolist(), *dst.tolist()])
        for array, other, given in zip(found[:3], slowly[:3], (src, dst, label), strict=True):
            assert array.dtype == other.dtype == np.int32
            assert array.tolist() == other.tolist() == given.tolist()
            assert array.flags.c_contiguous
            assert not array.flags.writeable
            assert not np.shares_memory(array, given)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_arcs_at_the_ends_of_their_ranges(dtype: type) -> None:
    most = 2**31 - 1
    good = [np.array([0, most - 1], dtype), np.array([most - 1, 0], dtype), np.array([-1, most], dtype)]
    found = arc_arrays(*good, None)
    assert [array.tolist() for array in found[:3]] == [array.tolist() for array in good]
    assert found[3] == most - 1
    ends = np.iinfo(dtype)
    for column, names, bad_values in ((0, "src", (-1, most)), (1, "dst", (-1, most)), (2, "ilabel", (-2,))):
        for bad in (*bad_values, ends.min) + ((ends.max, 2**31) if dtype is np.int64 else ()):
            given = [array.copy() for array in good]
            given[column][1] = bad
            with pytest.raises(InputError, match=re.escape(f"{names}[1] is {bad}")):
                arc_arrays(*given, None)
    with pytest.raises(InputError, match=re.escape("dst[0] is 5")):
        arc_arrays(np.array([4], dtype), np.array([5], dtype), np.array([0], dtype), 5)
    with pytest.raises(InputError, match="dst has 1 entries"):
        arc_arrays(good[0], good[1][:1], good[2], None)
    with pytest.raises(InputError, match="shape"):
        arc_arrays(good[0][None], good[1][None], good[2][None], None)


def test_few_states_are_sorted_each_once_and_checked() -> None:
    for given, expected in (
        ((3, 1, 3), [1, 3]),
        ([0], [0]),
        ((2**31 - 2,), [2**31 - 2]),
        ((), []),
        ([2, 0, 1], [0, 1, 2]),
    ):
        found = states_array(given, "accept", None, unique=True)
        assert found.tolist() == expected
        assert found.dtype == np.int32
        assert not found.flags.writeable
    for bad, shown in (((1, -1), "accept[1] is -1"), ((2**31 - 1,), f"accept[0] is {2**31 - 1}"), ((True,), "bool")):
        with pytest.raises(InputError, match=re.escape(shown)):
            states_array(bad, "accept", None, unique=True)
    with pytest.raises(InputError, match=re.escape("accept[1] is 4")):
        states_array((3, 4), "accept", 4, unique=True)
    with pytest.raises(InputError, match="accept has 2 entries"):
        states_array((2, 1), "accept", None, length=3)
