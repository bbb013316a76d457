"""What JAX's own threads run without the interpreter: the handler against the equation, and who holds the lock."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

jax = pytest.importorskip("jax")
foreign = pytest.importorskip("arcgrad.jax.foreign")

LOSS = "s * LSE[X] - LSE[X ∘ A]"


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """With 64 bits, where this jaxlib takes the handler."""
    if not foreign.is_registered():
        pytest.skip("this version of XLA, or this system, is not one whose calls the handler reads")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def random(*shape: int, seed: int = 0, dtype: Any = np.float64) -> Any:
    return np.random.default_rng(seed + 100 * sum(shape)).normal(size=shape).astype(dtype)


def single(*shape: int) -> Any:
    return random(*shape, dtype=np.float32)


CHOICE = ag.Graph([0, 0, 0], [1, 1, 1], [0, 1, 2], weight=[0.1, 0.2], tie=[0, 1, 0], accept=[1])
TIED = ag.Graph([0, 0, 0, 1, 1], [0, 1, 1, 1, 1], [0, 1, 2, 1, 0], weight=[0.1, 0.2], tie=[0, 1, 0, 1, 0], accept=[1])
CASES: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "batch": (
        LOSS,
        {
            "X": (single(3, 5, 4), np.array([5, 0, 3], np.int32)),
            "A": (ag.graphs.alignments([[1, 2], [], [3]]), random(3, 20)),
            "s": random(3),
        },
        ("X", "A", "s"),
    ),
    "one item": (LOSS, {"X": single(5, 4), "A": (TIED, random(2)), "s": random(dtype=np.float32)}, ("A", "s")),
    "shared": (LOSS, {"X": (single(5, 4), 4), "A": [TIED, ag.linear([1, 2])], "s": 2.0}, ("X",)),
    "no path": (LOSS, {"X": single(1, 4), "A": ag.linear([1, 2]), "s": 2.0}, ("X",)),
    "no dense input": ("LSE[A]", {"A": ([CHOICE, ag.linear([1])], random(2, 3))}, ("A",)),
}


@pytest.mark.parametrize("case", [*CASES, pytest.param("double", marks=pytest.mark.slow)])
def test_the_handler_gives_every_bit_that_python_gives(case: str) -> None:
    text, given, wrt = CASES["batch" if case == "double" else case]
    if case == "double":
        given = given | {"X": (given["X"][0].astype(np.float64), given["X"][1])}
    function = ag.jax.compile(text, mode="fused")
    graph, weights = given["A"] if isinstance(given["A"], tuple) else (given["A"], None)
    scores, lengths = given["X"] if isinstance(given.get("X"), tuple) else (given.get("X"), None)
    parts = {"X": scores, "A": weights, "s": given.get("s")}

    @jax.jit
    def step(handles: Any, learned: Any) -> Any:
        def value(learned: Any) -> Any:
            now = parts | learned
            inputs = {"A": handles if now["A"] is None else (handles, now["A"])}
            if now["s"] is not None:
                inputs["s"] = now["s"]
            if scores is not None:
                inputs["X"] = now["X"] if lengths is None else (now["X"], lengths)
            found = function(inputs)
            return found.sum(), found

        return jax.value_and_grad(value, has_aux=True)(learned)

    results = []
    counts = [foreign.target().counts]
    for _ in range(4):
        results.append(jax.block_until_ready(step(ag.jax.graphs(graph), {name: parts[name] for name in wrt})))
        counts.append(foreign.target().counts)
    assert [after[0] - before[0] for before, after in pairwise(counts)] == [0, 0, 1, 1]  # by compiled code
    assert [after[1] - before[1] for before, after in pairwise(counts)] == [1, 1, 0, 0]  # by Python
    for other in results[1:]:
        jax.tree.map(np.testing.assert_array_equal, results[0], other)


def learned(*, mode: str = "fused") -> tuple[Any, Any, Any]:
    """A function of scores (5, 4) and s with all its gradients, such scores, and a graph that the handler knows."""
    function = ag.jax.compile(LOSS, mode=mode)  # type: ignore[arg-type]
    graph = ag.jax.graphs(TIED)

    @jax.jit
    def step(x: Any, s: Any) -> Any:
        return jax.value_and_grad(lambda x, s: function(X=x, A=graph, s=s), argnums=(0, 1))(x, s)

    for _ in range(3):
        jax.block_until_ready(step(single(5, 4), 1.0))
    return step, single(5, 4), graph


def test_what_is_unusual_is_left_to_python() -> None:
    step, x, _ = learned()
    bad = x.copy()
    bad[4, 3] = np.nan
    for _ in range(2):
        with pytest.raises(ValueError, match=r"InputError: input X\[4, 3\] is nan"):
            jax.block_until_ready(step(bad, 1.0))
        with pytest.raises((jax.errors.JaxRuntimeError, ValueError), match=r"UndefinedError: 0\.0 × "):
            jax.block_until_ready(step(np.full((5, 4), -np.inf, np.float32), 0.0))
    before = foreign.target().counts
    value, _ = step(x, 1.0)
    assert foreign.target().counts == (before[0] + 1, before[1])
    assert value == ag.compile(LOSS, mode="fused")(X=x, A=TIED, s=1.0)


def test_runs_while_another_thread_holds_the_interpreters_lock() -> None:
    """Nobody runs Python meanwhile, so that what is counted there, compiled code has done."""
    step, x, _ = learned()
    many = jax.jit(lambda x: jax.lax.fori_loop(0, 50_000, lambda _, s: s + 1e-9 * step(x, s)[0], 1.0))
    compiled = many.lower(x).compile()
    before = foreign.target().counts
    thread = threading.Thread(target=lambda: compiled(x).block_until_ready())
    interval = sys.getswitchinterval()
    thread.start()
    while foreign.target().counts == before:
        assert thread.is_alive()
    sys.setswitchinterval(1e3)  # only who waits for something gives the lock away
    try:
        before = foreign.target().counts
        ctypes.PyDLL(None).usleep(50_000)  # with the lock, which functions of a PyDLL keep
        after = foreign.target().counts
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    assert after[0] - before[0] > 100
    assert after[1] == before[1]


def test_records_come_and_go_while_programs_run() -> None:
    """`ag.cache.clear()` and new graphs take records out under the feet of other threads."""
    step, x, _ = learned()
    expected = step(x, 1.0)
    many = jax.jit(lambda x: jax.lax.fori_loop(0, 3_000, lambda _, s: s + 0.0 * step(x, 1.0)[0], 0.5))
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(many(x).item())) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        foreign.target().clear()
    for thread in threads:
        thread.join()
    assert found == [0.5, 0.5]
    assert len(foreign.target()._old) < 100
    jax.tree.map(np.testing.assert_array_equal, step(x, 1.0), expected)


def test_the_table_drops_what_was_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    step, x, _ = learned()
    known = foreign.target()
    known.clear()
    monkeypatch.setattr("arcgrad.runtime.jit.foreign.target._MOST", 8)
    function = ag.jax.compile("s * LSE[X] - LSE[X ∘ A]", mode="fused")
    run = jax.jit(lambda x, handles: function(X=x, A=handles, s=1.0))
    graphs = [ag.linear([k % 3]) for k in range(20)]
    for graph in graphs:
        for _ in range(3):
            assert run(x, ag.jax.graphs(graph)) == np.inf
            jax.block_until_ready(step(x, 1.0))
        assert len(known) <= 8
    before = known.counts
    jax.block_until_ready(step(x, 1.0))
    run(x, ag.jax.graphs(graphs[-1])).block_until_ready()
    assert known.counts == (before[0] + 2, before[1])
    run(x, ag.jax.graphs(graphs[0])).block_until_ready()
    assert known.counts == (before[0] + 2, before[1] + 1)


def test_without_the_handler_callbacks_do_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "_version", lambda: (0, 99))
    assert foreign._register() is None
    monkeypatch.setattr(foreign._foreign, "target", None)
    monkeypatch.setattr(foreign._foreign, "_is_tried", True)
    step, x, _ = learned()
    assert "pure_callback" in str(jax.make_jaxpr(step)(x, 1.0))
    expected, gradients = ag.compile(LOSS, mode="fused").value_and_grad(X=x, A=TIED, s=1.0)
    found, found_gradients = step(x, 1.0)
    assert found == expected
    np.testing.assert_array_equal(found_gradients[0], gradients["X"])


def test_batches_of_batches() -> None:
    """What vmap adds are more items, which share what they did before."""
    function = ag.jax.compile(LOSS, mode="fused")
    x, s = single(2, 3, 5, 4), random(2)
    graphs = [TIED, ag.linear([1]), ag.linear([])]
    run = jax.jit(jax.vmap(jax.grad(lambda s, x: function(X=x, A=graphs, s=s).sum()), in_axes=(0, 0)))
    for _ in range(2):
        run(s, x)
    before = foreign.target().counts
    found = run(s, x)
    assert foreign.target().counts == (before[0] + 1, before[1])
    for k in range(2):
        _, expected = ag.compile(LOSS, mode="fused").value_and_grad(X=x[k], A=graphs, s=s[k], wrt="s")
        np.testing.assert_allclose(found[k], expected["s"], rtol=1e-14)


def test_programs_of_another_process_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    step, x, _ = learned()
    foreign.target().clear()
    monkeypatch.setattr(foreign._foreign, "tasks", {})
    with pytest.raises((jax.errors.JaxRuntimeError, ValueError), match="compiled by another process"):
        jax.block_until_ready(step(x, 1.0))
