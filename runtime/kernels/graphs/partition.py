"""Joins the states of a deterministic acceptor that accept the same strings, at the speed of compiled code.

Stage: symbolic part, called by `arcgrad.runtime.build.operators.support`. Hopcroft's refinement of a partition with the
data structures of A. Valmari, Fast Brief Practical DFA Minimization (Information Processing Letters 112, 2012).
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel

__all__ = ["WORK_ROWS", "minimize_arcs"]

WORK_ROWS = 7
"""Rows of each of the two workspaces."""

# Rows of a partition: its members part by part, each member's place there and part; of each part, where it begins and
# ends and how many of its members are marked, and the parts with marked members.
_MEMBERS, _PLACE, _PART, _FIRST, _END, _MARKED, _TOUCHED = range(WORK_ROWS)


@helper
def _mark(work, n_touched, member):
    """Move a member among the marked ones of its part; how many parts have some."""
    part = work[_PART, member]
    at = work[_PLACE, member]
    to = work[_FIRST, part] + work[_MARKED, part]
    if at < to:
        return n_touched
    other = work[_MEMBERS, to]
    work[_MEMBERS, at] = other
    work[_PLACE, other] = at
    work[_MEMBERS, to] = member
    work[_PLACE, member] = to
    if work[_MARKED, part] == 0:
        work[_TOUCHED, n_touched] = part
        n_touched += 1
    work[_MARKED, part] += 1
    return n_touched


@helper
def _split(work, n_touched, n_parts):
    """Of each part with marked members and others the smaller half becomes a new part; how many there are then."""
    for t in range(n_touched):
        part = work[_TOUCHED, t]
        first, end = work[_FIRST, part], work[_END, part]
        middle = first + work[_MARKED, part]
        work[_MARKED, part] = 0
        if middle == end:
            continue
        if middle - first <= end - middle:
            low, high = first, middle
            work[_FIRST, part] = middle
        else:
            low, high = middle, end
            work[_END, part] = middle
        for at in range(low, high):
            work[_PART, work[_MEMBERS, at]] = n_parts
        work[_FIRST, n_parts] = low
        work[_END, n_parts] = high
        work[_MARKED, n_parts] = 0
        n_parts += 1
    return n_parts


@helper
def _group(keys, n_keys, work, counts):
    """The partition into equal keys ``0 … n_keys − 1``, by rising key; how many parts there are."""
    for key in range(n_keys + 1):
        counts[key] = 0
    for member in range(len(keys)):
        counts[keys[member] + 1] += 1
    n_parts = 0
    for key in range(n_keys):
        size = counts[key + 1]
        counts[key + 1] += counts[key]
        if size:
            work[_FIRST, n_parts] = counts[key]
            work[_END, n_parts] = counts[key + 1]
            work[_MARKED, n_parts] = 0
            n_parts += 1
    for member in range(len(keys)):
        at = counts[keys[member]]
        counts[keys[member]] += 1
        work[_MEMBERS, at] = member
        work[_PLACE, member] = at
    for part in range(n_parts):
        for at in range(work[_FIRST, part], work[_END, part]):
            work[_PART, work[_MEMBERS, at]] = part
    return n_parts


@kernel(
    "void(int64, const int32[::1], int32[:, ::1], int32[:, ::1], int32[:, ::1], int32[::1], int32[::1], int32[::1], "
    "int64[::1])"
)
def minimize_arcs(n_labels, accepts, out, states, arcs, entering_first, entering, counts, sizes):
    """Minimise in place: ``out`` becomes the minimal acceptor's arcs.

    Args:
        n_labels: labels are ``0 … n_labels − 1``.
        accepts: (n,) 1 where a state accepts, else 0.
        out: rows source, destination, label of each of the m arcs, by source.
        states, arcs: workspaces of WORK_ROWS rows, (…, n) and (…, m). At last the first row of ``states`` has whether
            each state of the minimal acceptor accepts.
        entering_first: (n + 1,) scratch.
        entering: (m,) scratch.
        counts: scratch of 3 numbers or n_labels + 1.
        sizes: numbers of states and arcs of the minimal acceptor.
    """
    n, m = len(accepts), out.shape[1]
    for state in range(n + 1):
        entering_first[state] = 0
    for k in range(m):
        entering_first[out[1, k]] += 1
    for state in range(n):
        entering_first[state + 1] += entering_first[state]
    for k in range(m - 1, -1, -1):
        entering_first[out[1, k]] -= 1
        entering[entering_first[out[1, k]]] = k
    n_parts = _group(accepts, 2, states, counts)
    n_splitters = _group(out[2], n_labels, arcs, counts)
    done_parts, done_splitters = 1, 0
    while done_splitters < n_splitters:
        n_touched = 0
        for at in range(arcs[_FIRST, done_splitters], arcs[_END, done_splitters]):
            n_touched = _mark(states, n_touched, out[0, arcs[_MEMBERS, at]])
        n_parts = _split(states, n_touched, n_parts)
        done_splitters += 1
        while done_parts < n_parts:
            n_touched = 0
            for at in range(states[_FIRST, done_parts], states[_END, done_parts]):
                state = states[_MEMBERS, at]
                for k in range(entering_first[state], entering_first[state + 1]):
                    n_touched = _mark(arcs, n_touched, entering[k])
            n_splitters = _split(arcs, n_touched, n_splitters)
            done_parts += 1
    # Numbers by first occurrence: breadth first stays breadth first.
    for part in range(n_parts):
        states[_TOUCHED, part] = -1
    count = 0
    for state in range(n):
        part = states[_PART, state]
        states[_MARKED, state] = 0
        if states[_TOUCHED, part] < 0:
            states[_TOUCHED, part] = count
            states[_MEMBERS, count] = accepts[state]
            states[_MARKED, state] = 1
            count += 1
        states[_PLACE, state] = states[_TOUCHED, part]
    to = 0
    for k in range(m):
        source = out[0, k]
        if states[_MARKED, source]:
            out[0, to] = states[_PLACE, source]
            out[1, to] = states[_PLACE, out[1, k]]
            out[2, to] = out[2, k]
            to += 1
    sizes[0] = count
    sizes[1] = to
