"""ARPA language models: probabilities of strings by the definition, word by word; malformed texts."""

from __future__ import annotations

import itertools
import math
import random
import time
from pathlib import Path

import numpy as np
import pytest
from support.reading import all_paths
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.grammar.errors import FormatError, InputError, LimitError
from arcgrad.runtime.data.formats.arpa import read

HAND = """\
made by hand

\\data\\
ngram 1=5
ngram 2=4
ngram 3=1

\\1-grams:
-99\t<s>\t-0.25
-0.7\t</s>
-0.5\ta\t-0.125
-0.6\tb\t0.0625
-1.5\t<unk>

\\2-grams:
-0.3\t<s> a\t-0.5
-0.4\ta b
-0.2\tb </s>
-0.9\tb a

\\3-grams:
-0.1\t<s> a b

\\end\\
what comes after is no longer read
"""
SCORE = ag.compile("LSE[S ∘ G]")

Model = dict[tuple[str, ...], tuple[float, float]]


def model_of(text: str) -> Model:
    """Each n-gram with its log10 probability and back-off weight, of a text that is well formed."""
    model: Model = {}
    for line in text.split("\\1-grams:")[1].splitlines():
        fields = line.split("\t")
        if len(fields) > 1:
            model[tuple(fields[1].split(" "))] = (float(fields[0]), float(fields[2]) if len(fields) > 2 else 0.0)
    return model


def word_score(model: Model, context: tuple[str, ...], word: str) -> float:
    """log10 P(word | context), as the form defines it."""
    gram = (*context, word)
    if gram in model:
        return model[gram][0]
    return model.get(context, (0.0, 0.0))[1] + word_score(model, context[1:], word)


def string_score(model: Model, words: tuple[str, ...]) -> float:
    """The natural log of the probability of a string and of its end."""
    order = max(map(len, model))
    read_words: tuple[str, ...] = ("<s>",) if ("<s>",) in model else ()
    total = 0.0
    for word in (*words, "</s>"):
        total += word_score(model, read_words[-(order - 1) :] if order > 1 else (), word)
        read_words += (word,)
    return total * math.log(10)


def all_ways(model: Model, context: tuple[str, ...], words: tuple[str, ...]) -> list[float]:
    """log10 of each way of reading words and the end, backing off or not wherever there is something shorter."""
    if not words:
        return [0.0]
    ways = []
    gram = (*context, words[0])
    if gram in model:
        after = gram[-(max(map(len, model)) - 1) :] if max(map(len, model)) > 1 else ()
        while after and after not in model:
            after = after[1:]
        ways += [model[gram][0] + rest for rest in all_ways(model, after, words[1:])]
    if context:
        ways += [model.get(context, (0.0, 0.0))[1] + rest for rest in all_ways(model, context[1:], words)]
    return ways


def strings(words: list[str], longest: int) -> list[tuple[str, ...]]:
    return [string for n in range(longest + 1) for string in itertools.product(words, repeat=n)]


def random_model(rng: random.Random) -> str:
    """Words, and n-grams of which each continues another one, at random; suffixes need not be there."""
    words = ["a", "b", "c"][: rng.randint(1, 3)] + ["</s>"] + ["<s>"] * (rng.random() < 0.8)
    rng.shuffle(words)
    order = rng.randint(1, 5)
    sections = [[(word,) for word in words]]
    for _ in range(order - 1):
        grams = [(*gram, word) for gram in sections[-1] for word in words if rng.random() < 0.4]
        rng.shuffle(grams)
        if grams:
            sections.append(grams)
    order = len(sections)
    lines = ["", "\\data\\", *(f"ngram {n}={len(grams)}" for n, grams in enumerate(sections, 1))]
    for n, grams in enumerate(sections, 1):
        lines += ["", f"\\{n}-grams:"]
        for gram in grams:
            weight = f"\t{rng.choice([0, rng.uniform(-1, 0.3)])!r}" if n < order and rng.random() < 0.8 else ""
            lines.append(f"{rng.uniform(-2, 0)!r}\t{' '.join(gram)}{weight}")
    return "\n".join([*lines, "\\end\\", ""])


