"""`procession models`: the modelled workflows of a process."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from miner.eventlog.definitions import Definition
from miner.eventlog.store import EventStore
from tests.commands import answer, run
from tests.logs import events_of


def test_models_lists_each_version_and_the_cases_that_ran_on_it(tmp_path: Path) -> None:
    events = events_of({"c1": "A@1", "c2": "A@2", "c3": "A@3"})
    versions = pl.Series("process_version", ["1", "1", "2"])
    with EventStore(tmp_path / "store").write() as writer:
        writer.append(events.with_columns(versions), source="s", process="p")
        for version in ("1", "2", "10"):
            text = f"<definitions id='{version}'/>"
            writer.define([Definition("p", version, "bpmn", text)], source="s", process="p")
    rows = answer(tmp_path, "models", "p")
    assert [(row["version"], row["format"], row["cases"]) for row in rows] == [
        ("1", "bpmn", 2),
        ("2", "bpmn", 1),
        ("10", "bpmn", 0),
    ]


def test_a_process_without_models_has_none_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    with EventStore(tmp_path / "store").write() as writer:
        writer.append(events_of({"c1": "A@1"}), source="s", process="orders")
    assert answer(tmp_path, "models", "orders") == []
    refused = run(tmp_path, "models", "order")
    assert refused.exit_code == 2 and "Did you mean 'orders'?" in refused.stderr
