"""Derivatives of log Σ exp over a graph's paths along several directions, by numbers with infinitesimal parts.

A number a + b·t + c·u + d·tu + … with t² = u² = v² = 0 stands for a function's value and its mixed derivatives along
the directions t, u and v. It is kept as the matrix by which it multiplies, so that sums over a graph's paths are the
solution of one system of linear equations, for cyclic graphs, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["log_sum_derivative"]


def log_sum_derivative(
    n_states: int,
    arcs: Sequence[tuple[int, int]],
    weights: Sequence[float],
    start: Sequence[int],
    accept: Sequence[int],
    directions: Sequence[Sequence[float]],
) -> float:
    """The mixed derivative of the forward score along each of the directions (none: the score itself).

    0 where no path accepts, or −inf for the score. The graph may be cyclic, its spectral radius must be below 1.
    """
    n = len(directions)
    size = 1 << n

    def number(parts: dict[int, float]) -> np.ndarray:
        """The matrix of a number: coefficients by the set of directions, as bits."""
        made = np.zeros((size, size))
        for part, value in parts.items():
            for other in range(size):
                if not part & other:
                    made[part | other, other] += value
        return made

    system = np.eye(n_states * size)
    for k, (s, d) in enumerate(arcs):
        if weights[k] == -math.inf:
            continue
        parts = {
            part: math.exp(weights[k]) * math.prod(directions[b][k] for b in range(n) if part >> b & 1)
            for part in range(size)
        }
        system[s * size : (s + 1) * size, d * size : (d + 1) * size] -= number(parts)
    ends = np.zeros((n_states * size, size))
    for state in accept:
        ends[state * size : (state + 1) * size] = np.eye(size)
    after = np.linalg.solve(system, ends)
    total = np.zeros((size, size))
    for state in start:
        total += after[state * size : (state + 1) * size]
    score = total[0, 0]
    reached = set(start)
    for _ in range(n_states):
        reached |= {d for k, (s, d) in enumerate(arcs) if s in reached and weights[k] > -math.inf}
    if reached.isdisjoint(accept):
        return -math.inf if n == 0 else 0.0
    # log(z + x) = log z + x/z − x²/2z² + x³/3z³, and x⁴ is 0 for three directions.
    rest = total / score - np.eye(size)
    logarithm = rest - rest @ rest / 2 + rest @ rest @ rest / 3
    return math.log(score) if n == 0 else float(logarithm[size - 1, 0])
