"""Elaboration: syntax tree → typed IR. Expands, infers types, resolves overloaded signs and looks up symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from typing import Protocol

from arcgrad.compiler.frontend.expand import Expander, Term
from arcgrad.compiler.frontend.inference import infer_types
from arcgrad.compiler.frontend.ir import Interner, Node, Program, topological
from arcgrad.compiler.frontend.semirings_above import settle_semirings
from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.compiler.operators import named_operators, operator, tagged_operators
from arcgrad.compiler.types import Type
from arcgrad.grammar import syntax
from arcgrad.grammar.errors import EquationError, InputError, Place

__all__ = ["Symbols", "elaborate"]


class Symbols(Protocol):
    """What elaboration needs of a symbol table."""

    def __getitem__(self, symbol: str, /) -> int:
        """The label of a symbol; InputError or KeyError where there is none."""
        ...

    def __iter__(self) -> Iterator[str]:
        """All symbols."""
        ...


def elaborate(
    program: syntax.Program,
    *,
    library: syntax.Program | None = None,
    symbols: Symbols | None = None,
    limits: Limits = DEFAULT_LIMITS,
    internal: bool = False,
    input_types: Mapping[str, Type] | None = None,
) -> Program:
    """Type-check a parsed equation and make its IR.

    Args:
        program: the equation.
        library: definitions that come before it.
        symbols: table in which literals look up their symbols; None: Unicode code points.
        limits: budget of nodes.
        internal: know operators without a spelling by their registry names, for rewrite rules.
        input_types: types of inputs known beforehand.

    Raises:
        EquationError: unknown operators, wrong types, unknown symbols.
        LimitError: the definitions expand to too many nodes.
    """
    programs = [library, program] if library is not None else [program]
    expander = Expander(limits, internal)
    root = expander.expand_program(programs)
    types = infer_types(expander.terms.values(), input_types or {})
    resolver = _Resolver(types, symbols)
    result = resolver.resolve(root)
    if result.type is Type.MAPPING:
        raise EquationError("an equation's value is a graph or a score, not a label mapping", place=root.place)
    result = settle_semirings(result, resolver.interner, resolver.places)
    used = {str(n.parameters[0]): n.type for n in topological(result) if n.is_input}
    order = [name for name in _names_in_order(programs) if name in used]
    return Program(
        text=program.text,
        syntax=program,
        result=result,
        inputs={name: used[name] for name in order},
        interner=resolver.interner,
        places=resolver.places,
    )


class _Resolver:
    """Makes IR nodes of typed terms, operands first."""

    def __init__(self, types: dict[Term, Type], symbols: Symbols | None) -> None:
        self.interner = Interner()
        self.places: dict[Node, Place] = {}
        self._types = types
        self._symbols = symbols

    def resolve(self, root: Term) -> Node:
        # A score's star is a sign of multiplication that waits for its right side: such terms are resolved "stripped",
        # and only where something stands to their right.
        done: dict[tuple[int, bool], Node] = {}
        stack: list[tuple[Term, bool]] = [(root, False)]
        while stack:
            term, strip = stack[-1]
            key = (term.number, strip)
            if key in done:
                stack.pop()
                continue
            needed = self._needs(term, strip)
            missing = [n for n in needed if (n[0].number, n[1]) not in done]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            operands = tuple(done[t.number, s] for t, s in needed)
            node = self._make(term, operands, strip)
            self.places.setdefault(node, term.place)
            done[key] = node
        return done[root.number, False]

    def _needs(self, term: Term, strip: bool) -> list[tuple[Term, bool]]:
        is_score = self._types[term] is Type.SCORE
        if is_score and term.head in ("concatenate", "multiply", "divide"):
            left, right = term.operands
            return [(left, True), (right, strip)]
        return [(operand, False) for operand in term.operands]

    def _make(self, term: Term, operands: tuple[Node, ...], strip: bool) -> Node:
        make = self.interner.apply
        is_score = self._types[term] is Type.SCORE
        match term.head:
            case "input":
                return self.interner.input(str(term.parameters[0]), self._types[term])
            case "number":
                value = term.parameters[0]
                assert isinstance(value, (int, float))
                return self.interner.literal(value)
            case "constant":
                return make(str(term.parameters[0]), ())
            case "text":
                return make("linear", (), tuple(self._label(str(s), term) for s in term.parameters))
            case "class":
                labels = self._class_labels(term)
                return make("symbols", (), tuple(labels)) if labels else make("empty", ())
            case "graph":
                return self._typed_graph(term)
            case "closure" if is_score:
                if not strip:
                    raise EquationError(
                        "`*` after a score is a product and needs a right side",
                        place=term.place,
                        expected=("a score after `*`",),
                        hint="write × or *, then the other factor; a negative one as in 2 × -3",
                    )
                return operands[0]
            case "concatenate" if not is_score:
                left = term.operands[0]
                if left.head == "closure" and left.parameters[0] is True:
                    raise EquationError(
                        "`*` between graphs is not an operator: after a graph it is the closure",
                        place=term.place,
                        found="`*` with a space before it, between two graphs",
                        hint="for the closure of the left graph followed by the right one write A* B; "
                        "for composition A ∘ B, for concatenation A B",
                    )
                return make("concatenate", operands)
            case "closure":
                return make("closure", operands)
            case head if head.startswith("[]"):
                name = head[2:]
                self._check_mapping(term, name)
                if operator(name).ends_with_alphabet and len(operands) < len(operator(name).operands):
                    operands = (*operands, make("symbols", (), self._alphabet(term)))
                return make(name, operands, term.parameters)
            case head:
                entry = tagged_operators()[head]
                if is_score and entry.overload is not None:
                    entry = operator(entry.overload)
                return make(entry.name, operands, term.parameters if entry.name == "repeat" else ())

    def _check_mapping(self, term: Term, name: str) -> None:
        for operand, wanted in zip(term.operands, operator(name).operands, strict=False):
            if wanted is Type.MAPPING and operand.head != "input":
                raise EquationError(
                    f"{operator(name).names[0]} takes the name of an input that maps labels",
                    place=operand.place,
                    hint="write relabel[A, m] and give m as a dict or an array",
                )

    def _typed_graph(self, term: Term) -> Node:
        literal = term.expression
        assert isinstance(literal, syntax.GraphLiteral)
        scores = list(dict.fromkeys(arc.score for arc in literal.arcs if arc.score))
        number = {score: k for k, score in enumerate(scores)}
        arcs = []
        for arc in literal.arcs:
            place = Place(term.place.text, arc.span)
            labels = (-1 if s is None else self._label(s, term, place) for s in (arc.input, arc.output))
            arcs.append((arc.source, arc.destination, *labels, number.get(arc.score, -1)))
        parameters = (literal.n_states, tuple(arcs), literal.starts, literal.accepts)
        return self.interner.apply("typed", [self.interner.literal(score) for score in scores], parameters)

    def _label(self, symbol: str, term: Term, place: Place | None = None) -> int:
        """The label of a character, or of ``<name>``: the table's ``name``, or where it has none its ``<name>``."""
        place = place or term.place
        name = symbol[1:-1] if len(symbol) > 1 else symbol
        if self._symbols is None:
            if len(name) == 1:
                return ord(name)
            raise EquationError(
                f"the symbol <{name}> needs a symbol table: without one, symbols are single characters",
                place=place,
                hint="give compile(…, symbols=ag.SymbolTable([…]))",
            )
        hint = None
        for spelled in dict.fromkeys((name, symbol)):
            try:
                return int(self._symbols[spelled])
            except (InputError, KeyError) as error:
                hint = hint or (error.hint if isinstance(error, InputError) else None)
        if name == symbol and f"<{name}>" in list(self._symbols):
            hint = f"its symbol <{name}> is written <{name}> in a literal, too"
        raise EquationError(
            f"the symbol table has no symbol {name!r}" + (f" and no {symbol!r}" if name != symbol else ""),
            place=place,
            found=symbol,
            hint=hint or "the table is what was given as symbols=",
        )

    def _alphabet(self, term: Term) -> tuple[int, ...]:
        """The labels of all symbols of the table."""
        if self._symbols is None:
            name = operator(term.head[2:]).names[0]
            raise EquationError(
                f"{name} without an alphabet needs a symbol table to know what else there is",
                place=term.place,
                hint="give compile(…, symbols=ag.SymbolTable([…])), or an acceptor whose labels are the alphabet, "
                "as the last graph in brackets",
            )
        return tuple(sorted({label for label in map(int, map(self._symbols.__getitem__, self._symbols)) if label >= 0}))

    def _class_labels(self, term: Term) -> list[int]:
        """The labels of a character class, rising, each once."""
        ranges, negated = term.parameters
        assert isinstance(ranges, tuple)
        if self._symbols is None:
            if negated:
                raise EquationError(
                    "`.` and negated classes need a symbol table to know what else there is",
                    place=term.place,
                    hint="give compile(…, symbols=ag.SymbolTable([…]))",
                )
            return sorted(
                {c for first, last in ranges for c in range(self._label(first, term), self._label(last, term) + 1)}
            )
        chosen = {
            int(self._symbols[symbol])
            for symbol in self._symbols
            if any(_between(first, symbol, last) for first, last in ranges)
        }
        for first, last in ranges:
            if first == last:
                with suppress(EquationError) if negated else nullcontext():
                    chosen.add(self._label(first, term))  # a missing symbol is an error, not an empty class
        if negated:
            chosen = {int(self._symbols[symbol]) for symbol in self._symbols} - chosen
        return sorted(label for label in chosen if label >= 0)


