"""What the process beside compiles: it loads each kernel or routine that it is told of, which leaves the code on disk.

Started by `arcgrad.runtime.jit.background.process`, which says what is sent. It ends with its parent, or when it has
had nothing to do for a while.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
import time
from typing import Any

__all__ = ["serve"]

# Seconds without work after which the process ends, and after which it looks whether its parent is still there.
_IDLE = 30.0
_LOOK = 1.0


def serve(parent: int) -> None:
    """Take requests from stdin and answer on stdout, a line of JSON each, until stdin ends."""
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever is printed meanwhile is not an answer
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    gc.set_threshold(100_000, 50, 50)  # compiling makes millions of objects, few of them in rings

    def answer(**fields: Any) -> None:
        try:
            os.write(answers, json.dumps(fields).encode() + b"\n")
        except OSError:
            os._exit(0)

    from arcgrad.runtime.jit.background.waiting import progress

    progress.show = lambda name: answer(compiling=name)  # type: ignore[method-assign]
    has_lazy = False
    while True:
        try:
            request = requests.get(block=not has_lazy, timeout=_IDLE)
        except queue.Empty:
            if not has_lazy:
                os._exit(0)
            has_lazy = _load_one_lazily()
            continue
        answer(number=request["number"])
        error = None
        try:
            os.environ["ARCGRAD_CACHE_DIR"] = request["directory"]
            _compile(*request["unit"])
            has_lazy = has_lazy or request["unit"][0] == "routine"
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"
        answer(number=request["number"], error=error)


def _compile(kind: str, *what: str) -> None:
    if kind == "routine":
        from arcgrad.runtime.jit.routine import load_routine

        source, signature = what
        load_routine(source, signature=signature, tier="fused")
    else:
        from arcgrad.runtime.jit.declare import find_kernel

        find_kernel(*what).load()


def _load_one_lazily() -> bool:
    """Compile one kernel that some call of a routine may ask for; False: there is none left."""
    from arcgrad.runtime.jit import link

    try:
        for kernel in link.not_loaded():
            kernel.load()
            return True
    except Exception:  # whoever asks for it is told
        pass
    return False


def _listen(requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin.buffer:
        requests.put(json.loads(line))
    os._exit(0)


def _watch(parent: int) -> None:
    """End when the parent is gone, even where some other child of it holds the pipe open."""
    while os.name != "posix" or os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(0)
