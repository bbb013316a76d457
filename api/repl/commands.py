"""What starts with a colon: the table of commands, and those that give, keep and forget names."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import counted, described, nearest
from arcgrad.terminal import read_input

if TYPE_CHECKING:
    from arcgrad.repl.session import Session

__all__ = ["ALIASES", "BARE", "COMMANDS", "Command", "run_command"]

_WORD = re.compile(r'"([^"]+)"|(\S+)')  # not shlex: names in LaTeX have backslashes


@dataclasses.dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        usage: how it is written.
        summary: one line.
        details: what else there is to know.
        run: does it, given what stands behind its name.
        takes: what that is, for completion: "names", "files", "equation", "topics" or nothing.
    """

    usage: str
    summary: str
    details: str
    run: Callable[[Session, str], str | None]
    takes: str = ""


def run_command(session: Session, entry: str) -> str | None:
    """Do what an entry that starts with a colon says.

    Raises:
        InputError: there is no such command.
    """
    name, _, rest = entry[1:].strip().partition(" ")
    name = ALIASES.get(name, name)
    if name not in COMMANDS:
        near = nearest(name, [*COMMANDS, *ALIASES])
        hint = ":help lists them" if near is None else f"did you mean :{near}? :help lists them all"
        raise InputError(f"there is no command :{name}", hint=hint)
    if rest.strip() in ("-h", "--help"):
        name, rest = "help", name
    return COMMANDS[name].run(session, rest.strip())


def words_of(rest: str) -> list[str]:
    """Words, those with blanks in quotes."""
    return [quoted or word for quoted, word in _WORD.findall(rest)]


def _load(session: Session, rest: str) -> str | None:
    words = words_of(rest)
    if len(words) == 1 and words[0].endswith(".arcgrad"):
        return _load_definitions(session, words[0])
    if len(words) not in (2, 3):
        raise InputError(f":load takes a name and a value, but got {rest!r}", hint=":load A a.txt")
    name = _new_name(words[0])
    session.inputs[name] = _read(words[1:])
    session.latest = session.latest if session.latest != name else None
    replaced = session.definitions.get(name)
    session.definitions.pop(name, None)
    return None if replaced is None else f"{name} is an input now, in place of the definition {replaced.text}"


def _read(words: list[str]) -> Any:
    word = os.path.expanduser(words[0])
    if word == "-":
        raise InputError("entries come from the standard input, so no graph does", hint="give the name of a file")
    try:
        return read_input(word, *words[1:])
    except FileNotFoundError:
        folder = os.path.dirname(word) or "."
        names = os.listdir(folder) if os.path.isdir(folder) else []
        near = nearest(os.path.basename(word), names)
        hint = 'a graph typed here is A = graph"0 1 a 0.5; 1"' if near is None else f"did you mean {near}?"
        raise InputError(f"{word}: there is no such file", hint=hint) from None


def _load_definitions(session: Session, file: str) -> str:
    from arcgrad.compiler.frontend.elaborate import operator_names
    from arcgrad.grammar import parse_definitions
    from arcgrad.runtime.data.arguments import read_utf8

    program = parse_definitions(read_utf8(os.path.expanduser(file)), operator_names())
    session.define(program)
    return f"{counted(len(program.statements), 'definition')} from {file}"


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


def _expression_and_file(rest: str) -> list[str]:
    """The last word, and what stands before it as it is, blanks and quotes included."""
    found = re.fullmatch(r'(.*?)(?:^|\s+)(?:"([^"]*[^"\s][^"]*)"|(\S+))', rest.strip(), re.DOTALL)
    if found is None:
        return []
    return [part for part in (found[1], found[2] or found[3]) if part]


