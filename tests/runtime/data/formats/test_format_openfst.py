"""OpenFst's text format: forms, final costs, starts, refusals; compared with OpenFst itself where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
from graph_strategies import check_round_trip, graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.runtime.data.formats.openfst import read, write
from arcgrad.runtime.data.graph import Graph, linear
from arcgrad.runtime.data.isomorphism import equal, isomorphic
from arcgrad.runtime.data.symbols import SymbolTable


def test_costs_are_negated_and_label_0_is_epsilon() -> None:
    g = read("0 1 5 6 0.5\n1 2 0 7\n2\n")
    assert equal(g, Graph.from_arcs([(0, 1, 5, 6, -0.5), (1, 2, -1, 7, 0.0)], [0], [2]))


def test_the_first_line_says_the_start() -> None:
    assert read("3 1 5 5\n1").start.tolist() == [3]
    assert read("2\n3 1 5 5\n").start.tolist() == [2]
    assert read("2\n").n_states == 3
    assert read("").n_states == 0
    assert read("\n \n").n_states == 0


def test_a_final_cost_becomes_an_epsilon_arc_to_a_new_accept() -> None:
    g = read("0 1 5 5\n0 0.25\n1 -0.5\n3 0\n")
    expected = [(0, 1, 5), (0, 4, -1, -0.25), (1, 5, -1, 0.5)]
    assert equal(g, Graph.from_arcs(expected, [0], [3, 4, 5]))
    assert write(g) == "0\t1\t5\t5\n3\n0\t0.25\n1\t-0.5\n"


def test_a_final_arc_that_is_not_last_stays_an_arc() -> None:
    g = Graph.from_arcs([(0, 1, -1, 0.5), (0, 2, 5)], [0], [1, 2])
    assert write(g) == "0\t1\t0\t0\t-0.5\n0\t2\t5\t5\n1\n2\n"
    loops = Graph.from_arcs([(0, 1, 5), (1, 1, -1, 0.5)], [0], [1])
    assert write(loops) == "0\t1\t5\t5\n1\t1\t0\t0\t-0.5\n1\n"


@pytest.mark.parametrize(
    ("arcs", "start", "accept"),
    [
        ([(0, 1, 5), (0, 2, -1, 0.5), (0, 3, -1, 0.25)], 0, [2, 3]),  # two final costs of one state
        ([(0, 1, 5), (1, 2, -1, 0.5)], 0, [1, 2]),  # a final cost beside being an accept
        ([(0, 1, 5), (0, 2, 5), (0, 2, -1, 0.5)], 0, [2]),  # an accept that another arc enters
        ([(0, 1, 5), (2, 1, 5), (0, 2, -1, 0.5)], 0, [2]),  # an accept that an arc leaves
        ([(0, 1, 5), (0, 2, -1, 0.5)], 2, [2]),  # an accept that is the start
        ([(0, 1, 5), (0, 2, -1, 7, 0.5)], 0, [2]),  # not ε on both sides
        ([(0, 1, 5), (0, 2, -1, -1, 0.0)], 0, [2]),  # no cost
        ([(0, 1, 5), (0, 2, -1, -np.inf)], 0, [2]),  # the cost that means no final state
    ],
)
def test_what_is_no_final_cost(arcs: list[tuple[float, ...]], start: int, accept: list[int]) -> None:
    g = Graph.from_arcs(arcs, [start], accept)
    assert equal(read(write(g)), g)


def test_infinite_costs() -> None:
    g = read("0 1 5 5 Infinity\n0 Infinity\n1 inf\n2")
    assert g.weight.tolist() == [-np.inf]
    assert g.accept.tolist() == [2]
    assert write(g) == "0\t1\t5\t5\tInfinity\n2\n"


@pytest.mark.parametrize(
    ("text", "ilabel", "olabel", "weight"),
    [
        ("0 1 5\n1", 5, 5, 0.0),
        ("0 1 5 0.5\n1", 5, 5, -0.5),
        ("0 1 5 -1\n1", 5, 5, 1.0),
        ("0 1 5 Infinity\n1", 5, 5, -np.inf),
        ("0 1 5 6\n1", 5, 6, 0.0),
        ("0 1 5 6 7\n1", 5, 6, -7.0),
    ],
)
def test_the_form_is_guessed(text: str, ilabel: int, olabel: int, weight: float) -> None:
    g = read(text)
    assert (g.ilabel[0], g.olabel[0], g.weight[0]) == (ilabel, olabel, weight)


def test_one_line_decides_for_all() -> None:
    assert read("0 1 5 2\n0 1 6\n1").weight.tolist() == [-2.0, 0.0]
    assert read("0 1 5 2\n0 1 6 7 0.5\n1").olabel.tolist() == [2, 7]
    assert read("0 1 5 2\n1", acceptor=True).weight.tolist() == [-2.0]
    with pytest.raises(FormatError, match="expected an arc of a transducer") as caught:
        read("0 1 5 2 0.5\n0 1 6\n1")
    assert (caught.value.line, caught.value.column) == (2, 6)
    assert "acceptor=True" in str(caught.value)
    with pytest.raises(FormatError, match="expected an arc of an acceptor"):
        read("0 1 5 2 0.5\n1", acceptor=True)
    with pytest.raises(FormatError, match=r"expected output label.*found '0\.5'"):
        read("0 1 5 0.5\n1", acceptor=False)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("0 1 2 3 4 5", 1, 11, "at most 5 fields"),
        ("0 1 2 3\nx", 2, 1, "expected final state"),
        ("0 1 2 3\n1 x", 2, 3, "expected cost"),
        ("0 1 2 3\n1 nan", 2, 3, "expected cost"),
        ("0 1 2 3\n1 BadNumber", 2, 3, "expected cost"),
        ("0 1 2 3 -Infinity", 1, 9, "not -Infinity"),
        ("1 -inf", 1, 3, "not -Infinity"),
        ("0 1 a b\n1", 1, 5, "expected label"),
        ("0 1 2 -1 0.5\n1", 1, 7, "output label is '-1'"),
        ("0 1 2147483648 1 1\n1", 1, 5, "input label"),
        ("-1 1 2 1 1\n", 1, 1, "source state"),
        ("0 1 2 3\n1\n\n1 0.5", 4, 1, "state 1 is declared final twice"),
        ("0 1 2 3 1e400", 1, 9, "too large"),
    ],
)
def test_malformed(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(text, "g.att")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("g.att", line, column)


def test_symbols_in_place_of_labels_get_a_hint() -> None:
    with pytest.raises(FormatError, match=r"isymbols=ag\.SymbolTable"):
        read("0 1 a b 0.5\n1")


TABLE = SymbolTable({"<s>": 1, "a": 2, "\u3000": 3, "0.5": 4})


def test_symbols_are_looked_up_in_tables() -> None:
    for text, tables in [
        ("0 1 <s> 7 0.5\n1", {"isymbols": TABLE}),
        ("0 1 1 \u3000 0.5\n1", {"osymbols": TABLE}),
        ("0 1 <s> <eps>\n1 2 \u3000 0.5\n2", {"isymbols": TABLE, "osymbols": TABLE}),
        ("0 1 a 0.25\n1", {"isymbols": TABLE}),
        ("0 1 a 0.5\n1", {"isymbols": TABLE, "osymbols": TABLE, "acceptor": True}),
    ]:
        g = read(text, **tables)
        again = {name: table for name, table in tables.items() if name != "acceptor"}
        assert equal(read(write(g, **again), **again), g), text
    g = read("0 1 <s> <eps>\n1 2 \u3000 0.5\n2", isymbols=TABLE, osymbols=TABLE)
    assert (g.ilabel.tolist(), g.olabel.tolist()) == ([1, 3], [-1, 4])
    with pytest.raises(FormatError, match=r"text>:1:5: label 'A' is not in the table isymbols\nhint: did you mean 'a'"):
        read("0 1 A\n1", isymbols=TABLE)
    with pytest.raises(InputError, match="label 9 is not in the table"):
        write(linear([9]), isymbols=TABLE)
    with pytest.raises(InputError, match=r"ilabel\[0\]: the symbol 'a b' cannot"):
        write(linear([0]), isymbols=SymbolTable(["a b"]))
    g = Graph.from_text("0 1 b\n1", "openfst", isymbols=["a", "b"])
    assert g.to_text("openfst", isymbols="ab").split()[2:4] == ["b", "1"]


def test_states_and_starts_that_no_arc_mentions_first_are_kept() -> None:
    g = Graph.from_arcs([(1, 2, 5), (0, 1, 6)], [0], [2], n_states=6)
    assert write(g) == "0\tInfinity\n1\t2\t5\t5\n0\t1\t6\t6\n2\n5\tInfinity\n"
    assert equal(read(write(g)), g)
    accepting = Graph.from_arcs([(1, 2, 5), (0, 1, 6)], [0], [0, 2])
    assert write(accepting) == "0\n1\t2\t5\t5\n0\t1\t6\t6\n2\n"


def test_other_numbers_of_starts_become_one_with_a_warning() -> None:
    g = Graph.from_arcs([(0, 2, 5), (1, 2, 6)], [0, 1], [2])
    with pytest.warns(UserWarning, match="2 starts become one new start state"):
        text = write(g)
    assert text == "0\t1\t0\t0\n0\t2\t0\t0\n1\t3\t5\t5\n2\t3\t6\t6\n3\n"
    with pytest.warns(UserWarning, match="no starts"):
        assert write(Graph([0], [1], [5], start=())) == "0\tInfinity\n1\t2\t5\t5\n"


def test_shift() -> None:
    g = read("0 1 1 0\n1\n", shift=-1)
    assert (g.ilabel.tolist(), g.olabel.tolist()) == ([0], [-1])
    assert write(g, shift=-1) == "0\t1\t1\t0\n1\n"
    with pytest.raises(InputError, match="label 0 cannot be written as OpenFst text") as caught:
        write(g)
    assert "shift=-1" in str(caught.value)
    with pytest.raises(FormatError, match="becomes 2147483648 with shift=1"):
        read("0 1 2147483647 0 1\n1\n", shift=1)


@given(graphs(low=1, tied=True))
def test_round_trip(g: Graph) -> None:
    check_round_trip(g, write, read)


@given(graphs(low=1, acyclic=True))
def test_round_trip_of_acyclic_graphs(g: Graph) -> None:
    check_round_trip(g, write, read)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Transducers as fstprint writes them: arcs of a state together, final states with and without costs.

    Every state has an arc: states that nothing mentions do not exist to OpenFst.
    """
    rows = []
    costs = st.sampled_from(["", "\t0.5", "\t-2", "\t1.25", "\tInfinity"])
    n_states = draw(st.integers(1, 4))
    for state in range(n_states):
        for _ in range(draw(st.integers(1, 3))):
            dst, i, o = draw(st.integers(0, n_states - 1)), draw(st.integers(0, 3)), draw(st.integers(0, 3))
            rows.append(f"{state}\t{dst}\t{i}\t{o}{draw(costs).replace('Infinity', '3')}")
    for state in draw(st.sets(st.integers(0, n_states - 1))):
        rows.append(f"{state}{draw(costs)}")
    return "".join(row + "\n" for row in rows)


