"""Times the kernel library alone, on one thread: CTC, a random sparse label model, a dense one, a lattice, a cycle.

Run: ``python benchmarks/kernels.py [--compile]``; with ``--compile``, also the seconds each kernel takes to compile.
Forward and backward together, medians of several runs, packing not included.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable

import numpy as np

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.runtime.kernels import KERNELS
from arcgrad.runtime.regions import Region, pack_frames, pack_graph, pack_trellis

OFFSETS = np.zeros(1, dtype=np.int64)


def ctc(labels: list[int]) -> Topology:
    """The CTC graph of a label sequence, blank 0, one state a position."""
    symbols = [0]
    for label in labels:
        symbols += [label, 0]
    arcs = [(0, 0, 0)]
    for s in range(1, len(symbols)):
        arcs += [(s, s, symbols[s]), (s - 1, s, symbols[s])]
        if s > 1 and symbols[s] != 0 and symbols[s] != symbols[s - 2]:
            arcs.append((s - 2, s, symbols[s]))
    return Topology.from_arcs(len(symbols), arcs, [0], [len(symbols) - 2, len(symbols) - 1])


def median_seconds(function: Callable[[], object], repeats: int = 15) -> float:
    """Median wall time of a call, after one that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def runner(region: Region, local: np.ndarray, frames: np.ndarray | None, want_weights: bool) -> Callable[[], float]:
    """A call that evaluates and differentiates one item."""
    names = KERNELS[region.kind, region.semiring]
    module = importlib.import_module(names.module)
    suffix = "_float32" if frames is not None and frames.dtype == np.float32 else ""
    forward, backward = getattr(module, names.forward + suffix), getattr(module, str(names.backward) + suffix)
    n_frames = 0 if frames is None else len(frames)
    floats, integers = region.work(n_frames)
    work, iwork = np.empty(floats), np.zeros(integers, dtype=np.int32)
    gradient = np.zeros(max(len(local), 1))
    frames_gradient = np.zeros_like(frames) if frames is not None else None

    def call() -> float:
        given = () if frames is None else (frames,)
        common = (region.ints, (local, 0, 0), *given, work, iwork, 1.0)
        value = forward(*common)
        extra = () if frames is None else (frames_gradient, want_weights, True)
        backward(*common, 1.0, (gradient, 0, 0), *extra)
        return float(value)

    return call


def report(name: str, seconds: float, arc_frames: float) -> None:
    """One line: milliseconds and millions of arcs (× frames) a second."""
    print(f"{name:58s} {1e3 * seconds:9.3f} ms {arc_frames / seconds / 1e6:8.1f} M arcs/s")


def main() -> None:
    """Run everything."""
    rng = np.random.default_rng(0)
    for dtype in (np.float64, np.float32):
        calls, size = [], 0
        for _ in range(8):
            graph = ctc(rng.integers(1, 64, 50).tolist())
            frames = rng.normal(size=(500, 64)).astype(dtype)
            region = pack_trellis(graph, Selection.none(graph.n_arcs), OFFSETS, "input", 64, "log")
            assert region is not None
            calls.append(runner(region, np.zeros(0), frames, False))
            size += 500 * graph.n_arcs
        seconds = median_seconds(lambda calls=calls: [c() for c in calls])  # type: ignore[misc]
        report(f"CTC B=8 T=500 C=64 50 labels {dtype.__name__}", seconds, size)
        call = runner(pack_frames("log"), np.zeros(0), rng.normal(size=(4000, 64)).astype(dtype), False)
        report(f"dense chain alone 4000 x 64 {dtype.__name__}", median_seconds(call), 4000 * 64)
    for semiring in ("log", "max"):
        n_states, n_arcs, n_frames, n_columns = 200, 1000, 300, 64
        src, dst = rng.integers(0, n_states, (2, n_arcs))
        label = rng.integers(0, n_columns, n_arcs)
        graph = Topology.make(n_states, src, dst, label, None, [0], np.arange(n_states))
        local, frames = rng.normal(size=n_arcs), rng.normal(size=(n_frames, n_columns))
        region = pack_trellis(graph, Selection.identity(0, n_arcs), OFFSETS, "input", n_columns, semiring)
        assert region is not None
        call = runner(region, local, frames, True)
        report(f"random labels, 200 states, 1000 arcs, T=300, {semiring}", median_seconds(call), 300 * region.n_arcs)
        n_tags = 64
        src, dst = np.divmod(np.arange(n_tags * n_tags), n_tags)
        graph = Topology.make(n_tags, src, dst, dst, None, np.arange(n_tags), np.arange(n_tags))
        local = rng.normal(size=n_tags * n_tags)
        region = pack_trellis(graph, Selection.identity(0, len(src)), OFFSETS, "input", n_tags, semiring)
        assert region is not None
        call = runner(region, local, frames, True)
        report(f"dense model (CRF, ASG) 64 tags T=300, {semiring}", median_seconds(call), n_frames * region.n_arcs)
        n_states, n_arcs = 20000, 60000
        src = rng.integers(0, n_states - 1, n_arcs)
        dst = np.minimum(src + rng.integers(1, 20, n_arcs), n_states - 1)
        graph = Topology.make(n_states, src, dst, np.zeros(n_arcs), None, np.arange(20), [n_states - 1])
        region = pack_graph(graph, Selection.identity(0, n_arcs), OFFSETS, semiring)
        call = runner(region, rng.normal(size=n_arcs), None, True)
        report(f"lattice 20000 states 60000 arcs, {semiring}", median_seconds(call), region.n_arcs)
        src = np.arange(2000)
        graph = Topology.make(2000, src, (src + 1) % 2000, np.zeros(2000), None, [0], [0])
        region = pack_graph(graph, Selection.identity(0, 2000), OFFSETS, semiring)
        call = runner(region, np.full(2000, -0.01), None, True)
        report(f"cycle of 2000 states, {semiring}", median_seconds(call), region.n_arcs)
    if "--compile" in sys.argv:
        compile_seconds()


def compile_seconds() -> None:
    """Compile every kernel anew, without the disk cache, and print the seconds of each."""
    import numba

    from arcgrad.runtime.jit import compat

    total = 0.0
    for names in sorted(set(KERNELS.values())):
        module = importlib.import_module(names.module)
        for role in (names.forward, names.backward):
            if role is None:
                continue
            kernel = getattr(module, role)
            begin = time.process_time()
            flags = set(kernel.fastmath) or False
            numba.njit(nogil=True, error_model="numpy", fastmath=flags)(kernel.python).compile(
                compat.parsed(kernel.signature)
            )
            seconds = time.process_time() - begin
            total += seconds
            print(f"compile {role:32s} {seconds:6.2f} s")
    print(f"compile {'all':32s} {total:6.2f} s")


if __name__ == "__main__":
    main()
