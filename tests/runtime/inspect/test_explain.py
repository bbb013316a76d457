"""What explain says: rewriting, regions, hoisting, sizes and the tier."""

from __future__ import annotations

import numpy as np
import pytest

import arcgrad as ag

LINE = ag.linear([0, 1])


def test_without_inputs_the_plan_alone() -> None:
    found = ag.compile("LSE[rev[A]] - LSE[A ∘ X]").explain()
    assert found.equation == "LSE[rev[A]] - LSE[A ∘ X]"
    assert found.inputs == (("A", "graph"), ("X", "graph"))
    assert any("LSE[rev[A]] = LSE[A]" in line for _, line in found.passes)
    assert (found.costs, found.tier) == ((), None)
    assert str(found) == repr(found)


def test_with_inputs_sizes_and_what_is_hoisted() -> None:
    equation = ag.compile("LSE[A B] + LSE[A ∘ C]")
    shown = str(equation.explain(A=LINE, B=LINE, C=[LINE, LINE, LINE]))
    assert "hoisted: built once for the batch" in shown
    assert "built for each item of the batch" in shown
    assert "LSE[A B]: 6 states, 5 arcs" in shown
    assert "3 items" in shown
    assert "bytes of workspace" in shown


def test_arc_frames_are_a_number_that_grows_with_arcs_frames_and_items() -> None:
    assert ag.compile("LSE[X ∘ A]").explain().arc_frames == 0
    loops = ag.Graph([0] * 5, [0] * 5, range(5), accept=[0])

    def cost(n_frames: int, items: int | None = None) -> float:
        shape = (n_frames, 5) if items is None else (items, n_frames, 5)
        return ag.compile("LSE[X ∘ A]").explain(X=np.zeros(shape), A=loops).arc_frames

    assert cost(12) == 5 * 12
    assert cost(24) == 2 * cost(12)
    assert cost(12, items=3) == 3 * cost(12)
    assert ag.compile("LSE[A ∘ B]").explain(A=LINE, B=LINE).arc_frames == 2


def test_materialised_dense_inputs_are_said() -> None:
    shown = str(ag.compile("LSE[X* ∘ A]").explain(A=LINE, X=np.zeros((3, 2))))
    assert "the dense input X is built as a graph of up to 4 states and 6 arcs" in shown
    assert "built as a graph" not in str(ag.compile("LSE[A ∘ X]").explain(A=LINE, X=np.zeros((3, 2))))
    assert "at every call" in str(ag.compile("LSE[PATH[A]]").explain(A=LINE))


def test_an_empty_batch_can_be_explained() -> None:
    assert "0 items" in str(ag.compile("LSE[A ∘ B]").explain(A=[], B=LINE))


def test_graphs_of_literals_that_are_ambiguous_are_said() -> None:
    shown = str(ag.compile('LSE[X ∘ ("a" + "a")*] + MAX[X ∘ ("b" + "b")]').explain())
    assert (
        "ambiguous:\n  LSE counts paths, and in `(linear[97] + linear[97])*` the input string 97 has two paths" in shown
    )
    assert "support[(linear[97] + linear[97])*] has one path for each string" in shown
    assert "98" not in shown[shown.index("ambiguous:") :]
    for text in ('LSE[X ∘ re"a|a"]', 'LSE[X ∘ support["a" + "a"]]', "LSE[A - (A + A)]", 'COUNT["a" "b"]'):
        assert "ambiguous" not in str(ag.compile(text).explain())
    assert "ambiguous" not in str(ag.compile('LSE[X ∘ ("a" + "a"){100000}]').explain())  # too large to look at
    assert "ambiguous" in str(ag.compile('LSE[X ∘ ("a" + "a")]').explain(X=np.zeros((1, 98))))


@pytest.mark.parametrize(
    "text", ['LSE[det["a" + "a"]]', 'LSE[rmeps["a"] A]', 'COUNT[A + PATH["ab" + "c"]]', "LSE[push[ε]*]"]
)
def test_what_is_made_of_weights_is_no_literal(text: str) -> None:
    assert ag.compile(text).explain().warnings == ()
