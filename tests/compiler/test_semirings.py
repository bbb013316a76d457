"""Records of semirings: they say what the kernels and operators are, and what lacks a kernel is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.compiler import operators as registry
from arcgrad.compiler.operators import Category, Operator
from arcgrad.compiler.semirings import ALL_SHAPES, SEMIRINGS, Semiring, semiring
from arcgrad.compiler.types import Type
from arcgrad.runtime.kernels import KERNELS, kernel_names

RECORDS = list(SEMIRINGS.values())


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_lists_the_shapes_that_have_kernels(record: Semiring) -> None:
    assert record.shapes == {shape for shape, name in KERNELS if name == record.name}
    for shape in record.shapes:
        names = kernel_names(shape, record.name)
        assert (names.backward is not None) == record.has_gradient


def test_all_kernels_are_of_known_shapes_and_semirings() -> None:
    for shape, name in KERNELS:
        assert shape in ALL_SHAPES
        assert name in SEMIRINGS
    assert all(name == record.name for name, record in SEMIRINGS.items())


def test_every_reduction_has_a_record_and_every_record_a_reduction() -> None:
    named = {e.semiring for e in registry.operators().values() if e.category is Category.REDUCTION}
    # Those of values are reduced by operators that other operators' derivatives are made of.
    assert named <= set(SEMIRINGS)
    assert all(SEMIRINGS[name].n_values or name == "entropy" for name in set(SEMIRINGS) - named)


def test_what_is_unknown_is_said() -> None:
    with pytest.raises(LookupError, match="named 'tropical'; there are boolean, count, covariance, "):
        semiring("tropical")
    with pytest.raises(LookupError):
        semiring(None)
    with pytest.raises(ag.UnsupportedError, match=r"'tropical' .* no kernel for lattice regions; it has some for none"):
        kernel_names("lattice", "tropical")
    with pytest.raises(
        ag.UnsupportedError, match=r"'log' .* no kernel for grid regions; .* cyclic, frames, lattice, t"
    ):
        kernel_names("grid", "log")


# -- a reduction that has a kernel for lattices alone -----------------------------------------------------------------

TALLY = Operator(
    name="tally",
    summary="Is the number of paths.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH,),
    result=Type.SCORE,
    names=("TALLY",),
    semiring="tally",
)
CHAIN = ag.Graph([0, 0, 1, 1], [1, 1, 2, 2], [0, 1, 0, 1], weight=[-1.0, -0.7, -0.2, 0.3], start=[0], accept=[2])
FRAMES = np.log(np.full((2, 2), 0.5))


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes the operator TALLY known, with COUNT's kernel of lattices."""
    monkeypatch.setitem(SEMIRINGS, "tally", replace(SEMIRINGS["count"], name="tally", shapes=frozenset({"lattice"})))
    monkeypatch.setitem(KERNELS, ("lattice", "tally"), KERNELS["lattice", "count"])
    with registry.registered(TALLY):
        yield


@pytest.mark.usefixtures("tally")
@pytest.mark.parametrize(
    ("reduced", "line"),
    [
        ("[A ∘ X]", "TALLY[A ∘ X]: TALLY has no trellis kernel, the composition is built"),
        ("[X ∘ A]", "TALLY[X ∘ A]: TALLY has no trellis kernel, the composition is built"),
        ("[A ∘ X ∘ A]", "TALLY has no trellis kernel, the composition is built"),
        ("[A ∩ X]", "TALLY[A ∩ X]: TALLY has no trellis kernel, the composition is built"),
        ("[X]", "TALLY[X]: TALLY has no frames kernel, the dense input is built"),
        ("[A]", None),
        ("[A + X]", None),  # is built under any semiring
    ],
)
def test_what_has_no_kernel_is_built(reduced: str, line: str | None) -> None:
    given = {name: value for name, value in (("A", CHAIN), ("X", FRAMES)) if name in reduced}
    equation = ag.compile("TALLY" + reduced, mode="kernels")
    assert equation(given) == ag.compile("COUNT" + reduced, mode="interpret")(given)
    shown = str(equation.explain(**given))
    assert "lattice region" in shown
    assert ("choose regions: " in shown) == (line is not None)
    assert line is None or line in shown


@pytest.mark.usefixtures("tally")
def test_beside_reductions_that_have_kernels_those_keep_theirs() -> None:
    given = {"A": CHAIN, "X": FRAMES}
    equation = ag.compile("TALLY[A ∘ X] × LSE[A ∘ X]", mode="kernels")
    expected = ag.compile("COUNT[A ∘ X] × LSE[A ∘ X]", mode="interpret")
    value, gradient = equation.value_and_grad(given)
    wanted, wanted_gradient = expected.value_and_grad(given)
    assert value == pytest.approx(wanted, rel=1e-12)
    for name in given:
        np.testing.assert_allclose(gradient[name], wanted_gradient[name], rtol=1e-12)
    shown = str(equation.explain(**given))
    assert "LSE[A ∘ X]: trellis region over X" in shown
    assert "TALLY[A ∘ X]: lattice region" in shown
