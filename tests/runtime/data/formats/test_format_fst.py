"""OpenFst's binary format: what OpenFst writes is read, what is written OpenFst reads, damaged files are refused."""

from __future__ import annotations

import random
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph_strategies import check_round_trip, graphs
from hypothesis import given, settings
from support.random_graphs import draw_topology
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.runtime.data.formats.fst import read, write

ARC_TYPES = ("standard", "log", "log64")
FST_TYPES = ("vector", "const")
GRAPH = ag.Graph.from_arcs([(0, 1, 5, 6, 0.5), (0, 2, 7, -1, 0.0), (1, 2, -1, 8, -2.0), (1, 3, -1, 1.5)], [0], [2, 3])
TABLE = ag.SymbolTable({"<s>": 5, "ä b": 6, "x": 7, "y": 8})


def openfst() -> Any:
    return pytest.importorskip("pywrapfst")


def random_machine(rng: random.Random, arc_type: str) -> Any:
    """One of OpenFst's own; with costs that float32 holds, infinite ones among them, ε, cycles, unused states."""
    fst = openfst()
    machine = fst.VectorFst(arc_type)
    n_states = rng.randint(0, 6)
    for _ in range(n_states):
        machine.add_state()
    if not n_states:
        return machine

    def weight() -> Any:
        return fst.Weight(
            "tropical" if arc_type == "standard" else arc_type,
            rng.choice([0.0, 0.0, 0.5, -1.25, rng.randint(-999, 999) / 64, float("inf")]),
        )

    for _ in range(rng.randint(0, 3 * n_states)):
        arc = fst.Arc(rng.randint(0, 4), rng.randint(0, 4), weight(), rng.randrange(n_states))
        machine.add_arc(rng.randrange(n_states), arc)
    if rng.random() < 0.95:
        machine.set_start(rng.randrange(n_states))
    for state in range(n_states):
        if rng.random() < 0.4:
            machine.set_final(state, weight())
    return machine


def graph_of(machine: Any) -> ag.Graph:
    """What such a machine is here, read through OpenFst's own interface."""
    n_states = sum(1 for _ in machine.states())
    arcs, accept, finals = [], [], []
    for state in range(n_states):
        for arc in machine.arcs(state):
            labels = (label or -1 for label in (arc.ilabel, arc.olabel))
            arcs.append((state, arc.nextstate, *labels, 0.0 - float(arc.weight)))
        final = float(machine.final(state))
        if final == 0.0:
            accept.append(state)
        elif final < np.inf:
            finals.append((state, 0.0 - final))
    for state, weight in finals:
        arcs.append((state, n_states, -1, -1, weight))
        accept.append(n_states)
        n_states += 1
    start = [machine.start()] if machine.start() >= 0 else []
    return ag.Graph.from_arcs(arcs, start, accept, n_states)


def check_read(seed: int, arc_type: str, folder: Path) -> None:
    fst = openfst()
    rng = random.Random(seed)
    machine = random_machine(rng, arc_type)
    path = folder / "theirs.fst"
    # OpenFst converts nothing to const that has no start: it looks for a state −1, and crashes now and then.
    kind = rng.choice(FST_TYPES) if machine.start() >= 0 else "vector"
    fst.convert(machine, kind).write(str(path))
    assert ag.equal(ag.load(path), graph_of(machine)), (seed, kind)


def check_written(seed: int, arc_type: str, folder: Path) -> None:
    fst = openfst()
    rng = random.Random(seed)
    graph = graph_of(random_machine(rng, arc_type))
    path = folder / "ours.fst"
    options = {"fst_type": rng.choice(FST_TYPES), "align": rng.random() < 0.5}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*no starts become")
        ag.save(path, graph, arc_type=arc_type, **options)
    machine = fst.Fst.read(str(path))
    assert machine.arc_type() == arc_type
    assert machine.fst_type() == options["fst_type"]
    if graph.start.size or not graph.n_states:
        assert ag.equal(graph_of(machine), graph), seed
    assert ag.equal(ag.load(path), graph_of(machine)), seed
    assert machine.verify()
    names = [f"{no}{name}" for name in ("EPSILONS", "I_EPSILONS", "O_EPSILONS") for no in ("", "NO_")]
    names += [f"{no}{name}" for name in ("ACCEPTOR", "I_LABEL_SORTED", "O_LABEL_SORTED") for no in ("", "NOT_")]
    for name in [*names, "WEIGHTED", "UNWEIGHTED"]:
        fact = getattr(fst.FstProperties, name)
        assert machine.properties(fact, False) == machine.properties(fact, True), (seed, name)


