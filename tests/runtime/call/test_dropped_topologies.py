"""A prepared call belongs to topologies that live: one that is made later, at the same address, is another one."""

from __future__ import annotations

import copy
import math
import pickle
import sys
import threading
from collections.abc import Iterator

import pytest

import arcgrad as ag


def chain(n: int) -> ag.Graph:
    return ag.linear([1] * n, weight=[1.0] * n)


def parallel(n: int) -> ag.Graph:
    return ag.Graph([0] * n, [1] * n, [1] * n, weight=[1.0] * n, start=[0], accept=[1])


@pytest.mark.parametrize("others", [0, 1, 80])  # 80: the cache has forgotten the call, but not its shortcut
def test_a_topology_at_the_address_of_another_is_not_taken_for_it(others: int) -> None:
    equation = ag.compile("LSE[A] + 0.125", mode="kernels")
    for _ in range(100):
        first = chain(3)
        for _ in range(3):
            assert equation(A=first) == pytest.approx(3.125)
        kept = [chain(n % 7 + 4) for n in range(others)]
        for other in kept:
            assert equation(A=other) == pytest.approx(other.n_arcs + 0.125)
        address = id(first.topology)
        del first
        made = [parallel(3)]
        while id(made[-1].topology) != address and len(made) < 30:  # until the memory is used again
            made.append(parallel(3))
        assert equation(A=made[-1]) == pytest.approx(math.log(3) + 1.125)
        if id(made[-1].topology) == address:
            return
        del kept, made
    pytest.skip("no address was used again")


def test_copies_and_pickles_are_topologies_of_their_own() -> None:
    topology = chain(3).topology
    assert copy.deepcopy(topology).token is not topology.token
    assert pickle.loads(pickle.dumps(topology)).token is not topology.token


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads change at every instruction, almost."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_threads_that_drop_their_graphs_have_their_own_values() -> None:
    equation = ag.compile("LSE[A] - MAX[A] + 0.125", mode="kernels")
    assert equation(A=ag.linear([1])) == 0.125
    wrong: list[object] = []

    def work(k: int) -> None:
        try:
            values = [equation(A=ag.linear([1] * ((n + k) % 5 + 1))) for n in range(150)]
            wrong.extend(value for value in values if value != 0.125)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
