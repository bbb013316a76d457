"""The directory on disk: private or refused, whole files or none, and never an error for want of disk."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from arcgrad.grammar.errors import ArcgradError, InputError
from arcgrad.runtime.jit import directory as cache_directory
from arcgrad.runtime.jit.directory import CacheDirectory, default_directory

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes are POSIX's")


@pytest.fixture
def directory(tmp_path: Path) -> CacheDirectory:
    return CacheDirectory(tmp_path / "cache")


def test_the_environment_decides_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", "/somewhere/else")
    assert default_directory() == Path("/somewhere/else")
    monkeypatch.delenv("ARCGRAD_CACHE_DIR")
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert default_directory() == Path("/caches/arcgrad")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_directory() == Path.home() / ".cache/arcgrad"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_directory() == Path.home() / "Library/Caches/arcgrad"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert default_directory() == Path("/local/arcgrad/Cache")


def test_what_is_written_is_read_back_and_private(directory: CacheDirectory) -> None:
    assert directory.read_code("kernels/a.code") is None
    assert directory.write_code("kernels/a.code", b"machine code")
    assert directory.read_code("kernels/a.code") == b"machine code"
    assert directory.write_text("routines/b.py", "x = 1\n")
    assert directory.read_text("routines/b.py") == "x = 1\n"
    for path in (directory.path, directory.path / "kernels"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory.path / "kernels/a.code").stat().st_mode) == 0o600
    assert [path.name for path in (directory.path / "kernels").iterdir()] == ["a.code"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign", "directory"])
def test_a_damaged_file_reads_as_missing(directory: CacheDirectory, damage: str) -> None:
    directory.write_code("kernels/a.code", b"machine code")
    path = directory.path / "kernels/a.code"
    data = path.read_bytes()
    if damage == "directory":
        path.unlink()
        path.mkdir()
    else:
        flipped = data[:-1] + bytes([data[-1] ^ 1])
        path.write_bytes({"truncated": data[:-3], "flipped": flipped, "empty": b"", "foreign": b"\0" * 100}[damage])
    assert directory.read_code("kernels/a.code") is None
    assert directory.write_code("kernels/a.code", b"again") == (damage != "directory")


@pytest.mark.parametrize("folder", ["", "kernels"])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_directory_that_others_can_write_is_refused(directory: CacheDirectory, folder: str, mode: int) -> None:
    directory.write_code("kernels/a.code", b"machine code")
    os.chmod(directory.path / folder, mode)
    for use in (
        lambda: directory.read_code("kernels/a.code"),
        lambda: directory.write_code("kernels/b.code", b""),
        directory.clear,
    ):
        with pytest.raises(InputError, match=r"can be written by other users \(mode 0\d{3}\)[^$]*hint: chmod go-w /"):
            use()
    os.chmod(directory.path / folder, 0o755)
    assert directory.read_code("kernels/a.code") == b"machine code"


def test_a_directory_of_another_user_is_refused_but_the_superusers_is_not(
    directory: CacheDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.write_code("kernels/a.code", b"machine code")
    owner = directory.path.stat().st_uid
    real_stat = os.stat

    def stat_with_owner(uid: int) -> object:
        def substitute(path: object, **options: object) -> os.stat_result:
            status = list(real_stat(path, **options))  # type: ignore[call-overload]
            status[stat.ST_UID] = uid
            return os.stat_result(status)

        return substitute

    monkeypatch.setattr(cache_directory.os, "stat", stat_with_owner(owner + 1))
    with pytest.raises(ArcgradError, match=f"belongs to user {owner + 1}"):
        directory.read_code("kernels/a.code")
    monkeypatch.setattr(cache_directory.os, "stat", stat_with_owner(0))
    assert directory.read_code("kernels/a.code") == b"machine code"


def test_a_missing_disk_means_not_cached(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in (CacheDirectory(tmp_path / "file" / "cache"), CacheDirectory(tmp_path / "file")):
        assert directory.write_code("kernels/a.code", b"machine code") is False
        assert directory.read_code("kernels/a.code") is None
        assert directory.usage() == (0, 0)
        directory.clear()


def test_a_full_disk_leaves_no_half_file(directory: CacheDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.write_code("kernels/a.code", b"machine code")

    def no_space(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_directory.os, "replace", no_space)
    assert directory.write_code("kernels/b.code", b"machine code") is False
    monkeypatch.setattr(tempfile, "mkstemp", no_space)
    assert directory.write_code("kernels/c.code", b"machine code") is False
    assert [path.name for path in (directory.path / "kernels").iterdir()] == ["a.code"]


def test_an_interrupted_write_leaves_no_half_file(directory: CacheDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache_directory.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        directory.write_code("kernels/b.code", b"machine code")
    assert list((directory.path / "kernels").iterdir()) == []


def test_clearing_deletes_nothing_of_others(directory: CacheDirectory) -> None:
    directory.write_code("kernels/a.code", b"machine code")
    directory.write_text("routines/b.py", "x = 1\n")
    (directory.path / "letter.txt").write_text("dear")
    (directory.path / "kernels/notes.txt").write_text("mine")
    assert directory.usage()[0] == 2
    directory.clear()
    assert directory.usage() == (0, 0)
    assert (directory.path / "letter.txt").read_text() == "dear"
    assert (directory.path / "kernels/notes.txt").read_text() == "mine"


def test_the_files_unused_for_longest_go_when_there_is_too_much(
    directory: CacheDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age, name in enumerate(("new", "used", "old")):
        directory.write_code(f"kernels/{name}.code", bytes(1000))
        os.utime(directory.path / f"kernels/{name}.code", (1e9 - age, 1e9 - age))
    directory.read_code("kernels/used.code")
    monkeypatch.setattr(cache_directory, "_LARGEST_BYTES", 2500)
    later = CacheDirectory(directory.path)
    later.write_code("kernels/next.code", b"")
    assert sorted(path.stem for path in (directory.path / "kernels").iterdir()) == ["new", "next", "used"]


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_file_that_others_can_write_is_not_read(directory: CacheDirectory, mode: int) -> None:
    directory.write_code("kernels/a.code", b"machine code")
    os.chmod(directory.path / "kernels/a.code", mode)
    assert directory.read_code("kernels/a.code") is None
    assert directory.write_code("kernels/a.code", b"compiled again")
    assert directory.read_code("kernels/a.code") == b"compiled again"


def test_links_and_pipes_are_not_read(directory: CacheDirectory) -> None:
    directory.write_code("kernels/a.code", b"machine code")
    kernels = directory.path / "kernels"
    (kernels / "b.code").symlink_to(kernels / "a.code")
    os.mkfifo(kernels / "c.code")
    assert directory.read_code("kernels/b.code") is None
    assert directory.read_code("kernels/c.code") is None  # at once, although nobody writes into it


def test_a_file_of_another_user_is_not_read(directory: CacheDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.write_code("kernels/a.code", b"machine code")
    monkeypatch.setattr(cache_directory.os, "geteuid", lambda: 12345)
    monkeypatch.setattr(cache_directory, "_check_private", lambda path: True)
    owner = (directory.path / "kernels/a.code").stat().st_uid
    assert directory.read_code("kernels/a.code") == (None if owner else b"machine code")


def test_code_under_another_name_is_not_read(directory: CacheDirectory) -> None:
    """Two files exchanged gave LSE the value of MAX."""
    directory.write_code("kernels/a.code", b"LSE")
    directory.write_code("kernels/b.code", b"MAX")
    kernels = directory.path / "kernels"
    os.rename(kernels / "a.code", kernels / "c.code")
    os.rename(kernels / "b.code", kernels / "a.code")
    os.rename(kernels / "c.code", kernels / "b.code")
    assert directory.read_code("kernels/a.code") is None
    assert directory.read_code("kernels/b.code") is None


def test_folders_above_are_made_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        CacheDirectory(tmp_path / "one/two/cache").write_code("kernels/a.code", b"")
    finally:
        os.umask(before)
    for path in ("one", "one/two", "one/two/cache", "one/two/cache/kernels"):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o700


@pytest.mark.parametrize("extra", [True, False])
def test_a_user_without_a_home_gets_a_directory_of_its_own(monkeypatch: pytest.MonkeyPatch, extra: bool) -> None:
    unexpanded = SimpleNamespace(user_cache_path=lambda *_, **__: "~/.cache/arcgrad")
    monkeypatch.setitem(sys.modules, "platformdirs", unexpanded if extra else None)
    for name in ("ARCGRAD_CACHE_DIR", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # what it does without a passwd entry
    assert default_directory() == Path(tempfile.gettempdir()) / f"arcgrad-{os.geteuid()}"


def test_directories_that_do_not_exist_for_anybody_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", "~nosuchuser/cache")
    with pytest.raises(InputError, match=r"ARCGRAD_CACHE_DIR='~nosuchuser/cache' names no directory"):
        default_directory()
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", "relative")
    with pytest.raises(InputError, match=r"ARCGRAD_CACHE_DIR='relative' names no directory[^$]*give an absolute path"):
        default_directory()
