"""docs/operators.md, made from the operator registry and the language itself; nothing there is written by hand.

``python docs/make`` writes it. Every sign in the tables of spellings is tried, and listed where the compiler
takes it for the operator, so the page cannot promise one that is not accepted.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from functools import cache

import examples
from arcgrad.compiler.frontend.elaborate import elaborate, operator_names
from arcgrad.compiler.operators import Category, Law, Operator, operators
from arcgrad.compiler.types import Type
from arcgrad.grammar import parse, spelling, to_latex, unparse
from arcgrad.grammar.errors import EquationError
from arcgrad.grammar.names import LITERALS
from arcgrad.runtime.draw.drawing import Drawing
from examples import SETUP

_TITLES = {
    Category.LITERAL: "Literals",
    Category.STRUCTURAL: "Graphs from graphs",
    Category.TRANSFORM: "Graphs that depend on weights",
    Category.REDUCTION: "Scores of graphs",
    Category.ARITHMETIC: "Scores from scores",
}
_INTRODUCTION = """\
# Operators

Every operator of the language. This page is made from the registry (`compiler/operators/`) by `python docs/make`; do
not edit it. [The language](language.md) explains how operators work together.

## What is written most

Each of these compiles as it stands; letters are graphs, `X` may be a network's scores.

| write | for | see |
|---|---|---|
{most}

## How to read this page

**Examples** are run by the tests. They use the inputs and the function `show` defined below. Of a graph, `show` prints
each arc with its weight and its *row of the Jacobian*: `A1 + T1` means that the weight is the sum of the weights of A's
and T's first arcs, so both derivatives are 1; in `0.27 D1 + 0.73 D2` they depend on weights. Of a score it
prints the gradient.

<details markdown="1">
<summary>The inputs, and <code>show</code></summary>

```python
{setup}```

</details>

**Laws** hold for all inputs where both sides have a value; the tests check each on random graphs, values and gradients.
*Arc by arc* means that both sides are the same graph, states and arcs in order."""

_MOST_WRITTEN = [
    ("LSE[X] - LSE[X ∘ Y]", "CTC, and any loss of a target's alignments Y", "lse"),
    ("LSE[X ∘ (T ∘ L ∘ G)]", "sums over what a topology, a lexicon and a language model allow", "compose"),
    ("PATH[X ∘ (T ∘ L)]", "decoding", "path"),
    ("NBEST[X ∘ T, 10]", "the ten best paths", "nbest"),
    ("SAMPLE[X ∘ T, 5, seed]", "paths drawn by their probabilities", "sample"),
    ("MAX[A ∘ E ∘ B]", "edit distances, best alignments", "max"),
    ("LSE[(A1 + A2) ∘ X*]", "unions, closures: the textbook's equation", "closure"),
    ("LSE[X ∘ B] - LSE[X ∘ (B ∘ Y)]", "ASG, linear-chain CRFs", "lse"),
    ("H[X ∘ Y]", "entropy of the alignments", "entropy"),
    ("KL[A, B]", "distillation", "kl"),
    ("E[A, R]", "expected costs, minimum Bayes risk", "expectation"),
    ("det[A ∘ B]", "one path for each string", "determinize"),
    ('"abc" ∘ rewrite["a" : "b", ε, "b", re"[a-z]"]', "rewrite rules", "rewrite"),
    ('LSE[X ∘ re"[a-z]*cat[a-z]*"]', "keywords: regular expressions are sets", "support"),
    ("out[A ∘ T]", "what a transducer makes of A", "project_output"),
    ("A - B", "A's paths whose strings B does not accept", "difference"),
]

# What literals are written as, whose text is parsed apart.
_LITERALS = {"symbols": 're"[a-c]"', "typed": 'graph"0 1 a 0.5; 1 2 b:x; 2"'}

# Inputs that spellings are tried on.
_INPUTS = {"A": Type.GRAPH, "B": Type.GRAPH, "a": Type.SCORE, "b": Type.SCORE, "m": Type.MAPPING}


def page() -> str:
    """The whole text of docs/operators.md."""
    most = [f"| {_cell(text)} | {purpose} | [{name}](#{name}) |" for text, purpose, name in _MOST_WRITTEN]
    parts = [_INTRODUCTION.format(most="\n".join(most), setup=SETUP)]
    for category, title in _TITLES.items():
        parts.append(f"## {title}")
        entries = [entry for entry in operators().values() if entry.category is category]
        parts += [_section(entry) for entry in sorted(entries, key=lambda entry: not _spellings(entry))]
    return "\n\n".join(parts) + "\n"


def pictures() -> Iterator[tuple[str, Drawing]]:
    """The pictures of the page, by name."""
    for entry in operators().values():
        drawing = examples.drawing(entry)
        if drawing is not None:
            yield _picture(entry), drawing


def _picture(entry: Operator) -> str:
    return f"operator-{entry.name.replace('_', '-')}"


def _section(entry: Operator) -> str:
    written = _spellings(entry)
    rows = [f"### {entry.name}", entry.summary]
    facts = [
        ("Write", written[0] if written else "has no spelling of its own; the compiler makes it"),
        ("Also", ", ".join(written[1:])),
        ("Types", _types(entry)),
        ("Example", _code(entry.example)),
        ("Reference", entry.reference),
    ]
    rows.append("\n".join(f"- {name}: {text}" for name, text in facts if text))
    expression = examples.example_of(entry)
    if expression is not None:
        quoted = f"'{expression}'" if '"' in expression else f'"{expression}"'
        rows.append(f"```python\n>>> show({quoted})\n{examples.shown(expression)}\n```")
    if examples.drawing(entry) is not None:
        rows.append(f"![{str(expression).replace('*', chr(92) + '*')}](pictures/{_picture(entry)}.svg)")
    if entry.laws:
        rows.append("| law | holds | because |\n|---|---|---|\n" + "\n".join(map(_law, entry.laws)))
    return "\n\n".join(rows)


def _law(law: Law) -> str:
    names = [operators()[name].names[0] for name in law.under if name != "equal"]
    where = "arc by arc" if "equal" in law.under else "under " + ", ".join(names) if names else "as scores"
    return f"| {_cell(f'{law.left} = {law.right}')} | {where} | {law.reason} |"


def _types(entry: Operator) -> str:
    slots = _call_slots(entry)
    operands = [what for _, what in slots]
    if entry.variadic and operands:
        operands.append("…")
    return f"{', '.join(operands) or 'nothing'} → {entry.result}"


def _call_slots(entry: Operator) -> list[tuple[str, str]]:
    """The places between an operator's brackets, in order: something to try there, and what it takes."""
    letters = {Type.GRAPH: iter("ABCD"), Type.SCORE: iter("abcd"), Type.MAPPING: iter("m")}
    slots = [
        (next(letters[type_]), "acceptor" if entry.needs_acceptor(number) else str(type_))
        for number, type_ in enumerate(entry.operands)
    ]
    if entry.labelled:
        slots.append(("1: B", "a label, and the graph in its place"))
    for name in entry.parameter_names:
        slots.append(("5", f"{name} (a number)" if name in entry.decimals else f"{name} (a whole number)"))
    # Where numbers stand among the operands is the compiler's business.
    for order in itertools.permutations(slots):
        text = f"{(*entry.names, '')[0]}[{', '.join(text for text, _ in order)}]"
        if _meaning(text) == entry.name:
            return list(order)
    return slots


