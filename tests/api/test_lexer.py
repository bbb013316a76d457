"""The lexer: every text comes back whole, and what the grammar accepts has no error in it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

import arcgrad.lexer as lexer
from arcgrad.compiler.operators import operators

EQUATIONS = [
    "LSE[(A1 + A2) ∘ X*]",
    r"\text{LSE} [((\mathcal{A}_1 + \mathcal{A}_2) \circ \mathcal{X}^*)]. \quad (4)",
    r"\operatorname{LSE}\left[\alpha^{3} \cap \mathcal{B}_{12}^{-1}\right] - \log[x]",
    'two = "a<eps>\\n" + re"[a-z]*" # a comment',
    'G = graph"0 1 a 0.5\n1 2 <b b>:ε; 2"',
    "A{2,5} B³ C⁻¹ D⁺ E? ⟨0.5⟩ F<-1e-3>",
    "f[P, Q] = P : Q | ε - ∅ eps empty token_graph",
    "A₁ B_{1} 𝒜_2 größe",
    *(entry.example for entry in operators().values()),
]


def kinds(text: str) -> dict[str, str]:
    return {word: kind for _, kind, word in lexer.tokens(text)}


@pytest.mark.parametrize("text", EQUATIONS)
def test_every_equation_has_tokens_without_errors(text: str) -> None:
    found = list(lexer.tokens(text))
    assert "".join(word for *_, word in found) == text
    assert all(start + len(word) == after for (start, _, word), (after, *_) in pairwise(found))
    assert not [word for _, kind, word in found if kind == "Error"]


@pytest.mark.parametrize(
    "text", ["", "\\", '"never closed', "A ≤ B", "\\nonsense x", "a\x00b", 'graph"0 1', "^", "{", "π ⁿ"]
)
def test_no_text_is_too_odd(text: str) -> None:
    assert "".join(word for *_, word in lexer.tokens(text)) == text


def test_kinds() -> None:
    found = kinds('LSE[A₁ ∘ two] + \\circ \\foo 0.5 # why "x"')
    assert found == {
        "LSE": "Name.Function", "[": "Punctuation", "A₁": "Name", " ": "Text.Whitespace", "∘": "Operator",
        "two": "Name", "]": "Punctuation", "+": "Operator", "\\circ": "Operator", "\\foo": "Error", "0.5": "Number",
        '# why "x"': "Comment.Single",
    }  # fmt: skip
    assert kinds('graph"0 1 <b>\\"') == {
        "graph": "String.Affix", '"0 1 ': "String", "<b>": "String.Symbol", '\\"': "String.Escape",
    }  # fmt: skip
    assert kinds("ε epsilon A eps")["epsilon"] == "Name"
    assert kinds(":grad A") == {":grad": "Keyword", " ": "Text.Whitespace", "A": "Name"}


def test_sessions() -> None:
    text = 'arcgrad> A = ("a" +\n      .. "b")\narcgrad> :grad\n      .. as output\nA 1.0\n'
    found = [(kind, word) for _, kind, word in lexer.tokens(text)]
    assert "".join(word for _, word in found) == text
    prompts = [word for kind, word in found if kind == "Generic.Prompt"]
    assert prompts == ["arcgrad> ", "      .. ", "arcgrad> ", "      .. "]
    assert ("Generic.Output", "A 1.0\n") in found
    assert ("Keyword", ":grad") in found


def test_pygments_finds_it_and_draws_its_colours() -> None:
    pygments = pytest.importorskip("pygments")
    from pygments.formatters import HtmlFormatter

    shown = pygments.highlight("LSE[A ∘ B]", lexer.ArcgradLexer(), HtmlFormatter())
    assert '<span class="nf">LSE</span>' in shown
    assert '<span class="o">∘</span>' in shown


def test_pygments_finds_it_by_its_alias() -> None:
    lexers = pytest.importorskip("pygments.lexers")
    from importlib.metadata import entry_points

    if not any(point.name == "arcgrad" for point in entry_points(group="pygments.lexers")):
        pytest.skip("installed before the entry point was there")
    assert type(lexers.get_lexer_by_name("arcgrad")).__name__ == "ArcgradLexer"


def test_without_pygments_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pygments.lexer", None)
    monkeypatch.delitem(vars(lexer), "ArcgradLexer", raising=False)
    with pytest.raises(ImportError, match=r"arcgrad\[repl\]"):
        lexer.__getattr__("ArcgradLexer")
    with pytest.raises(AttributeError):
        lexer.__getattr__("Other")


def test_unknown_attribute() -> None:
    missing: Any = lexer
    with pytest.raises(AttributeError, match="Nothing"):
        missing.Nothing  # noqa: B018
