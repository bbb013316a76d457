"""Compiled kernels and routines between processes: a second process compiles nothing, and nothing there is an error."""

from __future__ import annotations

import json
import math
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SCALAR = """
import math
from arcgrad.runtime.jit.declare import helper

SCALE = 2.0

@helper
def log_add(a, b):
    if a < b:
        a, b = b, a
    return a if b == -math.inf else a + math.log1p(math.exp(b - a))

@helper
def scaled(x):
    return SCALE * x
"""

LATTICE = """
from arcgrad.runtime.jit.declare import kernel
from toykernels.scalar import log_add, scaled

@kernel("float64(const float64[::1])")
def total(weights):
    result = -float("inf")
    for weight in weights:
        result = log_add(result, weight)
    return result

@kernel("void(const float64[::1], float64[::1])")
def scale(weights, out):
    for arc in range(len(weights)):
        out[arc] = scaled(weights[arc])
"""

# A kernel that calls two others, of one function.
CHAIN = """
from arcgrad.runtime.jit.declare import kernel

FACTOR = 3.0

def _first(values):
    return FACTOR * values[0]

first = kernel("float64(float64[::1])")(_first)
first_float32 = kernel("float64(float32[::1])")(_first)

@kernel("float64(float64[::1], float32[::1])")
def both(values, singles):
    return first(values) + first_float32(singles)
"""

# Calls the kernel, and a routine that calls it and one of the others.
CHAIN_MAIN = """
import json
import numpy
from arcgrad.runtime.jit.cache import cache
from arcgrad.runtime.jit.routine import load_routine
from toykernels.chain import both

SOURCE = '''
from toykernels.chain import both, first_float32

def routine(values, singles):
    return both(values, singles) + first_float32(singles)
'''
arguments = numpy.array([1.0]), numpy.array([10.0], dtype=numpy.float32)
routine = load_routine(SOURCE, signature="float64(float64[::1], float32[::1])", tier="fused")
values = [both(*arguments), routine(*arguments)]
info = cache.info()
print(json.dumps({
    "values": values,
    "kernels": info.tiers["kernels"].compilations,
    "fused": info.tiers["fused"].compilations,
    "disk_hits": info.disk_hits,
}))
"""

# Prints what the kernel, the routine and the counters say. Time is the process's own, not that of others beside it.
MAIN = """
import json, os, sys, time
import numpy, numba
start = time.process_time()
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.jit.cache import cache
from arcgrad.runtime.jit.routine import load_routine
from toykernels.lattice import scale, total

SOURCE = '''
from toykernels.lattice import scale, total

def routine(weights, out):
    scale(weights, out)
    return total(out)  # COMMENT
'''
if os.environ.get("TOY_WAIT"):  # so that two processes start at the same time
    while not os.path.exists(os.environ["TOY_WAIT"]):
        time.sleep(0.001)
weights, out = numpy.log([0.5, 0.25]), numpy.zeros(2)
try:
    value = total(weights)
    first_answer = time.process_time() - start
    routine = load_routine(
        SOURCE.replace("COMMENT", sys.argv[1]), signature="float64(float64[::1], float64[::1])", tier="fused"
    )
    value_of_routine = routine(weights, out)
except InputError as error:
    print(json.dumps({"error": str(error)}))
    raise SystemExit(0)
info = cache.info()
print(json.dumps({
    "values": [round(value, 9), round(value_of_routine, 9)],
    "kernels": info.tiers["kernels"].compilations,
    "fused": info.tiers["fused"].compilations,
    "disk_hits": info.disk_hits,
    "seconds": first_answer,
    "compile_seconds": info.compile_seconds,
    "registries": "numba.np.linalg" in sys.modules,
}))
"""

TOTAL = round(math.log(0.75), 9)
SCALED = round(math.log(0.3125), 9)
COLD = {"values": [TOTAL, SCALED], "kernels": 2, "fused": 1, "disk_hits": 0}
# The kernel that was called, the routine, and the kernel that only the routine calls.
WARM = {"values": [TOTAL, SCALED], "kernels": 0, "fused": 0, "disk_hits": 3}


class Toy:
    """A small kernel library of its own, and processes that use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.package = folder / "toykernels"
        self.package.mkdir()
        for name, text in (("__init__", ""), ("scalar", SCALAR), ("lattice", LATTICE), ("chain", CHAIN)):
            (self.package / f"{name}.py").write_text(text)
        (folder / "main.py").write_text(MAIN)
        (folder / "chain_main.py").write_text(CHAIN_MAIN)

    def edit(self, module: str, old: str, new: str) -> None:
        path = self.package / f"{module}.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def start(self, comment: str = "", main: str = "main.py", **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-B", str(self.folder / main), comment],
            env=os.environ | {"ARCGRAD_CACHE_DIR": str(self.cache)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, comment: str = "", **environment: str) -> dict[str, Any]:
        return self.answer(self.start(comment, **environment))

    def answer(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        answer: dict[str, Any] = json.loads(out)
        return answer


def counts(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in COLD}


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What the first process says, and the cache that it leaves."""
    toy = Toy(tmp_path_factory.mktemp("first"))
    return toy.run("LSE[A]"), toy.cache


@pytest.fixture
def warm(toy: Toy, first: tuple[dict[str, Any], Path]) -> Toy:
    """The same library with a copy of that cache: nothing of it depends on where it lies."""
    shutil.copytree(first[1], toy.cache)
    return toy


