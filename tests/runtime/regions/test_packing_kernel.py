"""The compiled packer of trellises against the one in numpy: number for number the same, or left to numpy."""

from __future__ import annotations

import numpy as np
import pytest
from support.ctc_graphs import alignment_graph as ctc

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.grammar.errors import LimitError
from arcgrad.runtime.buffers import Kept
from arcgrad.runtime.build.built_graph import SymbolicGraph
from arcgrad.runtime.call import pack as packing
from arcgrad.runtime.call.pack import pack_by_kernel, pack_trellis
from arcgrad.runtime.kernels.trellis.trellis_format import ARC_BY_ARC, DIAGONALS, INNER_LOOP, MATRIX
from arcgrad.runtime.regions import pack_trellis as pack_by_numpy
from arcgrad.runtime.regions.store import RegionStore

SEMIRINGS = ("log", "max", "min", "count")


def random_topology(rng: np.random.Generator) -> Topology:
    """Any graph: parts off accepting paths, parallel arcs, loops, ε arcs, labels without a column."""
    n = int(rng.integers(1, 9))
    m = int(rng.integers(0, 20))
    src, dst = rng.integers(0, n, (2, m))
    if rng.random() < 0.5:  # mostly forward, so that the search is not always for nothing
        src, dst = np.minimum(src, dst), np.maximum(src, dst)
    labels = rng.integers(-1 if rng.random() < 0.6 else 0, 6, m)
    outputs = rng.integers(-1, 6, m)
    start = np.flatnonzero(rng.random(n) < 0.4)
    accept = np.flatnonzero(rng.random(n) < 0.4)
    if rng.random() < 0.3:  # any numbering
        shuffled = rng.permutation(n)
        src, dst, start, accept = shuffled[src], shuffled[dst], np.sort(shuffled[start]), np.sort(shuffled[accept])
    return Topology.make(n, src, dst, labels, outputs, start, accept)


def random_selection(rng: np.random.Generator, n_arcs: int) -> Selection:
    kind = int(rng.integers(3))
    if kind == 0:
        return Selection.identity(1, n_arcs)
    lengths = rng.integers(0, 3, n_arcs)
    if kind == 1:
        lengths[:] = 1
    n = int(lengths.sum())
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Selection(offsets, rng.integers(0, 2, n).astype(np.int32), rng.integers(0, 9, n).astype(np.int32))


def same(topology: Topology, selection: Selection, offsets: np.ndarray, side: str, n_columns: int) -> bool:
    """Whether the kernel packs the graph, once its numbers are those of numpy."""
    for semiring in SEMIRINGS:
        expected = pack_by_numpy(topology, selection, offsets, side, n_columns, semiring)
        found = pack_by_kernel(SymbolicGraph(topology, selection), offsets, side, n_columns, semiring, RegionStore(1))
        if expected is None or found is None:
            assert expected is found
            return False
        np.testing.assert_array_equal(found.ints, expected.ints)
        assert not found.ints.flags.writeable
        assert found.ints.dtype == np.int32
        for n_frames in (0, 7):
            assert found.work(n_frames) == expected.work(n_frames)
        assert (found.kind, found.semiring, found.n_states, found.n_arcs) == (
            expected.kind, expected.semiring, expected.n_states, expected.n_arcs,
        )  # fmt: skip
    return True


@pytest.mark.slow
def test_both_packers_agree_on_random_graphs() -> None:
    rng = np.random.default_rng(5)
    packed = 0
    for _ in range(1500):
        graph = random_topology(rng)
        selection = random_selection(rng, graph.n_arcs)
        offsets = rng.integers(0, 50, 2).astype(np.int64)
        side = ("input", "output")[int(rng.integers(2))]
        n_columns = int(rng.integers(0, 7))
        packed += same(graph, selection, offsets, side, n_columns)
    assert packed > 800


