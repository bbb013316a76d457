"""Threads that evaluate, interrupts and forks, all at once, for a while: no hang, no foreign error, no wrong value.

``make soak`` takes ten minutes of it.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SOAK = """
import faulthandler, os, random, signal, sys, threading, time, warnings
import numpy as np
import arcgrad as ag

seconds = float(sys.argv[1])
faulthandler.dump_traceback_later(seconds + 200, exit=True)  # a hang shows where
faulthandler.register(signal.SIGALRM, chain=True)  # of a child, too
signal.signal(signal.SIGINT, signal.default_int_handler)
warnings.simplefilter("ignore")  # of Python 3.12 on, about forking beside threads
TEXTS = "LSE[A ∘ B]", "MAX[X ∘ A] - LSE[X]", "LSE[X ∘ A] + COUNT[B]", "LSE[PATH[A] ∘ B]", "MIN[A B] / 2"
MODES = "kernels", "fused", "interpret", "auto"


def graph(rng):
    n_states, n_arcs = int(rng.integers(2, 9)), int(rng.integers(4, 30))
    ends = np.sort(rng.integers(0, n_states, (2, n_arcs)), axis=0)
    src, dst = ends[:, ends[0] < ends[1]]
    weight = rng.normal(size=len(src))
    return ag.Graph(src, dst, rng.integers(0, 3, len(src)), weight=weight, accept=[n_states - 1], n_states=n_states)


def draw(seed):
    rng = np.random.default_rng(seed)
    text = TEXTS[seed % len(TEXTS)]
    equation = ag.compile(text, mode=MODES[seed // 7 % len(MODES)])
    batch = int(rng.integers(1, 5))
    given = {name: [graph(rng) for _ in range(batch)] for name in equation.inputs}
    if "X" in given:
        given["X"] = rng.normal(size=(batch, int(rng.integers(1, 12)), 3))
    return text, equation, given


def values_of(equation, given):
    try:
        values, gradients = equation.value_and_grad(given, wrt="A")
    except ag.UndefinedError:
        return None  # −inf − −inf
    return np.concatenate([np.ravel(values), *(np.ravel(g) for g in gradients["A"])])


def same(found, expected):
    if found is None or expected is None:
        return found is expected
    return np.allclose(found, expected, rtol=1e-9, atol=1e-9)


N_CASES = 140
expected = {}
for seed in range(N_CASES):
    text, _, given = draw(seed)
    expected[seed] = values_of(ag.compile(text, mode="interpret"), given)

end = time.monotonic() + seconds
wrong, counts = [], dict.fromkeys(("threads", "main", "interrupts", "forks"), 0)


def check(seed, who):
    _, equation, given = draw(seed)
    if not same(values_of(equation, given), expected[seed]):
        wrong.append((who, seed))
    counts[who] += 1


def work(number):
    rng = random.Random(number)
    while time.monotonic() < end:
        try:
            check(rng.randrange(N_CASES), "threads")
            if rng.random() < 0.002:
                ag.cache.clear(disk=False)
        except BaseException as error:
            wrong.append(repr(error))
            raise


threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
for thread in threads:
    thread.start()
rng = random.Random(99)
ready = threading.Event()


def interrupt():
    while time.monotonic() < end:
        if ready.wait(0.1):
            time.sleep(rng.random() * 0.02)
            if ready.is_set():
                ready.clear()
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.005)


interrupter = threading.Thread(target=interrupt)
interrupter.start()
own = random.Random(7)
while time.monotonic() < end:
    if own.random() < 0.05:
        seed = own.randrange(N_CASES)
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # a child that hangs must not hang the parent
            _, equation, given = draw(seed)
            os._exit(0 if same(values_of(equation, given), expected[seed]) else 3)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != 0:
            wrong.append(("child", seed, status))
        counts["forks"] += 1
        continue
    try:
        ready.set()
        for _ in range(20):
            check(own.randrange(N_CASES), "main")
        ready.clear()
        time.sleep(0.05)  # an interrupt that is under way comes here
    except KeyboardInterrupt:
        counts["interrupts"] += 1
    except BaseException as error:
        wrong.append(repr(error))
        break
    ready.clear()
while any(thread.is_alive() for thread in [*threads, interrupter]):
    try:
        time.sleep(0.1)
    except KeyboardInterrupt:  # the last one
        pass
print(counts, wrong)
sys.exit(bool(wrong) or min(counts.values()) == 0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
@pytest.mark.skipif("ARCGRAD_SOAK_SECONDS" not in os.environ, reason="make soak runs it, for ten minutes")
def test_threads_interrupts_and_forks_do_not_disturb_one_another() -> None:
    seconds = os.environ["ARCGRAD_SOAK_SECONDS"]
    environment = {name: value for name, value in os.environ.items() if name != "ARCGRAD_COMPILE"}
    ran = subprocess.run([sys.executable, "-c", SOAK, seconds], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, (ran.stdout[-2000:], ran.stderr[-40000:])
    print(ran.stdout)
