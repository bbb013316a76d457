"""Stages: operators whose output depends on weights cut the program; a toy one that lives here works everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.compiler import operators as registry
from arcgrad.compiler.frontend.ir import Program
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import Transformed
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import Category, Operator
from arcgrad.compiler.plan.stages import split_stages
from arcgrad.compiler.types import Type

MODES = ("interpret", "kernels", "auto", pytest.param("fused", marks=pytest.mark.slow))
A = ag.Graph.from_arcs([(0, 1, 0, 0.5), (0, 1, 1, -1.0), (1, 2, 0, 0.2), (1, 2, 2, -3.0)], start=[0], accept=[2])
B = ag.Graph.from_arcs([(0, 0, 0, 0.3), (0, 0, 1, 0.1), (0, 0, 2, -0.2)], start=[0], accept=[0])
X = np.random.default_rng(0).normal(size=(2, 3))


# -- a toy operator: arcs whose weight is above a threshold, doubled --------------------------------------------------


def _above(topology: Topology, weights: Any, parameters: Any, limits: Limits) -> Transformed:
    (threshold,) = parameters
    kept = np.flatnonzero(weights > -threshold / 10)
    made = Topology.make(
        topology.n_states, topology.src[kept], topology.dst[kept], topology.ilabel[kept], topology.olabel[kept],
        topology.start, topology.accept,
    )  # fmt: skip

    def pull_back(cotangent: Any) -> Any:
        found = np.zeros(len(weights))
        found[kept] = 2.0 * cotangent
        return found

    return Transformed(made, 2.0 * weights[kept], pull_back)


ABOVE = Operator(
    name="above",
    summary="Keeps the arcs above a threshold, with twice their weights.",
    category=Category.TRANSFORM,
    operands=(Type.GRAPH,),
    names=("ABOVE",),
    parameter_names=("threshold",),
    transform=_above,
    example="ABOVE[A, 15]",
)


@pytest.fixture
def toy() -> Iterator[None]:
    """The operator's file, so to speak, is in the folder."""
    with registry.registered(ABOVE):
        yield


def program(text: str) -> Program:
    return ag.compile(text)._program


def test_nothing_cuts_an_ordinary_program() -> None:
    whole = program("LSE[A ∘ B] - MAX[A]")
    assert split_stages(whole) == ((), whole)


def test_operands_become_programs() -> None:
    stages, last = split_stages(program("LSE[PATH[A ∘ B] ∘ PATH[PATH[C] + A]] + w"))
    assert [stage.name for stage in stages] == ["PATH[A ∘ B]", "PATH[C]", "PATH[PATH[C] + A]"]
    assert [tuple(stage.program.inputs) for stage in stages] == [("A", "B"), ("C",), ("A", "PATH[C]")]
    assert tuple(last.inputs) == ("w", "PATH[A ∘ B]", "PATH[PATH[C] + A]")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "text",
    [
        "LSE[ABOVE[A, 15] ∘ B]",
        "LSE[ABOVE[A ∘ B, 15]]",
        "MAX[ABOVE[A, 40] ∘ ABOVE[B, 40]]",
        "LSE[X ∘ ABOVE[A, 20]] - LSE[X]",
        "LSE[ABOVE[ABOVE[A, 15] ∘ B, 30]] + LSE[A]",
        "LSE[ABOVE[X ∘ A, 90]]",
        "LSE[PATH[A ∘ B] + A]",
        "LSE[B ∘ A⟨LSE[ABOVE[A, 15]]⟩]",
        "exp[LSE[ABOVE[A⟨w⟩, 15]]]",
    ],
)
def test_gradients_are_those_of_finite_differences(toy: None, text: str, mode: str) -> None:
    equation = ag.compile(text, mode=mode)
    given = {name: {"A": A, "B": B, "X": X, "w": 0.3}[name] for name in equation.inputs}
    report = equation.check_grad(given)
    assert report.ok, report
    value = equation(given)
    assert value == pytest.approx(ag.compile(text, mode="interpret")(given), rel=1e-12)
    assert np.isfinite(value)


