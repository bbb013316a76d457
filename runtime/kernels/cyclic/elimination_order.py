"""In which order to eliminate the states of cyclic components, and which entries of their matrices that fills.

Stage: symbolic part, called by ``regions.elimination``, compiled or as plain Python. The next state eliminated is one
with about the least product of neighbours before and after it (Markowitz, Management Science 3, 1957), which keeps
chains, bands and trees linear in size. Where a component's rest gets dense, that ends: a full block of numbers is then
eliminated faster than single entries of it.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel

__all__ = ["n_buckets", "order_elimination"]

_FINE = 5
"""Products of neighbours are told apart to so many bits."""

_LEAST_DENSE = 48
"""States below which a block is not worth its own kernel."""

_DENSE_SPEED = 64
"""Entries of a block eliminated in the time of one slot, in which numbers are logarithms."""


def n_buckets(n_states: int) -> int:
    """How many buckets there are for so many states."""
    return (2 * n_states.bit_length() + 2) << (_FINE - 1)


@helper
def bucket_of(before, after):
    """The bucket of a state with so many neighbours: of their product, its first bits."""
    product = before * after
    step = 0
    while product >> step >= 1 << _FINE:
        step += 1
    return (step << (_FINE - 1)) + (product >> step)


@helper
def find(row, column, rows, columns, table):
    """Where an entry's number stands in the hash table, or the free place for it."""
    mask = len(table) - 1
    place = row * 73856093 + column * 19349663
    place = (place ^ (place >> 15)) & mask
    while table[place] > 0 and (rows[table[place] - 1] != row or columns[table[place] - 1] != column):
        place = (place + 1) & mask
    return place


@helper
def put_first(state, number, heads, following, preceding):
    """Put a state at the head of a bucket's list."""
    following[state] = heads[number]
    preceding[state] = -1
    if heads[number] >= 0:
        preceding[heads[number]] = state
    heads[number] = state


@helper
def take_out(state, number, heads, following, preceding):
    """Take a state out of a bucket's list."""
    if following[state] >= 0:
        preceding[following[state]] = preceding[state]
    if preceding[state] >= 0:
        following[preceding[state]] = following[state]
    else:
        heads[number] = following[state]


@kernel(f"int64({', '.join(['const int32[::1]'] * 3 + ['int32[::1]'] * 19)})")
def order_elimination(
    begins, src, dst, rows, columns, next_in_row, next_in_column, table, first_in_row, first_in_column, n_after,
    n_before, heads, following, preceding, bucket, before, after, is_before, is_after, order, dense
):  # fmt: skip
    """Write the states in order of elimination, and the entries off the diagonal that have arcs or get filled.

    Args:
        begins: where each component begins among the states.
        src, dst: arcs inside components.
        rows, columns: of the entries, whose number is returned.
        next_in_row, next_in_column: as long; the next entry of the row and of the column.
        table: zeros, a power of two that is longer.
        n_after, n_before: 0 for each state.
        heads: −1 for each bucket.
        first_in_row, first_in_column, is_before, is_after: −1 for each state.
        following, preceding, bucket, before, after, order: of the number of states.
        dense: for each component, where in ``order`` those states begin that a block holds.

    Returns:
        number of entries, those of blocks as far as they were looked at; −1: there are more than ``rows`` holds.
    """
    count = 0
    for arc in range(len(src)):
        row, column = src[arc], dst[arc]
        if row != column:
            place = find(row, column, rows, columns, table)
            if table[place] == 0:
                rows[count], columns[count] = row, column
                next_in_row[count], next_in_column[count] = first_in_row[row], first_in_column[column]
                first_in_row[row] = first_in_column[column] = count
                n_after[row] += 1
                n_before[column] += 1
                count += 1
                table[place] = count
    for component in range(len(begins) - 1):
        low, high = begins[component], begins[component + 1]
        for state in range(high - 1, low - 1, -1):
            bucket[state] = bucket_of(n_before[state], n_after[state])
            put_first(state, bucket[state], heads, following, preceding)
        least = all_before = all_after = 0
        done = low
        last = -1
        while done < high:
            while heads[least] < 0:
                least += 1
            pivot = heads[least]
            left = high - done
            if left >= _LEAST_DENSE and n_before[pivot] * n_after[pivot] * _DENSE_SPEED >= left * left:
                break
            take_out(pivot, least, heads, following, preceding)
            bucket[pivot] = -1
            order[done] = pivot
            done += 1
            # Neighbours of the last pivot have all its others as theirs. One that has no more adds no entries.
            known = last >= 0 and is_before[pivot] == last and is_after[pivot] == last
            known = known and n_before[pivot] == all_before - 1 and n_after[pivot] == all_after - 1
            if not known:
                last = pivot
            all_before = 0
            entry = first_in_column[pivot]
            while entry >= 0:
                if bucket[rows[entry]] >= 0:
                    before[all_before] = rows[entry]
                    is_before[rows[entry]] = last
                    n_after[rows[entry]] -= 1
                    all_before += 1
                entry = next_in_column[entry]
            all_after = 0
            entry = first_in_row[pivot]
            while entry >= 0:
                if bucket[columns[entry]] >= 0:
                    after[all_after] = columns[entry]
                    is_after[columns[entry]] = last
                    n_before[columns[entry]] -= 1
                    all_after += 1
                entry = next_in_row[entry]
            for i in range(0 if known else all_before):
                row = before[i]
                for j in range(all_after):
                    column = after[j]
                    if row == column:
                        continue
                    place = find(row, column, rows, columns, table)
                    if table[place] == 0:
                        if count == len(rows):
                            return -1
                        rows[count], columns[count] = row, column
                        next_in_row[count], next_in_column[count] = first_in_row[row], first_in_column[column]
                        first_in_row[row] = first_in_column[column] = count
                        n_after[row] += 1
                        n_before[column] += 1
                        count += 1
                        table[place] = count
            for k in range(all_before + all_after):
                state = before[k] if k < all_before else after[k - all_before]
                number = bucket_of(n_before[state], n_after[state])
                if number != bucket[state]:
                    take_out(state, bucket[state], heads, following, preceding)
                    put_first(state, number, heads, following, preceding)
                    bucket[state] = number
                    least = min(least, number)
        dense[component] = done
        for state in range(low, high):
            if bucket[state] >= 0:
                take_out(state, bucket[state], heads, following, preceding)
                bucket[state] = -1
                order[done] = state
                done += 1
    return count
