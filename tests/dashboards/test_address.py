"""The address of a page: a link shows the same view again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from miner import LogFilter
from tests.dashboards.conftest import words

Visit = Callable[..., Any]


def test_a_link_shows_the_same_cases_again(orders: Path, visit: Visit) -> None:
    chosen = LogFilter.of("not rework-of Check", "activity Pay")
    first = visit(orders, "performance", process="orders", f=chosen.to_json())
    assert "**9** of 13 cases" in words(first)
    again = visit(orders, "performance", **first.query_params)
    assert words(again) == words(first)


def test_a_condition_turned_round_keeps_the_other_cases(orders: Path, visit: Visit) -> None:
    kept = words(visit(orders, "cases", process="orders", f=LogFilter.of("activity Pay").to_json()))
    others = LogFilter.of("not activity Pay").to_json()
    left = words(visit(orders, "cases", process="orders", f=others))
    assert "**12** of 13 cases" in kept
    assert "**1** of 13 cases" in left


def test_a_condition_is_added_and_taken_away_on_screen(orders: Path, visit: Visit) -> None:
    app = visit(orders, "variants", process="orders")
    app.selectbox(key="new kind").set_value("failed-at").run()
    app.selectbox(key="value failed-at").set_value("Check").run()
    app.toggle(key="new inverted").set_value(True).run()
    app.button(key="new add").click().run()
    assert not app.exception
    assert app.query_params["f"] == LogFilter.of("not failed-at Check").to_json()
    assert "**12** of 13 cases" in words(app)
    app.button(key="chip 0").click().run()
    assert "f" not in app.query_params
    assert "**13** of 13 cases" in words(app)


def test_a_condition_that_cannot_be_is_explained_and_not_added(orders: Path, visit: Visit) -> None:
    app = visit(orders, "variants", process="orders")
    app.selectbox(key="new kind").set_value("longer-than").run()
    app.text_input(key="value longer-than").set_value("a while").run()
    app.button(key="new add").click().run()
    assert "no duration" in app.error[0].value
    assert "f" not in app.query_params


def test_another_process_starts_without_the_filter_of_the_first(orders: Path, visit: Visit) -> None:
    app = visit(orders, "cases", process="orders", case="r01",
                f=LogFilter.of("activity Pay").to_json())  # fmt: skip
    app.selectbox(key="chosen process").set_value("tickets").run()
    assert not app.exception
    assert app.query_params["process"] == "tickets"
    assert "f" not in app.query_params
    assert "case" not in app.query_params
    assert "**4** of 4 cases" in words(app)


def test_a_link_to_a_case_tells_its_story(orders: Path, visit: Visit) -> None:
    app = visit(orders, "cases", process="orders", case="f01")
    assert not app.exception
    shown = words(app).replace("\\", "")
    assert "Check failed once and succeeded in the end." in shown


def test_a_case_that_is_not_there_is_one_sentence(orders: Path, visit: Visit) -> None:
    app = visit(orders, "cases", process="orders", case="zzz")
    assert "There is no case" in app.error[0].value
