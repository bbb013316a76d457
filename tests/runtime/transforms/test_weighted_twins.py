"""Compiled twins of the operators that depend on weights: the same graph and the same way back as in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import Transform
from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.compiler.operators import operator
from arcgrad.runtime.transforms import TWINS, useful

NAMES = ["rmeps", "determinize", "minimize", "push", "posterior", "prune"]
CASES = [
    *((name, parameters) for name in NAMES[:4] for parameters in ((), ("max",), ("min",))),
    ("push", ("end",)), ("push", ("end", "max")), ("posterior", ()), ("prune", (0,)), ("prune", (2.5,)),
]  # fmt: skip


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kernels are called for graphs of any size."""
    monkeypatch.setattr(useful, "SMALL", 0)
    monkeypatch.setattr(useful.patience, "seconds", -1.0)
    return


def draw(
    rng: np.random.Generator, *, n_states: int, n_arcs: int, cyclic: bool = False, epsilon: float = 0.1,
    minus_infinity: float = 0.05, scale: float = 1.0,
) -> tuple[Topology, np.ndarray]:  # fmt: skip
    src = rng.integers(0, n_states, n_arcs)
    dst = rng.integers(0, n_states, n_arcs) if cyclic else np.minimum(src + rng.integers(1, 4, n_arcs), n_states - 1)
    keep = src != dst
    src, dst = src[keep], dst[keep]
    if rng.random() < 0.5:
        src, dst = (rng.permutation(n_states)[ends] for ends in (src, dst)) if cyclic else (src, dst)
    n = len(src)
    ilabel = np.where(rng.random(n) < epsilon, -1, rng.integers(0, 3, n))
    olabel = ilabel if rng.random() < 0.5 else np.where(rng.random(n) < 0.5, ilabel, rng.integers(-1, 3, n))
    start = np.unique(rng.integers(0, n_states, rng.integers(0, 3)) // 3)
    accept = np.unique(n_states - 1 - rng.integers(0, n_states, rng.integers(0, 4)) // 2)
    topology = Topology.make(n_states, src, dst, ilabel, olabel, start, accept)
    weights = rng.normal(-2.0 - 3.0 * cyclic, 1.0, n) * scale
    weights[rng.random(n) < minus_infinity] = -np.inf
    if rng.random() < 0.2:
        weights = np.round(weights)
    return topology, weights


def outcome(transform: Transform, topology: Topology, weights: np.ndarray, parameters: tuple[Any, ...]) -> Any:
    """What it makes, or the message of the error."""
    try:
        return transform(topology, weights, parameters, DEFAULT_LIMITS)
    except ag.ArcgradError as error:
        return f"{type(error).__name__}: {error.message}"


def compare(name: str, parameters: tuple[Any, ...], topology: Topology, weights: np.ndarray) -> bool:
    transform = operator(name).transform
    assert transform is not None
    if "min" in parameters:
        weights = np.where(np.isinf(weights), 1.0, -weights)
    expected, found = (outcome(each, topology, weights, parameters) for each in (transform, TWINS[name].built))
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return False
    assert found.topology.fingerprint == expected.topology.fingerprint
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-10, atol=1e-10)
    best = {"max", "min"} & set(parameters)
    if not best or not np.array_equal(2.0 * weights, np.round(2.0 * weights)):  # ties have several gradients
        cotangent = np.random.default_rng(0).normal(size=len(found.weights))
        scale = max(1.0, float(np.abs(expected.pull_back(cotangent)).max(initial=0.0)))
        np.testing.assert_allclose(
            found.pull_back(cotangent), expected.pull_back(cotangent), rtol=1e-8, atol=1e-9 * scale
        )
    return found.topology.n_arcs > 0


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_twins_agree(name: str, parameters: tuple[Any, ...]) -> None:
    some = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(1, 14))
        topology, weights = draw(rng, n_states=size, n_arcs=3 * size, minus_infinity=0.05 * (seed % 2))
        some += compare(name, parameters, topology, weights)
    assert some >= 20


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
@for_seeds(12)
def test_twins_agree_about_cycles_and_extreme_weights(name: str, parameters: tuple[Any, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    cyclic = seed % 2 == 0
    topology, weights = draw(
        rng, n_states=6, n_arcs=12, cyclic=cyclic, epsilon=0.2, scale=1.0 if cyclic else float(rng.choice([1e2, 1e5]))
    )
    compare(name, parameters, topology, weights)


@pytest.mark.parametrize("parameters", [(), ("max",)], ids=str)
def test_twins_agree_about_deterministic_graphs_with_cycles(parameters: tuple[Any, ...]) -> None:
    smaller = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 9))
        arcs = [(s, int(rng.integers(0, n)), label) for s in range(n) for label in range(3) if rng.random() < 0.6]
        topology = Topology.from_arcs(n, arcs, [0], np.flatnonzero(rng.random(n) < 0.5))
        weights = rng.choice([-1.5, -2.0, -2.5], len(arcs)) if seed % 2 else rng.normal(-2.0, 0.5, len(arcs))
        compare("minimize", parameters, topology, weights)
        found = TWINS["minimize"].built(topology, weights, parameters, DEFAULT_LIMITS)
        smaller += 0 < found.topology.n_states < n
    assert smaller >= 10


