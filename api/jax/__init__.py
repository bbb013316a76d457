"""Equations in JAX: functions of arrays that ``jit``, ``grad``, ``vmap`` and ``scan`` take. Imported on first use.

Example:
    >>> import arcgrad as ag, jax, jax.numpy as jnp
    >>> score = ag.jax.compile("LSE[X ∘ A]")
    >>> value, gradient = jax.value_and_grad(lambda x: score(X=x, A=ag.linear([1, 2])))(jnp.zeros((2, 3)))
    >>> value.item(), gradient.tolist()
    (0.0, [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
"""

from __future__ import annotations

try:
    import jax as _jax  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"ag.jax needs JAX, which cannot be imported here ({error}); `pip install arcgrad[jax]` installs it",
        name="jax",
    ) from error

from arcgrad.jax.functions import Function, compile
from arcgrad.jax.handles import Graphs, graphs

__all__ = ["Function", "Graphs", "compile", "graphs"]
