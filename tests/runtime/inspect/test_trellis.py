"""``draw_trellis``: its sums against all paths one by one and against LSE's gradient; and what it refuses."""

from __future__ import annotations

import math
import random
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_graph

import arcgrad as ag
from arcgrad.runtime.inspect.trellis import Trellis, find_trellis

SVG = "{http://www.w3.org/2000/svg}"


def trellis(text: str, item: int = 0, **inputs: Any) -> Trellis:
    equation = ag.compile(text)
    return find_trellis(equation._program, equation._evaluator.bind(inputs), item, equation._evaluator.limits)


def all_paths(graph: ag.Graph, scores: Any) -> Iterator[tuple[float, list[tuple[int, int]], list[tuple[int, int]]]]:
    """Each path that reads all frames: its weight, the (frame, state) it visits, and the (frame, label) it reads."""
    arcs = list(graph.arcs())

    def follow(t: int, state: int, weight: float, visits: list[Any], reads: list[Any]) -> Iterator[Any]:
        if t == len(scores) and state in graph.accept:
            yield weight, visits, reads
        for src, dst, label, _, own in arcs:
            if src != state:
                continue
            if label < 0:
                yield from follow(t, dst, weight + own, [*visits, (t, dst)], reads)
            elif t < len(scores):
                more = weight + own + scores[t][label]
                yield from follow(t + 1, dst, more, [*visits, (t + 1, dst)], [*reads, (t, label)])

    for start in graph.start.tolist():
        yield from follow(0, start, 0.0, [(0, start)], [])


def acyclic_silent(graph: ag.Graph) -> bool:
    silent = graph.ilabel < 0
    ends = graph.src[silent], graph.dst[silent], graph.ilabel[silent]
    return ag.Graph(*ends, start=[], n_states=graph.n_states).is_acyclic


@pytest.mark.parametrize("seed", range(50))
def test_posteriors_are_those_of_all_paths(seed: int) -> None:
    rng = random.Random(seed)
    style = Style(cycles=0.4, n_states=5, n_labels=2, infinite=0.05, epsilon=rng.choice([0.2, 0.6]))
    graph = convert(draw_graph(rng, style, True))
    if not acyclic_silent(graph):
        with pytest.raises(ag.UnsupportedError, match="cycle of ε arcs"):
            trellis("LSE[X ∘ G]", X=np.zeros((3, 2)), G=graph)
        return
    scores = np.array([[rng.gauss(0, 1) for _ in range(2)] for _ in range(3)])
    states, columns, total = np.zeros((4, graph.n_states)), np.zeros((3, 2)), 0.0
    for weight, visits, reads in all_paths(graph, scores):
        share = math.exp(weight)
        total += share
        for t, state in visits:
            states[t, state] += share
        for t, label in reads:
            columns[t, label] += share
    found = trellis("LSE[X ∘ G]", X=scores, G=graph)
    assert math.exp(found.total) == pytest.approx(total, rel=1e-9)
    np.testing.assert_allclose(found.states(), states / (total or 1), atol=1e-9)
    np.testing.assert_allclose(found.columns(), columns / (total or 1), atol=1e-9)


@pytest.mark.parametrize("text", ["LSE[X ∘ Y]", "LSE[Y ∘ X]", "LSE[X] - LSE[X ∘ Y]", "LSE[Z ∘ X ∘ Y]", "LSE[X ∩ Y]"])
def test_labels_are_the_gradient(text: str) -> None:
    rng = np.random.default_rng(0)
    given = {"X": rng.normal(size=(7, 4)), "Y": ag.graphs.alignments([1, 3, 3])}
    if "Z" in text:
        given["Z"] = ag.Graph([0] * 4, [0] * 4, range(4), weight=[0.5, 0.0, 0.25, -1.0], accept=[0])
    name = "LSE[X ∘ Y]" if "Z" not in text else text
    _, grad = ag.compile(name).value_and_grad(given, wrt="X")
    np.testing.assert_allclose(trellis(text, **given).columns(), grad["X"], atol=1e-12)


def test_chains_of_silent_arcs() -> None:
    """In both directions, numbered with and against their order."""
    for order in ([0, 1, 2, 3, 4], [4, 2, 3, 1, 0]):
        at = [order.index(k) for k in range(5)]
        arcs = [(0, 1, -1), (1, 2, -1), (0, 2, -1), (2, 3, 0), (3, 4, -1), (0, 4, 1), (4, 2, -1)]
        src, dst, label = ([at[a] for a, _, _ in arcs], [at[b] for _, b, _ in arcs], [c for _, _, c in arcs])
        graph = ag.Graph(src, dst, label, weight=np.linspace(-1, 0, 7), start=[at[0]], accept=[at[4]])
        scores = np.array([[0.5, -0.5], [0.0, 0.25]])
        total = sum(math.exp(weight) for weight, _, _ in all_paths(graph, scores))
        states = sum(
            math.exp(weight) / total * (np.array(visits) == [t, s]).all(1).sum() * np.eye(15)[5 * t + s]
            for weight, visits, _ in all_paths(graph, scores)
            for t in range(3)
            for s in range(5)
        )
        found = trellis("LSE[X ∘ G]", X=scores, G=graph)
        np.testing.assert_allclose(found.states().ravel(), states, atol=1e-12)


