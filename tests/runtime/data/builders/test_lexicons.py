"""Lexicons, against the list of their spellings."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from support.reading import all_paths, scores
from support.seeds import for_seeds

import arcgrad as ag

WORDS = ag.SymbolTable(["the", "cat", "them"], first=1)


@for_seeds(30)
def test_a_lexicon_has_each_spelling_once(seed: int) -> None:
    rng = random.Random(seed)
    repeat, output = rng.random() < 0.4, rng.choice(["first", "last"])
    strings = [s for n in range(1 if repeat else 0, 4) for s in itertools.product((1, 2), repeat=n)]
    spelled = {word: rng.sample(strings, rng.randint(0, 4)) for word in rng.sample(range(10, 16), rng.randint(0, 5))}
    single = {(s, (word,)): 1 for word, spellings in spelled.items() for s in spellings}
    expected = dict(single)
    if repeat:
        expected[(), ()] = 1
        for n in (2, 3, 4):
            for parts in itertools.product(single, repeat=n):
                pair = (sum((read for read, _ in parts), ()), sum((word for _, word in parts), ()))
                if len(pair[0]) <= 4:
                    expected[pair] = expected.get(pair, 0) + 1
    graph = ag.graphs.lexicon(spelled, output=output, repeat=repeat)
    assert scores(graph, 4) == expected
    assert (np.diff(graph.src) >= 0).all()
    prefixes = {s[:k] for _, spellings in spelled.items() for s in spellings for k in range(1, len(s))}
    if output == "last":
        assert graph.n_states == len(prefixes) + 2 - repeat
    else:
        first = {(word, s[:k]) for word, spellings in spelled.items() for s in spellings for k in range(1, len(s))}
        assert graph.n_states == len(first) + 2 - repeat


def test_scores_are_weights_of_spellings() -> None:
    spelled = {"the": {("dh", "ax"): -0.5, ("d", "h"): -1.25}, "cat": ["k"], "them": "d"}
    tokens = ag.SymbolTable(["ax", "d", "dh", "h", "k"])
    L = ag.graphs.lexicon(spelled, words=WORDS, tokens=tokens)
    found = dict(all_paths(L, 3))
    assert found == {((2, 0), (1,)): -0.5, ((1, 3), (1,)): -1.25, ((4,), (2,)): 0.0, ((1,), (3,)): 0.0}
    assert L.weight.tolist() == [-0.5, -1.25, 0.0, 0.0, 0.0]
    gradient = ag.compile("LSE[S ∘ L]").value_and_grad(S=ag.linear([1, 3]), L=L, wrt="L")[1]["L"]
    assert gradient.tolist() == [0.0, 1.0, 0.0, 0.0, 1.0]
    assert ag.graphs.lexicon({1: [[2, 3]]}).tie is None


def test_what_spellings_are_made_of() -> None:
    by_text = ag.graphs.lexicon({7: ["ab", "c"]})
    assert ag.equal(by_text, ag.graphs.lexicon({7: [[97, 98], np.array([99])]}))
    assert ag.equal(by_text, ag.graphs.lexicon({7: [("a", "b"), "c"]}, tokens={"a": 97, "b": 98, "c": 99}))
    assert ag.equal(ag.graphs.lexicon({7: "ab"}), ag.graphs.lexicon({7: ["ab"]}))
    assert ag.graphs.lexicon({}).n_states == 2
    assert ag.compile("COUNT[L]")(L=ag.graphs.lexicon({})) == 0


@pytest.mark.parametrize(
    ("spelled", "options", "message"),
    [
        ([("a", "b")], {}, "spellings is a list"),
        ({"a": ["b"]}, {}, "the word 'a' is a text, but words are labels(?s:.*)words=ag.SymbolTable"),
        ({"a": ["b"]}, {"words": ["b"]}, "symbol 'a' is not in the table"),
        ({-1: ["b"]}, {}, "a word is -1"),
        ({1.5: ["b"]}, {}, "a word is 1.5"),
        ({1: [2, 3]}, {}, r"spellings\[1\]\[0\] is 2(?s:.*)write \[\[2, 3\]\]"),
        ({1: 3}, {}, r"spellings\[1\] is 3"),
        ({1: [[2, -1]]}, {}, r"spellings\[1\]\[0\]\[1\] is −1"),
        ({1: [[1.5]]}, {}, r"spellings\[1\]\[0\] has"),
        ({1: [["a"]]}, {}, r"spellings\[1\]\[0\] is \['a'\], but symbols are looked up"),
        ({1: ["ax"]}, {"tokens": ["a"]}, r"spellings\[1\]\[0\]: symbol 'x' at position 1"),
        ({1: ["a", "a"]}, {}, r"spellings\[1\]\[1\] is 'a', which is a spelling of 1 already"),
        ({1: [""]}, {"repeat": True}, "without end"),
        ({1: {"a": math.nan}}, {}, r"spellings\[1\]\['a'\] is nan"),
        ({1: {"a": math.inf}}, {}, "is inf"),
        ({1: {"a": "b"}}, {}, "is 'b'"),
        ({1: ["a"]}, {"output": "end"}, "output is 'end'"),
        ({1: ["a"]}, {"repeat": 1}, "repeat is 1"),
        ({1: ["a"]}, {"tokens": 3}, "symbols"),
    ],
)
def test_wrong_lexicons(spelled: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ag.InputError, match=message):
        ag.graphs.lexicon(spelled, **options)
