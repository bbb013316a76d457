"""Expectations over dense compositions whose states are all entered from the same ones: products with full matrices.

What ``rows`` does for all graphs, in linear numbers with one scale for a frame. With
M the factors exp(weight), a frame multiplies the forward scores α by M and by its columns, and so does it with α · U,
U being what is expected of the ways to a state; values of arcs add the product of M × values with α. The way back has
three such products, too, and derivatives of arcs are sums over frames of products of a number for each end and one for
each source, so that all inner loops are multiplications and additions of vectors. A frame's mean is taken off U, and
kept: what competes stays small.

**When that is exact.** Factors are 0, where an arc is absent, or at least 2^−300 of the greatest, and so are columns;
forward scores are 0 or at least 2^−360 of a frame's greatest. Then no product is below 2^−960, and nothing is lost
but what is rounded. The entropy is the score less the expected weight, both of weights within these bounds. What is
not so, or has no path, is left to ``rows``, and so are values that are infinite or large.
"""

from __future__ import annotations

from math import inf, log

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import ORDINARY
from arcgrad.runtime.kernels.expectation.places import (
    AHEAD,
    END_ROWS,
    SCORE,
    arc_place,
    column_places,
    matrix_frames,
    matrix_places,
    matrix_sizes,
)
from arcgrad.runtime.kernels.math.exponentials import exponential
from arcgrad.runtime.kernels.math.scaled import exponent_of, power_of_two
from arcgrad.runtime.kernels.math.vectors import (
    broadcast,
    divide,
    greater,
    greatest_of,
    least_of,
    lesser,
    load,
    number,
    put,
    store,
    sum_of,
    where_greater,
)
from arcgrad.runtime.kernels.trellis import trellis_format as T

__all__ = ["begin_matrix", "finish_matrix", "matrix_back", "matrix_forward", "matrix_sums"]

_RANGE = 207.0
"""Nats between factors, and between a frame's columns: 2^300 is exp(207.9)."""

_LEAST = 2.0**-360
"""The least forward score of a frame whose greatest is between 1 and 2."""

_LARGE = 1e100
"""Values up to this are taken."""

_PLACE = "const int32[::1], float64[::1]"


@helper
def clear(work, at, count):
    """Write zeros, eight at a time."""
    for k in range(at, at + count, 8):
        store(work, k, broadcast(0.0))


@helper
def end_rows(region, column):
    """Places of a frame's rows of ends in a block: columns, their values; for the way back, g and h."""
    _, ends, _ = matrix_sizes(region)
    _, _, at, _ = matrix_places(region)
    at += column * END_ROWS * ends
    return at, at + ends, at + 2 * ends, at + 3 * ends


@kernel(f"boolean({_PLACE}, boolean)", internal=True, lazy=True)
def begin_matrix(region, work, surprisals):
    """Factors, of gathered weights, and their products with values; and the first row. Whether they may be used."""
    n_arcs = region[T.N_ARCS]
    states, _, n_factors = matrix_sizes(region)
    factors, _, _, _ = matrix_places(region)
    weights, values = arc_place(region, 0), arc_place(region, 3)
    places = region[T.ARC_FACTORS]
    top = -inf
    for arc in range(n_arcs):
        top = max(top, work[weights + arc])
    if not abs(top) < _LARGE or (abs(top) > ORDINARY and region[T.ENTRY_POINTERS] != 0):
        return False
    clear(work, factors, 4 * n_factors)
    for arc in range(n_arcs):
        weight = work[weights + arc] - top
        if weight == -inf:
            continue
        if surprisals:
            work[values + arc] = -weight
        if weight < -_RANGE or not abs(work[values + arc]) < _LARGE:
            return False
        factor = exponential(weight)
        place = factors + region[places + arc]
        work[place] = factor
        work[place + n_factors] = factor * work[values + arc]
    scores, products, means, _ = matrix_frames(region, 0)
    clear(work, scores, states)
    clear(work, products, states)
    clear(work, means, states)
    for k in range(region[T.N_STARTS]):
        work[scores + region[region[T.STARTS] + k]] = 1.0
    work[AHEAD] = 0.0
    return True