def test_filtered_posteriors_know_the_frames_so_far_alone() -> None:
    scores = np.random.default_rng(1).normal(size=(5, 3))
    graph = ag.Graph([0, 0, 1, 1], [0, 1, 1, 0], [0, 1, 2, 0], accept=[0, 1])
    found = trellis("LSE[X ∘ G]", X=scores, G=graph)
    for t in range(6):
        # With every state accepting, the paths that read t frames are all there is to know.
        shorter = trellis("LSE[X ∘ G]", X=scores[:t], G=graph)
        np.testing.assert_allclose(found.states(filtered=True)[t], shorter.states()[t], atol=1e-12)
        if t:
            np.testing.assert_allclose(found.columns(filtered=True)[t - 1], shorter.columns()[t - 1], atol=1e-12)


def test_no_path_has_no_posterior() -> None:
    found = trellis("LSE[X ∘ Y]", X=np.zeros((1, 3)), Y=ag.linear([1, 2]))
    assert found.total == -math.inf
    assert not found.states().any()
    assert not found.columns().any()


def test_items_of_a_batch() -> None:
    scores = np.random.default_rng(2).normal(size=(2, 4, 3))
    graphs = [ag.graphs.alignments([1]), ag.graphs.alignments([2, 1])]
    for item in range(2):
        one = trellis("LSE[X ∘ Y]", item, X=scores, Y=graphs)
        other = trellis("LSE[X ∘ Y]", X=scores[item], Y=graphs[item])
        np.testing.assert_array_equal(one.states(), other.states())
    equation = ag.compile("LSE[X ∘ Y]")
    for item in (2, -1, 0.5, "0"):
        with pytest.raises(ag.InputError, match="item is"):
            equation.draw_trellis(X=scores, Y=graphs, item=item)  # type: ignore[arg-type]


def test_an_animated_picture_moves_and_ends_as_the_still_one() -> None:
    given = {"X": np.random.default_rng(3).normal(size=(5, 3)), "Y": ag.graphs.alignments([1, 2])}
    equation = ag.compile("LSE[X ∘ Y]")
    moving = ET.fromstring(equation.draw_trellis(given, animate=True).svg)
    animations = list(moving.iter(f"{SVG}animate"))
    assert len(animations) == 2 * 6 + 2  # columns of both passes, and two captions
    for animation in animations:
        times = [float(time) for time in animation.get("keyTimes", "").split(";")]
        assert times[0] == 0
        assert times == sorted(times)
        assert len(times) == len(animation.get("values", "").split(";"))
        assert times[-1] <= 1
    assert "<animate" not in equation.draw_trellis(given).svg


@pytest.mark.parametrize(
    ("text", "how", "words"),
    [
        ("LSE[A ∘ B]", {"A": ag.linear([1]), "B": ag.linear([1])}, "no input is dense"),
        ("LSE[X]", {"X": np.zeros((2, 2))}, "composes no graph with a dense input"),
        ("LSE[X* ∘ B]", {"X": np.zeros((2, 2)), "B": ag.linear([1])}, "composes no graph"),
        ("LSE[X ∘ B]", {"X": np.zeros((2, 2)), "B": ag.linear([1]), "of": "arcs"}, "of is 'arcs'"),
        ("LSE[X ∘ B]", {"X": np.zeros((2, 2)), "B": ag.linear([1]), "title": 3}, "title is 3"),
        ("LSE[X ∘ B]", {"X": np.zeros((2, 2)), "B": ag.linear([1]), "symbols": "a"}, "label 1 is not in the table"),
        ("LSE[X ∘ B]", {"X": np.zeros((2, 2)), "B": ag.linear([7])}, "column"),
        ("LSE[X ∘ B]", {"X": np.zeros((2, 2))}, "missing input"),
    ],
)
def test_what_is_refused(text: str, how: dict[str, Any], words: str) -> None:
    with pytest.raises(ag.InputError, match=words):
        ag.compile(text).draw_trellis(**how)


def test_budgets_hold() -> None:
    equation = ag.compile("LSE[X ∘ Y]", limits=ag.Limits(bytes=10_000))
    with pytest.raises(ag.LimitError, match="the trellis"):
        equation.draw_trellis(X=np.zeros((100, 2)), Y=ag.graphs.alignments([1] * 10))