@pytest.mark.parametrize("mode", MODES)
def test_batches_and_shared_inputs(toy: None, mode: str) -> None:
    equation = ag.compile("LSE[X ∘ ABOVE[A ∘ B, 20]] + MAX[ABOVE[B ∘ A, 15]]", mode=mode)
    graphs = [A, A.with_weight([0.1, 0.2, -0.3, 0.4]), A.with_weight([-1.0, 0.0, 0.5, -0.1])]
    batch = np.random.default_rng(1).normal(size=(3, 2, 3))
    value, gradient = equation.value_and_grad(X=batch, A=graphs, B=B)
    singles = [equation.value_and_grad(X=x, A=a, B=B) for x, a in zip(batch, graphs, strict=True)]
    np.testing.assert_allclose(value, [v for v, _ in singles], rtol=1e-12)
    for k, (_, g) in enumerate(singles):
        np.testing.assert_allclose(gradient["X"][k], g["X"], atol=1e-12)
        np.testing.assert_allclose(gradient["A"][k], g["A"], atol=1e-12)
    np.testing.assert_allclose(gradient["B"], sum(g["B"] for _, g in singles), atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_graph_values_and_their_jacobians(toy: None, mode: str) -> None:
    equation = ag.compile("ABOVE[A ∘ B, 15] B", mode=mode)
    value, gradient = equation.value_and_grad(A=A, B=B)
    jacobian = equation.jacobian(A=A, B=B)
    for name in "AB":
        assert jacobian[name].shape == (value.n_arcs, len(gradient[name]))
        np.testing.assert_allclose(jacobian[name].toarray().sum(axis=0), gradient[name])
    assert jacobian["A"].toarray().max() == 2.0


@pytest.mark.parametrize("mode", MODES)
def test_no_derivative_where_nothing_leads(toy: None, mode: str) -> None:
    value, gradient = ag.compile("LSE[ABOVE[A, 0] ∘ B] + LSE[A]", mode=mode).value_and_grad(
        A=A.with_weight([-1.0] * 4), B=B, wrt="A"
    )
    assert value == -np.inf
    assert gradient["A"].tolist() == [0.0] * 4


def test_explain_and_source_show_every_stage(toy: None) -> None:
    equation = ag.compile("LSE[X ∘ ABOVE[A ∘ B, 20]]", mode="kernels")
    shown = str(equation.explain(A=A, B=B, X=X))
    assert "ABOVE[A ∘ B, 20]: its operand is built with its weights" in shown
    assert "trellis region over X" in shown
    assert equation.source(A=A, B=B, X=X).count("def routine(") == 1


# -- pullback ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", ["LSE[X ∘ A] + MAX[A ∘ B] × w", "LSE[PATH[A ∘ B] ∘ B] + w", "A ∘ PATH[A ∘ B]"])
def test_one_forward_pass_serves_any_cotangent(text: str, mode: str) -> None:
    equation = ag.compile(text, mode=mode)
    given = {name: {"A": A, "B": B, "X": X, "w": 0.7}[name] for name in equation.inputs}
    value, pull = equation.pullback(given)
    cotangents: list[Any] = [None, 2.0, -0.5] if isinstance(value, float) else [None, np.arange(value.n_arcs) - 1.0]
    for cotangent in cotangents:
        expected = equation.value_and_grad(given, cotangent=cotangent)[1]
        found = pull(cotangent)
        assert found.keys() == expected.keys()
        for name in found:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["kernels", "fused"])
def test_uneven_cotangents_of_shared_inputs_need_no_second_pass(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    equation = ag.compile("LSE[X ∘ A] + w LSE[A ∘ B]", mode=mode)
    batch = np.random.default_rng(2).normal(size=(3, 2, 3))
    for given in (
        {"X": batch, "A": A, "B": B, "w": 0.5},
        {"X": X, "A": [A, A.with_weight([0.0] * 4)], "B": B, "w": np.array([0.5, 2.0])},
    ):
        n = 3 if given["X"] is batch else 2
        cotangent = np.arange(n) - 0.7
        expected = equation.value_and_grad(given, cotangent=cotangent)[1]
        value, pull = equation.pullback(given)
        assert value.shape == (n,)
        with monkeypatch.context() as patch:
            patch.setattr("arcgrad.runtime.call.execute.Execution.run", None)  # nothing is evaluated any more
            found = pull(cotangent)
        for name, right in expected.items():
            for one, other in zip(*((g if isinstance(g, list) else [g]) for g in (found[name], right)), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12, err_msg=name)


def test_pullback_takes_any_spelling_and_refuses_a_bad_cotangent() -> None:
    _, pull = ag.compile("LSE[A₁]").pullback(A1=A)
    assert pull()["A_1"].shape == (4,)
    with pytest.raises(ag.InputError, match="cotangent has shape"):
        pull(np.ones(3))
    with pytest.raises(ag.InputError, match="not finite"):
        pull(np.inf)
