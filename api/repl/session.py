"""A session: names, inputs and the latest equation of one conversation, and what an entry means among them.

Definitions are kept as text and put before the equations that use them, so that they are rewritten and fused with
these. A graph as typed (``A = graph"…"``, ``A = "abc"⟨-1⟩ + "b"``) is a leaf: it is given to equations as an input, so
that there are gradients with respect to it.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from arcgrad.grammar.errors import ArcgradError, DivergenceError, EquationError, InputError, Place, Span
from arcgrad.grammar.mistakes import described, look_alike, nearest
from arcgrad.repl.printing import Printer, with_symbols

if TYPE_CHECKING:
    from arcgrad.equation import Equation, Mode
    from arcgrad.grammar.syntax import Expression, Program
    from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["Definition", "Session", "names_in"]


@dataclasses.dataclass(frozen=True)
class Definition:
    """A statement as typed, and the names that its right side uses.

    Attributes:
        text: the statement.
        names: what its right side uses.
        parameters: how many it takes in brackets; None of an assignment.
        leaf: whether it is a graph made of literals, which equations take as an input.
        literal: whether there is a literal in it whose labels are characters.
    """

    text: str
    names: frozenset[str]
    parameters: int | None
    leaf: bool
    literal: bool


class Session:
    """Names, inputs and the latest equation of one conversation.

    Attributes:
        inputs: what was loaded, by name.
        definitions: what was defined, by name.
        symbols: the table in which literals look up labels, and by which labels are shown; None: code points.
        latest: text of the latest equation.
        value: its value.
        printer: how results are shown.
        mode: gives the mode in which equations are compiled.

    Example:
        >>> from arcgrad.repl import Session
        >>> session = Session()
        >>> session.answer('two = "a" + "b"')
        >>> session.answer("COUNT[two{3}]")
        '8'
        >>> session.answer('A = graph"0 1 a 0.5; 1"')
        >>> print(session.answer("A"))
        Graph: 2 states, 1 arc, acceptor
        >(0)──a/0.5─▶─((1))
    """

    def __init__(self, printer: Printer | None = None) -> None:
        self.inputs: dict[str, Any] = {}
        self.definitions: dict[str, Definition] = {}
        self.symbols: SymbolTable | None = None
        self.latest: str | None = None
        self.value: Any = None
        self.printer = printer or Printer()
        self.mode: Callable[[], Mode] = lambda: "auto"
        self._leaves: dict[str, Any] = {}

    def answer(self, entry: str) -> str | None:
        """Do what an entry says; the text to print, or None.

        Raises:
            ArcgradError: the entry is wrong; places are those in the entry, or in the definition that it uses.
            OSError: a file cannot be read.
            EOFError: the entry ends the session.
        """
        entry = _without_question(entry.strip())
        try:
            try:
                return self._answer(entry)
            except InputError:
                self._check_types(entry)
                raise
        except ArcgradError as error:
            error.hint = self._meant(entry) or error.hint
            if isinstance(error, DivergenceError) and not entry.startswith(":"):
                error.say_where(with_symbols(error.where, self.symbols_of(entry)))
            # Definitions stand on lines before the entry, which nobody typed: point into the one line that matters.
            if error.place is not None and "\n" in error.place.text:
                place = error.place
                error.place = Place(place.line_text, Span(place.column - 1, place.end_column - 1))
            raise

    def _check_types(self, entry: str) -> None:
        """Raise the EquationError, with its place, of an entry that uses a graph as typed as a score."""
        definitions = self.definitions
        if not entry.startswith(":") and "=" not in entry:
            self.definitions = {name: dataclasses.replace(d, leaf=False) for name, d in definitions.items()}
            try:
                self.compile(entry)
            except InputError:
                pass
            finally:
                self.definitions = definitions

    def _meant(self, entry: str) -> str | None:
        """What was probably meant by an entry that is wrong."""
        from arcgrad.repl.commands import ALIASES, COMMANDS

        word, _, rest = entry.partition(" ")
        known = word in COMMANDS or (len(word) > 1 and word in ALIASES)
        if known and word not in self.definitions and word not in self.inputs and not rest.startswith("="):
            return f"commands start with a colon: :{entry}"
        if re.search(r"\bgraph\s*[\s(\[{']\s*[\d\"']", entry):
            return 'a graph is typed as graph"0 1 a 0.5; 1", its quotes directly behind the word'
        return None

    def _answer(self, entry: str) -> str | None:
        if not entry or entry.startswith("#"):
            return None
        from arcgrad.repl.commands import BARE, run_command

        if entry in BARE and entry not in self.definitions and entry not in self.inputs:
            entry = f":{BARE[entry]}"
        if entry.startswith(":"):
            return run_command(self, entry)
        _refuse_file(entry)
        program = self.parse(entry)
        if program.result is None:
            return self.define(program)
        equation, inputs = self.equation(entry)
        self.value = equation(inputs)
        self.latest = entry
        from arcgrad.repl.notes import note_on

        symbols = self.symbols_of(entry)
        note = note_on(equation, inputs, self.value, symbols)
        shown = self.printer.value(self.value, symbols)
        return shown if note is None else f"{shown}\n{self.printer.wrapped(f'note: {note}')}"

    def parse(self, entry: str) -> Program:
        """An equation, or definitions without one.

        Raises:
            EquationError: it is neither.
        """
        from arcgrad.compiler.frontend.elaborate import operator_names
        from arcgrad.grammar import parse, parse_definitions

        names = operator_names()
        try:
            return parse(entry, names)
        except EquationError as error:
            if error.place is not None and error.place.span.start < len(entry.rstrip()):
                raise
        return parse_definitions(entry, names)  # all was well but that something was missing at the end

    def equation(self, entry: str = "", apart: Iterable[str] = ()) -> tuple[Equation, dict[str, Any]]:
        """The equation that an entry (empty: the latest one) stands for, and the inputs that it needs.

        Args:
            entry: an equation.
            apart: names of definitions that are inputs of the equation, too, by their values.

        Raises:
            InputError: some have no value.
            ArcgradError: the entry is wrong.
        """
        equation = self.compile(entry, apart)
        missing = [name for name in equation.inputs if name not in self.inputs and name not in self.definitions]
        if missing:
            known = [*self.inputs, *self.definitions]
            alike, near = look_alike(missing[0], known), nearest(missing[0], known)
            told = "" if near is None else f"did you mean {near}? "
            told = told if alike is None else f"it is not {described(alike, missing[0], alike)}; "
            told = told or _sign_for(missing[0])
            raise InputError(
                f"{', '.join(missing)} {'has' if len(missing) == 1 else 'have'} no value",
                hint=f"{told}:load {missing[0]} FILE reads one; {missing[0]} = EXPRESSION defines one",
            )
        return equation, {name: self._input(name) for name in equation.inputs}

    def _input(self, name: str) -> Any:
        if name in self.inputs:
            return self.inputs[name]
        if name not in self._leaves:  # definitions that are taken apart are evaluated each time
            equation, inputs = self.equation(name) if not self.definitions[name].leaf else (self._leaf(name), {})
            value = equation(inputs)
            if not self.definitions[name].leaf:
                return value
            self._leaves[name] = value
        return self._leaves[name]

    def _leaf(self, name: str) -> Equation:
        from arcgrad.equation import compile_equation

        return compile_equation(f"{self.definitions[name].text}\n{name}", self.symbols, mode=self.mode())

    def compile(self, entry: str = "", apart: Iterable[str] = ()) -> Equation:
        """The same without inputs."""
        from arcgrad.equation import compile_equation

        entry = entry or self.latest or ""
        if not entry:
            raise InputError("no equation was evaluated yet", hint="type one first, such as LSE[A]")
        program = self.parse(entry)
        own = {statement.name for statement in program.statements}
        expanded = {n: d for n, d in self.definitions.items() if not d.leaf and n not in set(apart)}
        needed = _needed(names_in(program) - own, expanded)
        text = "\n".join([*(self.definitions[name].text for name in needed), entry])
        return compile_equation(text, self.symbols, mode=self.mode())

    def symbols_of(self, entry: str = "") -> Any:
        """How labels of an equation's graphs are shown: by the table, as characters if it has literals, else None."""
        if self.symbols is not None:
            return self.symbols
        entry = entry or self.latest or ""
        program = self.parse(entry)
        needed = _needed(names_in(program), self.definitions)
        return chr if _has_literal(program) or any(self.definitions[name].literal for name in needed) else None

    def define(self, program: Program) -> str | None:
        """Remember statements, once they are known to make sense together with those before; what they replace."""
        from arcgrad.grammar.syntax import Assignment

        changed = dict(self.definitions)
        for statement in program.statements:
            text = program.text[statement.span.start : statement.span.end]
            parameters = None if isinstance(statement, Assignment) else len(statement.parameters)
            leaf = isinstance(statement, Assignment) and _is_leaf(statement.expression)
            definition = Definition(text, frozenset(names_in(statement)), parameters, leaf, _has_literal(statement))
            changed[statement.name] = definition
            if statement.name in _needed(definition.names, changed):
                place = program.place(statement.name_span)
                raise EquationError(f"{statement.name} would be defined by itself", place=place)
        before, self.definitions = self.definitions, changed
        leaves = dict(self._leaves)
        try:
            for statement in program.statements:
                self._leaves.pop(statement.name, None)
                if not isinstance(statement, Assignment):  # called with names that mean nothing else
                    arguments = ", ".join(f"_argument{n}" for n in range(len(statement.parameters)))
                    self.compile(f"{statement.name}[{arguments}]")
                elif changed[statement.name].leaf:
                    self._leaves[statement.name] = self._leaf(statement.name)({})
                else:
                    self.compile(statement.name)
        except BaseException:
            self.definitions, self._leaves = before, leaves
            raise
        lost = [s.name for s in program.statements if self.inputs.pop(s.name, None) is not None]
        verb = "was an input and is a definition" if len(lost) == 1 else "were inputs and are definitions"
        return f"{', '.join(dict.fromkeys(lost))} {verb} now" if lost else None

    def forget(self, names: Iterable[str]) -> None:
        """Forget what was loaded or defined by these names."""
        for name in names:
            self.inputs.pop(name, None)
            self.definitions.pop(name, None)
            self._leaves.pop(name, None)

    def use_symbols(self, table: SymbolTable | None) -> None:
        """Have literals look up their labels in this table from now on."""
        before = self.symbols
        self.symbols, self._leaves = table, {}
        try:
            for name, definition in self.definitions.items():
                if definition.leaf:
                    self._leaves[name] = self._leaf(name)({})
        except ArcgradError:
            self.symbols, self._leaves = before, {}
            raise


