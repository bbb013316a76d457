"""Golden pictures, and what holds for each: well-formed, described, escaped, nothing over anything else."""

from __future__ import annotations

import itertools
import math
import random
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.adapter import convert
from support.pictures import NAMES, PICTURES
from support.random_graphs import Style, draw_graph

import arcgrad as ag
from arcgrad.runtime.draw.scene import Circle, Group, Scene, Shape, Text, at_time, text_width, visible
from arcgrad.runtime.draw.summary import distances

SVG = "{http://www.w3.org/2000/svg}"


# Too long to keep; the tests below look at it, too.
KEPT = [name for name in PICTURES if name != "two-hundred"]


@pytest.mark.parametrize("name", KEPT)
def test_picture_is_the_golden_one(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.svg", PICTURES[name]().svg)


def test_golden_files_are_small_and_all_are_used(request: pytest.FixtureRequest) -> None:
    files = list((request.path.parent / "golden").glob("*.svg"))
    assert {file.stem for file in files} == set(KEPT)
    assert sum(file.stat().st_size for file in files) < 200_000


@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_well_formed_and_described(name: str) -> None:
    root = ET.fromstring(PICTURES[name]().svg)
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert title.text
    assert description is not None
    assert description.text
    assert root.get("role") == "img"
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "rect", "circle", "path", "text", "g", "animate",
    }  # fmt: skip


def texts_of(shapes: Sequence[Shape]) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """Every text with its box."""
    for shape in shapes:
        if isinstance(shape, Group):
            yield from texts_of(shape.shapes)
        elif isinstance(shape, Text):
            wide = text_width(shape.text, shape.size, shape.bold)
            left = shape.x - {"start": 0.0, "middle": wide / 2, "end": wide}[shape.anchor]
            yield shape.text, (left, shape.y - 0.75 * shape.size, left + wide, shape.y + 0.2 * shape.size)


def faults_of(scene: Scene) -> list[str]:
    """Texts that overlap or leave the picture."""
    texts = list(texts_of(scene.shapes))
    faults = []
    for (one, a), (other, b) in itertools.combinations(texts, 2):
        if a[0] < b[2] - 0.5 and b[0] < a[2] - 0.5 and a[1] < b[3] - 0.5 and b[1] < a[3] - 0.5:
            faults.append(f"{one!r} is over {other!r}")
    for text, (left, top, right, bottom) in texts:
        if left < 0 or top < 0 or right > scene.width or bottom > scene.height:
            faults.append(f"{text!r} leaves the picture")
    return faults


@pytest.mark.parametrize("name", PICTURES)
def test_no_texts_overlap(name: str) -> None:
    scene = PICTURES[name]()._scene
    for time in (0.0, 0.3, 0.6, 0.99) if scene.seconds else (0.0,):
        assert faults_of(replace(scene, shapes=at_time(scene.shapes, time))) == []


@pytest.mark.parametrize("seed", range(40))
def test_no_texts_overlap_in_random_graphs(seed: int) -> None:
    rng = random.Random(seed)
    style = Style(
        n_labels=rng.choice([1, 3, 6]), cycles=0.5, infinite=0.1, n_states=12, spread=rng.choice([1.0, 400.0])
    )
    graph = convert(draw_graph(rng, style, rng.random() < 0.5))
    picture = graph.draw(symbols=NAMES, color=graph.arc_weight if rng.random() < 0.3 else None, title="a title")
    assert faults_of(picture._scene) == []
    states = [c for g in picture._scene.shapes if isinstance(g, Group) and g.role == "state" for c in g.shapes]
    circles = [shape for shape in states if isinstance(shape, Circle)]
    assert len(circles) == graph.n_states + len(graph.accept)


def test_text_faults_are_seen() -> None:
    scene = Scene(50.0, 50.0, [Text(20.0, 20.0, "one"), Text(25.0, 22.0, "two"), Text(49.0, 45.0, "three")])
    assert faults_of(scene) == ["'one' is over 'two'", "'three' leaves the picture"]


@pytest.mark.parametrize(
    "text", ["</text><script>alert(1)</script>", "]]>", "&amp;", "\x00\x1b\ud800\ufffe", "\u202eevil", "a\nb"]
)
def test_texts_are_escaped(text: str) -> None:
    graph = ag.linear([0])
    equation = ag.compile("LSE[A]")
    pictures = [
        graph.draw(symbols=[text], title=text),
        equation.draw(title=text),
        equation.trace(A=graph).draw(symbols=[text], title=text),
        ag.heatmap([[1.0]], symbols=[text], title=text),
    ]
    for picture in pictures:
        root = ET.fromstring(picture.svg)  # what is not well-formed raises
        assert {element.tag.removeprefix(SVG) for element in root.iter()} & {"script", "a", "image"} == set()
        assert "\u202e" not in "".join(root.itertext())


def test_what_has_no_shape_is_shown_by_a_sign() -> None:
    assert visible("a b\n\u200b\u00a0é") == "a␣b␊U+200B␣é"


def test_labels_are_as_the_textbook_writes_them() -> None:
    graph = ag.Graph([0, 0, 0], [1, 1, 1], [0, -1, 1], [1, 2, -1], weight=[0.5, 0.0, -math.inf], accept=[1])
    root = ET.fromstring(graph.draw(symbols="abc").svg)
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {"a:b/0.5", "ε:c", "b:ε/−∞"} <= texts
    assert "<title>arc 0: 0 → 1, a:b/0.5</title>" in graph.draw(symbols="abc").svg


