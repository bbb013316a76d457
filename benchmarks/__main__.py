"""``python -m benchmarks``: everything side by side in one process. docs/benchmarks.md says how it is measured."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="arcgrad beside its peers.")
    parser.add_argument("--quick", action="store_true", help="small sizes: do they run and agree? times mean nothing")
    parser.add_argument("--only", nargs="+", metavar="CASE", default=["*"], help="names of cases, or patterns: ctc-*")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of arcgrad and of torch (1)")
    parser.add_argument(
        "--clock",
        choices=("auto", "wall", "cpu"),
        default="auto",
        help="auto: on one thread, cpu if other processes are busy",
    )
    parser.add_argument("--seconds", type=float, default=None, help="for the repetitions of a case (4; quick: 0.1)")
    parser.add_argument("--data", type=Path, default=None, help="folder with cmudict/ (or ARCGRAD_DATA)")
    parser.add_argument(
        "--scaling", action="store_true", help="also time and memory against frames, states, batch, threads"
    )
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write all figures")
    parser.add_argument(
        "--plot", type=Path, default=None, metavar="FILE", help="draw ratios and curves, with matplotlib"
    )
    parser.add_argument(
        "--markdown", type=Path, default=None, metavar="FILE", help="write the table as in docs/benchmarks.md"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks; 1 where a case failed or computed something else, 2 where none has that name."""
    options = _arguments(argv)
    if options.threads < 1:
        print("--threads must be 1 or more", file=sys.stderr)
        return 2
    # Before numpy, numba and torch are loaded: their libraries read these once.
    os.environ["ARCGRAD_THREADS"] = str(options.threads)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(options.threads)

    from benchmarks.case import Setting, Skipped
    from benchmarks.cases import CASES
    from benchmarks.machine import load, measure_machine
    from benchmarks.measure import measure
    from benchmarks.peers import find_peers
    from benchmarks.report import HEADER, as_json, line, make_row, markdown, plot
    from benchmarks.scaling import measure_scaling

    chosen = [name for name in CASES if any(fnmatchcase(name, pattern) for pattern in options.only)]
    if not chosen or options.list:
        for name, (title, _) in CASES.items():
            print(f"{name:<18} {title}")
        if not chosen:
            print(f"no case is called {' or '.join(options.only)}", file=sys.stderr)
        return 0 if chosen else 2

    modules, missing = find_peers(options.threads)
    for name, reason in missing.items():
        print(f"without {name} ({reason})")
    busy = load()
    machine = measure_machine(options.quick)
    shared = busy is not None and busy > 0.3
    clock = ("cpu" if shared and options.threads == 1 else "wall") if options.clock == "auto" else options.clock
    print(
        f"{machine.processor}, {machine.cores} cores; {options.threads} thread{'s' * (options.threads > 1)};"
        f" load {'unknown' if busy is None else f'{busy:.1f}'}; {'processor' if clock == 'cpu' else 'wall'} time\n"
        f"{machine.multiply_adds / 1e9:.1f} G multiply-adds/s, {machine.bandwidth / 1e9:.1f} GB/s on one thread\n"
    )
    data = options.data or (Path(os.environ["ARCGRAD_DATA"]) if os.environ.get("ARCGRAD_DATA") else None)
    setting = Setting(options.quick, options.threads, data, modules)
    budget = options.seconds if options.seconds is not None else (0.1 if options.quick else 4.0)
    print(HEADER)
    rows, failed = [], []
    for name in chosen:
        title, make = CASES[name]
        try:
            case = make(setting)
            measured, remarks = measure(case, budget)
        except Skipped as reason:
            print(f"{name:<18} skipped: {reason}")
            continue
        except Exception as error:  # the other cases still run
            failed.append(name)
            print(f"{name:<18} FAILED: {type(error).__name__}: {error}")
            traceback.print_exc(file=sys.stderr)
            continue
        rows.append(make_row(name, title, case, measured, remarks, machine, clock, judge=not options.quick))
        print(line(rows[-1]), flush=True)
        del case
    curves = measure_scaling(options.quick) if options.scaling else []
    for curve in curves:
        points = ", ".join(f"{p['size']}: {1e3 * p['seconds']:.3g} ms" for p in curve["points"])
        exponent = "" if curve["slope"] is None else f"; grows as size^{curve['slope']:.2f}"
        print(f"CTC against {curve['name']:<8} {points}{exponent}")
    if options.json is not None:
        settings = {"quick": options.quick, "threads": options.threads, "seconds": budget, "load_at_start": busy}
        options.json.write_text(as_json(rows, machine, clock, settings, curves), encoding="utf-8")
    if options.markdown is not None:
        options.markdown.write_text(markdown(rows), encoding="utf-8")
    if options.plot is not None:
        try:
            plot(rows, curves, options.plot)
        except ImportError as error:
            print(f"no plot: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
