"""The grammar: precedence, spellings, programs, depth, and that Lark builds it without a conflict."""

from __future__ import annotations

import subprocess
import sys

import pytest
from syntax_trees import program_shape, shape

from arcgrad.grammar import parse, parse_definitions, to_latex, unparse
from arcgrad.grammar.errors import EquationError, InputError
from arcgrad.grammar.parser import build_parser
from arcgrad.grammar.syntax import Call, Constant, Definition, Name, Number, Operation, Text

# Fully parenthesised on the right.
PRECEDENCE = {
    "A B + C ∘ D*": "(A B) + (C ∘ (D*))",
    "A + B - C + D": "((A + B) - C) + D",
    "A - B C": "A - (B C)",
    "A ∘ B ∘ C": "(A ∘ B) ∘ C",
    "A ∩ B ∩ C": "(A ∩ B) ∩ C",
    "A B C": "(A B) C",
    "A · B C": "(A B) C",
    "A : B C": "(A : B) C",
    "A : B : C": "(A : B) : C",
    "A* : B⁺": "(A*) : (B⁺)",
    "A ∘ B C": "A ∘ (B C)",
    "A*⁻¹": "(A*)⁻¹",
    "A⁻¹*": "(A⁻¹)*",
    "A**": "(A*)*",
    "A*?⁺": "((A*)?)⁺",
    "A⟨w⟩*": "(A⟨w⟩)*",
    "A*⟨w⟩": "(A*)⟨w⟩",
    "A⟨x + y⟩": "A⟨(x + y)⟩",
    "A<B<w>>": "A<(B<w>)>",
    "A³²": "A{32}",
    "A³⁻¹": "(A³)⁻¹",
    "A B*": "A (B*)",
    "-A + B": "(-A) + B",
    "-A B": "-(A B)",
    "-A*": "-(A*)",
    "-A ∘ B": "-(A ∘ B)",
    "A - B": "A - (B)",
    "x × -y": "x × (-y)",
    "x / -y × z": "(x / (-y)) × z",
    "x × -y z": "(x × (-y)) z",
    "x / y / z": "(x / y) / z",
    "x y / z": "(x y) / z",
    "x / y × z": "(x / y) × z",
    "x / y · z": "(x / y) z",
    "2 LSE[A]": "2 (LSE[A])",
    "LSE[-A]": "LSE[(-A)]",
    "A<-1>": "A<(-1)>",
    "x = -1; x": "x = (-1); x",
    "{A + B} C": "(A + B) C",
    "f[A, -B + C]": "f[A, ((-B) + C)]",
    "2 * -3": "(2 *) - 3",
}

SPELLINGS = {
    "A*": ["A∗", "A⋆", "A^*", r"A^\ast", r"\mathcal{A}^*", "A^{*}", r"A^{\ast}", r"A^\star", "A{0,}"],
    "A⁺": ["A^+", "A{1,}", "A^{+}", "A{1, }", r"A^{\{1,\}}"],
    "A?": ["A{0,1}", "A^?", "A^{0,1}"],
    "A³": ["A{3}", "A^3", "A^{3}", "A{3,3}", "A { 3 }", r"A^{\{3\}}"],
    "A{2,5}": ["A{2, 5}", "A^{2,5}", r"A^{\{2,5\}}"],
    "A⁻¹": ["A^-1", "A^{-1}", "A^−1", "A^{ - 1 }", r"\mathcal{A}^{-1}"],
    "A⟨w⟩": ["A<w>", r"A\langle w\rangle", r"A\left\langle w\right\rangle", "A\u2329w\u232a", r"A \lt w \gt"],
    "A : B": ["A:B", r"A \colon B"],
    "A B": ["A·B", r"A \cdot B", "A⋅B", "A {B}", "A(B)", r"A \left( B \right)", r"A\, B", r"A\{B\}"],
    "A ∘ B": ["A @ B", "A ◦ B", r"A \circ B", "A∘B"],
    "A ∩ B": ["A & B", r"A \cap B"],
    "A + B": ["A ∪ B", "A | B", r"A \cup B", "$A + B$", r"\[A + B\]", r"\begin{equation}A+B\end{equation}"],
    "A - B": ["A ∖ B", "A − B", r"A \setminus B", r"A \backslash B"],
    "x × y": [r"x \times y", "x ⨯ y"],
    "x / y": ["x ÷ y", r"x \div y"],
    "ε": ["eps", r"\epsilon", r"\varepsilon", "𝜀", "ϵ"],
    "∅": ["empty", r"\emptyset", r"\varnothing"],
    "LSE[A]": [r"\text{LSE}[A]", r"\operatorname{LSE}\left[A\right]", r"\mathrm{LSE} [A]", "LSE [A]", "LSE[\n A\n]"],
    "in[A] out[B]": ["π₁[A] π₂[B]", r"\pi_1[A] \pi_2[B]", "π1[A] π_2[B]", r"\pi_{1}[A] out[B]"],
    "LSE[(A1 + A2) ∘ X*]": [
        r"\text{LSE} [((\mathcal{A}_1 + \mathcal{A}_2) \circ \mathcal{X}^*)]. \quad (4)",
        r"$$\text{LSE} [((\mathcal{A}_1 + \mathcal{A}_2) \circ \mathcal{X}^*)], \tag{4}$$",
        r"\text{LSE}[(\mathcal{A}_1 + \mathcal{A}_2) \circ \mathcal{X}^*] \qquad (4a)",
        "LSE[(A1 + A2) ∘ X*]. (4)",
        "LSE[(A1 + A2) ∘ X*],",
        "\n\n  LSE[(A1 + A2) @ X*] # comment (4)\n\n;\n",
        "LSE[(A1 +\n A2) # left\n ∘ X*]",
        r"\displaystyle \text{LSE}\Bigl[\bigl(A_1 + A_2\bigr) \circ X^{\ast}\Bigr]\,.",
    ],
    "A 4": ["A(4)", "(A (4))", "A · (4)", r"A\left(4\right)", "(A) 4"],
    '"ab"': [r'\text{"ab"}', r'\texttt{ "ab" }'],
    r'"<\<s\>> \>"': [r'"<\<s\>> >"', r'\text{"<\<s\>> >"}'],
    "linear[]": ["linear[ ]", r"\operatorname{linear}\left[\right]"],
    'a = b; f[X] = X a\nf["c"]': ['a=b\nf[X]=X a;f["c"]', 'a = b \\\\ f[X] = X a \\\\ f["c"].'],
}


