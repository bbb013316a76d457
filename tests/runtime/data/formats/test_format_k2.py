"""k2's text format: acceptors, transducers, the final state, what is refused and where."""

from __future__ import annotations

import numpy as np
import pytest
from graph_strategies import check_round_trip, graphs
from hypothesis import given

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.runtime.data.formats.k2 import read, write
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.isomorphism import equal


def test_an_acceptor() -> None:
    text = "0 1 5 0.5\n1 1 0 -0.25\n1 2 -1 0.125\n2\n"
    g = read(text)
    assert equal(g, Graph.from_arcs([(0, 1, 5, 0.5), (1, 1, -1, -0.25), (1, 2, -1, 0.125)], [0], [2]))
    assert write(g) == text


def test_a_transducer() -> None:
    text = "0 1 5 0 0.5\n1 1 0 7 -inf\n1 2 -1 -1 0.125\n1 2 -1 3 0.0\n2\n"
    g = read(text)
    arcs = [(0, 1, 5, -1, 0.5), (1, 1, -1, 7, -np.inf), (1, 2, -1, 0.125), (1, 2, -1, 3, 0.0)]
    assert equal(g, Graph.from_arcs(arcs, [0], [2]))
    assert write(g) == text
    assert equal(read("0 1 -1 0 0.0\n1"), read("0 1 -1 -1 0.0\n1"))


def test_arcs_in_any_order_and_unmentioned_states_are_kept() -> None:
    text = "3 1 5 0.5\n0 3 6 0.0\n7\n"
    assert read(text).n_states == 8
    assert write(read(text)) == text


def test_empty_and_blank() -> None:
    assert read("").n_states == read("\n \n").n_states == 0
    assert write(Graph([], [], [], start=(), n_states=0)) == ""
    assert equal(read("\ufeff0\t1\t-1\t0\r\n\r\n1"), Graph.from_arcs([(0, 1, -1)], [0], [1]))


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("0 1 5 0.5\n", 2, 1, "ends where a line with the final state"),
        ("0 1 5 0.5\n\n1 2 -1 0", 4, 1, "ends where a line with the final state"),
        ("0 1 5\n1", 1, 6, "found 3 fields"),
        ("0 1 5 0 0 0\n1", 1, 11, "found 6 fields"),
        ("0 1 -1 0.5\n0 1 -1 -1 0.5\n1", 2, 11, "'src dst label score', as on the first line, but found 5"),
        ("0 1 5 6 0.5\n1 2 -1 0.5\n2", 2, 11, "'src dst label aux_label score', as on the first line"),
        ("0 1 -1 0.5\n1\n2", 2, 1, "must be the last line"),
        ("0 1 -1 0.5\n1 2", 3, 1, "ends where"),
        ("0", 1, 1, "final state is 0"),
        ("0 1 -1 0.5\nx", 2, 1, "expected final state"),
        ("0 3 -1 0.5\n2", 1, 3, "destination state is '3'"),
        ("2 2 -1 0.5\n2", 1, 1, "source state is '2'"),
        ("0 2 5 0.5\n2", 1, 5, "label 5 on an arc into the final state"),
        ("0 2 0 0.5\n2", 1, 5, "label 0 on an arc into the final state"),
        ("0 1 -1 0.5\n2", 1, 5, "label is '-1'"),
        ("0 2 -2 0.5\n2", 1, 5, "label is '-2'"),
        ("0 1 1 -1 0.5\n2", 1, 7, "aux_label is '-1'"),
        ("0 2 -1 x\n2", 1, 8, "expected score"),
        ("0 2 -1 inf\n2", 1, 8, "not \\+inf"),
        ("0 2 -1 nan\n2", 1, 8, "expected score"),
        ("\x7fELF", 1, 1, "expected final state"),
    ],
)
def test_malformed(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(text, "g.k2")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("g.k2", line, column)


def test_what_k2_cannot_express_is_rebuilt_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="a new last state becomes the one final state"):
        assert write(Graph.from_arcs([(0, 1, 5, 0.5)], [0], [0, 1])) == "0 1 5 0.5\n0 2 -1 0.0\n1 2 -1 0.0\n2\n"
    for arcs, accept in (
        ([(0, 1, -1), (1, 0, 5)], [1]),  # the accept is left by an arc
        ([(0, 1, 5)], [1]),  # it is entered by a label
        ([(0, 1, -1), (0, 2, 5)], [1]),  # it is not last
        ([(0, 1, 5)], []),
        ([], [0]),
    ):
        g = Graph.from_arcs(arcs, [0], accept)
        with pytest.warns(UserWarning, match="a new last state becomes the one final state"):
            text = write(g)
        n = g.n_states
        expected = [(s, d, label, 0.0) for s, d, label in arcs] + [(a, n, -1, 0.0) for a in accept]
        assert equal(read(text), Graph.from_arcs(expected, [0], [n], n + 1))
    with pytest.warns(UserWarning, match="2 starts become one"):
        assert write(Graph.from_arcs([(0, 2, -1), (1, 2, -1)], [0, 1], [2])) == (
            "0 1 0 0.0\n0 2 0 0.0\n1 3 -1 0.0\n2 3 -1 0.0\n3\n"
        )
    with pytest.warns(UserWarning, match="states 1 and 0 change places"):
        assert write(Graph.from_arcs([(1, 0, 5), (0, 2, -1)], [1], [2])) == "0 1 5 0.0\n1 2 -1 0.0\n2\n"


