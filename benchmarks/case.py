"""What a benchmark case is: the same work for arcgrad and for its peers, the truth to compare with, and its size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Case", "Contender", "Outcome", "Setting", "Skipped", "Target"]

Array = NDArray[Any]


class Skipped(Exception):  # noqa: N818 - no error: a case that cannot run here says why
    """A case that needs what this machine does not have."""


@dataclass(frozen=True)
class Setting:
    """What a run was asked for.

    Attributes:
        quick: small sizes, to see that everything runs; the times mean nothing.
        threads: threads of arcgrad and of torch.
        data: folder with ``cmudict/cmudict.dict``, or None.
        modules: the peers' modules that could be imported, by name.
    """

    quick: bool
    threads: int
    data: Path | None
    modules: Mapping[str, Any]

    def pick(self, full: int, quick: int) -> int:
        """A size: the one of the case, or a small one for a quick run."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Outcome:
    """What a call computed, in the form in which it is compared.

    Attributes:
        value: scores in nats, or counts.
        gradients: by input name; only those that both sides have are compared.
    """

    value: Array
    gradients: Mapping[str, Array] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, gradients: Mapping[str, Any] | None = None) -> Outcome:
        """An Outcome of whatever numpy can read."""
        return cls(np.asarray(value), {name: np.asarray(given) for name, given in (gradients or {}).items()})

    def difference(self, truth: Outcome) -> tuple[float, float]:
        """The largest relative error of a value, and the largest error of a gradient relative to its largest entry."""
        expected = np.asarray(truth.value, dtype=np.float64)
        error = np.abs(np.asarray(self.value, dtype=np.float64) - expected) / np.maximum(1.0, np.abs(expected))
        worst = 0.0
        for name, gradient in self.gradients.items():
            if name in truth.gradients:
                right = np.asarray(truth.gradients[name], dtype=np.float64)
                wrong = np.abs(np.asarray(gradient, dtype=np.float64) - right).max(initial=0.0)
                # np.maximum, unlike max, keeps NaN.
                worst = float(np.maximum(worst, wrong / max(1.0, float(np.abs(right).max(initial=0.0)))))
        return float(error.max(initial=0.0)), worst


@dataclass(frozen=True)
class Contender:
    """One side of a case.

    Attributes:
        call: what is timed. Its argument numbers a side's calls, 0 being the one that is compared with the truth: where
            inputs change from step to step, it says which to take.
        outcome: what ``call`` returned, as an Outcome; not timed.
        tolerance: largest errors of values and gradients with which a side is said to compute the same. arcgrad has to
            keep both; a peer whose values are wrong is left out, one whose gradients are wrong gets a remark.
    """

    call: Callable[[int], Any]
    outcome: Callable[[Any], Outcome]
    tolerance: tuple[float, float] = (1e-3, 2e-2)


@dataclass(frozen=True)
class Target:
    """What issue 3 asks of a case: a ratio over a peer, arcs a second, or microseconds a call."""

    kind: str  # "ratio", "arcs" or "seconds"
    bound: float

    def __str__(self) -> str:
        if self.kind == "ratio":
            return f"≥ {self.bound:g}×"
        if self.kind == "arcs":
            return f"≥ {self.bound / 1e6:g} M/s"
        return f"≤ {self.bound:g} s" if self.bound > 0.1 else f"≤ {1e6 * self.bound:g} µs"

    def met(self, seconds: float, ratio: float | None, work: float) -> bool | None:
        """Whether it is met; None where the peer is missing."""
        if self.kind == "ratio":
            return None if ratio is None else ratio >= self.bound
        return work / seconds >= self.bound if self.kind == "arcs" else seconds <= self.bound


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
        arcgrad: arcgrad's side.
        peers: the others, by the name of the library; the ratio is taken over the first.
        truth: the outcome of repetition 0 by a float64 log-domain reference; None where only peers can tell.
        work: arc-frames (arcs, where there are no frames) of one call.
        multiply_adds: the fewest of one call; an exponential counts for ten.
        bytes: the fewest bytes to and from memory of one call.
        target: what is asked for.
        repetitions: the most that the inputs allow, where every repetition needs new ones.
    """

    arcgrad: Contender
    peers: Mapping[str, Contender]
    truth: Callable[[], Outcome] | None
    work: float
    multiply_adds: float
    bytes: float
    target: Target | None = None
    repetitions: int = 15
