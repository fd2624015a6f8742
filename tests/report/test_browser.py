"""The pages in a real browser: they open without an error or a request, and can be pointed at, zoomed, and read."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dlcheck.report import Report, to_html
from dlcheck.report.comparison import compare
from dlcheck.report.html.comparison import comparison_html
from dlcheck.report.html.profile import profile_html
from dlcheck.report.html.study import study_html
from dlcheck.report.html.treatment import treatment_html
from dlcheck.rules import diagnose, verdict
from dlcheck.runs.run import Run, layer_frame, phase_frame
from tests.report.test_study import FULL
from tests.report.treatments import TREATMENTS
from tests.rules.examples_speed import WHOLE
from tests.rules.fact_runs import fact_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZES = {"wide": (1280, 900), "phone": (390, 844)}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium without a window, or skip."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium here")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


class Opened:
    """A page that is open, and what it complained of or asked for."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda asked: self.complaints.append(asked.url) if asked.url != path.as_uri() else None)
        page.goto(path.as_uri())
        page.wait_for_selector("html.drawn", state="attached", timeout=60_000)

    def figure(self, place: int = 0) -> Locator:
        """Return a chart of the page."""
        return self.page.locator("figure.chart").nth(place)

    def domain(self, place: int = 0, scale: str = "x") -> tuple[float, float]:
        """Return the ends of an axis of a chart."""
        found = self.figure(place).evaluate(f"one => one.view.scale('{scale}').domain()")
        return float(found[0]), float(found[-1])

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; the page's policy does not let the browser wait for an expression."""
        for _ in range(200):
            if holds():
                return
            self.page.wait_for_timeout(25)
        raise AssertionError("not within five seconds")

    def centre(self, place: int = 0) -> tuple[float, float]:
        """Return where the middle of a chart is, once it is in sight."""
        svg = self.figure(place).locator(".vega svg")
        svg.scroll_into_view_if_needed()
        box = svg.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 3


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Return a function that opens a document; whatever it does, nothing may be complained of or asked for."""
    pages: list[Opened] = []

    def open_(text: str, size: str = "wide", **more: Any) -> Opened:
        path = tmp_path / f"{len(pages)}.html"
        path.write_text(text, encoding="utf-8")
        width, height = SIZES[size]
        page = browser.new_page(viewport={"width": width, "height": height}, **more)
        pages.append(Opened(page, path))
        return pages[-1]

    yield open_
    for one in pages:
        one.page.close()
        assert one.complaints == []


@pytest.fixture
def full(sick: Report) -> Report:
    """Return a run with everything that a page can show of one."""
    steps = np.arange(1.0, 101)
    names = [f"body.layer{n}" for n in range(4)]
    rows = [(s, n, k, v) for k, v in KINDS.items() for n in names for s in steps]
    step, layer, statistic, value = zip(*rows, strict=True)
    layers = layer_frame({"step": step, "layer": list(layer), "statistic": list(statistic), "value": value})
    phases = phase_frame({"step": [1, 1, 1], "phase": ["wait", "forward", "backward"], "seconds": [0.01, 0.02, 0.03]})
    run = replace(sick.run, layers=layers, phases=phases)
    return replace(sick, run=run)


KINDS = {"update_ratio": 1e-3, "grad_norm": 2.0, "dead_fraction": 0.5, "activation_std": math.nan, "weight_norm": 1.0}


def study_page() -> str:
    run = fact_run(FULL)
    outcome = diagnose(run, select=["S6"])
    return study_html(Report("studies/digits", run, outcome, verdict(outcome)), FULL)


def profile_page(kind: str) -> str:
    run = fact_run(*WHOLE[kind])
    outcome = diagnose(run, select=["P"])
    return profile_html(Report("cats-vs-dogs", run, outcome, verdict(outcome)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_run_fits_the_screen_and_every_chart_is_drawn(
    opened: Callable[..., Opened], full: Report, size: str, scheme: str
) -> None:
    one = opened(to_html([full]), size, color_scheme=scheme)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    figures = one.page.locator("figure.chart")
    assert figures.count() == 9
    for place in range(figures.count()):
        box = figures.nth(place).locator(".vega svg").bounding_box()
        assert box is not None
        assert box["width"] > 0.8 * (min(SIZES[size][0], 992) - 32)
    paper = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 17, 19)"}[scheme]


OTHERS: dict[str, Callable[[], str]] = {
    "study": study_page,
    **{f"treatment {name}": lambda name=name: treatment_html(TREATMENTS[name]) for name in ("improved", "yours")},  # type: ignore[misc]
    **{f"profile {kind}": lambda kind=kind: profile_page(kind) for kind in ("input", "sync")},  # type: ignore[misc]
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_page_is_drawn_on_a_phone(opened: Callable[..., Opened], name: str) -> None:
    one = opened(OTHERS[name](), "phone")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= SIZES["phone"][0]
    figures = one.page.locator("figure.chart")
    assert one.page.locator("figure.chart .vega svg").count() == figures.count()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_barrier_on_any_page(browser: Browser, full: Report, tmp_path: Path, scheme: str) -> None:
    for name, text in every_page(full).items():
        assert barriers(browser, text, tmp_path / f"{name}.html", scheme) == [], name


def test_no_barrier_on_the_page_of_a_run(browser: Browser, full: Report, tmp_path: Path) -> None:
    assert barriers(browser, to_html([full]), tmp_path / "run.html", "light") == []


def every_page(full: Report) -> dict[str, str]:
    other = replace(full, source="runs/other", verdict="healthy")
    pages = {"many": to_html([full, other]), "comparison": comparison_html(compare([full, other]))}
    return {"run": to_html([full]), **pages, **{name: make() for name, make in OTHERS.items()}}


def barriers(browser: Browser, text: str, path: Path, scheme: str) -> list[str]:
    """Return what axe-core finds: contrast, order of headings, names of what can be operated; WCAG 2 A and AA."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    path.write_text(text, encoding="utf-8")
    page = browser.new_page(bypass_csp=True, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(path.as_uri())
    page.wait_for_selector("html.drawn", state="attached")
    found = axe.run(page).response["violations"]
    page.close()
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]


