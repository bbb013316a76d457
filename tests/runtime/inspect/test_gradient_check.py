"""The gradient check finds wrong gradients, says where, and leaves −inf and padding alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime.call.evaluator import Evaluator

LOOP = ag.Graph([0, 1, 1], [1, 1, 2], [1, 0, 2], weight=[-1.0, -0.5, -np.inf], start=[0], accept=[1, 2])


def test_right_gradients_pass() -> None:
    for text, given, count in [
        ("LSE[A]", {"A": LOOP}, 2),
        ("LSE[A ∘ X] w", {"A": [LOOP, LOOP], "X": np.zeros((2, 3)), "w": np.array([1.0, 2.0])}, 2 + 2 + 6 + 2),
        ("LSE[X]", {"X": ag.dense(np.zeros((2, 3, 2)), [1, 3])}, 8),
        ("A A⟨w⟩", {"A": LOOP, "w": 0.5}, 3),
    ]:
        report = ag.compile(text, mode="interpret").check_grad(given)
        assert report.ok, str(report)
        assert bool(report)
        assert report.checked == count
        assert report.worst < 1e-5


def test_wrong_gradients_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Evaluator.value_and_grad

    def wrong(self: Evaluator, *arguments: Any) -> Any:
        value, gradients = original(self, *arguments)
        gradients["A"][1][0] += 0.5
        return value, gradients

    monkeypatch.setattr(Evaluator, "value_and_grad", wrong)
    report = ag.compile("LSE[A]", mode="interpret").check_grad(A=[LOOP, LOOP])
    assert not report.ok
    (difference,) = report.differences
    assert (difference.input, difference.index) == ("A[1]", (0,))
    assert difference.gradient - difference.finite_difference == pytest.approx(0.5)
    assert "1 disagree" in str(report)