def _save(session: Session, rest: str) -> str:
    words = _expression_and_file(rest)
    if not words:
        raise InputError(
            f":save takes a file, or an expression and a file, but got {rest!r}", hint=":save A a.txt, :save result.fst"
        )
    file = os.path.expanduser(words[-1])
    if file.endswith(".arcgrad"):
        lines = [definition.text for definition in session.definitions.values()]
        Path(file).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        left = f" ({', '.join(session.inputs)}, which were loaded, are not in it)" if session.inputs else ""
        return f"{counted(len(lines), 'definition')} in {file}{left}"
    from arcgrad.runtime.data.files import save
    from arcgrad.runtime.data.graph import Graph

    value = session.value
    if len(words) == 2:
        equation, inputs = session.equation(words[0])
        value = equation(inputs)
    elif value is None:
        raise InputError("there is no result yet", hint=":save A a.txt writes the graph A")
    if not isinstance(value, Graph):
        raise InputError("only graphs are written to files, and this is none", hint=":save A a.txt writes the graph A")
    save(file, value)
    return f"{value!r} in {file}"


def _delete(session: Session, rest: str) -> None:
    from arcgrad.grammar import normalise_name

    names = [normalise_name(word) for word in rest.replace(",", " ").split()]
    known = [*session.inputs, *session.definitions]
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = None if near is None else f"did you mean {described(near, name, near)}?"
            raise InputError(f"{name} is neither loaded nor defined", hint=hint)
    if not names:
        raise InputError(":del takes names", hint=":names lists what is loaded and defined")
    session.forget(names)


def _names(session: Session, rest: str) -> str:
    lines = [definition.text for definition in session.definitions.values()]
    lines += [f"{name}: {value!r}" for name, value in session.inputs.items()]
    if session.symbols is not None:
        lines.append(f"symbols: {session.symbols!r}")
    width = session.printer.width
    return "\n".join(s if len(s := line.replace("\n", "; ")) <= width else s[: width - 1] + "…" for line in lines) or (
        'nothing is loaded or defined; A = graph"0 1 a 0.5; 1" defines a graph, :load A FILE loads one'
    )


def _symbols(session: Session, rest: str) -> str:
    from arcgrad.runtime.data.symbols import SymbolTable

    words = words_of(rest)
    if not words:
        return "labels are Unicode code points" if session.symbols is None else repr(session.symbols)
    table = None if words == ["off"] else SymbolTable.load(os.path.expanduser(words[0])) if len(words) == 1 else None
    if len(words) > 1:
        table = SymbolTable(words)
    session.use_symbols(table)
    return "labels are Unicode code points" if table is None else repr(table)


def _cache(session: Session, rest: str) -> str:
    from arcgrad.runtime.jit.cache import cache

    if rest not in ("", "clear", "info"):
        raise InputError(f":cache takes nothing or the word clear, but got {rest!r}")
    if rest == "clear":
        cache.clear()
    info = cache.info()
    kept = sum(size for _, size in info.memory.values())
    return session.printer.wrapped(
        f"{counted(info.files, 'compiled file')}, {info.bytes / 1e6:.1f} MB, in {info.dir}\n"
        f"in this process: {info.compilations} compiled, {info.disk_hits} from disk, "
        f"{kept / 1e6:.1f} MB of graphs and plans in memory"
    )


def _help(session: Session, rest: str) -> str:
    from arcgrad.repl.topics import help_on

    if rest in session.definitions:
        return session.definitions[rest].text
    return session.printer.wrapped(help_on(rest, session.printer.width))


def _quit(session: Session, rest: str) -> None:
    raise EOFError


def _inspecting(name: str) -> Callable[[Session, str], str | None]:
    """A command of ``inspecting``, which is imported when one of them is given."""

    def run(session: Session, rest: str) -> str | None:
        from arcgrad.repl import inspecting

        answer: str | None = getattr(inspecting, name)(session, rest)
        return answer

    return run


