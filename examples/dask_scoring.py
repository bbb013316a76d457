"""Score a corpus of lattices on a Dask cluster, and lose a worker on the way.

    LSE[A ∘ G] - LSE[A]

is what a grammar G says of all that a recogniser left open in its lattice A: the logarithm of G's weight of a path, in
the mean over A's paths by their probabilities. The corpus is cut into shards of about equal cost, which is what
``equation.explain`` says of each lattice: its arcs × frames. An equation pickles as its text, and each worker finds the
compiled routine in the cache directory that all of them share. A worker that dies takes no result with it: Dask gives
its shards to others, and a shard has the same bits wherever it is scored.

Run: python examples/dask_scoring.py (a cluster of two processes on this machine; --kill ends one of them when half of
the results are there). Needs dask and distributed: pip install arcgrad[dask].
"""

from __future__ import annotations

import argparse
import heapq
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import arcgrad as ag

LABELS = 40
EQUATION = ag.compile("LSE[A ∘ G] - LSE[A]")


def make_lattice(random: np.random.Generator) -> ag.Graph:
    """A sausage of alternatives, as recognisers leave: at each of 20 to 200 places, two to six labels with scores."""
    n = int(random.integers(20, 200))
    arcs = []
    for place in range(n):
        labels = random.choice(LABELS, random.integers(2, 7), replace=False)
        scores = np.log(random.dirichlet(np.ones(len(labels))))
        arcs += [(place, place + 1, int(label), float(score)) for label, score in zip(labels, scores, strict=True)]
    return ag.Graph.from_arcs(arcs, accept=[n])


def make_corpus(count: int, seed: int = 0) -> tuple[list[ag.Graph], ag.Graph]:
    """Lattices, and the grammar: log-probabilities of each label behind each other one."""
    random = np.random.default_rng(seed)
    grammar = ag.graphs.bigram(np.log(random.dirichlet(np.ones(LABELS), size=LABELS)))
    return [make_lattice(random) for _ in range(count)], grammar


def cut(costs: Sequence[float], count: int) -> list[list[int]]:
    """The items of each of ``count`` shards: the costliest first, each into the shard that costs least so far."""
    shards: list[tuple[float, int, list[int]]] = [(0.0, shard, []) for shard in range(count)]
    for item in sorted(range(len(costs)), key=lambda item: -costs[item]):
        cost, shard, items = heapq.heappop(shards)
        heapq.heappush(shards, (cost + costs[item], shard, [*items, item]))
    return [sorted(items) for _, _, items in sorted(shards, key=lambda entry: entry[1]) if items]


@dataclass
class Scored:
    """What a task gives back.

    Attributes:
        values: of the shard's lattices, in nats.
        worker: the number of the process.
        compiled: functions that this process has compiled so far.
        loaded: functions whose machine code it has read from the disk cache.
    """

    values: np.ndarray
    worker: int
    compiled: int
    loaded: int


def score(equation: ag.Equation, lattices: Sequence[ag.Graph], grammar: ag.Graph, pause: float = 0.0) -> Scored:
    """The task: score a shard. The pause, in seconds, stands for more work than this example has."""
    values = np.asarray(equation(A=list(lattices), G=grammar))
    time.sleep(pause)
    info = ag.cache.info()
    return Scored(values, os.getpid(), info.compilations, info.disk_hits)


def score_corpus(
    lattices: Sequence[ag.Graph], grammar: ag.Graph, *, workers: int = 2, kill: bool = False, pause: float = 0.0
) -> tuple[np.ndarray, list[Scored]]:
    """Score all lattices on a cluster of new processes; their values in order, and what each shard gave back.

    With ``kill`` the worker of the first result is killed, by SIGKILL where there is one, when half of them are there.
    """
    from dask.distributed import Client, LocalCluster, as_completed

    costs = [EQUATION.explain(A=lattice, G=grammar).arc_frames for lattice in lattices]
    shards = cut(costs, 4 * workers)  # several for each worker, so that none waits long for the last
    values = np.full(len(lattices), np.nan)
    found: list[Scored] = []
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
        Client(cluster) as client,
    ):
        shared = client.scatter(grammar, broadcast=True)  # once to each worker, not with each shard
        tasks = {client.submit(score, EQUATION, [lattices[i] for i in shard], shared, pause): shard for shard in shards}
        for task in as_completed(list(tasks)):
            result: Scored = task.result()
            values[tasks[task]] = result.values
            found.append(result)
            if kill and len(found) == (len(shards) + 1) // 2:
                os.kill(result.worker, getattr(signal, "SIGKILL", signal.SIGTERM))
    return values, found


def main(arguments: Sequence[str] | None = None) -> tuple[np.ndarray, list[Scored]]:
    """Score a corpus, and compare with this process alone."""
    parser = argparse.ArgumentParser(description="Score a corpus of lattices on a Dask cluster.")
    parser.add_argument("--lattices", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill", action="store_true", help="kill a worker when half of the results are there")
    options = parser.parse_args(arguments)
    try:
        import dask.distributed  # noqa: F401
    except ImportError:
        sys.exit("this example needs dask and distributed: pip install arcgrad[dask]")
    # One thread each, since the workers share the cores; and the code is compiled once, before there are workers: they
    # inherit the environment, and with it the directory where it is kept.
    os.environ.setdefault("ARCGRAD_THREADS", "1")
    lattices, grammar = make_corpus(options.lattices)
    ag.warmup(EQUATION, A=lattices[:2], G=grammar)

    begin = time.perf_counter()
    values, found = score_corpus(lattices, grammar, workers=options.workers, kill=options.kill, pause=0.2)
    print(f"{EQUATION.text}\n{len(values)} lattices in {len(found)} shards, {time.perf_counter() - begin:.1f} s")
    for worker in dict.fromkeys(result.worker for result in found):
        mine = [result for result in found if result.worker == worker]
        print(
            f"  process {worker}: {len(mine)} shards; {mine[-1].compiled} functions compiled, {mine[-1].loaded} loaded"
        )
    alone = np.asarray(EQUATION(A=lattices, G=grammar))
    print(f"as in one process, to the last bit: {np.array_equal(values, alone)}")
    return values, found


if __name__ == "__main__":
    main()
