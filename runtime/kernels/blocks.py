"""The log semiring over a trellis in scaled linear arithmetic: inner loops of multiplications and additions only.

A forward score is a · 2^e: a row of mantissas for every frame, and a row of whole exponents for each *block* of
frames, in which exponents stand still. Within a block, an arc from s to d multiplies by exp(weight) · 2^(e[s] − e[d]),
and a frame by its exponentiated columns. Each block begins with exponents renewed, and is made as short as it must be
for nothing to leave 2^±`BUDGET` in it, by a bound from weights, frames and exponents: so nothing is lost, however far
states lie apart. Where that bound leaves fewer than `SHORTEST` frames, some frames are computed in the log domain.

Backward scores are kept as β with a · β = posterior of the state; posteriors only ever split up, so they need no
exponents of their own: in a block they are in units of 2^−e. Posteriors below 2^−250 are dropped between blocks.
"""

from __future__ import annotations

from math import inf

import numpy as np

from arcgrad.runtime.kernels.exponentials import LOG2E, MAGIC, powers_of_two
from arcgrad.runtime.routines import helper, kernel

__all__ = [
    "BUDGET",
    "LARGEST",
    "LONG",
    "SHORTEST",
    "SLOW",
    "clear_pads",
    "convert_back",
    "factors_by_slot",
    "factors_of_arcs",
    "fill_cells",
    "fitting_frames",
    "fitting_frames_by_slot",
    "frame_places",
    "keep_entered",
    "places",
    "row_limit",
    "scale_row",
    "spread_exponents",
    "top_exponents",
]

BUDGET = 450.0
"""Bits by which mantissas may change in a block, down or up."""

SHORTEST = 8
"""Frames that make a block worth while; the packer counts on it for the size of the workspace."""

LONG = 32
"""Frames that make a block long enough not to look for a longer one."""

SLOW = 4
"""Frames that are computed in the log domain before a block is tried again."""

_CHUNK = 1024
_UNKNOWN = 1e300  # exponent of a state that cannot be reached in the block

LARGEST = 900.0
"""|log2| of a weight up to which blocks are tried."""


@helper
def places(ints, base, work0):
    """Where things lie in the workspace; the order is that of ``_pack_inner_loop``'s sum."""
    n_arcs = ints[base + 1]
    n_slots = ints[base + 13]
    pad = ints[base + 20]
    n_cells = ints[base + 21]
    logs = work0  # weights of arcs, nats
    linear = logs + n_arcs  # their exponentials
    cells = linear + n_arcs  # the block's factors
    posteriors = cells + n_cells  # sums over frames, by cell
    scratch = posteriors + n_cells
    vectors = scratch + max(_CHUNK + n_slots, n_arcs, ints[base] + n_slots)
    total = vectors + 3 * (ints[base] + 2 * pad) + n_slots  # the score, then what it was made of
    return logs, linear, cells, posteriors, scratch, vectors, total, total + 4


@helper
def frame_places(ints, base, n_frames, work0):
    """Where frames lie in the workspace: columns, shifts, ranges (in bits), and scratch for making them."""
    _, _, _, _, scratch, _, _, columns = places(ints, base, work0)
    shifts = columns + n_frames * ints[base + 13]
    return columns, shifts, shifts + n_frames, scratch


@helper
def row_limit(n_frames):
    """How many rows there may be: one a frame, one more for the beginning, and one more for each block."""
    return n_frames + n_frames // SHORTEST + 3


@helper
def top_exponents(mantissa_bits, mantissas, exponents, result):
    """Exponents by which mantissas would be in [1, 2), `_UNKNOWN` where they are 0; returns the least and greatest."""
    low = inf
    high = -inf
    for s in range(len(mantissas)):
        if mantissas[s] != 0.0:
            exponent = exponents[s] + float(((mantissa_bits[s] >> 52) & 2047) - 1023)
            result[s] = exponent
            low = min(low, exponent)
            high = max(high, exponent)
        else:
            result[s] = _UNKNOWN
    return low, high