@pytest.mark.parametrize(("text", "grouped"), PRECEDENCE.items())
def test_precedence(text: str, grouped: str) -> None:
    assert program_shape(parse(text)) == program_shape(parse(grouped))


@pytest.mark.parametrize(("text", "other"), [(text, other) for text, others in SPELLINGS.items() for other in others])
def test_spellings(text: str, other: str) -> None:
    assert program_shape(parse(other)) == program_shape(parse(text))


@pytest.mark.parametrize(
    "text", [*PRECEDENCE, *SPELLINGS, *(other for others in SPELLINGS.values() for other in others)]
)
def test_every_span_lies_in_the_text_as_given(text: str) -> None:
    program = parse(text)
    pending = [(program.result, 0, len(text))]
    while pending:
        node, start, end = pending.pop()
        assert node is not None
        assert start <= node.span.start <= node.span.end <= end
        if isinstance(node, Name):
            assert shape(parse(text[node.span.start : node.span.end]).result) == shape(node)  # type: ignore[arg-type]
        for child in getattr(node, "operands", ()) or getattr(node, "arguments", ()):
            pending.append((child, node.span.start, node.span.end))


def test_nodes() -> None:
    program = parse('f[X] = X⟨w⟩{2,}\n2.5 × "a<eps>" ∅')
    definition = program.statements[0]
    assert isinstance(definition, Definition)
    assert [parameter.name for parameter in definition.parameters] == ["X"]
    assert isinstance(definition.body, Operation)
    assert (definition.body.tag, definition.body.parameters) == ("repeat", (2, None))
    product = program.result
    assert isinstance(product, Operation)
    number_and_text = product.operands[0]
    assert isinstance(number_and_text, Operation)
    number, text = number_and_text.operands
    assert isinstance(number, Number)
    assert number.value == 2.5
    assert isinstance(text, Text)
    assert text.symbols == ("a", "<eps>")
    assert isinstance(product.operands[1], Constant)
    assert program.place(text.span).column == 7
    assert isinstance(parse("3").result, Number)
    assert isinstance(parse("rev[A]").result, Call)


def test_numbers_keep_their_type() -> None:
    values = [parse(text).result.value for text in ("3", "3.0", "3.", ".5", "1e3", "2.5E-3", "007")]  # type: ignore[union-attr]
    assert values == [3, 3.0, 3.0, 0.5, 1000.0, 0.0025, 7]
    assert [type(value) for value in values] == [int, float, float, float, float, float, int]


def test_a_spaced_star_is_marked() -> None:
    spaced = [parse(text).result.operands[0].spaced for text in ("A * B", "A* B", "A ^* B", r"A \ast B")]  # type: ignore[union-attr]
    assert spaced == [True, False, False, True]