def _commands() -> dict[str, Command]:
    """The table, in the order in which ``:help`` lists it."""
    found: dict[str, Command] = {}

    def add(name: str, usage: str, run: Any, takes: str, summary: str, details: str) -> None:
        run = _inspecting(run) if isinstance(run, str) else run
        found[name] = Command(f":{name} {usage}".rstrip(), summary, details, run, takes)

    latest = "Without an equation it is about the latest one."
    gradients = (
        f"{latest} Without names it is with respect to all inputs and typed graphs; with the name of any other "
        "definition, with respect to its value. A graph's gradient is that of the sum of its arcs' weights."
    )
    add(
        "grad",
        "[NAME …]",
        "gradient",
        "names",
        "the gradient of an equation, arc by arc",
        f"Also :grad EQUATION wrt NAME …\n{gradients}",
    )
    add(
        "trace",
        "[EQUATION]",
        "trace",
        "equation",
        "every intermediate result, with its gradient",
        f"{latest} It is evaluated step by step as written: nothing is rewritten or fused.",
    )
    add(
        "jacobian",
        "[EQUATION] wrt NAME",
        "jacobian",
        "equation",
        "how result arcs depend on arcs of NAME",
        f"{latest} Behind it may stand row N, shown as a graph of NAME's shape, or column N, one of the result's. "
        "Where there is one input, wrt NAME may be left out.",
    )
    add(
        "paths",
        "[EXPRESSION] [N]",
        "paths",
        "equation",
        "the N best paths of a graph (10)",
        "In the order of NBEST: fewest arcs first where weights tie.",
    )
    add(
        "strings",
        "[EXPRESSION] [N]",
        "strings",
        "equation",
        "the N best strings that it accepts (10)",
        "Each string once, with the weight of its best path; ε is left out.",
    )
    add(
        "draw",
        "[EXPRESSION] [FILE]",
        "draw",
        "files",
        "a picture; .svg, .png or .dot in a file",
        f"{latest} A graph is drawn itself; of a score, how it is computed.",
    )
    add("type", "[EXPRESSION]", "type_of", "equation", "whether it is a graph or a score, and of what", latest)
    add("plan", "[EQUATION]", "plan", "equation", "what is evaluated, and in which shapes", latest)
    add("explain", "[EQUATION]", "explain", "equation", "the same with rewriting, sizes and costs", latest)
    add("source", "[EQUATION]", "source", "equation", "the routine that is generated for it", latest)
    add(
        "time",
        "[EQUATION]",
        "time_of",
        "equation",
        "how long its value and its gradient take",
        f"{latest} Medians. What pays is compiled in the background, so later times may be shorter.",
    )
    add("latex", "[EQUATION]", "latex", "equation", "it in LaTeX", latest)
    add(
        "load",
        "NAME VALUE [FORMAT]",
        _load,
        "files",
        "give an input: a file, a number, a mapping",
        "VALUE is a number; a file of a graph: .fst (OpenFst), .att (its text), .gtn or .txt (GTN), .k2, .arpa, .json, "
        ".npz, or of any name and a FORMAT; .npy, an array of scores (T, C) or (B, T, C) for a dense input; or a "
        "mapping of labels 1:2,3:4. :load FILE.arcgrad reads definitions.",
    )
    add(
        "save",
        "[EXPRESSION] FILE",
        _save,
        "files",
        "write a graph to a file, or the latest result",
        "The suffix says which form, as for :load. :save FILE.arcgrad writes all definitions.",
    )
    add(
        "symbols",
        "[FILE]",
        _symbols,
        "files",
        "the table in which labels are looked up and shown",
        "FILE is OpenFst's text form. Also :symbols a b <s>, which numbers them from 0, and :symbols off: characters "
        "are their code points.",
    )
    add("names", "", _names, "", "what is loaded and defined", "Definitions as typed, then inputs.")
    add("del", "NAME …", _delete, "names", "forget what was loaded or defined", "Also :delete.")
    add("cache", "[clear]", _cache, "", "compiled code on disk, and what is in memory", "clear empties both.")
    add(
        "help",
        "[TOPIC]",
        _help,
        "topics",
        "this, or about a command, operator or topic",
        "Topics: graphs, strings, definitions, keys, operators.",
    )
    add("quit", "", _quit, "", "leave; so do Ctrl-D, quit and exit", "The history of entries is kept.")
    return found  # fmt: skip


COMMANDS = _commands()

ALIASES = {"delete": "del", "q": "quit", "exit": "quit", "h": "help", "?": "help", "t": "type", "l": "load"}

# What people type who look for a way out, and the command that they mean.
BARE = {
    "quit": "quit",
    "exit": "quit",
    "quit()": "quit",
    "exit()": "quit",
    "help": "help",
    "?": "help",
    "help()": "help",
}
