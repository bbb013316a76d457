"""``rewrite[τ, λ, ρ]`` against Pynini's cdrewrite, and path by path against a reading of strings."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from oracle.relations import relation_of
from support.adapter import naive
from support.seeds import for_seeds

import arcgrad as ag

LETTERS = "abc"
DIRECTIONS = ("ltr", "rtl", "sim")
MODES = ("obl", "opt")
SIGMA = ag.Graph([0] * 3, [1] * 3, [ord(c) for c in LETTERS], accept=[1])


class Rule:
    """A random rule: the pairs of τ with their weights and the contexts as regular expressions of Python's."""

    def __init__(self, rng: random.Random) -> None:
        def string(least: int, most: int) -> str:
            return "".join(rng.choice(LETTERS) for _ in range(rng.randint(least, most)))

        def expression(depth: int) -> str:
            kind = rng.random()
            if depth == 0 or kind < 0.4:
                return string(0 if depth < 2 else 1, 2)
            inner = expression(depth - 1)
            if kind < 0.6:
                return f"({inner}|{expression(depth - 1)})"
            return f"({inner}){rng.choice('*?+')}" if kind < 0.75 else inner + expression(depth - 1)

        least = 0 if rng.random() < 0.25 else 1
        self.pairs = [
            (string(least, 2) if rng.random() < 0.7 else expression(2), string(0, 2), -rng.randint(0, 8) / 4)
            for _ in range(rng.choice([1, 1, 2]))
        ]
        self.left, self.right = (expression(rng.randrange(3)) if rng.random() < 0.6 else "" for _ in range(2))
        self.direction, self.mode = rng.choice(DIRECTIONS), rng.choice(MODES)

    def graph(self) -> ag.Graph:
        tau = " + ".join(f'(re"{read}" : "{written}")⟨{weight}⟩' for read, written, weight in self.pairs)
        text = f'rewrite[{tau}, re"{self.left}", re"{self.right}", S, {self.direction}, {self.mode}]'
        return ag.compile(text)(S=SIGMA)

    def __repr__(self) -> str:
        return f"{self.pairs} / {self.left!r} __ {self.right!r} {self.direction} {self.mode}"


def outputs(graph: ag.Graph, word: str) -> Counter[tuple[str, float]]:
    """How often each output comes with each weight."""
    found = ag.compile("W ∘ R", mode="interpret")(W=ag.linear(word), R=graph)
    rows = relation_of(naive(found), cap=10**6)
    return Counter(("".join(map(chr, written)), round(weight, 6)) for _, written, weight in rows)


# -- Pynini ------------------------------------------------------------------------------------------------------------


def by_pynini(pynini, rule: Rule):
    def acceptor(expression: str):
        return _Parser(pynini, expression).union()

    sigma = pynini.union(*LETTERS).closure().optimize()
    tau = pynini.union(
        *(
            pynini.cross(acceptor(read).optimize(), pynini.accep(written, weight=-weight))
            for read, written, weight in rule.pairs
        )
    )
    return pynini.cdrewrite(
        tau,
        acceptor(rule.left).optimize(),
        acceptor(rule.right).optimize(),
        sigma,
        direction=rule.direction,
        mode=rule.mode,
    )


class _Parser:
    """The regular expressions of these tests, for Pynini."""

    def __init__(self, pynini, text: str) -> None:
        self.pynini, self.text, self.at = pynini, text, 0

    def union(self):
        found = self.sequence()
        while self.text[self.at : self.at + 1] == "|":
            self.at += 1
            found = self.pynini.union(found, self.sequence())
        return found

    def sequence(self):
        found = self.pynini.accep("")
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            if self.text[self.at] == "(":
                self.at += 1
                item = self.union()
                self.at += 1
            else:
                item = self.pynini.accep(self.text[self.at])
                self.at += 1
            sign = self.text[self.at : self.at + 1]
            if sign and sign in "*+?":
                self.at += 1
                item = {"*": item.star, "+": item.plus, "?": item.ques}[sign]
            found = self.pynini.concat(found, item)
        return found


