"""arcgrad's own .npz form: exact for every graph, and never a way to run code or to get a bad graph in."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from graph_strategies import graphs
from hypothesis import given

from arcgrad.grammar.errors import FormatError
from arcgrad.runtime.data.formats.npz import read, write
from arcgrad.runtime.data.graph import Graph, linear
from arcgrad.runtime.data.isomorphism import equal


@given(graphs(tied=True))
def test_round_trip(g: Graph) -> None:
    data = write(g)
    h = read(data)
    assert equal(g, h)
    assert (g.tie is None) == (h.tie is None)
    assert g.weight.tobytes() == h.weight.tobytes()
    assert write(h) == data


def archive(**changes: object) -> bytes:
    with np.load(io.BytesIO(write(linear([1, 2])))) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    for name, value in changes.items():
        if value is None:
            del arrays[name]
        else:
            arrays[name] = np.asarray(value)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy_with(shape: str) -> bytes:
    """An array of one 64-bit 1 in NumPy's form, whose header says another shape."""
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + (1).to_bytes(8, "little")


MEMBERS = ("arcgrad_graph", "n_states", "src", "dst", "ilabel", "start", "accept", "weight")
HUGE = npy_with("(1152921504606846976,)")


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"0\n1\n0 1 5\n", "begins with b'0"),
        (b"PK\x03\x04 garbage", "damaged .npz archive"),
        (archive()[:-30], "damaged .npz archive"),
        (archive()[:100], "damaged .npz archive"),
        (zipped("x.txt", b"hello"), "not of an arcgrad graph"),
        (zipped("arcgrad_graph.npy", b"hello"), "arcgrad_graph is none in NumPy's .npy form"),
        (archive(arcgrad_graph=None), "not of an arcgrad graph"),
        (archive(arcgrad_graph=2), "version 2 of the form"),
        (
            archive(arcgrad_graph=[1, 1]),
            r"arcgrad_graph has shape \(2,\) .*must hold integers along 0",
        ),
        (archive(src=None), "no array 'src'"),
        (archive(n_states=[3]), r"n_states has shape \(1,\)"),
        (archive(n_states=3.0), "n_states has .* float64, but must hold integers"),
        (archive(n_states=-3), "n_states is -3"),
        (archive(dst=[7, 7]), r"dst\[0\] is 7"),
        (archive(weight=[np.nan, 0]), r"weight\[0\] is nan"),
        (archive(weight=[0.0]), "weight has 1 entries"),
        (archive(tie=[5, 5]), r"tie\[0\] is 5"),
        (archive(ilabel=np.array([print, print], dtype=object)), "ilabel has .* object, but must hold integers"),
        (zipped("arcgrad_graph.npy", HUGE), "arcgrad_graph has shape"),
    ],
)
def test_malformed(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(data, "g.npz")
    assert caught.value.file == "g.npz"


@pytest.mark.parametrize("shape", ["(4611686018427387904,)", "(1099511627776, 1048576)", "(-1,)", "(1 2,)", "x", "("])
@pytest.mark.parametrize("name", ["arcgrad_graph", "src", "weight"])
def test_headers_that_promise_what_is_not_there(name: str, shape: str) -> None:
    """Sizes are compared before memory is taken: no MemoryError, no TokenError, no AttributeError."""
    members = {key: npy_with("()" if key in ("arcgrad_graph", "n_states") else "(1,)") for key in MEMBERS}
    members[name] = npy_with(shape)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for key, content in members.items():
            target.writestr(f"{key}.npy", content)
    with pytest.raises(FormatError, match=name):
        read(buffer.getvalue(), "g.npz")


def test_members_that_nobody_asked_for_are_not_read() -> None:
    buffer = io.BytesIO(write(linear([1, 2])))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as target:
        target.writestr("unused.npy", bytes(50_000_000))
        target.writestr("arrays/unused.npy", b"no array")
    tracemalloc.start()
    assert read(buffer.getvalue(), "g.npz").n_arcs == 2
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_flipped_bytes_give_a_graph_or_a_format_error() -> None:
    data = bytearray(write(linear([1, 2, 3], weight=[0.5, 1.5, 2.5])))
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            assert read(bytes(damaged)).n_states >= 0
        except FormatError:
            refused += 1
    assert 0 < refused < 400
