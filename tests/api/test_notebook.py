"""``%load_ext arcgrad`` in an IPython shell of this process: values, pictures, errors, completion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

pytest.importorskip("IPython", reason="IPython is not installed: pip install arcgrad[notebook]")


@pytest.fixture(scope="module")
def shell() -> Iterator[Any]:
    from IPython.core.interactiveshell import InteractiveShell

    before = InteractiveShell.instance() if InteractiveShell.initialized() else None
    InteractiveShell.clear_instance()
    found = InteractiveShell.instance(history_length=0)
    found.history_manager.enabled = False
    found.run_line_magic("load_ext", "arcgrad")
    yield found
    InteractiveShell.clear_instance()
    assert before is None


@pytest.fixture
def names(shell: Any) -> Iterator[dict[str, Any]]:
    given = {"A_1": ag.linear("ab", [0.5, 0.25]), "B": ag.linear("ab"), "X": np.zeros((2, 3)), "table": ["x", "y", "z"]}
    kept = dict(shell.user_ns)
    shell.user_ns.update(given)
    yield shell.user_ns
    shell.user_ns.clear()
    shell.user_ns.update(kept)


class Display:
    """What was displayed, instead of showing it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: list[Any] = []
        monkeypatch.setattr("IPython.display.display", lambda *things: self.shown.extend(things))


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Display:
    return Display(monkeypatch)


def test_a_line_is_a_value(shell: Any, names: dict[str, Any]) -> None:
    result = shell.run_cell("value = %arcgrad LSE[A₁ ∘ B] + 1\nvalue", silent=True)
    assert result.error_in_exec is None
    assert names["value"] == pytest.approx(1.75)


def test_a_cell_shows_a_score_and_its_equation(shell: Any, names: dict[str, Any], display: Display) -> None:
    shell.run_cell_magic("arcgrad", "-o loss --grad A1", "LSE[A1 ∘ B]\n")
    value, picture, gradient = display.shown
    assert value == names["loss"] == pytest.approx(0.75)
    assert "∘" in picture.svg
    assert "gradient with respect to A1" in gradient.svg


def test_a_cell_shows_a_graph(
    shell: Any, names: dict[str, Any], display: Display, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell_magic("arcgrad", "--symbols chr --plan", 'both = A1 + "b"\nboth B')
    (picture,) = display.shown
    assert ">a/0.5<" in picture.svg
    out = capsys.readouterr().out
    assert out.startswith("Graph(")
    assert "rewriting" in out


def test_a_table_is_for_literals_and_pictures(shell: Any, names: dict[str, Any], display: Display) -> None:
    shell.run_cell_magic("arcgrad", "--symbols table -o made", '"yz"')
    assert names["made"].ilabel.tolist() == [1, 2]
    assert ">y<" in display.shown[0].svg


def test_dense_inputs_are_data(
    shell: Any, names: dict[str, Any], display: Display, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell_magic("arcgrad", "--grad X --symbols table", "LSE[X]")
    value, _, gradient = display.shown
    assert value == pytest.approx(2 * np.log(3))
    assert "gradient with respect to X" in gradient.svg
    assert ">z<" in gradient.svg
    names["X"] = np.zeros((4, 2, 3))
    shell.run_cell_magic("arcgrad", "--grad X", "LSE[X]")
    assert "gradient with respect to X\n[[[0.333" in capsys.readouterr().out


def test_a_trace_shows_what_lies_between(shell: Any, names: dict[str, Any], display: Display) -> None:
    shell.run_cell_magic("arcgrad", "--trace", "LSE[A1 ∘ B]")
    assert "G₂" in display.shown[1].svg or "G2" in display.shown[1].svg


@pytest.mark.parametrize(
    ("options", "text", "error", "message"),
    [
        ("", "LSE[A1 ∘", ag.ArcgradError, "EquationError: "),
        ("", "LSE[C] + LSE[D]", ag.InputError, "C, D are not defined in this notebook"),
        ("", "# nothing", ag.ArcgradError, "EquationError: "),
        ("--symbols nothing", '"a"', ag.InputError, "nothing is not defined"),
        ("--colour", "LSE[B]", ag.InputError, "unrecognized arguments: --colour"),
        ("--grad Z", "LSE[B]", ag.InputError, "'Z' is not an input"),
        ("--trace", "LSE[X", ag.ArcgradError, "EquationError: "),
    ],
)
def test_errors_are_those_of_the_package(
    shell: Any, names: dict[str, Any], display: Display, options: str, text: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        shell.run_cell_magic("arcgrad", options, text)
    assert "Traceback" not in "\n".join(caught.value._render_traceback_())  # type: ignore[attr-defined]
    assert not display.shown


def test_an_error_in_a_cell_shows_the_caret_and_no_traceback(
    shell: Any, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("%%arcgrad\nLSE[A1 ○ B]")
    printed = capsys.readouterr()
    said = printed.out + printed.err
    assert "^" in said
    assert "notebook.py" not in said


@pytest.mark.parametrize(
    ("text", "offered", "not_offered"),
    [
        ("%arcgrad LS", {"LSE["}, {"LSTM"}),
        ("%%arcgrad\nA_", {"A_1"}, {"LSE["}),
        ("%%arcgrad\nLSE[B \\cir", {"∘"}, {"α"}),
        ("value = %arcgrad \\alph", {"α"}, {"∘"}),
        ("x = 1\nvalue = %arcgrad LSE[B", {"B"}, set()),
    ],
)
def test_completion(shell: Any, names: dict[str, Any], text: str, offered: set[str], not_offered: set[str]) -> None:
    names["LSTM"] = "not an input"
    shell.Completer.namespace = names
    found = {completion.text for completion in _completions(shell, text)}
    assert offered <= found
    assert not not_offered & found


def test_python_is_completed_as_before(shell: Any, names: dict[str, Any]) -> None:
    shell.Completer.namespace = names
    assert "LSE[" not in {completion.text for completion in _completions(shell, "LS")}


def _completions(shell: Any, text: str) -> list[Any]:
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        return list(shell.Completer.completions(text, len(text)))


def test_loading_again_replaces(shell: Any) -> None:
    ag.load_ipython_extension(shell)
    matchers = [
        each for each in shell.Completer.custom_matchers if getattr(each, "matcher_identifier", "") == "arcgrad"
    ]
    assert len(matchers) == 1
