"""Count n-grams with a derivative.

S skips letters and N spells a pair of them, so `S N S` composed with a text T has one path for each pair at each place:

    COUNT[(S N S) ∘ T]        how many pairs there are
    LSE[(S N S) ∘ T]          the log of that; its gradient: the share of the paths through each arc of N

So one backward pass counts every pair at once. The same equation takes a text that is not known for sure, a dense input
with a probability for each letter at each place, and then gives expected counts, exactly.

Run: python examples/count_ngrams.py
"""

from __future__ import annotations

from collections import Counter

import numpy as np

import arcgrad as ag

TEXT = (
    "shall i compare thee to a summers day thou art more lovely and more temperate "
    "rough winds do shake the darling buds of may and summers lease hath all too short a date"
)
LETTERS = ag.SymbolTable("abcdefghijklmnopqrstuvwxyz ")
SIZE = len(LETTERS)

# One state that reads anything; and all pairs of letters, each ending in an arc of its own.
SKIP = ag.Graph.from_arcs([(0, 0, letter) for letter in range(SIZE)], accept=[0])
PAIRS = ag.Graph.from_arcs(
    [(0, 1 + first, first) for first in range(SIZE)]
    + [(1 + first, 1 + SIZE, second) for first in range(SIZE) for second in range(SIZE)],
    accept=[1 + SIZE],
)


def count_pairs(text: ag.Graph | ag.Dense) -> dict[str, float]:
    """The (expected) number of occurrences of each pair of letters in a text."""
    value, gradient = ag.compile("LSE[(S N S) ∘ T] - LSE[T]").value_and_grad(S=SKIP, N=PAIRS, T=text, wrt="N")
    counts = np.exp(value) * gradient["N"][SIZE:].reshape(SIZE, SIZE)
    return {
        LETTERS.symbol(first) + LETTERS.symbol(second): float(counts[first, second])
        for first in range(SIZE)
        for second in range(SIZE)
    }


def blurred(text: str, certainty: float = 0.9) -> ag.Dense:
    """The text as a reader sees it who takes each letter for another one now and then: (T, 27) log-probabilities."""
    scores = np.full((len(text), SIZE), np.log((1 - certainty) / (SIZE - 1)))
    scores[np.arange(len(text)), LETTERS.encode(text)] = np.log(certainty)
    return ag.dense(scores)


def main() -> tuple[dict[str, float], dict[str, float]]:
    text = ag.linear(LETTERS.encode(TEXT))
    total = ag.compile("COUNT[(S N S) ∘ T]")(S=SKIP, N=PAIRS, T=text)
    print(f"{len(TEXT)} letters, {total} pairs")
    the = ag.compile('COUNT[(S "the" S) ∘ T]', LETTERS)(S=SKIP, T=text)
    print(f'"the" occurs {the} times\n')

    known = count_pairs(text)
    expected = count_pairs(blurred(TEXT))
    truth = Counter(TEXT[i : i + 2] for i in range(len(TEXT) - 1))
    print("pair   by Python   by derivative   expected, if a letter is read right 9 times in 10")
    for pair, count in truth.most_common(10):
        print(f"{pair!r:>4}   {count:9}   {known[pair]:13.6f}   {expected[pair]:8.3f}")
    return known, expected


if __name__ == "__main__":
    main()
