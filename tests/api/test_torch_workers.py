"""Equations in the worker processes of a DataLoader, forked and spawned."""

from __future__ import annotations

from typing import Any

import pytest

import arcgrad as ag

torch = pytest.importorskip("torch")

TARGETS = [[1, 2], [3], [2, 2], []]


class Scored(torch.utils.data.Dataset):  # type: ignore[name-defined,misc]
    """Scores of targets, each with its gradient, computed where the item is asked for."""

    def __init__(self) -> None:
        self.function = ag.torch.compile("LSE[X ∘ Y]")
        self.module = ag.torch.Equation("LSE[X ∘ G]", G=ag.graphs.alignments([1]))

    def __len__(self) -> int:
        return len(TARGETS)

    def __getitem__(self, index: int) -> Any:
        x = torch.arange(20.0).reshape(5, 4).sin().requires_grad_()
        value = self.function(X=x, Y=ag.graphs.alignments(TARGETS[index])) + self.module(X=x).float()
        value.backward()
        return value.detach(), x.grad


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers(context: str) -> None:
    data = Scored()
    expected = [data[index] for index in range(len(data))]
    loader = torch.utils.data.DataLoader(data, batch_size=2, num_workers=1, multiprocessing_context=context)
    values, gradients = (torch.cat(parts) for parts in zip(*loader, strict=True))
    torch.testing.assert_close(values, torch.stack([value for value, _ in expected]))
    torch.testing.assert_close(gradients, torch.stack([gradient for _, gradient in expected]))
