"""Expansion: definitions and assignments are replaced by what they stand for, as shared untyped nodes.

First half of syntax → IR; ``compiler.inference`` gives the types and ``compiler.elaborate`` makes the IR. Terms are
interned here already, and an expansion of a definition is remembered by its arguments, so that repeated use does not
explode. Nothing recurses: expression depth and definition depth are limited by memory only.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from arcgrad.compiler.frontend.neighbours import neighbours_word
from arcgrad.compiler.limits import Limits, generous
from arcgrad.compiler.operators import Category, Operator, named_operators, operators
from arcgrad.grammar import syntax
from arcgrad.grammar.errors import EquationError, LimitError, Place
from arcgrad.grammar.mistakes import counted, described, nearest

__all__ = ["Expander", "Term"]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """An untyped node.

    Attributes:
        head: "input", "number", "text", "class", "graph", "constant", a syntax tag, or "[]" + a named operator's
            registry name.
        operands: terms below.
        parameters: literal arguments.
        expression: the syntax it came from, for messages.
        place: where.
        number: order of creation.
    """

    head: str
    operands: tuple[Term, ...]
    parameters: tuple[Hashable, ...]
    expression: syntax.Expression
    place: Place
    number: int


@dataclass(frozen=True, slots=True)
class _Closure:
    """A definition with the names visible where it stands and the text it stands in."""

    definition: syntax.Definition
    scope: _Scope
    text: str


class _Scope:
    """The names visible at one statement of a program, and the arguments of the definition around it.

    All statements share one table, in which each name has its meanings with the numbers of the statements that gave
    them: a copy for each of n definitions would take n² memory.
    """

    def __init__(
        self,
        table: dict[str, list[tuple[int, Term | _Closure]]],
        statement: int,
        arguments: Mapping[str, Term],
    ) -> None:
        self._table = table
        self.statement = statement
        self._arguments = arguments

    def get(self, name: str) -> Term | _Closure | None:
        """What a name stands for here; None: an input, or an operator."""
        if name in self._arguments:
            return self._arguments[name]
        meanings = self._table.get(name, ())
        return next((meaning for number, meaning in reversed(meanings) if number < self.statement), None)

    def within(self, arguments: Mapping[str, Term]) -> _Scope:
        """The names visible in a definition that stands here."""
        return _Scope(self._table, self.statement, arguments)

    def definitions(self) -> list[str]:
        """Names of the definitions."""
        return [name for name in self._table if isinstance(self.get(name), _Closure)]


@dataclass
class Expander:
    """Expands one program; ``expand_program`` is the entry."""

    limits: Limits
    internal: bool = False  # know operators without a spelling by their registry names
    terms: dict[tuple[Hashable, ...], Term] = field(default_factory=dict)
    _memo: dict[tuple[Hashable, ...], Term] = field(default_factory=dict)
    _expanding: list[str] = field(default_factory=list)  # definitions within one another, the innermost last

    def expand_program(self, programs: list[syntax.Program]) -> Term:
        """The term of the last program's result; the others are libraries of definitions before it."""
        table: dict[str, list[tuple[int, Term | _Closure]]] = {}
        scope = _Scope(table, 0, {})
        for program in programs:
            for statement in program.statements:
                meaning: Term | _Closure
                if isinstance(statement, syntax.Definition):
                    meaning = _Closure(statement, scope, program.text)
                else:
                    meaning = _run(self._expand(statement.expression, scope, program.text))
                number = scope.statement
                table.setdefault(statement.name, []).append((number, meaning))
                scope = _Scope(table, number + 1, {})
        result = programs[-1].result
        if result is None:
            raise EquationError("this text only defines names; an equation ends with an expression")
        return _run(self._expand(result, scope, programs[-1].text))

    def _make(
        self,
        head: str,
        operands: tuple[Term, ...],
        parameters: tuple[Hashable, ...],
        expression: syntax.Expression,
        text: str,
    ) -> Term:
        key = (head, tuple(o.number for o in operands), repr(parameters))
        term = self.terms.get(key)
        if term is None:
            place = Place(text, expression.span)
            if len(self.terms) >= self.limits.nodes:
                read = max(expression.span.end, 1) / max(len(text), 1)  # what is left of the text may be as dense
                usual = generous(max(2 * len(self.terms), len(self.terms) / read))
                raise LimitError(
                    f"the equation expands to more than {self.limits.nodes} distinct nodes; expansion stopped there",
                    place=place,
                    hint=f"raise the limit with limits=ag.Limits(nodes={usual}), which usually suffices; or take out "
                    "definitions that are not used, and let those that are call fewer others",
                )
            term = Term(head, operands, parameters, expression, place, len(self.terms))
            self.terms[key] = term
        return term

    def _expand(self, expression: syntax.Expression, scope: _Scope, text: str) -> Generator[_Step, Term, Term]:
        match expression:
            case syntax.Name(name=name):
                known = scope.get(name)
                if isinstance(known, _Closure):
                    arguments = ", ".join(p.name for p in known.definition.parameters)
                    raise EquationError(
                        f"{name} is a definition and takes arguments in brackets",
                        place=Place(text, expression.span),
                        hint=f"write {name}[{arguments}]",
                    )
                return known if known is not None else self._make("input", (), (name,), expression, text)
            case syntax.Number(value=value):
                return self._make("number", (), (value,), expression, text)
            case syntax.Text(symbols=symbols):
                return self._make("text", (), symbols, expression, text)
            case syntax.CharacterClass(ranges=ranges, negated=negated):
                return self._make("class", (), (ranges, negated), expression, text)
            case syntax.GraphLiteral():
                entries = tuple((a.source, a.destination, a.input, a.output, a.score) for a in expression.arcs)
                graph = (expression.n_states, entries, expression.starts, expression.accepts)
                return self._make("graph", (), graph, expression, text)
            case syntax.Constant(name=name):
                return self._make("constant", (), (name,), expression, text)
            case syntax.Operation():
                operands = []
                for operand in expression.operands:
                    operands.append((yield self._expand(operand, scope, text)))
                parameters: tuple[Hashable, ...] = expression.parameters
                if expression.tag == "closure":
                    parameters = (expression.spaced,)
                return self._make(expression.tag, tuple(operands), parameters, expression, text)
            case syntax.Call():
                return (yield self._expand_call(expression, scope, text))

    def _expand_call(self, call: syntax.Call, scope: _Scope, text: str) -> Generator[_Step, Term, Term]:
        known = scope.get(call.name)
        if isinstance(known, _Closure):
            return (yield self._expand_definition(call, known, scope, text))
        entry = named_operators().get(call.name)
        if entry is None and self.internal:
            entry = operators().get(call.name)
        if entry is None and call.name in self._expanding:
            raise EquationError(
                f"the definition of {call.name} uses {call.name} itself",
                place=Place(text, call.name_span),
                found=call.name,
                hint="definitions may not recurse; repetition is written A*, A{n} or A{m,n}",
            )
        if entry is None:
            raise _unknown_name(call, scope, text)
        if entry.labelled:
            return (yield self._expand_labelled(call, entry, scope, text))
        words = _last_words(call, entry, text)
        given = len(call.arguments) - len(words)
        fixed, literals = len(entry.operands), len(entry.parameter_names)
        if entry.ends_with_alphabet and given == fixed + literals - 1:
            fixed -= 1
        if entry.category is Category.LITERAL:
            values = tuple(_whole_number(a, text, "a label") for a in call.arguments)
            return self._make(f"[]{entry.name}", (), values, call, text)
        if given < fixed + literals or (given > fixed + literals and not entry.variadic):
            wanted = [*_operands_wanted(entry)] + [f"the number {n}" for n in entry.parameter_names]
            shape = ", ".join(wanted) + (", …" if entry.variadic else "")
            shape += f", then any of the words {', '.join(entry.words)}" if entry.words else ""
            raise EquationError(
                f"{call.name} takes {shape}; {counted(given, 'argument')} given",
                place=Place(text, call.span),
                expected=tuple(wanted),
                found=counted(given, "argument"),
                hint=_meant_word(call, entry)
                or (_OF_ONE_GRAPH.get(entry.name) if given == 1 else None)
                or (f"for example {entry.example}" if entry.example else None),
            )
        operands = []
        literal_at = entry.literal_positions
        positions = [i for i in range(given) if entry.variadic or i not in literal_at]
        for i in positions:
            operands.append((yield self._expand(call.arguments[i], scope, text)))
        numbers: tuple[Hashable, ...] = tuple(
            _number(call.arguments[i], text, entry, entry.parameter_names[k]) for k, i in enumerate(literal_at)
        )
        if entry.variadic:  # binary operators, nested to the left
            term = operands[0]
            for operand in operands[1:]:
                term = self._make(f"[]{entry.name}", (term, operand), (), call, text)
            return term
        return self._make(f"[]{entry.name}", tuple(operands), numbers + words, call, text)

    def _expand_labelled(
        self, call: syntax.Call, entry: Operator, scope: _Scope, text: str
    ) -> Generator[_Step, Term, Term]:
        """A graph, and further ones each behind a label and a colon."""
        labels: list[int] = []
        operands = []
        for k, argument in enumerate(call.arguments):
            is_pair = isinstance(argument, syntax.Operation) and argument.tag == "cross"
            if k and not (is_pair and isinstance(argument.operands[0], syntax.Number)):  # type: ignore[union-attr]
                raise EquationError(
                    f"{call.name} takes a graph, then labels with the graphs in their place",
                    place=Place(text, argument.span),
                    expected=("a label, a colon and a graph",),
                    hint=f"for example {entry.example}; in parentheses where the graph is made of several, 1: (A B)",
                )
            if k:
                assert isinstance(argument, syntax.Operation)
                labels.append(_whole_number(argument.operands[0], text, "a label"))
                if labels[-1] in labels[:-1]:
                    raise EquationError(
                        f"{call.name}: label {labels[-1]} is there twice", place=Place(text, argument.span)
                    )
                argument = argument.operands[1]
            operands.append((yield self._expand(argument, scope, text)))
        if len(operands) < 2:
            given = counted(len(operands), "argument")
            raise EquationError(
                f"{call.name} takes a graph, then labels with the graphs in their place; {given} given",
                place=Place(text, call.span),
                expected=("a graph", "a label, a colon and a graph"),
                found=given,
                hint=f"for example {entry.example}",
            )
        return self._make(f"[]{entry.name}", tuple(operands), tuple(labels), call, text)

    def _expand_definition(
        self, call: syntax.Call, closure: _Closure, scope: _Scope, text: str
    ) -> Generator[_Step, Term, Term]:
        definition = closure.definition
        if len(call.arguments) != len(definition.parameters):
            names = ", ".join(p.name for p in definition.parameters)
            wanted, given = counted(len(definition.parameters), "argument"), len(call.arguments)
            raise EquationError(
                f"{call.name}[{names}] takes {wanted}; {given} given",
                place=Place(text, call.span),
                expected=(wanted,),
                found=counted(given, "argument"),
            )
        arguments: dict[str, Term] = {}
        numbers = []
        for parameter, argument in zip(definition.parameters, call.arguments, strict=True):
            value = yield self._expand(argument, scope, text)
            arguments[parameter.name] = value
            numbers.append(value.number)
        key = (id(definition), *numbers)
        if key not in self._memo:
            self._expanding.append(definition.name)
            self._memo[key] = yield self._expand(definition.body, closure.scope.within(arguments), closure.text)
            self._expanding.pop()
        return self._memo[key]


