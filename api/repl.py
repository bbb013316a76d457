"""The REPL, ``arcgrad repl``: type an equation, see its value, gradient and plan.

A Session holds what was loaded and defined and answers one entry at a time; ``run_repl`` reads entries, prints answers.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from arcgrad.grammar.errors import ArcgradError, EquationError, InputError, Place, Span
from arcgrad.grammar.mistakes import described, look_alike, nearest
from arcgrad.terminal import describe_error, read_input, show_gradient, show_value, warnings_to

if TYPE_CHECKING:
    from arcgrad.equation import Equation
    from arcgrad.grammar.syntax import Program

__all__ = ["PROMPT", "Session", "run_repl"]

PROMPT = "arcgrad> "

_WORD = re.compile(r'"([^"]+)"|(\S+)')  # not shlex: names in LaTeX have backslashes

HELP = """\
EQUATION               its value, such as  LSE[(A1 + A2) ∘ X*]
NAME = EXPRESSION      define a name; NAME[P, Q] = EXPRESSION defines an operator
:load NAME VALUE       give an input: a number, a graph file (.att .gtn .txt .k2 .json .npz, or of
                       any name and a FORMAT as third word), an array (.npy) for a dense input,
                       or a mapping of labels 1:2,3:4
:names                 what is loaded and defined
:delete NAME …         forget what was loaded or defined
:grad [NAME …]         the gradient of the latest equation
:trace                 every intermediate result of the latest equation
:explain [EQUATION]    how it is evaluated
:latex [EQUATION]      it in LaTeX
:help  :quit"""


class Session:
    """Names, inputs and the latest equation of one conversation.

    Example:
        >>> from arcgrad.repl import Session
        >>> session = Session()
        >>> session.answer('two = "a" + "b"')
        >>> session.answer("COUNT[two{3}]")
        '8'
    """

    def __init__(self) -> None:
        self.inputs: dict[str, Any] = {}
        self.definitions: dict[str, _Definition] = {}
        self._latest: str | None = None

    def answer(self, entry: str) -> str | None:
        """Do what an entry (one line) says; the text to print, or None.

        Raises:
            ArcgradError: the entry is wrong; places are those in the entry, or in the definition that it uses.
            OSError: a file cannot be read.
            EOFError: the entry ends the session.
        """
        try:
            return self._answer(entry.strip())
        except ArcgradError as error:
            # Definitions stand on lines before the entry, which nobody typed: point into the one line that matters.
            if error.place is not None and "\n" in error.place.text:
                place = error.place
                error.place = Place(place.line_text, Span(place.column - 1, place.end_column - 1))
            raise

    def _answer(self, entry: str) -> str | None:
        if not entry or entry.startswith("#"):
            return None
        if entry in _BARE and entry not in self.definitions and entry not in self.inputs:
            entry = f":{_BARE[entry]}"
        if entry.startswith(":"):
            name, _, rest = entry[1:].partition(" ")
            if name not in _COMMANDS:
                near = nearest(name, _COMMANDS)
                hint = ":help lists them" if near is None else f"did you mean :{near}? :help lists them all"
                raise InputError(f"there is no command :{name}", hint=hint)
            return _COMMANDS[name](self, rest.strip())
        _refuse_file(entry)
        program = _parse(entry)
        if program.result is None:
            return self._define(program)
        equation, inputs = self._equation(entry)
        value = equation(inputs)
        self._latest = entry
        return show_value(value)

    def _help(self, rest: str) -> str:
        return HELP

    def _quit(self, rest: str) -> None:
        raise EOFError

    def _load(self, rest: str) -> str | None:
        words = [quoted or word for quoted, word in _WORD.findall(rest)]
        if len(words) not in (2, 3):
            raise InputError(f":load takes a name and a value, but got {rest!r}", hint=":load A a.txt")
        name = _new_name(words[0])
        self.inputs[name] = read_input(*words[1:])
        replaced = self.definitions.pop(name, None)
        return None if replaced is None else f"{name} is an input now, in place of the definition {replaced.text}"

    def _delete(self, rest: str) -> None:
        from arcgrad.grammar import normalise_name

        names = [normalise_name(word) for word in rest.replace(",", " ").split()]
        for name in names:
            if name not in self.inputs and name not in self.definitions:
                known = [*self.inputs, *self.definitions]
                near = nearest(name, known)
                hint = None if near is None else f"did you mean {described(near, name, near)}?"
                raise InputError(f"{name} is neither loaded nor defined", hint=hint)
        if not names:
            raise InputError(":delete takes names", hint=":names lists what is loaded and defined")
        for name in names:
            self.inputs.pop(name, None)
            self.definitions.pop(name, None)

    def _names(self, rest: str) -> str:
        lines = [definition.text for definition in self.definitions.values()]
        lines += [f"{name}: {value!r}" for name, value in self.inputs.items()]
        return "\n".join(lines) or "nothing is loaded or defined"

    def _gradient(self, rest: str) -> str:
        equation, inputs = self._equation("")
        names = rest.replace(",", " ").split()
        _, gradient = equation.value_and_grad(inputs, wrt=names or None)
        return show_gradient(inputs, gradient) or "the equation has no inputs"

    def _trace(self, rest: str) -> str:
        equation, inputs = self._equation(rest)
        return str(equation.trace(inputs))

    def _explain(self, rest: str) -> str:
        equation, inputs = self._equation(rest)
        return str(equation.explain(inputs))

    def _latex(self, rest: str) -> str:
        return self._compile(rest).latex

    def _equation(self, entry: str) -> tuple[Equation, dict[str, Any]]:
        """The equation that an entry (empty: the latest one) stands for, and the inputs that it needs."""
        equation = self._compile(entry)
        missing = [name for name in equation.inputs if name not in self.inputs]
        if missing:
            near = look_alike(missing[0], [*self.inputs, *self.definitions])
            told = "" if near is None else f"it is not {described(near, missing[0], near)}; "
            raise InputError(
                f"{', '.join(missing)} {'has' if len(missing) == 1 else 'have'} no value",
                hint=f"{told}:load {missing[0]} FILE reads one; {missing[0]} = EXPRESSION defines one",
            )
        return equation, {name: self.inputs[name] for name in equation.inputs}

    def _compile(self, entry: str) -> Equation:
        from arcgrad.equation import compile_equation

        entry = entry or self._latest or ""
        if not entry:
            raise InputError("no equation was evaluated yet", hint="type one first, such as LSE[A]")
        program = _parse(entry)
        own = {statement.name for statement in program.statements}
        needed = _needed(_names_in(program) - own, self.definitions)
        return compile_equation("\n".join([*(self.definitions[name].text for name in needed), entry]))

    def _define(self, program: Program) -> str | None:
        """Remember statements, once they are known to make sense together with those before; what they replace."""
        from arcgrad.grammar.syntax import Assignment

        changed = dict(self.definitions)
        for statement in program.statements:
            text = program.text[statement.span.start : statement.span.end]
            changed[statement.name] = _Definition(text, frozenset(_names_in(statement)))
            if statement.name in _needed(changed[statement.name].names, changed):
                place = program.place(statement.name_span)
                raise EquationError(f"{statement.name} would be defined by itself", place=place)
        before, self.definitions = self.definitions, changed
        try:
            for statement in program.statements:
                if isinstance(statement, Assignment):
                    self._compile(statement.name)
                else:  # called with names that mean nothing else
                    arguments = ", ".join(f"_argument{n}" for n in range(len(statement.parameters)))
                    self._compile(f"{statement.name}[{arguments}]")
        except ArcgradError:
            self.definitions = before
            raise
        lost = [s.name for s in program.statements if self.inputs.pop(s.name, None) is not None]
        verb = "was an input and is a definition" if len(lost) == 1 else "were inputs and are definitions"
        return f"{', '.join(dict.fromkeys(lost))} {verb} now" if lost else None


_COMMANDS: dict[str, Callable[[Session, str], str | None]] = {
    "help": Session._help,
    "load": Session._load,
    "names": Session._names,
    "delete": Session._delete,
    "grad": Session._gradient,
    "trace": Session._trace,
    "explain": Session._explain,
    "latex": Session._latex,
    "quit": Session._quit,
}


# What people type who look for a way out, and the command that they mean.
_BARE = {"quit": "quit", "exit": "quit", "quit()": "quit", "exit()": "quit", "help": "help", "?": "help"}


@dataclasses.dataclass(frozen=True)
class _Definition:
    """A statement as typed, and the names that its right side uses."""

    text: str
    names: frozenset[str]


def _new_name(word: str) -> str:
    """The plain spelling of a name that is to be given a value."""
    from arcgrad.compiler.frontend.elaborate import operator_names
    from arcgrad.grammar import normalise_name

    name = normalise_name(word)
    if len(name) > 1 and name in operator_names():
        raise InputError(
            f"{name} is an operator of the language and cannot be given a value", hint="choose another name"
        )
    return name


def _refuse_file(entry: str) -> None:
    """An equation does not read files, though `A = a.txt` looks as if."""
    name, equals, word = map(str.strip, entry.partition("="))
    if equals and os.path.splitext(word)[1] and os.path.isfile(word):
        raise InputError(f"{word} is a file, and equations read none", hint=f":load {name} {word}")


def _parse(entry: str) -> Program:
    """An equation, or definitions without one."""
    from arcgrad.compiler.frontend.elaborate import operator_names
    from arcgrad.grammar import parse, parse_definitions

    names = operator_names()
    try:
        return parse(entry, names)
    except EquationError as error:
        if error.place is not None and error.place.span.start < len(entry.rstrip()):
            raise
    return parse_definitions(entry, names)  # all was well but that something was missing at the end


def _names_in(tree: Any) -> set[str]:
    """The names that a syntax tree uses; of a definition without those of its parameters."""
    from arcgrad.grammar.syntax import Assignment, Call, Definition, Name

    if isinstance(tree, Definition):
        return _names_in(tree.body) - {parameter.name for parameter in tree.parameters}
    if isinstance(tree, Assignment):
        return _names_in(tree.expression)
    found = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (Definition, Assignment)):
            found |= _names_in(node)
        elif isinstance(node, tuple):
            waiting += node
        elif dataclasses.is_dataclass(node):
            if isinstance(node, (Name, Call)):
                found.add(node.name)
            waiting += (getattr(node, field.name) for field in dataclasses.fields(node))
    return found


def _needed(names: set[str] | frozenset[str], definitions: dict[str, _Definition]) -> list[str]:
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


def run_repl(stdin: TextIO | None = None, stdout: TextIO | None = None) -> None:
    """Read entries and print their answers until ``:quit`` or the end of the input.

    Args:
        stdin: where entries come from; None: the terminal, with line editing where that is installed.
        stdout: where prompts, answers and errors go; None: the standard output.

    Example:
        >>> import io
        >>> from arcgrad.repl import run_repl
        >>> run_repl(io.StringIO('COUNT["a"{1,3}]\\n'))
        arcgrad> 3
        arcgrad>
    """
    output = sys.stdout if stdout is None else stdout
    read = _reader(stdin, output)
    if stdin is None:
        print("arcgrad: type an equation, :help for help, :quit or Ctrl-D to leave", file=output)
    session = Session()
    while True:
        try:
            entry = read()
        except KeyboardInterrupt:
            print(file=output)
            continue
        except EOFError:
            print(file=output)
            return
        try:
            with warnings_to(output):
                answer = session.answer(entry)
        except EOFError:
            return
        except KeyboardInterrupt:
            answer = "interrupted"
        except (ArcgradError, OSError) as error:
            answer = f"error: {describe_error(error)}"
        if answer is not None:
            print(answer, file=output, flush=True)


def _reader(stdin: TextIO | None, output: TextIO) -> Callable[[], str]:
    if stdin is not None or not sys.stdin.isatty():
        stream = sys.stdin if stdin is None else stdin

        def read_line() -> str:
            print(PROMPT, end="", file=output, flush=True)
            line = stream.readline()
            if not line:
                raise EOFError
            return line

        return read_line
    try:
        from prompt_toolkit import PromptSession
    except ImportError:
        import contextlib

        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (gives input() line editing and history)
        return lambda: input(PROMPT)
    session: PromptSession[str] = PromptSession()
    return lambda: session.prompt(PROMPT)