def _between(first: str, symbol: str, last: str) -> bool:
    return len(first) == len(symbol) == len(last) == 1 and first <= symbol <= last


def _names_in_order(programs: list[syntax.Program]) -> list[str]:
    """Every name in the order of its first appearance in the text, libraries first."""
    found: dict[str, int] = {}
    offset = 0
    for program in programs:
        stack: list[tuple[syntax.Expression, frozenset[str]]] = []
        for statement in program.statements:
            if isinstance(statement, syntax.Definition):
                stack.append((statement.body, frozenset(p.name for p in statement.parameters)))
            else:
                stack.append((statement.expression, frozenset()))
        if program.result is not None:
            stack.append((program.result, frozenset()))
        while stack:
            expression, bound = stack.pop()
            if isinstance(expression, syntax.Name):
                if expression.name in bound:
                    continue  # a definition's parameter, not an input
                position = offset + expression.span.start
                found[expression.name] = min(position, found.get(expression.name, position))
            elif isinstance(expression, syntax.Operation):
                stack.extend((o, bound) for o in expression.operands)
            elif isinstance(expression, syntax.Call):
                stack.extend((a, bound) for a in expression.arguments)
        offset += len(program.text) + 1
    return sorted(found, key=found.__getitem__)


def operator_names() -> frozenset[str]:
    """Names of the named operators, for the parser's hints."""
    return frozenset(named_operators())
