"""Sizes of weights and scores that people use, beside those near 0: penalties, large logits, and "log zero" masks."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

__all__ = ["MASKS", "PENALTIES", "draw_penalty", "with_penalties"]

PENALTIES = (0.0, 1.0, -1.0, 45.0, -45.0, 300.0, -300.0, 700.0, -700.0, -745.0, -1000.0, -1000.0, 1000.0, -1e4, -1e6)
"""Sizes beside which an ordinary weight keeps its digits in float64."""

MASKS = (-1e9, -1e12, -1e16, -1e20, -1e30, float(np.finfo(np.float32).min), -1e300)
"""What stands for log 0 where −inf is avoided."""


def draw_penalty(rng: random.Random) -> float:
    """One of the penalties."""
    return rng.choice(PENALTIES)


def with_penalties(rng: np.random.Generator, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights, some of them replaced by penalties: none in half of the draws, else a tenth or most."""
    share = rng.choice([0.0, 0.0, 0.1, 0.8])
    return np.where(rng.random(weights.shape) < share, rng.choice(PENALTIES, weights.shape), weights)
