"""The array that holds a call's packed regions."""

from __future__ import annotations

import numpy as np

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.runtime.regions.graph import pack_graph
from arcgrad.runtime.regions.region import Region
from arcgrad.runtime.regions.store import RegionStore


def region(n_arcs: int) -> Region:
    line = Topology.make(n_arcs + 1, range(n_arcs), range(1, n_arcs + 1), range(n_arcs), None, [0], [n_arcs])
    return pack_graph(line, Selection.identity(0, n_arcs), np.zeros(1, dtype=np.int64), "log")


def packed_in(store: RegionStore, like: Region) -> Region:
    """A region as the kernel makes it: written into the store's room, and a part of it."""
    size = len(like.ints)
    room = store.room(size + 20)
    assert len(room) >= size + 20
    room[:size] = like.ints
    room[size : size + 20] = -7  # what it may write beyond
    made = Region(like.kind, like.semiring, room[:size], like.n_states, like.n_arcs, like.fixed_work)
    store.add(made)
    return made


def test_regions_stand_one_behind_the_other_each_once() -> None:
    for n_items in (0, 1, 5, 100):  # the first array is too small, or has room for all
        store = RegionStore(n_items)
        given = [region(n) for n in (3, 1, 40, 7, 200)]
        kept = [packed_in(store, each) if n % 2 else each for n, each in enumerate(given)]
        begins = [store.place(each) for each in kept]
        assert begins == [store.place(each) for each in kept]
        assert len(store.ints) == sum(len(each.ints) for each in given)
        for each, begin in zip(given, begins, strict=True):
            np.testing.assert_array_equal(store.ints[begin : begin + len(each.ints)], each.ints)
        for each, made in zip(given, kept, strict=True):  # whatever has become of the array since
            np.testing.assert_array_equal(made.ints, each.ints)


def test_a_region_packed_in_the_store_is_not_copied() -> None:
    store = RegionStore(3)
    made = packed_in(store, region(5))
    assert store.place(made) == 0
    assert np.shares_memory(made.ints, store.ints)
    assert store.ints.flags.writeable  # as routines take it


def test_an_empty_store() -> None:
    assert RegionStore(4).ints.shape == (0,)
