"""Classes of equal states of deterministic machines, whose weights are given by numbers of classes of weights.

Acyclic machines are gone through once, from the ends (Revuz, Minimisation of acyclic deterministic automata, 1992);
others again and again, until classes that have been told apart tell no further ones apart (Moore 1956).
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel

__all__ = ["join_states", "walk_classes"]


@helper
def mixed(found, number):
    """A hash that another number has entered."""
    found = (found ^ np.int64(number)) * np.int64(0x100000001B3)
    return found ^ (found >> np.int64(29))


@kernel(
    "int64(const int32[::1], const int64[::1], const int32[::1], const int32[::1], const int32[::1], const int32[::1], "
    "const int32[::1], int32[::1], int32[::1], int32[::1])"
)
def join_states(order, pointers, ranks, targets, weights, ends, known, places, firsts, classes):
    """Write the class of each state, and the first state found of each; how many there are.

    Args:
        order: states; they are taken from the last to the first.
        pointers, ranks, targets, weights: arcs, in order of labels; weights by class.
        ends: the class of what ends at each state, or its class so far.
        known: classes of the states that arcs lead to: ``classes`` itself where these come before, or those so far.
        places: a table of a power of two of at least twice as many places as states.
        firsts: takes the first state of each class.
        classes: takes the states' classes.
    """
    mask = len(places) - 1
    for place in range(len(places)):
        places[place] = -1
    count = 0
    for k in range(len(order) - 1, -1, -1):
        state = order[k]
        low, high = pointers[state], pointers[state + 1]
        found = mixed(np.int64(high - low), ends[state])
        for arc in range(low, high):
            found = mixed(mixed(mixed(found, ranks[arc]), weights[arc]), known[targets[arc]])
        place = found & mask
        own = -1
        while own < 0 and places[place] >= 0:
            other = firsts[places[place]]
            begin = pointers[other]
            same = pointers[other + 1] - begin == high - low and ends[other] == ends[state]
            arc = low
            while same and arc < high:
                like = begin + arc - low
                same = (
                    ranks[like] == ranks[arc]
                    and weights[like] == weights[arc]
                    and known[targets[like]] == known[targets[arc]]
                )
                arc += 1
            if same:
                own = places[place]
            place = (place + 1) & mask
        if own < 0:
            own = count
            places[place] = own
            firsts[own] = state
            count += 1
        classes[state] = own
    return count


@kernel("int64(const int64[::1], const int32[::1], const int32[::1], int32[::1], int32[::1])")
def walk_classes(pointers, targets, classes, order, numbers):
    """Write one state of each class in order of breadth, from state 0, and the classes' numbers; how many there are."""
    for k in range(len(numbers)):
        numbers[k] = -1
    order[0] = 0
    numbers[classes[0]] = 0
    count = 1
    done = 0
    while done < count:
        for arc in range(pointers[order[done]], pointers[order[done] + 1]):
            state = targets[arc]
            if numbers[classes[state]] < 0:
                numbers[classes[state]] = count
                order[count] = state
                count += 1
        done += 1
    return count