def banded(rng: np.random.Generator) -> Topology:
    """States entered with one label each, few or many of them with the same, from states at few distances."""
    n = int(rng.integers(1, 60))
    labels = np.where(rng.random(n) < rng.choice([0.0, 0.3, 0.7]), rng.integers(0, 3), rng.integers(0, 9, n))
    steps = rng.integers(-n + 1, n, int(rng.integers(1, 6))) if rng.random() < 0.5 else rng.integers(-2, 3, 3)
    dst = np.tile(np.arange(n), len(steps))
    src = dst - np.repeat(steps, n)
    keep = (src >= 0) & (src < n) & (rng.random(len(src)) < rng.choice([0.4, 0.9, 1.0]))
    src, dst = src[keep], dst[keep]
    if len(src) and rng.random() < 0.3:  # parallel arcs and leftover ones
        more = rng.integers(0, len(src), 3)
        src, dst = (
            np.append(src, [*src[more], *rng.integers(0, n, 2)]),
            np.append(dst, [*dst[more], *rng.integers(0, n, 2)]),
        )
    order = rng.permutation(len(src))
    src, dst = src[order], dst[order]
    start, accept = np.flatnonzero(rng.random(n) < 0.5), np.flatnonzero(rng.random(n) < 0.5)
    return Topology.make(n, src, dst, labels[dst], None, start, accept)


def matrix(rng: np.random.Generator) -> Topology:
    """Neighbouring states entered from neighbouring states, all of them or nearly."""
    n, first, source = int(rng.integers(8, 30)), int(rng.integers(0, 5)), int(rng.integers(0, 5))
    width = int(rng.integers(6, n + 1))
    dst, src = np.divmod(np.arange(n * width), width)
    labels = rng.integers(0, 9, n)[dst]
    if rng.random() < 0.3:
        dst, src, labels = dst[1:], src[1:], labels[1:]
    n_states = max(n + first, width + source)
    return Topology.make(n_states, src + source, dst + first, labels, None, np.arange(n_states), np.arange(n_states))


@pytest.mark.slow
def test_both_packers_agree_on_diagonals_and_matrices() -> None:
    rng = np.random.default_rng(7)
    formats = []
    for number in range(1500):
        graph = banded(rng) if number % 5 else matrix(rng)
        selection = random_selection(rng, graph.n_arcs)
        offsets = rng.integers(0, 50, 2).astype(np.int64)
        assert same(graph, selection, offsets, "input", int(rng.integers(5, 10)))
        region = pack_by_kernel(SymbolicGraph(graph, selection), offsets, "input", 9, "log", RegionStore(1))
        assert region is not None
        formats.append(int(region.ints[INNER_LOOP]))
    assert min(formats.count(k) for k in (ARC_BY_ARC, DIAGONALS, MATRIX)) > 100


def test_both_packers_agree_on_alignment_graphs() -> None:
    rng = np.random.default_rng(6)
    for length in (1, 2, 5, 50):
        graph = ctc(rng.integers(1, 9, length).tolist())
        assert same(graph, Selection.identity(0, graph.n_arcs), np.array([3], dtype=np.int64), "input", 9)
        region = pack_by_kernel(SymbolicGraph(graph, leaf=0), np.zeros(1, np.int64), "input", 9, "log", RegionStore(1))
        assert region is not None
        assert region.ints[INNER_LOOP] == (DIAGONALS if length > 1 else ARC_BY_ARC)  # of four arcs and more


def test_graphs_without_states_or_arcs() -> None:
    offsets = np.zeros(1, dtype=np.int64)
    for graph in (Topology.make(0, [], [], []), Topology.make(2, [], [], [], None, [0], [0, 1])):
        for n_columns in (0, 3):
            assert same(graph, Selection.identity(0, 0), offsets, "input", n_columns)


def test_leaves_and_what_is_made_of_two_need_no_selection_spelled_out() -> None:
    rng = np.random.default_rng(8)
    offsets = np.array([5, 100, 2000], dtype=np.int64)
    for number in range(400):
        topology = random_topology(rng) if number % 2 else banded(rng)
        graphs = [SymbolicGraph(topology, leaf=2)]
        for least in (-1, 0):  # 0: both have an arc for each of the graph's
            taken = [rng.integers(least, 30, topology.n_arcs).astype(np.int32) for _ in range(2)]
            graphs.append(SymbolicGraph(topology, taken=((2, taken[0]), (0, taken[1]))))
        one_each = np.where(rng.random(topology.n_arcs) < 0.5, -1, 7).astype(np.int32)
        graphs.append(
            SymbolicGraph(topology, taken=((1, one_each), (0, np.where(one_each < 0, 3, -1).astype(np.int32))))
        )
        for graph in graphs:
            assert not len(graph.entries().pointers)
            spelled_out = SymbolicGraph(topology, graph.make_selection())
            found = [pack_by_kernel(each, offsets, "input", 5, "log", RegionStore(1)) for each in (graph, spelled_out)]
            expected = pack_by_numpy(topology, graph.make_selection(), offsets, "input", 5, "log")
            if expected is None:
                assert found == [None, None]
                continue
            for each in found:
                assert each is not None
                np.testing.assert_array_equal(each.ints, expected.ints)