def test_runs_are_compared_on_one_page(opened: Callable[..., Opened], full: Report, unknown: Report) -> None:
    better = replace(full, source="runs/better", verdict="healthy")
    one = opened(comparison_html(compare([full, better, unknown])))
    assert one.page.locator("h1").first.inner_text() == "3 runs compared: 1 sick, 1 healthy, 1 unknown"
    one.page.locator("a", has_text="better").click()
    assert one.page.evaluate("location.hash") == "#run-2"


def test_what_is_pointed_at_is_told_with_the_numbers_of_the_run(opened: Callable[..., Opened], full: Report) -> None:
    one = opened(to_html([full]))
    one.page.mouse.move(*one.centre())
    tip = one.page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    x, train, val = tip.inner_text().split("\n")
    epoch = int(x.removeprefix("epoch "))
    assert epoch in (5, 6)
    assert train == f"train_loss {float(f'{2.3 / epoch:.4g}')}"
    assert val == f"val_loss {float(f'{abs(epoch - 4) / 10 + 0.5:.4g}')}"


def test_buttons_wheel_and_drag_zoom_all_curves_of_the_run(opened: Callable[..., Opened], full: Report) -> None:
    one = opened(to_html([full]))
    whole, high = one.domain(), one.domain(0, "y")
    one.figure().get_by_role("button", name="zoom in").click()
    one.until(lambda: one.domain()[0] > 2)
    assert one.domain() == pytest.approx((3.25, 7.75))
    assert one.domain(1) == one.domain(2) == one.domain()
    assert one.domain(0, "y")[1] < high[1]  # as high as what is seen
    one.figure(1).get_by_role("button", name="whole").click()
    one.until(lambda: one.domain()[0] == 1)
    assert one.domain() == whole
    assert one.domain(0, "y") == high
    one.page.mouse.move(*one.centre())
    one.page.keyboard.down("Control")
    one.page.mouse.wheel(0, -300)
    one.page.keyboard.up("Control")
    one.until(lambda: one.domain(1)[0] > 1.1)
    before = one.domain()
    x, y = one.centre()
    one.page.mouse.down()
    one.page.mouse.move(x - 100, y, steps=4)
    one.page.mouse.up()
    one.until(lambda: one.domain(1)[0] > before[0])
    assert one.domain()[1] - one.domain()[0] == pytest.approx(before[1] - before[0])


