"""Another process compiles: calls in mode "auto" go on meanwhile, and whatever becomes of it breaks none of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime.call.execute import Execution
from arcgrad.runtime.jit.background import process
from arcgrad.runtime.jit.background.process import Background, background
from arcgrad.runtime.jit.background.waiting import NotCompiled, Progress, compiling, may_compile
from arcgrad.runtime.jit.cache import cache
from arcgrad.runtime.jit.declare import Code
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.graphs.order import trim_ints

pytestmark = pytest.mark.skipif(os.name != "posix", reason="looks at processes as POSIX has them")
LOOP = ag.Graph([0, 1, 1], [1, 1, 2], [1, 0, 2], weight=[-1.0, -0.5, -0.25], start=[0], accept=[2])


class Fake(Code):
    """Code that is never there, and notes whether it was to be compiled here."""

    unit, pattern = ("kernel", "a module", "a name", "void()"), "kernels/none-*.code"
    is_loaded = False  # type: ignore[assignment]

    def load(self) -> None:
        raise NotCompiled


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Background]:
    """A process that is on, an empty cache."""
    monkeypatch.setenv("ARCGRAD_COMPILE", "background")
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(tmp_path / "cache"))
    found = Background()
    yield found
    found.stop()


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return status != "Z"


def gone(pid: int, seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


@pytest.mark.parametrize(
    ("boot", "why"),
    [
        ("import os; os.kill(os.getpid(), 9)", "ended with status -9"),
        ("import sys; sys.exit(3)", "ended with status 3"),
        ("import sys; sys.exit(0)", "ended with status 0"),
        ("import time; time.sleep(60)", "has said nothing for 0 s"),
        ('print(\'{"number": 0, "error": "Odd: x"}\', flush=True); input()', "could not compile a module a name: Odd"),
        ('print(\'What?\\n[]\\n{"number": 7}\\n{"number": 0, "error": null}\', flush=True); input()', "left no code"),
    ],
)
def test_what_becomes_of_it_is_told_once_and_then_this_process_compiles(
    boot: str, why: str, other: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_BOOT", boot)
    monkeypatch.setattr(process, "_HANGS", 0.3 if "sleep" in boot else 60.0)
    code = Fake()
    assert other.takes(code)

    def ask_again() -> None:
        other.wait(code)
        assert not other.takes(code)
        assert not other.takes(code)

    with pytest.warns(UserWarning, match=why) as warned:
        ask_again()
    assert len(warned) == 1


def test_pipes_that_somebody_closed_break_no_call(other: Background) -> None:
    assert other.takes(trim_ints) or trim_ints.is_loaded
    if other._process is not None and other._process.stdout is not None:
        other._process.stdout.close()
        other._process.stdout = open(os.devnull, "wb")  # noqa: SIM115 - which cannot be read
        with pytest.warns(UserWarning, match="cannot be heard"):
            assert not other.takes(trim_ints)


def test_it_is_off_where_it_cannot_be_started(other: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("executable", "/usr/bin/uwsgi"), ("executable", None), ("executable", "/no/such/python")):
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(sys, name, value)
            assert not Background().takes(Fake())
    for name, value in (("ARCGRAD_COMPILE", "inline"), ("NUMBA_DISABLE_JIT", "1")):
        with monkeypatch.context() as said:
            said.setenv(name, value)
            assert not other.takes(Fake()) or (
                name == "ARCGRAD_PLAIN_JIT" and "arcgrad.runtime.jit.compat" in sys.modules
            )
    monkeypatch.setenv("ARCGRAD_COMPILE", "elsewhere")
    with pytest.raises(ag.InputError, match="must be background or inline"):
        other.takes(Fake())


def test_patience_does_without_code_until_another_process_has_compiled_it(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(process.Background, "takes", lambda _, *code, also: taken.append(code) or True)
    patience, code = Patience(1.0), Fake()
    assert not patience.ends_for(code)
    assert not taken
    assert not patience.ends_for(code, expected=1.5)
    assert taken == [(code,)]
    monkeypatch.setattr(process.Background, "takes", lambda *_, also: False)
    assert patience.ends_for(code, expected=1.5)


def test_a_thread_that_may_not_wait_loads_nothing_that_is_not_there(other: Background) -> None:
    trim_ints.forget()
    with compiling(False), pytest.raises(NotCompiled) as signal:
        trim_ints.load()
    assert signal.value.code is trim_ints
    assert may_compile()
    assert not trim_ints.is_ready


@pytest.mark.parametrize("taken", [True, False])
def test_a_call_that_needs_what_is_not_there_is_interpreted_or_compiles(taken: bool, monkeypatch: Any) -> None:
    equation = ag.compile("LSE[A] + 3.125")
    ag.warmup(equation, A=LOOP)
    expected = equation(A=LOOP)
    allowed: list[bool] = []
    run = Execution.run

    def needs(self: Execution, *call: Any) -> Any:
        allowed.append(may_compile())
        if not may_compile():
            missing = NotCompiled()
            missing.code = Fake()
            raise missing
        return run(self, *call)

    monkeypatch.setattr(Execution, "run", needs)
    monkeypatch.setattr(process.Background, "takes", lambda *_: taken)
    assert equation(A=LOOP) == pytest.approx(expected, rel=1e-13)
    assert allowed == [False] + [True] * (not taken)


@pytest.mark.parametrize(("expected", "waits"), [(5.0, False), (60.0, True)])
def test_only_what_takes_longer_than_the_compiler_waits_for_it(expected: float, waits: bool, monkeypatch: Any) -> None:
    waited: list[Any] = []
    monkeypatch.setattr(process.Background, "takes", lambda *_, also: True)
    monkeypatch.setattr(process.Background, "wait", lambda _, *code: waited.extend(code))
    code = Fake()
    assert Patience(1.0).ends_for(code, expected=expected) is waits
    assert waited == [code] * waits


PARENT = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it
from arcgrad.runtime.jit.background.process import background
from arcgrad.runtime.kernels.graphs.order import trim_ints
assert background.takes(trim_ints)
pid = background._process.pid
assert os.getsid(pid) != os.getsid(0)  # Ctrl-C on the terminal does not reach it
if sys.argv[1] == "fork" and os.fork() == 0:
    time.sleep(60)
print(pid, flush=True)
if sys.argv[1] != "exit":
    time.sleep(60)
"""


