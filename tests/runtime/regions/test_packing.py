"""What packers choose and keep: shapes, formats, sizes, limits."""

from __future__ import annotations

import numpy as np
import pytest

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.grammar.errors import LimitError
from arcgrad.runtime.kernels.header import ENTRIES, ENTRY_POINTERS, HEADER
from arcgrad.runtime.kernels.trellis.trellis_format import ARC_BY_ARC, DIAGONALS, INNER_LOOP, MATRIX
from arcgrad.runtime.regions import pack_frames, pack_graph, pack_trellis
from arcgrad.runtime.regions.elimination import eliminate

OFFSETS = np.zeros(1, dtype=np.int64)


def test_only_what_lies_on_accepting_paths_is_packed() -> None:
    graph = Topology.from_arcs(5, [(0, 1, 0), (1, 2, 0), (1, 3, 0), (4, 2, 0), (3, 3, 0)], [0], [2])
    region = pack_graph(graph, Selection.identity(0, 5), OFFSETS, "log")
    assert (region.kind, region.n_states, region.n_arcs) == ("lattice", 3, 2)
    assert region.nbytes == 4 * len(region.ints)
    assert not region.ints.flags.writeable


def test_a_cycle_on_a_path_makes_a_region_cyclic() -> None:
    graph = Topology.from_arcs(2, [(0, 1, 0), (1, 1, 0)], [0], [1])
    for semiring in ("log", "max", "min", "count"):
        assert pack_graph(graph, Selection.identity(0, 2), OFFSETS, semiring).kind == "cyclic"


def test_graphs_without_a_path_pack_to_nothing() -> None:
    for graph in (Topology.make(0, [], [], []), Topology.from_arcs(2, [(0, 1, 0)], [0], [])):
        for semiring in ("log", "max", "min", "count"):
            selection = Selection.identity(0, graph.n_arcs)
            region = pack_graph(graph, selection, OFFSETS, semiring)
            assert (region.kind, region.n_states, region.n_arcs) == ("lattice", 0, 0)
            trellis = pack_trellis(graph, selection, OFFSETS, "input", 3, semiring)
            assert trellis is not None
            assert trellis.n_states == 0


def test_entries_count_from_their_leaf() -> None:
    graph = Topology.from_arcs(3, [(0, 1, 0), (1, 2, 0)], [0], [2])
    selection = Selection(np.array([0, 1, 3]), np.array([0, 1, 1], np.int32), np.array([4, 0, 2], np.int32))
    ints = pack_graph(graph, selection, np.array([0, 10], dtype=np.int64), "log").ints
    pointers, entries = ints[ENTRY_POINTERS], ints[ENTRIES]
    assert ints[pointers : pointers + 3].tolist() == [0, 1, 3]
    assert ints[entries : entries + 3].tolist() == [4, 10, 12]


def test_entries_beyond_32_bits_are_refused() -> None:
    graph = Topology.from_arcs(2, [(0, 1, 0)], [0], [1])
    with pytest.raises(LimitError, match="32-bit"):
        pack_graph(graph, Selection.identity(0, 1), np.array([2**31], dtype=np.int64), "log")


def test_a_chain_of_cycles_fills_in_no_more_than_linearly() -> None:
    n = 3000
    src = np.concatenate([np.arange(n), np.arange(0, n - 10, 10) + 10])
    dst = np.concatenate([(np.arange(n) + 1) % n, np.arange(0, n - 10, 10)])
    found = eliminate(np.array([0, n], dtype=np.int32), src.astype(np.int32), dst.astype(np.int32), DEFAULT_LIMITS)
    assert sorted(found.order) == list(range(n))
    assert found.dense == [n]
    assert len(found.rows) < 4 * n


def test_labels_without_a_column_are_dropped_on_the_side_that_meets_the_frames() -> None:
    graph = Topology.from_arcs(3, [(0, 1, 0, 9), (1, 2, 1, 0), (0, 2, 9, 1)], [0], [1, 2])
    for side, n_arcs in (("input", 2), ("output", 1)):
        region = pack_trellis(graph, Selection.identity(0, 3), OFFSETS, side, 2, "log")
        assert region is not None
        assert region.n_arcs == n_arcs


def inner_loop(graph: Topology) -> int:
    """The format of a graph's inner loop: arc by arc, diagonals or a full matrix."""
    region = pack_trellis(graph, Selection.none(graph.n_arcs), OFFSETS, "input", 100, "log")
    assert region is not None
    return int(region.ints[INNER_LOOP])


@pytest.mark.parametrize("n_labels", [5, 8, 40, 63, 64])
def test_ctc_takes_diagonals(n_labels: int) -> None:
    symbols = [0]
    for label in range(1, n_labels + 1):
        symbols += [label, 0]
    n = len(symbols)
    arcs = [(max(s - k, 0), s, symbols[s]) for s in range(n) for k in range(3) if s >= k and (k < 2 or symbols[s])]
    assert inner_loop(Topology.from_arcs(n, arcs, [0], [n - 1])) == DIAGONALS


def test_tags_take_a_matrix_and_other_graphs_their_arcs() -> None:
    tags = [(a, b, b) for b in range(9) for a in range(9)]
    assert inner_loop(Topology.from_arcs(9, tags, [0], [8])) == MATRIX
    assert inner_loop(Topology.from_arcs(9, tags[1:], [0], [8])) != MATRIX
    two_labels = [(0, 1, 0), (0, 1, 1), (1, 1, 0)]
    assert inner_loop(Topology.from_arcs(2, two_labels, [0], [1])) == ARC_BY_ARC


def test_workspace_grows_with_frames() -> None:
    graph = Topology.from_arcs(2, [(0, 1, 0), (1, 1, 1)], [0], [1])
    for semiring in ("log", "max", "min"):
        region = pack_trellis(graph, Selection.identity(0, 2), OFFSETS, "input", 2, semiring)
        assert region is not None
        assert sum(region.work(10)) > sum(region.work(0)) > 0
    assert len(pack_frames("log").ints) == HEADER
    assert pack_frames("max").work(7) == (0, 8)
