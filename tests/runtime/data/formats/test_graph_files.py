"""Which format a file has, how it is replaced, and what every format of the registry must do."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest
from support.seeds import for_seeds

from arcgrad.grammar.errors import FormatError, InputError, UnsupportedError
from arcgrad.runtime.data.dense import dense
from arcgrad.runtime.data.files import load, save
from arcgrad.runtime.data.formats import format_named, formats
from arcgrad.runtime.data.graph import Graph, linear
from arcgrad.runtime.data.isomorphism import equal
from arcgrad.runtime.data.symbols import SymbolTable

GRAPH = Graph.from_arcs([(0, 1, 5, 6, 0.125), (1, 2, -1, -1, -2.5)], [0], [2])
BEGINNINGS = {
    ".gtn": b"0\n2\n",
    ".txt": b"0\n2\n",
    ".att": b"0\t1\t5\t6\t-0.125\n",
    ".k2": b"0 1 5 6 0.125\n",
    ".json": b"{\n",
    ".npz": b"PK",
    ".fst": b"\xd6\xfd\xb2\x7e\x06\0\0\0vector",
}


def test_every_format_has_its_own_name_and_suffixes() -> None:
    suffixes = [suffix for entry in formats().values() for suffix in entry.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert set(suffixes) == {".arpa", ".att", ".fst", ".gtn", ".txt", ".k2", ".json", ".npz"}
    assert all(entry.summary for entry in formats().values())


@pytest.mark.parametrize("suffix", [".gtn", ".att", ".fst", ".k2", ".json", ".npz", ".GTN", ".txt", ""])
def test_the_suffix_decides(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"g{suffix}"
    save(path, GRAPH)
    assert equal(load(path), GRAPH)
    assert equal(load(str(path)), GRAPH)
    assert path.read_bytes().startswith(BEGINNINGS.get(suffix.lower(), b"PK"))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("name", list(formats()))
def test_a_format_can_be_named(tmp_path: Path, name: str) -> None:
    if format_named(name).write is None:
        with pytest.raises(UnsupportedError, match=rf"\({name}\) is read and not written"):
            save(tmp_path / "g.txt", GRAPH, format=name)
        return
    save(tmp_path / "g.txt", GRAPH, format=name)
    assert equal(load(tmp_path / "g.txt", format=name), GRAPH)
    if not format_named(name).binary:
        assert equal(Graph.from_text(GRAPH.to_text(name), name), GRAPH)
        assert (tmp_path / "g.txt").read_text(encoding="utf-8") == GRAPH.to_text(name)


@for_seeds(200)
def test_damaged_files_of_every_format_are_refused_or_graphs(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    written = [name for name, entry in formats().items() if entry.write is not None]
    name = written[seed % len(written)]
    path = tmp_path / "g.txt"
    save(path, GRAPH, format=name)
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        what = rng.randrange(5)
        if what == 0:
            del data[at:]
        elif what == 1:
            del data[at : at + rng.randint(1, 8)]
        elif what == 2:
            data[at:at] = rng.choice(
                [b"\n", b" ", b"\0", b"-", b"9" * 30, b"1e999", b"nan", b"inf", b"[", b'"', b"\xff"]
            )
        elif what == 3:
            data[at:at] = data[at : at + rng.randint(1, 32)]
        elif at < len(data):
            data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    try:
        graph, message = load(path, format=name), None
    except FormatError as error:
        graph, message = None, error.message
    assert isinstance(graph, Graph) if message is None else message.startswith(str(path))


def test_unknown_formats_and_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no graph format 'opnfst'.*(?s:.*)did you mean 'openfst'\?"):
        GRAPH.to_text("opnfst")
    with pytest.raises(InputError, match="no graph format 3"):
        Graph.from_text("", format=3)
    with pytest.raises(InputError, match="'gtn' has no option 'acceptor'"):
        Graph.from_text("0\n1\n", acceptor=True)
    with pytest.raises(InputError, match="'json' has no option 'shift' here; it takes none"):
        GRAPH.to_text("json", shift=1)
    with pytest.raises(InputError, match=r"shift is 1\.5"):
        GRAPH.to_text(shift=1.5)
    with pytest.raises(InputError, match="acceptor is 1"):
        Graph.from_text("", "openfst", acceptor=1)
    with pytest.raises(InputError, match="'npz' is not text"):
        GRAPH.to_text("npz")
    with pytest.raises(InputError, match="text is a bytes"):
        Graph.from_text(b"0\n1\n")
    with pytest.raises(InputError, match="'openfst' has no option 'acceptor'"):
        save(tmp_path / "g.att", GRAPH, acceptor=True)
    assert os.listdir(tmp_path) == []


def test_options_of_a_format(tmp_path: Path) -> None:
    (tmp_path / "g.att").write_text("0 1 1 2\n1\n")
    g = load(tmp_path / "g.att", shift=-1, acceptor=True)
    assert (g.ilabel.tolist(), g.weight.tolist()) == ([0], [-2.0])
    save(tmp_path / "h.att", g, shift=-1)
    assert (tmp_path / "h.att").read_bytes() == b"0\t1\t1\t1\t2.0\n1\n"


def test_unknown_suffixes_name_the_known_ones(tmp_path: Path) -> None:
    for name in ("x.graph", "x.gtn.bak", "x.svg", "x.npy"):
        for action in (lambda name=name: load(tmp_path / name), lambda name=name: save(tmp_path / name, GRAPH)):
            with pytest.raises(FormatError, match=r"\.gtn and \.txt \(GTN.*\.npz .*no suffix is npz(?s:.*)hint"):
                action()
        with pytest.raises(FileNotFoundError):
            load(tmp_path / name, format="gtn")
    for name in ("x.svg", "x.dot"):
        with pytest.raises(FormatError, match=r"graph\.draw\('x\.(svg|dot|png)'\), or by arcgrad draw"):
            save(tmp_path / name, GRAPH)


def test_names_of_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ag\.save\(path, graph\)"):
        save(GRAPH, tmp_path / "x.gtn")
    for wrong in (None, 3, b"x.gtn", ["x.gtn"], "x\0.gtn", 10**5000):
        for action in (load, lambda path: save(path, GRAPH), SymbolTable.load):
            with pytest.raises(InputError, match="must be the name of a file"):
                action(wrong)


def test_only_graphs_are_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"graph is a Dense(?s:.*)to_graph"):
        save(tmp_path / "x.gtn", dense([[1.0]]))
    with pytest.raises(InputError, match="graph is a list"):
        save(tmp_path / "x.gtn", [GRAPH])


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.gtn").write_bytes(b"0\n1\n0 \xff\xfe 1\n")
    with pytest.raises(FormatError, match="0xff is not UTF-8") as caught:
        load(tmp_path / "x.gtn")
    assert (caught.value.file, caught.value.line, caught.value.column) == (str(tmp_path / "x.gtn"), 3, 3)
    (tmp_path / "x.npz").write_text("0\n1\n0 1 5\n")
    with pytest.raises(FormatError, match="format="):
        load(tmp_path / "x.npz")


def test_a_byte_order_mark_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.gtn").write_bytes(b"\xef\xbb\xbf0\r\n1\r\n0 1 5\r\n")
    assert load(tmp_path / "x.gtn").n_arcs == 1


def test_missing_files_and_folders_are_os_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "x.gtn")
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "no" / "x.gtn", GRAPH)
    with pytest.raises(OSError, match=r"directory|denied"):
        load(tmp_path)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.att"
    save(path, GRAPH)
    before = path.read_bytes()
    with pytest.raises(InputError, match="label 0 cannot be written"):
        save(path, linear([0]))

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save(path, linear([1]))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.att"]


def test_links_and_permissions(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        save(tmp_path / "real.gtn", GRAPH)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(os.stat(tmp_path / "real.gtn").st_mode) == 0o644
    (tmp_path / "link.gtn").symlink_to(tmp_path / "real.gtn")
    save(tmp_path / "link.gtn", linear([1]))
    assert (tmp_path / "link.gtn").is_symlink()
    assert load(tmp_path / "real.gtn").n_arcs == 1


def test_warnings_point_at_the_caller(tmp_path: Path) -> None:
    several = Graph([0], [1], [5], start=[0, 1], accept=[1])
    with pytest.warns(UserWarning, match="OpenFst text cannot express") as caught:
        several.to_text("openfst")
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="k2 text cannot express") as caught:
        save(tmp_path / "x.k2", several)
    assert caught[0].filename == __file__
