"""Files of several graphs: what comes back, what OpenFst makes of them, which keys will do, damaged files."""

from __future__ import annotations

import os
import random
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.grammar.errors import FormatError, InputError

GRAPHS = {
    "a": ag.Graph.from_arcs([(0, 1, 5, 6, 0.5), (1, 2, -1, -1, -2.5)], [0], [2]),
    "b c/ü": ag.linear([3, 1], weight=[0.25, 0.0]),
    "empty": ag.Graph([], [], [], n_states=0, start=()),
    "z": ag.Graph([0], [0], [1], accept=[0]),
}
WORDS = {key.replace(" ", "_"): graph for key, graph in GRAPHS.items()}
SUFFIXES = (".far", ".ark", ".npz")


def same(found: dict[str, ag.Graph], expected: dict[str, ag.Graph]) -> bool:
    return list(found) == list(expected) and all(ag.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_comes_back(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    graphs = WORDS if suffix == ".ark" else GRAPHS
    ag.save_all(path, graphs)
    assert same(ag.load_all(path), graphs)
    assert same(dict(ag.iter_all(str(path))), graphs)
    before = path.read_bytes()
    ag.save_all(path, iter(graphs.items()))
    assert path.read_bytes() == before
    ag.save_all(path, {})
    assert ag.load_all(path) == {}
    assert os.listdir(tmp_path) == [path.name]
    name = {".far": "far", ".ark": "kaldi", ".npz": "npz"}[suffix]
    ag.save_all(tmp_path / "other", graphs, name)
    assert (tmp_path / "other").read_bytes() == before
    assert same(ag.load_all(tmp_path / "other", format=name), graphs)


def test_options_of_the_graphs(tmp_path: Path) -> None:
    zero = {"a": ag.linear([0, 2], weight=[0.1, 0.2])}
    ag.save_all(tmp_path / "x.far", zero, shift=-1, arc_type="log64", far_type="stlist", fst_type="const", align=True)
    assert same(ag.load_all(tmp_path / "x.far", shift=-1), zero)
    ag.save_all(tmp_path / "x.far", zero, shift=-1, arc_type="log64", isymbols={"u": 0, "v": 2})
    found = ag.load_all(tmp_path / "x.far", isymbols={"u": 7, "v": 8})
    assert found["a"].ilabel.tolist() == [7, 8]
    ag.save_all(tmp_path / "x.ark", zero, isymbols={"u": 0, "v": 2}, osymbols={"u": 0, "v": 2})
    assert "u" in (tmp_path / "x.ark").read_text()
    assert same(ag.load_all(tmp_path / "x.ark", isymbols={"u": 0, "v": 2}, osymbols={"u": 0, "v": 2}), zero)
    tied = {"t": ag.Graph([0, 0], [1, 1], [1, 2], weight=[0.5], tie=[0, 0], accept=[1])}
    ag.save_all(tmp_path / "x.npz", tied)
    assert ag.load_all(tmp_path / "x.npz")["t"].tie.tolist() == [0, 0]
    with pytest.raises(InputError, match="'npz' has no option 'arc_type'"):
        ag.save_all(tmp_path / "x.npz", tied, arc_type="log")
    with pytest.raises(InputError, match="far_type is 'sstable'"):
        ag.save_all(tmp_path / "x.far", tied, far_type="sstable")


@pytest.mark.parametrize("far_type", ["sttable", "stlist"])
def test_openfst_reads_and_writes_the_same(far_type: str, tmp_path: Path) -> None:
    pynini = pytest.importorskip("pynini")
    path = tmp_path / "x.far"
    graphs = {key: graph for key, graph in GRAPHS.items() if key != "empty"}
    for fst_type in ("vector", "const"):
        ag.save_all(path, graphs, far_type=far_type, fst_type=fst_type, align=fst_type == "const")
        with pynini.Far(str(path)) as archive:
            assert archive.far_type() == far_type
            found = {key: machine.copy() for key, machine in archive}
        assert list(found) == list(graphs)
        for key, machine in found.items():
            machine.write(str(tmp_path / "one.fst"))
            assert ag.equal(ag.load(tmp_path / "one.fst"), graphs[key])
    with pynini.Far(str(path), "w", far_type=far_type) as archive:
        for key, machine in found.items():
            archive.add(key, machine)
    assert same(ag.load_all(path), graphs)


def test_graphs_are_read_and_written_one_at_a_time(tmp_path: Path) -> None:
    alive = 0

    def made() -> Iterator[tuple[str, ag.Graph]]:
        nonlocal alive
        for n in range(50):
            alive += 1
            yield f"{n:03}", ag.linear([1] * n)
            alive -= 1

    for suffix in SUFFIXES:
        path = tmp_path / f"x{suffix}"
        ag.save_all(path, made())
        assert alive == 0
        found = ag.iter_all(path)
        assert [next(found)[0] for _ in range(3)] == ["000", "001", "002"]
        assert [(key, graph.n_arcs) for key, graph in found] == [(f"{n:03}", n) for n in range(3, 50)]


def test_archives_of_kaldi(tmp_path: Path) -> None:
    path = tmp_path / "x.ark"
    path.write_bytes(b"\nutt-1 \n0 1 5 6 0.5\r\n1 0.25\n\nutt-2\n\nutt-3\n0 1 2 3\n1")
    found = ag.load_all(path)
    assert [graph.n_arcs for graph in found.values()] == [2, 0, 1]
    assert found["utt-1"].weight.tolist() == [-0.5, -0.25]
    for text, line, column, message in [
        (b"a\n0 1 5\n1\n\nb c\n0 1 5\n", 5, 3, "a key alone on its line"),
        (b"a\n0 1 5 x y\n", 2, 7, "expected output label"),
        (b"a\n0 1 5 6 1.5,2.5\n", 2, 9, "expected cost"),
        (b"a \0B\xd6\xfd\xb2\x7e", 1, 3, "binary archive of Kaldi's"),
        (b"a\n0 1 5\n\n\xff\xfe 1\n", 4, 1, "0xff is not UTF-8"),
    ]:
        path.write_bytes(text)
        with pytest.raises(FormatError, match=message) as caught:
            ag.load_all(path)
        assert (caught.value.file, caught.value.line, caught.value.column) == (str(path), line, column), text
    path.write_bytes(b"a\n0\n\na\n0\n")
    with pytest.raises(FormatError, match="key 'a' occurs twice"):
        ag.load_all(path)
    assert len(list(ag.iter_all(path))) == 2


def test_keys_that_no_archive_holds(tmp_path: Path) -> None:
    g = ag.linear([1])
    for suffix, keys in [(".ark", ["", "a b", "a\n", "\0"]), (".far", ["", "a\0"]), (".npz", ["a\0"])]:
        for key in keys:
            with pytest.raises(InputError, match="the key "):
                ag.save_all(tmp_path / f"x{suffix}", {key: g})
    for key, message in [(3, "the key 3 is an int"), ("\ud800", "half a surrogate pair")]:
        for suffix in SUFFIXES:
            with pytest.raises(InputError, match=message):
                ag.save_all(tmp_path / f"x{suffix}", {key: g})
    for keys in (["b", "a"], ["a", "a"]):
        with pytest.raises(InputError, match="sorted by key"):
            ag.save_all(tmp_path / "x.far", ((key, g) for key in keys))
    with pytest.raises(InputError, match="the key 'a' occurs twice"):
        ag.save_all(tmp_path / "x.npz", [("a", g), ("a", g)])
    assert os.listdir(tmp_path) == []


def test_wrong_arguments(tmp_path: Path) -> None:
    g = ag.linear([1])
    for graphs, message in [
        (g, "graphs is a Graph(?s:.*)ag.save writes one"),
        (3, "graphs is an int"),
        ([g], r"graphs\[0\] is .*must be a pair"),
        ({"a": 3}, r"graphs\['a'\] is an int"),
        ({"a": ag.dense([[1.0]])}, r"graphs\['a'\] is a Dense(?s:.*)to_graph"),
    ]:
        with pytest.raises(InputError, match=message):
            ag.save_all(tmp_path / "x.npz", graphs)
    with pytest.raises(InputError, match=r"ag\.save_all\(path, graphs\)"):
        ag.save_all({"a": g}, tmp_path / "x.npz")
    for action in (ag.load_all, ag.iter_all, lambda path: ag.save_all(path, {})):
        with pytest.raises(FormatError, match=r"\.fst names no form of archives; known are \.far(?s:.*)ag\.load and"):
            action(tmp_path / "x.fst")
        with pytest.raises(InputError, match="must be the name of a file"):
            action(None)
    with pytest.raises(FormatError, match=r"the suffix \.far(?s:.*)ag\.load_all"):
        ag.load(tmp_path / "x.far")
    with pytest.raises(InputError, match="no format of archives 'ark'; there are 'far', 'kaldi', 'npz'"):
        ag.load_all(tmp_path / "x", format="ark")
    ag.save(tmp_path / "one.npz", g)
    with pytest.raises(FormatError, match=r"not of several arcgrad graphs(?s:.*)ag\.load reads"):
        ag.load_all(tmp_path / "one.npz")
    ag.save_all(tmp_path / "all.npz", {"a": g})
    with pytest.raises(FormatError, match=r"not of an arcgrad graph(?s:.*)ag\.load_all"):
        ag.load(tmp_path / "all.npz")
    with pytest.raises(FileNotFoundError):
        ag.load_all(tmp_path / "none.npz")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    def failing() -> Iterator[tuple[str, Any]]:
        yield "a", ag.linear([1])
        raise ZeroDivisionError

    for suffix in SUFFIXES:
        path = tmp_path / f"x{suffix}"
        ag.save_all(path, {"old": ag.linear([2])})
        with pytest.raises(ZeroDivisionError):
            ag.save_all(path, failing())
        assert list(ag.load_all(path)) == ["old"]
    assert len(os.listdir(tmp_path)) == 3


def test_damaged_archives_of_openfst(tmp_path: Path) -> None:
    path = tmp_path / "x.far"

    def refused(data: bytes, message: str) -> None:
        path.write_bytes(data)
        with pytest.raises(FormatError, match=message):
            ag.load_all(path)

    ag.save_all(path, GRAPHS)
    table = path.read_bytes()
    ag.save_all(path, GRAPHS, far_type="stlist")
    listed = path.read_bytes()
    ag.save(tmp_path / "x.fst", GRAPHS["a"])
    refused((tmp_path / "x.fst").read_bytes(), "expected an archive of OpenFst")
    refused(b"", "at byte 0: the magic number of an archive takes 4 bytes")
    refused(listed[:4] + b"\2" + listed[5:], "version 2")
    refused(listed[:-4], "the length of the key takes 4 bytes, but 0 follow")
    refused(listed + b"\0", "the list ends here, but 1 bytes follow")
    refused(table[:-1], "do not fit|index")
    refused(table[:8], "the number of entries")
    refused(table[:-8] + struct.pack("<q", 2**60), "do not fit")
    refused(table[:-8] + struct.pack("<q", 3), "the index has")
    refused(table[:-32] + struct.pack("<q", 3) + table[-24:], "next entry begins at byte 3")
    refused(table[:-40] + table[-40:-32] + bytes(8) + table[-24:], "next entry begins at byte")


@for_seeds(150)
def test_damaged_archives_are_refused_or_graphs(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    suffix = SUFFIXES[seed % 3]
    path = tmp_path / f"x{suffix}"
    ag.save_all(path, {key: WORDS[key] for key in rng.sample(sorted(WORDS), rng.randint(1, 4))})
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 3])):
        at = rng.randrange(len(data))
        what = rng.randrange(4)
        if what == 0:
            del data[max(at, 1) :]
        elif what == 1:
            del data[at : at + rng.randint(1, 12)]
        elif what == 2:
            data[at : at + 8] = rng.choice([b"\xff" * 8, b"\0" * 8, rng.randbytes(8)])
        else:
            data[at] ^= 1 << rng.randrange(8)
        data = data or bytearray(b"\0")
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            found = ag.load_all(path)
        except FormatError as caught:
            found, error = {}, caught
            assert path.name in error.message
    assert all(isinstance(graph, ag.Graph) and not np.isnan(graph.weight).any() for graph in found.values())
