"""Workspaces that a thread keeps from one slice to the next."""

from __future__ import annotations

import threading

import numpy as np

import arcgrad as ag
from arcgrad.runtime.call import execute as executor


def test_a_workspace_is_handed_out_once() -> None:
    executor._kept.keep(np.empty(10))
    first = executor._take_workspace(4)
    second = executor._take_workspace(4)  # by whoever runs within the first one's call
    assert len(first) == 10
    assert not np.shares_memory(first, second)


def test_too_small_a_workspace_is_replaced() -> None:
    executor._kept.keep(np.empty(3))
    assert len(executor._take_workspace(4)) >= 4


def test_a_workspace_begins_where_a_line_of_the_cache_does() -> None:
    for size in (1, 7, 8, 100):
        executor._kept.take()
        found = executor._take_workspace(size)
        assert len(found) >= size
        assert found.ctypes.data % 64 == 0


def test_threads_share_no_workspace() -> None:
    mine = np.empty(10)
    executor._kept.keep(mine)
    found: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: found.append(executor._take_workspace(4)))
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, found[0])


def test_clearing_caches_gives_workspaces_back() -> None:
    mine = np.empty(10)
    executor._kept.keep(mine)
    ag.cache.clear(disk=False)
    assert not np.shares_memory(mine, executor._take_workspace(4))
