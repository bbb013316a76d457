"""``ag.torch.ctc_loss`` beside torch's own: values, gradients, and what is refused; and where they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.seeds import for_seeds

import arcgrad as ag

torch = pytest.importorskip("torch")
F = torch.nn.functional

from arcgrad.runtime.jit.background.waiting import compiling  # noqa: E402
from arcgrad.torch import alignment_losses  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """The direct way is taken from the first call on."""
    for kernel in alignment_losses.kernels_of_losses():
        kernel.load()


@pytest.fixture
def by_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The direct way is not taken: what it computes, the equation does."""
    monkeypatch.setattr(alignment_losses.patience, "ends_for", lambda *_, **__: False)


def draw(seed: int) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Logits, and the arguments after log_probs, in any layout."""
    rng = np.random.default_rng(seed)
    is_batch = bool(rng.random() < 0.85)
    n = int(rng.integers(1, 6)) if is_batch else 1
    steps, n_labels = int(rng.integers(1, 14)), int(rng.integers(2, 7))
    blank = int(rng.integers(n_labels)) if rng.random() < 0.5 else 0
    input_lengths = rng.integers(0, steps + 1, size=n) if rng.random() < 0.6 else np.full(n, steps)
    widest = int(rng.integers(0, 6))
    target_lengths = rng.integers(0, widest + 1, size=n)
    labels = np.delete(np.arange(n_labels), blank)
    padded = rng.choice(labels, size=(n, widest))
    if rng.random() < 0.5:
        targets = padded
    else:
        targets = padded[np.arange(widest) < target_lengths[:, None]]
    kind = rng.integers(3)
    if kind == 0:
        lengths: tuple[Any, ...] = tuple(input_lengths.tolist()), tuple(target_lengths.tolist())
    else:
        dtype = torch.int64 if kind == 1 else torch.int32
        lengths = tuple(torch.tensor(each, dtype=dtype) for each in (input_lengths, target_lengths))
        if not is_batch and rng.random() < 0.5:
            lengths = tuple(each[0] for each in lengths)
    options = {
        "blank": blank,
        "reduction": ("none", "mean", "sum")[rng.integers(3)],
        "zero_infinity": bool(rng.random() < 0.5),
    }
    shape = (steps, n, n_labels) if is_batch else (steps, n_labels)
    logits = torch.from_numpy(rng.normal(scale=2.0, size=shape))
    return logits, (torch.from_numpy(targets).to(torch.int32 if kind == 2 else torch.int64), *lengths), options


def agree(seed: int) -> None:
    logits, arguments, options = draw(seed)
    true_gradient, normalize = seed % 3 != 0, seed % 3 == 1
    found = []
    for loss, more in ((ag.torch.ctc_loss, {"true_gradient": true_gradient}), (F.ctc_loss, {})):
        x = logits.clone().requires_grad_()
        if normalize and loss is ag.torch.ctc_loss:
            value = loss(x, *arguments, **options, normalize=True)
        else:
            value = loss(x.log_softmax(-1), *arguments, **options, **more)
        upstream = torch.arange(1.0, value.numel() + 1, dtype=torch.float64).reshape(value.shape)
        torch.where(value.isfinite(), value * upstream, torch.zeros_like(value)).sum().backward()
        found.append((value.detach(), x.grad))
    (value, gradient), (expected, expected_gradient) = found
    assert value.dtype == expected.dtype
    assert value.shape == expected.shape
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-9)
    known = ~expected_gradient.isnan()  # torch's own is NaN where the loss is infinite
    assert gradient.isfinite().all()
    torch.testing.assert_close(gradient[known], expected_gradient[known], rtol=1e-9, atol=1e-9)


@for_seeds(60)
def test_agrees_with_torch(seed: int) -> None:
    agree(seed)


@pytest.mark.usefixtures("by_equation")
@for_seeds(20)
def test_agrees_with_torch_as_an_equation(seed: int) -> None:
    agree(seed)


@pytest.mark.slow
@for_seeds(1000)
def test_agrees_with_torch_at_length(seed: int) -> None:
    agree(1000 + seed)


def test_torch_convention_is_torch_gradient() -> None:
    """With respect to log_probs themselves: the loss's own, or torch's."""
    logits = torch.randn(6, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    arguments = torch.tensor([[1, 2], [3, 3]]), (6, 4), (2, 2)
    gradients = []
    for loss, more in (
        (F.ctc_loss, {}),
        (ag.torch.ctc_loss, {"true_gradient": False}),
        (ag.torch.ctc_loss, {"true_gradient": True}),
    ):
        x = logits.log_softmax(-1).requires_grad_()
        loss(x, *arguments, reduction="sum", **more).backward()
        gradients.append(x.grad)
    torch_own, like_torch, true = gradients
    torch.testing.assert_close(like_torch, torch_own, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(true, torch_own)
    sums = true.sum(-1)
    torch.testing.assert_close(sums[:, 0], -torch.ones(6, dtype=torch.float64))
    assert sums[4:, 1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_derivatives(reduction: str) -> None:
    x = torch.randn(5, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    targets = torch.tensor([[1, 2], [2, 2]])

    def loss(scores: Any) -> Any:
        return ag.torch.ctc_loss(scores, targets, (5, 4), (2, 1), reduction=reduction)

    for _ in range(2):
        loss(x)
    assert torch.autograd.gradcheck(loss, (x,), nondet_tol=1e-12)
    assert torch.autograd.gradgradcheck(loss, (x,), nondet_tol=1e-12)


def test_transforms_of_torch_func() -> None:
    """Targets are tensors made within them, or outside."""
    x = torch.randn(6, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(4)).log_softmax(-1)
    outside = torch.tensor([[1, 2], [3, 3]])

    def loss(scores: Any, targets: Any = None) -> Any:
        labels = torch.tensor([[1, 2], [3, 3]]) if targets is None else targets
        return ag.torch.ctc_loss(scores, labels, torch.tensor([6, 5]), torch.tensor([2, 2]))

    leaf = x.clone().requires_grad_()
    loss(leaf).backward()
    for found in (torch.func.grad(loss)(x), torch.func.grad(lambda scores: loss(scores, outside))(x)):
        torch.testing.assert_close(found, leaf.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("options", [{}, {"normalize": True}, {"true_gradient": False}])
def test_forward_mode(options: dict[str, Any]) -> None:
    """A tangent comes through, and is the product with the gradient; also one of the upstream gradient."""
    ad = torch.autograd.forward_ad
    generator = torch.Generator().manual_seed(4)
    x, vector = torch.randn(2, 6, 2, 4, dtype=torch.float64, generator=generator)
    layer = torch.nn.Linear(4, 4, dtype=torch.float64).requires_grad_(False)
    for is_behind_layer in (False, True):

        def loss(scores: Any, through: bool = is_behind_layer) -> Any:
            scores = layer(scores) if through else scores
            return ag.torch.ctc_loss(scores, torch.tensor([[1, 2], [3, 3]]), (6, 5), (2, 2), **options)

        leaf = x.clone().requires_grad_()
        value = loss(leaf)
        (gradient,) = torch.autograd.grad(value, leaf, retain_graph=True)
        with ad.dual_level():
            primal, tangent = ad.unpack_dual(loss(ad.make_dual(x, vector)))
            assert loss(x).item() == pytest.approx(value.item())
            upstream = ad.make_dual(torch.ones_like(value.detach()), torch.full_like(value.detach(), 3.0))
            scaled = ad.unpack_dual(torch.autograd.grad(value, leaf, upstream)[0])
        torch.testing.assert_close(primal, value.detach(), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(tangent, (gradient * vector).sum(), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(scaled.primal, gradient, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(scaled.tangent, 3 * gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("options", [{}, {"normalize": True}, {"true_gradient": False}])
def test_many_gradients_at_once(options: dict[str, Any]) -> None:
    """Batched upstream gradients of autograd, ``jacrev``, and a map of gradients: rows one by one."""
    x = torch.randn(6, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(4)).requires_grad_()

    def loss(scores: Any, reduction: str = "none") -> Any:
        return ag.torch.ctc_loss(scores, TARGETS, (6, 5), (2, 2), reduction=reduction, **options)

    (rows,) = torch.autograd.grad(loss(x), x, torch.eye(2, dtype=torch.float64), is_grads_batched=True)
    for k in range(2):
        torch.testing.assert_close(rows[k], torch.autograd.grad(loss(x)[k], x)[0], rtol=1e-9, atol=1e-9)
    plain = x.detach()
    torch.testing.assert_close(torch.func.jacrev(loss)(plain), rows, rtol=1e-9, atol=1e-9)
    mapped = torch.vmap(torch.func.grad(lambda scores: loss(scores, "sum")))(torch.stack([plain, plain]))
    torch.testing.assert_close(mapped, rows.sum(0).expand(2, 6, 2, 4), rtol=1e-9, atol=1e-9)


def test_says_where_numbers_are_none() -> None:
    """In the caller's layout, and of the steps that count alone."""
    x = torch.zeros(10, 2, 5)
    x[8, 0, 1] = x[7, 1, 3] = torch.nan
    for given, place in ((x, r"\[7, 1, 3\] \(step, item, label\)"), (x[:, 1], r"\[7, 3\] \(step, label\)")):
        n = 2 if given.ndim == 3 else 1
        arguments = torch.tensor([[1, 2]] * n), (8, 10)[-n:], (2, 2)[:n]
        with pytest.raises(ag.InputError, match=rf"^log_probs{place} is nan \(shape \(10, (2, )?5\)"):
            ag.torch.ctc_loss(given, *arguments)


