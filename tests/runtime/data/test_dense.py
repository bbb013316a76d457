"""Dense inputs: shapes, lengths, dtypes, what is refused, and the graph that they stand for."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.dense import Dense, dense
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.isomorphism import equal


def refused(*parts: str):
    return pytest.raises(InputError, match="".join(f"(?=(?s:.*{re.escape(part)}))" for part in parts))


def test_one_item() -> None:
    x = dense([[0.5, 1.5, -np.inf], [2.5, 3.5, 4.5]])
    assert (x.n_steps, x.n_columns, x.batch, x.is_batch, len(x)) == (2, 3, None, False, 1)
    assert x.lengths.tolist() == [2]
    assert x.dtype == np.float64
    g = x.to_graph()
    expected = [(t, t + 1, c, x.scores[t, c]) for t in range(2) for c in range(3)]
    assert equal(g, Graph.from_arcs(expected, [0], [2]))
    assert equal(x.item(0).to_graph(), g)
    assert repr(x) == "Dense(shape (2, 3), float64)"


def test_a_batch() -> None:
    scores = np.arange(12.0).reshape(2, 3, 2)
    x = dense(scores, lengths=[3, 1])
    assert (x.n_steps, x.n_columns, x.batch, x.is_batch, len(x)) == (3, 2, 2, True, 2)
    assert x.lengths.tolist() == [3, 1]
    assert x.lengths.dtype == np.int64
    assert x.item(1).scores.tolist() == [[6.0, 7.0]]
    assert x.item(1).lengths.tolist() == [1]
    assert x.item(-1).n_steps == 1
    assert x.item(1).to_graph().n_states == 2
    assert "lengths [3 1]" in repr(x)
    with refused("batch of 2", ".item(b)"):
        x.to_graph()
    for index in (2, -3):
        with refused(f"item is {index}", "batch of 2"):
            x.item(index)
    with refused("item is 1"):
        dense(scores[0]).item(1)


def test_shorter_than_the_data() -> None:
    x = dense([[1.0], [2.0], [np.nan]], lengths=2)
    assert x.n_steps == 3
    assert x.to_graph().weight.tolist() == [1.0, 2.0]
    assert x.item(0).scores.tolist() == [[1.0], [2.0]]
    assert dense([[np.nan]], lengths=0).to_graph().n_states == 1


def test_no_steps_no_columns_no_items() -> None:
    g = dense(np.empty((0, 4))).to_graph()
    assert (g.n_states, g.n_arcs, g.start.tolist(), g.accept.tolist()) == (1, 0, [0], [0])
    g = dense(np.empty((3, 0))).to_graph()
    assert (g.n_states, g.n_arcs, g.accept.tolist()) == (4, 0, [3])
    assert dense(np.empty((0, 5, 4))).batch == 0
    assert dense(np.empty((0, 5, 4)), lengths=[]).lengths.tolist() == []
    assert dense(np.empty((2, 0, 4)), lengths=[0, 0]).n_steps == 0


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("f4", "f4"), ("f8", "f8"), ("f2", "f8"), ("i4", "f8"), ("u1", "f8"), (">f4", "f4"), (">f8", "f8"), ("g", "f8")],
)
def test_dtypes(dtype: str, kept: str) -> None:
    x = dense(np.array([[1, 2]], dtype))
    assert x.dtype == np.dtype(kept)
    assert x.dtype.isnative
    assert x.scores.tolist() == [[1.0, 2.0]]


def test_scores_are_copied_and_read_only() -> None:
    scores, lengths = np.ones((2, 3, 4), np.float32), np.array([3, 2])
    x = dense(scores, lengths)
    scores[:], lengths[:] = 7, 0
    assert (x.scores == 1).all()
    assert x.lengths.tolist() == [3, 2]
    for array in (x.scores, x.lengths, x.item(0).scores):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(AttributeError):
        x.scores = scores  # type: ignore[misc]


def test_wrap_shares_memory_and_leaves_the_array_writeable() -> None:
    scores = np.ones((2, 3, 4), np.float32)
    x = Dense.wrap(scores)
    assert np.shares_memory(x.scores, scores)
    assert scores.flags.writeable
    assert not x.scores.flags.writeable
    strided = np.ones((3, 2, 4)).transpose(1, 0, 2)
    assert Dense.wrap(strided).scores.flags.c_contiguous


def test_a_foreign_array_is_taken() -> None:
    class Tensor:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.ones((2, 3), np.float32)

    assert dense(Tensor()).dtype == np.float32


@pytest.mark.parametrize(
    ("scores", "lengths", "parts"),
    [
        ([1.0, 2.0], None, ["scores", "shape (2,)", "(T, C) or (B, T, C)"]),
        (1.0, None, ["scores", "shape ()"]),
        (np.zeros((1, 2, 3, 4)), None, ["scores", "shape (1, 2, 3, 4)"]),
        ([[True]], None, ["scores", "bool"]),
        ([[1j]], None, ["scores", "complex"]),
        ([["a"]], None, ["scores", "<U1"]),
        ([[None]], None, ["scores", "object"]),
        ([[1.0], [1.0, 2.0]], None, ["scores", "numpy cannot make an array"]),
        (None, None, ["scores is None"]),
        ("abc", None, ["scores is 'abc'"]),
        ([[0.0, np.nan]], None, ["scores[0, 1] is nan", "shape (1, 2)"]),
        ([[0.0], [np.inf]], None, ["scores[1, 0] is inf"]),
        (np.where(np.arange(24).reshape(2, 3, 4) == 13, np.nan, 0), None, ["scores[1, 0, 1] is nan"]),
        (np.where(np.arange(24).reshape(2, 3, 4) == 13, np.nan, 0), [3, 1], ["scores[1, 0, 1] is nan"]),
        (np.zeros((2, 3, 4)), [3], ["lengths", "shape (1,)", "(2,)"]),
        (np.zeros((2, 3, 4)), 3, ["lengths", "shape ()", "(2,)"]),
        (np.zeros((2, 3, 4)), [3, 4], ["lengths[1] is 4", "0 to 3"]),
        (np.zeros((2, 3, 4)), [-1, 3], ["lengths[0] is -1"]),
        (np.zeros((2, 3, 4)), [1.0, 2.0], ["lengths", "float64", "integers"]),
        (np.zeros((2, 3, 4)), [True, True], ["lengths", "bool"]),
        (np.zeros((3, 4)), [3], ["lengths", "one integer"]),
        (np.zeros((3, 4)), 4, ["lengths[0] is 4"]),
        (np.zeros((3, 4)), 1.0, ["lengths", "one integer"]),
    ],
)
def test_bad_input_is_named(scores: object, lengths: object, parts: list[str]) -> None:
    with refused(*parts):
        dense(scores, lengths)


def test_messages_use_the_name_of_an_input() -> None:
    with refused("X[0, 0] is nan"):
        Dense.wrap(np.full((1, 1), np.nan), name="X")
    with refused("X's lengths[0] is 2"):
        Dense.wrap(np.zeros((1, 1)), 2, name="X")


def test_what_stands_past_the_lengths_does_not_matter() -> None:
    scores = np.zeros((2, 3, 2), np.float32)
    scores[0, 2] = np.nan
    scores[1, 1:] = np.inf
    assert dense(scores, lengths=[2, 1]).lengths.tolist() == [2, 1]
    with refused("scores[0, 2, 0] is nan"):
        dense(scores, lengths=[3, 1])


def test_pickle_and_copy() -> None:
    for x in (dense(np.ones((2, 3, 4), np.float32), lengths=[3, 1]), dense([[1.0], [np.nan]], lengths=1)):
        for y in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x)):
            assert y.dtype == x.dtype
            assert np.array_equal(y.scores, x.scores, equal_nan=True)
            assert y.lengths.tolist() == x.lengths.tolist()
            assert y.batch == x.batch
