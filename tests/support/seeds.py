"""Many seeds in one test: pytest's bookkeeping of a thousand small cases takes longer than the cases do."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["for_seeds"]


def for_seeds(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test for the seeds 0 … count − 1, given as ``seed``; one that fails is named in what the test prints."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            for seed in range(count):
                try:
                    test(*args, seed=seed, **kwargs)
                except pytest.skip.Exception:
                    continue
                except BaseException:
                    print(f"with seed={seed}")
                    raise

        signature = inspect.signature(test)
        kept = [parameter for name, parameter in signature.parameters.items() if name != "seed"]
        run.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return run

    return decorate