def test_states_numbered_against_the_paths() -> None:
    """The kernel first sweeps over the arcs in their order, which finds little here."""
    for order in (1, -1):
        n = 40
        hops = np.arange(n)[::order]
        graph = Topology.make(n + 1, hops + 1, hops, np.zeros(n), None, [n], [0])
        assert same(graph, Selection.identity(0, n), np.zeros(1, dtype=np.int64), "input", 1)


def test_one_thread_keeps_its_workspace_and_no_two_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_kept", Kept())
    packing._kept.keep(np.empty(10, dtype=np.int32))
    first, second = packing._take_room(4), packing._take_room(4)
    assert len(first) == 10
    assert not np.shares_memory(first, second)
    graph = SymbolicGraph(ctc([1, 2, 3]), leaf=0)
    one = pack_by_kernel(graph, np.zeros(1, dtype=np.int64), "input", 9, "log", RegionStore(1))
    room = packing._kept.take()
    assert room is not None
    packing._kept.keep(room)
    other = pack_by_kernel(graph, np.zeros(1, dtype=np.int64), "input", 9, "log", RegionStore(1))
    assert packing._kept.take() is room
    assert one is not None
    assert other is not None
    assert not np.shares_memory(one.ints, room)
    np.testing.assert_array_equal(one.ints, other.ints)
    monkeypatch.setattr(packing, "_MOST_KEPT", 1)
    pack_by_kernel(graph, np.zeros(1, dtype=np.int64), "input", 9, "log", RegionStore(1))
    assert packing._kept.take() is None


def test_what_the_kernel_cannot_do_is_left_to_numpy() -> None:
    here, store = np.zeros(1, dtype=np.int64), RegionStore(1)
    loop = SymbolicGraph(Topology.from_arcs(2, [(0, 0, -1), (0, 1, 0)], [0], [1]), leaf=0)
    assert pack_trellis(loop, here, "input", 1, "log", store) is None
    topology = Topology.from_arcs(2, [(0, 1, 0)], [0], [1])
    arc = np.zeros(1, dtype=np.int32)
    for graph in (
        SymbolicGraph(topology, leaf=0),
        SymbolicGraph(topology, taken=((0, arc), (0, arc))),
        SymbolicGraph(topology, Selection.identity(0, 1)),
    ):
        far = np.array([2**31], dtype=np.int64)
        assert pack_by_kernel(graph, far - 1, "input", 1, "log", store) is not None
        assert pack_by_kernel(graph, far, "input", 1, "log", store) is None
        with pytest.raises(LimitError, match="32-bit"):
            pack_trellis(graph, far, "input", 1, "log", store)
        wide = packing._MOST_COLUMNS + 1
        assert pack_by_kernel(graph, here, "input", wide, "log", store) is None
        region = pack_trellis(graph, here, "input", wide, "log", store)
        assert region is not None
        assert region.n_arcs == 1


def test_numpy_packs_until_the_kernel_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kernel:
        is_ready = False
        calls = 0

        def __call__(self, *arguments: object) -> int:
            self.calls += 1
            return -1

    kernel = Kernel()
    monkeypatch.setattr(packing, "pack_trellis_ints", kernel)
    monkeypatch.setattr(packing.patience, "spent", 0.0)
    graph = SymbolicGraph(Topology.from_arcs(2, [(0, 1, 0)], [0], [1]), leaf=0)
    arguments = (graph, np.zeros(1, dtype=np.int64), "input", 1, "log", RegionStore(1))
    assert pack_trellis(*arguments) is not None
    assert not kernel.calls
    assert packing.patience.spent > 0.0
    monkeypatch.setattr(packing.patience, "spent", packing.patience.seconds + 1.0)
    assert pack_trellis(*arguments) is not None  # numpy's, since this kernel declines
    assert kernel.calls == 1
