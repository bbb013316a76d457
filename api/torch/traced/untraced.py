"""What torch.compile leaves as it stands, with a break of its graph; to be imported while it traces.

``torch.compiler.disable`` loads all of torch.compile, for seconds, and wraps each call: nothing for other programs.
"""

from __future__ import annotations

import torch

from arcgrad.torch import losses

__all__ = ["ctc_loss"]

ctc_loss = torch.compiler.disable(losses.ctc_loss)  # type: ignore[no-untyped-call]
