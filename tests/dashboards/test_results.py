"""Results: one snapshot per run, a new one as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboards.glance import GLANCE, glance
from dashboards.results import Published, Selection, of_store, published, result_of
from miner import EventLog, LogFilter, processes, summary
from miner.eventlog.quality import loads
from tests.dashboards.conftest import ORDERS, store_of, words
from tests.logs import events_of, minutes


@pytest.fixture
def state(orders: Path, use: Callable[[Path], None]) -> Published:
    use(orders)
    found = published()
    assert found is not None
    return found


def test_without_a_store_there_is_nothing_published(
    tmp_path: Path, use: Callable[[Path], None]
) -> None:
    use(tmp_path / "none")
    assert published() is None


def test_a_result_is_computed_once_for_each_selection_and_its_arguments(state: Published) -> None:
    asked: list[tuple[str, int]] = []

    def counting(log: EventLog, *, number: int) -> int:
        asked.append((str(log.condition), number))
        return number

    everything = Selection(state, "orders")
    some = Selection(state, "orders", LogFilter.of("activity Pay"))
    for selection in (everything, everything, some):
        for number in (1, 2, 1):
            assert result_of(counting, selection, number=number) == number
    assert asked == [
        ("all cases", 1), ("all cases", 2), ("activity Pay", 1), ("activity Pay", 2)
    ]  # fmt: skip


def test_a_result_belongs_to_whoever_asked(state: Published) -> None:
    def listed(log: EventLog) -> list[str]:
        return [log.process]

    result_of(listed, Selection(state, "orders")).append("spoiled")
    assert result_of(listed, Selection(state, "orders")) == ["orders"]


def test_a_new_snapshot_is_seen_on_the_next_run(tmp_path: Path, visit: Callable[..., Any]) -> None:
    store = store_of(tmp_path, {"orders": events_of(ORDERS)})
    app = visit(store, "variants", process="orders")
    assert "**13** of 13 cases" in words(app)
    store_of(store, {"orders": events_of({"later": "Create@0-1(ann) Pay@9-12(bank)"})})
    app.run()
    assert not app.exception
    assert "**14** of 14 cases" in words(app)
    assert "version 2" in words(app)


def test_the_glance_has_the_figures_of_each_process(state: Published) -> None:
    found = glance(state)
    assert found.schema == GLANCE
    assert found["process"].to_list() == ["orders", "tickets"]
    orders, tickets = found.iter_rows(named=True)
    expected = result_of(summary, Selection(state, "orders"))
    assert orders["median_cycle_time"] == expected.median_cycle_time
    assert orders["open_cases"] == 1
    assert (orders["worst_bottleneck"], orders["measured"]) == ("Check", "waiting")
    assert tickets["failure_rate"] is None
    assert (tickets["measured"], tickets["total_waiting"]) == ("sojourn", minutes(240))
    assert tickets["rejected_share"] == 0


def test_questions_to_the_store_take_arguments(state: Published) -> None:
    assert of_store(processes, state)["process"].to_list() == ["orders", "tickets"]
    assert of_store(loads, state, process="tickets").height == 1
