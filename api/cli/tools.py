"""The commands about the package itself: ``repl``, ``serve``, ``cache``."""

from __future__ import annotations

import argparse

__all__ = ["cache", "repl", "serve"]


def repl(_: argparse.Namespace) -> int:
    """``arcgrad repl``."""
    from arcgrad.repl import run_repl

    run_repl()
    return 0


def serve(arguments: argparse.Namespace) -> int:
    """``arcgrad serve``."""
    from arcgrad.playground import serve as run

    return run(arguments.port, open_browser=not arguments.no_browser, link=arguments.link or "")


def cache(arguments: argparse.Namespace) -> int:
    """``arcgrad cache``."""
    from arcgrad.runtime.jit.cache import cache

    if arguments.action == "clear":
        cache.clear()
    info = cache.info()
    if arguments.json:
        from arcgrad.cli.given import print_json

        print_json({"dir": str(info.dir), "files": info.files, "bytes": info.bytes})
    else:
        print(f"{info.files} files, {info.bytes / 1e6:.1f} MB in {info.dir}")
    return 0