def check_against_pynini(pynini, seed: int) -> bool:
    rng = random.Random(seed)
    rule = Rule(rng)
    expected_rule, graph, applied = by_pynini(pynini, rule), rule.graph(), False
    for _ in range(6):
        word = "".join(rng.choice(LETTERS) for _ in range(rng.randint(2, 7)))
        lattice = (pynini.accep(word) @ expected_rule).project("output").rmepsilon()
        expected: dict[str, float] = {}
        for _, text, weight in lattice.paths().items() if lattice.num_states() else ():
            expected[text] = max(expected.get(text, -math.inf), -float(weight))
        found: dict[str, float] = {}
        for text, weight in outputs(graph, word):
            found[text] = max(found.get(text, -math.inf), weight)
        assert found == pytest.approx(expected), f"{rule} on {word!r}"
        applied |= set(found) != {word}
    return applied


def test_the_same_as_pynini() -> None:
    pynini = pytest.importorskip("pynini", reason="pynini (OpenFst) is not installed")
    applied = [check_against_pynini(pynini, seed) for seed in range(120)]
    assert sum(applied) > 50


@pytest.mark.slow
def test_the_same_as_pynini_for_many_rules() -> None:
    pynini = pytest.importorskip("pynini", reason="pynini (OpenFst) is not installed")
    applied = [check_against_pynini(pynini, seed) for seed in range(10_000, 12_000)]
    assert sum(applied) > 900


# -- strings -----------------------------------------------------------------------------------------------------------


def rewritten(rule: Rule, word: str) -> Iterator[tuple[str, float]]:
    """Each way to rewrite a word from left to right or at once, place by place, with its weight.

    At each place something may be inserted, once, where τ reads the empty string; then what stands there be replaced.
    """
    left, right = re.compile(f"(?:.*)(?:{rule.left})"), re.compile(rule.right or "")
    pairs = [(re.compile(read), written, weight) for read, written, weight in rule.pairs]

    def follows(at: int) -> bool:
        return any(right.fullmatch(word, at, end) for end in range(at, len(word) + 1))

    def ways(at: int, empty: bool) -> list[tuple[int, str, float]]:
        ends = range(at if empty else at + 1, len(word) + 1)
        found = [
            (end, written, weight)
            for end in ends
            if follows(end)
            for read, written, weight in pairs
            if read.fullmatch(word, at, end)
        ]
        return [] if empty and not any(end == at for end, _, _ in found) else found

    def go(at: int, before: bool, written: str) -> Iterator[tuple[str, float]]:
        context = word[:at] if rule.direction == "sim" else written
        fits = left.fullmatch(context) is not None
        found = ways(at, empty=before) if fits else []
        for end, text, weight in found:
            for rest, more in go(end, False, written + text):
                yield text + rest, weight + more
        if found and rule.mode == "obl":
            return
        if before:
            yield from go(at, False, written)
        elif at == len(word):
            yield "", 0.0
        else:
            for rest, more in go(at + 1, True, written + word[at]):
                yield word[at] + rest, more

    yield from go(0, True, "")


@for_seeds(150)
def test_each_way_is_one_path(seed: int) -> None:
    rng = random.Random(seed)
    rule = Rule(rng)
    if rule.direction == "rtl":
        rule.direction = "sim"
    rule.pairs = [(read, written, weight) for read, written, weight in rule.pairs if "(" not in read]
    graph = rule.graph() if rule.pairs else None
    for _ in range(4 if graph else 0):
        word = "".join(rng.choice(LETTERS) for _ in range(rng.randint(0, 5)))
        expected = Counter((text, round(weight, 6)) for text, weight in rewritten(rule, word))
        assert outputs(graph, word) == expected, f"{rule} on {word!r}"


def rewrite(text: str, word: str, **given: object) -> set[str]:
    return {output for output, _ in outputs(ag.compile(text, symbols=None)(S=SIGMA, **given), word)}