@helper
def spread_exponents(ints, base, logs, exponents):
    """Give states not reached yet the exponent that they would get from a neighbour; over how many arcs, at least."""
    n_arcs = ints[base + 1]
    sources = base + ints[base + 9]
    ends = base + ints[base + 10]
    reach = 64
    for _ in range(64):
        changed = False
        missing = False
        for arc in range(n_arcs):
            end = ints[ends + arc]
            if exponents[end] == _UNKNOWN:
                source = ints[sources + arc]
                if exponents[source] != _UNKNOWN and logs[arc] > -inf:
                    exponents[end] = exponents[source] + np.floor(logs[arc] * LOG2E)
                    changed = True
                else:
                    missing = True
        if not missing or not changed:
            reach = 1 << 30
            break
    return reach


@helper
def keep_entered(ints, base, logs, mantissas, marks):
    """Mark states that are reached and stay so while columns are finite: each is entered from a marked one."""
    n_states = len(mantissas)
    sources = base + ints[base + 9]
    emitting = base + ints[base + 15]
    silent = base + ints[base + 16]
    for state in range(n_states):
        marks[state] = 1.0 if mantissas[state] != 0.0 else 0.0
    for _ in range(4):
        changed = False
        for state in range(n_states):
            if marks[state] == 1.0:
                entered = 0.0
                for arc in range(ints[emitting + state], ints[emitting + state + 1]):
                    if marks[ints[sources + arc]] == 1.0 and logs[arc] > -inf:
                        entered = 1.0
                for arc in range(ints[silent + state], ints[silent + state + 1]):
                    if marks[ints[sources + arc]] == 1.0 and logs[arc] > -inf:
                        entered = 1.0
                if entered == 0.0:
                    marks[state] = 0.0
                    changed = True
        if not changed:
            return
    for state in range(n_states):
        marks[state] = 0.0


@helper
def factors_of_arcs(ints, base, logs, exponents, marks):
    """Bounds on how fast mantissas change between states with these exponents, in bits a step.

    Returns:
        how much they grow at most (but for the number of arcs into a state); how much they shrink at most in a state
        that is reached, where columns are finite: by its best arc from a marked state if it is marked itself; and
        anyhow.
    """
    n_states = len(exponents)
    sources = base + ints[base + 9]
    emitting = base + ints[base + 15]
    silent = base + ints[base + 16]
    grow = 0.0
    shrink = 0.0
    anyhow = 0.0
    for state in range(n_states):
        own = exponents[state]
        if own == _UNKNOWN:
            continue
        best = -inf
        worst = 0.0
        for side in range(2):
            pointers = emitting if side == 0 else silent
            for arc in range(ints[pointers + state], ints[pointers + state + 1]):
                source = ints[sources + arc]
                if logs[arc] > -inf and exponents[source] != _UNKNOWN:
                    factor = logs[arc] * LOG2E + exponents[source] - own
                    grow = max(grow, factor)
                    worst = min(worst, factor)
                    if marks[source] == 1.0:
                        best = max(best, factor)
        anyhow = max(anyhow, -worst)
        shrink = max(shrink, -best if marks[state] == 1.0 else -worst)
    return grow, shrink, anyhow


@helper
def fitting_frames(steps, grow, shrink, anyhow, room, ranges, frame, last):
    """How many frames a block can have before mantissas may have grown by `BUDGET` bits, or shrunk by ``room`` bits.

    A frame with a column of −inf has a negative range; from there on states may cease to be reached.
    """
    n = 0
    up = BUDGET
    while frame + n < last:
        if ranges[frame + n] < 0.0:
            shrink = anyhow
        room -= steps * shrink + abs(ranges[frame + n])
        up -= steps * grow
        if room < 0.0 or up < 0.0:
            break
        n += 1
    return n


@helper
def factors_by_slot(ints, base, logs, exponents, marks, least, most):
    """`factors_of_arcs` for the states of each column: the least by which one shrinks, negative, and the most it grows.

    In whole bits, rounded away from 0. Only for diagonals, where each state is entered with one column and no ε.
    """
    sources = base + ints[base + 9]
    emitting = base + ints[base + 15]
    slots = base + ints[base + 23]
    least[:] = 1 << 20
    most[:] = -(1 << 20)
    for state in range(len(exponents)):
        own = exponents[state]
        if own == _UNKNOWN:
            continue
        worst = inf
        best = -inf
        grow = -inf
        for arc in range(ints[emitting + state], ints[emitting + state + 1]):
            source = ints[sources + arc]
            if logs[arc] > -inf and exponents[source] != _UNKNOWN:
                factor = logs[arc] * LOG2E + exponents[source] - own
                grow = max(grow, factor)
                worst = min(worst, factor)
                if marks[source] == 1.0:
                    best = max(best, factor)
        if grow > -inf:
            slot = ints[slots + state]
            kept = best if marks[state] == 1.0 else worst
            least[slot] = min(least[slot], np.int64(np.floor(max(kept, -1e5))))
            most[slot] = max(most[slot], np.int64(np.ceil(min(grow, 1e5))))


