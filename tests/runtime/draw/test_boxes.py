"""Graphs in box characters: golden ones, what is in each, and when there is none."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from support.adapter import convert
from support.pictures import PICTURES
from support.random_graphs import Style, draw_graph

import arcgrad as ag

SMALL = ("chain", "self-loops", "ctc", "ctc-topology", "asg", "cyclic", "closure", "parallel", "transducer", "epsilon",
         "empty", "lost-states")  # fmt: skip


def test_texts_are_the_golden_ones(golden: Callable[[str, str], None]) -> None:
    parts = [f"{name}\n{PICTURES[name]().text(width=100)}\n" for name in SMALL]
    parts += [f"{name}, in ASCII\n{PICTURES[name]().text(ascii=True)}\n" for name in ("ctc", "closure", "transducer")]
    parts += [f"{name}\n{PICTURES[name]().text()}\n" for name in ("computation", "ctc-loss", "trace")]
    golden("boxes.txt", "\n".join(parts))


@pytest.mark.parametrize("seed", range(50))
def test_all_states_and_labels_are_there(seed: int) -> None:
    rng = random.Random(seed)
    graph = convert(draw_graph(rng, Style(cycles=0.5, n_states=6), rng.random() < 0.5))
    picture = graph.draw()
    text = picture.text(width=200)
    if text is None:
        assert graph.n_arcs > 12
        return
    if graph.n_states == 0:
        assert text == "(no states)"
        return
    found = re.findall(r"(>?)(\(?)\((\d+)\)", text)
    assert sorted((int(state), bool(start), bool(accept)) for start, accept, state in found) == [
        (state, state in graph.start, state in graph.accept) for state in range(graph.n_states)
    ]
    forward, back = text.count("▶"), text.count("◀")
    between = {(src, dst, k) for k, (src, dst, *_) in enumerate(graph.arcs()) if src != dst}
    assert (forward + back > 0) == bool(between)
    assert text.count("↺") >= len({src for src, dst, *_ in graph.arcs() if src == dst})
    assert all(line == line.rstrip() for line in text.split("\n"))
    plain = picture.text(ascii=True, width=400)
    assert plain is not None
    assert plain.isascii()


@pytest.mark.parametrize("seed", range(40))
def test_lines_lead_from_state_to_state(seed: int) -> None:
    """Whoever follows the lines from a label finds the states of its arc, and no others."""
    rng = random.Random(1000 + seed)
    n, m = rng.choice([(2, 3), (4, 6), (5, 9), (7, 12), (9, 16)])
    ends = sorted({(a, b) for a, b in ((rng.randrange(n), rng.randrange(n)) for _ in range(m)) if a != b})
    graph = ag.Graph([a for a, _ in ends], [b for _, b in ends], range(len(ends)), n_states=n)
    text = graph.draw(symbols=[chr(97 + k) * 2 for k in range(len(ends))] or ["a"]).text(width=1000)
    assert text is not None
    assert followed(text) == {chr(97 + k) * 2: end for k, end in enumerate(ends)}


STEPS = {(0, -1): "─╰╭├┴┬┼", (0, 1): "─╯╮┤┴┬┼", (-1, 0): "│╮╭├┤┬┼", (1, 0): "│╯╰├┤┴┼"}
OPEN = {
    "─": {(0, -1), (0, 1)}, "│": {(-1, 0), (1, 0)}, "╭": {(0, 1), (1, 0)}, "╮": {(0, -1), (1, 0)},
    "╰": {(0, 1), (-1, 0)}, "╯": {(0, -1), (-1, 0)}, "├": {(-1, 0), (1, 0), (0, 1)},
    "┤": {(-1, 0), (1, 0), (0, -1)}, "┬": {(0, -1), (0, 1), (1, 0)}, "┴": {(0, -1), (0, 1), (-1, 0)},
    "┼": {(-1, 0), (1, 0), (0, -1), (0, 1)},
}  # fmt: skip


def followed(text: str) -> dict[str, tuple[int, int]]:
    """For each label the source and destination that its line leads to, read off the characters."""
    lines = text.split("\n")

    def at(row: int, column: int) -> str:
        return lines[row][column] if 0 <= row < len(lines) and 0 <= column < len(lines[row]) else " "

    def reach(row: int, column: int, way: tuple[int, int]) -> set[int]:
        """States at the ends of the lines that go on from a cell; a line that crosses is passed under."""
        found: set[int] = set()
        seen = set()
        stack = [(row, column, way)]
        while stack:
            r, c, (dr, dc) = stack.pop()
            r, c = r + dr, c + dc
            if (r, c, dr, dc) in seen:
                continue
            seen.add((r, c, dr, dc))
            character = at(r, c)
            if character in "()>":
                begin, end = lines[r].rfind("(", 0, c + 1), lines[r].find(")", c)
                if dc > 0:
                    begin = lines[r].find("(", c)
                    end = lines[r].find(")", begin)
                else:
                    end = c
                    begin = lines[r].rfind("(", 0, c)
                found.add(int(re.sub(r"\D", "", lines[r][begin : end + 1])))
            elif character in "▶◀" or character.isalpha():
                continue  # another arc's label, of the same tree
            elif character == "│" and dr == 0:
                stack.append((r, c, (dr, dc)))
            elif character in OPEN and (-dr, -dc) in OPEN[character]:
                stack += [(r, c, step) for step in OPEN[character] if step != (-dr, -dc)]
        return found

    result = {}
    for row, line in enumerate(lines):
        for label in re.finditer(r"([a-z])\1", line):
            begin, end = label.start(), label.end()
            while at(row, begin - 1) in "─◀" and at(row, begin) != "◀":
                begin -= 1
            while at(row, end) in "─▶" and at(row, end - 1) != "▶":
                end += 1
            left, right = reach(row, begin, (0, -1)), reach(row, end - 1, (0, 1))
            assert len(left) == len(right) == 1, (label[0], left, right)
            is_back = "◀" in line[begin : label.start()]
            ends = (*left, *right)
            result[label[0]] = (ends[1], ends[0]) if is_back else (ends[0], ends[1])
    return result


def test_a_picture_too_wide_is_none() -> None:
    picture = ag.linear(range(40)).draw()
    assert picture.text() is None
    assert picture.text(width=1000) is not None
    assert ag.linear(range(200)).draw().text(width=10_000) is None


def test_wide_characters_take_two_cells() -> None:
    text = ag.linear([0, 1]).draw(symbols=["日本", "x"]).text()
    assert text == ">(0)──日本─▶─(1)──x─▶─((2))"
