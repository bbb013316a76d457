"""The textbook's worked derivatives, arc for arc.

Every arc that a structural operator makes takes its weight from arcs of its operands, so the Jacobian of such an
equation is a table of "this arc comes from that one". Four examples from A. Hannun, *An Introduction to Weighted
Automata in Machine Learning*: concatenation, closure, intersection, and a score differentiated in reverse.

Run: python examples/textbook_derivatives.py
"""

from __future__ import annotations

import numpy as np

import arcgrad as ag

LABELS = {0: "a", 1: "b", 2: "c", -1: "ε"}


def sources(equation: str, **graphs: ag.Graph) -> tuple[ag.Graph, list[str]]:
    """The graph that an equation makes, and for each of its arcs the arcs (A1, A2, …) that its weight is the sum of."""
    compiled = ag.compile(equation)
    made = compiled(graphs)
    taken: list[list[str]] = [[] for _ in range(made.n_arcs)]
    for name, jacobian in compiled.jacobian(graphs).items():
        for row, column, value in zip(jacobian.rows, jacobian.columns, jacobian.values, strict=True):
            taken[row].append(f"{name}{column + 1}" if value == 1 else f"{value:g}·{name}{column + 1}")
    return made, [" + ".join(arcs) for arcs in taken]


def show(equation: str, **graphs: ag.Graph) -> list[str]:
    """Print each arc of the result beside its cotangent, and give the latter back."""
    made, taken = sources(equation, **graphs)
    print(f"C = {equation}: {made.n_states} states, {made.n_arcs} arcs")
    for arc in range(made.n_arcs):
        label = LABELS[int(made.ilabel[arc])]
        derivative = f"= {taken[arc]}, so ∂C{arc + 1}/∂{{{taken[arc].replace(' + ', ', ')}}} = 1"
        print(
            f"  C{arc + 1}: {made.src[arc]} → {made.dst[arc]}  {label}  weight {made.arc_weight[arc]:4.1f} "
            + (derivative if taken[arc] else "(no derivative)")
        )
    print()
    return taken


def concatenation() -> list[str]:
    """Two chains of two arcs: the third arc of C is the ε between them."""
    return show("A B", A=ag.linear([0, 1], [0.1, 0.2]), B=ag.linear([2, 0], [0.3, 0.4]))


def closure() -> list[str]:
    """The closure of a chain: an ε arc into it and one back."""
    return show("A*", A=ag.linear([0, 1], [0.1, 0.2]))


def intersection() -> list[str]:
    """`a* b c*` with every string of length three: each arc of C is a pair of arcs."""
    a = ag.Graph.from_arcs([(0, 0, 0, 0.1), (0, 1, 1, 0.2), (1, 1, 2, 0.3)], start=[0], accept=[1])
    b = ag.Graph.from_arcs([(i, i + 1, label, i + 1.0) for i in range(3) for label in range(3)], accept=[3])
    return show("A ∩ B", A=a, B=b)


def backward() -> dict[str, np.ndarray]:
    """Equation (4): values in order, then gradients in reverse: ∂G4/∂aⱼ = Σᵢ ∂G4/∂gᵢ · ∂gᵢ/∂aⱼ."""
    equation = ag.compile("LSE[(A1 + A2) ∘ X*]")
    trace = equation.trace(
        A1=ag.linear([0, 1], [-0.1, -0.2]),
        A2=ag.linear([0, 0, 1], [-0.3, -0.4, -0.5]),
        X=ag.Graph.from_arcs([(0, 1, 0, -1.0), (0, 1, 1, -1.5)], accept=[1]),
    )
    print(equation.text)
    print("forward:")
    for node in trace.nodes:
        print(f"  {node.name} = {node.expression}: {node.value!r}" if node.inputs else f"  {node.name}: {node.value!r}")
    print("backward:")
    for node in reversed(trace.nodes):
        print(f"  ∂G4/∂{node.name} = {np.array2string(np.asarray(node.gradient), precision=4, max_line_width=100)}")
    # The same rule by hand: the gradient by G3's arcs, times the Jacobian of G3 by A1.
    structure = ag.compile("(A1 + A2) ∘ X*")
    graphs = {name: trace[name].value for name in ("A1", "A2", "X")}
    by_hand = trace["G3"].gradient @ structure.jacobian(graphs, wrt="A1").toarray()
    print(f"by hand, ∂G4/∂G3 · ∂G3/∂A1 = {np.array2string(by_hand, precision=4)}")
    return {"trace": np.asarray(trace["A1"].gradient), "by hand": by_hand}


def main() -> None:
    print("1. Concatenation\n")
    concatenation()
    print("2. Closure\n")
    closure()
    print("3. Intersection\n")
    intersection()
    print("4. A score and its backward pass\n")
    backward()


if __name__ == "__main__":
    main()
