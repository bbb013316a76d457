"""Label mappings: what is accepted, what each label becomes, equality and hashing."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from arcgrad.compiler.graphs.mapping import LabelMapping, label_array
from arcgrad.grammar.errors import InputError


def test_a_dict_maps_what_it_mentions() -> None:
    mapping = LabelMapping.make({5: 50, 2: -1, -1: 7, 2**31 - 1: 0})
    labels = np.array([-1, 0, 2, 5, 2**31 - 1], dtype=np.int32)
    assert mapping.apply(labels).tolist() == [7, 0, -1, 50, 0]
    assert mapping.apply(labels).dtype == np.int32


@pytest.mark.parametrize("value", [[3, -1, 5], np.array([3, -1, 5], dtype=np.int16), (3, -1, 5)])
def test_an_array_maps_labels_below_its_length_and_not_epsilon(value: object) -> None:
    mapping = LabelMapping.make(value)
    assert mapping.apply(np.array([-1, 0, 1, 2, 3], dtype=np.int32)).tolist() == [-1, 3, -1, 5, 3]


def test_empty_mappings_change_nothing() -> None:
    labels = np.array([-1, 4], dtype=np.int32)
    for value in ({}, [], np.empty(0, dtype=np.int64)):
        assert LabelMapping.make(value).apply(labels).tolist() == [-1, 4]


def test_equal_mappings_are_equal_and_hash_alike() -> None:
    a, b, c = LabelMapping.make({0: 3, 1: 4}), LabelMapping.make([3, 4]), LabelMapping.make([3, 5])
    assert a == b
    assert hash(a) == hash(b)
    assert a.fingerprint == b.fingerprint
    assert a != c
    assert a != [3, 4]
    assert pickle.loads(pickle.dumps(a)) == a
    assert LabelMapping.make(a) is a


def test_later_changes_of_the_array_do_not_show() -> None:
    array = np.array([3, 4])
    mapping = LabelMapping.make(array)
    array[0] = 9
    assert mapping.apply(np.array([0], dtype=np.int32)).tolist() == [3]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({0: -2}, "m maps a label to -2, but labels are whole numbers from 0 to 2³¹ − 1, or −1 for ε"),
        ({2**31: 0}, "m maps 2147483648, but"),
        ({0: 1.5}, "m maps a label to 1.5 of type float, but labels are whole numbers"),
        ({"a": 1}, "m maps 'a' of type str"),
        ({True: 1}, "m maps True of type bool"),
        ([0, -2], "m maps a label to -2"),
        ([2**31], "m maps a label to 2147483648"),
        (np.array([2**63], dtype=np.uint64), "m maps a label to 9223372036854775808"),
        ([[1, 2]], r"m is of type list, shape \(1, 2\) and dtype int64, but a label mapping was expected"),
        ([[1], [2, 3]], "m is of type list, but"),
        ([0.5], "dtype float64"),
        ([True], "dtype bool"),
        (7, r"m is of type int, shape \(\)"),
        ("abc", "m is of type str"),
        (None, "m is of type NoneType"),
    ],
)
def test_errors_say_what_was_found(value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LabelMapping.make(value, "m")


@pytest.mark.parametrize("label", [-1, 2**31, 0.5, True, "a"])
def test_literal_labels_are_checked(label: object) -> None:
    with pytest.raises(InputError, match="linear has the label"):
        label_array((1, label), "linear")