def test_a_plain_wheel_scrolls_the_page(opened: Callable[..., Opened], full: Report) -> None:
    one = opened(to_html([full]))
    whole = one.domain()
    one.page.mouse.move(*one.centre())
    before = one.page.evaluate("scrollY")
    one.page.mouse.wheel(0, 300)
    one.until(lambda: one.page.evaluate("scrollY") > before)
    assert one.domain() == whole


def test_the_keyboard_reads_values_and_zooms(opened: Callable[..., Opened], full: Report) -> None:
    one = opened(to_html([full]))
    one.figure().locator(".vega").focus()
    for _ in range(2):
        one.page.keyboard.press("ArrowRight")
    assert one.figure().locator("output").inner_text() == "epoch 2\ntrain_loss 1.15\nval_loss 0.7"
    one.page.keyboard.press("End")
    assert one.figure().locator("output").inner_text().startswith("epoch 10")
    one.page.keyboard.press("+")
    one.until(lambda: one.domain()[0] > 2)
    one.page.keyboard.press("0")
    one.until(lambda: one.domain()[0] == 1)


def test_who_cannot_see_a_chart_is_told_it(opened: Callable[..., Opened], full: Report) -> None:
    one = opened(to_html([full]))
    assert one.page.get_by_role("group", name="loss over epoch: train_loss from 2.3 to 0.23").count() == 1
    assert one.page.locator(".vega svg:not([aria-hidden=true])").count() == 0
    assert one.page.locator("html[lang=en] main").count() == 1
    for table in one.page.locator("table").all():
        assert table.locator("th").count() > 0


def test_the_drawn_numbers_are_those_of_the_json(opened: Callable[..., Opened], full: Report) -> None:
    from dlcheck.report import to_json

    one = opened(to_html([full]))
    said = one.page.locator("main").inner_text()
    for finding in json.loads(to_json([full]))["runs"][0]["findings"]:
        assert f"{finding['code']} {finding['name']}" in said
        assert f"{finding['confidence']:.0%} sure" in said
    drawn = one.figure().evaluate("one => one.view.data('points').map(p => [p.s, p.x, p.y])")
    curves = {"0": full.run.curve("loss", "train"), "1": full.run.curve("loss", "val")}
    for kind, curve in curves.items():
        found = [(x, y) for s, x, y in drawn if s == kind]
        assert [x for x, _ in found] == curve.epochs.tolist()
        assert [y for _, y in found] == pytest.approx(curve.values.tolist(), rel=1e-5)


def test_on_paper_the_charts_keep_within_the_page(opened: Callable[..., Opened], full: Report) -> None:
    one = opened(to_html([full]))
    one.page.emulate_media(media="print")
    one.page.set_viewport_size({"width": 700, "height": 1000})
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 700
    assert not one.figure().locator(".buttons").is_visible()
    assert len(one.page.pdf()) > 10_000


def test_words_that_try_to_be_markup_are_words(opened: Callable[..., Opened], hostile: Report) -> None:
    one = opened(to_html([hostile]))
    assert one.page.locator("main script:not([type])").count() == 0
    assert "<script>alert(1)</script>" in one.page.locator("h1").first.inner_text()


def test_the_largest_and_oddest_numbers_are_drawn(opened: Callable[..., Opened], sick: Report) -> None:
    from dlcheck.runs import Part, scalar_frame

    x = np.arange(1.0, 9.0)
    odd = np.array([1.7e308, -1.7e308, np.nan, np.inf, 5e-324, 0.0, -np.inf, 1.0])
    run = Run(scalars=scalar_frame([Part("train", "loss", odd, x, x), Part("val", "loss", np.full(8, 3.0), x, x)]))
    one = opened(to_html([replace(sick, run=run)]))
    assert one.page.locator("figure.chart .vega svg").count() == one.page.locator("figure.chart").count() > 0


def test_a_hundred_thousand_steps_are_open_within_seconds(opened: Callable[..., Opened], sick: Report) -> None:
    from dlcheck.runs import Part, scalar_frame

    steps = np.arange(100_000.0)
    values = 2 / np.sqrt(1 + steps / 100)
    values[70_001] = 50.0
    one = opened(to_html([replace(sick, run=Run(scalars=scalar_frame([Part("train", "batch_loss", values, steps)])))]))
    assert one.figure().evaluate("one => Math.max(...one.view.data('points').map(p => p.y))") == 50.0