def test_second_derivatives_where_log_softmax_is_part_of_the_loss() -> None:
    x = torch.randn(5, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    arguments = torch.tensor([[1, 2], [2, 2]]), (5, 4), (2, 1)
    found = []
    for value in (ag.torch.ctc_loss(x, *arguments, normalize=True), ag.torch.ctc_loss(x.log_softmax(-1), *arguments)):
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        found.append((gradient.detach(), *torch.autograd.grad((gradient * torch.arange(3.0)).sum(), x)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
        assert one.count_nonzero() > 20


def test_extremes_of_early_training() -> None:
    """Blanks dominate so that alignments' weights are hundreds of orders of magnitude apart, or scores are masked."""
    generator = torch.Generator().manual_seed(7)
    logits = torch.randn(300, 4, 30, dtype=torch.float64, generator=generator)
    logits[..., 0] += 40.0
    masked = logits.clone()
    masked[:, :, 20:] = -1e30
    targets, lengths = torch.randint(1, 20, (4, 60), generator=generator), (torch.full((4,), 300), torch.full((4,), 60))
    for given in (logits, masked):
        for more in ({}, {"normalize": True}):
            found = []
            for loss, options in ((F.ctc_loss, {}), (ag.torch.ctc_loss, more)):
                x = given.clone().requires_grad_()
                value = loss(x if options else x.log_softmax(-1), targets, *lengths, reduction="sum", **options)
                value.backward()
                found.append((value.detach(), x.grad))
            torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_losses_beyond_float32(reduction: str) -> None:
    x = torch.full((3, 2, 4), -3e38)
    x[:, 1] = 0.0
    loss = ag.torch.ctc_loss(x, torch.tensor([[1], [2]]), (3, 3), (1, 1), reduction=reduction)
    assert loss.reshape(-1)[0].item() == torch.inf


def test_large_scores_under_torch_convention() -> None:
    """exp(scores) is infinite in float32: as torch has it, and with no NaN."""
    x = torch.full((3, 2, 4), 100.0).requires_grad_()
    ag.torch.ctc_loss(x, torch.tensor([[1], [2]]), (3, 3), (1, 1), reduction="sum", true_gradient=False).backward()
    assert x.grad.isposinf().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_dtypes(dtype: Any) -> None:
    x = torch.randn(6, 2, 4, generator=torch.Generator().manual_seed(1)).log_softmax(-1).to(dtype).requires_grad_()
    arguments = torch.tensor([[1, 2], [3, 3]]), (6, 4), (2, 2)
    value = ag.torch.ctc_loss(x, *arguments)
    value.backward()
    assert value.dtype == torch.float32
    assert x.grad.dtype == dtype
    torch.testing.assert_close(value, F.ctc_loss(x.detach().float(), *arguments), rtol=1e-5, atol=1e-5)


LOG_PROBS = torch.zeros(5, 2, 4).log_softmax(-1)
TARGETS = torch.tensor([[1, 2], [2, 3]])
GOOD = {"log_probs": LOG_PROBS, "targets": TARGETS, "input_lengths": (5, 5), "target_lengths": (2, 2)}
T = torch.tensor
BAD: list[tuple[dict[str, Any], str]] = [
    ({"log_probs": LOG_PROBS.long()}, "log_probs"),
    ({"log_probs": LOG_PROBS.to(torch.complex64)}, "log_probs"),
    ({"log_probs": LOG_PROBS.numpy()}, "log_probs"),
    ({"log_probs": LOG_PROBS[None]}, "log_probs"),
    ({"log_probs": LOG_PROBS[0, 0]}, "log_probs"),
    ({"log_probs": LOG_PROBS[:0], "input_lengths": (0, 0)}, "log_probs"),
    ({"log_probs": LOG_PROBS[:, :, :0]}, "log_probs"),
    (
        {"log_probs": LOG_PROBS[:, :0], "targets": TARGETS[:0], "input_lengths": (), "target_lengths": ()},
        "log_probs",
    ),
    ({"targets": TARGETS.numpy()}, "targets"),
    ({"targets": [[1, 2], [2, 3]]}, "targets"),
    ({"targets": TARGETS[:1]}, "targets"),
    ({"targets": TARGETS[None]}, "targets"),
    ({"targets": T([1, 2, 2])}, "targets"),
    ({"targets": T([1, 2, 2, 3, 1])}, "targets"),
    ({"input_lengths": (6, 5)}, r"input_lengths\[0\] is 6"),
    ({"input_lengths": (5, -1)}, r"input_lengths\[1\] is -1"),
    ({"input_lengths": (5,)}, "input_lengths"),
    ({"input_lengths": 5}, "input_lengths"),
    ({"input_lengths": None}, "input_lengths"),
    ({"input_lengths": (5.0, 5)}, "input_lengths"),
    ({"input_lengths": T([5.0, 5.0]), "target_lengths": T([2, 2])}, "input_lengths must be integral"),
    ({"input_lengths": T([5, 5])}, "both lengths must be tensors"),
    ({"target_lengths": T([2, 2])}, "both lengths must be tensors"),
    ({"target_lengths": (2,)}, "target_lengths"),
    ({"target_lengths": (3, 2)}, r"target_lengths\[0\] is 3"),
    ({"target_lengths": (2, -2)}, r"target_lengths\[1\] is -2"),
    ({"blank": 4}, "blank must be in label range"),
    ({"blank": -1}, "blank must be in label range"),
    ({"blank": None}, "blank is"),
    ({"reduction": "x"}, "reduction='x'"),
    ({"zero_infinity": 1}, "zero_infinity"),
    ({"target_lengths": (2, 10**30)}, "64 bits"),
    ({"input_lengths": (True, 5)}, "input_lengths"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_refuses_what_torch_refuses(change: dict[str, Any], message: str) -> None:
    arguments = {**GOOD, **change}
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        F.ctc_loss(**arguments)
    with pytest.raises(ag.ArcgradError, match=message) as ours:
        ag.torch.ctc_loss(**arguments)
    assert isinstance(ours.value, theirs.type), (ours.type, theirs.value)


# What torch takes in silence, and is refused here.
SILENT: list[tuple[dict[str, Any], str]] = [
    ({"targets": T([[1, 4], [2, 3]])}, r"targets\[0\]\[1\] is 4, but labels go from 0 to 3"),
    ({"targets": T([[1, 2], [-2, 3]])}, r"targets\[1\]\[0\] is -2, but labels go"),
    ({"targets": T([1, 2, 3, 9])}, r"targets\[3\] is 9"),
    ({"targets": T([[1, 0], [2, 3]])}, r"targets\[0\]\[1\] is 0, but that is the blank"),
    ({"log_probs": torch.full((5, 2, 4), float("nan"))}, "log_probs.*nan"),
]


@pytest.mark.parametrize(("change", "message"), SILENT)
def test_refuses_what_torch_takes(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ag.InputError, match=message):
        ag.torch.ctc_loss(**{**GOOD, **change})


def test_refuses_options_of_its_own() -> None:
    with pytest.raises(ag.InputError, match="true_gradient"):
        ag.torch.ctc_loss(**GOOD, normalize=True, true_gradient=False)
    for name in ("normalize", "true_gradient"):
        with pytest.raises(TypeError, match=name):
            ag.torch.ctc_loss(**GOOD, **{name: 1})


@pytest.mark.slow
def test_warmup_compiles_what_any_scores_ask_for() -> None:
    ag.warmup(ag.torch.ctc_loss)
    assert all(kernel.is_loaded for kernel in alignment_losses.kernels_of_losses())
    with compiling(False):
        test_extremes_of_early_training()


def test_is_compiled_for_all_inputs() -> None:
    with pytest.raises(ag.InputError, match="none are given here"):
        ag.warmup(ag.torch.ctc_loss, log_probs=LOG_PROBS)


def test_takes_what_torch_refuses() -> None:
    """Half precision, on the CPU; and gradients of what has no alignment are zeros there, not NaN."""
    half = {**GOOD, "log_probs": LOG_PROBS.half()}
    with pytest.raises(NotImplementedError):
        F.ctc_loss(**half)
    assert ag.torch.ctc_loss(**half).isfinite()
    gradients = []
    for loss in (F.ctc_loss, ag.torch.ctc_loss):
        x = LOG_PROBS.clone().requires_grad_()
        loss(**{**GOOD, "log_probs": x, "input_lengths": (1, 5)}, reduction="none")[0].backward()
        gradients.append(x.grad)
    assert gradients[0].isnan().any()
    assert gradients[1].count_nonzero() == 0


def test_what_torch_takes_beside_int64() -> None:
    expected = F.ctc_loss(**GOOD).item()
    for targets in (TARGETS.int(), TARGETS.short(), TARGETS.to(torch.uint8)):
        assert ag.torch.ctc_loss(**{**GOOD, "targets": targets}).item() == pytest.approx(expected, abs=1e-6)
    lengths = {"input_lengths": T([[5, 5]]), "target_lengths": T([2, 2], dtype=torch.int16)}
    assert ag.torch.ctc_loss(**{**GOOD, **lengths}).item() == pytest.approx(expected, abs=1e-6)
    assert ag.torch.ctc_loss(**{**GOOD, "input_lengths": [5, 5]}).item() == pytest.approx(expected, abs=1e-6)
