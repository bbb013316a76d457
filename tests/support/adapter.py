"""Runs a case through arcgrad and says where the two disagree. It knows arcgrad by public names.

Agreement: values to 1e-9 · max(1, Σ|terms|), gradients to 1e-7 relative to their own size, COUNT exactly, errors by
class. Where several best paths tie, the gradient of any of them is right.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Sequence
from typing import Any

import numpy as np
from oracle.cases import Case
from oracle.evaluate import Gradient
from oracle.graph_cases import GraphCase
from oracle.graphs import Arc, Graph
from oracle.leaves import DenseBatch, DenseLeaf, GraphLeaf, Input, Mapping

import arcgrad as ag
from arcgrad.compiler.operators import Built

__all__ = ["arcgrad_inputs", "assert_built", "convert", "disagreement", "graph_disagreement", "naive", "routine_of"]

VALUE_TOLERANCE = 1e-9
GRADIENT_TOLERANCE = 1e-7


def convert(value: Input) -> Any:
    """An input of a case as arcgrad takes it."""
    if isinstance(value, list):
        return [convert(x) for x in value]
    if isinstance(value, GraphLeaf):
        columns = np.array(value.arcs, dtype=np.int64).reshape(-1, 4).T
        return ag.Graph(
            *columns, value.weights, start=value.start, accept=value.accept, n_states=value.n_states, tie=value.tie
        )
    if isinstance(value, DenseLeaf):
        return ag.dense(value.scores)
    if isinstance(value, DenseBatch):
        return ag.dense(value.scores, lengths=None if value.lengths is None else np.array(value.lengths))
    return dict(value.labels) if isinstance(value, Mapping) else value


def naive(graph: ag.Graph, name: str = "A") -> Graph:
    """The oracle's graph of one of arcgrad's, whose arcs take that input's weights."""
    columns = (graph.src, graph.dst, graph.ilabel, graph.olabel, graph.arc_weight)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    arcs = [Arc(*row, ((name, k),)) for k, row in enumerate(rows)]
    return Graph(graph.n_states, arcs, graph.start.tolist(), graph.accept.tolist())


def assert_built(built: Built, expected: Graph, operands: Sequence[str]) -> None:
    """The built graph has these states and arcs in this order, and its selections say what each arc is made of."""
    topology = built.topology
    assert topology.n_states == expected.n_states
    columns = (topology.src, topology.dst, topology.ilabel, topology.olabel)
    assert list(zip(*(c.tolist() for c in columns), strict=True)) == [arc[:4] for arc in expected.arcs]
    assert topology.start.tolist() == expected.start
    assert topology.accept.tolist() == expected.accept
    for name, selection in zip(operands, built.selections, strict=True):
        assert selection.dtype == "int32"
        wanted = [[entry for operand, entry in arc.terms if operand == name] or [-1] for arc in expected.arcs]
        assert [[entry] for entry in selection.tolist()] == wanted
    for array in (*columns, topology.start, topology.accept):
        assert array.dtype == "int32"
        assert array.flags.c_contiguous
        assert not array.flags.writeable


def arcgrad_inputs(case: Case) -> dict[str, Any]:
    """The case's inputs as arcgrad takes them."""
    return {name: convert(value) for name, value in case.inputs.items()}


def routine_of(case: Case) -> str:
    """What the case's generated routine says, without comments and layout: equal texts are one compiled routine."""
    source = ag.compile(case.text).source(**arcgrad_inputs(case))
    dropped = (tokenize.COMMENT, tokenize.NL)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join("" if t.type == tokenize.INDENT else t.string for t in tokens if t.type not in dropped)


def disagreement(case: Case, mode: str = "interpret", **compile_options: Any) -> str | None:
    """Where arcgrad, in that mode, departs from what the case expects; None where it does not."""
    where = f"seed {case.seed}, mode {mode}: {case.text}"
    try:
        equation = ag.compile(case.text, mode=mode, **compile_options)
        inputs = arcgrad_inputs(case)
        if case.has_gradient:
            value, gradient = equation.value_and_grad(**inputs, wrt=case.wrt)
        else:
            value, gradient = equation(**inputs), None
    except ag.ArcgradError as error:
        if case.error == type(error).__name__:
            return None
        return f"{where}\n  raised {type(error).__name__}: {error}\n  expected {case.error or case.value}"
    if case.error is not None:
        return f"{where}\n  gave {value}\n  expected {case.error}"
    problem = _value_problem(case, value)
    if problem is None and gradient is not None:
        problem = _gradient_problem(case, gradient)
    return None if problem is None else f"{where}\n  {problem}"