@kernel("UniTuple(int64, 2)(int64[::1], int64[::1], int64[::1])")
def extremes_of_frame(column_bits, least, most):
    """How much mantissas shrink at least, and grow at most, in a frame, bits: each column with its own states."""
    low = np.int64(0)
    high = np.int64(-(1 << 20))
    for slot in range(len(least)):
        exponent = ((column_bits[slot] >> 52) & 2047) - 1023
        low = min(low, least[slot] + exponent)
        high = max(high, most[slot] + exponent + 1)
    return low, high


@helper
def fitting_frames_by_slot(grow, growth, least, most, anyhow, column_bits, ranges, frame, last):
    """`fitting_frames` by a bound that is closer, and dearer: where a column is small, its states may be fed well."""
    n_slots = len(least)
    room = BUDGET
    up = BUDGET
    lost = False
    n = 0
    while frame + n < last and abs(ranges[frame + n]) < BUDGET:
        lost = lost or ranges[frame + n] < 0.0
        if lost:
            # From a frame with a column of −inf on, states may cease to be reached.
            room -= anyhow + abs(ranges[frame + n])
            up -= grow + growth
        else:
            begin = (frame + n) * n_slots
            low, high = extremes_of_frame(column_bits[begin : begin + n_slots], least, most)
            room += low
            up -= max(high + growth, 0.0)
        if room < 0.0 or up < 0.0:
            break
        n += 1
    return n


@helper
def fill_cells(ints, base, uniform, linear, exponents, scratch, scratch_bits, cells):
    """The block's factors: exp(weight) · 2^(e[s] − e[d]) in each arc's cell."""
    n_arcs = ints[base + 1]
    whole = ints.view(np.uint32)
    sources = whole[base + ints[base + 9] : base + ints[base + 9] + n_arcs]
    ends = whole[base + ints[base + 10] : base + ints[base + 10] + n_arcs]
    place = whole[base + ints[base + 22] : base + ints[base + 22] + n_arcs]
    if uniform:
        for arc in range(n_arcs):
            cells[place[arc]] = linear[arc]
        return
    for arc in range(n_arcs):
        scratch[arc] = min(max(exponents[sources[arc]] - exponents[ends[arc]], -1000.0), 1000.0) + MAGIC
    powers_of_two(scratch_bits)
    for arc in range(n_arcs):
        known = exponents[sources[arc]] != _UNKNOWN and exponents[ends[arc]] != _UNKNOWN
        cells[place[arc]] = linear[arc] * scratch[arc] if known else 0.0


@helper
def scale_row(mantissas, old, new, scratch, scratch_bits, result):
    """a · 2^(old − new), 0 staying 0."""
    for s in range(len(mantissas)):
        scratch[s] = min(max(old[s] - new[s], -1000.0), 1000.0) + MAGIC
    powers_of_two(scratch_bits)
    for s in range(len(mantissas)):
        result[s] = mantissas[s] * scratch[s] if mantissas[s] != 0.0 else 0.0


@helper
def convert_back(mantissas, own, units, scratch, scratch_bits, beta):
    """β from units of 2^−own to units of 2^−units; drops posteriors below 2^−250, for which β might have no room."""
    for s in range(len(beta)):
        scratch[s] = min(max(units[s] - own[s], -1000.0), 1000.0) + MAGIC
    powers_of_two(scratch_bits)
    for s in range(len(beta)):
        beta[s] = beta[s] * scratch[s] if mantissas[s] * beta[s] > 5.5e-76 else 0.0


@helper
def clear_pads(row, n_states, pad):
    """Zeros around a row's mantissas, for the diagonals that reach over the edge."""
    for k in range(pad):
        row[k] = 0.0
        row[pad + n_states + k] = 0.0
