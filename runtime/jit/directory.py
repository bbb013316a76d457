"""The private directory on disk in which compiled kernels and routines are kept between processes.

Stage: beside run. `arcgrad.runtime.jit.compile` reads and writes compiled code through it,
`arcgrad.runtime.jit.routine` writes the generated sources, and `arcgrad.runtime.jit.cache` reports and clears it.
Compiled code is unpickled on loading, so whoever can write here can run code as the user: a directory that others can
write is refused. All else (a missing, full, read-only or damaged one, a file that is not private, a link, a file that
was renamed) only means that the code is compiled again.
Standard library only.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.forks import forks_held_back

__all__ = ["CacheDirectory", "default_directory"]

# The first bytes of a compiled file; the digest of its name and of the rest follows.
_MAGIC = b"arcgrad code 2\n"
_DIGEST_BYTES = hashlib.sha256().digest_size

_NOT_A_LINK, _AT_ONCE = getattr(os, "O_NOFOLLOW", 0), getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)

# What this package puts into the directory: nothing else is ever deleted.
_FOLDERS = ("kernels", "routines")
_SUFFIXES = (".code", ".py", ".tmp")

# Least recently used files go once the directory holds more than this; some thousand routines.
_LARGEST_BYTES = 512 << 20


def default_directory() -> Path:
    """Where compiled code is kept: ``$ARCGRAD_CACHE_DIR``, else the platform's cache directory for the user.

    Without the optional platformdirs that is ``$XDG_CACHE_HOME/arcgrad`` (``~/.cache/arcgrad``),
    ``~/Library/Caches/arcgrad`` on macOS, ``%LOCALAPPDATA%\\arcgrad\\Cache`` on Windows; for a user without a home a
    directory of its own beside temporary files.

    Raises:
        InputError: ``ARCGRAD_CACHE_DIR`` names the home of an unknown user, or is relative to a folder that is gone.

    Example:
        >>> import os
        >>> os.environ["ARCGRAD_CACHE_DIR"] = "/tmp/arcgrad-example"
        >>> default_directory().name
        'arcgrad-example'
        >>> del os.environ["ARCGRAD_CACHE_DIR"]
    """
    chosen = os.environ.get("ARCGRAD_CACHE_DIR")
    if chosen:
        try:
            return Path(chosen).expanduser().absolute()
        except (RuntimeError, OSError) as error:  # ~nobody; a current folder that was deleted
            raise InputError(
                f"ARCGRAD_CACHE_DIR={chosen[:80]!r} names no directory: {error}", hint="give an absolute path"
            ) from error
    name = "platformdirs"
    platformdirs: Any = sys.modules[name] if name in sys.modules else _find_platformdirs()
    if platformdirs is None:
        found = _user_cache_directory()
    else:
        found = Path(platformdirs.user_cache_path("arcgrad", appauthor=False))
    if found.is_absolute():
        return found
    return Path(tempfile.gettempdir()).absolute() / f"arcgrad-{os.geteuid() if hasattr(os, 'geteuid') else 'cache'}"


@functools.cache
def _find_platformdirs() -> Any:
    """The module, an extra, or None; looked for once: a child forked meanwhile would have a lock taken for good."""
    with forks_held_back:
        try:
            return importlib.import_module("platformdirs")
        except ImportError:
            return None


def _user_cache_directory() -> Path:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
        return Path(base) / "arcgrad" / "Cache"
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches/arcgrad"))
    base = os.environ.get("XDG_CACHE_HOME") or ""
    # The XDG specification says that a relative path is to be ignored.
    return Path(base if os.path.isabs(base) else os.path.expanduser("~/.cache")) / "arcgrad"


class CacheDirectory:
    """One cache directory: safe to trust, or refused; every other trouble turns into "not cached".

    Args:
        path: the directory; made with mode 0700 at the first write.

    Example:
        >>> import tempfile
        >>> directory = CacheDirectory(Path(tempfile.mkdtemp()) / "cache")
        >>> directory.write_code("kernels/example.code", b"machine code")
        True
        >>> directory.read_code("kernels/example.code")
        b'machine code'
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pruned = False

    def check(self) -> bool:
        """Whether the directory exists; its folders are checked with it.

        Raises:
            InputError: somebody else could put code there: other users can write it, or own it.
        """
        exists = _check_private(self.path)
        for folder in _FOLDERS if exists else ():
            _check_private(self.path / folder)
        return exists

    def read_code(self, name: str) -> bytes | None:
        """The content of a compiled file, or None where it is missing, damaged or truncated."""
        data = self._read(name)
        if data is None or not data.startswith(_MAGIC):
            return None
        start = len(_MAGIC) + _DIGEST_BYTES
        content = data[start:]
        if _digest(name, content) != data[len(_MAGIC) : start]:
            return None
        with contextlib.suppress(OSError):
            os.utime(self.path / name)  # pruning goes by the time of last use
        return content

    def write_code(self, name: str, content: bytes) -> bool:
        """Write a compiled file with its digest; whether it could be written."""
        return self._write(name, _MAGIC + _digest(name, content) + content)

    def read_text(self, name: str) -> str | None:
        """The text of a file, or None where it is missing or not text."""
        data = self._read(name)
        try:
            return None if data is None else data.decode()
        except UnicodeDecodeError:
            return None

    def write_text(self, name: str, text: str) -> bool:
        """Write a file of text; whether it could be written."""
        return self._write(name, text.encode())

    def has(self, pattern: str) -> bool:
        """Whether there is a file of that name, in which ``*`` stands for any characters."""
        try:
            return next(self.path.glob(pattern), None) is not None
        except OSError:
            return False

    def may_write(self) -> bool:
        """Whether files can be written, as far as modes tell; the directory need not be there yet."""
        folder = self.path
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return folder.is_dir() and os.access(folder, os.W_OK)

    def remove(self, name: str) -> None:
        """Delete a file, where that is possible."""
        with contextlib.suppress(OSError):
            os.unlink(self.path / name)

    def usage(self) -> tuple[int, int]:
        """Number and total size in bytes of this package's files."""
        sizes = [status.st_size for _, status in self._files()]
        return len(sizes), sum(sizes)

    def clear(self) -> None:
        """Delete all of this package's files; others that somebody put there stay."""
        if self.check():
            for path, _ in list(self._files()):
                with contextlib.suppress(OSError):
                    os.unlink(path)

    def _read(self, name: str) -> bytes | None:
        if not self.check():
            return None
        try:
            # Not through a link, and without waiting for somebody to write into a pipe.
            handle = os.open(self.path / name, os.O_RDONLY | _NOT_A_LINK | _AT_ONCE | _BINARY)
        except OSError:
            return None
        try:
            with open(handle, "rb") as file:
                return file.read() if _is_private_file(os.fstat(handle)) else None
        except OSError:
            return None

    def _write(self, name: str, data: bytes) -> bool:
        target = self.path / name
        try:
            for folder in reversed(target.parents):
                if not folder.is_dir():
                    folder.mkdir(mode=0o700, exist_ok=True)  # those above, too, whatever the umask says
            self.check()
            # Readers of other processes must see the old file or the whole new one.
            handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".tmp")
        except OSError:
            return False
        try:
            with open(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, target)
        except OSError:  # a full disk, or a reader on Windows that keeps the old file open
            self.remove(temporary)
            return False
        except BaseException:
            self.remove(temporary)
            raise
        self._prune()
        return True

    def _prune(self) -> None:
        """Once per process, delete what was not used for longest until the rest is small enough."""
        if self._pruned:
            return
        self._pruned = True
        files = sorted(self._files(), key=lambda item: item[1].st_mtime)
        excess = sum(status.st_size for _, status in files) - _LARGEST_BYTES
        for path, status in files:
            if excess <= 0:
                break
            excess -= status.st_size
            with contextlib.suppress(OSError):
                os.unlink(path)

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder in _FOLDERS:
            try:
                entries = list(os.scandir(self.path / folder))
            except OSError:
                continue
            for entry in entries:
                # Another process may delete the file meanwhile.
                with contextlib.suppress(OSError):
                    if entry.name.endswith(_SUFFIXES) and entry.is_file(follow_symlinks=False):
                        yield Path(entry.path), entry.stat(follow_symlinks=False)


