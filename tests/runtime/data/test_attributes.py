"""Attributes of arcs: they follow arcs through operators, in every tier, into copies, files and pickles."""

from __future__ import annotations

import copy
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_graph
from support.seeds import for_seeds

import arcgrad as ag

MODES = ("interpret", "kernels", "auto", pytest.param("fused", marks=pytest.mark.slow))
A = ag.Graph(
    [0, 0], [1, 1], [5, 6], weight=[0.5, 1.0], accept=[1], attributes={"word": ["yes", "no"], "at": [3, 4]}
)  # fmt: skip
B = ag.Graph([0, 0], [0, 0], [5, 6], accept=[0], attributes={"word": ["", "B"], "of": np.array([-1, 9])})
X = np.zeros((1, 8))


def shown(graph: ag.Graph) -> dict[str, list[Any]]:
    return {name: values.tolist() for name, values in graph.attributes.items()}


CASES: dict[str, dict[str, list[Any]]] = {
    "A": {"word": ["yes", "no"], "at": [3, 4]},
    "A B": {"word": ["yes", "no", "", "", "B"], "at": [3, 4, -1, -1, -1], "of": [-1, -1, -1, -1, 9]},
    "A ∘ B": {"word": ["yes", "no"], "at": [3, 4], "of": [-1, 9]},
    "B ∘ A": {"word": ["yes", "B"], "of": [-1, 9], "at": [3, 4]},  # the first that is not none
    "PATH[A A]": {"word": ["no", "", "no"], "at": [4, -1, 4]},
    "NBEST[A ∘ B, 2]": {"word": ["no", "yes"], "at": [4, 3], "of": [9, -1]},
    "NBEST[A⟨LSE[A]⟩, 1]": {"word": ["", "no"], "at": [-1, 4]},
    "SAMPLE[PATH[A], 2, 1]": {"word": ["no", "no"], "at": [4, 4]},
    "PATH[X ∘ A]": {"word": ["no"], "at": [4]},
    "PATH[A ∘ X ∘ B]": {"word": ["no"], "at": [4], "of": [9]},
    "rev[A⁻¹]": {"word": ["yes", "no"], "at": [3, 4]},
    "A⟨w⟩": {"word": ["", "yes", "no"], "at": [-1, 3, 4]},
    "PATH[X]": {},
    "ε": {},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", list(CASES))
def test_they_follow_arcs(text: str, mode: str) -> None:
    equation = ag.compile(text, mode=mode)
    given = {name: {"A": A, "B": B, "X": X, "w": 1.0}[name] for name in equation.inputs}
    assert shown(equation(given)) == CASES[text]
    assert list(equation(given).attributes) == list(CASES[text])
    if given:
        assert shown(equation.value_and_grad(given)[0]) == CASES[text]
        plain = {n: v.with_ends() if isinstance(v, ag.Graph) else v for n, v in given.items()}
        assert shown(equation(plain)) == CASES[text]


@pytest.mark.parametrize("mode", MODES)
def test_batches(mode: str) -> None:
    plain = ag.linear([5, 6])
    other = ag.linear([6], weight=[2.0]).with_ends()
    found = ag.compile("NBEST[A ∘ B, 1]", mode=mode)(A=[A, plain, other, A], B=B)
    assert [shown(graph) for graph in found] == [
        {"word": ["no"], "at": [4], "of": [9]}, {"word": ["", "B"], "of": [-1, 9]}, {"word": ["B"], "of": [9]},
        {"word": ["no"], "at": [4], "of": [9]},
    ]  # fmt: skip


@for_seeds(60)
def test_all_tiers_agree(seed: int) -> None:
    rng = random.Random(seed)
    given: dict[str, Any] = {}
    for name in "AB":
        graph = convert(draw_graph(rng, Style(cycles=rng.choice([0.0, 0.5])), acceptor=False))
        words = [rng.choice(["", "x", "y", "zz"]) for _ in range(graph.n_arcs)]
        given[name] = ag.Graph(
            graph.src, graph.dst, graph.ilabel, graph.olabel, graph.weight, start=graph.start, accept=graph.accept,
            n_states=graph.n_states, tie=graph.tie,
            attributes={"word": words} | ({"number": range(graph.n_arcs)} if rng.random() < 0.5 else {}),
        )  # fmt: skip
    for text in ("A ∘ B", "(A + B) B*", "(A B)⁻¹ + connect[A ∘ rev[A]]", "NBEST[A B, 5]", "A{2} ∘ B?"):
        try:
            one, other = (ag.compile(text, mode=mode)(given) for mode in ("interpret", "kernels"))
        except ag.DivergenceError:
            continue
        assert shown(one) == shown(other)


def test_none_by_default_and_read_only() -> None:
    assert dict(ag.linear([1]).attributes) == {}
    with pytest.raises(TypeError):
        A.attributes["word"] = []  # type: ignore[index]
    with pytest.raises(ValueError, match="read-only"):
        A.attributes["word"][0] = "other"
    with pytest.raises(ValueError, match="read-only"):
        ag.compile("A A")(A=A).attributes["at"][0] = 7
    numbers = np.array([1, 2])
    graph = ag.Graph([0, 0], [1, 1], [5, 6], attributes={"n": numbers})
    numbers[0] = 7
    assert shown(graph) == {"n": [1, 2]}
    assert shown(ag.Graph([], [], [], attributes={"n": []})) == {"n": []}


def test_copies_pickles_and_files(tmp_path: Path) -> None:
    for graph in (A, ag.compile("A A")(A=A), A.with_weight([0.0, 0.0]), A.with_ends(start=[1])):
        assert shown(pickle.loads(pickle.dumps(graph))) == shown(copy.deepcopy(graph)) == shown(graph) != {}
        for suffix in (".npz", ".json"):
            ag.save(tmp_path / f"graph{suffix}", graph)
            again = ag.load(tmp_path / f"graph{suffix}")
            assert shown(again) == shown(graph)
            assert ag.equal(again, graph)
    assert shown(ag.Graph.from_text(A.to_text("json"), "json")) == shown(A)
    assert "attributes" not in ag.linear([1]).to_text("json")
    with pytest.warns(UserWarning, match=r"the form 'gtn' cannot express .* attributes of arcs are left out"):
        text = A.to_text("gtn")
    assert dict(ag.Graph.from_text(text).attributes) == {}
    with pytest.warns(UserWarning, match=r"the form 'openfst' cannot .* attributes of arcs are left out"):
        ag.save(tmp_path / "graph.att", A)
    for wrong in (
        "[]",
        '{"n": [1]}',
        '{"n": [1, 2.5]}',
        '{"n": 3}',
        '{"": [1, 2]}',
        '{"n": [1, "a"]}',
        '{"n": [true, 1]}',
    ):
        text = A.to_text("json")
        broken = text[: text.index('"attributes": ')] + f'"attributes": {wrong}\n}}\n'
        with pytest.raises(ag.FormatError, match="attribute"):
            ag.Graph.from_text(broken, "json")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "attributes is .* but must be a mapping from names"),
        (["word"], "attributes is .* but must be a mapping from names"),
        ({1: [1, 2]}, "an attribute's name is 1"),
        ({"": [1, 2]}, "an attribute's name is ''"),
        ({"n": [1]}, r"attributes\['n'\] has 1 entries, but there are 2 arcs"),
        ({"n": [1, 2, 3]}, r"attributes\['n'\] has 3 entries"),
        ({"n": [1, "a"]}, r"attributes\['n'\]\[1\] is 'a', but must be an integer"),
        ({"n": ["a", 1]}, r"attributes\['n'\]\[1\] is 1, but must be a string, as the first one"),
        ({"n": [1.5, 2]}, r"attributes\['n'\]\[0\] is 1.5, but must be an integer of 64 bits or a string"),
        ({"n": [True, False]}, "is True"),
        ({"n": [None, None]}, "is None"),
        ({"n": [2**63, 0]}, "must be an integer of 64 bits"),
        ({"n": "ab"}, r"attributes\['n'\] is 'ab'"),
        ({"n": 3}, r"attributes\['n'\] is 3"),
        ({"n": np.zeros((2, 2), dtype=int)}, r"attributes\['n'\]\[0\] is"),
        ({"n": np.zeros(2)}, r"attributes\['n'\]\[0\] is 0.0"),
    ],
)
def test_bad_arguments(given: Any, words: str) -> None:
    with pytest.raises(ag.InputError, match=words):
        ag.Graph([0, 0], [1, 1], [5, 6], attributes=given)


@pytest.mark.parametrize("mode", ["kernels", "interpret"])
def test_one_name_is_of_one_kind(mode: str) -> None:
    other = ag.Graph([0], [0], [5], accept=[0], attributes={"word": [1]})
    with pytest.raises(
        ag.InputError, match="the attribute 'word' is of integers in one of the graphs and of strings in"
    ):
        _ = ag.compile("A B", mode=mode)(A=A, B=other).attributes
