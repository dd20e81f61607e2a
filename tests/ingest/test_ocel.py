from __future__ import annotations

import gzip
import json
import sqlite3
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.ocel import json as ocel_json
from miner.errors import InputError, LogFormatError, UnknownNameError
from tests.ingest.ocel_logs import EVENTS, OBJECTS, as_json, as_sqlite, as_xml, log, read

WRITERS = [as_json, as_xml, as_sqlite]
every_format = pytest.mark.parametrize("write", WRITERS)


@every_format
def test_every_object_of_the_type_is_a_case(tmp_path: Path, write: Any) -> None:
    frame, notes = read(write(log(), tmp_path), "item")
    assert frame.select("case_id", "event_id", "activity", "timestamp").rows() == [
        ("i1", "e1/i1", "place order", datetime(2024, 1, 1, 9)),
        ("i2", "e1/i2", "place order", datetime(2024, 1, 1, 9)),
        ("i1", "e2/i1", "ship", datetime(2024, 1, 2, 10)),
        ("i2", "e2/i2", "ship", datetime(2024, 1, 2, 10)),
    ]
    assert json.loads(frame["attributes"][0]) == {
        "channel": "web",
        "lines": 2,
        "ocel:objects": {"order": ["o1"]},
    }
    assert json.loads(frame["attributes"][2]) == {"ocel:qualifier": "goods"}
    assert notes[0] == "Cases are the objects of type 'item'."
    assert any(note.startswith("2 events are copies") for note in notes)
    assert any(note.startswith("1 objects of type 'item' have no events") for note in notes)


@every_format
def test_a_case_has_the_latest_attributes_of_its_object(tmp_path: Path, write: Any) -> None:
    frame, notes = read(write(log(), tmp_path), "order")
    assert frame["case_id"].to_list() == ["o1"]
    assert json.loads(frame["case_attributes"][0]) == {"customer": "A & B", "price": 20.5}
    assert any(note.startswith("1 attributes of objects of type 'order' change") for note in notes)
    assert any(note.startswith("1 events touch no object of type 'order'") for note in notes)


@every_format
def test_several_types_want_a_choice_and_are_listed(tmp_path: Path, write: Any) -> None:
    path = write(log(), tmp_path)
    with pytest.raises(InputError) as refused:
        read(path)
    assert refused.value.message == (
        f"{path} has 2 types of objects: item (3 objects, 2 events), order (1 objects, 1 events)."
    )
    with pytest.raises(UnknownNameError) as unknown:
        read(path, "orders")
    assert unknown.value.hint == "Did you mean 'order'?"


@every_format
def test_the_only_type_needs_no_choice(tmp_path: Path, write: Any) -> None:
    content = log(objects=[item for item in OBJECTS if item["type"] == "order"])
    frame, _ = read(write(content, tmp_path))
    assert frame.filter(pl.col("reason").is_null())["case_id"].to_list() == ["o1"]


@every_format
def test_what_cannot_be_used_is_rejected_with_a_reason(tmp_path: Path, write: Any) -> None:
    o1 = [{"objectId": "o1", "qualifier": "q"}]
    dangling = [*o1, {"objectId": "gone", "qualifier": ""}]
    path = write(
        log(
            {"id": "e3", "type": "ship", "relationships": o1},
            {"id": "e4", "type": "ship", "time": "soon", "relationships": o1},
            {"id": "e5", "type": "ship", "time": "2024-01-03T00:00:00Z", "relationships": dangling},
        ),
        tmp_path,
    )
    frame, _ = read(path, "order")
    usable = frame.filter(pl.col("reason").is_null())
    assert usable["event_id"].to_list() == ["e1/o1", "e5/o1"]
    rejected = frame.filter(pl.col("reason").is_not_null()).sort("event_id")
    assert rejected.select("event_id", "reason").rows() == [
        ("e3", "no timestamp"),
        ("e4", "not a timestamp: soon"),
        ("e5", "the object gone is not in the file"),
    ]
    assert json.loads(rejected["record"][0])["id"] == "e3"