@given(texts())
def test_reading_and_writing_loses_nothing(text: str) -> None:
    g = read(text)
    assert equal(read(write(g)), g)


@settings(max_examples=60)
@given(texts())
def test_openfst_reads_what_is_written_as_the_same_machine(text: str) -> None:
    """``text`` and what we make of it are the same machine to OpenFst's own compiler."""
    pywrapfst = pytest.importorskip("pywrapfst")

    def compiled(source: str) -> object:
        compiler = pywrapfst.Compiler()
        compiler.write(source)
        return compiler.compile()

    ours, theirs = compiled(write(read(text))), compiled(text)
    assert pywrapfst.equal(ours, theirs)
    assert isomorphic(read(ours.print()), read(text))
    rows = [(s, arc.ilabel, arc.olabel, float(arc.weight)) for s in theirs.states() for arc in theirs.arcs(s)]
    g = read(text)
    n_finals = g.n_arcs - len(rows)
    arcs = zip(g.src, np.maximum(g.ilabel, 0), np.maximum(g.olabel, 0), -g.weight, strict=True)
    assert sorted(row[1:] for row in rows) == sorted(tuple(arc)[1:] for arc in list(arcs)[: len(rows)])
    costs = [float(theirs.final(s)) for s in theirs.states() if str(theirs.final(s)) != "Infinity"]
    plain = [0.0] * (len(g.accept) - n_finals)
    assert sorted(costs) == sorted(plain + (-g.weight[len(rows) :]).tolist())
