"""Each example runs and shows what it promises."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.examples import FOLDER, load

import arcgrad as ag

pytestmark = pytest.mark.slow


def test_every_example_has_a_test_and_says_how_to_run_it() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")}
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    for name in names:
        assert f'load("{name}")' in text
        assert f"python examples/{name}.py" in (FOLDER / f"{name}.py").read_text(encoding="utf-8")


def test_textbook_derivatives(capsys: pytest.CaptureFixture[str]) -> None:
    example = load("textbook_derivatives")
    assert example.concatenation() == ["A1", "A2", "", "B1", "B2"]
    assert example.closure() == ["", "A1", "A2", ""]
    pairs = ["A1 + B1", "A2 + B2", "A1 + B4", "A2 + B5", "A3 + B6", "A2 + B8", "A3 + B9"]
    assert example.intersection() == pairs
    gradients = example.backward()
    np.testing.assert_allclose(gradients["trace"], gradients["by hand"], rtol=0, atol=1e-12)
    capsys.readouterr()
    example.main()
    out = capsys.readouterr().out
    assert "C3: 2 → 3  ε  weight  0.0 (no derivative)" in out
    assert out.index("∂G4/∂G4") < out.index("∂G4/∂G3") < out.index("∂G4/∂G1") < out.index("∂G4/∂A1")


def test_learn_graph(capsys: pytest.CaptureFixture[str]) -> None:
    example = load("learn_graph")
    history = example.main()
    assert history[0] < -3
    assert history[-1] > -0.75
    assert all(after > before for before, after in itertools.pairwise(history[20:]))
    _, a1, a2 = example.learn(steps=60)
    capsys.readouterr()
    assert example.show("A1", a1) == ["a", "b", "a", "b"]
    assert [example.show("A2", a2)[place] for place in (0, 2, 3, 5)] == ["c", "b", "c", "b"]


def test_count_ngrams(capsys: pytest.CaptureFixture[str]) -> None:
    example = load("count_ngrams")
    known, expected = example.main()
    truth = Counter(example.TEXT[i : i + 2] for i in range(len(example.TEXT) - 1))
    for pair, count in known.items():
        assert count == pytest.approx(truth[pair], abs=1e-8)
    # A pair is seen where both letters are read as they would have to be: products of independent probabilities.
    chance = {same: 0.9 if same else 0.1 / 26 for same in (True, False)}
    for pair in ("th", "e ", "zq"):
        pairs = zip(example.TEXT, example.TEXT[1:], strict=False)
        mean = sum(chance[a == pair[0]] * chance[b == pair[1]] for a, b in pairs)
        assert expected[pair] == pytest.approx(mean, rel=1e-9)
    assert '"the" occurs 2 times' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("one", "other", "distance", "edits"),
    [("kitten", "sitting", 3, [2, 1, 0]), ("", "ab", 2, [0, 2, 0]), ("abc", "abc", 0, [0, 0, 0])],
)
def test_edit_distance(
    one: str, other: str, distance: int, edits: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    example = load("edit_distance")
    found, used = example.main([one, other])
    assert found == distance
    assert used[1:].tolist() == edits
    out = capsys.readouterr().out
    n, m = len(one), len(other)
    ways = sum(math.comb(m, k) * math.comb(n, k) * 2**k for k in range(min(n, m) + 1))  # Delannoy's number
    assert f"out of {ways:,} ways" in out
    lines = out.splitlines()
    assert lines[2].replace("-", "").replace(" ", "") == one
    assert lines[4].replace("-", "").replace(" ", "") == other


def test_handwriting_ctc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    example = load("handwriting_ctc")
    for name, value in {"VARIANTS": 1, "TEST_LINES": 60, "HIDDEN": 128, "TRAIN_LINES": 50}.items():
        monkeypatch.setattr(example, name, value)
    share = example.main(steps=150)
    out = capsys.readouterr().out
    assert share > 0.2  # a full run ends above 0.9
    assert "The plan of the equation" in out
    assert "trellis region" in out
    assert "read: " in out
    assert out.splitlines()[-1].endswith("seconds")


def test_ctc_graph_of_the_handwriting_example() -> None:
    """The graph accepts a string of symbols just where merging repetitions and dropping blanks gives the digits."""
    example = load("handwriting_ctc")
    equation = ag.compile("COUNT[Y ∘ Z]")
    random = np.random.default_rng(0)
    for digits in ([3], [1, 2], [1, 1], [4, 4, 5]):
        graph = ag.graphs.alignments(digits, example.BLANK)
        accepted = 0
        for _ in range(200):
            symbols = random.choice([*digits, example.BLANK], size=random.integers(0, 8))
            scores = np.full((1, len(symbols), example.SYMBOLS), 0.0)
            scores[0, np.arange(len(symbols)), symbols] = 1.0
            merged = next(example.decode(scores, np.array([len(symbols)])))
            assert equation(Y=graph, Z=ag.linear(symbols)) == int(merged == digits)
            accepted += merged == digits
        assert accepted


def english(number: int) -> str:
    """The words of a number, by arithmetic."""
    units = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    units = (units + "seventeen eighteen nineteen").split()
    if number < 20:
        return units[number]
    for size, word in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = f" {english(number % size)}" if number % size else ""
            return f"{english(number // size)} {word}{rest}"
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"][number // 10 - 2]
    return f"{tens} {units[number % 10]}" if number % 10 else tens


def test_say_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    example = load("say_numbers")
    lines = example.main(["17", "nine hundred and one", "forty-two thousand"])
    assert lines[:3] == ["17: seventeen", "nine hundred and one: 901", "forty-two thousand: 42000"]
    assert lines[-1] == "each number has one reading, and each reading one number"
    assert "1,000,000 numbers" in capsys.readouterr().out
    graph = example.make()
    chosen = np.random.default_rng(0).integers(0, 1_000_000, 50).tolist()
    for number in [0, 1, 9, 10, 19, 20, 99, 100, 101, 110, 999, 1000, 1001, 10_010, 100_000, 999_999, *chosen]:
        assert example.say(graph, number) == english(number)
        assert example.read(graph, english(number)) == number
    for wrong in ("one hundred hundred", "twenty ten", "zero thousand"):
        with pytest.raises(ValueError, match="invalid literal"):  # no path spells it
            example.read(graph, wrong)


def test_all_numbers_are_said() -> None:
    """Every path, walked by hand: a million numbers and their words."""
    example = load("say_numbers")
    graph = example.make()
    leaving: list[list[tuple[int, str, str]]] = [[] for _ in range(graph.n_states)]
    columns = (graph.src.tolist(), graph.dst.tolist(), graph.ilabel.tolist(), graph.olabel.tolist())
    for src, dst, read, written in zip(*columns, strict=True):
        digit = example.SYMBOLS.symbol(read) if read >= 0 else ""
        word = " " + example.SYMBOLS.symbol(written) if written >= 0 else ""
        leaving[src].append((dst, digit, word))
    accepts, found = set(graph.accept.tolist()), {}
    stack = [(state, "", "") for state in graph.start.tolist()]
    while stack:
        state, digits, words = stack.pop()
        if state in accepts:
            found[int(digits)] = words
        stack += [(dst, digits + digit, words + word) for dst, digit, word in leaving[state]]
    assert len(found) == 1_000_000
    assert all(words[1:] == english(number) for number, words in found.items())


def test_jax_aligner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("jax", "optax", "matplotlib"):
        pytest.importorskip(name)
    example = load("jax_aligner")
    written = ag.compile("a⁺ b⁺ c⁺")(a=ag.linear([0]), b=ag.linear([1]), c=ag.linear([2]))
    assert ag.equivalent(written, example.stretched(3))
    file = tmp_path / "aligned.png"
    found = example.main(["--quick", "--invent", "--picture", str(file)])
    assert found["traced"] == 1
    assert found["error"] < 2.0
    assert file.stat().st_size > 10_000
    assert "words begin" in capsys.readouterr().out