def test_directions_and_modes() -> None:
    """The left context is looked for in what was written from the left, or in what was read, and mirrored."""
    assert rewrite('rewrite["a" : "b", "b", ε, S]', "baaa") == {"bbbb"}
    assert rewrite('rewrite["a" : "b", "b", ε, S, ltr, obl]', "baaa") == {"bbbb"}
    assert rewrite('rewrite["a" : "b", "b", ε, S, sim]', "baaa") == {"bbaa"}
    assert rewrite('rewrite["a" : "b", "b", ε, S, rtl]', "baaa") == {"bbaa"}
    assert rewrite('rewrite["a" : "b", ε, "b", S, rtl]', "aaab") == {"bbbb"}
    assert rewrite('rewrite["a" : "b", ε, "b", S]', "aaab") == {"aabb"}
    assert rewrite('rewrite["a" : "b", "b", ε, S, opt]', "baa") == {"baa", "bba", "bbb"}
    assert rewrite('rewrite["ab" : "c", ε, ε, S]', "aabab") == {"acc"}
    assert rewrite('rewrite[ε : "c", "a", "b", S]', "abaab") == {"acbaacb"}
    assert rewrite('rewrite["a" : ε, ε, ε, S]', "abca") == {"bc"}


def test_the_alphabet_is_the_tables_symbols_where_none_is_given() -> None:
    table = ["a", "b", "zebra"]
    graph = ag.compile('rewrite["a" : "b", "<zebra>", ε]', symbols=table)()
    assert sorted(set(graph.ilabel.tolist()) - {-1}) == [0, 1, 2]
    assert ag.compile("out[W ∘ R]")(W=ag.linear([2, 0, 0]), R=graph).ilabel.tolist().count(1) == 1
    with pytest.raises(ag.EquationError, match="rewrite without an alphabet needs a symbol table"):
        ag.compile('rewrite["a" : "b", ε, ε]')


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
def test_weights_and_gradients_are_those_of_tau(mode: str) -> None:
    tau = ag.Graph([0, 0], [1, 1], [97, 97], [98, 99], weight=[-1.0, -2.0], accept=[1])
    given = {"T": tau, "W": ag.linear("aba"), "S": SIGMA}
    value, gradient = ag.compile("LSE[W ∘ rewrite[T, ε, ε, S]]", mode=mode).value_and_grad(given)
    one = np.logaddexp(-1.0, -2.0)
    assert value == pytest.approx(2 * one)
    assert gradient["T"] == pytest.approx(2 * np.exp(np.array([-1.0, -2.0]) - one))
    assert not gradient["S"].any()


def test_bad_arguments() -> None:
    def refused(text: str, match: str) -> None:
        with pytest.raises(ag.EquationError, match=match) as caught:
            ag.compile(text)
        assert caught.value.place is not None

    refused(
        'rewrite["a" : "b", ε]', r"rewrite takes a graph τ, a graph λ, a graph ρ, a graph Σ.*then any of the words ltr"
    )
    refused('rewrite["a" : "b", ε, ε, "a", "sim"]', "hint: the word sim stands without quotes")
    refused('rewrite["a" : "b", ε, ε, "a", LTR]', "hint: the word is ltr, in small letters")
    refused("rewrite[A, B, C, S, ltr, rtl]", "rewrite is told ltr and rtl")
    refused("rewrite[A, B, C, S, opt, opt]", "rewrite is told opt twice")
    refused("rewrite[A, B, C, S, backwards]", "5 arguments given")
    refused("rewrite[A, B, 2, S]", "rewrite takes a graph here, but `2` is a score")
    transducer = ag.Graph([0], [1], [97], [98], accept=[1])
    with pytest.raises(ag.InputError, match="rewrite needs acceptors, but"):
        ag.compile("rewrite[A, B, C, S]")(A=transducer, B=transducer, C=SIGMA, S=SIGMA)
    with pytest.raises(ag.LimitError, match="would have at least"):
        ag.compile('rewrite["a" : "b", re"a[abc]{12}", ε, S]', limits=ag.Limits(states=1000))(S=SIGMA)


def test_edges() -> None:
    nothing = ag.Graph([], [], [])
    for text in ("rewrite[N, ε, ε, S]", 'rewrite["a" : "b", N, ε, S]', 'rewrite["a" : "b", ε, N, S]'):
        assert rewrite(text, "aba", N=nothing) == {"aba"}
    of_the_rule = ag.compile('rewrite["a" : "b", ε, ε, N]')(N=nothing)
    assert outputs(of_the_rule, "aa") == {("bb", 0.0): 1}  # the rule's own labels are there, too
    assert outputs(ag.compile('rewrite[("a" : "b") + ("a" : "b"), ε, ε, S]')(S=SIGMA), "a") == {("b", 0.0): 2}
