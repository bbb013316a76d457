"""Regular expressions: what they match, against Python's re, and where their nodes stand."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcgrad.grammar import parse, unparse
from arcgrad.grammar.syntax import Call, CharacterClass, Constant, Expression, Operation, Text

ALPHABET = "abc-0 "


def language(node: Expression, length: int) -> set[str]:
    """The strings of at most ``length`` symbols over ALPHABET that a tree accepts, by enumeration."""
    if isinstance(node, Text):
        word = "".join(node.symbols)
        return {word} if len(word) <= length else set()
    if isinstance(node, Constant):
        return {""} if node.name == "epsilon" else set()
    if isinstance(node, CharacterClass):
        inside = {c for c in ALPHABET if any(first <= c <= last for first, last in node.ranges)}
        return (set(ALPHABET) - inside) if node.negated else inside
    if isinstance(node, Call):  # the set of strings, whichever ways there are to each
        assert node.name == "support"
        return language(node.arguments[0], length)
    assert isinstance(node, Operation)
    parts = [language(operand, length) for operand in node.operands]
    if node.tag == "union":
        return parts[0] | parts[1]
    if node.tag == "concatenate":
        return _product(parts[0], parts[1], length)
    low, high = {"closure": (0, None), "plus": (1, None), "optional": (0, 1)}.get(node.tag) or node.parameters
    assert low is not None
    words: set[str] = set()
    power = {""}
    for count in range(low + length + 1 if high is None else high + 1):
        if count >= low:
            words |= power
        power = _product(power, parts[0], length)
    return words


def _product(left: set[str], right: set[str], length: int) -> set[str]:
    return {a + b for a in left for b in right if len(a + b) <= length}


def matches(pattern: str, length: int = 3) -> set[str]:
    compiled = re.compile(pattern)
    words = ("".join(word) for n in range(length + 1) for word in itertools.product(ALPHABET, repeat=n))
    return {word for word in words if compiled.fullmatch(word)}


PATTERNS = r"""
    abc a|b a| | (a|b)c a* a+b? (ab)* a{2} a{1,2}b a{0,} [a-c] [^a-c] [-a] [a-] [\-a] . .*a \d \w+ \s \D \W \S [\da]
    (?:a|b)*c ((a)) a(b|c)* () (|a)b a||b \- [a-ac] (a{2}){1,2} a?b?c?
""".split()  # noqa: SIM905 — a list of thirty patterns, a line each, is harder to read


@pytest.mark.parametrize("pattern", ["", "a b", *PATTERNS])
def test_the_language_is_that_of_python(pattern: str) -> None:
    result = parse(f're"{pattern}"').result
    assert result is not None
    assert language(result, 3) == matches(pattern)


_ATOMS = st.sampled_from(["a", "b", "c", "ab", "[ab]", "[^a]", ".", r"\d", "-", " "])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(_PATTERNS)
def test_random_expressions_accept_what_python_accepts(pattern: str) -> None:
    result = parse(f're"{pattern}"').result
    assert result is not None
    assert language(result, 3) == matches(pattern)


def ways(text: str) -> Operation:
    """What stands in the literal's ``support``."""
    call = parse(text).result
    assert isinstance(call, Call)
    assert call.name == "support"
    (operand,) = call.arguments
    assert isinstance(operand, Operation)
    return operand


def test_symbols_of_several_characters_and_escapes() -> None:
    result = ways(r're"a<eps>\"\<[<b c>x\n]"')
    text, symbols = result.operands
    assert isinstance(text, Text)
    assert text.symbols == ("a", "<eps>", '"', "<")
    assert isinstance(symbols, CharacterClass)
    assert symbols.ranges == (("<b c>", "<b c>"), ("x", "x"), ("\n", "\n"))


def test_spans_point_into_the_literal() -> None:
    text = 'A re"(cat|do+g)"'
    product = parse(text).result
    assert isinstance(product, Operation)
    support = product.operands[1]
    assert isinstance(support, Call)
    assert text[support.span.start : support.span.end] == 're"(cat|do+g)"'
    (union,) = support.arguments
    assert text[union.span.start : union.span.end] == "(cat|do+g)"
    pieces = []
    pending: list[Expression] = list(union.operands)
    while pending:
        node = pending.pop(0)
        pieces.append(text[node.span.start : node.span.end])
        pending.extend(getattr(node, "operands", ()))
    assert pieces == ["cat", "do+g", "do+", "g", "d", "o+", "o"]


def test_runs_of_characters_become_strings() -> None:
    assert unparse(parse('re"ab(cd)e|x*"')) == 'support["abcde" + "x"*]'


def test_strings_and_classes_alone_are_deterministic_as_they_are() -> None:
    for text in ('re"abc"', 're"[a-c]"', 're""', 're"."'):
        assert not isinstance(parse(text).result, Call)