def test_shift() -> None:
    g = read("0 1 1 0.0\n1 2 -1 0.0\n2\n", shift=-1)
    assert g.ilabel.tolist() == [0, -1]
    assert write(g, shift=-1) == "0 1 1 0.0\n1 2 -1 0.0\n2\n"
    with pytest.raises(InputError, match="label 0 cannot be written as k2 text"):
        write(g)


@given(graphs(low=1, tied=True))
def test_round_trip(g: Graph) -> None:
    check_round_trip(g, write, read)


@given(graphs(low=1, acyclic=True))
def test_round_trip_of_acyclic_graphs(g: Graph) -> None:
    check_round_trip(g, write, read)


# k2.ctc_topo(2): blanks are label 0 of frames, and aux_label 0 is ε.
CTC = """\
0 0 0 0 0
0 1 1 1 0
0 2 2 2 0
0 3 -1 -1 0
1 0 0 0 0
1 1 1 0 0
1 2 2 2 0
1 3 -1 -1 0
2 0 0 0 0
2 1 1 1 0
2 2 2 0 0
2 3 -1 -1 0
3
"""


def test_the_epsilon_of_each_side() -> None:
    g = read(CTC, epsilon=(None, 0))
    assert g.ilabel.tolist() == [0, 1, 2, -1, 0, 1, 2, -1, 0, 1, 2, -1]
    assert g.olabel.tolist() == [-1, 1, 2, -1, -1, -1, 2, -1, -1, 1, -1, -1]
    assert write(g, epsilon=(None, 0)) == CTC.replace(" 0\n", " 0.0\n")
    assert read(CTC, epsilon=(None, None)).olabel.tolist()[:4] == [0, 1, 2, -1]
    assert read("0 1 7 0.0\n0 1 0 0.0\n1 2 -1 0.0\n2", epsilon=(7, 7)).ilabel.tolist() == [-1, 0, -1]
    acceptor = Graph.from_arcs([(0, 1, 0), (1, 2, 5), (2, 3, -1)], [0], [3])
    assert equal(read(write(acceptor, epsilon=(None, None)), epsilon=(None, None)), acceptor)
    text = write(acceptor, epsilon=(None, 9))
    assert text == "0 1 0 0 0.0\n1 2 5 5 0.0\n2 3 -1 -1 0.0\n3\n"
    assert equal(read(text, epsilon=(None, 9)), acceptor)


def test_epsilons_that_do_not_fit() -> None:
    with pytest.raises(FormatError, match=r"g:1:5: epsilon is \(None, 0\), but arcs have one label here"):
        read("0 1 5 0.0\n1 2 -1 0.0\n2", "g", epsilon=(None, 0))
    g = Graph.from_arcs([(0, 1, -1), (1, 2, 9), (2, 3, -1)], [0], [3])
    with pytest.raises(InputError, match=r"ilabel\[0\] is ε, but epsilon=None says that no ilabel"):
        write(g, epsilon=(None, None))
    with pytest.raises(InputError, match=r"ilabel\[1\]: label 9 cannot be written as k2 text, where 9 is ε"):
        write(g, epsilon=(9, 9))
    for wrong in (-1, "0", (0,), (0, 1, 2), (0, 1.5), True, 2**31):
        with pytest.raises(InputError, match="epsilon is"):
            Graph.from_text(CTC, "k2", epsilon=wrong)
    assert Graph.from_text(CTC, "k2", epsilon=(None, 0)).n_arcs == 12