@pytest.mark.parametrize("way", ["exit", "kill", "interrupt", "fork"])
def test_it_ends_with_its_parent(way: str, other: Background) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, way], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert parent.stdout is not None
    with parent, parent.stdout:
        pid = int(parent.stdout.readline())
        try:
            if way != "exit":
                assert is_alive(pid)
                os.kill(parent.pid, signal.SIGINT if way == "interrupt" else signal.SIGKILL)
            parent.wait(timeout=60)
            assert gone(pid)
        finally:
            os.killpg(parent.pid, signal.SIGKILL) if way == "fork" else None


def test_a_forked_child_has_one_of_its_own(other: Background) -> None:
    assert other.takes(trim_ints) or trim_ints.is_loaded
    child = os.fork()
    if child == 0:
        os._exit(0 if other._process is None and not other._states else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert other._process is None or is_alive(other._process.pid)


def test_progress_is_one_line_on_a_terminal_and_goes(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    line = Progress()
    with line:
        line.show("nowhere")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with line, line:
        for name in ("first", "trellis_log_forward", "trellis_log_forward"):
            line.show(name)
    said = capsys.readouterr().err
    assert "compiling trellis_log_forward (2 so far, 0 s)" in said
    assert said.endswith("\r")
    assert "\n" not in said
    monkeypatch.setenv("ARCGRAD_QUIET", "1")
    with line:
        line.show("quiet")
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_calls_go_on_until_another_process_has_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Background
) -> None:
    ag.cache.clear(disk=False)
    equation = ag.compile("LSE[A] - 0.0625 MAX[A]")
    expected = ag.compile(equation.text, mode="interpret").value_and_grad(A=LOOP)
    monkeypatch.setattr(equation._evaluator.engine.patience, "seconds", -1.0)
    before = cache.info()

    def check() -> None:
        value, gradient = equation.value_and_grad(A=LOOP)
        assert value == pytest.approx(expected[0], rel=1e-13)
        np.testing.assert_allclose(gradient["A"], expected[1]["A"], rtol=1e-12)

    try:
        deadline = time.monotonic() + 400
        check()
        assert equation.explain(A=LOOP).tier == "interpret"
        while equation.explain(A=LOOP).tier != "fused" and time.monotonic() < deadline:
            check()
            time.sleep(0.1)
        check()
        after = cache.info()
        assert equation.explain(A=LOOP).tier == "fused"
        assert (after.compilations, after.disk_hits > before.disk_hits) == (before.compilations, True)
    finally:
        background.stop()