def _value_problem(case: Case, value: Any) -> str | None:
    if np.shape(value) != np.shape(case.value):
        return f"value has shape {np.shape(value)}, expected {np.shape(case.value)}"
    got, expected = np.asarray(value, dtype=np.float64), np.asarray(case.value, dtype=np.float64)
    if "COUNT" in case.shape:
        agree = got == expected
    else:
        bound = VALUE_TOLERANCE * np.maximum(1.0, np.asarray(case.expected.scale))
        with np.errstate(invalid="ignore"):
            agree = (got == expected) | (np.abs(got - expected) <= bound)
    return None if np.all(agree) else f"value {value}, expected {case.value}"


def _gradient_problem(case: Case, gradient: dict[str, Any]) -> str | None:
    problems = [_difference(case, gradient, right) for right in case.gradients]
    if any(problem is None for problem in problems):
        return None
    choices = f" (nor any of {len(problems) - 1} other best paths)" if len(problems) > 1 else ""
    return f"{problems[0]}{choices}"


def _difference(case: Case, gradient: dict[str, Any], right: Gradient) -> str | None:
    for name in case.wrt:
        got, expected = gradient[name], right[name]
        if isinstance(expected, list) != isinstance(got, list):
            return f"gradient of {name} is a {type(got).__name__}, expected a {type(expected).__name__}"
        pairs = zip(got, expected, strict=True) if isinstance(expected, list) else [(got, expected)]
        for item, (one, other) in enumerate(pairs):
            if np.shape(one) != other.shape:
                return f"gradient of {name}, item {item}, has shape {np.shape(one)}, expected {other.shape}"
            bound = GRADIENT_TOLERANCE * np.maximum(1.0, np.abs(other))
            if not np.all(np.abs(np.asarray(one) - other) <= bound):
                return f"gradient of {name}, item {item}:\n{one}\n  expected\n{other}"
    return None


def graph_disagreement(case: GraphCase, mode: str = "interpret", **compile_options: Any) -> str | None:
    """Where arcgrad's graph, its gradient for a random cotangent, or its Jacobian departs from the case's."""
    where = f"graph seed {case.seed}, mode {mode}: {case.text}"
    equation = ag.compile(case.text, mode=mode, **compile_options)
    inputs = {name: convert(value) for name, value in case.inputs.items()}
    cotangent = np.random.default_rng(case.seed).normal(size=len(case.graph.arcs))
    value, gradient = equation.value_and_grad(**inputs, wrt=case.wrt, cotangent=cotangent)
    arcs = case.graph.arcs
    for what, got, expected in (
        ("states", [value.n_states], [case.graph.n_states]),
        ("starts", value.start, case.graph.start),
        ("accepts", value.accept, case.graph.accept),
        ("sources", value.src, [a.src for a in arcs]),
        ("destinations", value.dst, [a.dst for a in arcs]),
        ("input labels", value.ilabel, [a.ilabel for a in arcs]),
        ("output labels", value.olabel, [a.olabel for a in arcs]),
    ):
        if list(got) != list(expected):
            return f"{where}\n  {what} {list(got)}, expected {list(expected)}"
    weights = np.array([a.weight for a in arcs])
    with np.errstate(invalid="ignore"):
        close = (value.arc_weight == weights) | (np.abs(value.arc_weight - weights) <= 1e-12 * (1 + np.abs(weights)))
    if not close.all():
        return f"{where}\n  weights {value.arc_weight}, expected {weights}"
    for name in case.wrt:
        expected_jacobian = case.jacobian(name)
        if not np.allclose(np.ravel(gradient[name]), cotangent @ expected_jacobian, atol=1e-11):
            return f"{where}\n  gradient of {name} {gradient[name]}, expected {cotangent @ expected_jacobian}"
        jacobian = equation.jacobian(wrt=name, **inputs).toarray()
        leaf = case.inputs[name]
        if isinstance(leaf, GraphLeaf) and leaf.tie is not None:
            # Columns are arcs; those that share a parameter add up.
            jacobian = jacobian @ np.eye(len(leaf.weights))[list(leaf.tie)]
        if not np.array_equal(jacobian, expected_jacobian):
            return f"{where}\n  Jacobian by {name}\n{jacobian}\n  expected\n{expected_jacobian}"
    return None
