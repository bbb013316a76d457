"""A frame of a trellis in the log domain, and its gradient: what blocks of frames in linear arithmetic fall back on.

Used by ``trellis_log``; ``blocks`` says when, and what mantissas and exponents are.
"""

from __future__ import annotations

from math import exp, inf, log

import numpy as np

from arcgrad.runtime.kernels.exponentials import LN2, LOG2E
from arcgrad.runtime.routines import helper

__all__ = ["log_columns", "relative_logs", "slow_step", "slow_step_back"]


@helper
def relative_logs(mantissas, exponents, result):
    """log(a · 2^e) − top · ln 2 of each state; returns top, the greatest exponent of a state that is reached."""
    top = -inf
    for s in range(len(mantissas)):
        if mantissas[s] != 0.0 and exponents[s] > top:
            top = exponents[s]
    for s in range(len(mantissas)):
        if mantissas[s] != 0.0:
            result[s] = log(mantissas[s]) + (exponents[s] - top) * LN2
        else:
            result[s] = -inf
    return top if top > -inf else 0.0


@helper
def log_columns(row, wide, result):
    """The logarithms of a frame's columns: what a frame of wide range holds anyway."""
    for slot in range(len(row)):
        result[slot] = row[slot] if wide else (log(row[slot]) if row[slot] > 0.0 else -inf)


@helper
def slow_step(ints, base, logs, columns, emits, before, after, mantissas, exponents, top):
    """One frame in the log domain, or only the ε arcs before the first: from ``before`` to a fresh row, normalised.

    ``columns`` are logarithms; scores in ``before`` and ``after`` are relative to ``top``.
    """
    sources = base + ints[base + 9]
    slots = base + ints[base + 12]
    emitting = base + ints[base + 15]
    silent = base + ints[base + 16]
    for state in range(len(after)):
        low = ints[emitting + state]
        high = ints[emitting + state + 1] if emits else low
        own = -inf if emits else before[state]
        best = own
        for arc in range(low, high):
            best = max(best, before[ints[sources + arc]] + (logs[arc] + columns[ints[slots + arc]]))
        for arc in range(ints[silent + state], ints[silent + state + 1]):
            best = max(best, after[ints[sources + arc]] + logs[arc])
        if best == -inf:
            after[state] = -inf
            mantissas[state] = 0.0
            exponents[state] = 0.0
            continue
        sum_ = exp(own - best)
        for arc in range(low, high):
            sum_ += exp(before[ints[sources + arc]] + (logs[arc] + columns[ints[slots + arc]]) - best)
        for arc in range(ints[silent + state], ints[silent + state + 1]):
            sum_ += exp(after[ints[sources + arc]] + logs[arc] - best)
        score = best + log(sum_)
        after[state] = score
        whole = np.floor(score * LOG2E)
        # Where scores are beyond 1e15, the rest has no digits left.
        mantissas[state] = exp(min(max(score - whole * LN2, 0.0), 1.0))
        exponents[state] = top + whole


@helper
def slow_step_back(ints, base, logs, columns, emits, shift, before, after, beta, mantissas, earlier, sums, used):
    """`slow_step`'s gradient: from β after the frame to β before it; adds posteriors to ``sums`` and ``used``.

    ``before`` and ``after`` are logarithms, those before relative to a top that lies ``shift`` nats above the other's;
    ``mantissas`` are those before. Without ``emits``, only ε arcs after the frame are taken and β is not moved.
    """
    sources = base + ints[base + 9]
    slots = base + ints[base + 12]
    emitting = base + ints[base + 15]
    silent = base + ints[base + 16]
    place = base + ints[base + 22]
    n_states = len(after)
    # From here on ``beta`` holds posteriors.
    for back in range(n_states):
        state = n_states - 1 - back
        if beta[state] != 0.0:
            for arc in range(ints[silent + state], ints[silent + state + 1]):
                source = ints[sources + arc]
                share = beta[state] * exp(after[source] + logs[arc] - after[state])
                beta[source] += share
                sums[ints[place + arc]] += share
    if not emits:
        return
    for state in range(n_states):
        earlier[state] = 0.0
    for state in range(n_states):
        if beta[state] != 0.0:
            for arc in range(ints[emitting + state], ints[emitting + state + 1]):
                source = ints[sources + arc]
                slot = ints[slots + arc]
                gain = before[source] + shift + (logs[arc] + columns[slot]) - after[state]
                share = beta[state] * exp(gain)
                earlier[source] += share
                used[slot] += share
                sums[ints[place + arc]] += share
    for state in range(n_states):
        if mantissas[state] != 0.0:
            earlier[state] /= mantissas[state]
