"""Graphs: what the constructors accept, copy and refuse, and what graphs say of themselves."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.graph import Graph, linear
from arcgrad.runtime.data.isomorphism import equal

LARGEST = 2**31 - 1


def refused(*parts: str):
    """Expect an InputError whose text has all the parts."""
    return pytest.raises(InputError, match="".join(f"(?=(?s:.*{re.escape(part)}))" for part in parts))


def test_a_graph_holds_what_it_was_given() -> None:
    g = Graph(
        [0, 0, 1], [1, 1, 2], [5, 6, -1], [7, 6, 0], [0.5, -np.inf, -0.0], start=[1, 0, 1], accept=[2], n_states=5
    )
    assert (g.n_states, g.n_arcs) == (5, 3)
    assert g.src.tolist() == [0, 0, 1]
    assert g.dst.tolist() == [1, 1, 2]
    assert g.ilabel.tolist() == [5, 6, -1]
    assert g.olabel.tolist() == [7, 6, 0]
    assert g.weight.tolist() == [0.5, -np.inf, 0.0]
    assert g.weight.dtype == np.float64
    assert g.start.tolist() == [0, 1]
    assert g.accept.tolist() == [2]
    assert g.src.dtype == g.ilabel.dtype == g.start.dtype == np.int32
    assert not g.is_acceptor
    assert g.tie is None
    assert repr(g) == "Graph(5 states, 3 arcs, transducer, start 0 1, accept 2)"


def test_n_states_is_one_more_than_the_largest_state_mentioned() -> None:
    assert Graph([0], [3], [1]).n_states == 4
    assert Graph([0], [3], [1], accept=[7]).n_states == 8
    assert Graph([], [], []).n_states == 1
    assert Graph([], [], [], start=(), accept=()).n_states == 0


def test_output_labels_default_to_input_labels() -> None:
    g = Graph([0], [1], [4])
    assert g.is_acceptor
    assert g.olabel.tolist() == [4]
    assert Graph([0], [1], [4], [4]).is_acceptor
    assert g.fingerprint == Graph([0], [1], [4], [4]).fingerprint


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64, ">i4"])
def test_any_integer_dtype_is_taken(dtype: object) -> None:
    g = Graph(np.array([0], dtype), np.array([1], dtype), np.array([9], dtype), weight=np.array([2], dtype))
    assert (g.src[0], g.dst[0], g.ilabel[0], g.weight[0]) == (0, 1, 9, 2.0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, ">f8"])
def test_any_float_dtype_of_weights_is_taken(dtype: object) -> None:
    g = Graph([0], [1], [9], weight=np.array([0.5], dtype))
    assert g.weight.dtype == np.dtype(np.float64)
    assert g.weight[0] == 0.5


def test_tuples_ranges_iterators_sets_strided_and_foreign_arrays_are_taken() -> None:
    class Tensor:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.array([1, 2])

    assert equal(Graph((0, 1), range(1, 3), Tensor()), Graph([0, 1], [1, 2], [1, 2]))
    assert Graph(np.arange(6)[::3], (x for x in (1, 2)), [0, 0], accept={3, 1}).accept.tolist() == [1, 3]
    assert Graph([], [], [], start=0, accept=np.int64(2)).accept.tolist() == [2]
    assert Graph(np.empty(0), np.empty(0), np.empty(0), weight=np.empty(0)).n_arcs == 0


def test_arrays_changed_after_a_graph_was_made_do_not_matter() -> None:
    arrays = {name: np.array([0, 1], np.int32) for name in ("src", "dst", "ilabel", "olabel", "tie", "start", "accept")}
    arrays["weight"] = np.array([0.5, 1.5])
    g = Graph(**arrays)
    print_before = g.fingerprint
    for array in arrays.values():
        array[:] = 7
    assert g.src.tolist() == g.olabel.tolist() == g.tie.tolist() == g.start.tolist() == [0, 1]
    assert g.weight.tolist() == [0.5, 1.5]
    assert Graph([0, 1], [0, 1], [0, 1], start=[0, 1], accept=[0, 1]).fingerprint == print_before


@pytest.mark.parametrize("name", ["src", "dst", "ilabel", "olabel", "weight", "tie", "start", "accept", "arc_weight"])
def test_arrays_are_read_only(name: str) -> None:
    g = Graph([0, 1], [1, 2], [5, 6], [7, 8], [0.5, 1.5], accept=[2], tie=[1, 0])
    with pytest.raises(ValueError, match="read-only"):
        getattr(g, name)[0] = 1
    with pytest.raises(AttributeError):
        setattr(g, name, None)


def test_with_weight_shares_the_topology_and_copies_the_weights() -> None:
    g = linear([1, 2])
    weights = np.array([1.0, 2.0])
    h = g.with_weight(weights)
    weights[0] = 9
    assert h.topology is g.topology
    assert h.weight.tolist() == [1.0, 2.0]
    assert g.weight.tolist() == [0.0, 0.0]
    assert g.with_weight([1, 2]).weight.dtype == np.float64
    for bad in ([np.nan, 0], [0, np.inf], [1.0], [[1.0, 2.0]], ["a", "b"], [True, False], [1j, 0], None, 1.0):
        with refused("weight"):
            g.with_weight(bad)


def test_tied_arcs_share_parameters() -> None:
    g = Graph([0, 0, 1], [1, 1, 2], [5, 6, 7], weight=[0.5, -1.0], tie=[1, 0, 1], accept=[2])
    assert g.weight.tolist() == [0.5, -1.0]
    assert g.arc_weight.tolist() == [-1.0, 0.5, -1.0]
    assert g.with_weight([2.0, 3.0]).arc_weight.tolist() == [3.0, 2.0, 3.0]
    assert "2 parameters" in repr(g)
    assert Graph([0], [1], [5], tie=[3]).weight.tolist() == [0.0] * 4
    with refused("weight", "2 parameters"):
        g.with_weight([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("tie", "parts"),
    [
        ([0, 1], ["tie has 2 entries", "3 arcs"]),
        ([0, 1, 2], ["tie[2] is 2", "weight has 2 entries"]),
        ([0, -1, 0], ["tie[1] is -1"]),
        ([0.0, 1.0, 0.0], ["tie", "float64", "integers"]),
    ],
)
def test_bad_ties(tie: list[float], parts: list[str]) -> None:
    with refused(*parts):
        Graph([0, 0, 1], [1, 1, 2], [5, 6, 7], weight=[0.5, -1.0], tie=tie)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"src": [0.0]}, ["src", "shape (1,)", "dtype float64", "integers", "astype(int)"]),
        ({"src": [True]}, ["src", "bool"]),
        ({"src": ["0"]}, ["src", "<U1"]),
        ({"src": [None]}, ["src", "object", "src[0] is None (NoneType)"]),
        ({"src": [2**70]}, ["src", "object", "src[0] is 1180591620717411303424"]),
        ({"src": 0}, ["src", "shape ()"]),
        ({"src": [[0]]}, ["src", "shape (1, 1)"]),
        ({"src": [[0], [1, 2]]}, ["src", "numpy cannot make an array"]),
        ({"src": "0"}, ["src is '0' (str)"]),
        ({"src": None}, ["src is None"]),
        ({"src": {0: 1}}, ["src is {0: 1} (dict)"]),
        ({"src": object()}, ["src", "shape ()"]),
        ({"src": [-1]}, ["src[0] is -1", "0 to 2147483646"]),
        ({"src": [LARGEST]}, ["src[0] is 2147483647"]),
        ({"src": np.array([2**63], np.uint64)}, ["src[0] is 9223372036854775808"]),
        ({"src": [3], "n_states": 3}, ["src[0] is 3", "0 … 2", "n_states = 3"]),
        ({"dst": [0, 0]}, ["dst has 2 entries", "1 arcs"]),
        ({"dst": [-5]}, ["dst[0] is -5"]),
        ({"ilabel": [-2]}, ["ilabel[0] is -2", "−1 is ε"]),
        ({"ilabel": [2**31]}, ["ilabel[0] is 2147483648", "2147483647"]),
        ({"ilabel": [1.5]}, ["ilabel", "float64"]),
        ({"ilabel": []}, ["ilabel has 0 entries"]),
        ({"olabel": [2**31]}, ["olabel[0] is 2147483648"]),
        ({"olabel": [1, 2]}, ["olabel has 2 entries"]),
        ({"weight": [np.nan]}, ["weight[0] is nan", "float64"]),
        ({"weight": [np.inf]}, ["weight[0] is inf"]),
        ({"weight": np.array([1e300], np.longdouble) ** 2}, ["weight[0] is inf"]),
        ({"weight": [1.0, 2.0]}, ["weight has 2 entries", "1 arcs"]),
        ({"weight": [True]}, ["weight", "bool"]),
        ({"weight": [1j]}, ["weight", "complex128"]),
        ({"weight": ["1"]}, ["weight", "<U1"]),
        ({"weight": [10**400]}, ["weight", "object"]),
        ({"weight": 1.0}, ["weight", "shape ()"]),
        ({"start": [2]}, None),
        ({"start": [2], "n_states": 2}, ["start[0] is 2"]),
        ({"start": [-1]}, ["start[0] is -1"]),
        ({"start": [0.5]}, ["start", "float64"]),
        ({"start": True}, ["start", "shape ()"]),
        ({"start": None}, ["start is None"]),
        ({"accept": [0, 9], "n_states": 2}, ["accept[1] is 9"]),
        ({"n_states": -1}, ["n_states is -1"]),
        ({"n_states": 2**31}, ["n_states is 2147483648", "2147483647"]),
        ({"n_states": 2.0}, ["n_states is 2.0 (float)"]),
        ({"n_states": True}, ["n_states is True"]),
        ({"n_states": 0}, ["there are no states"]),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], parts: list[str] | None) -> None:
    given = {"src": [0], "dst": [1], "ilabel": [5]} | arguments
    if parts is None:
        Graph(**given)
        return
    with refused(*parts):
        Graph(**given)


def test_the_first_bad_entry_is_named() -> None:
    with refused("ilabel[2] is -7"):
        Graph([0] * 5, [1] * 5, [0, -1, -7, 3, -9])
    with refused("weight[1] is nan"):
        Graph([0] * 3, [1] * 3, [0] * 3, weight=[-np.inf, np.nan, np.inf])


def test_the_largest_labels_and_states_are_legal() -> None:
    g = Graph([LARGEST - 1], [0], [LARGEST], [0])
    assert g.n_states == LARGEST
    assert g.ilabel[0] == LARGEST
    assert g.is_acyclic


def test_a_tensor_that_cannot_become_an_array_is_named() -> None:
    class OnAnotherDevice:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            raise RuntimeError("move it to the CPU first")

    with refused("weight", "move it to the CPU first"):
        Graph([0], [1], [2], weight=OnAnotherDevice())


def test_from_arcs_takes_three_kinds_of_tuples() -> None:
    g = Graph.from_arcs([(0, 1, 5), (0, 1, 5, 0.5), (0, 1, 5, 6, 0.5), [0, 1, -1, 7], (0, 1, 5, 6)], [0], [1])
    assert g.ilabel.tolist() == [5, 5, 5, -1, 5]
    assert g.olabel.tolist() == [5, 5, 6, -1, 5]
    assert g.weight.tolist() == [0.0, 0.5, 0.5, 7.0, 6.0]
    assert Graph.from_arcs([]).n_states == 1
    assert Graph.from_arcs([], start=(), n_states=0).n_states == 0
    assert Graph.from_arcs(np.array([[0, 1, 5], [1, 2, 6]])).n_states == 3
    assert Graph.from_arcs(iter([(np.int8(0), np.uint64(1), 5, np.float32(0.5))])).weight[0] == 0.5


@pytest.mark.parametrize(
    ("arcs", "parts"),
    [
        ([(0, 1)], ["arcs[0] is (0, 1)", "(src, dst, label)"]),
        ([(0, 1, 2), (0, 1, 2, 3, 4, 5)], ["arcs[1] is (0, 1, 2, 3, 4, 5)"]),
        ([(0, 1, 2.0)], ["arcs[0]", "2.0 is not"]),
        ([(0, 1, 2, 3.5, 0.0)], ["arcs[0]", "3.5 is not"]),
        ([(True, 1, 2)], ["arcs[0]", "True is not"]),
        ([("0", 1, 2)], ["arcs[0]", "'0' is not"]),
        ([(0, 1, 2, "3")], ["arcs[0]", "'3' is no real number"]),
        ([(0, 1, 2, True)], ["arcs[0]", "True is no real number"]),
        ([(0, 1, 2, 3j)], ["arcs[0]", "no real number"]),
        ([(0, 1, 2, 10**400)], ["arcs[0]", "no real number"]),
        ([(0, 1, 2, None)], ["arcs[0]", "None is no real number"]),
        ([7], ["arcs[0] is 7"]),
        (["012"], ["arcs[0] is '012'"]),
        (7, ["arcs is 7 (int)"]),
        ([(0, 1, 2**31)], ["ilabel[0] is 2147483648"]),
        ([(0, 1, 2, np.nan)], ["weight[0] is nan"]),
        ([(0, 1, 10**30)], ["ilabel", "ilabel[0] is 1000"]),
    ],
)
def test_bad_arc_tuples_are_named(arcs: object, parts: list[str]) -> None:
    with refused(*parts):
        Graph.from_arcs(arcs)


def test_linear() -> None:
    g = linear([3, 1, 2], weight=[0.5, 0.0, -1.0])
    assert (g.n_states, g.n_arcs) == (4, 3)
    assert (g.src.tolist(), g.dst.tolist()) == ([0, 1, 2], [1, 2, 3])
    assert g.ilabel.tolist() == g.olabel.tolist() == [3, 1, 2]
    assert (g.start.tolist(), g.accept.tolist()) == ([0], [3])
    assert linear("aε").ilabel.tolist() == [97, 949]
    assert linear([]).n_states == linear("").n_states == 1
    assert linear([]).accept.tolist() == linear([]).start.tolist() == [0]
    assert equal(linear(np.array([3, -1], np.int8)), linear((3, -1)))
    for labels in ([-2], [1.5], [[1]], None, 3, [2**31]):
        with refused("labels"):
            linear(labels)
    with refused("weight has 1 entries", "2 labels"):
        linear([1, 2], weight=[0.0])


@pytest.mark.parametrize(
    ("arcs", "expected"),
    [
        ([], True),
        ([(0, 1), (1, 2)], True),
        ([(2, 1), (1, 0)], True),
        ([(0, 2), (2, 1), (0, 1), (1, 3), (0, 2)], True),
        ([(0, 0)], False),
        ([(0, 1), (1, 0)], False),
        ([(0, 1), (2, 3), (3, 4), (4, 2)], False),
    ],
)
def test_is_acyclic(arcs: list[tuple[int, int]], expected: bool) -> None:
    src, dst = [a[0] for a in arcs], [a[1] for a in arcs]
    g = Graph(src, dst, [1] * len(arcs))
    assert g.is_acyclic is expected
    assert g.with_weight(np.ones(len(arcs))).is_acyclic is expected


def test_is_acyclic_agrees_with_random_orders() -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        order = rng.permutation(12)
        ends = np.sort(np.stack([rng.choice(12, 2, replace=False) for _ in range(20)]), axis=1)
        src, dst = order[ends[:, 0]], order[ends[:, 1]]
        assert Graph(src, dst, src).is_acyclic
        assert not Graph([*src, dst[0]], [*dst, src[0]], [0] * 21).is_acyclic


def test_fingerprint_tells_topologies_apart() -> None:
    base = {"src": [0, 1], "dst": [1, 2], "ilabel": [5, 6], "accept": [2]}
    prints = [
        Graph(**base | change).fingerprint
        for change in (
            {},
            {"src": [1, 0]},
            {"dst": [2, 1]},
            {"ilabel": [6, 5]},
            {"olabel": [5, 7]},
            {"start": [1]},
            {"start": [0, 1]},
            {"accept": [1]},
            {"n_states": 4},
        )
    ]
    assert len(set(prints)) == len(prints)
    assert re.fullmatch("[0-9a-f]{32}", prints[0])
    assert Graph(**base, weight=[1.0, 2.0]).fingerprint == prints[0]


def test_graphs_pickle_and_copy() -> None:
    g = Graph([0, 0], [1, 1], [5, -1], [6, 7], [0.5, -np.inf], accept=[1], n_states=4, tie=[1, 0])
    for h in (pickle.loads(pickle.dumps(g)), copy.copy(g), copy.deepcopy(g)):
        assert equal(g, h)
        assert h.tie.tolist() == [1, 0]
        assert h.fingerprint == g.fingerprint
        assert not h.weight.flags.writeable
    assert pickle.loads(pickle.dumps(linear([1]))).is_acceptor
    assert pickle.loads(pickle.dumps(Graph([], [], [], start=(), n_states=0))).n_states == 0


def test_equality_is_identity() -> None:
    assert linear([1]) != linear([1])
    assert len({linear([1]), linear([1])}) == 2


def test_repr_is_short_for_large_graphs() -> None:
    g = Graph([], [], [], start=range(1000), accept=range(500))
    assert repr(g) == "Graph(1000 states, 0 arcs, acceptor, start 0 1 2 3 4 … (1000), accept 0 1 2 3 4 … (500))"
    assert repr(linear([7])) == "Graph(2 states, 1 arc, acceptor, start 0, accept 1)"


def test_from_topology_trusts_and_shares() -> None:
    g = linear([1, 2])
    assert Graph.from_topology(g.topology).weight.tolist() == [0.0, 0.0]
    h = Graph.from_topology(g.topology, np.array([1.0]), np.zeros(2, np.int32))
    assert h.arc_weight.tolist() == [1.0, 1.0]
    assert not h.weight.flags.writeable