def test_both_tables_of_symbols_are_used() -> None:
    graph = ag.Graph([0], [1], [0], [0], accept=[1])
    assert "a" in {e.text for e in ET.fromstring(graph.draw(symbols="ab", osymbols="xy").svg).iter(f"{SVG}text")}
    graph = ag.Graph([0], [1], [0], [1], accept=[1])
    assert "a:y" in {e.text for e in ET.fromstring(graph.draw(symbols="ab", osymbols="xy").svg).iter(f"{SVG}text")}


def test_long_names_are_in_the_legend() -> None:
    name = "a name that is far too long for an arc"
    svg = ag.linear([0, 0], weight=[1.0, 2.0]).draw(symbols=[name]).svg
    assert svg.count(f">{visible(name)}</text>") == 1
    assert svg.count("¹/1</text>") == svg.count("¹/2</text>") == 1


def test_gradients_are_colours_and_widths() -> None:
    graph = ag.Graph([0, 0, 0], [1, 1, 1], [0, 1, 2], accept=[1])

    def drawn(**how: Any) -> list[tuple[str | None, str | None]]:
        root = ET.fromstring(graph.draw(**how).svg)
        return [
            (path.get("stroke"), path.get("stroke-width")) for path in root.iter(f"{SVG}path") if path.get("stroke")
        ]

    plain = drawn()
    assert len(set(plain)) == 1
    painted = drawn(color=[1.0, 0.5, -1.0])
    assert len({colour for colour, _ in painted}) == 3
    assert [width for _, width in painted] == ["4.6", "2.8", "4.6"]
    assert drawn(color=ag.linear([0, 1, 2], [1.0, 0.5, -1.0])) == painted
    assert [width for _, width in drawn(color=[1.0, 0.5, -1.0], width=[0, 1, 2])] == ["1", "2.8", "4.6"]
    assert len({colour for colour, _ in drawn(width=[0, 1, 2])}) == 1


def test_tied_graphs_take_one_number_a_parameter() -> None:
    graph = ag.Graph([0, 0, 0], [1, 1, 1], [0, 1, 2], weight=[1.0, 2.0], tie=[0, 1, 0], accept=[1])
    assert graph.draw(color=[0.1, 0.9]).svg == graph.draw(color=[0.1, 0.9, 0.1]).svg


def test_pictures_are_the_same_in_every_process() -> None:
    code = "from support.pictures import PICTURES; import zlib; print(zlib.crc32(PICTURES['lattice']().svg.encode()))"
    found = {
        subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, 'tests'); {code}"],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_large_graphs_are_summed_up() -> None:
    svg = PICTURES["large"]().svg
    assert "500 arcs" in svg
    assert len(svg) < 20_000
    wide = ag.Graph([], [], [], n_states=2**20, accept=[0])
    assert "cannot be reached" in wide.draw().svg


def test_a_graph_may_claim_any_number_of_states() -> None:
    svg = ag.Graph([0, 5], [2**31 - 2, 6], [1, 1]).draw().svg
    assert "2,147,483,645 states cannot be reached" in svg


@pytest.mark.parametrize("seed", range(10))
def test_distances_are_those_of_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 12)), int(rng.integers(0, 20))
    graph = ag.Graph(rng.integers(0, n, m), rng.integers(0, n, m), [0] * m, start=rng.integers(0, n, 2), n_states=n)
    known = dict.fromkeys(graph.start.tolist(), 0)
    for _ in range(n):
        for src, dst, *_ in graph.arcs():
            if src in known:
                known[dst] = min(known.get(dst, n), known[src] + 1)
    far, left = distances(graph.topology)
    assert sorted(far[far >= 0].tolist()) == sorted(known.values())
    assert left.tolist() == [known.get(src, -1) for src in graph.src.tolist()]


def test_tangles_are_summed_up() -> None:
    weights = np.arange(169.0).reshape(13, 13)
    assert "between any two states" in ag.graphs.bigram(weights).draw().svg
    assert "between any two states" not in ag.graphs.bigram(weights[:5, :5]).draw().svg
    graph = ag.graphs.bigram(weights)
    assert "sum of the colours" in graph.draw(color=graph.arc_weight).svg


def test_graphviz_lays_out_where_it_is_installed() -> None:
    graph = ag.graphs.alignments([1, 2])
    try:
        picture = graph.draw(layout="dot", title="alignments")
    except ag.UnsupportedError as error:
        pytest.skip(str(error))
    assert picture.svg.count('class="state"') == graph.n_states
    assert picture.svg.count('class="arc"') == graph.n_arcs
    assert picture.svg != graph.draw(title="alignments").svg


def test_dot_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ag.UnsupportedError, match="needs Graphviz"):
        ag.linear([1]).draw(layout="dot")


def test_width_of_text_is_never_too_small() -> None:
    """Against the advances of DejaVu Sans, the widest of the fonts that browsers take."""
    fonts = pytest.importorskip("matplotlib.font_manager")
    for bold in (False, True):
        path = fonts.findfont(fonts.FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal"))
        font = fonts.get_font(path)
        font.set_size(100, 72)
        for character in map(chr, [*range(33, 127), *map(ord, "ε−·∘∞…→₀₁₂₃⁰¹²³αβγéüß␣∅")]):
            advance = font.load_char(ord(character)).linearHoriAdvance / 65536
            assert text_width(character, 100, bold) >= advance * 0.999, (character, bold)
    assert text_width("e\u0301") == text_width("e")
