"""Symbol tables: how they are made, looked up, written and read."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcgrad.equation import compile_equation
from arcgrad.grammar.errors import EquationError, FormatError, InputError
from arcgrad.runtime.data.symbols import CODE_POINTS, SymbolTable


def refused(*parts: str):
    return pytest.raises(InputError, match="".join(f"(?=(?s:.*{re.escape(part)}))" for part in parts))


def test_from_an_iterable_a_text_and_a_mapping() -> None:
    table = SymbolTable(["a", "b", "<space>"], first=1)
    assert [table[s] for s in table] == [1, 2, 3]
    assert table == SymbolTable({"a": 1, "b": 2, "<space>": 3})
    assert SymbolTable("abc") == SymbolTable(["a", "b", "c"])
    assert len(table) == 3
    assert "b" in table
    assert "c" not in table
    assert 1 not in table
    assert table.symbol(3) == "<space>"
    assert table.symbol(-1) == "ε"
    assert len(SymbolTable([])) == 0


def test_encode_and_decode() -> None:
    table = SymbolTable(["a", "b", "<space>"])
    assert table.encode("abba") == [0, 1, 1, 0]
    assert table.encode(["<space>", "a"]) == [2, 0]
    assert table.decode([0, -1, 2]) == ["a", "ε", "<space>"]
    with refused("symbol 'c' at position 2"):
        table.encode("abc")
    with refused("label 7"):
        table.decode([0, 7])
    with refused("label 1.5 (float)"):
        table.decode([1.5])


def test_unknown_symbols_get_a_hint() -> None:
    table = SymbolTable(["hello", "world", "x"])
    with refused("'helo' is not in the table", "did you mean 'hello'?"):
        table["helo"]
    with refused("did you mean 'x'?"):
        table["X"]
    with refused("symbols are strings"):
        table[3]
    with refused("label -2"):
        table.symbol(-2)


@pytest.mark.parametrize(
    ("symbols", "first", "parts"),
    [
        (["a", "a"], 0, ["'a' occurs twice", "0 and 1"]),
        ({"a": 1, "b": 1}, 0, ["label 1 is given to two symbols", "'a' and 'b'"]),
        ([""], 0, ["non-empty"]),
        ([3], 0, ["symbol 3 (int)"]),
        ({"a": "1"}, 0, ["label of symbol 'a' is '1'"]),
        ({"a": True}, 0, ["label of symbol 'a' is True"]),
        ({"a": -1}, 0, ["is -1 (int), but must be an integer"]),
        ({"a": 2**31}, 0, ["2147483648"]),
        (["a"], -1, ["is -1 (int), but must be an integer"]),
        (["a"], 1.0, ["first is 1.0"]),
        ({"a": 0}, 1, ["first numbers an iterable"]),
        (7, 0, ["symbols is 7 (int)"]),
    ],
)
def test_bad_tables(symbols: object, first: object, parts: list[str]) -> None:
    with refused(*parts):
        SymbolTable(symbols, first=first)


def test_equality_hash_pickle_and_copy() -> None:
    table = SymbolTable("abc", first=5)
    for other in (pickle.loads(pickle.dumps(table)), copy.copy(table), copy.deepcopy(table)):
        assert other == table
        assert hash(other) == hash(table)
    assert table != SymbolTable("abc")
    assert table != "abc"
    assert pickle.loads(pickle.dumps(CODE_POINTS)) is CODE_POINTS
    assert SymbolTable([]) != CODE_POINTS


def test_epsilon_of_openfst_files() -> None:
    for name in ("<eps>", "<epsilon>", "ε", "eps", "epsilon"):
        table = SymbolTable.from_text(f"{name} 0\na\t1\n\nb 2")
        assert table == SymbolTable("ab", first=1)
    assert SymbolTable.from_text("a 0\n<eps> 1") == SymbolTable(["a", "<eps>"])
    assert SymbolTable("ab", first=1).to_text() == "<eps>\t0\na\t1\nb\t2\n"
    assert SymbolTable("ab").to_text() == "a\t0\nb\t1\n"
    assert SymbolTable({"<eps>": 4}).to_text() == "<epsilon>\t0\n<eps>\t4\n"
    with refused("'<eps>' with label 0 would be read as ε"):
        SymbolTable(["<eps>"]).to_text()


@pytest.mark.parametrize("symbol", ["a b", " ", "a\n", "\t", "\ufeff"])
def test_white_space_cannot_be_written(symbol: str) -> None:
    with refused("cannot express"):
        SymbolTable([symbol]).to_text()


@pytest.mark.parametrize("symbol", ["<s>", "</s>", "<unk>", "\u3000", "\u00a0", "a\u00a0b", "\x0b", "\u2028", "\x85"])
def test_other_white_space_is_a_symbol_in_files_and_literals(symbol: str, tmp_path: Path) -> None:
    table = SymbolTable({"a": 1, symbol: 5})
    table.save(tmp_path / "t.txt")
    assert SymbolTable.load(tmp_path / "t.txt") == table
    literal = symbol if len(symbol) == 1 or symbol[0] == "<" else f"<{symbol}>"
    for text in (f'"{literal}a"', f're"{literal}a"', f're"[{literal}][^{literal}]"'):
        assert compile_equation(text, symbols=table)().ilabel.tolist() in ([5, 1], [5, -1, 1])


def test_a_name_in_brackets_is_looked_up_without_them_first() -> None:
    table = SymbolTable(["s", "<s>", "<unk>", "eps"])
    for text, label in {'"s"': 0, '"<s>"': 0, r'"<\<s\>>"': 1, '"<unk>"': 2, '"<eps>"': 3}.items():
        assert compile_equation(text, symbols=table)().ilabel.tolist() == [label]
    with pytest.raises(EquationError, match="no symbol 'u' and no '<u>'"):
        compile_equation('"<u>"', symbols=table)
    with pytest.raises(EquationError, match=r"no symbol 'x'\n(?s:.*)its symbol <x> is written <x>"):
        compile_equation('"x"', symbols=["<x>"])


@pytest.mark.parametrize(
    ("given", "meant", "hint"),
    [
        ("\u00e9", "e\u0301", "U+0065 U+0301, where yours has U+00E9"),
        ("c\u0430t", "cat", "U+0061, where yours has U+0430"),
        ("cat\u200b", "cat", "nothing, where yours has U+200B"),
        ("A", "a", "did you mean 'a'?"),
    ],
)
def test_what_looks_alike_is_told_apart(given: str, meant: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        SymbolTable([meant, "zzz"])[given]
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a", 1, 2, "found 1 fields"),
        ("a 1 2", 1, 5, "found 3 fields"),
        ("a 1\nb x", 2, 3, "expected label"),
        ("a -1", 1, 3, "must be from 0"),
        ("a 2147483648", 1, 3, "must be from 0"),
        ("a 1\n\na 2", 3, 1, "'a' occurs twice, with labels 1 and 2"),
        ("a 1\r\nb  1", 2, 4, "given to another symbol on line 1"),
    ],
)
def test_malformed_symbol_files(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        SymbolTable.from_text(text, "words.txt")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("words.txt", line, column)


def test_files(tmp_path: Path) -> None:
    table = SymbolTable(["ä", "日本", "<x>"], first=3)
    table.save(tmp_path / "t.txt")
    assert SymbolTable.load(tmp_path / "t.txt") == table
    (tmp_path / "t.txt").write_bytes(b"a 1\n\xff 2")
    with pytest.raises(FormatError, match="0xff"):
        SymbolTable.load(tmp_path / "t.txt")


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 2**31 - 1), max_size=6))
def test_round_trip(labels: dict[str, int]) -> None:
    if len(set(labels.values())) < len(labels):
        return
    table = SymbolTable(labels)
    try:
        text = table.to_text()
    except InputError:
        return
    assert SymbolTable.from_text(text) == table


def test_code_points() -> None:
    assert CODE_POINTS["a"] == 97
    assert CODE_POINTS.symbol(949) == "ε"
    assert CODE_POINTS.symbol(-1) == "ε"
    assert CODE_POINTS.encode("a😀") == [97, 0x1F600]
    assert CODE_POINTS.decode([97, 98]) == ["a", "b"]
    assert "é" in CODE_POINTS
    assert "ab" not in CODE_POINTS
    assert len(CODE_POINTS) == 0x110000
    assert next(iter(CODE_POINTS)) == "\0"
    with refused("'ab' is not in the table", "need a SymbolTable"):
        CODE_POINTS["ab"]
    with refused("label 1114112"):
        CODE_POINTS.symbol(0x110000)
    with refused("not written"):
        CODE_POINTS.to_text()


def test_a_symbol_that_no_file_holds_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "t.txt"
    SymbolTable({"a": 1}).save(file)
    with pytest.raises(InputError, match="half a surrogate pair"):
        SymbolTable({"a": 1, "\ud800": 2}).save(file)
    assert SymbolTable.load(file)["a"] == 1