def check_model(text: str, longest: int) -> None:
    model = model_of(text)
    words = [gram[0] for gram in model if len(gram) == 1 and gram[0] not in ("<s>", "</s>")]
    table = {word: number for number, word in enumerate(words, 1)}
    exact, backing = (all_paths(read(text, backoff=mode), longest) for mode in ("exact", "epsilon"))
    found = {string: weight for (string, _), weight in exact}
    assert len(found) == len(exact)
    several: dict[tuple[int, ...], list[float]] = {}
    for (string, _), weight in backing:
        several.setdefault(string, []).append(weight)
    start = ("<s>",) if ("<s>",) in model and max(map(len, model)) > 1 else ()
    assert len(found) == len(strings(words, longest))
    for string in strings(words, longest):
        labels = tuple(table[word] for word in string)
        assert found[labels] == pytest.approx(string_score(model, string), abs=1e-12)
        ways = sorted(way * math.log(10) for way in all_ways(model, start, (*string, "</s>")))
        assert sorted(several[labels]) == pytest.approx(ways, abs=1e-12)
        assert min(abs(way - found[labels]) for way in ways) < 1e-12


def test_a_model_by_hand() -> None:
    check_model(HAND, 4)
    g = read(HAND)
    # Contexts: the empty one, <s>, a, b, and <s> a; a b and b a continue to nothing and have no weight.
    assert g.n_states == 6
    assert g.n_arcs == 4 + 4 + 5
    exact = read(HAND, backoff="exact")
    assert (exact.n_states, exact.n_arcs) == (6, 5 * 4)
    ln10 = math.log(10)
    S = ag.linear(
        [1, 2]
    )  # a b: P(a | <s>) P(b | <s> a) P(</s> | b), for a b </s> and its context's weight are not listed
    assert SCORE(S=S, G=ag.Graph.from_text(HAND, "arpa", backoff="exact")) == pytest.approx(ln10 * (-0.3 - 0.1 - 0.2))


@for_seeds(25)
def test_random_models(seed: int) -> None:
    check_model(random_model(random.Random(seed)), 4)


@pytest.mark.slow
@for_seeds(150)
def test_many_random_models(seed: int) -> None:
    check_model(random_model(random.Random(1000 + seed)), 4)


def test_words_and_tables(tmp_path: Path) -> None:
    path = tmp_path / "lm.arpa"
    path.write_text(HAND.replace("<unk>", "\u3000x"))
    table = ag.load_symbols(path)
    assert table == ag.SymbolTable(["a", "b", "\u3000x"], first=1)
    assert set(ag.load(path).ilabel.tolist()) == {-1, 1, 2, 3}
    other = ag.SymbolTable({"\u3000x": 9, "b": 0, "a": 4})
    assert set(ag.load(path, symbols=other).ilabel.tolist()) == {-1, 0, 4, 9}
    with pytest.raises(FormatError, match=r"lm\.arpa:13:6: the word '\\u3000x' is not in the table symbols"):
        ag.load(path, symbols=["a", "b"])
    with pytest.raises(ag.UnsupportedError, match="read and not written"):
        ag.save(path, ag.linear([1]))
    for option, message in [({"backoff": "never"}, "backoff is 'never'"), ({"limits": 3}, "limits is 3")]:
        with pytest.raises(InputError, match=message):
            ag.load(path, **option)
    with pytest.raises(
        LimitError, match=r"expanded to 5 contexts and 4 words, would have 20 arcs(?s:.*)Limits\(arcs=20"
    ):
        ag.load(path, backoff="exact", limits=ag.Limits(arcs=19))


def test_what_no_string_comes_to_is_left_out() -> None:
    more = HAND.replace("ngram 2=4", "ngram 2=6").replace("ngram 3=1", "ngram 3=3")
    more = more.replace("\\2-grams:", "\\2-grams:\n-1\t</s> a\t-1\n-1\ta <s>\t-1")
    more = more.replace("\\3-grams:", "\\3-grams:\n-1\t</s> a b\n-1\ta <s> b")
    for backoff in ("epsilon", "exact"):
        assert ag.isomorphic(read(more, backoff=backoff), read(HAND, backoff=backoff))