def test_an_operator_name_is_an_ordinary_name_without_brackets() -> None:
    assert unparse(parse("H ∘ C ∘ L ∘ G", ["H", "E", "KL"])) == "H ∘ C ∘ L ∘ G"
    assert unparse(parse("E = A; H(A + E) E[A, E]", ["H", "E"])) == "E = A\nH (A + E) E[A, E]"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("log LSE[A]", "write `log[LSE[A]]`"),
        ("PATH A", "write `PATH[A]`"),
        ("LSE{A}", "write `LSE[A]`"),
        ("LSE(A + B) C", "write `LSE[A + B]`"),
        (r"\log LSE[rev[A] B] + 1", "write `log[LSE[rev[A] B]]`"),
        ("2 LSE", "write `LSE[…]`"),
        ("LSE * A", "write `LSE[…]`"),
        ("A ∘ in", "write `in[…]`"),
        ("LSE = A; B", "choose another name"),
        ("f[log] = A; B", "needs another name"),
        ("LSE[A] = A; B", "choose another name"),
        ("π₁[A] = A; B", "choose another name"),
        ("H[A] = A; B", "choose another name"),
        ("LSE[A] (4)", "`LSE[A] × 4`, or `LSE[A]. (4)`"),
        ("LSE[A ∘ B]\u3000(4)", "`LSE[A ∘ B] × 4`, or `LSE[A ∘ B]. (4)`"),
        (r"\text{LSE}[A] \, (4a)", r"`\text{LSE}[A] × 4a`"),
        ("s = 2 (3); A<s>", "`s = 2 × 3`"),
        ("A{n}", "`A{3}`"),
        ("(A B){n, m} C", "`A{3}`"),
        ("A{2,n}", "`A{2,5}`"),
    ],
)
def test_readings_that_nobody_means_are_refused_with_a_hint(text: str, hint: str) -> None:
    names = ("LSE", "PATH", "log", "in", "H", "rev")
    for parse_text, given in ((parse, text), (parse_definitions, text.removesuffix("; B"))):
        with pytest.raises(EquationError) as caught:
            parse_text(given, names)
        assert hint in str(caught.value)
    assert parse("{A}{B} C {n}").statements == ()


def test_definitions_alone() -> None:
    program = parse_definitions("ctc[X, Y] = LSE[Y ∘ X]  # CTC\n\nblank = 0.")
    assert [statement.name for statement in program.statements] == ["ctc", "blank"]
    assert program.result is None
    assert parse_definitions("").statements == ()
    with pytest.raises(EquationError, match="only assignments and definitions"):
        parse_definitions("a = b\na")


def test_a_definition_may_come_with_inputs_of_its_parameters_names() -> None:
    program = parse("f[X] = X Y; X = A; f[X]")
    assert len(program.statements) == 2
    assert len(parse("g = A; g[B] g").statements) == 1


def test_the_text_is_a_string() -> None:
    for wrong in (None, b"A", 3):
        with pytest.raises(InputError):
            parse(wrong)  # type: ignore[arg-type]
        with pytest.raises(InputError):
            parse_definitions(wrong)  # type: ignore[arg-type]


DEEP = 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "(" * DEEP + "A" + ")" * DEEP,
        "{" * DEEP + "A" + "}" * DEEP,
        "LSE[" * DEEP + "A" + "]" * DEEP,
        "A<" * DEEP + "w" + ">" * DEEP,
        "-(" * DEEP + "A" + ")" * DEEP,
        "A" + " + A" * DEEP,
        "A ∘ (" * DEEP + "A" + ")" * DEEP,
        "A" + "*" * DEEP,
        "A " * DEEP,
        're"' + "(" * DEEP + "a" + ")*" * DEEP + '"',
        "f[" + "A, " * DEEP + "A]",
    ],
    ids=[
        "parentheses",
        "braces",
        "calls",
        "weights",
        "minus",
        "sum",
        "right",
        "stars",
        "product",
        "regex",
        "arguments",
    ],
)
def test_depth_is_no_limit(text: str) -> None:
    program = parse(text)
    assert program_shape(parse(unparse(program))) == program_shape(program)
    assert program_shape(parse(to_latex(program))) == program_shape(program)


@pytest.mark.slow
def test_deep_nesting_with_a_mistake() -> None:
    with pytest.raises(EquationError, match="never closed"):
        parse("(" * DEEP + "A")
    with pytest.raises(EquationError, match="nothing stands between"):
        parse("(" * DEEP + ")" * DEEP)


def test_the_grammar_has_no_conflicts() -> None:
    pytest.importorskip("interegular")
    assert build_parser(strict=True) is not None


def test_the_errors_are_at_hand_without_lark() -> None:
    code = "import sys, arcgrad.grammar.errors, arcgrad.grammar.syntax; assert 'lark' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_layer_offers_its_names_lazily() -> None:
    import arcgrad.grammar

    assert {"parse", "parse_definitions", "normalise_name", "unparse", "to_latex"} <= set(dir(arcgrad.grammar))
    with pytest.raises(AttributeError):
        _ = arcgrad.grammar.nothing
