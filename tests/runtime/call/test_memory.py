"""What evaluations leave in memory, in processes of their own: caches are weighed in bytes, and emptied on request."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

MEASURE = """
import gc, sys
import numpy as np
import arcgrad as ag

def megabytes():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6
"""

LATTICES = """
def lattice(seed):
    rng = np.random.default_rng(seed)
    src = np.sort(rng.integers(0, 29_999, 300_000))
    dst = src + 1 + rng.integers(0, 5, 300_000)
    dst = np.minimum(dst, 30_000)
    return ag.Graph(src, dst, rng.integers(0, 9, 300_000), weight=rng.normal(size=300_000), start=[0], accept=[30_000])

equation = ag.compile("LSE[A]", mode="kernels")
for seed in range(2):
    equation.value_and_grad(A=lattice(seed))
before = megabytes()
for seed in range(40):
    equation.value_and_grad(A=lattice(10 + seed))
print(megabytes() - before)
"""

QUERIES = """
import random, string
random.seed(1)
letters = string.ascii_lowercase
words = sorted({"".join(random.choice(letters) for _ in range(random.randrange(3, 9))) for _ in range(10_000)})
arcs, nodes, accept = [], {(): 0}, []
for word in words:
    for k, letter in enumerate(word):
        if tuple(word[: k + 1]) not in nodes:
            nodes[tuple(word[: k + 1])] = len(nodes)
            arcs.append((nodes[tuple(word[:k])], nodes[tuple(word[: k + 1])], ord(letter)))
    accept.append(nodes[tuple(word)])
L = ag.Graph.from_arcs(arcs, start=[0], accept=accept)
codes = list(map(ord, letters))
E = ag.Graph.from_arcs(
    [(0, 0, c, c, 0.0) for c in codes] + [(0, 0, c, -1, 1.0) for c in codes] + [(0, 0, -1, c, 1.0) for c in codes]
    + [(0, 0, c, d, 1.0) for c in codes for d in codes if c != d], start=[0], accept=[0])
equation = ag.compile("MIN[Q ∘ E ∘ L]", mode="kernels")
equation(Q=ag.linear("arcgra"), E=E, L=L)
before = megabytes()
sizes = []
for k in range(25):
    equation(Q=ag.linear("".join(random.choice(letters) for _ in range(6))), E=E, L=L)
    sizes.append(megabytes() - before)
print(max(sizes), max(sizes[10:]) - max(sizes[:10]))
"""

PATHS = """
import tracemalloc
rng = np.random.default_rng(0)
equation = ag.compile("PATH[X ε]", mode="kernels")
equation(X=rng.normal(size=(5, 5000)))
before = megabytes()
for steps in range(20, 60, 2):
    equation(X=rng.normal(size=(steps, 5000)))
print(megabytes() - before)
# What is freed need not go back to the system at once: so arrays are counted, not pages.
ag.cache.clear(disk=False)
tracemalloc.start()
for steps in range(21, 61, 2):
    equation(X=rng.normal(size=(steps, 5000)))
held = tracemalloc.get_traced_memory()[0] / 1e6
ag.cache.clear(disk=False)
gc.collect()
print(held, tracemalloc.get_traced_memory()[0] / 1e6)
"""


def measured(body: str) -> list[float]:
    found = subprocess.run([sys.executable, "-c", MEASURE + body], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-2000:]
    return [float(number) for number in found.stdout.split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_lattices_that_are_used_once_and_dropped_leave_little() -> None:
    (grown,) = measured(LATTICES)
    assert grown <= 64


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_new_queries_against_a_lexicon_stop_growing() -> None:
    most, later = measured(QUERIES)
    assert most <= 300
    assert later <= 30


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_paths_of_many_lengths_stay_within_the_budget_and_clearing_gives_it_back() -> None:
    grown, held, left = measured(PATHS)
    assert grown <= 300
    assert held > 50  # there was something to give back
    assert left <= 10
