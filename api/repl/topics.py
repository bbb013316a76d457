"""``:help``: an overview, each command, each operator of the registry, and a few topics."""

from __future__ import annotations

import textwrap

from arcgrad.grammar import spelling
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import nearest
from arcgrad.repl.commands import ALIASES, COMMANDS

__all__ = ["TOPICS", "help_on", "operators_by_spelling", "topics"]

_OVERVIEW = """\
Type an equation over weighted automata to see its value:

  A = graph"0 1 a 0.5; 1 2 b; 2"  arcs (from, to, label, score), and accepts
  LSE["ab" ∘ A]                   the score of a string
  NAME = EXPRESSION               a definition; or NAME[P, Q] = EXPRESSION

"""
TOPICS = {
    "graphs": """\
graph"0 1 a 0.5; 1 2 b:x; 2" is a graph as typed. Entries are parted by ; or stand on
lines of their own: an arc (from, to, label or input:output, score; 0 if left out), an
accept state (2), a start state (start 0; without one, the first state named). ε is no
label; a symbol of several characters is <name>.

Weights are log-domain scores: bigger is better. A path's weight is the sum of its arcs'
weights.

:load A FILE reads a graph, :save A FILE writes one, :draw A draws it.""",
    "strings": """\
"abc" accepts one string, along one arc for each character. re"(cat|dog)s?" accepts those
that match. ε accepts the empty string, ∅ nothing; linear[1, 7, 3] one string of labels
given as numbers.

Labels of characters are their Unicode code points; :symbols a b <s> makes a table
instead.""",
    "definitions": """\
B = A A gives an expression a name; twice[P] = P + P defines an operator. What has a name
is put in where it is used, and follows when what it uses changes.

A graph as typed (A = graph"…", A = "ab"⟨-1⟩ + "c") is an input of the equations that use
it, so :grad has a gradient with respect to it.

:names lists them, :del A forgets one, :save FILE.arcgrad keeps them, :load FILE.arcgrad
reads them.""",
    "keys": """\
Tab completes names, operators, commands and files, and LaTeX: \\circ becomes ∘, \\alpha
α, _1 ₁, ^-1 ⁻¹.

Enter ends an entry; where a bracket is open it goes on in the next line, until an empty
one. Up and down go through the history, Ctrl-R searches it. Ctrl-C ends an entry or an
evaluation, Ctrl-D the session.""",
}

# Tokens of signs, by the tag of the operator that they are.
_TOKENS = {
    "STAR": "closure", "ONE_OR_MORE": "plus", "QUESTION": "optional", "COLON": "cross", "DOT": "concatenate",
    "TIMES": "multiply", "SLASH": "divide", "COMPOSE": "compose", "INTERSECT": "intersect", "PLUS": "union",
    "MINUS": "difference", "LESS": "weight", "GREATER": "weight",
}  # fmt: skip
_WRITTEN = {
    "closure": "A*   A^*", "plus": "A⁺   A^+", "optional": "A?", "repeat": "A³   A{3}   A{2,5}   A^3",
    "inverse": "A⁻¹   A^-1", "weight": "A⟨w⟩   A<w>", "cross": "A : B", "concatenate": "A B   A·B",
    "compose": "A ∘ B   A @ B   A \\circ B", "intersect": "A ∩ B   A & B   A \\cap B",
    "union": "A + B   A ∪ B   A | B   A \\cup B", "difference": "A - B   A ∖ B   A \\setminus B",
    "multiply": "a × b   a b   a * b   a \\times b", "divide": "a / b", "negate": "-a",
}  # fmt: skip


def help_on(topic: str, width: int = 80) -> str:
    """The help on a topic; "" is the overview.

    Raises:
        InputError: there is none.
    """
    topic = topic.strip()
    if not topic:
        return _OVERVIEW + _command_lines()
    name = topic.removeprefix(":")
    name = ALIASES.get(name, name)
    if name in COMMANDS:
        command = COMMANDS[name]
        return f"{command.usage}\n{command.summary[0].upper()}{command.summary[1:]}. {command.details}"
    if topic in TOPICS:
        return _filled(TOPICS[topic], width)
    if topic in ("operators", "commands"):
        return _operator_lines(width) if topic == "operators" else _command_lines()
    found = operators_by_spelling().get(topic.rstrip("[]"))
    if found is None:
        near = nearest(topic, [*topics(), *COMMANDS])
        hint = f"did you mean :help {near}? " if near is not None else ""
        raise InputError(f"there is no help on {topic!r}", hint=f"{hint}topics are {', '.join(TOPICS)} and operators")
    return "\n\n".join(_operator(name) for name in found)


def _command_lines() -> str:
    lines = [f"{command.usage:<30} {command.summary}" for command in COMMANDS.values()]
    return "\n".join([*lines, "", f"Also :help {', :help '.join(TOPICS)}, :help operators, :help LSE, :help ∘"])


def _filled(text: str, width: int) -> str:
    """Paragraphs in lines of the width."""
    return "\n\n".join(textwrap.fill(part, width, break_on_hyphens=False) for part in text.split("\n\n"))


def topics() -> list[str]:
    """Everything that there is help on."""
    return [*TOPICS, "operators", "commands", *operators_by_spelling()]


def operators_by_spelling() -> dict[str, list[str]]:
    """Registry names of the operators that a sign or a name stands for."""
    from arcgrad.compiler.operators import operators

    found: dict[str, list[str]] = {}
    signs = {**spelling.SYMBOLS, **{f"\\{command}": token for command, token in spelling.COMMANDS.items()}}
    of_tags = {entry.tag: entry for entry in operators().values() if entry.tag is not None}
    for sign, token in signs.items():
        entry = of_tags.get(_TOKENS.get(token, ""))
        if entry is not None:
            found[sign] = [entry.name, *([entry.overload] if entry.overload else [])]
    for entry in operators().values():
        for spelled in (*entry.names, *([entry.tag or entry.name] if entry.names or entry.tag else [])):
            found.setdefault(spelled, []).append(entry.name)
    return {sign: list(dict.fromkeys(names)) for sign, names in found.items()}


def _operator(name: str) -> str:
    from arcgrad.compiler.operators import operator

    entry = operator(name)
    written = _WRITTEN.get(entry.tag or "", "")
    spelled = [written] if written else []
    spelled += [f"{each}[…]" for each in entry.names]
    lines = [f"{'   '.join(spelled) or name}", entry.summary]
    if entry.laws:
        lines.append("laws:")
        for law in entry.laws:
            where = f"   ({', '.join(law.under)})" if law.under and law.under != ("equal",) else ""
            lines.append(f"  {law.left} = {law.right}{where.upper()}")
    if entry.example:
        lines.append(f"for example {entry.example}")
    lines.append(f"from {entry.reference}")
    return "\n".join(lines)


def _operator_lines(width: int) -> str:
    from arcgrad.compiler.operators import Category, operators

    titles = {
        Category.STRUCTURAL: "graphs from graphs",
        Category.TRANSFORM: "graphs that depend on weights",
        Category.REDUCTION: "scores of graphs",
        Category.ARITHMETIC: "scores from scores",
    }
    lines = []
    for category, title in titles.items():
        lines.append(f"{title}:")
        for entry in operators().values():
            sign = (_WRITTEN.get(entry.tag or "") or "").split("   ")[0]
            spelled = sign or (f"{entry.names[0]}[…]" if entry.names else "")
            if spelled and entry.category is category:
                summary = textwrap.shorten(entry.summary, max(20, width - 18), placeholder=" …")
                lines.append(f"  {spelled:<15} {summary}")
    return "\n".join([*lines, "", ":help LSE says more about one"])
