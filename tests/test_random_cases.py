"""Every tier against the brute-force oracle on random equations: values, gradients, counts, divergence.

2,000 cases a tier, more than half with two or more finite paths. To look at one failure:
``python -c "from oracle.cases import generate; print(generate(SEED))"`` in this folder.
"""

from __future__ import annotations

import pytest
from oracle.adapter import disagreement
from oracle.cases import Case, generate, statistics

N_CASES = 2000
CHUNK = 250
SHOWN = 3

_made: dict[int, list[Case]] = {}


def chunk(number: int) -> list[Case]:
    """The cases of one chunk, generated once for all tiers."""
    if number not in _made:
        _made[number] = [generate(seed) for seed in range(number * CHUNK, (number + 1) * CHUNK)]
    return _made[number]


@pytest.mark.parametrize("number", range(N_CASES // CHUNK))
@pytest.mark.parametrize("mode", ["interpret", "kernels", "fused"])
def test_tier_agrees_with_the_oracle(number: int, mode: str):
    found = [problem for case in chunk(number) if (problem := disagreement(case, mode)) is not None]
    shown = "\n".join(found[:SHOWN])
    assert not found, f"{len(found)} of {CHUNK} cases disagree, such as\n{shown}"


def test_enough_cases_have_two_or_more_finite_paths():
    cases = [case for number in range(N_CASES // CHUNK) for case in chunk(number)]
    assert len(cases) == N_CASES
    assert statistics(cases)["two or more finite paths"] >= N_CASES // 2
