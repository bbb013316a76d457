"""CTC: the graph of a target's alignments, and their scores over plain arrays in the log domain, frame by frame.

A. Graves and others, Connectionist Temporal Classification, 2006, sections 4.1 and 4.2, without their normalisation:
nothing can underflow where sums are logarithms. A third reading beside paths and graphs, for sizes beyond theirs.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from arcgrad.compiler.graphs.topology import Topology

__all__ = ["alignment_arcs", "alignment_graph", "alignment_score", "chain_score", "fewest_frames"]

BLANK = 0


def fewest_frames(labels: list[int]) -> int:
    """How many frames an alignment has at least: one a label, and a blank between equal ones."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def alignment_arcs(labels: list[int]) -> tuple[list[tuple[int, int, int]], list[int]]:
    """The graph of all alignments: arcs (source, destination, label), and accepts; state 0 is the start."""
    symbols = _with_blanks(labels)
    arcs = [(0, s + 1, symbols[s]) for s in range(min(2, len(symbols)))]
    for s, symbol in enumerate(symbols):
        arcs.append((s + 1, s + 1, symbol))
        if s >= 1:
            arcs.append((s, s + 1, symbol))
        if s >= 2 and symbol not in (BLANK, symbols[s - 2]):
            arcs.append((s - 1, s + 1, symbol))
    return arcs, [0] * (not labels) + [len(symbols) - 1] * (len(symbols) > 1) + [len(symbols)]


def alignment_graph(labels: list[int]) -> Topology:
    """The graph of all alignments as a topology."""
    arcs, accept = alignment_arcs(labels)
    return Topology.from_arcs(2 * len(labels) + 2, arcs, [0], accept)


def alignment_score(scores: np.ndarray, labels: list[int]) -> tuple[float, np.ndarray]:
    """Log of the sum over alignments of exp(their scores), and its derivative with respect to each score: posteriors.

    Args:
        scores: (T, C), T ≥ 1, column 0 the blank's; read as float64.
        labels: the target.
    """
    scores = np.asarray(scores, dtype=np.float64)
    symbols = np.array(_with_blanks(labels))
    n_frames, n_states = len(scores), len(symbols)
    entered = scores[:, symbols]
    skips = np.zeros(n_states, dtype=bool)
    skips[2:] = (symbols[2:] != BLANK) & (symbols[2:] != symbols[:-2])
    alpha = np.full((n_frames, n_states), -np.inf)
    alpha[0, :2] = entered[0, :2]
    for t in range(1, n_frames):
        before = alpha[t - 1]
        reached = np.logaddexp(before, np.append(-np.inf, before[:-1]))
        far = np.append([-np.inf, -np.inf], before[:-2])[:n_states]
        alpha[t] = np.logaddexp(reached, np.where(skips, far, -np.inf)) + entered[t]
    beta = np.full((n_frames, n_states), -np.inf)
    beta[-1, -2:] = 0.0
    for t in range(n_frames - 2, -1, -1):
        after = beta[t + 1] + entered[t + 1]
        left = np.logaddexp(after, np.append(after[1:], -np.inf))
        far = np.append(np.where(skips, after, -np.inf)[2:], [-np.inf, -np.inf])[:n_states]
        beta[t] = np.logaddexp(left, far)
    total = float(np.logaddexp.reduce(alpha[-1, -2:]))
    gradient = np.zeros_like(scores)
    if total > -np.inf:
        np.add.at(gradient.T, symbols, np.exp(alpha + beta - total).T)
    return total, gradient


def chain_score(scores: np.ndarray) -> tuple[float, np.ndarray]:
    """Log of the sum over all paths of a dense chain, and its derivative: softmax of each frame."""
    scores = np.asarray(scores, dtype=np.float64)
    each = np.logaddexp.reduce(scores, axis=1)
    total = float(each.sum())
    return total, np.exp(scores - each[:, None]) if total > -np.inf else np.zeros_like(scores)


def _with_blanks(labels: list[int]) -> list[int]:
    symbols = [BLANK]
    for label in labels:
        symbols += [label, BLANK]
    return symbols