def _spellings(entry: Operator) -> list[str]:
    """All texts that mean the operator, the one that arcgrad itself writes first."""
    found = [text for text, name in _tried() if name == entry.name]
    arguments = ", ".join(text for text, _ in _call_slots(entry))
    found += [f"{name}[{arguments}]" for name in entry.names]
    found += [f"{name}[{arguments}, {word}]" for name in entry.names for word in entry.words]
    found += [f"{alias}[{arguments}]" for alias, name in _aliases() if name == entry.name]
    if not found:
        return [_code(text) for name, text in _LITERALS.items() if name == entry.name]
    tree = parse(found[0], operator_names())
    return [_code(text) for text in dict.fromkeys([unparse(tree), *found, to_latex(tree)])]


@cache
def _tried() -> tuple[tuple[str, str], ...]:
    """Texts of one sign and plain inputs, each with the operator that it means."""
    commands = {f"\\{command} ": token for command, token in spelling.COMMANDS.items() if command.isalpha()}
    words = spelling.SYMBOLS | commands
    texts = [*LITERALS, *commands, *spelling.SYMBOLS, *(f"\\{command}" for command in spelling.GREEK)]
    for one, other in (("A", "B"), ("a", "b")):
        texts += [f"{one} {other}", *(f"{one} {word} {other}" for word in words)]
        texts += [f"{text}{one}" for text in words]
    texts += ["A{2,5}", "A{3}", "A³", "A^3", "A{2,}", "A⁺", "A{1,}", "A?", "A{0,1}", "A⁻¹", "A^-1"]
    texts += [f"A{mark}{word}" for word in words for mark in ("", "^")]
    opening, closing = ([word for word in words if words[word] == token] for token in ("LESS", "GREATER"))
    texts += [f"A{left}a{right}" for left, right in zip(opening, closing, strict=True)]
    # Characters that Unicode calls the same are one spelling.
    unique = dict.fromkeys(unicodedata.normalize("NFC", " ".join(text.split())) for text in texts)
    return tuple((text, name) for text in unique if (name := _meaning(text)) is not None)


@cache
def _aliases() -> tuple[tuple[str, str], ...]:
    """Names that mean an operator without being its own: a Greek letter with a subscript."""
    letters = [letter for letter in spelling.GREEK.values() if unicodedata.is_normalized("NFKC", letter)]
    names = [f"{letter}{digit}" for letter, digit in itertools.product(letters, "₀₁₂₃")]
    return tuple((name, found) for name in names if (found := _meaning(f"{name}[A]")) is not None)


@cache
def _meaning(text: str) -> str | None:
    """The operator that makes the value of a text from plain inputs, if it is one operator."""
    try:
        result = elaborate(parse(text, operator_names()), input_types=_INPUTS).result
    except EquationError:
        return None
    plain = all(operand.is_input for operand in result.operands)
    return None if result.is_input or result.is_number or not plain else result.operator


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}" if text else ""


def _cell(text: str) -> str:
    return _code(text.replace("|", "\\|"))
