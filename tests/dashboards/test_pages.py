"""Every page in its states: no store, a log, a filter that nothing meets."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from miner import LogFilter
from tests.dashboards.conftest import ROOT, words

SCRIPTS = sorted((ROOT / "dashboards" / "pages").glob("[a-z]*.py"))
PAGES = [script.stem for script in SCRIPTS]
FILTERED = [page for page in PAGES if page != "overview"]
Visit = Callable[..., Any]

SHOWN = {
    "overview": ("Overview", "Worst bottleneck: **Check**", "13 cases ·", "4 cases ·"),
    "process_map": ("Process map", "How does the work really flow?", "3 of 3 activities"),
    "variants": ("Variants", "**13** of 13 cases", "1 open case is included"),
    "performance": ("Performance", "Cycle time, median 13 min", "1 open case is left out"),
    "bottlenecks": ("Bottlenecks", "most time waiting for **Check**"),
    "failures": ("Failures and rework", "Retries", "Rework", "Interventions"),
    "cases": ("Cases", "Select a row to open the case."),
    "log_quality": ("Log quality", "16 checks"),
    "conformance": (
        "Conformance",
        "Does the work run as it was modelled?",
        "No modelled workflow of",
    ),
}


def test_every_page_has_its_words_here() -> None:
    assert set(SHOWN) == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_a_log_shows_its_figures(page: str, orders: Path, visit: Visit) -> None:
    app = visit(orders, page, process="orders")
    assert not app.exception
    assert not app.error
    shown = words(app)
    for text in SHOWN[page]:
        assert text in shown


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_a_store_says_what_to_do(page: str, tmp_path: Path, visit: Visit) -> None:
    app = visit(tmp_path / "none", page)
    assert not app.exception
    shown = words(app)
    assert "There are no events yet." in shown
    assert "procession demo" in shown


@pytest.mark.parametrize("page", FILTERED)
def test_a_filter_nothing_meets_offers_to_remove_its_last_condition(
    page: str, orders: Path, visit: Visit
) -> None:
    nothing = LogFilter.of("activity Check", "case nobody")
    app = visit(orders, page, process="orders", f=nothing.to_json())
    assert not app.exception
    assert "No case meets the filter: 0 of 13 cases." in words(app)
    app.button(key="remove last").click().run()
    assert not app.exception
    assert "No case meets" not in words(app)
    assert app.query_params["f"] == LogFilter.of("activity Check").to_json()


@pytest.mark.parametrize("page", FILTERED)
def test_a_process_that_is_not_there_is_one_sentence(page: str, orders: Path, visit: Visit) -> None:
    app = visit(orders, page, process="order")
    assert not app.exception
    assert [error.value.replace("\\", "") for error in app.error] == [
        "There is no process named 'order'.\n\nDid you mean 'orders'?"
    ]


def test_a_filter_that_cannot_be_read_is_one_sentence(orders: Path, visit: Visit) -> None:
    app = visit(orders, "performance", process="orders", f="[broken")
    assert not app.exception
    assert "The filter in this address cannot be read" in app.error[0].value.replace("\\", "")
    app.button(key="start again").click().run()
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_names_that_try_something_stay_names(page: str, hostile: Path, visit: Visit) -> None:
    app = visit(hostile, page)
    assert not app.exception
    assert not app.error
    for element in app.markdown:
        assert not element.allow_html
    shown = words(app)
    assert "<script>" not in shown
    assert "<img" not in shown
    assert "\x00" not in shown
    assert "**bold**" not in shown


def test_a_log_without_starts_says_that_times_are_unknown(orders: Path, visit: Visit) -> None:
    shown = words(visit(orders, "performance", process="tickets"))
    assert "waiting and service time are unknown, not zero" in shown
    shown = words(visit(orders, "bottlenecks", process="tickets"))
    assert "waiting and service cannot be told apart" in shown


def test_a_log_without_failures_says_that_they_are_unknown(orders: Path, visit: Visit) -> None:
    shown = words(visit(orders, "failures", process="tickets"))
    assert "This log records no failures" in shown
    assert "Failed cases –" in shown
    assert "Retries –" in shown


@pytest.mark.parametrize("script", SCRIPTS, ids=PAGES)
def test_a_page_is_short_and_leaves_data_and_drawing_to_others(script: Path) -> None:
    text = script.read_text("utf-8")
    assert len(text.splitlines()) <= 40
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom)
                     else [alias.name for alias in node.names])
    }  # fmt: skip
    assert not imported & {"polars", "duckdb", "plotly", "pm4py"}


@pytest.mark.parametrize("script", sorted((ROOT / "dashboards" / "charts").glob("*.py")))
def test_charts_do_not_know_streamlit(script: Path) -> None:
    assert "streamlit" not in script.read_text("utf-8")


def test_a_discovered_model_stands_beside_its_qualities(orders: Path, visit: Visit) -> None:
    app = visit(orders, "process_map", process="orders", view="Discovered model")
    assert not app.exception
    assert not app.error
    shown = words(app)
    assert re.search(r"Fitness [01]\.\d{3}\nPrecision [01]\.\d{3}", shown)
    assert {button.label for button in app.get("download_button")} == {
        "Model · BPMN", "Model · PNML", "Model · SVG"
    }  # fmt: skip


def test_the_map_shows_what_the_sliders_leave(orders: Path, visit: Visit) -> None:
    whole = visit(orders, "process_map", process="orders", paths="100", activities="100")
    assert "3 of 3 activities · 5 of 5 paths" in words(whole)
    least = visit(orders, "process_map", process="orders", paths="0", activities="0")
    assert [slider.value for slider in least.slider] == [0, 0]
    assert "3 of 3 activities · 4 of 5 paths" in words(least)
