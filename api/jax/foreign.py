"""Calls from XLA's threads into compiled code, without the interpreter, where this version of XLA lets them.

A handler is registered as a target of XLA's foreign function interface. Items that it knows are evaluated by compiled
code alone; all else it hands on to `_run_frame`, which takes the interpreter's lock and remembers what comes again.
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import os
import random
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import NDArray

from arcgrad.grammar.errors import ArcgradError, InputError
from arcgrad.jax.evaluation import Task, inputs_of, run
from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.jit.background.waiting import NotCompiled
from arcgrad.runtime.jit.foreign import layout as L

if TYPE_CHECKING:
    from arcgrad.runtime.jit.foreign.target import Target

__all__ = ["call", "is_registered", "target"]

_NAME = "arcgrad"
# Versions of XLA's structs (xla/ffi/api/c_api.h) that are laid out as the handler reads them: JAX 0.8, 0.9 and 0.10.
_VERSIONS = ((0, 1), (0, 2), (0, 3))
# Items that came once are evaluated by Python, and so are these again, if that many others came between.
_SEEN = 1 << 14
_LONG = ctypes.c_int64
_DTYPES = {L.FLOAT: np.float32, L.DOUBLE: np.float64, 4: np.int32}
_INVALID, _UNKNOWN = 3, 2


class _Foreign:
    """The target, made at the first call, and the tasks that layouts name."""

    def __init__(self) -> None:
        self.target: Target | None = None
        self._is_tried = False
        self._tokens: dict[Task, int] = {}
        self.tasks: dict[int, Task] = {}
        self._seen: OrderedDict[tuple[int, ...], None] = OrderedDict()
        self._renew_lock()
        when_forked(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()

    def find(self) -> Target | None:
        """The target, registered; None where there can be none."""
        with self._lock:
            if not self._is_tried:
                self._is_tried = True
                self.target = _register()
            return self.target

    def token(self, task: Task) -> int:
        """A number that names a task in this process, and most likely none in another one."""
        with self._lock:
            found = self._tokens.get(task)
            if found is None:
                found = self._tokens[task] = random.SystemRandom().getrandbits(62)
                self.tasks[found] = task
            return found

    def came_before(self, key: tuple[int, ...]) -> bool:
        """Whether an item of that key was evaluated before."""
        with self._lock:
            if key in self._seen:
                del self._seen[key]
                return True
            self._seen[key] = None
            if len(self._seen) > _SEEN:
                self._seen.popitem(last=False)
            return False


_foreign = _Foreign()


def target() -> Target | None:
    """What the handler knows, once it is registered."""
    return _foreign.target


def is_registered() -> bool:
    """Whether programs may call the handler; it is registered where that can be."""
    return _foreign.find() is not None


def _register() -> Target | None:
    if os.environ.get("ARCGRAD_JAX", "foreign") == "callback" or jax.default_backend() != "cpu":
        return None
    version = _version()
    if version not in _VERSIONS or os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return None
    from arcgrad.runtime.jit.declare import keeps_on_disk

    if not keeps_on_disk():
        return None
    from arcgrad.runtime.jit.foreign.target import Target, is_possible
    from arcgrad.runtime.threads import PARALLEL_THRESHOLD, n_threads

    if not is_possible():
        return None
    most = int(PARALLEL_THRESHOLD) if n_threads() > 1 else 1 << 62
    found = Target(_run_frame, version[1], most)
    function = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(found.address)
    jax.ffi.register_ffi_target(_NAME, jax.ffi.pycapsule(function), platform="cpu")
    return found


def _version() -> tuple[int, int] | None:
    """The version of XLA's structs, by its header, which comes with jaxlib."""
    try:
        text = (Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h").read_text(encoding="utf-8")
    except (AttributeError, OSError):
        return None
    found = [re.search(rf"#define XLA_FFI_API_{part} (\d+)", text) for part in ("MAJOR", "MINOR")]
    return (int(found[0][1]), int(found[1][1])) if found[0] and found[1] else None


_KINDS = {"dense": L.DENSE, "score": L.SCORE, "graph": L.GRAPH}


def call(task: Task, shapes: Sequence[Any], operands: Sequence[Any]) -> list[jax.Array]:
    """The results of a task, by the handler."""
    layout = [_foreign.token(task), -1]
    if task.kind != "product":
        layout[1] = len(task.call.slots)
        for slot in task.call.slots:
            layout += _KINDS[slot.kind], len(slot.ranks)
    run_it = jax.ffi.ffi_call(_NAME, list(shapes), vmap_method="broadcast_all")
    return list(run_it(*operands, layout=np.array(layout, dtype=np.int64)))


# -- what the handler hands on -----------------------------------------------------------------------------------------


def _run_frame(frame: int) -> int:
    """An XLA_FFI_CallFrame → the address of an error, or 0. Exceptions must not go on from here."""
    try:
        layout = _long(_long(_long(frame + 160)) + 16)
        task = _foreign.tasks.get(_long(layout))
        if task is None:
            raise InputError(
                "this program was compiled by another process",
                hint="programs that hold equations cannot be kept on disk: trace the function again",
            )
        operands = [_array(_long(_long(frame + 72) + 8 * k)) for k in range(_long(frame + 56))]
        results = [_array(_long(_long(frame + 112) + 8 * k)) for k in range(_long(frame + 96))]
        for result, found in zip(results, run(task, operands, results[0].dtype), strict=True):
            result[...] = found
        if task.kind != "product":
            _learn(task, operands)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            _thread.interrupt_main()
        return _error(frame, error)
    return 0


def _long(address: int) -> int:
    return _LONG.from_address(address).value


def _array(buffer: int) -> NDArray[Any]:
    """An XLA_FFI_Buffer's numbers, in place."""
    rank, dims = _long(buffer + 32), _long(buffer + 40)
    shape = tuple(_long(dims + 8 * k) for k in range(rank))
    dtype = np.dtype(_DTYPES[ctypes.c_int32.from_address(buffer + 16).value])
    size = int(np.prod(shape)) * dtype.itemsize
    if size == 0:
        return np.zeros(shape, dtype)
    memory: Any = (ctypes.c_char * size).from_address(_long(buffer + 24))
    return np.ndarray(shape, dtype, memory)


def _error(frame: int, error: BaseException) -> int:
    """An XLA_FFI_Error that says what was raised."""
    text = f"{type(error).__name__}: {error}" if isinstance(error, ArcgradError) else repr(error)
    message = ctypes.create_string_buffer(text.encode())
    code = _INVALID if isinstance(error, InputError) else _UNKNOWN
    arguments = np.array([28, 0, ctypes.addressof(message), code], dtype=np.int64)
    create = ctypes.CFUNCTYPE(_LONG, _LONG)(_long(_long(frame + 16) + 48))
    return int(create(int(arguments.ctypes.data)))


# -- what comes again --------------------------------------------------------------------------------------------------


def _learn(task: Task, operands: Sequence[NDArray[Any]]) -> None:
    """Have the handler know the items that come again."""
    known = _foreign.target
    if known is None:
        return
    items = operands[0].shape[: operands[0].ndim - task.call.ranks[0]] if operands else ()
    flat = [operand.reshape(-1, *operand.shape[len(items) :]) for operand in operands]
    for item in range(int(np.prod(items))):
        key = _key(task, flat, item)
        if key not in known and _foreign.came_before(key):
            with contextlib.suppress(ArcgradError, NotCompiled):
                _add(known, task, key, [operand[item] for operand in flat])


def _key(task: Task, flat: Sequence[NDArray[Any]], item: int) -> tuple[int, ...]:
    """As the handler writes it."""
    key = [_foreign.token(task)]
    at = 0
    for slot in task.call.slots:
        first = flat[at]
        more = flat[at + 1] if slot.has_more else None
        if slot.kind == "dense":
            steps, columns = first.shape[1:]
            length = steps if more is None else int(more[item])
            key += steps, columns, length, L.FLOAT if first.dtype == np.float32 else L.DOUBLE
        elif slot.kind == "graph":
            key += int(first[item]), 0 if more is None else more.shape[-1]
        at += len(slot.ranks)
    return tuple(key)


def _add(known: Target, task: Task, key: tuple[int, ...], operands: Sequence[NDArray[Any]]) -> None:
    from arcgrad.runtime.call.foreign.freeze import freeze
    from arcgrad.runtime.jit.foreign.target import Record

    slots = [slot.name for slot in task.call.slots]
    results = {name: 1 + k for k, name in enumerate(task.wrt)}
    found = freeze(task.call.equation._evaluator, inputs_of(task.call, operands, ()), slots, results)
    if found is not None:
        known.add(Record(found[0], key, found[1]))
