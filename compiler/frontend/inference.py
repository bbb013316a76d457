"""Type inference: finds for every term of a program whether it is a graph, a score or a label mapping.

What an overloaded sign does follows from its sides' types, and an input's type from its uses, over the whole program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from arcgrad.compiler.frontend.expand import Term
from arcgrad.compiler.operators import Operator, operator, tagged_operators
from arcgrad.compiler.types import Type
from arcgrad.grammar import syntax
from arcgrad.grammar.errors import EquationError

__all__ = ["infer_types"]

# Signs that take two sides of one type, whichever it is, and give that type.
_OVERLOADED = ("union", "difference", "concatenate")


@dataclass(slots=True)
class _Class:
    """A set of terms known to have one type (union-find)."""

    parent: _Class | None = None
    type: Type | None = None
    witness: Term | None = None  # the term whose use settled the type

    def root(self) -> _Class:
        node = self
        while node.parent is not None:
            if node.parent.parent is not None:
                node.parent = node.parent.parent
            node = node.parent
        return node


def infer_types(terms: Iterable[Term], input_types: Mapping[str, Type]) -> dict[Term, Type]:
    """The type of every term; inputs that no use settles, and that ``input_types`` does not name, are graphs.

    Raises:
        EquationError: two sides, or an operand and what its operator takes, disagree.
    """
    ordered = list(terms)
    classes = {term: _Class() for term in ordered}
    for term in ordered:
        result = _result_type(term)
        if term.head == "input":
            result = input_types.get(str(term.parameters[0]))
        if result is not None:
            classes[term].type, classes[term].witness = result, term
    for term in ordered:
        if term.head in _OVERLOADED:
            left, right = term.operands
            _unify(classes, term, left, right)
            _merge(classes[term], classes[left])
        elif term.head == "closure":
            _merge(classes[term], classes[term.operands[0]])
        else:
            for operand, wanted in zip(term.operands, _operand_types(term), strict=False):
                _require(classes, term, operand, wanted)
    return {term: classes[term].root().type or Type.GRAPH for term in ordered}


def _result_type(term: Term) -> Type | None:
    if term.head == "number":
        return Type.SCORE
    if term.head in ("text", "class", "graph", "constant"):
        return Type.GRAPH
    if term.head == "input" or term.head in _OVERLOADED or term.head == "closure":
        return None
    return _entry(term).result


def _entry(term: Term) -> Operator:
    """The operator of a term that is an operation."""
    return operator(term.head[2:]) if term.head.startswith("[]") else tagged_operators()[term.head]


def _operand_types(term: Term) -> tuple[Type, ...]:
    if not term.operands:
        return ()
    entry = _entry(term)
    if entry.variadic:
        return (entry.operands[-1],) * len(term.operands)
    return entry.operands


def _merge(a: _Class, b: _Class) -> None:
    a, b = a.root(), b.root()
    if a is not b:
        if a.type is None:
            a.type, a.witness = b.type, b.witness
        b.parent = a


def _unify(classes: dict[Term, _Class], term: Term, left: Term, right: Term) -> None:
    a, b = classes[left].root(), classes[right].root()
    if a.type is not None and b.type is not None and a.type is not b.type:
        sign = tagged_operators()[term.head].spelling
        what = (
            f"{sign} takes two graphs or two scores"
            if term.head != "concatenate"
            else ("side by side stand two graphs (their concatenation) or two scores (their product)")
        )
        scored = (
            "weight a graph's paths with A⟨w⟩"
            if term.head == "concatenate"
            else ("weight a graph's paths with A⟨w⟩, or reduce a graph to a score with LSE[…]")
        )
        raise EquationError(
            f"{what}, but {_shown(left)} is a {a.type} and {_shown(right)} is a {b.type}"
            + _because(left, a)
            + _because(right, b),
            place=term.place,
            expected=("two graphs", "two scores"),
            found=f"a {a.type} and a {b.type}",
            hint=scored,
        )
    _merge(a, b)


def _require(classes: dict[Term, _Class], term: Term, operand: Term, wanted: Type) -> None:
    found = classes[operand].root()
    if found.type is None:
        found.type, found.witness = wanted, term
    elif found.type is not wanted:
        name = _entry(term).spelling
        hint = None
        if (term.head == "multiply" and found.type is Type.GRAPH) or (
            operand.head == "multiply" and wanted is Type.GRAPH
        ):
            hint = "graphs are joined with ∘ (composition), ∩ (intersection), : (cross product) or side by side"
        elif wanted is Type.SCORE and found.type is Type.GRAPH:
            hint = "LSE[…] or MAX[…] makes a score of a graph"
        elif wanted is Type.MAPPING:
            hint = "a label mapping is an input of its own: relabel[A, m]"
        raise EquationError(
            f"{name} takes a {wanted} here, but {_shown(operand)} is a {found.type}{_because(operand, found)}",
            place=operand.place if _within(operand, term) else term.place,
            expected=(f"a {wanted}",),
            found=f"a {found.type}",
            hint=hint,
        )


def _within(operand: Term, term: Term) -> bool:
    # An interned operand may have been written elsewhere first; its place then says nothing about this use.
    inner, outer = operand.place.span, term.place.span
    return operand.place.text == term.place.text and outer.start <= inner.start and inner.end <= outer.end


def _shown(term: Term) -> str:
    from arcgrad.grammar import unparse

    text = unparse(term.expression)
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}…`"


def _because(term: Term, found: _Class) -> str:
    witness = found.root().witness
    if term.head != "input" or witness is None or witness is term or not isinstance(term.expression, syntax.Name):
        return ""
    return f" ({term.expression.name} is used as a {found.type} in {_shown(witness)})"