def _digest(name: str, content: bytes) -> bytes:
    """A digest by which a file under another's name is found out."""
    return hashlib.sha256(name.encode() + b"\0" + content).digest()


def _is_private_file(status: os.stat_result) -> bool:
    """Whether it is a regular file that nobody else could have written."""
    if not stat.S_ISREG(status.st_mode):
        return False
    return sys.platform == "win32" or (status.st_uid in (os.geteuid(), 0) and not status.st_mode & 0o022)


def _check_private(path: Path) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    if not stat.S_ISDIR(status.st_mode):
        return False
    if sys.platform == "win32":  # owners and modes mean nothing there, and profile directories are private
        return True
    hint = f"set ARCGRAD_CACHE_DIR to a directory of your own, or delete {path}"
    # Files of the superuser are trusted: a system image may bring a cache that its users only read.
    if status.st_uid not in (os.geteuid(), 0):
        raise InputError(
            f"the cache directory {path} belongs to user {status.st_uid}, but this process is user {os.geteuid()}'s: "
            "compiled code from there could be anybody's",
            hint=hint,
        )
    if status.st_mode & 0o022:
        raise InputError(
            f"the cache directory {path} can be written by other users (mode {stat.S_IMODE(status.st_mode):04o}): "
            "compiled code from there could be anybody's",
            hint=f"chmod go-w {path}, or {hint}",
        )
    return True
