"""``ag.torch.ctc_loss`` without copies: scores in every layout, and whose memory gradients are."""

from __future__ import annotations

from typing import Any

import pytest

import arcgrad as ag

torch = pytest.importorskip("torch")
F = torch.nn.functional

from arcgrad.torch import alignment_losses  # noqa: E402


@pytest.fixture(autouse=True)
def directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else than the direct way is taken."""
    for kernel in alignment_losses.kernels_of_losses():
        kernel.load()
    for module in (alignment_losses, ag.torch.losses):
        monkeypatch.setattr(module, "loss_by_equation", None)


def scores_laid_out(kind: str, dtype: Any) -> Any:
    """A leaf of scores (T, N, C) = (9, 3, 20) that lies as it says, the numbers those of every other kind."""
    x = torch.randn(9, 3, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).log_softmax(-1).to(dtype)
    if kind == "(N, T, C)":
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    elif kind == "(N, C, T)":  # as a convolution leaves them: columns are apart
        x = x.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    elif kind == "columns of a matrix":
        x = torch.cat([x.new_full((9, 3, 4), torch.nan), x, x.new_full((9, 3, 1), torch.nan)], 2)[:, :, 4:24]
    elif kind == "every other step":
        x = torch.stack([x, torch.full_like(x, torch.nan)], 1).reshape(18, 3, 20)[::2]
    elif kind == "one column apart":
        x = torch.stack([x, torch.full_like(x, torch.nan)], -1)[..., 0]
    elif kind == "one for all items":
        x = x[:, :1].expand(9, 3, 20)
    elif kind == "one for all steps":
        x = x[:1].expand(9, 3, 20)
    return x.detach().requires_grad_()


LAYOUTS = [
    "(T, N, C)", "(N, T, C)", "(N, C, T)", "columns of a matrix", "every other step", "one column apart",
    "one for all items", "one for all steps",
]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("true_gradient", [True, False])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_layouts(kind: str, true_gradient: bool, dtype: Any) -> None:
    """Values and gradients are torch's own, whatever the layout, and the gradient has that of a leaf."""
    targets, lengths = (
        torch.tensor([[1, 2, 2], [19, 3, 0], [5, 0, 0]]),
        (torch.tensor([9, 7, 9]), torch.tensor([3, 2, 1])),
    )
    found = []
    for loss, more in ((F.ctc_loss, {}), (ag.torch.ctc_loss, {"true_gradient": true_gradient})):
        x = scores_laid_out(kind, dtype)
        value = loss(x, targets, *lengths, reduction="none", **more)
        (value * torch.tensor([1.0, -0.5, 3.0])).sum().backward()
        found.append((value.detach(), x.grad, x))
    (expected, expected_gradient, x), (value, gradient, _) = found
    if true_gradient:  # torch's has exp(scores) besides
        inside = torch.arange(9)[:, None] < lengths[0]
        expected_gradient = (
            expected_gradient
            - x.detach().exp() * inside[:, :, None] * torch.tensor([1.0, -0.5, 3.0]).to(dtype)[None, :, None]
        )
    tolerance = 1e-9 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(value, expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(gradient, expected_gradient, rtol=tolerance, atol=tolerance)
    if kind in ("(T, N, C)", "(N, T, C)", "(N, C, T)"):
        assert gradient.stride() == x.stride()


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_the_same_backward_pass_twice(reduction: str) -> None:
    """The gradient that the forward pass left is handed out once; the second pass has the same bits."""
    x = scores_laid_out("(T, N, C)", torch.float32)
    targets, labels = torch.tensor([[1, 2, 2], [19, 3, 4], [5, 6, 7]]), torch.tensor([3, 2, 1])
    value = ag.torch.ctc_loss(x, targets, torch.tensor([9, 7, 9]), labels, reduction=reduction)
    upstream = torch.tensor(0.37).expand(value.shape)
    targets.fill_(0)  # whose labels are kept
    labels.fill_(0)
    first, second = (torch.autograd.grad(value, x, upstream, retain_graph=True)[0] for _ in range(2))
    assert first.data_ptr() != second.data_ptr()
    assert torch.equal(first, second)
    assert first.count_nonzero() > 50


def test_scores_that_change_before_the_backward_pass() -> None:
    leaf = scores_laid_out("(T, N, C)", torch.float32)
    x = leaf * 1.0
    value = ag.torch.ctc_loss(x, torch.tensor([[1], [2], [3]]), (9, 9, 9), (1, 1, 1))
    x.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_needs_no_memory_of_its_own_for_the_gradient() -> None:
    """What backward hands out is what the forward pass wrote: the leaf gets it without a copy."""
    x = scores_laid_out("(N, T, C)", torch.float32)
    value = ag.torch.ctc_loss(x, torch.tensor([[1], [2], [3]]), (9, 9, 9), (1, 1, 1))
    kept = value.grad_fn.gradient
    assert kept is not None
    place = kept.data_ptr()
    del kept
    value.backward()
    assert x.grad.data_ptr() == place
    assert value.grad_fn.gradient is None
