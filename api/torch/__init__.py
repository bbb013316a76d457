"""Equations in PyTorch: functions of tensors, modules with learnable graphs, and losses. Imported on first use.

Example:
    >>> import arcgrad as ag, torch
    >>> score = ag.torch.compile("LSE[X ∘ A]")
    >>> x = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    >>> value = score(X=x, A=ag.linear([1, 2]))
    >>> value.backward()
    >>> value.item(), x.grad.tolist()
    (0.0, [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"ag.torch needs PyTorch, which cannot be imported here ({error}); `pip install arcgrad[torch]` installs it",
        name="torch",
    ) from error

from arcgrad.torch.functions import Function, compile
from arcgrad.torch.losses import ctc_loss
from arcgrad.torch.modules import Equation
from arcgrad.torch.traced.handles import handle

__all__ = ["Equation", "Function", "compile", "ctc_loss", "handle"]