@pytest.mark.parametrize("name", ["determinize", "minimize"])
def test_determinisation_in_many_small_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Space grows while subsets are followed: 2^8 of them from 17 arcs."""
    n = 8
    arcs = [(0, 0, 0), (0, 0, 1), (0, 1, 0)] + [(k, k + 1, x) for k in range(1, n) for x in (0, 1)]
    topology = Topology.from_arcs(n + 1, arcs, [0], [n])
    weights = np.full(len(arcs), -1.0)
    assert compare(name, ("max",), topology, weights)
    with pytest.raises(ag.LimitError, match=r"would have at least .* states"):
        TWINS[name].built(topology, weights, ("max",), Limits(states=80))
    with pytest.raises(ag.LimitError, match=r"would have at least .* arcs"):
        TWINS[name].built(topology, weights, ("max",), Limits(arcs=150))


def test_endless_determinisation_names_the_same_string() -> None:
    arcs = [(0, 1, 0), (0, 2, 0), (1, 1, 1), (2, 2, 1), (1, 3, 2), (2, 3, 3)]
    topology = Topology.from_arcs(4, arcs, [0], [3])
    assert not compare("determinize", (), topology, np.array([-0.5, -0.7, -1.0, -2.0, 0.0, 0.0]))


def test_epsilon_removal_obeys_limits() -> None:
    n = 60  # ε everywhere: each row has all that follow
    arcs = [(k, k + 1, -1) for k in range(n)] + [(k, n, 20 * k + x) for k in range(n) for x in range(20)]
    topology = Topology.from_arcs(n + 1, arcs, [0], [n])
    weights = np.full(len(arcs), -1.0)
    for transform in (TWINS["rmeps"].built, operator("rmeps").transform):
        assert transform is not None
        with pytest.raises(ag.LimitError, match="the graph without ε arcs would have"):
            transform(topology, weights, (), Limits(arcs=3000, bytes=100_000))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_twins_agree_on_large_graphs(name: str, parameters: tuple[Any, ...]) -> None:
    rng = np.random.default_rng(5)
    size = 3000
    topology, weights = draw(rng, n_states=size, n_arcs=int(2.2 * size), epsilon=0.03, minus_infinity=0.0)
    labels = rng.integers(0, 50, topology.n_arcs)
    labels = np.where(topology.ilabel < 0, -1, labels)
    topology = Topology.make(size, topology.src, topology.dst, labels, None, [0, 1], [size - 1, size - 2])
    compare(name, parameters, topology, weights)