@pytest.mark.parametrize("write", [as_json, as_xml])
def test_events_without_id_or_type_or_with_a_used_id_are_rejected(
    tmp_path: Path, write: Any
) -> None:
    o1 = [{"objectId": "o1", "qualifier": "q"}]
    time = "2024-01-03T00:00:00Z"
    path = write(
        log(
            {"type": "ship", "time": time, "relationships": o1},
            {"id": "e4", "time": time, "relationships": o1},
            {"id": "e1", "type": "ship", "time": time, "relationships": o1},
        ),
        tmp_path,
    )
    frame, _ = read(path, "order")
    assert frame["reason"].to_list() == [
        None,
        "no event id",
        "no event type",
        "an earlier event has the id e1",
    ]


@every_format
def test_a_type_nobody_declared_is_noted(tmp_path: Path, write: Any) -> None:
    time = "2024-01-03T00:00:00Z"
    strange = {"id": "e3", "type": "vanish", "time": time, "relationships": []}
    _, notes = read(write(log(strange), tmp_path), "order")
    assert any("without declaring them: 'vanish'" in note for note in notes)


def test_a_sqlite_event_of_a_type_without_a_table_has_no_time(tmp_path: Path) -> None:
    o1 = [{"objectId": "o1", "qualifier": "q"}]
    strange = {"id": "e3", "type": "vanish", "relationships": o1}
    frame, _ = read(as_sqlite(log(strange), tmp_path), "order")
    assert frame["reason"].to_list() == [None, "no timestamp"]


def test_a_sqlite_relation_of_an_unknown_event_is_rejected(tmp_path: Path) -> None:
    path = as_sqlite(log(), tmp_path)
    with sqlite3.connect(path) as database:
        database.execute("insert into event_object values ('ghost', 'o1', 'q')")
    database.close()
    frame, _ = read(path, "order")
    assert sorted(frame["reason"].drop_nulls()) == ["the event ghost is not in the file"]


@every_format
def test_times_without_an_offset_are_local_and_noted(tmp_path: Path, write: Any) -> None:
    local = {
        "id": "e3",
        "type": "ship",
        "time": "2024-07-01T12:00:00",
        "relationships": [{"objectId": "o1", "qualifier": ""}],
    }
    path = write(log(local), tmp_path)
    frame, notes = read(path, "order", timezone="Europe/Berlin")
    assert frame["timestamp"][-1] == datetime(2024, 7, 1, 10)
    assert any("1 timestamps without an offset were read as Europe/Berlin" in n for n in notes)


def test_an_event_lists_no_crowd_of_other_objects(tmp_path: Path) -> None:
    items = [{"id": f"x{n}", "type": "item"} for n in range(101)]
    crowd = {
        "id": "e3",
        "type": "ship",
        "time": "2024-01-03T00:00:00Z",
        "relationships": [
            {"objectId": o, "qualifier": ""} for o in ["o1", *(i["id"] for i in items)]
        ],
    }
    frame, notes = read(as_json(log(crowd, objects=[*OBJECTS, *items]), tmp_path), "order")
    assert frame.filter(pl.col("event_id") == "e3/o1")["attributes"].to_list() == [None]
    assert any("1 events touch more than 100 other objects" in note for note in notes)


@pytest.mark.parametrize("resource", ["org:resource", "resource"])
def test_the_resource_is_read_from_its_attribute(tmp_path: Path, resource: str) -> None:
    content = log()
    content["events"][0] = {**EVENTS[0], "attributes": [{"name": resource, "value": "Ann"}]}
    frame, _ = read(as_json(content, tmp_path), "order")
    assert frame["resource"].to_list() == ["Ann"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"id,time\n", "neither JSON nor XML nor SQLite"),
        (b'{"events": [', "is not JSON"),
        (b'{"events": {}}', "JSON but no OCEL"),
        (b"[1]", "JSON but no OCEL"),
        (b'{"events": [], "objects": []}', "has no objects"),
        (b'{"events": [], "objects": [{"id": "o", "type": "t"}]}', "has no events"),
        (b'{"events": [{"id": "\xff"}]}', "is not JSON"),
        (b"[" * 200_000, "nests too deep"),
        (b"<log><trace/></log>", "it is XES"),
        (b"<log><events>", "not well-formed"),
        (b"<other/>", "outermost element is <other>"),
        (b'<!DOCTYPE log [<!ENTITY a "b">]><log/>', "declares a document type"),
        (b"<log>" + b"<events>" * 200, "deep"),
        (b"SQLite format 3\0" + b"\0" * 2000, "cannot be read as OCEL"),
    ],
)
def test_what_is_no_log_is_refused_with_a_sentence(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(LogFormatError, match=message) as refused:
        read(path)
    assert refused.value.hint
    assert "\n" not in refused.value.message


def test_a_json_log_beyond_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocel_json, "MAX_BYTES", 1000)
    with pytest.raises(LogFormatError, match="do not fit into memory"):
        read(as_json(log(), tmp_path), "order")


