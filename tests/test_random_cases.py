"""Every tier against the brute-force oracle on random equations: values, gradients, counts, divergence.

2,000 cases a tier, more than half with two or more finite paths. To look at one failure:
``python -c "from oracle.cases import generate; print(generate(SEED))"`` in this folder.
"""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import pytest
from oracle.cases import Case, generate, statistics
from support.adapter import arcgrad_inputs, disagreement, routine_of

import arcgrad as ag
from arcgrad.runtime.build.operators import compose, connect
from arcgrad.runtime.call import pack as packing

N_CASES = 2000
N_NEW_EQUATIONS = 1000
CHUNK = 250
SHOWN = 3

# Each distinct routine costs about a second of compilation. A case that would need one beyond these is left to the
# kernels tier, which runs the same generated text; fewer than one case in five is.
MOST_ROUTINES = 26
MOST_COMPILATIONS = 80  # kernels among them, each compiled by itself
MOST_COMPILE_SECONDS = 360.0

_made: dict[int, list[Case]] = {}


def chunk(number: int) -> list[Case]:
    """The cases of one chunk, generated once for all tiers."""
    if number not in _made:
        _made[number] = [generate(seed) for seed in range(number * CHUNK, (number + 1) * CHUNK)]
    return _made[number]


def report(found: list[str], n_cases: int) -> str:
    """The message for the cases that disagree."""
    return f"{len(found)} of {n_cases} cases disagree, such as\n" + "\n".join(found[:SHOWN])


SLOW = [pytest.param(number, marks=pytest.mark.slow) for number in range(1, N_CASES // CHUNK)]


@pytest.mark.parametrize("number", [0, *SLOW])
@pytest.mark.parametrize("mode", ["interpret", "kernels"])
def test_tier_agrees_with_the_oracle(number: int, mode: str):
    found = [problem for case in chunk(number) if (problem := disagreement(case, mode)) is not None]
    assert not found, report(found, CHUNK)


def compilations_of_new_equations(routines: set[str], known_texts: set[str]) -> int:
    """How often something was compiled while 1,000 equations never seen before ran over known routines."""
    before = ag.cache.info()
    seed = 10 * N_CASES
    evaluated: set[str] = set()
    while len(evaluated) < N_NEW_EQUATIONS:
        case, seed = generate(seed), seed + 1
        if case.text in known_texts or case.text in evaluated or routine_of(case) not in routines:
            continue
        evaluated.add(case.text)
        with contextlib.nullcontext() if case.error is None else pytest.raises(getattr(ag, case.error)):
            ag.compile(case.text, mode="fused")(**arcgrad_inputs(case))
    return ag.cache.info().compilations - before.compilations


@pytest.mark.slow
def test_fused_routines_agree_with_the_oracle_and_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # An empty cache, and nothing compiled in memory: what is counted below is all that the run needs, kernels included.
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(tmp_path))
    ag.cache.clear(disk=False)
    # What compiles once numpy has taken long enough does so at once: when that is would depend on the machine.
    monkeypatch.setattr(compose.patience, "spent", math.inf)
    monkeypatch.setattr(connect.patience, "spent", math.inf)
    monkeypatch.setattr(packing.patience, "spent", math.inf)
    before = ag.cache.info()
    routines: set[str] = set()
    found: list[str] = []
    compared, number = 0, 0
    while compared < N_CASES:
        for case in chunk(number):
            routine = routine_of(case)
            if routine not in routines and len(routines) >= MOST_ROUTINES:
                continue
            routines.add(routine)
            compared += 1
            problem = disagreement(case, "fused")
            if problem is not None:
                found.append(problem)
        number += 1
    after = ag.cache.info()
    assert not found, report(found, compared)
    assert compilations_of_new_equations(routines, {case.text for n in range(number) for case in chunk(n)}) == 0
    assert number <= N_CASES // CHUNK + 2, "too many cases need a routine of their own"
    assert after.tiers["fused"].compilations - before.tiers["fused"].compilations <= len(routines)
    assert 0 < after.compilations - before.compilations <= MOST_COMPILATIONS
    assert after.compile_seconds - before.compile_seconds <= MOST_COMPILE_SECONDS


@pytest.mark.slow
def test_enough_cases_have_two_or_more_finite_paths():
    cases = [case for number in range(N_CASES // CHUNK) for case in chunk(number)]
    assert len(cases) == N_CASES
    assert statistics(cases)["two or more finite paths"] >= N_CASES // 2