def _without_question(entry: str) -> str:
    """``help LSE``, ``help(LSE)``, ``?LSE`` and ``LSE?``, as other prompts have it, are ``:help LSE``."""
    found = re.fullmatch(r"(?:help\s*\(?|\?+)\s*([^\s()]+)\s*\)?", entry) or re.fullmatch(r"([A-Z]{2,})\?+", entry)
    return entry if found is None else f":help {found[1]}"


def _sign_for(word: str) -> str:
    """A hint for who spells an operator out, as in ``A compose B``."""
    from arcgrad.compiler.operators import operators

    entry = operators().get("compose" if word in ("o", "circ") else word)
    if word == "graph":
        return 'a graph is typed as graph"0 1 a 0.5; 1", without a blank; '
    spelled = "" if entry is None else entry.sign or (f"{entry.names[0]}[…]" if entry.names else "")
    return f"{entry.name} is written {spelled}; " if entry is not None and spelled else ""


def _refuse_file(entry: str) -> None:
    """An equation does not read files, though `A = a.txt` looks as if."""
    name, equals, word = map(str.strip, entry.partition("="))
    if equals and os.path.splitext(word)[1] and os.path.isfile(word):
        raise InputError(f"{word} is a file, and equations read none", hint=f":load {name} {word}")


# Signs that make graphs out of literals that are still graphs as typed.
_STRUCTURAL = frozenset(
    ("union", "concatenate", "cross", "weight", "closure", "plus", "optional", "inverse", "repeat", "negate")
)
_MOST_REPEATED = 20