def test_repeated_keys_in_json_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log()).replace('"id": "e1"', '"id": "e0", "id": "e1"'))
    _, notes = read(path, "order")
    assert any(note.startswith("1 attributes repeat a key; the last counts (id)") for note in notes)


def test_numbers_are_exact(tmp_path: Path) -> None:
    big = 99999999999999999999
    values = [{"name": "big", "value": big}, {"name": "long", "value": 2**53 + 1}]
    content = log()
    content["events"][0] = {
        **EVENTS[0],
        "attributes": [*values, {"name": "nan", "value": float("nan")}],
    }
    frame, _ = read(as_json(content, tmp_path), "order")
    found = json.loads(frame["attributes"][0])
    assert (found["big"], found["long"]) == (str(big), 2**53 + 1)
    assert "nan" not in found


def test_sqlite_that_is_still_being_written_is_refused(tmp_path: Path) -> None:
    path = as_sqlite(log(), tmp_path)
    path.with_name(f"{path.name}-wal").write_bytes(b"x")
    with pytest.raises(LogFormatError, match=r"still in log\.sqlite-wal"):
        read(path, "order")


def test_sqlite_views_are_no_tables(tmp_path: Path) -> None:
    path = as_sqlite(log(), tmp_path)
    with sqlite3.connect(path) as database:
        database.execute("alter table event rename to hidden")
        database.execute(
            "create view event as with recursive r(n) as (select 1 union all select n from r) "
            "select n as ocel_id, n as ocel_type from r"
        )
    database.close()
    with pytest.raises(LogFormatError, match="lacks the tables event"):
        read(path, "order")


def test_reading_leaves_the_file_alone(tmp_path: Path) -> None:
    path = as_sqlite(log(), tmp_path)
    path.chmod(0o444)
    before = path.read_bytes()
    read(path, "order")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_packed_json_and_xml_are_read(tmp_path: Path) -> None:
    for path in (as_json(log(), tmp_path), as_xml(log(), tmp_path)):
        packed = tmp_path / "packed.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        assert read(packed, "order")[0].equals(read(path, "order")[0])


def test_names_are_data(tmp_path: Path) -> None:
    name = 'it\'s; drop table "x"; --'
    content = log(objects=[{**OBJECTS[0], "type": name}, *OBJECTS[1:]])
    frame, _ = read(as_json(content, tmp_path), name)
    assert frame["case_id"].to_list() == ["o1"]


FILES = {
    "example_log.jsonocel": "order",
    "example_log.xmlocel": "order",
    "example_log.sqlite": "element",
    "minimal.jsonocel": "item",
    "minimal.xmlocel": "item",
    "recruiting-red.jsonocel": "applications",
    "ocel20_example.jsonocel": "Invoice",
    "ocel20_example.xmlocel": "Invoice",
    "ocel20_example.sqlite": "Purchase Order",
    "ocpa_running_example.sqlite": "items",
}


@pytest.mark.parametrize("file", FILES)
def test_flattening_is_what_pm4py_does(shared_logs: Path, file: str) -> None:
    path = shared_logs / "objects" / file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pm4py

        second = file.startswith(("ocel20", "ocpa"))
        kind = path.suffix.removeprefix(".").removesuffix("ocel")
        reader = getattr(pm4py, f"read_ocel{'2' if second else ''}_{kind}")
        expected = pm4py.ocel_flattening(reader(str(path)), FILES[file])
    frame, _ = read(path, FILES[file])
    usable = frame.filter(pl.col("reason").is_null())
    ids = expected["ocel:eid"].astype(str) + "/" + expected["case:concept:name"].astype(str)
    assert sorted(usable["event_id"]) == sorted(ids)
    ours = dict(usable.select("event_id", "activity").iter_rows())
    assert ours == dict(zip(ids, expected["concept:name"], strict=True))