@pytest.mark.parametrize("arc_type", ARC_TYPES)
@for_seeds(40)
def test_what_openfst_writes_is_read(arc_type: str, tmp_path: Path, seed: int) -> None:
    check_read(seed, arc_type, tmp_path)


@pytest.mark.parametrize("arc_type", ARC_TYPES)
@for_seeds(40)
def test_openfst_reads_what_is_written(arc_type: str, tmp_path: Path, seed: int) -> None:
    check_written(seed, arc_type, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("arc_type", ARC_TYPES)
@for_seeds(500)
def test_both_ways_with_openfst(arc_type: str, tmp_path: Path, seed: int) -> None:
    check_read(1000 + seed, arc_type, tmp_path)
    check_written(1000 + seed, arc_type, tmp_path)


@pytest.mark.parametrize("arc_type", ARC_TYPES)
@for_seeds(20)
def test_the_bytes_are_those_of_openfst(arc_type: str, tmp_path: Path, seed: int) -> None:
    """But for properties, of which OpenFst knows others where it made the graph."""
    fst = openfst()
    rng = random.Random(seed)
    machine = random_machine(rng, arc_type)
    if machine.start() < 0:
        return
    for kind in FST_TYPES:
        fst.convert(machine, kind).write(str(tmp_path / "theirs.fst"))
        theirs = bytearray((tmp_path / "theirs.fst").read_bytes())
        ours = bytearray(write(graph_of(machine), arc_type=arc_type, fst_type=kind))
        at = 12 + len(kind) + len(arc_type) + 8
        padding = (len(ours) - 4, 24) if (kind, arc_type) == ("const", "log64") else (0, 1)
        n_arcs = sum(machine.num_arcs(state) for state in machine.states())
        for data in (theirs, ours):
            data[at : at + 8] = bytes(8)
            for k in range(n_arcs if padding[0] else 0):  # C leaves in it what was there
                data[padding[0] - 24 * k : padding[0] - 24 * k + 4] = bytes(4)
        assert ours == theirs


@given(graphs(low=1, tied=True))
def test_round_trip_log64(g: ag.Graph) -> None:
    check_round_trip(g, lambda h: write(h, arc_type="log64"), read)
    check_round_trip(g, lambda h: write(h, arc_type="log64", fst_type="const"), read)


@settings(max_examples=20)
@given(graphs(low=1, acyclic=True))
def test_round_trip_of_acyclic_graphs_log64(g: ag.Graph) -> None:
    check_round_trip(g, lambda h: write(h, arc_type="log64", align=True, fst_type="const"), read)


def test_weights_that_float32_does_not_hold() -> None:
    with pytest.warns(UserWarning, match=r"rounded to the float32 of arcs of type log \(arc_type='log64'"):
        data = write(ag.linear([1], weight=[0.1]), arc_type="log")
    assert read(data).weight.tolist() == [float(np.float32(0.1))]
    for weight in (1e300, -1e300, 3.5e38):
        with pytest.raises(InputError, match=r"weight\[0\] is .*too large for the float32(?s:.*)arc_type='log64'"):
            write(ag.linear([1], weight=[weight]))
        assert read(write(ag.linear([1], weight=[weight]), arc_type="log64")).weight.tolist() == [weight]


def test_what_is_written_differently_is_said() -> None:
    unsorted = ag.Graph.from_arcs([(1, 2, 5), (0, 1, 6), (1, 2, 4)], [0], [2])
    with pytest.warns(UserWarning, match="OpenFst's binary form cannot express.*ordered by their source states"):
        data = write(unsorted)
    assert ag.equal(read(data), ag.Graph.from_arcs([(0, 1, 6), (1, 2, 5), (1, 2, 4)], [0], [2]))
    with pytest.warns(UserWarning, match="2 starts become one"):
        write(ag.Graph([0], [1], [5], start=[0, 1], accept=[1]))
    with pytest.raises(InputError, match=r"ilabel\[0\]: label 0 cannot be written(?s:.*)shift=-1"):
        write(ag.linear([0]))
    assert read(write(ag.linear([0, 3]), shift=-1), shift=-1).ilabel.tolist() == [0, 3]
    assert ag.equal(read(write(GRAPH)), GRAPH)


def test_symbols_are_stored_and_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "x.fst"
    for fst_type in FST_TYPES:
        ag.save(path, GRAPH, isymbols=TABLE, osymbols=["a", "b"], fst_type=fst_type, align=True)
        assert ag.equal(ag.load(path), GRAPH)
        assert ag.load_symbols(path) == TABLE
        assert ag.load_symbols(path, "output") == ag.SymbolTable(["a", "b"])
        other = ag.SymbolTable({"<s>": 1, "x": 2, "z": 0})
        assert ag.load(path, isymbols=other).ilabel.tolist() == [1, 2, -1, -1]
        with pytest.raises(FormatError, match="input label 7: symbol 'x' is not in the table"):
            ag.load(path, isymbols=["<s>"])
    ag.save(path, GRAPH, osymbols=TABLE)
    assert ag.load_symbols(path, "output") == TABLE
    with pytest.raises(FormatError, match="no table of input symbols"):
        ag.load_symbols(path)
    with pytest.raises(FormatError, match="isymbols is given, but the file has no table"):
        ag.load(path, isymbols=TABLE)
    ag.save(path, ag.linear([0, 1]), shift=-1, isymbols=["a", "b"])
    assert ag.load_symbols(path, shift=-1) == ag.SymbolTable(["a", "b"])
    with pytest.raises(InputError, match="'a' has label 0, which becomes -3 with shift=3"):
        ag.save(path, ag.linear([4]), shift=3, isymbols=["a"])
    with pytest.raises(InputError, match="side is 'left'"):
        ag.load_symbols(path, "left")
    ag.save(tmp_path / "x.gtn", GRAPH)
    with pytest.raises(InputError, match=r"'gtn' hold no symbols(?s:.*)SymbolTable\.load"):
        ag.load_symbols(tmp_path / "x.gtn")


def test_openfst_and_symbols(tmp_path: Path) -> None:
    fst = openfst()
    path = tmp_path / "x.fst"
    ag.save(path, GRAPH, isymbols=TABLE, osymbols=TABLE)
    machine = fst.Fst.read(str(path))
    found = {machine.input_symbols().find(label): label for label in (5, 6, 7, 8)}
    assert ag.SymbolTable(found) == TABLE
    assert machine.output_symbols().find(0) == "<eps>"
    machine.set_input_symbols(None)
    machine.write(str(path))
    assert ag.load_symbols(path, "output") == TABLE
    assert ag.equal(ag.load(path), GRAPH)


def test_symbols_that_are_no_text_and_labels_that_are_none(tmp_path: Path) -> None:
    half = ag.SymbolTable({"\ud800": 5})
    for name in ("x.fst", "x.att"):
        with pytest.raises(InputError, match="half a surrogate pair"):
            ag.save(tmp_path / name, ag.linear([5]), isymbols=half)
    with pytest.raises(InputError, match="half a surrogate pair"):
        ag.save_all(tmp_path / "x.ark", {"a": ag.linear([5])}, isymbols=half)
    table = ag.SymbolTable({"a": 5})
    data = write(ag.linear([5]), isymbols=table)
    at = data.rindex(struct.pack("<ii", 5, 5))
    with pytest.raises(FormatError, match="the input label is -1"):
        read(data[:at] + struct.pack("<i", -1) + data[at + 4 :], isymbols=table)


@pytest.mark.parametrize(
    "option", [{"arc_type": "lattice4"}, {"fst_type": "compact"}, {"align": 1}, {"arc_type": None}]
)
def test_options_are_checked(option: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"{next(iter(option))} is .* but must be"):
        ag.save(tmp_path / "x.fst", GRAPH, **option)


def refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(data, "x.fst")
    assert caught.value.file == "x.fst"


def test_files_of_other_kinds() -> None:
    refused(b"", "at byte 0: the magic number of a graph takes 4 bytes, but 0 follow")
    refused(b"0 1 5 5\n1\n", "at byte 0: expected a graph in OpenFst's binary form(?s:.*)text form")
    data = write(GRAPH)
    refused(data + b"\0", f"at byte {len(data)}: the graph ends here, but 1 bytes follow")
    refused(data.replace(b"vector", b"editor"), "at byte 4: the graph is of the type 'editor'.*only vector and const")
    refused(data.replace(b"standard", b"lattice4"), "at byte 14: the arcs are of the type 'lattice4'")
    refused(data.replace(b"vector", b"vec\xff\xffr"), "not UTF-8")
    refused(data[:26] + struct.pack("<i", 9) + data[30:], "version 9")
    refused(data[:34] + struct.pack("<Q", 7) + data[42:], "result of an error")
    refused(data[:42] + struct.pack("<q", 3) + data[50:], "the start is 3, but there are 3 states")
    refused(data[:42] + struct.pack("<q", -2) + data[50:], "make no graph")


def test_sizes_that_lie() -> None:
    """Nothing of the size that is claimed is made before it is known that so many bytes follow."""
    for fst_type in FST_TYPES:
        data = write(GRAPH, fst_type=fst_type)
        at = 12 + len(fst_type) + len("standard") + 16
        for claim in (2**31 - 1, 2**62, -5):
            refused(data[: at + 8] + struct.pack("<q", claim) + data[at + 16 :], "make no graph|follow")
        for claim in (2**40, 2**62):
            changed = data[: at + 16] + struct.pack("<q", claim) + data[at + 24 :]
            refused(changed, "follow") if fst_type == "const" else read(changed)
    data = write(GRAPH)
    refused(data[:70] + struct.pack("<q", 2**61) + data[78:], f"state 0 has {2**61} arcs of 16 bytes")
    refused(data[:70] + struct.pack("<q", -1) + data[78:], "state 0 has -1 arcs")
    with_symbols = write(GRAPH, isymbols=TABLE)
    size = with_symbols.index(b"symbols") + 7 + 8
    for claim in (2**60, -1):
        refused(with_symbols[:size] + struct.pack("<q", claim) + with_symbols[size + 8 :], f"has {claim} entries")


def test_states_that_have_no_arcs_are_no_reason_for_gigabytes() -> None:
    with pytest.raises(InputError, match="2000000000 states"):
        write(ag.Graph([0], [1], [5], accept=[1], n_states=2_000_000_000))


def test_damaged_contents() -> None:
    data = write(GRAPH)  # a header of 66 bytes; state 0 has a head of 12 and two arcs of 16
    first = 66 + 12
    for at, form, value, message in [
        (first, "<i", -3, "state 0, arc 0: the input label is -3, but labels go from 0"),
        (first + 20, "<i", -1, "state 0, arc 1: the output label is -1"),
        (first + 8, "<f", np.nan, "state 0, arc 0: the cost is nan"),
        (first + 8, "<f", -np.inf, "state 0, arc 0: the cost is -inf"),
        (first + 12, "<i", 3, "state 0, arc 0: the destination is 3, but there are 3 states"),
        (first + 28, "<i", -1, "state 0, arc 1: the destination is -1"),
        (66, "<f", np.nan, "the final cost of state 0 is nan"),
    ]:
        refused(data[:at] + struct.pack(form, value) + data[at + 4 :], message)
    const = write(GRAPH, fst_type="const")
    refused(const[:69] + struct.pack("<I", 1) + const[73:], "the arcs of the states are not the 3 that follow")
    refused(const[:73] + struct.pack("<I", 2**32 - 1) + const[77:], "the arcs of the states are not the 3 that follow")
    large = write(ag.linear([1], weight=[-1e299]), arc_type="log64")
    refused(large.replace(struct.pack("<d", 1e299), struct.pack("<d", -1.5e300)), r"weight\[0\] is 1\.5e\+300")


def corrupted(rng: random.Random, data: bytes) -> bytes:
    """The bytes with a few flipped, a stretch replaced, cut out or doubled, or the end cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(changed) + 1)
        what = rng.randrange(5)
        if what == 0:
            del changed[at:]
        elif what == 1:
            del changed[at : at + rng.randint(1, 16)]
        elif what == 2:
            changed[at : at + 8] = rng.choice([b"\xff" * 8, b"\0" * 8, b"\x7f" * 8, rng.randbytes(8)])
        elif what == 3:
            changed[at:at] = changed[at : at + rng.randint(1, 32)]
        elif at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def check_corrupted(seed: int) -> None:
    rng = random.Random(seed)
    arc_type, fst_type = rng.choice(ARC_TYPES), rng.choice(FST_TYPES)
    tables = {"isymbols": TABLE} if rng.random() < 0.5 else {}
    data = write(GRAPH, arc_type=arc_type, fst_type=fst_type, align=rng.random() < 0.5, **tables)
    damaged = corrupted(rng, data)
    error = None
    try:
        write(read(damaged, "x.fst"), arc_type="log64")
    except FormatError as caught:
        error = caught
    assert error is None or "x.fst: at byte " in str(error)


@for_seeds(500)
def test_damaged_files_are_refused_or_graphs(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check_corrupted(seed)


@pytest.mark.slow
@for_seeds(10_000)
def test_many_damaged_files_are_refused_or_graphs(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check_corrupted(10_000 + seed)


@pytest.mark.slow
@pytest.mark.parametrize("fst_type", FST_TYPES)
def test_a_million_arcs_take_seconds(fst_type: str) -> None:
    topology = draw_topology(np.random.default_rng(0), 200_000, 1_000_000, np.arange(5), epsilon=0.0)
    order = np.argsort(topology.src, kind="stable")
    weight = np.arange(topology.n_arcs) / 64
    graph = ag.Graph(
        topology.src[order], topology.dst[order], topology.ilabel + 1, None, weight, accept=topology.accept
    )
    assert ag.equal(read(write(graph, arc_type="log64", fst_type=fst_type)), graph)
