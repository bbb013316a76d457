"""Learn automata: in the textbook's equation (4) the parameters are graphs, and so are the data.

    f = LSE[(A1 + A2) ∘ X*] - LSE[A1 + A2]

is the log-probability that a string drawn from A1 or A2 is made of copies of X. A1 reads four letters and A2 six, with
a weight for each letter at each place; a datum X is a small graph: the word "ab", or "c", then "a" or "b", then "b".
Arc weights θ follow the update rule θ ← θ + α ∇f. Both graphs could explain the first kind of data, only A2 the second;
no one tells them, but each comes to explain one kind. The best f there is: Σ p log p over how often each kind occurs.

Run: python examples/learn_graph.py
"""

from __future__ import annotations

import numpy as np

import arcgrad as ag

LETTERS = ag.SymbolTable("abc")
OBJECTIVE = ag.compile("LSE[(A1 + A2) ∘ X*] - LSE[A1 + A2]")
STEPS = 300
RATE = 0.5  # α


def reader(weights: np.ndarray) -> ag.Graph:
    """The acceptor of all strings of n letters; weights (n, 3) for each letter at each place."""
    n = len(weights)
    return ag.Graph.from_arcs(
        [(place, place + 1, letter, weights[place, letter]) for place in range(n) for letter in range(3)], accept=[n]
    )


def data() -> list[ag.Graph]:
    """Five data of one kind and three of the other."""
    alternating = ag.compile('"ab"', LETTERS)()
    uncertain = ag.compile('"c" ("a" + "b") "b"', LETTERS)()
    return [alternating] * 5 + [uncertain] * 3


def learn(steps: int = STEPS, seed: int = 0) -> tuple[list[float], ag.Graph, ag.Graph]:
    """Gradient ascent; the objective before each step, and the two graphs at the end."""
    random = np.random.default_rng(seed)
    a1, a2 = (reader(random.normal(0.0, 0.1, (n, 3))) for n in (4, 6))
    batch = data()
    history = []
    for step in range(steps):
        values, gradient = OBJECTIVE.value_and_grad(A1=a1, A2=a2, X=batch, wrt=("A1", "A2"))
        history.append(float(values.mean()))
        if step % (steps // 10) == 0 or step == steps - 1:
            print(f"step {step:4}   f = {history[-1]:9.5f}")
        # A shared input's gradient is the sum over the batch; f is the mean.
        a1 = a1.with_weight(a1.weight + RATE * gradient["A1"] / len(batch))
        a2 = a2.with_weight(a2.weight + RATE * gradient["A2"] / len(batch))
    return history, a1, a2


def show(name: str, graph: ag.Graph) -> list[str]:
    """List a learned graph: the probability of each letter at each place."""
    weights = graph.weight.reshape(-1, 3)
    odds = np.exp(weights - weights.max(axis=1, keepdims=True))
    rows = odds / odds.sum(axis=1, keepdims=True)
    print(f"\n{name}" + "".join(f"{LETTERS.symbol(letter):>8}" for letter in range(3)))
    for place, row in enumerate(rows):
        print(f"{place} → {place + 1}" + "".join(f"{p:8.3f}" for p in row))
    return [LETTERS.symbol(int(letter)) for letter in rows.argmax(axis=1)]


def main() -> list[float]:
    print(OBJECTIVE.text, end="\n\n")
    history, a1, a2 = learn()
    best = 5 / 8 * np.log(5 / 8) + 3 / 8 * np.log(3 / 8)
    print(f"the best there is: {best:9.5f}")
    show("A1", a1)
    show("A2", a2)
    return history


if __name__ == "__main__":
    main()
