"""Drawings as users meet them: files, notebooks, and errors that say what was wrong."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime.draw.drawing import Drawing

GRAPH = ag.Graph([0, 0, 1], [1, 1, 2], [0, 1, 2], weight=[0.5, -1.0, 0.0], accept=[2])
MOVING: dict[str, Any] = {"X": np.zeros((3, 2)), "Y": ag.linear([1, 0, 1])}


def skip_without_cairo() -> None:
    try:
        import cairosvg  # noqa: F401
    except (ImportError, OSError) as error:  # the package, or the library that it needs
        pytest.skip(f"cairosvg cannot be imported: {error}")


def test_draw_gives_a_drawing_and_writes_it(tmp_path: Path) -> None:
    picture = GRAPH.draw(tmp_path / "g.svg", symbols="abc")
    assert isinstance(picture, Drawing)
    assert (tmp_path / "g.svg").read_text(encoding="utf-8") == picture.svg
    GRAPH.draw(str(tmp_path / "g.dot"), symbols="abc", color=[1.0, 0.0, -1.0], title='a "title"')
    dot = (tmp_path / "g.dot").read_text(encoding="utf-8")
    assert '  0 -> 1 [label="a/0.5", color="#d0460a", penwidth=4.60];' in dot.splitlines()
    assert "  2 [shape=doublecircle];" in dot.splitlines()
    assert '  label="a \\"title\\""; labelloc=t;' in dot.splitlines()


def test_equations_and_traces_write_files(tmp_path: Path) -> None:
    equation = ag.compile("LSE[A B]")
    equation.draw(tmp_path / "e.svg")
    equation.draw(tmp_path / "e.dot", title="product")
    equation.trace(A=GRAPH, B=GRAPH).draw(tmp_path / "t.SVG")
    ag.heatmap([[1.0, 2.0]], tmp_path / "h.svg")
    assert {path.name for path in tmp_path.iterdir()} == {"e.svg", "e.dot", "t.SVG", "h.svg"}
    assert 'o2 [shape=box, label="·"];' in (tmp_path / "e.dot").read_text(encoding="utf-8")


def test_png(tmp_path: Path) -> None:
    skip_without_cairo()
    picture = GRAPH.draw(tmp_path / "g.png")
    data = (tmp_path / "g.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(data[k : k + 4], "big") for k in (16, 20))
    assert (width, height) == pytest.approx(tuple(2 * side for side in picture.size), abs=2)
    assert len(picture.png(scale=1.0)) < len(data)


def test_gif_moves(tmp_path: Path) -> None:
    skip_without_cairo()
    image = pytest.importorskip("PIL.Image")
    ag.compile("LSE[X ∘ Y]").draw_trellis(**MOVING, animate=True, file=tmp_path / "t.gif")
    with image.open(tmp_path / "t.gif") as found:
        assert found.n_frames >= 6


def test_without_cairosvg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "cairosvg":
            raise ImportError("No module named 'cairosvg'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ag.UnsupportedError, match=r"a PNG needs cairosvg(.|\n)*arcgrad\[plot\]"):
        GRAPH.draw(tmp_path / "g.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("g.jpg", "ends in .jpg, but pictures are written as .svg, .png, .dot or .gif"),
        ("picture", "has no suffix"),
        ("", "must be the name of a file"),
        ("a\0.svg", "must be the name of a file"),
        (3, "must be the name of a file"),
        (b"g.svg", "must be the name of a file"),
    ],
)
def test_wrong_files_are_refused_before_anything_is_drawn(file: Any, words: str) -> None:
    for draw in (
        GRAPH.draw,
        ag.compile("LSE[A]").draw,
        ag.compile("LSE[A]").trace(A=GRAPH).draw,
        lambda f: ag.heatmap(None, f),
        lambda f: ag.compile("LSE[X ∘ Y]").draw_trellis(file=f),
        GRAPH.draw().save,
    ):
        with pytest.raises(ag.InputError, match=words):
            draw(file)


def test_unwritable_files_are_the_systems_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        GRAPH.draw(tmp_path / "no" / "g.svg")
    (tmp_path / "d.svg").mkdir()
    with pytest.raises(IsADirectoryError):
        GRAPH.draw(tmp_path / "d.svg")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"color": [1.0, 2.0]}, r"color has 2 entries, but must be 3 real numbers, one an arc"),
        ({"width": np.zeros((3, 1))}, r"width has shape \(3, 1\)"),
        ({"color": ["red"] * 3}, "color has shape"),
        ({"color": [1.0, [2.0], 3.0]}, "numpy cannot make an array of it"),
        ({"color": [0.0, np.nan, 1.0]}, r"color\[1\] is nan"),
        ({"color": ag.linear([1])}, "color has 1 entries"),
        ({"symbols": "ab"}, r"label 2 is not in the table"),
        ({"symbols": 3}, "symbols"),
        ({"title": 3}, "title is 3"),
        ({"layout": "neato"}, "layout is 'neato', but must be one of 'layers', 'dot'"),
    ],
)
def test_bad_arguments(how: dict[str, Any], words: str) -> None:
    with pytest.raises(ag.InputError, match=words):
        GRAPH.draw(**how)


def test_infinite_numbers_are_painted_as_the_strongest() -> None:
    svg = GRAPH.draw(color=[np.inf, -np.inf, 0.5]).svg
    assert "#d0460a" in svg
    assert "#186ecd" in svg
    assert "nan" not in svg


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"data": "Z"}, "data names 'Z', but the inputs are A"),
        ({"data": 3}, "data is 3"),
        ({"data": [3]}, "data names 3"),
        ({"title": 3}, "title is 3"),
    ],
)
def test_bad_arguments_of_equations(how: dict[str, Any], words: str) -> None:
    equation = ag.compile("LSE[A]")
    for draw in (equation.draw, equation.trace(A=GRAPH).draw):
        with pytest.raises(ag.InputError, match=words):
            draw(**how)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0], "shape"),
        (np.zeros((2, 2, 2)), "one item of a batch at a time"),
        ([["a"]], "dtype"),
        ([[1.0], [1.0, 2.0]], "numpy cannot make an array"),
        ([[0.0, np.nan]], r"values\[0, 1\] is nan"),
    ],
)
def test_bad_heatmaps(values: Any, words: str) -> None:
    with pytest.raises(ag.InputError, match=words):
        ag.heatmap(values)


def test_empty_heatmaps_are_drawn() -> None:
    for shape in ((0, 0), (0, 3), (3, 0)):
        assert ag.heatmap(np.zeros(shape)).svg.startswith("<svg")


def test_what_is_no_graph_has_no_dot(tmp_path: Path) -> None:
    picture = ag.heatmap([[1.0]])
    with pytest.raises(ag.UnsupportedError, match="not a graph"):
        picture.save(tmp_path / "h.dot")
    assert picture.text() is None
    with pytest.raises(ag.InputError, match="does not move"):
        picture.save(tmp_path / "h.gif")
    assert not list(tmp_path.iterdir())


def test_notebooks_get_pictures_and_texts() -> None:
    equation = ag.compile("LSE[A A]")
    things: list[tuple[Any, set[str]]] = [
        (GRAPH, {"image/svg+xml", "text/plain"}),
        (GRAPH.draw(), {"image/svg+xml", "text/plain"}),
        (equation, {"image/svg+xml", "text/latex", "text/plain"}),
        (equation.trace(A=GRAPH), {"image/svg+xml", "text/plain"}),
        (ag.compile("A A").jacobian(A=GRAPH, wrt="A"), {"image/svg+xml", "text/plain"}),
        (equation.explain(), {"text/markdown", "text/plain"}),
    ]
    for thing, kinds in things:
        bundle = thing._repr_mimebundle_()
        assert set(bundle) == kinds
        assert bundle["text/plain"] == (str(thing) if not isinstance(thing, Drawing) else repr(thing))
        if "image/svg+xml" in bundle:
            assert bundle["image/svg+xml"].startswith("<svg")
    assert GRAPH.draw()._repr_svg_() == GRAPH.draw().svg
    assert equation._repr_mimebundle_()["text/latex"] == rf"$\displaystyle {equation.latex}$"


def test_notebooks_get_pictures_of_gradients() -> None:
    x, y = np.zeros((4, 3)), ag.graphs.alignments([1, 2])
    equation = ag.compile("α LSE[X ∘ Y]")
    _, grad = equation.value_and_grad(X=x, Y=y, α=1.0)
    bundle = grad._repr_mimebundle_()  # type: ignore[attr-defined]
    assert bundle["text/plain"] == repr(grad)
    for words in ("gradient with respect to X", "gradient with respect to Y"):
        assert f">{words}</text>" in bundle["image/svg+xml"]
    assert "with respect to α" not in bundle["image/svg+xml"]
    for inputs in (
        {"X": np.stack([x, x]), "Y": [y, y], "α": np.ones(2)},
        {"X": np.zeros((4000, 60)), "Y": y, "α": 1.0},
    ):
        _, grad = equation.value_and_grad(inputs, wrt="X")
        assert set(grad._repr_mimebundle_()) == {"text/plain"}  # type: ignore[attr-defined]


def test_notebooks_show_no_picture_that_takes_long() -> None:
    graph = ag.linear(np.zeros(60_000, dtype=int))
    assert set(graph._repr_mimebundle_()) == {"text/plain"}
    large = ag.compile(" + ".join(f"LSE[A{k}]" for k in range(100)))
    assert set(large._repr_mimebundle_()) == {"text/latex", "text/plain"}


def test_ipython_shows_them() -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    bundle, _ = formatters.DisplayFormatter().format(GRAPH)
    assert bundle["image/svg+xml"] == GRAPH.draw().svg


def test_jacobians_are_drawn() -> None:
    jacobian = ag.compile("A B").jacobian(A=ag.linear([1, 2]), B=ag.linear([3]), wrt="A")
    picture = jacobian.draw(title="∂(A B)/∂A")
    assert repr(picture).endswith("A heat map of 4 arcs of the result over 2 arcs of the input>")
    assert picture.svg.count('fill="#160c2e"') >= 2
    wide = ag.compile("A A").jacobian(A=ag.linear(range(3000)), wrt="A")
    assert set(wide._repr_mimebundle_()) == {"text/plain"}
    with pytest.raises(ag.InputError, match="too large to draw"):
        wide.draw()
