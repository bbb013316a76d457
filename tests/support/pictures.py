"""The pictures that are looked at: by name, each as a Drawing. Tests compare them with golden files."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import arcgrad as ag

__all__ = ["PICTURES"]

Picture = Callable[[], Any]

NAMES = ["x", "internationalization", "日本語テキスト", "<script>alert(1)</script>", "e\u0301", " "]


def ladder(n_arcs: int) -> ag.Graph:
    """A lattice with that many arcs, some of which skip states."""
    rng = random.Random(5)
    arcs: list[tuple[int, int, int, float]] = []
    state = 0
    while len(arcs) < n_arcs:
        arcs.append((state, state + 1, rng.randrange(26), rng.randint(-20, 20) / 10))
        if rng.random() < 0.6:
            arcs.append((state, state + 2, rng.randrange(26), rng.randint(-20, 20) / 10))
        if rng.random() < 0.3:
            arcs.append((state, state + 1, rng.randrange(26), 0.0))
        state += 1
    arcs = arcs[:n_arcs]
    return ag.Graph.from_arcs(arcs, accept=[max(arc[1] for arc in arcs)])


def letters() -> str:
    return "abcdefghijklmnopqrstuvwxyz"


def posteriors() -> Any:
    graph = ladder(14)
    _, grad = ag.compile("LSE[A]").value_and_grad(A=graph)
    return graph.draw(color=grad["A"], symbols=letters(), title="posteriors")


def signed() -> Any:
    a = ag.Graph([0, 0, 1], [1, 1, 2], [0, 1, 2], accept=[2])
    return a.draw(color=[1.0, -0.5, 0.0], width=[1.0, 2.0, 3.0], symbols="abc")


# The textbook's worked examples: concatenation, closure, intersection, and the computation graph of a score.
A, B = ag.linear([0, 1], [0.5, 0.25]), ag.linear([2, 0], [1.0, -1.0])


def jacobian_column(text: str, wrt: str, column: int, **graphs: Any) -> Any:
    """How the arcs of a result depend on one arc of an input."""
    found = ag.compile(text).jacobian(wrt=wrt, **graphs)
    result = ag.compile(text)(**graphs)
    return result.draw(color=found.column(column), symbols="abc", title=f"∂({text})/∂{wrt}{column + 1}")


def textbook_intersection() -> dict[str, ag.Graph]:
    a = ag.Graph([0, 0, 1], [0, 1, 1], [0, 1, 2], weight=[0.1, 0.2, 0.3], accept=[1])
    b = ag.Graph(np.repeat(np.arange(3), 3), np.repeat(np.arange(1, 4), 3), [0, 1, 2] * 3, accept=[3])
    return {"A": a, "B": b}


def textbook_trace() -> Any:
    a1 = ag.Graph([0, 0, 1], [1, 1, 2], [0, 1, 2], weight=[0.5, -1.0, 0.0], accept=[2])
    x = ag.Graph([0, 0, 0], [1, 1, 1], [0, 1, 2], weight=[-1.0, -2.0, -0.5], accept=[1])
    trace = ag.compile("LSE[(A1 + A2) ∘ X*]").trace(A1=a1, A2=ag.linear([2, 0]), X=x)
    return trace.draw(data="X", symbols="abc")


def scores() -> Any:
    rng = random.Random(2)
    return np.array([[rng.randint(-30, 0) / 10 for _ in range(4)] for _ in range(12)])


_MAKERS: dict[str, Picture] = {
    "chain": lambda: ag.linear("cat", [0.5, 0.0, -1.25]).draw(symbols=chr),
    "self-loops": lambda: ag.Graph(
        [0, 0, 1, 1, 2, 2, 2, 2], [0, 1, 1, 2, 2, 2, 2, 2], [0, 1, 0, 1, 2, 3, 4, 5], weight=[0.5] * 8, accept=[2]
    ).draw(symbols=letters()),
    "ctc": lambda: ag.graphs.alignments([1, 2, 2]).draw(symbols="-ab", title="alignments of abb"),
    "ctc-topology": lambda: ag.graphs.ctc_topology(4).draw(symbols="-abc"),
    "asg": lambda: ag.graphs.bigram(np.arange(9.0).reshape(3, 3) / 10).draw(symbols="abc"),
    "lattice": lambda: ladder(13).draw(symbols=letters()),
    "cyclic": lambda: ag.Graph([0, 1, 2, 2, 1, 3], [1, 2, 0, 3, 0, 1], [0, 1, 2, 3, 4, 5], accept=[3]).draw(),
    "closure": lambda: ag.compile('("ab" + "c")*')().draw(symbols=chr),
    "parallel": lambda: ag.Graph([0] * 4 + [1] * 9, [1] * 4 + [2] * 9, range(13), accept=[2]).draw(symbols=letters()),
    "transducer": lambda: ag.Graph(
        [0, 1, 2], [3, 3, 3], [0, 1, -1], [2, -1, -1], weight=[0.5, 0.0, -np.inf], start=[0, 1, 2], accept=[3, 1]
    ).draw(symbols="abc"),
    "epsilon": lambda: ag.compile("ε")().draw(),
    "empty": lambda: ag.compile("∅")().draw(title="nothing"),
    "lost-states": lambda: ag.Graph([0, 3, 4], [1, 4, 3], [0, 1, 2], accept=[1], n_states=6).draw(),
    "two-hundred": lambda: ladder(200).draw(symbols=letters()),
    "large": lambda: ladder(500).draw(title="five hundred arcs"),
    "tangle": lambda: ag.graphs.bigram(np.arange(169.0).reshape(13, 13) / 100).draw(),
    "names": lambda: ag.linear(NAMES, weight=[0.1, 0, 1, 2, 0, 0], symbols=NAMES).draw(
        symbols=NAMES, title="long & <b>names</b>"
    ),
    "posteriors": posteriors,
    "signed": signed,
    "concatenation": lambda: jacobian_column("A B", "A", 0, A=A, B=B),
    "closure-jacobian": lambda: jacobian_column("A*", "A", 1, A=A),
    "intersection": lambda: jacobian_column("A ∩ B", "A", 1, **textbook_intersection()),
    "computation": lambda: ag.compile("LSE[(A1 + A2) ∘ X*]").draw(data="X"),
    "ctc-loss": lambda: ag.compile("LSE[X] - LSE[X ∘ Y]").draw(data=["X"], title="CTC"),
    "all-kinds": lambda: ag.compile('α LSE[relabel[A, m] ∘ "ab"?] + MAX[prune[B{2,3}, 4]] / 2').draw(),
    "trace": textbook_trace,
    "heatmap": lambda: ag.heatmap(scores(), symbols="-abc", title="scores"),
    "trellis": lambda: ag.compile("LSE[X ∘ Y]").draw_trellis(
        X=scores(), Y=ag.graphs.alignments([1, 3]), symbols="-abc"
    ),
    "moving": lambda: ag.compile("LSE[X ∘ Y]").draw_trellis(
        X=scores()[:6], Y=ag.graphs.alignments([1]), of="labels", animate=True
    ),
}

PICTURES: dict[str, Picture] = {name: cache(make) for name, make in _MAKERS.items()}

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in PICTURES.items():
        picture().save(folder / f"{name}.png")
    print(f"{len(PICTURES)} pictures in {folder.resolve()}")
