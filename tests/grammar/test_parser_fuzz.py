"""Mutated equations, in all spellings: the parser answers with a program or an EquationError, and never otherwise.

``ARCGRAD_FUZZ=50000 python -m pytest tests/grammar/test_parser_fuzz.py`` runs the full count; the default fits a
normal test run.
"""

from __future__ import annotations

import os
import random
import re

import pytest
from mistakes import MISTAKES
from syntax_trees import program_shape

from arcgrad.grammar import normalise_name, parse, parse_definitions, to_latex, unparse
from arcgrad.grammar.errors import EquationError

COUNT = int(os.environ.get("ARCGRAD_FUZZ", "4000"))
OPERATORS = ("LSE", "MAX", "in", "out", "rev")

EQUATIONS = [
    "LSE[(A1 + A2) ∘ X*]",
    r"\text{LSE} [((\mathcal{A}_1 + \mathcal{A}_2) \circ \mathcal{X}^*)]. \quad (4)",
    "ctc[X, Y] = LSE[Y ∘ X]          # all alignments of Y\nLSE[X] - ctc[X, Y]",
    r"\mathrm{LSE}\left[\mathcal{A}_{1}^{-1} \cap \mathcal{B}^{+}\langle w \rangle \cup \varepsilon\right] \tag{5}",
    "A B + C ∘ D* - (E⁺ F?)⁻¹",
    "A{3} B{2,} C{2,5} D³ E^3 F^{12} G^{2,5}",
    "A⟨w⟩ A<-2.5e-3> A : B · C",
    '"abc<eps>\\n" re"(cat|dog)s?[a-z^]*\\d{2,3}." ∅ + ε | eps & empty',
    "2 × -3 / x - α LSE[A] * log[x]",
    "-x + (A_{ij} \\alpha_1) @ token_graph @ 名前 \\cdot \\hat{x}",
    "π₁[A] ∘ \\pi_2[B] ∖ relabel[C, m] \\setminus D − 𝒜₁",
    '$\\left\\{ A \\right\\} + \\text{"a\\{b"}$ \\\\ ',
    "a = b; f[P, Q] = P a Q\n\nf[A,\n  B # comment\n]",
    "NBEST[A, 3] - SAMPLE[B, 10, seed], (3)",
    "H ∘ C ∘ L ∘ G",
]
SEEDS = EQUATIONS + [text for texts in MISTAKES.values() for text in texts if len(text) < 100]
_TOKENS = re.compile(r"\\[A-Za-z]+|\w+|\s+|.", re.DOTALL)
ALPHABET = sorted({character for text in SEEDS for character in text}) + list("\x00\u200d\u0301\ufdfa\ud83d㎏Ⅳ½ﬁ①")
TOKENS = sorted({token for text in SEEDS for token in _TOKENS.findall(text)})


def mutate(text: str, dice: random.Random) -> str:
    """One to six edits, of characters or of tokens, or a splice with another seed."""
    by_token = dice.random() < 0.5
    pieces = _TOKENS.findall(text) if by_token else list(text)
    for _ in range(dice.randint(1, 6)):
        place = dice.randrange(len(pieces) + 1)
        kind = dice.choice(["delete", "insert", "swap", "duplicate", "splice", "replace"])
        if kind == "insert":
            pieces.insert(place, dice.choice(TOKENS if by_token else ALPHABET))
        elif kind == "splice":
            other = dice.choice(SEEDS)
            start = dice.randrange(len(other) + 1)
            pieces[place:place] = list(other[start : start + dice.randint(1, 12)])
        elif place < len(pieces):
            if kind == "delete":
                del pieces[place : place + dice.randint(1, 3)]
            elif kind == "swap":
                other_place = dice.randrange(len(pieces))
                pieces[place], pieces[other_place] = pieces[other_place], pieces[place]
            elif kind == "duplicate":
                pieces[place:place] = pieces[place : place + dice.randint(1, 5)]
            else:
                pieces[place] = dice.choice(TOKENS if by_token else ALPHABET)
    return "".join(pieces)


def check_error(error: EquationError, text: str) -> None:
    assert error.place is not None
    assert error.place.text == text
    assert 0 <= error.place.span.start < error.place.span.end
    assert error.place.span.start <= len(text)
    assert error.expected
    str(error).encode()


def check(text: str) -> bool:
    """Whether the text is a program; asserts what holds for programs and for errors."""
    try:
        program = parse(text, OPERATORS)
    except EquationError as error:
        check_error(error, text)
        return False
    for written in (unparse(program), to_latex(program)):
        assert program_shape(parse(written)) == program_shape(program), (text, written)
    return True


def test_the_seeds_are_equations() -> None:
    assert all(check(text) for text in EQUATIONS)


@pytest.mark.parametrize("part", range(8))
def test_mutated_equations_give_a_program_or_an_equation_error(part: int) -> None:
    dice = random.Random(part)
    accepted = 0
    for _ in range(COUNT // 8):
        text = mutate(dice.choice(SEEDS), dice)
        accepted += check(text)
    # Both outcomes are common, or the mutations would be too wild or too tame to find anything.
    assert COUNT // 8 * 0.05 < accepted < COUNT // 8 * 0.9


def test_mutated_names_and_definitions_give_an_equation_error_or_a_result() -> None:
    dice = random.Random(8)
    names = ["A1", "A₁", "A_1", "𝒜₁", "\\mathcal{A}_{1}", "token_graph", "\\alpha_1", "\\hat{x}", "\\text{a\\_b}"]
    accepted = 0
    for _ in range(COUNT // 4):
        try:
            name = normalise_name(mutate(dice.choice(names), dice))
        except EquationError:
            continue
        accepted += 1
        assert normalise_name(name) == name
    assert accepted > COUNT // 40
    for _ in range(COUNT // 8):
        text = mutate(dice.choice(SEEDS), dice)
        try:
            parse_definitions(text)
        except EquationError as error:
            check_error(error, text)
