"""Edit distance as an equation: two strings, and a transducer E that edits one into the other between them.

    MAX[A ∘ E ∘ B]       minus the distance: the weight of the cheapest way
    PATH[A ∘ E ∘ B]      that way itself: the alignment
    COUNT[A ∘ E ∘ B]     how many ways there are

E's arcs share three weights ("tied"): what a substitution, an insertion and a deletion cost. The derivative of the
distance by those is how often the cheapest way uses each; that of LSE, in which every way has a say, is the expected
number of each, which is what one needs to learn costs from data (Ristad and Yianilos, 1998).

Run: python examples/edit_distance.py [one other]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

import arcgrad as ag

EPSILON = -1
KEEP, SUBSTITUTE, INSERT, DELETE = range(4)
COSTS = {"substitution": 1.0, "insertion": 1.0, "deletion": 1.0}


def edit_transducer(alphabet: Sequence[int], costs: Sequence[float]) -> ag.Graph:
    """One state with an arc for each edit: x:x, x:y, ε:y and x:ε, their weights tied by kind; a kept letter is free."""
    arcs = [(x, y, KEEP if x == y else SUBSTITUTE) for x in alphabet for y in alphabet]
    arcs += [(EPSILON, y, INSERT) for y in alphabet] + [(x, EPSILON, DELETE) for x in alphabet]
    reads, writes, kinds = zip(*arcs, strict=True)
    everywhere = [0] * len(arcs)
    weight = [0.0, *(-cost for cost in costs)]
    return ag.Graph(everywhere, everywhere, reads, writes, weight, tie=kinds, start=[0], accept=[0])


def alignment(path: ag.Graph) -> list[tuple[str, str]]:
    """The pairs of letters that a path puts side by side; "-" where there is none."""
    return [
        (chr(reads) if reads != EPSILON else "-", chr(writes) if writes != EPSILON else "-")
        for reads, writes in zip(path.ilabel.tolist(), path.olabel.tolist(), strict=True)
    ]


def main(argv: Sequence[str] | None = None) -> tuple[float, np.ndarray]:
    arguments = sys.argv[1:] if argv is None else argv
    one, other = arguments if len(arguments) == 2 else ("kitten", "sitting")
    alphabet = sorted({ord(letter) for letter in one + other})
    inputs = {
        "A": ag.linear(one),
        "E": edit_transducer(alphabet, list(COSTS.values())),
        "B": ag.linear(other),
    }

    value, gradient = ag.compile("MAX[A ∘ E ∘ B]").value_and_grad(inputs, wrt="E")
    used = gradient["E"]
    print(f"{one!r} → {other!r}: distance {-value:g}, out of {ag.compile('COUNT[A ∘ E ∘ B]')(inputs):,} ways to edit\n")
    pairs = alignment(ag.compile("PATH[A ∘ E ∘ B]")(inputs))
    print("  " + " ".join(x for x, _ in pairs))
    print("  " + " ".join("|" if x == y else " " for x, y in pairs))
    print("  " + " ".join(y for _, y in pairs))

    soft, gradient = ag.compile("LSE[A ∘ E ∘ B]").value_and_grad(inputs, wrt="E")
    print(f"\nderivatives by the cost of   {'MAX':>6}   LSE ({soft:.4f})")
    for kind, name in enumerate(COSTS, start=1):
        print(f"  {name:<26} {used[kind]:6g}   {gradient['E'][kind]:.4f}")
    return -value, used


if __name__ == "__main__":
    main()
