"""The filters of the command line: each flag, repeated, inverted, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_contract import LOG, answer, run


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("filters")
    (folder / "orders.csv").write_text(LOG, encoding="utf-8")
    place = str(folder / "store")
    loaded = run("load", "csv", str(folder / "orders.csv"), "--process", "orders", "--store", place)
    assert loaded.exit_code == 0, loaded.stderr
    return place


def test_every_filter_is_tried() -> None:
    from miner.eventlog.filters import KINDS

    tried = {flag.removeprefix("--") for flags in FILTERS for flag in flags if flag[:2] == "--"}
    assert tried == {*KINDS, "not"}


FILTERS = {
    ("--since", "2026-03-03"): "c2 c3",
    ("--since", "2026-03-03T09:00:00+01:00"): "c2 c3",
    ("--until", "2026-03-03"): "c1 c2",
    ("--activity", "Check"): "c1 c3",
    ("--without-activity", "Check"): "c2",
    ("--starts-with", "Create"): "c1 c2 c3",
    ("--ends-with", "Pay", "--ends-with", "Pay"): "c1 c2 c3",
    ("--follows", "Check>Pay"): "c1",
    ("--eventually-follows", "Check>Pay"): "c1 c3",
    ("--variant", "Create>Check>Pay"): "c1",
    ("--variant", "2"): "c2",
    ("--top-variants", "1"): "c1",
    ("--variant-coverage", "0.5"): "c1 c2",
    ("--longer-than", "1h"): "c2 c3",
    ("--shorter-than", "1h"): "c1",
    ("--longer-than", "50min", "--shorter-than", "2h"): "c2",
    ("--attribute", "region=South"): "c2",
    ("--version", "v2"): "c3",
    ("--status", "failed"): "c3",
    ("--status", "closed"): "c1 c2 c3",
    ("--status", "open"): "",
    ("--resource", "bob"): "c1 c3",
    ("--failed-at", "Pay"): "c2 c3",
    ("--rework-of", "Create"): "c3",
    ("--error", "Declined"): "c2",
    ("--case", "c2"): "c2",
    ("--min-instances", "4"): "c3",
    ("--max-instances", "3"): "c1 c2",
    ("--active-between", "2026-03-03..2026-03-04"): "c2 c3",
    ("--not", "--activity", "Check"): "c2",
    ("--not", "--not", "--activity", "Check"): "c1 c3",
    ("--activity", "Check", "--activity", "Pay"): "c1 c3",
    ("--activity", "Check", "--not", "--follows", "Check>Pay"): "c3",
    # the order matters: the most frequent variant of all, or of those that failed
    ("--top-variants", "1", "--failed-at", "Pay"): "",
    ("--failed-at", "Pay", "--top-variants", "1"): "c2",
}


@pytest.mark.parametrize("filters", FILTERS, ids=" ".join)
def test_filters_apply_in_the_order_they_are_given(store: str, filters: tuple[str, ...]) -> None:
    found = sorted(row["case_id"] for row in answer(store, "cases", "orders", *filters))
    assert found == FILTERS[filters].split()
    assert answer(store, "summary", "orders", *filters)["cases"] == len(found)
