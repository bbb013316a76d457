"""What an operator of two graphs takes from its operands' weights: sums, and the selection that names them.

Stage: symbolic part and graph-valued equations, called by `arcgrad.runtime.build.built_graph`.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import kernel

__all__ = ["join_arcs", "sum_weights"]


@kernel("void(const int32[::1], const float64[::1], const int32[::1], const float64[::1], float64[::1])")
def sum_weights(left_arc, left_weight, right_arc, right_weight, total):
    """Add up two operands' weights for each arc; −1: none of that operand's."""
    for k in range(len(total)):
        left, right = left_arc[k], right_arc[k]
        if right < 0:
            total[k] = left_weight[left] if left >= 0 else 0.0
        elif left < 0:
            total[k] = right_weight[right]
        else:
            total[k] = left_weight[left] + right_weight[right]


@kernel("int64(const int32[::1], int64, const int32[::1], int64, int64[::1], int32[::1], int32[::1])")
def join_arcs(left_arc, left_leaf, right_arc, right_leaf, offsets, leaf, arc):
    """Write the selection of a graph whose arcs take what these say of two leaves; how many entries it has."""
    at = 0
    for k in range(len(left_arc)):
        offsets[k] = at
        if left_arc[k] >= 0:
            leaf[at] = left_leaf
            arc[at] = left_arc[k]
            at += 1
        if right_arc[k] >= 0:
            leaf[at] = right_leaf
            arc[at] = right_arc[k]
            at += 1
    offsets[len(left_arc)] = at
    return at
