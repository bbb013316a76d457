"""Which tier answers: what is compiled already, else at once by the interpreter, and compiled where waiting pays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime.jit.cache import cache

LOOP = ag.Graph([0, 1, 1], [1, 1, 2], [1, 0, 2], weight=[-1.0, -0.5, -0.25], start=[0], accept=[2])


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compiled, neither in memory nor on disk."""
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(tmp_path))
    ag.cache.clear(disk=False)


def compilations() -> dict[str, int]:
    return {name: tier.compilations for name, tier in cache.info().tiers.items()}


@pytest.mark.usefixtures("empty")
def test_a_new_key_is_answered_at_once_without_compiling() -> None:
    before = compilations()
    equation = ag.compile("4.5 LSE[A] / (2 + exp[MAX[A]]) - max[w, 7, LSE[A]]")
    expected = ag.compile(equation.text, mode="interpret")(A=LOOP, w=1.0)
    assert equation.explain(A=LOOP, w=1.0).tier == "interpret"
    assert equation(A=LOOP, w=1.0) == expected
    assert compilations() == before


@pytest.mark.slow
@pytest.mark.usefixtures("empty")
def test_patience_ends_in_a_compiled_routine(monkeypatch: pytest.MonkeyPatch) -> None:
    equation = ag.compile("LSE[A] - (w - v)")
    given = {"A": LOOP, "w": 1.0, "v": 2.0}
    first = equation(given)
    assert equation.explain(given).tier == "interpret"
    with monkeypatch.context() as impatient:
        impatient.setattr(equation._evaluator.engine.patience, "seconds", -1.0)
        assert equation.explain(given).tier == "fused"
        assert equation(given) == pytest.approx(first, rel=1e-13)
    assert equation.explain(given).tier == "fused"  # it is there now: nobody waits for it
    before = compilations()["fused"]
    other = ag.compile("LSE[B* ∘ C] - (p - q)")
    assert other.explain(B=LOOP, C=LOOP, p=0.0, q=0.0).tier == "fused"
    assert other(B=LOOP, C=LOOP, p=0.0, q=0.0) == pytest.approx(
        ag.compile(other.text, mode="interpret")(B=LOOP, C=LOOP, p=0.0, q=0.0)
    )
    assert compilations()["fused"] == before


def test_hundreds_of_steps_are_never_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compilations()
    equation = ag.compile("0 + " + " + ".join(f"w{k}" for k in range(400)))
    monkeypatch.setattr(equation._evaluator.engine.patience, "seconds", -1.0)
    given = {f"w{k}": 0.5 for k in range(400)}
    assert equation.explain(given).tier in ("interpret", "kernels")
    assert equation(given) == 200.0
    assert compilations() == before


def test_a_graph_without_scores_needs_no_routine() -> None:
    equation = ag.compile("A B")
    assert equation.explain(A=LOOP, B=LOOP).tier == "kernels"
    assert "def routine(" not in equation.source(A=LOOP, B=LOOP)
    assert "def routine(" in ag.compile("LSE[A B]").source(A=LOOP, B=LOOP)
    before = compilations()["fused"]
    assert ag.equal(equation(A=LOOP, B=LOOP), ag.compile("A B", mode="interpret")(A=LOOP, B=LOOP))
    assert compilations()["fused"] == before


def test_a_mode_is_obeyed() -> None:
    x = np.zeros((2, 3))
    values = {m: ag.compile("LSE[A ∘ X]", mode=m)(A=LOOP, X=x) for m in ("interpret", "kernels", "auto")}
    assert len({round(v, 12) for v in values.values()}) == 1
    assert [ag.compile("LSE[A ∘ X]", mode=m).explain(A=LOOP, X=x).tier for m in ("interpret", "kernels")] == [
        "interpret", "kernels",
    ]  # fmt: skip
    with pytest.raises(ag.InputError, match="is none of auto"):
        ag.compile("LSE[A]", mode="fast")
