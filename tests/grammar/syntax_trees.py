"""Syntax trees without their places, and random ones, for the tests of the language layer."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from arcgrad.grammar.errors import Span
from arcgrad.grammar.syntax import (
    Call,
    CharacterClass,
    Constant,
    Expression,
    GraphLiteral,
    LiteralArc,
    Name,
    Number,
    Operation,
    Program,
    Text,
)

_NOWHERE = Span(0, 0)


def shape(root: Expression) -> list[Any]:
    """A tree as the list of its nodes in pre-order, spans left out: equal exactly where the trees are."""
    found: list[Any] = []
    pending: list[Expression] = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, Operation):
            found.append((node.tag, node.parameters, node.spaced, len(node.operands)))
            pending.extend(reversed(node.operands))
        elif isinstance(node, Call):
            found.append(("call", node.name, len(node.arguments)))
            pending.extend(reversed(node.arguments))
        elif isinstance(node, Name):
            found.append(("name", node.name))
        elif isinstance(node, Number):
            found.append(("number", type(node.value), node.value))
        elif isinstance(node, Text):
            found.append(("text", node.symbols))
        elif isinstance(node, CharacterClass):
            found.append(("class", node.ranges, node.negated))
        elif isinstance(node, GraphLiteral):
            arcs = [(a.source, a.destination, a.input, a.output, a.score) for a in node.arcs]
            found.append(("graph", arcs, node.starts, node.accepts, node.n_states))
        else:
            assert isinstance(node, Constant)
            found.append(("constant", node.name))
    return found


def program_shape(program: Program) -> list[Any]:
    """The same for a whole program."""
    found: list[Any] = []
    for statement in program.statements:
        parameters = [parameter.name for parameter in getattr(statement, "parameters", ())]
        body = getattr(statement, "body", None) or statement.expression  # type: ignore[union-attr]
        found.append((type(statement).__name__, statement.name, parameters, shape(body)))
    found.append(program.result and shape(program.result))
    return found


def operation(
    tag: str, *operands: Expression, parameters: tuple[int | None, ...] = (), spaced: bool = False
) -> Operation:
    return Operation(tag, operands, parameters, _NOWHERE, _NOWHERE, spaced)


def _bounds() -> st.SearchStrategy[tuple[int | None, ...]]:
    exact = st.integers(0, 120).map(lambda n: (n, n))
    ranges = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: (min(pair), max(pair)))
    unbounded = st.integers(2, 30).map(lambda n: (n, None))
    return st.one_of(exact, ranges, unbounded).filter(lambda pair: pair != (0, 1))


# fmt: off
_WORDS = (
    "A", "A1", "x", "x12", "α", "α1", "Ω", "token_graph", "token_graph2", "re", "eps1", "A_", "_", "_1", "_x", "__",
    "A_b", "é", "名前", "Ж9", "log", "E", "KL", "in_", "ctc1", "x̂", "a1b",
)
# fmt: on
NAMES = st.sampled_from(_WORDS)
_CHARACTERS = st.characters(codec="utf-8")
_ESCAPED = ("<\\>", "<\n>", "<>>")
_SYMBOLS = st.one_of(
    _CHARACTERS, st.sampled_from(["<eps>", "<a b>", "<x_y>", "<sp{>", "<名前>", "<s>", "<<s>>", *_ESCAPED])
)


def _ranges() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    pair = st.tuples(_CHARACTERS, _CHARACTERS).map(lambda two: (min(two), max(two)))
    single = _SYMBOLS.map(lambda symbol: (symbol, symbol))
    return st.lists(st.one_of(pair, single), min_size=1, max_size=4).map(tuple)


def _typed(arcs: list[tuple[int, int, str | None, str | None, float]], starts: list[int], accepts: list[int]) -> Any:
    literal = [LiteralArc(*arc, _NOWHERE) for arc in arcs]
    named = [*starts, *(state for arc in arcs for state in arc[:2]), *accepts]
    first = [arc[0] for arc in arcs[:1]] or accepts[:1]
    return GraphLiteral(tuple(literal), tuple(starts or first), tuple(accepts), max(named, default=-1) + 1, _NOWHERE)


def _graphs() -> st.SearchStrategy[Expression]:
    # Characters that end a field are typed as <;>, which is another symbol.
    label = st.one_of(st.none(), _SYMBOLS.filter(lambda s: s not in ("<\n>", ":", ";", "ε", "\n") and not s.isspace()))
    scores = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
    states = st.lists(st.integers(0, 9), max_size=2, unique=True).map(sorted)
    arcs = st.tuples(st.integers(0, 9), st.integers(0, 9), label, label, scores)
    return st.builds(_typed, st.lists(arcs, max_size=3), states, states)


LEAVES: st.SearchStrategy[Expression] = st.one_of(
    NAMES.map(lambda name: Name(name, _NOWHERE)),
    st.integers(0, 10**6).map(lambda value: Number(value, _NOWHERE)),
    st.floats(0, allow_nan=False, allow_infinity=False)
    .filter(lambda x: str(x)[0] != "-")
    .map(lambda x: Number(x, _NOWHERE)),
    st.lists(_SYMBOLS, max_size=4).map(lambda symbols: Text(tuple(symbols), _NOWHERE)),
    st.tuples(_ranges(), st.booleans()).map(lambda both: CharacterClass(*both, _NOWHERE)),
    st.just(CharacterClass((), True, _NOWHERE)),
    _graphs(),
    st.sampled_from(["epsilon", "empty"]).map(lambda name: Constant(name, _NOWHERE)),
)
_INFIX = ["union", "difference", "compose", "intersect", "concatenate", "multiply", "divide", "cross", "weight"]


def grow(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.one_of(
        st.builds(operation, st.sampled_from(_INFIX), inner, inner),
        st.builds(operation, st.sampled_from(_INFIX), inner, inner),
        st.builds(operation, st.sampled_from(["plus", "optional", "inverse", "negate"]), inner),
        st.builds(operation, st.just("closure"), inner, spaced=st.booleans()),
        st.builds(operation, st.just("repeat"), inner, parameters=_bounds()),
        st.builds(
            lambda name, arguments: Call(name, tuple(arguments), _NOWHERE, _NOWHERE),
            st.sampled_from(["LSE", "in", "ctc", "log", "token_graph", "f1"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
    )


TREES: st.SearchStrategy[Expression] = st.recursive(LEAVES, grow, max_leaves=12)