# What one argument of these was probably a graph for.
_OF_ONE_GRAPH = {
    "score_min": "`minimize[A]` makes the smallest graph, `MIN[A]` is the smallest weight of a path",
    "score_max": "`MAX[A]` is the largest weight of a path",
}

_Step = Generator[Any, Term, Term]


def _run(generator: Generator[_Step, Term, Term]) -> Term:
    """Runs generators that yield the generators whose results they need, without Python's recursion."""
    stack: list[Generator[_Step, Term, Term]] = [generator]
    value: Term | None = None
    while stack:
        try:
            stack.append(stack[-1].send(value) if value is not None else next(stack[-1]))
            value = None
        except StopIteration as stop:
            stack.pop()
            value = stop.value
    assert value is not None
    return value


def _whole_number(expression: syntax.Expression, text: str, what: str, least: int = 0) -> int:
    value = expression.value if isinstance(expression, syntax.Number) else None
    if isinstance(value, int) and least <= value < 2**31:
        return value
    raise EquationError(
        f"expected {what} here: a whole number from {least} to 2147483647",
        place=Place(text, expression.span),
        expected=("a whole number",),
    )


def _number(expression: syntax.Expression, text: str, entry: Operator, name: str) -> int | float:
    """A literal argument of an operator."""
    if name not in entry.decimals:
        return _whole_number(expression, text, f"the number {name}", entry.least)
    if isinstance(expression, syntax.Number) and 0 <= expression.value < math.inf:
        return expression.value
    raise EquationError(
        f"expected the number {name} here: a number that is written out, 0 or more",
        place=Place(text, expression.span),
        expected=("a number, 0 or more",),
        hint=f"for example {entry.example}",
    )


