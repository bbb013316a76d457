"""The pictures of README and docs/, made by the code that they illustrate: docs/pictures/NAME.svg by a function each.

A picture is a function without arguments whose name is the file's, with ``_`` for ``-``. The textbook's figures name
weights instead of giving them numbers: ``named`` puts such names into labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import operators_page

import arcgrad as ag
from arcgrad.runtime.draw.drawing import Drawing

__all__ = ["pictures"]

FOLDER = Path(__file__).parent.parent / "pictures"
_PICTURES: list[Callable[[], Drawing]] = []


def pictures() -> Iterator[tuple[Path, str]]:
    """Each file with its text."""
    for draw in _PICTURES:
        yield FOLDER / f"{draw.__name__.replace('_', '-')}.svg", draw().svg
    for name, drawing in operators_page.pictures():
        yield FOLDER / f"{name}.svg", drawing.svg


def picture(draw: Callable[[], Drawing]) -> Callable[[], Drawing]:
    _PICTURES.append(draw)
    return draw


def named(graph: ag.Graph, weights: Iterable[str], title: str, color: object = None) -> Drawing:
    """The drawing of a graph whose weights are names."""
    letters = {-1: "ε", **{ord(letter): letter for letter in "abcdefghijklmnopqrstuvwxyz"}}
    texts = [f"{letters[label]}/{name}" for label, name in zip(graph.ilabel.tolist(), weights, strict=True)]
    arcs = [(src, dst, arc) for arc, (src, dst) in enumerate(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))]
    plain = ag.Graph.from_arcs(arcs, start=graph.start, accept=graph.accept, n_states=graph.n_states)
    return plain.draw(symbols=texts, title=title, color=color)


def numbered(letter: str, count: int) -> list[str]:
    return [f"{letter}{number}" for number in range(1, count + 1)]


# README

READ = ag.Graph.from_arcs(
    [
        (src, dst, ord(letter), weight)
        for src, dst, letter, weight in [
            (0, 1, "c", 0.0),
            (1, 2, "a", -0.2),
            (1, 2, "o", -1.7),
            (2, 3, "t", -0.5),
            (2, 3, "r", -1.5),
            (2, 3, "n", -1.7),
        ]
    ],
    start=[0],
    accept=[3],
)


@picture
def equation() -> Drawing:
    value, grad = ag.compile('LSE[("cat" + "car") ∘ X]').value_and_grad(X=READ)
    title = f'LSE[("cat" + "car") ∘ X] = {value:.4f}'.replace("-", "−")
    return READ.draw(symbols=chr, color=grad["X"], title=title)


# Tutorial

LETTERS = ag.SymbolTable(["-", "a", "b", "c"])
CHOICE = ag.Graph.from_arcs([(0, 1, 1, np.log(0.6)), (0, 1, 2, np.log(0.4)), (1, 2, 3, 0.0)], start=[0], accept=[2])


@picture
def tutorial_arc() -> Drawing:
    return ag.Graph.from_arcs([(0, 1, 5, -0.5)], start=[0], accept=[1]).draw(title="A")


@picture
def tutorial_choice() -> Drawing:
    return CHOICE.draw(symbols=LETTERS, title="B")


@picture
def tutorial_words() -> Drawing:
    return ag.compile('("a" + "b") "c"*', symbols=LETTERS)().draw(symbols=LETTERS, title='("a" + "b") "c"*')


@picture
def tutorial_posterior() -> Drawing:
    _, grad = ag.compile("LSE[B]").value_and_grad(B=CHOICE)
    return CHOICE.draw(symbols=LETTERS, color=grad["B"], title="∂LSE[B] / ∂B")


@picture
def tutorial_alignments() -> Drawing:
    return ag.graphs.alignments([1, 3], blank=0).draw(symbols=LETTERS, title='alignments of "ac"')


@picture
def tutorial_trellis() -> Drawing:
    scores = np.log([[0.6, 0.3, 0.05, 0.05], [0.2, 0.7, 0.05, 0.05], [0.5, 0.4, 0.05, 0.05], [0.1, 0.1, 0.1, 0.7]])
    ctc = ag.compile("LSE[X] - LSE[X ∘ Y]")
    title = 'LSE[X ∘ Y]: how likely each label is in each frame, given "ac"'
    Y = ag.graphs.alignments([1, 3], blank=0)
    return ctc.draw_trellis(X=scores, Y=Y, of="labels", symbols=LETTERS, title=title)


# The textbook's chapter 5

A = ag.linear("ab", [0.0, 0.0])
B = ag.linear("ca", [0.0, 0.0])
A_STAR_B_C_STAR = ag.Graph.from_arcs([(0, 0, ord("a")), (0, 1, ord("b")), (1, 1, ord("c"))], start=[0], accept=[1])
LENGTH_THREE = ag.Graph.from_arcs([(i, i + 1, ord(letter)) for i in range(3) for letter in "abc"], accept=[3])


@picture
def textbook_a() -> Drawing:
    return named(A, numbered("A", 2), "A")


@picture
def textbook_b() -> Drawing:
    return named(B, numbered("B", 2), "B")


@picture
def textbook_concatenation() -> Drawing:
    return named(ag.compile("A B")(A=A, B=B), numbered("C", 5), "C = A B")


@picture
def textbook_union() -> Drawing:
    return named(ag.compile("A + B")(A=A, B=B), numbered("C", 4), "C = A + B")


@picture
def textbook_closure() -> Drawing:
    return named(ag.compile("A*")(A=A), numbered("w", 4), "A*")


@picture
def textbook_row() -> Drawing:
    row = ag.compile("A B").jacobian(wrt="A", A=A, B=B).row(1)
    return A.draw(symbols=chr, color=row.weight, title="∂C2 / ∂A, a graph like A")


@picture
def textbook_column() -> Drawing:
    column = ag.compile("A B").jacobian(wrt="A", A=A, B=B).column(1)
    return ag.compile("A B")(A=A, B=B).draw(symbols=chr, color=column.weight, title="∂C / ∂A2, a graph like C")


@picture
def textbook_operand_a() -> Drawing:
    return named(A_STAR_B_C_STAR, numbered("A", 3), "A: a* b c*")


@picture
def textbook_operand_b() -> Drawing:
    return named(LENGTH_THREE, numbered("B", 9), "B: every string of length three")


@picture
def textbook_intersection() -> Drawing:
    made = ag.compile("A ∩ B")(A=A_STAR_B_C_STAR, B=LENGTH_THREE)
    return named(made, numbered("w", 7), "A ∩ B")


@picture
def textbook_posterior() -> Drawing:
    a = A_STAR_B_C_STAR.with_weight([0.1, 0.2, 0.3])
    b = LENGTH_THREE.with_weight(np.repeat([1.0, 2.0, 3.0], 3))
    made = ag.compile("A ∩ B")(A=a, B=b)
    _, grad = ag.compile("LSE[G]").value_and_grad(G=made)
    return made.draw(symbols=chr, color=grad["G"], title="∂LSE[A ∩ B] / ∂(A ∩ B)")


@picture
def textbook_jacobian_a() -> Drawing:
    jacobian = ag.compile("A ∩ B").jacobian(wrt="A", A=A_STAR_B_C_STAR, B=LENGTH_THREE)
    return jacobian.draw(title="∂(A ∩ B) / ∂A")


@picture
def textbook_jacobian_b() -> Drawing:
    jacobian = ag.compile("A ∩ B").jacobian(wrt="B", A=A_STAR_B_C_STAR, B=LENGTH_THREE)
    return jacobian.draw(title="∂(A ∩ B) / ∂B")


EQUATION_4 = "LSE[((A1 + A2) ∘ X*)]"


@picture
def textbook_computation() -> Drawing:
    return ag.compile(EQUATION_4).draw(data="X")


@picture
def textbook_trace() -> Drawing:
    leaves = {
        "A1": ag.linear("ab", [-0.1, -0.2]),
        "A2": ag.linear("aab", [-0.3, -0.4, -0.5]),
        "X": ag.Graph.from_arcs([(0, 1, ord("a"), -1.0), (0, 1, ord("b"), -1.5)], start=[0], accept=[1]),
    }
    return ag.compile(EQUATION_4).trace(leaves).draw(data="X", symbols=chr)


# How the compiler works


@picture
def compiler_dag() -> Drawing:
    return ag.compile("(1 / 2) LSE[X] - LSE[rev[rev[X ∘ T ∘ Y]]]").draw(data="X")


# Pictures of graphs, equations and trellises

TARGET = ag.graphs.alignments([1, 2, 2, 3], blank=0)
FRAMES = 3.0 * np.random.default_rng(0).normal(size=(14, 4))


@picture
def drawing_transducer() -> Drawing:
    return ag.graphs.ctc_topology(3).draw(symbols=LETTERS, title="ag.graphs.ctc_topology(3)")


@picture
def drawing_cycle() -> Drawing:
    return ag.compile('"a" ("b" + "c" "a")*')().draw(symbols=chr, title='"a" ("b" + "c" "a")*')


@picture
def drawing_summary() -> Drawing:
    return ag.compile("X ∘ Y")(X=np.zeros((60, 4)), Y=TARGET).draw(title="X ∘ Y, 60 frames")


@picture
def drawing_states() -> Drawing:
    return ag.compile("LSE[X ∘ Y]").draw_trellis(X=FRAMES, Y=TARGET, title="states, over frames")


@picture
def drawing_passes() -> Drawing:
    return ag.compile("LSE[X ∘ Y]").draw_trellis(X=FRAMES, Y=TARGET, animate=True, title="forward, then backward")