def _is_leaf(expression: Expression) -> bool:
    """Whether this is a graph made of literals by signs alone, such as ``"ab"⟨-1⟩ + "c"``."""
    from arcgrad.grammar.syntax import Call, GraphLiteral, Number, Operation, Text

    waiting, literals = [expression], 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, Operation):
            if node.tag not in _STRUCTURAL or max(n or 0 for n in (*node.parameters, 0)) > _MOST_REPEATED:
                return False
            waiting += node.operands
        elif isinstance(node, Call):
            if node.name != "linear" or not all(isinstance(label, Number) for label in node.arguments):
                return False
            literals += 1
        elif not isinstance(node, (GraphLiteral, Text, Number)):
            return False
        literals += isinstance(node, (GraphLiteral, Text))
    return literals > 0


def _nodes(tree: Any) -> Iterable[Any]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting += node
        elif dataclasses.is_dataclass(node):
            yield node
            waiting += (getattr(node, field.name) for field in dataclasses.fields(node))


def _has_literal(tree: Any) -> bool:
    from arcgrad.grammar.syntax import CharacterClass, GraphLiteral, Text

    return any(isinstance(node, (CharacterClass, GraphLiteral, Text)) for node in _nodes(tree))


def names_in(tree: Any) -> set[str]:
    """The names that a syntax tree uses; of a definition without those of its parameters."""
    from arcgrad.grammar.syntax import Assignment, Call, Definition, Name, Program

    if isinstance(tree, Program):
        parts = [*tree.statements, *([] if tree.result is None else [tree.result])]
        return set().union(*map(names_in, parts))
    if isinstance(tree, Definition):
        return names_in(tree.body) - {parameter.name for parameter in tree.parameters}
    if isinstance(tree, Assignment):
        return names_in(tree.expression)
    return {node.name for node in _nodes(tree) if isinstance(node, (Name, Call))}


def _needed(names: Iterable[str], definitions: dict[str, Definition]) -> list[str]:
    """The definitions that these names lead to, each after those that it uses."""
    order: list[str] = []
    seen: set[str] = set()
    waiting = [(name, False) for name in sorted(names, reverse=True)]
    while waiting:
        name, done = waiting.pop()
        if done:
            order.append(name)
        elif name in definitions and name not in seen:
            seen.add(name)
            waiting.append((name, True))
            waiting += ((used, False) for used in sorted(definitions[name].names, reverse=True))
    return order
