"""How a program of JAX's calls into an equation while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from arcgrad.jax import foreign
from arcgrad.jax.evaluation import Task, run

__all__ = ["run_task"]


def run_task(task: Task, shapes: Sequence[Any], operands: Sequence[Any]) -> list[jax.Array]:
    """The results of a task on operands, of given shapes and dtypes, in whatever transformation this is."""
    if task.call.equation._evaluator.mode in ("auto", "fused") and foreign.is_registered():
        return foreign.call(task, shapes, operands)
    dtype = shapes[0].dtype

    def call_back(*arrays: Any) -> list[Any]:
        return run(task, [np.asarray(array) for array in arrays], dtype)

    return list(jax.pure_callback(call_back, list(shapes), *operands, vmap_method="broadcast_all"))
