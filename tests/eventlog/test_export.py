from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from ingest.load import load
from ingest.registry import source_class
from miner import EventLog, EventStore, case, cases, variants
from miner.errors import InputError
from miner.eventlog.export import export
from tests.logs import events_of, log_of

SOURCES = {"x.csv": "csv", "x.parquet": "parquet", "x.xes": "xes", "x.xes.gz": "xes"}


def loaded_again(log: EventLog, path: Path) -> EventLog:
    export(log, path)
    store = EventStore(path.parent / "store")
    source = source_class(SOURCES[path.name])(path=path)  # type: ignore[call-arg]
    load(source, store, process="again")
    return store.log("again")


@pytest.mark.parametrize("name", SOURCES)
def test_what_was_exported_and_loaded_again_is_the_same_log(tmp_path: Path, name: str) -> None:
    log = log_of(
        {
            "c1": "A@0-4(ann:human) B@5-9!(bot:system) B@9-12(bot:system)",
            "c2": "A@1-3 C@4-",
            "c 3": "A@2",
        }
    )
    again = loaded_again(log, tmp_path / name)
    assert cases(again).equals(cases(log))
    assert {tuple(names) for names in variants(again)["activities"]} == {
        tuple(names) for names in variants(log)["activities"]
    }
    for case_id in ("c1", "c2", "c 3"):
        assert case(again, case_id).timeline.equals(case(log, case_id).timeline)


@pytest.mark.parametrize("name", SOURCES)
def test_attributes_and_verdicts_survive(tmp_path: Path, name: str) -> None:
    events = pl.DataFrame(
        {
            "case_id": ["a", "a", "b"],
            "activity": ["x", 'y, "z"\n', "x"],
            "timestamp": [datetime(2026, 1, 1, hour) for hour in (1, 2, 3)],
            "attributes": ['{"k":"v","n":1}', None, None],
            "case_attributes": ['{"region":"EU"}', '{"region":"EU"}', None],
            "case_status": ["failed", "failed", None],
            "process_version": ["v1", "v2", None],
        }
    )
    again = case(loaded_again(EventLog.from_frame(events), tmp_path / name), "a")
    assert (again.status, again.attributes) == ("failed", {"region": "EU"})
    assert again.events["attributes"].to_list() == ['{"k":"v","n":1}', None]
    assert again.events["process_version"].to_list() == ["v1", "v2"]
    assert again.process_version == "v2"


def test_an_ending_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not say which format"):
        export(log_of({"c": "A@1"}), tmp_path / "x.docx")


def test_an_empty_log_makes_an_empty_file(tmp_path: Path) -> None:
    log = EventLog.from_frame(events_of({}))
    assert export(log, tmp_path / "x.csv") == 0
    assert export(log, tmp_path / "x.xes") == 0