def test_line_ends_and_infinities() -> None:
    assert ag.equal(read(HAND.replace("\n", "\r\n")), read(HAND))
    assert ag.equal(read(HAND.replace("\t", " ")), read(HAND))
    never = read(HAND.replace("-0.4\ta b", "-inf\ta b"), backoff="exact")
    assert never.n_arcs == 19
    g = ag.Graph.from_text(HAND.replace("-0.4\ta b", "-inf\ta b"), "arpa", backoff="exact")
    assert SCORE(S=ag.linear([2, 1, 2]), G=g) == -np.inf


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "message"),
    [
        ("\\data\\", "data", 1, 1, "no line \\\\data"),
        ("ngram 2=4", "ngram 3=4", 5, 1, "expected 'ngram 2=…'"),
        ("ngram 2=4", "ngram 2=4x", 5, 1, "expected 'ngram 2=…'"),
        ("ngram 2=4", "ngram 2=99999999999999999999", 5, 1, "expected 'ngram 2=…'"),
        ("ngram 2=4", "ngram 2=5", 15, 1, "4 2-grams follow, but .* says that there are 5"),
        ("ngram 3=1\n", "", 20, 1, r"expected \\end\\, but found '\\\\3-grams:'"),
        ("\\2-grams:", "\\3-grams:", 15, 1, r"expected \\2-grams:"),
        ("\\2-grams:", "\\two", 15, 1, r"expected \\2-grams:, but found"),
        ("\\end\\", "\\end", 24, 1, r"expected \\end\\, but found"),
        ("-0.4\ta b", "-0.4\ta b c d", 17, 12, "expected 'log10\\(p\\)' and 2 words, and perhaps .* 5 fields"),
        ("-0.4\ta b", "-0.4\ta", 17, 7, "but found 2 fields"),
        ("-0.4\ta b", "-0.4\ta z", 17, 8, "the word 'z' is no 1-gram"),
        ("-0.4\ta b", "x\ta b", 17, 1, "expected log10 probability, a real number, but found 'x'"),
        ("-0.4\ta b", "nan\ta b", 17, 1, "expected log10 probability"),
        ("-0.4\ta b", "-1_0\ta b", 17, 1, "expected log10 probability"),
        ("-0.4\ta b", "0.4\ta b", 17, 1, "log10 probability 0.4 is positive"),
        ("-0.4\ta b", "-0.4\ta b\tinf", 17, 10, "back-off weight inf is too large"),
        ("-0.4\ta b", "-0.4\ta b\t1e400", 17, 10, "too large"),
        ("-0.4\ta b", "-0.4\tb a", 19, 6, "this 2-gram was listed before"),
        ("-0.6\tb", "-0.6\ta", 12, 6, "this 1-gram was listed before"),
        ("-0.3\t<s> a", "-0.3\t<s> b", 22, 6, "this 3-gram continues '<s> a', which is no 2-gram"),
        ("-0.1\t<s> a b", "-0.1\t<s> a b\t-1", 22, 14, "expected 'log10\\(p\\)' and 3 words, but found 5"),
        ("-0.7\t</s>", "-0.7\tx", 8, 1, "no </s>"),
    ],
)
def test_malformed(old: str, new: str, line: int, column: int, message: str) -> None:
    text = HAND.replace(old, new, 1)
    if old == "-0.6\tb":
        text = text.replace("a b", "a a").replace("\tb ", "\ta ")
    with pytest.raises(FormatError, match=message) as caught:
        read(text, "lm.arpa")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("lm.arpa", line, column)


@for_seeds(200)
def test_damaged_texts_are_refused_or_models(seed: int) -> None:
    rng = random.Random(seed)
    text = HAND if seed % 2 else random_model(rng)
    for _ in range(rng.choice([1, 1, 3])):
        at = rng.randrange(len(text) + 1)
        text = rng.choice(
            [
                text[:at],
                text[:at] + text[at + rng.randint(1, 9) :],
                text[:at] + rng.choice("\n\\ \t0-9xe.\ud800") + text[at:],
            ]
        )
    error = None
    try:
        read(text, "lm.arpa", backoff=rng.choice(["epsilon", "exact"]))
    except FormatError as caught:
        error = caught
    assert error is None or error.line is not None


@pytest.mark.slow
def test_a_million_ngrams_take_seconds() -> None:
    rng = np.random.default_rng(0)
    n_words, n_pairs = 50_000, 950_000
    first, second = np.divmod(np.unique(rng.integers(0, n_words**2, n_pairs)), n_words)
    words = [f"w{n}" for n in range(n_words)]
    rows = [f"-2.5\t{word}\t-0.5" for word in [*words, "<s>", "</s>"]]
    pairs = [f"-1.25\tw{a} w{b}" for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    text = "\n".join(
        [
            "\\data\\",
            f"ngram 1={len(rows)}",
            f"ngram 2={len(pairs)}",
            "\\1-grams:",
            *rows,
            "\\2-grams:",
            *pairs,
            "\\end\\",
        ]
    )
    begin = time.perf_counter()
    g = read(text)
    assert time.perf_counter() - begin < 40  # measured: 3 s on an idle core
    assert g.n_arcs == n_words + 1 + len(pairs) + n_words + 1
