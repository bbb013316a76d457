"""Evaluations with new topologies at every call, in a process of their own: memory stays bounded.

Four thousand of them; ``make soak`` makes it forty.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SOAK = """
import sys
import numpy as np
import arcgrad as ag

rng = np.random.default_rng(0)
SCORES = "LSE[A ∘ B]", "MAX[A B + B*]", "LSE[X ∘ A] - LSE[X]", "MIN[A ∘ B] + COUNT[A]", "LSE[(A + B)? ∘ X]"
MODES = "kernels", "fused", "interpret"
equations = [ag.compile(text, mode=mode) for text in (*SCORES, "A ∘ B", "PATH[A B]") for mode in MODES]

def graph():
    n_states, n_arcs = int(rng.integers(2, 12)), int(rng.integers(1, 30))
    ends = np.sort(rng.integers(0, n_states, (2, n_arcs)), axis=0)
    src, dst = ends[:, ends[0] < ends[1]]
    labels, weight = rng.integers(0, 4, len(src)), rng.normal(size=len(src)) - 3
    return ag.Graph(src, dst, labels, weight=weight, start=[0], accept=[n_states - 1], n_states=n_states)

for k in range(int(sys.argv[1])):
    equation = equations[k % len(equations)]
    batch = int(rng.integers(1, 4))
    given = {name: [graph() for _ in range(batch)] for name in equation.inputs}
    if "X" in given:
        given["X"] = rng.normal(size=(batch, int(rng.integers(1, 20)), 4))
    try:
        if k % 3 and equation.text in SCORES:
            equation.value_and_grad(given)
        else:
            equation(given)
    except ag.DivergenceError:
        pass
with open("/proc/self/statm") as file:
    print(int(file.read().split()[1]) * 4096 / 1e6)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_bounded() -> None:
    """Forty thousand took 593 MB while caches counted the numbers of small graphs and not the objects around them."""
    count = int(os.environ.get("ARCGRAD_SOAK", "4000"))
    for steps in (42, count):  # the first process compiles, which takes memory of its own
        ran = subprocess.run([sys.executable, "-c", SOAK, str(steps)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert float(ran.stdout) < (400 if count > 4000 else 250)
