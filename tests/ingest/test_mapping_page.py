"""The examples on the page about mappings do what it says."""

from __future__ import annotations

import json
from datetime import datetime

from ingest.mapping import Mapping
from ingest.mapping.file import NEEDED, SETTINGS, TABLES, VALUES, parse_document
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "sources" / "mapping.md").read_text(encoding="utf-8")


def example(number: int) -> Mapping:
    text = PAGE.split("```toml\n")[number].split("```")[0]
    document = parse_document(text, "mapping.md")
    document.refuse_tables(())
    return Mapping.of(document)


def test_the_first_example_makes_an_event_of_the_object() -> None:
    record = PAGE.split("```json\n")[1].split("```")[0]
    [event] = example(1).events(record.strip().encode()).rows(named=True)
    assert (event["case_id"], event["activity"]) == ("17", "Order paid")
    assert (event["resource"], event["resource_kind"]) == ("ann", "human")
    assert event["timestamp"] == datetime(2026, 1, 31, 8)
    assert event["attributes"] == '{"amount":2.5}'


def test_the_second_example_reads_times_as_written_in_germany() -> None:
    record = {"Ref": "r1", "Step": "Call", "When": "31.01.2026 10:00"}
    [event] = example(2).events(json.dumps(record).encode()).rows(named=True)
    assert event["timestamp"] == datetime(2026, 1, 31, 9)


def test_the_third_example_makes_several_events_of_one_record() -> None:
    record = {
        "id": 1, "amount": 500, "created_at": 1769850000, "approved_at": 1769850060,
        "packed_at": 1769850120,
    }  # fmt: skip
    events = example(3).events(json.dumps(record).encode())
    assert events.select("activity", "lifecycle", "event_id").rows() == [
        ("Create", None, "1:Create"),
        ("Approve", None, "1:Approve"),
        ("Ship", "start", "1:Ship:start"),
    ]


def test_the_fourth_example_reads_cloud_events() -> None:
    record = {
        "id": "e1", "source": "/shop", "type": "paid", "time": "2026-01-31T10:00:00Z",
        "data": {"order": "o1", "amount": 5},
    }  # fmt: skip
    [event] = example(4).events(json.dumps(record).encode()).rows(named=True)
    found = (event["case_id"], event["activity"], event["event_id"], event["attributes"])
    assert found == ("o1", "paid", "/shop#e1", '{"amount":5}')


def test_every_key_is_on_the_page() -> None:
    for key in (*VALUES, *NEEDED, *SETTINGS, *(f"[{name}]" for name in TABLES), "when"):
        assert f"`{key}`" in PAGE or f"`{key} = " in PAGE, key