def test_a_second_process_compiles_nothing_and_answers_soon(warm: Toy, first: tuple[dict[str, Any], Path]) -> None:
    assert counts(first[0]) == COLD
    assert 0.02 < first[0]["compile_seconds"] < 60
    second = warm.run("LSE[B]")
    assert counts(second) == WARM
    assert second["compile_seconds"] == 0
    assert second["seconds"] < 0.6
    # What numba needs for compiling, scipy's linear algebra with it, stays unloaded: most of a cold process's time.
    assert (first[0]["registries"], second["registries"]) == (True, False)
    for path in [warm.cache, *warm.cache.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_an_edit_rebuilds_what_depends_on_it_and_nothing_else(warm: Toy) -> None:
    toy = warm
    toy.edit("scalar", "return SCALE * x", "# a comment\n    return SCALE * x")
    assert counts(toy.run()) == WARM
    toy.edit("scalar", "SCALE = 2.0", "SCALE = 1.0")
    # scale and the routine change; total, which uses another helper, comes from disk.
    assert counts(toy.run()) == {"values": [TOTAL, TOTAL], "kernels": 1, "fused": 1, "disk_hits": 1}


def test_processes_that_race_on_a_cold_cache_all_succeed(toy: Toy) -> None:
    signal = toy.folder / "go"
    processes = [toy.start(TOY_WAIT=str(signal)) for _ in range(2)]
    signal.write_text("")
    for process in processes:
        assert toy.answer(process)["values"] == [TOTAL, SCALED]
    assert counts(toy.run()) == WARM
    assert not list(toy.cache.rglob("*.tmp"))


def test_a_directory_that_cannot_be_made_only_costs_time(toy: Toy) -> None:
    toy.cache.write_text("a file where the directory should be")
    assert counts(toy.run()) == COLD


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_read_only_directory_is_read(warm: Toy) -> None:
    toy = warm
    for path in (toy.cache, *toy.cache.iterdir()):
        path.chmod(0o500)
    try:
        assert counts(toy.run()) == WARM
    finally:
        for path in (toy.cache, *toy.cache.iterdir()):
            path.chmod(0o700)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_directory_that_others_can_write_is_refused(toy: Toy) -> None:
    toy.cache.mkdir()
    toy.cache.chmod(0o777)
    assert "can be written by other users (mode 0777)" in toy.run()["error"]
    assert list(toy.cache.iterdir()) == []


def test_without_compilation_the_plain_functions_run(toy: Toy) -> None:
    answer = toy.run(NUMBA_DISABLE_JIT="1")
    assert counts(answer) == COLD | {"kernels": 0, "fused": 0}


def test_another_setting_of_numba_does_not_meet_this_ones_code(warm: Toy) -> None:
    assert counts(warm.run(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")) == COLD
    assert counts(warm.run(NUMBA_BOUNDSCHECK="1")) == COLD


# -- kernels that call kernels, by symbols ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache that a process leaves whose kernels call one another."""
    toy = Toy(tmp_path_factory.mktemp("chained"))
    cold = {"values": [33.0, 63.0], "kernels": 3, "fused": 1, "disk_hits": 0}
    assert toy.answer(toy.start(main="chain_main.py")) == cold
    return toy.cache


@pytest.fixture
def chain(toy: Toy, chained: Path) -> Toy:
    """The same library with a copy of that cache."""
    shutil.copytree(chained, toy.cache)
    return toy


def test_callers_and_what_they_call_come_from_disk(chain: Toy) -> None:
    found = chain.answer(chain.start(main="chain_main.py"))
    assert found == {"values": [33.0, 63.0], "kernels": 0, "fused": 0, "disk_hits": 4}


def test_an_edit_rebuilds_all_callers(chain: Toy) -> None:
    chain.edit("chain", "FACTOR = 3.0", "FACTOR = 2.0")
    found = chain.answer(chain.start(main="chain_main.py"))
    assert found == {"values": [22.0, 42.0], "kernels": 3, "fused": 1, "disk_hits": 0}


@pytest.mark.parametrize("missing", [False, True], ids=["damaged", "missing"])
def test_a_called_kernel_whose_file_is_gone_is_rebuilt_alone(chain: Toy, missing: bool) -> None:
    files = list(chain.cache.glob("kernels/toykernels.chain._first-*.code"))
    assert len(files) == 2
    for path in files:
        if missing:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-10])
    found = chain.answer(chain.start(main="chain_main.py"))
    assert found == {"values": [33.0, 63.0], "kernels": 2, "fused": 0, "disk_hits": 2}
    found = chain.answer(chain.start(main="chain_main.py"))
    assert found == {"values": [33.0, 63.0], "kernels": 0, "fused": 0, "disk_hits": 4}


def test_a_caller_of_what_is_not_found_is_rebuilt(toy: Toy) -> None:
    """A kernel is looked for in its function's module; one that is elsewhere costs a compilation, and nothing worse."""
    narrow = 'first_float32 = kernel("float64(float32[::1])")(_first)\n'
    toy.edit("chain", narrow, "")
    toy.edit("chain", "first(values) + first_float32(singles)", "first(values)")
    (toy.package / "elsewhere.py").write_text(
        "from arcgrad.runtime.jit.declare import kernel\n"
        "from toykernels.chain import _first, first\n"
        f"{narrow}"
        '@kernel("float64(float64[::1], float32[::1])")\n'
        "def both(values, singles):\n"
        "    return first(values) + first_float32(singles)\n"
    )
    toy.edit("../chain_main", "toykernels.chain", "toykernels.elsewhere")
    assert toy.answer(toy.start(main="chain_main.py"))["kernels"] == 3
    found = toy.answer(toy.start(main="chain_main.py"))
    assert found["values"] == [33.0, 63.0]
    assert found["kernels"] + found["disk_hits"] >= 3