@helper
def exponentiate_columns(region, work, column, surprisals):
    """A frame's columns and values by the ends that take them; whether they may be taken so."""
    n_slots = region[T.N_SLOTS]
    _, ends, _ = matrix_sizes(region)
    table = region[T.TABLE]
    slots = region[T.STATE_SLOTS] + region[table + T.MATRIX_BEGIN]
    columns, values, _, _ = column_places(region)
    columns += column * n_slots
    values += column * n_slots
    top = -inf
    for slot in range(n_slots):
        top = max(top, number(work, columns + slot))
    if not abs(top) < _LARGE:
        return False
    to_columns, to_values, _, _ = end_rows(region, column)
    clear(work, to_columns, 2 * ends)
    fits = True
    for row in range(region[table + T.MATRIX_ROWS]):
        slot = region[slots + row]
        below = number(work, columns + slot) - top
        value = -below if surprisals else number(work, values + slot)
        absent = below == -inf
        fits = fits and (absent or (below >= -_RANGE and abs(value) < _LARGE))
        put(work, to_columns + row, 0.0 if absent else exponential(below))
        put(work, to_values + row, 0.0 if absent else value)
    return fits


@helper
def multiply(region, work, scores, products, to, to_products):
    """The products of the factors with forward scores; with these times means; and of factors × values with them."""
    _, _, n_factors = matrix_sizes(region)
    factors, _, _, _ = matrix_places(region)
    table = region[T.TABLE]
    n_rows, length = region[table + T.MATRIX_ROWS], region[table + T.MATRIX_WIDTH]
    for row in range(0, n_rows, 2):
        factor0 = factors + row * length
        factor1 = factor0 + length
        valued0 = factor0 + n_factors
        valued1 = factor1 + n_factors
        total0 = total1 = mean0 = mean1 = other0 = other1 = broadcast(0.0)
        for k in range(0, length, 8):
            score = load(work, scores + k)
            product = load(work, products + k)
            total0 = total0 + load(work, factor0 + k) * score
            total1 = total1 + load(work, factor1 + k) * score
            mean0 = mean0 + load(work, factor0 + k) * product
            mean1 = mean1 + load(work, factor1 + k) * product
            other0 = other0 + load(work, valued0 + k) * score
            other1 = other1 + load(work, valued1 + k) * score
        put(work, to + row, sum_of(total0))
        put(work, to + row + 1, sum_of(total1))
        put(work, to_products + row, sum_of(mean0 + other0))
        put(work, to_products + row + 1, sum_of(mean1 + other1))


@kernel(f"boolean({_PLACE}, int64, int64, boolean)", internal=True, lazy=True)
def matrix_forward(region, work, begin, count, surprisals):
    """A block's frames, whose columns are there, from frame ``begin`` on; whether they keep within bounds."""
    states, ends, _ = matrix_sizes(region)
    table = region[T.TABLE]
    first, source = region[table + T.MATRIX_BEGIN], region[table + T.MATRIX_SOURCE]
    _, totals, _, _ = matrix_places(region)
    weighted = totals + ends
    zero, none, one = broadcast(0.0), broadcast(inf), broadcast(1.0)
    for column in range(count):
        if not exponentiate_columns(region, work, column, surprisals):
            return False
        columns, values, _, _ = end_rows(region, column)
        scores, products, _, _ = matrix_frames(region, begin + column)
        after, after_products, after_means, scalars = matrix_frames(region, begin + column + 1)
        clear(work, totals, 2 * ends)
        multiply(region, work, scores + source, products + source, totals, weighted)
        most, least = zero, none
        sum_, sum_of_means = zero, zero
        for k in range(0, ends, 8):
            total = load(work, totals + k)
            score = total * load(work, columns + k)
            mean = load(work, values + k) + divide(load(work, weighted + k), where_greater(total, zero, total, one))
            mean = where_greater(score, zero, mean, zero)
            store(work, totals + k, score)
            store(work, weighted + k, mean)
            most = greater(most, score)
            least = lesser(least, where_greater(score, zero, score, none))
            sum_ = sum_ + score
            sum_of_means = sum_of_means + score * mean
        high = greatest_of(most)
        if high < 2.0**-1000:
            return False
        scale = power_of_two(-exponent_of(high))
        if least_of(least) * scale < _LEAST:
            return False
        shift = sum_of(sum_of_means) / sum_of(sum_)
        work[AHEAD] += shift
        work[scalars], work[scalars + 1] = scale, shift
        clear(work, after, 3 * states)
        for k in range(0, ends, 8):
            score = load(work, totals + k) * scale
            mean = where_greater(score, zero, load(work, weighted + k) - shift, zero)
            store(work, after + first + k, score)
            store(work, after_means + first + k, mean)
            store(work, after_products + first + k, score * mean)
    return True


