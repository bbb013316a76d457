"""``python -m benchmarks.compare COMMIT``: this tree beside another commit of the project, case by case, in turn.

Each side runs in a process of its own, over its own package and its own cache of compiled code, with the cases of this
tree. The two take turns, repetition by repetition, so that whatever else the machine does meets both alike. Memory
falls to a process well or badly for as long as it lives, so there are several pairs of processes; the ratio is that of
the fastest tenths of each side's best process, which neighbours and luck disturb least.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
_FOLDERS = ("grammar", "compiler", "runtime")
_SHORTEST = 5e-3
_ROUNDS = 15  # a case with fewer repetitions has no more inputs; given again, they would time what was remembered


def lay_out(tree: Path, to: Path) -> None:
    """Lay a checkout's folders out as the package that they make up."""
    shutil.copytree(tree / "api", to / "arcgrad", ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FOLDERS:
        shutil.copytree(tree / name, to / "arcgrad" / name, ignore=shutil.ignore_patterns("__pycache__"))


def serve() -> None:
    """Answer requests on standard input: a case's name makes it; an empty line times it once."""
    import itertools
    import time

    from benchmarks.case import Setting
    from benchmarks.cases import CASES

    data = Path(os.environ["ARCGRAD_DATA"]) if os.environ.get("ARCGRAD_DATA") else None
    case: Any = None
    steps: Iterator[int] = itertools.count()
    loops = 1
    for request in map(str.strip, sys.stdin):
        answer: dict[str, Any] = {}
        try:
            if request:
                case, loops, steps = CASES[request][1](Setting(False, 1, data, {})), 1, itertools.count()
                for _ in range(4 if case.repetitions >= _ROUNDS else 1):
                    case.arcgrad.call(next(steps))
                begin = time.perf_counter()
                case.arcgrad.call(next(steps))
                if case.repetitions >= _ROUNDS:
                    loops = max(1, round(_SHORTEST / (time.perf_counter() - begin)))
                answer["repetitions"] = case.repetitions
            else:
                begin = time.process_time()
                for _ in range(loops):
                    case.arcgrad.call(next(steps))
                answer["seconds"] = (time.process_time() - begin) / loops
        except Exception as error:  # the other cases still run
            answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), flush=True)


class Side:
    """A process that runs cases over the package in a folder."""

    def __init__(self, folder: Path) -> None:
        cache = folder / "cache"
        cache.mkdir(mode=0o700, exist_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
            "ARCGRAD_CACHE_DIR": str(cache),
            "ARCGRAD_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.compare", "--serve"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder,
        )  # fmt: skip

    def ask(self, request: str) -> dict[str, Any]:
        """The answer to one request; see `serve`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(request, file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()


def measure(sides: Sequence[Side], name: str, rounds: int) -> tuple[list[list[float]], str]:
    """Seconds of both sides, repetition by repetition in turn; and what went wrong, if anything did."""
    made = [side.ask(name) for side in sides]
    times: list[list[float]] = [[], []]
    for k in range(min(rounds, *(answer.get("repetitions", rounds) for answer in made))):
        order = (0, 1) if k % 2 == 0 else (1, 0)  # neither is always the first
        for which in order:
            answer = made[which] if "error" in made[which] else sides[which].ask("")
            if "error" in answer:
                return times, str(answer["error"])
            times[which].append(answer["seconds"])
    return times, ""


def line(name: str, runs: Sequence[list[list[float]]]) -> str:
    """A case's line of the table, from runs in several pairs of processes."""
    medians = [1e3 * float(np.median(np.concatenate([run[side] for run in runs]))) for side in (0, 1)]
    new, old = (min(float(np.quantile(run[side], 0.1)) for run in runs) for side in (0, 1))
    pairs = [float(np.quantile(run[1], 0.1) / np.quantile(run[0], 0.1)) for run in runs]
    return (
        f"{name:<18} {medians[0]:10.4f} ms {medians[1]:10.4f} ms {old / new:8.3f}×"
        f"   pairs of processes {', '.join(f'{pair:.3f}' for pair in sorted(pairs))}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Compare this tree with a commit, or with a folder that holds another tree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description="This tree beside a commit.")
    parser.add_argument("commit", nargs="?", default="HEAD", help="a commit, or a folder (HEAD)")
    parser.add_argument("--only", nargs="+", metavar="CASE", default=["*"], help="names of cases, or patterns: ctc-*")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="repetitions of each side in each process (15)")
    parser.add_argument("--processes", type=int, default=4, help="pairs of processes (4)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.serve:
        serve()
        return 0
    from benchmarks.cases import CASES

    with tempfile.TemporaryDirectory() as folder:
        other = Path(options.commit)
        if not (other / "runtime").is_dir():
            other = Path(folder) / "checkout"
            other.mkdir()
            archive = subprocess.run(["git", "archive", options.commit], cwd=ROOT, check=True, capture_output=True)
            subprocess.run(["tar", "-x"], cwd=other, input=archive.stdout, check=True)
        chosen = [name for name in CASES if any(fnmatchcase(name, pattern) for pattern in options.only)]
        runs: dict[str, list[list[list[float]]]] = {name: [] for name in chosen}
        failed: dict[str, str] = {}
        for tree, name in ((ROOT, "new"), (other, "old")):
            lay_out(tree, Path(folder) / name)
        for _ in range(options.processes):
            sides = [Side(Path(folder) / name) for name in ("new", "old")]
            try:
                for name in chosen:
                    if name not in failed:
                        times, problem = measure(sides, name, options.rounds)
                        runs[name].append(times)
                        if problem:
                            failed[name] = problem
            finally:
                for side in sides:
                    side.close()
    print(f"{'case':<18} {'this tree':>13} {options.commit[:13]:>13} {'faster by':>9}   (processor time, medians)")
    for name in chosen:
        print(f"{name:<18} {failed[name]}" if name in failed else line(name, runs[name]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
