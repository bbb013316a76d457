"""``python -m benchmarks.compare COMMIT``: this tree beside another commit of the project, case by case, in turn.

Each side runs in a process of its own, over its own package and its own cache of compiled code, with the cases of this
tree. The two take turns, repetition by repetition, so that whatever else the machine does meets both alike; the figure
is the median of the ratios of neighbouring repetitions.
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
                for _ in range(4):
                    case.arcgrad.call(next(steps))
                begin = time.perf_counter()
                case.arcgrad.call(next(steps))
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
    """A process that runs cases over one tree."""

    def __init__(self, tree: Path, folder: Path) -> None:
        lay_out(tree, folder)
        cache = folder / "cache"
        cache.mkdir(mode=0o700)
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


def compare(sides: Sequence[Side], name: str, rounds: int) -> str:
    """Time one case on both sides in turn: a line of the table."""
    made = [side.ask(name) for side in sides]
    times: list[list[float]] = [[], []]
    for k in range(rounds):
        order = (0, 1) if k % 2 == 0 else (1, 0)  # neither is always the first
        for which in order:
            answer = made[which] if "error" in made[which] else sides[which].ask("")
            if "error" in answer:
                return f"{name:<18} {answer['error']}"
            times[which].append(answer["seconds"])
    new, old = np.array(times)
    return (
        f"{name:<18} {1e3 * np.median(new):10.4f} ms {1e3 * np.median(old):10.4f} ms {np.median(old / new):8.3f}×"
        f"   quartiles {np.quantile(old / new, 0.25):.3f} to {np.quantile(old / new, 0.75):.3f}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Compare this tree with a commit, or with a folder that holds another tree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description="This tree beside a commit.")
    parser.add_argument("commit", nargs="?", default="HEAD", help="a commit, or a folder (HEAD)")
    parser.add_argument("--only", nargs="+", metavar="CASE", default=["*"], help="names of cases, or patterns: ctc-*")
    parser.add_argument("--rounds", type=int, default=31, help="repetitions of each side (31)")
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
        sides = [Side(ROOT, Path(folder) / "new"), Side(other, Path(folder) / "old")]
        print(f"{'case':<18} {'this tree':>13} {options.commit[:13]:>13} {'faster by':>9}   (processor time, medians)")
        try:
            for name in CASES:
                if any(fnmatchcase(name, pattern) for pattern in options.only):
                    print(compare(sides, name, options.rounds), flush=True)
        finally:
            for side in sides:
                side.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