@kernel(f"float64({_PLACE}, int64, boolean)", internal=True, lazy=True)
def finish_matrix(region, work, n_frames, surprisals):
    """The expectation, and the visits and surprises with which the way back begins."""
    states, ends, _ = matrix_sizes(region)
    _, scratch, _, _ = matrix_places(region)
    visits = scratch + 2 * ends
    clear(work, visits, 2 * states)
    scores, _, means, _ = matrix_frames(region, n_frames)
    total = 0.0
    for k in range(region[T.N_ACCEPTS]):
        total += work[scores + region[region[T.ACCEPTS] + k]]
    work[SCORE] = 1.0 if total > 0.0 else 0.0
    if total == 0.0:
        return 0.0
    expected = 0.0
    for k in range(region[T.N_ACCEPTS]):
        state = region[region[T.ACCEPTS] + k]
        work[visits + state] = work[scores + state] / total
        expected += work[visits + state] * work[means + state]
    for k in range(region[T.N_ACCEPTS]):
        state = region[region[T.ACCEPTS] + k]
        work[visits + states + state] = work[visits + state] * (work[means + state] - expected)
    if surprisals:  # −log p(path) is the score, in units of factors and columns, less the path's weight
        expected += log(total)
        for frame in range(n_frames):
            _, _, _, scalars = matrix_frames(region, frame + 1)
            expected -= log(work[scalars])
    work[AHEAD] += expected
    return work[AHEAD]


@helper
def multiply_back(region, work, ends_first, ends_second, to, to_second):
    """The transposed products: of factors with g, and with h, to which those of factors × values with g are added."""
    _, _, n_factors = matrix_sizes(region)
    factors, _, _, _ = matrix_places(region)
    table = region[T.TABLE]
    n_rows, length = region[table + T.MATRIX_ROWS], region[table + T.MATRIX_WIDTH]
    for row in range(0, n_rows, 4):
        factor0 = factors + row * length
        factor1 = factor0 + length
        factor2 = factor1 + length
        factor3 = factor2 + length
        g0, g1 = broadcast(number(work, ends_first + row)), broadcast(number(work, ends_first + row + 1))
        g2, g3 = broadcast(number(work, ends_first + row + 2)), broadcast(number(work, ends_first + row + 3))
        h0, h1 = broadcast(number(work, ends_second + row)), broadcast(number(work, ends_second + row + 1))
        h2, h3 = broadcast(number(work, ends_second + row + 2)), broadcast(number(work, ends_second + row + 3))
        for k in range(0, length, 8):
            m0, m1 = load(work, factor0 + k), load(work, factor1 + k)
            m2, m3 = load(work, factor2 + k), load(work, factor3 + k)
            store(work, to + k, load(work, to + k) + ((m0 * g0 + m1 * g1) + (m2 * g2 + m3 * g3)))
            sent = (m0 * h0 + m1 * h1) + (m2 * h2 + m3 * h3)
            other = load(work, n_factors + factor0 + k) * g0 + load(work, n_factors + factor1 + k) * g1
            other = other + load(work, n_factors + factor2 + k) * g2
            sent = sent + (other + load(work, n_factors + factor3 + k) * g3)
            store(work, to_second + k, load(work, to_second + k) + sent)


