"""Histories of Temporal in files: every event of every recorded one is an event or is counted."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.load import load
from ingest.sources.temporal_history import TemporalHistory
from ingest.temporal.fields import FIELDS, SILENT, SPANS
from ingest.temporal.files import histories
from ingest.temporal.json import type_name
from ingest.temporal.runs import decode_objects, hidden
from miner.errors import LogFormatError
from miner.eventlog.store import EventStore
from tests.commands import answer, run
from tests.conftest import ROOT

RECORDED = Path(__file__).parent / "recorded" / "temporal_order.json"
ORDER = json.loads(RECORDED.read_text(encoding="utf-8"))["events"]


def decoded(*events: list[dict[str, Any]]) -> pl.DataFrame:
    return decode_objects(events, "default").events


def written(folder: Path, content: Any) -> TemporalHistory:
    path = folder / "history.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return TemporalHistory(str(path))


def changed(number: int, **attributes: Any) -> list[dict[str, Any]]:
    """The order with other attributes in its event of that number."""
    events: list[dict[str, Any]] = json.loads(json.dumps(ORDER))
    (found,) = (event for event in events if event["eventId"] == str(number))
    (name,) = (key for key in found if key.endswith("Attributes"))
    found[name] |= attributes
    return events


def number_of(kind: str) -> int:
    return min(int(each["eventId"]) for each in ORDER if each["eventType"] == f"EVENT_TYPE_{kind}")


def test_every_event_of_every_recorded_history_is_an_event_or_is_counted(
    shared_logs: Path, tmp_path: Path
) -> None:
    read, files = Counter[str](), 0
    folder = shared_logs / "histories" / "temporal"
    for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
        found: list[list[dict[str, Any]]] = []
        for path in sorted(kind.rglob("*.json*")):
            try:
                found += histories(path)
            except LogFormatError:
                continue  # pictures of the web pages and descriptions are among them
            files += 1
        types = Counter(type_name(str(event["eventType"])) for one in found for event in one)
        result = decode_objects(found, "default")
        counted = sum(limitation.events or 0 for limitation in hidden(result.types))
        shown = sum(count for name, count in result.types.items() if name in SPANS)
        recorded = result.events.filter(~pl.col("attributes").str.contains("latest possible"))
        assert result.types.total() == types.total(), kind.name
        assert counted + shown == types.total(), kind.name
        assert recorded.height == shown, kind.name
        assert recorded.select("activity", "case_id", "timestamp").null_count().row(0) == (0, 0, 0)
        read.update(types)
    assert files > 250
    assert read.total() > 6_500
    assert set(read) - set(SPANS) - SILENT <= {"UNKNOWN_EVENT", "UNKNOWN"}


def test_the_fields_of_every_type_that_shows_a_step_are_known() -> None:
    assert set(SPANS) - {"LOCAL_ACTIVITY"} <= set(FIELDS)
    assert not SILENT & set(SPANS)


def test_an_order_becomes_exactly_its_events(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    loaded = load(TemporalHistory(str(RECORDED)), store, process="recorded")
    assert loaded.counts.new == loaded.counts.read > 0
    rows = answer(tmp_path, "failures", "Order")
    found = {row["activity"]: (row["attempts"], row["failed_attempts"]) for row in rows}
    assert (found["reserve"], found["price"]) == ((3, 2), (2, 1))
    told = {each.kind: each.events for each in loaded.limitations if each.kind != "hidden"}
    assert told == {"missing-attempts": 2 + 1}
    bookkeeping = sum(each.events or 0 for each in loaded.limitations if each.kind == "hidden")
    assert bookkeeping + loaded.counts.read == len(ORDER) + (2 + 1)
    again = load(TemporalHistory(str(RECORDED)), store, process="recorded")
    assert again.counts.new == 0


@pytest.mark.parametrize("shape", ["one", "list", "events", "newest first", "lines", "packed"])
def test_all_shapes_of_a_file_give_the_same_events(shape: str, tmp_path: Path) -> None:
    history = {"events": ORDER}
    contents = {
        "one": json.dumps(history, indent=2),
        "list": json.dumps([history]),
        "events": json.dumps(ORDER),
        "newest first": json.dumps({"history": {"events": ORDER[::-1]}, "nextPageToken": None}),
        "lines": json.dumps(history) + "\n" + json.dumps(history) + "\n",
        "packed": json.dumps(history),
    }
    source = written(tmp_path, contents[shape])
    if shape == "packed":
        Path(source.path).write_bytes(gzip.compress(contents[shape].encode()))
    found = pl.concat(source.frames()).unique(maintain_order=True)
    assert found.equals(decoded(ORDER))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is no JSON"),
        ("not at all", "is no JSON"),
        ('{"workflowExecutionInfo": {}}', "holds no history"),
        ('{"events": [1]}', "holds no history"),
        ('{"events": []}\n{', "Line 2"),
        ('[{"eventId": "x", "eventType": "y"}]', "is no number"),
    ],
)
def test_what_is_no_history_is_refused_with_the_way_to_write_one(
    content: str, says: str, tmp_path: Path
) -> None:
    source = written(tmp_path, content)
    result = run(tmp_path, "load", "temporal-history", source.path, "--process", "p")
    assert result.exit_code == 2
    assert says in result.stderr
    assert "temporal workflow show" in result.stderr


def test_the_attempts_that_a_number_tells_of_are_failed_ones(tmp_path: Path) -> None:
    (started,) = (
        int(each["eventId"])
        for each in ORDER
        if "lastFailure" in each.get("activityTaskStartedEventAttributes", {})
    )
    first = decoded(changed(started, attempt=1, lastFailure=None))
    assert first.filter(activity="reserve", lifecycle="fail").is_empty()
    tenth = decoded(changed(started, attempt=10)).filter(activity="reserve")
    failed = tenth.filter(lifecycle="fail").sort("attempt")
    assert failed["attempt"].to_list() == list(range(1, 10))
    assert failed["timestamp"].is_sorted()
    assert failed["error_type"].to_list() == [None] * 8 + ["OutOfStock"]
    (scheduled,) = tenth.filter(lifecycle="scheduled")["timestamp"]
    assert failed["timestamp"].min() == scheduled  # no bound lies before it began to exist
    timed_out = {"message": "late", "timeoutFailureInfo": {"timeoutType": "StartToClose"}}
    late = decoded(changed(started, lastFailure=timed_out))
    (last,) = late.filter(lifecycle="timeout")["error_type"]
    assert last == "timeout: start to close"


def test_the_innermost_cause_is_the_error() -> None:
    kind = number_of("ACTIVITY_TASK_COMPLETED")
    cause = {"message": "deep", "applicationFailureInfo": {"type": "Deep"}}
    middle = {"message": "middle", "activityFailureInfo": {}, "cause": cause}
    failure = {"message": "outer", "applicationFailureInfo": {"type": "Outer"}, "cause": middle}
    events = changed(kind, failure=failure)
    (event,) = (each for each in events if each["eventId"] == str(kind))
    event["eventType"] = "EVENT_TYPE_ACTIVITY_TASK_FAILED"
    event["activityTaskFailedEventAttributes"] = event.pop("activityTaskCompletedEventAttributes")
    (row,) = decoded(events).filter(lifecycle="fail", error_type="Deep").to_dicts()
    assert (row["activity"], row["error_message"]) == ("reserve", "deep")


def test_both_spellings_of_types_are_the_same() -> None:
    older: list[dict[str, Any]] = json.loads(json.dumps(ORDER))
    for event in older:
        words = event["eventType"].removeprefix("EVENT_TYPE_").split("_")
        event["eventType"] = "".join(word.capitalize() for word in words)
    assert decoded(older).equals(decoded(ORDER))


def test_an_event_without_a_time_is_not_lost_silently(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = json.loads(json.dumps(ORDER))
    del events[-1]["eventTime"]
    source = written(tmp_path, {"events": events})
    result = answer(tmp_path, "load", "temporal-history", source.path, "--process", "p")
    assert result["rejected"] == 1


def test_the_page_of_the_source_shows_the_command_that_writes_a_file() -> None:
    page = (ROOT / "docs" / "sources" / "temporal.md").read_text(encoding="utf-8")
    assert "temporal workflow show -o json" in page
