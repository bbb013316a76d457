"""How long one waits for CTC: a warm-up, a second process, and the first calls with nothing compiled.

``python -m benchmarks.startup`` measures all, each in a process of its own: seconds by the clock and of processor time
(of the process itself). Load on other cores shows in the former.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

__all__ = ["MEASURES", "main", "measure"]

EQUATION = "LSE[X] - LSE[X ∘ Y]"


def _batch(items: int, frames: int, columns: int, labels: int, seed: int = 0) -> dict[str, Any]:
    import numpy as np

    from benchmarks.graphs import ctc_target

    random = np.random.default_rng(seed)
    targets = [ctc_target(random.integers(1, columns, labels)) for _ in range(items)]
    return {"X": random.normal(size=(items, frames, columns)).astype(np.float32), "Y": targets}


def _warm_up() -> dict[str, float]:
    import arcgrad as ag

    ag.warmup(EQUATION, _batch(2, 50, 20, 5))
    return {"compiled here": ag.cache.info().compilations, "from disk": ag.cache.info().disk_hits}


def _answer() -> dict[str, float]:
    import arcgrad as ag

    ag.compile(EQUATION).value_and_grad(_batch(2, 50, 20, 5), wrt="X")
    return {"compiled here": ag.cache.info().compilations, "from disk": ag.cache.info().disk_hits}


def _first_calls(*sizes: int, count: int = 60) -> dict[str, float]:
    """New targets at every call, in mode "auto"."""
    import arcgrad as ag

    equation = ag.compile(EQUATION)
    seconds = []
    for step in range(count):
        given = _batch(*sizes, seed=step)
        began = time.perf_counter()
        equation.value_and_grad(given, wrt="X")
        seconds.append(time.perf_counter() - began)
    return {"longest call": max(seconds), "mean": sum(seconds) / count, "last": seconds[-1]}


def _repl(pause: float) -> dict[str, float]:
    """The REPL on a pseudo-terminal: until its prompt, and from the first entry, after a pause, to its answer."""
    import pty

    own, other = pty.openpty()
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "arcgrad"], stdin=other, stdout=other, stderr=other)
    os.close(other)
    shown = ""

    def wait_for(text: str) -> float:
        nonlocal shown
        while text not in shown:
            read = os.read(own, 65536).decode()
            if "\x1b[6n" in read:  # the editor asks where the cursor is
                os.write(own, b"\x1b[1;1R")
            shown += read
        shown = ""
        return time.perf_counter()

    prompt = wait_for("arcgrad>")
    time.sleep(pause)
    typed = time.perf_counter()
    os.write(own, b'LSE["ab" + "cd"]\r')
    answer = wait_for("0.6931")
    process.kill()
    process.wait()
    os.close(own)
    return {"prompt": prompt - began, "first answer": answer - typed}


# Name → what runs in a process of its own, and whether it finds code on disk.
MEASURES: dict[str, tuple[Callable[[], dict[str, float]], bool]] = {
    "warm-up": (_warm_up, False),
    "a second process": (_answer, True),
    "first calls, B=2 T=50 C=20": (lambda: _first_calls(2, 50, 20, 5), False),
    "first calls, B=8 T=200 C=40": (lambda: _first_calls(8, 200, 40, 20), False),
    "the REPL, typing at once": (lambda: _repl(0.0), True),
    "the REPL, typing after 2 s": (lambda: _repl(2.0), True),
}


def measure(name: str, directory: str, environment: dict[str, str] | None = None) -> dict[str, float]:
    """Run one of `MEASURES` with code kept in a directory: its figures, after ``import numba``."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.startup", name],
        env=os.environ | {"ARCGRAD_CACHE_DIR": directory} | (environment or {}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main(arguments: list[str]) -> None:
    """Print the figures of all, or, in the process of one, its own."""
    if arguments:
        import numba  # noqa: F401 - its import is not ours to shorten

        began, cpu = time.perf_counter(), time.process_time()
        found = MEASURES[arguments[0]][0]()
        print(json.dumps({"clock": time.perf_counter() - began, "cpu": time.process_time() - cpu, **found}))
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as filled:
        for name, (_, finds_code) in MEASURES.items():
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as empty:
                kept = filled if finds_code or name == "warm-up" else empty
                runs = [measure(name, kept) for _ in range(3 if finds_code else 1)]
            best = min(runs, key=lambda run: run["cpu"])
            print(f"{name:<30}" + "".join(f"{key}: {value:.3g}  " for key, value in best.items()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