@kernel(f"void({_PLACE}, int64, int64, boolean, boolean)", internal=True, lazy=True)
def matrix_back(region, work, begin, count, want_weights, surprisals):
    """The way back through a block, whose columns are there; derivatives of columns are written for its frames."""
    n_slots = region[T.N_SLOTS]
    states, ends, _ = matrix_sizes(region)
    table = region[T.TABLE]
    first, source = region[table + T.MATRIX_BEGIN], region[table + T.MATRIX_SOURCE]
    n_rows, length = region[table + T.MATRIX_ROWS], region[table + T.MATRIX_WIDTH]
    slots = region[T.STATE_SLOTS] + first
    _, scratch, _, _ = matrix_places(region)
    visits = scratch + 2 * ends
    surprises = visits + states
    _, _, by_column, by_value = column_places(region)
    zero, one = broadcast(0.0), broadcast(1.0)
    for back in range(count):
        column = count - 1 - back
        exponentiate_columns(region, work, column, surprisals)
        columns, values, g, h = end_rows(region, column)
        scores, products, _, _ = matrix_frames(region, begin + column)
        after, _, means, scalars = matrix_frames(region, begin + column + 1)
        scale, shift = work[scalars], work[scalars + 1]
        to_column, to_value = by_column + column * n_slots, by_value + column * n_slots
        for slot in range(n_slots):
            work[to_column + slot] = work[to_value + slot] = 0.0
        for row in range(n_rows):
            work[to_column + region[slots + row]] += work[surprises + first + row]
            work[to_value + region[slots + row]] += work[visits + first + row]
        for k in range(0, ends, 8):
            score = load(work, after + first + k)
            inverse = divide(load(work, columns + k) * scale, where_greater(score, zero, score, one))
            inverse = where_greater(score, zero, inverse, zero)
            own = load(work, visits + first + k) * inverse
            change = load(work, values + k) - load(work, means + first + k) - shift
            store(work, g + k, own)
            store(work, h + k, load(work, surprises + first + k) * inverse + own * change)
        clear(work, visits, 2 * states)
        multiply_back(region, work, g, h, visits + source, surprises + source)
        for k in range(0, length, 8):
            score, product = load(work, scores + source + k), load(work, products + source + k)
            share, sent = load(work, visits + source + k), load(work, surprises + source + k)
            store(work, visits + source + k, score * share)
            store(work, surprises + source + k, score * sent + product * share)
    if want_weights:
        add_outer_products(region, work, begin, count)


@helper
def add_outer_products(region, work, begin, count):
    """Add up, for each factor, over a block's frames: score × g, and score × h + score × mean × g."""
    _, ends, n_factors = matrix_sizes(region)
    factors, _, block, _ = matrix_places(region)
    table = region[T.TABLE]
    source, length = region[table + T.MATRIX_SOURCE], region[table + T.MATRIX_WIDTH]
    n_rows = region[table + T.MATRIX_ROWS]
    scores, products, _, _ = matrix_frames(region, begin)
    following, _, _, _ = matrix_frames(region, begin + 1)
    stride = following - scores
    to_products = products - scores
    for row in range(0, n_rows, 2):
        for k in range(0, length, 8):
            first0 = first1 = second0 = second1 = third0 = third1 = broadcast(0.0)
            at = scores + source + k
            g = block + 2 * ends + row
            h = g + ends
            for _ in range(count):
                score = load(work, at)
                product = load(work, at + to_products)
                g0, g1 = broadcast(number(work, g)), broadcast(number(work, g + 1))
                first0 = first0 + score * g0
                first1 = first1 + score * g1
                second0 = second0 + score * broadcast(number(work, h))
                second1 = second1 + score * broadcast(number(work, h + 1))
                third0 = third0 + product * g0
                third1 = third1 + product * g1
                at += stride
                g += END_ROWS * ends
                h += END_ROWS * ends
            to = factors + 2 * n_factors + row * length + k
            store(work, to, load(work, to) + first0)
            store(work, to + length, load(work, to + length) + first1)
            store(work, to + n_factors, load(work, to + n_factors) + (second0 + third0))
            to += length
            store(work, to + n_factors, load(work, to + n_factors) + (second1 + third1))


@kernel(f"void({_PLACE})", internal=True, lazy=True)
def matrix_sums(region, work):
    """Write the arcs' derivatives, with respect to weights and to values, of their sums over all frames."""
    _, _, n_factors = matrix_sizes(region)
    factors, _, _, _ = matrix_places(region)
    by_weight, by_value = arc_place(region, 4), arc_place(region, 5)
    for arc in range(region[T.N_ARCS]):
        place = factors + region[region[T.ARC_FACTORS] + arc]
        first, second = work[place + 2 * n_factors], work[place + 3 * n_factors]
        work[by_value + arc] = work[place] * first
        work[by_weight + arc] = work[place] * second + work[place + n_factors] * first
