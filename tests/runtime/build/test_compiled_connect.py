"""The compiled ``connect`` against the one in numpy: the same states and arcs, and the same object if all are kept."""

from __future__ import annotations

import numpy as np
import pytest
from support.random_graphs import draw_topology

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.compiler.operators import Built, operator
from arcgrad.runtime.build.operators import connect as compiled
from arcgrad.runtime.build.operators.connect import build_connected, connected_by_kernel
from arcgrad.runtime.kernels.graphs import order as kernels


def connected_by_numpy(topology: Topology) -> Built:
    build = operator("connect").build
    assert build is not None
    return build([topology], (), DEFAULT_LIMITS)


def assert_same(topology: Topology) -> int:
    """Number of arcs dropped, once both agree."""
    found, expected = connected_by_kernel(topology), connected_by_numpy(topology)
    assert (found.topology is topology) == (expected.topology is topology)
    assert found.topology.fingerprint == expected.topology.fingerprint
    np.testing.assert_array_equal(found.selections[0], expected.selections[0])
    return topology.n_arcs - found.topology.n_arcs


def test_both_keep_the_same_of_random_graphs() -> None:
    rng = np.random.default_rng(3)
    graphs = [Topology.make(0, [], [], []), Topology.make(3, [], [], [], None, [0], [2])]
    for n in rng.integers(1, 12, 500).tolist():
        graphs.append(draw_topology(rng, n, int(rng.integers(0, 3 * n)), np.arange(3)))
    dropped = [assert_same(graph) for graph in graphs]
    assert np.count_nonzero(dropped) > 200
    assert np.count_nonzero(np.array(dropped) == 0) > 20


def test_a_long_chain_takes_one_walk() -> None:
    n = 300_000
    line = np.arange(n)
    chain = Topology.make(n, line[:-1], line[1:], line[1:], None, [0], [n - 10])
    assert connected_by_kernel(chain).topology.n_arcs == n - 10


def test_a_broken_kernel_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = kernels.trim_ints

    def broken(*arguments: np.ndarray) -> None:
        kernel(*arguments)
        arguments[4][:1] = 1

    monkeypatch.setattr(kernels, "trim_ints", broken)
    with pytest.raises(AssertionError):
        test_both_keep_the_same_of_random_graphs()


def test_numpy_connects_until_the_kernel_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kernel:
        is_ready = False
        calls = 0

        def __call__(self, *arguments: object) -> None:
            self.calls += 1

    kernel = Kernel()
    monkeypatch.setattr(kernels, "trim_ints", kernel)
    monkeypatch.setattr(compiled.patience, "spent", 0.0)
    line = Topology.from_arcs(2, [(0, 1, 0)], [0], [1])
    assert build_connected([line], (), DEFAULT_LIMITS).topology is line
    assert not kernel.calls
    monkeypatch.setattr(compiled.patience, "spent", 1e9)
    build_connected([line], (), DEFAULT_LIMITS)
    assert kernel.calls == 1
