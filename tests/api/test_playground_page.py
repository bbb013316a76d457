"""The playground's page in headless Chromium: typed into, mistyped, shared and reloaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chromium import Chromium, Page

import arcgrad as ag
from arcgrad.playground import Playground


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with Chromium() as browser, Playground() as playground:
        page = browser.open(playground.address)
        yield page
        complaints = page.complaints()
        assert complaints == []
        assert [address for address in page.requested() if not address.startswith(playground.address)] == []


def says(page: Page, selector: str, text: str) -> None:
    page.wait_for(f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(text)})")


def choose(page: Page, tab: str) -> None:
    page.evaluate(f"document.querySelector('#tab-{tab}').click()")


def example(page: Page, number: int) -> Any:
    page.evaluate(
        f"(() => {{ const s = document.querySelector('#examples'); s.value = '{number}';"
        "s.dispatchEvent(new Event('change')); })()"
    )


def test_typing_mistyping_sharing_and_reloading(page: Page) -> None:
    says(page, "#value", "−0.38673831248")  # the first example
    page.type("#equation", "COUNT[A + A]")
    page.wait_for("document.querySelector('#input-A')")
    says(page, "#inputs", "A is not given")
    page.type("#input-A", '"ab" + "c"')
    says(page, "#value", "= 4")
    page.type("#equation", "COUNT[A + A")
    says(page, "#equation-error", "COUNT[A + A\n       ^")
    assert page.evaluate("document.querySelector('#equation').getAttribute('aria-invalid')") == "true"
    page.type("#equation", "A A")
    says(page, "#value", "an acceptor of 10 states and 10 arcs")
    page.wait_for("document.querySelectorAll('#panel svg').length === 2")
    choose(page, "gradient")
    page.wait_for("document.querySelectorAll('#panel td.bar').length === 3")
    page.wait_for("document.body.className === ''")
    address = page.evaluate("location.href")
    page.go("about:blank")
    page.go(address)
    says(page, "#value", "an acceptor of 10 states and 10 arcs")
    assert page.evaluate("document.querySelector('#input-A').value") == '"ab" + "c"'
    assert page.evaluate("document.querySelector('[aria-selected=true]').id") == "tab-gradient"
    page.wait_for("document.querySelectorAll('#panel td.bar').length === 3")


def test_a_graph_is_read_from_a_file(page: Page, tmp_path: Path) -> None:
    page.type("#equation", "COUNT[G]")
    page.wait_for("document.querySelector('#input-G')")
    graph = ag.compile('"a" ("b" + "c" + "d")')()
    for name in ("g.fst", "g.gtn"):
        ag.save(tmp_path / name, graph)
        page.choose_file("#inputs input[type=file]", tmp_path / name)
        says(page, "#value", "= 3")
        if name == "g.fst":
            says(page, "#inputs", "the file g.fst (fst)")
            page.evaluate("document.querySelector('#input-G button').click()")
            says(page, "#inputs", "nothing is typed here yet")
    assert page.evaluate("document.querySelector('#input-G').value") == graph.to_text("gtn")
    page.evaluate("document.querySelector('#share').click()")
    page.wait_for("document.querySelector('#note').innerText.match(/[Cc]op/)")


def test_every_example_and_every_tab_shows_something(page: Page) -> None:
    count = page.evaluate("document.querySelectorAll('#examples option').length") - 1
    assert count >= 8
    for number in range(count):
        example(page, number)
        page.wait_for("document.body.className === ''")
        if number == count - 1:
            says(page, "#equation-error", "diverges")  # that is what it is there for
        assert page.evaluate("document.querySelectorAll('[role=alert]:not([hidden])').length") == (number == count - 1)
    example(page, 2)
    for tab, text in (
        ("plan", "trellis region over X"),
        ("source", "def routine("),
        ("python", "ag.dense([[0.2"),
        ("computation", "LSE"),
    ):
        choose(page, tab)
        says(page, "#panel", text)
    page.wait_for("document.querySelector('#panel svg')")
    choose(page, "gradient")
    says(page, "#panel", "gradient with respect to X")


def test_by_keyboard_alone(page: Page) -> None:
    example(page, 0)
    page.evaluate("document.querySelector('[aria-selected=true]').focus()")
    page.press("End", 35)
    says(page, "#panel", "import arcgrad as ag")
    page.press("ArrowLeft", 37)
    says(page, "#panel", "def routine(")
    page.press("Home", 36)
    page.wait_for("document.querySelector('#panel svg')")
    page.evaluate("document.querySelector('#equation').focus()")
    seen = []
    for _ in range(12):
        page.press("Tab", 9)
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"input-X", "tab-picture", "panel"} <= set(seen)


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.look(width, 800)
    example(page, 0)
    page.wait_for("document.querySelector('#panel svg')")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_light_and_dark(page: Page) -> None:
    colours = []
    for dark in (False, True):
        page.look(1000, 800, dark)
        script = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        colours.append([sum(map(int, c[4:-1].split(","))) for c in page.evaluate(script)])
    assert colours[0][0] > 600 > 200 > colours[0][1]
    assert colours[1][0] < 200 < 600 < colours[1][1]


@pytest.mark.parametrize(
    "hash_", ["#x", "#eyJlIjoxfQ", "#" + "A" * 5000, "#W10", "#bnVsbA", "#eyJlIjoiMSIsImkiOnsiQSI6bnVsbH19"]
)
def test_addresses_of_no_sense(page: Page, hash_: str) -> None:
    page.evaluate(f"location.hash = '{hash_}'")
    page.wait_for("document.body.className === '' && document.querySelector('#value').innerText")
    page.type("#equation", "1 + 2")
    says(page, "#value", "= 3")


def test_markup_in_what_is_typed_stays_text(page: Page) -> None:
    page.type("#equation", '"<img src=x onerror=alert(1)>"')
    says(page, "#equation-error", "img src=x")
    page.type("#equation", r'"\<b\>"')
    page.wait_for("document.querySelectorAll('#panel svg text').length > 3")
    says(page, "#panel", "<")
    assert page.evaluate("document.querySelectorAll('main img, main b').length") == 0