def _operands_wanted(entry: Operator) -> list[str]:
    """What an operator takes as graphs and scores, in words."""
    types = [f"a {t}" for t in entry.operands]
    named = (
        [f"{a} {name}" for a, name in zip(types, entry.operand_names, strict=True)] if entry.operand_names else types
    )
    return (
        [*named[:-1], f"{named[-1]} (or no {entry.operand_names[-1]}: the table's symbols)"]
        if (entry.ends_with_alphabet and entry.operand_names)
        else named
    )


def _meant_word(call: syntax.Call, entry: Operator) -> str | None:
    """A hint where an argument is one of the operator's words but for quotes or capitals."""
    for argument in call.arguments:
        text = argument.name if isinstance(argument, syntax.Name) else ""
        if isinstance(argument, syntax.Text):
            text = "".join(argument.symbols)
        if text.lower() in entry.words and text not in entry.words:
            return f"the word is {text.lower()}, in small letters"
        if isinstance(argument, syntax.Text) and text in entry.words:
            return f"the word {text} stands without quotes"
    return None


def _last_words(call: syntax.Call, entry: Operator, text: str) -> tuple[str, ...]:
    """The literal words that an operator's arguments end with."""
    words: list[str] = []
    for argument in reversed(call.arguments[len(entry.operands) - entry.ends_with_alphabet :]):
        if not isinstance(argument, syntax.Name) or argument.name not in entry.words:
            break
        for known in words:
            if known == argument.name or any({known, argument.name} <= set(one) for one in entry.exclusive_words):
                said = f"{known} twice" if known == argument.name else f"{argument.name} and {known}"
                raise EquationError(
                    f"{call.name} is told {said}",
                    place=Place(text, argument.span),
                    found=argument.name,
                    hint="; ".join(f"one of {', '.join(words)}" for words in entry.exclusive_words) or "once is enough",
                )
        words.append(argument.name)
    return tuple(words[::-1])


def _unknown_name(call: syntax.Call, scope: _Scope, text: str) -> EquationError:
    names = [*named_operators(), *scope.definitions()]
    hint, near = neighbours_word(call.name), nearest(call.name, names, 0.5)
    if hint is None and near is not None:
        hint = f"did you mean {described(near, call.name, f'{near}[…]')}?"
    elif hint is None:
        hint = "operators are " + ", ".join(sorted(named_operators())) + "; a definition must come before its use"
    return EquationError(
        f"unknown operator {call.name}",
        place=Place(text, call.name_span),
        found=call.name,
        expected=(near or "the name of an operator or a definition",),
        hint=hint,
    )
