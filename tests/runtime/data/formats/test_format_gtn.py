"""GTN's text format: what is read, what is written, what is refused and where."""

from __future__ import annotations

import numpy as np
import pytest
from graph_strategies import check_round_trip, graphs
from hypothesis import given

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.runtime.data.formats.gtn import read, write
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.isomorphism import equal


def test_arcs_of_three_four_and_five_columns() -> None:
    g = read("0 2\n3\n0 1 5\n1 2 5 6\n2 3 -1 -1 -0.5\n")
    arcs = [(0, 1, 5), (1, 2, 5, 6, 0.0), (2, 3, -1, -0.5)]
    assert equal(g, Graph.from_arcs(arcs, [0, 2], [3]))


def test_what_is_written() -> None:
    g = Graph.from_arcs([(0, 1, 5), (0, 1, -1, 6, 0.1), (1, 1, 7, -np.inf)], [0], [1])
    assert write(g) == "0\n1\n0 1 5 5 0.0\n0 1 -1 6 0.1\n1 1 7 7 -inf\n"
    assert write(Graph([], [], [], start=(), n_states=0)) == "\n\n"
    assert read("\n\n").n_states == 0


@pytest.mark.parametrize(
    "text", ["0\r\n1\r\n0 1 5\r\n", "0\r1\r0 1 5", "\ufeff0\n1\n\n0\t1  5 \n\n", " 0 \n 1\n 0 1 5"]
)
def test_line_ends_blanks_tabs_and_byte_order_marks(text: str) -> None:
    assert equal(read(text), Graph.from_arcs([(0, 1, 5)], [0], [1]))


def test_empty_lines_are_no_starts_and_no_accepts() -> None:
    g = read("\n\n0 1 5")
    assert (g.n_states, g.start.tolist(), g.accept.tolist()) == (2, [], [])


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "start states and a second one of accept states"),
        ("0\n", 2, 1, "accept states after the start states"),
        ("0", 2, 1, "accept states"),
        ("0 x\n1\n", 1, 3, "expected start state, an integer from 0 to 2147483646, but found 'x'"),
        ("0\n-1\n", 2, 1, "accept state is '-1'"),
        ("0 1 0\n1\n", 1, 5, "start state 0 is mentioned twice"),
        ("0\n1\n0 1\n", 3, 4, "found 2 fields"),
        ("0\n1\n0\n", 3, 2, "found 1 field$"),
        ("0\n1\n0 1 2 3 4 5\n", 3, 11, "found 6 fields"),
        ("0\n1\n0 1.0 2\n", 3, 3, "destination state"),
        ("0\n1\n  0 1 two\n", 3, 7, "expected input label"),
        ("0\n1\n0 1 -2\n", 3, 5, "input label is '-2'"),
        ("0\n1\n0 1 2147483648\n", 3, 5, "2147483648"),
        ("0\n1\n2147483647 1 2\n", 3, 1, "source state is '2147483647'"),
        ("0\n1\n0 1 2 99999999999999999999999999\n", 3, 7, "output label is '9999"),
        ("0\n1\n0 1 2 " + "9" * 5000 + "\n", 3, 7, "output label is '9999"),
        ("0\n1\n0 1 2 3 x\n", 3, 9, "expected weight, a real number"),
        ("0\n1\n0 1 2 3 nan\n", 3, 9, "expected weight"),
        ("0\n1\n0 1 2 3 inf\n", 3, 9, "not \\+inf"),
        ("0\n1\n0 1 2 3 1e999\n", 3, 9, "too large"),
        ("0\n1\n0 1 2 3 0x10\n", 3, 9, "expected weight"),
        ("0\n1\n0 1 2 3 1_000\n", 3, 9, "expected weight"),
        ("0\n1\n0 1 ２\n", 3, 5, "expected input label"),
        ("0\n1\n\x00\x01\n", 3, 3, "found 1 field"),
        ("# comment\n1\n", 1, 1, "expected start state"),
    ],
)
def test_malformed(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(text, "g.gtn")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("g.gtn", line, column)
    assert f"g.gtn:{line}:{column}: " in str(caught.value)


def test_shift_moves_all_labels_but_epsilon() -> None:
    text = "0\n1\n0 1 5 -1 0.0\n"
    g = read(text, shift=-1)
    assert (g.ilabel.tolist(), g.olabel.tolist()) == ([4], [-1])
    assert write(g, shift=-1) == text
    with pytest.raises(FormatError, match="input label 0 becomes -1 with shift=-1"):
        read("0\n1\n0 1 0\n", shift=-1)
    with pytest.raises(InputError, match="label 4 becomes -1 with shift=5") as caught:
        write(g, shift=5)
    assert write(g, shift=4).startswith("0\n1\n0 1 0 -1")
    assert "shift=4" in str(caught.value)


def test_states_that_nothing_mentions_are_lost_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="states 2 … 4 have no arc"):
        assert write(Graph([0], [1], [5], n_states=5)) == "0\n\n0 1 5 5 0.0\n"


def test_ties_are_lost_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="share parameters"):
        assert write(Graph([0, 0], [1, 1], [5, 6], weight=[0.5], tie=[0, 0])).count("0.5") == 2


@given(graphs(tied=True))
def test_round_trip(g: Graph) -> None:
    check_round_trip(g, write, read)


@given(graphs(acyclic=True))
def test_round_trip_of_acyclic_graphs(g: Graph) -> None:
    check_round_trip(g, write, read)
