"""Mappings: records of any shape become the events that the file says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.mapping import Mapping, MappingFile, hardened
from ingest.mapping.file import parse_document
from ingest.source import FileSource
from ingest.sources.csv import CsvFile
from ingest.sources.jsonl import JsonLinesFile
from ingest.sources.parquet import ParquetFile
from miner.errors import InputError
from miner.eventlog.schema import BATCH

ORDERS = """
case = "order.id"
activity = "'Order ' || status"
timestamp = "at"
resource = "by"
resource_kind = "'human'"
attempt = "tries"

[attributes]
amount = "order.amount"
doubled = "order.amount::double * 2"

[case_attributes]
customer = "customer"
"""
DATES = """
case = "id"
event_id = "id"

[[event]]
activity = "'Created'"
timestamp = "created_at"

[[event]]
activity = "'Approved'"
timestamp = "approved_at"
resource = "approver"
when = "amount > 100"

[[event]]
activity = "'Shipped'"
timestamp = "shipped_at"
start = "packed_at"
"""


def mapping(text: str) -> Mapping:
    document = parse_document(text, "orders.toml")
    document.refuse_tables(())
    return Mapping.of(document)


def lines(*records: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(record) for record in records).encode()


def test_fields_and_expressions_over_json_become_an_event() -> None:
    record = {
        "order": {"id": 17, "amount": 2.5}, "status": "paid", "at": "2026-01-31T10:00:00+02:00",
        "by": "ann", "tries": 3, "customer": {"name": "X"}, "more": [1],
    }  # fmt: skip
    events = mapping(ORDERS).events(lines(record))
    assert events.schema == BATCH
    [event] = events.rows(named=True)
    known = {key: value for key, value in event.items() if value is not None}
    assert known == {
        "case_id": "17",
        "activity": "Order paid",
        "timestamp": datetime(2026, 1, 31, 8),
        "resource": "ann",
        "resource_kind": "human",
        "attempt": 3,
        "attributes": '{"amount":2.5,"doubled":5}',
        "case_attributes": '{"customer":{"name":"X"}}',
    }


def test_fields_may_come_and_go_between_objects() -> None:
    first = {"order": {"id": "a"}, "status": "new", "at": 1769850000}
    second = {"order": {"id": "b", "amount": 1}, "status": "new", "at": 1769850000, "by": None}
    events = mapping(ORDERS).events(lines(first, second))
    assert events["reason"].to_list() == [None, None]
    assert events["attributes"].to_list() == [None, '{"amount":1,"doubled":2}']


def test_no_records_give_no_events_with_the_same_columns() -> None:
    assert mapping(ORDERS).events(b"").schema == BATCH
    frame = pl.DataFrame(
        {"order.id": [], "status": [], "at": []}, schema_overrides={"at": pl.Int64}
    )
    text = 'case = "order.id"\nactivity = "status"\ntimestamp = "at"'
    assert mapping(text).events(frame).rows() == []


def test_one_record_becomes_an_event_for_each_time_it_has() -> None:
    frame = pl.DataFrame(
        {
            "id": ["a", "b"],
            "amount": [500, 50],
            "approver": ["ann", "bob"],
            "created_at": ["2026-01-01T00:00:00Z"] * 2,
            "approved_at": ["2026-01-02T00:00:00Z"] * 2,
            "packed_at": ["2026-01-03T00:00:00Z", None],
            "shipped_at": ["2026-01-04T00:00:00Z", None],
        }
    )
    events = mapping(DATES).events(frame)
    found = events.sort("case_id", "timestamp").select(
        "case_id", "activity", "lifecycle", "event_id", "instance_id", "resource", "position"
    )
    assert found.rows() == [
        ("a", "Created", None, "a:Created", None, None, 0),
        ("a", "Approved", None, "a:Approved", None, "ann", 1),
        ("a", "Shipped", "start", "a:Shipped:start", "a:Shipped", None, 2),
        ("a", "Shipped", "complete", "a:Shipped", "a:Shipped", None, 2),
        ("b", "Created", None, "b:Created", None, None, 0),
    ]


def test_conditions_at_the_top_hold_for_every_event() -> None:
    text = f"when = \"kind = 'x'\"\n{DATES}"
    frame = pl.DataFrame(
        {"id": ["a", "b"], "kind": ["x", "y"], "amount": [500, 500], "approver": ["", ""]}
    ).with_columns(
        pl.lit("2026-01-01T00:00:00Z").alias(name)
        for name in ("created_at", "approved_at", "packed_at", "shipped_at")
    )
    assert mapping(text).events(frame)["case_id"].unique().to_list() == ["a"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"status": "x", "at": 1769850000}, "no case: order.id is empty"),
        ({"order": {"id": " "}, "status": "x", "at": 1769850000}, "no case: order.id is empty"),
        ({"order": {"id": 1}, "at": 1769850000}, "no activity: 'Order ' || status is empty"),
        ({"order": {"id": 1}, "status": "x"}, "no timestamp: at is empty"),
        (
            {"order": {"id": 1}, "status": "x", "at": "soon"},
            "timestamp 'soon' cannot be read as a time",
        ),
        (
            {"order": {"id": 1}, "status": "x", "at": "2026-01-31 10:00"},
            "timestamp '2026-01-31 10:00' has no offset; the mapping has to say timezone = …",
        ),
        (
            {"order": {"id": 1}, "status": "x", "at": "9999-12-31T00:00:00Z"},
            "timestamp '9999-12-31T00:00:00Z' is not between 1900 and 2200",
        ),
    ],
)  # fmt: skip
def test_what_cannot_become_an_event_is_kept_with_the_reason(
    record: dict[str, Any], reason: str
) -> None:
    good = {"order": {"id": 1}, "status": "x", "at": "2026-01-31T10:00:00Z"}
    events = mapping(ORDERS).events(lines(record, good))
    assert events["reason"].to_list() == [reason, None]
    assert json.loads(events["record"][0]) == record


def test_lines_that_are_no_objects_are_kept_too() -> None:
    events = mapping(ORDERS).events(b'{"order": {"id": \n[1]\n')
    assert sorted(events.select("reason", "record").rows()) == [
        ("no JSON object", "[1]"),
        ("not valid JSON", '{"order": {"id": '),
    ]


def test_a_condition_that_fails_loses_no_record() -> None:
    text = 'case = "c"\nactivity = "a"\ntimestamp = "t"\nwhen = "n::int > 5"'
    records = lines(*({"c": 1, "a": "x", "t": 1769850000, "n": n} for n in (9, 3, "many", None)))
    events = mapping(text).events(records)
    assert events["reason"].to_list() == [None, "the condition of line 4 fails"]


@pytest.mark.parametrize(
    ("settings", "given", "instant"),
    [
        ("", "2026-07-01T12:00:00.123456Z", datetime(2026, 7, 1, 12, 0, 0, 123456)),
        ("", "2026-07-01 12:00:00+02", datetime(2026, 7, 1, 10)),
        ("", 1782907200, datetime(2026, 7, 1, 12)),
        ("", 1782907200.5, datetime(2026, 7, 1, 12, 0, 0, 500000)),
        ("", "1782907200123", datetime(2026, 7, 1, 12, 0, 0, 123000)),
        ("", 1782907200123456, datetime(2026, 7, 1, 12, 0, 0, 123456)),
        ("", 1782907200123456789, datetime(2026, 7, 1, 12, 0, 0, 123456)),
        ('timestamp_format = "milliseconds"', 86_400_000, datetime(1970, 1, 2)),
        ('timezone = "Europe/Berlin"', "2026-07-01 12:00", datetime(2026, 7, 1, 10)),
        ('timezone = "Europe/Berlin"', "2026-01-01T12:00:00", datetime(2026, 1, 1, 11)),
        ('timezone = "Europe/Berlin"', "2026-07-01T12:00:00Z", datetime(2026, 7, 1, 12)),
        (
            'timezone = "Europe/Berlin"\ndaylight_saving = "later"',
            "2026-10-25 02:30",
            datetime(2026, 10, 25, 1, 30),
        ),
        (
            'timezone = "UTC"\ntimestamp_format = ["%d.%m.%Y %H:%M", "iso"]',
            "01.07.2026 12:00",
            datetime(2026, 7, 1, 12),
        ),
    ],
)
def test_times_are_read_as_they_are_written(settings: str, given: Any, instant: datetime) -> None:
    text = f'{settings}\ncase = "c"\nactivity = "a"\ntimestamp = "t"'
    events = mapping(text).events(lines({"c": 1, "a": "x", "t": given}))
    assert events["reason"].to_list() == [None]
    assert events["timestamp"].to_list() == [instant]


def test_local_times_that_happen_twice_are_refused_unless_said_otherwise() -> None:
    text = 'timezone = "Europe/Berlin"\ncase = "c"\nactivity = "a"\ntimestamp = "t"'
    events = mapping(text).events(lines({"c": 1, "a": "x", "t": "2026-10-25 02:30"}))
    assert events["reason"].to_list() == [
        "timestamp '2026-10-25 02:30' happens twice in Europe/Berlin"
    ]


def test_typed_columns_of_a_database_keep_their_meaning() -> None:
    at = datetime(2026, 1, 1, 12)
    frame = pl.DataFrame(
        {"Case ID": [7.0], "a": ["x"], "t": [at], "payload": ['{"user": {"id": 5}}'], "v": [at]}
    ).with_columns(pl.col("t").dt.replace_time_zone("Europe/Berlin"))
    text = """
        case = "Case ID"
        activity = "a"
        timestamp = "t"
        resource = "payload.user.id"
        version = "v"
        [attributes]
        all = "record"
    """
    events = mapping(text).events(frame)
    assert events.select("case_id", "resource", "timestamp", "version").row(0) == (
        "7", "5", datetime(2026, 1, 1, 11), int(at.replace(tzinfo=UTC).timestamp() * 1e6),
    )  # fmt: skip
    assert json.loads(json.loads(events["attributes"][0])["all"])["a"] == "x"


def test_the_exact_name_of_a_column_wins_over_a_path() -> None:
    frame = pl.DataFrame(
        {"order.id": ["flat"], "order": ['{"id": "nested"}'], "a-b": ["x"], "t": [1769850000]}
    )
    text = 'case = "order.id"\nactivity = "a-b"\ntimestamp = "t"'
    assert mapping(text).events(frame).select("case_id", "activity").row(0) == ("flat", "x")


def test_names_of_columns_mean_nothing_in_between() -> None:
    names = ("broken", "reason", "completed_at", "record_position", "value_0", "c0", "transition")
    frame = pl.DataFrame({"c": ["1"], "a": ["x"], **{name: [f"{name}!"] for name in names}})
    listed = "\n".join(f'{name} = "{name}"' for name in names)
    text = f'case = "c"\nactivity = "a"\ntimestamp = "1769850000"\n[attributes]\n{listed}'
    [event] = mapping(text).events(frame).rows(named=True)
    assert event["reason"] is None
    assert json.loads(event["attributes"]) == {name: f"{name}!" for name in names}


def test_messages_have_an_envelope_and_a_value() -> None:
    text = """
        case = "key"
        activity = "type"
        timestamp = "value.timestamp"
        resource = "headers.x-user.name"
        process_version = "topic || '/' || partition"
        [attributes]
        sent = "timestamp"
    """
    message = {
        "value": {"type": "paid", "timestamp": 1769850000}, "key": "k1", "topic": "orders",
        "headers": {"x-user.name": "ann"}, "partition": 2, "offset": 41,
        "timestamp": "2026-01-31T10:00:00.000000Z",
    }  # fmt: skip
    events = mapping(text).events(lines(message), messages=True)
    names = ("case_id", "activity", "resource", "process_version", "position", "timestamp")
    assert events.select(names).row(0) == (
        "k1", "paid", "ann", "orders/2", 41, datetime(2026, 1, 31, 9),
    )  # fmt: skip
    assert events["attributes"][0] == '{"sent":"2026-01-31T10:00:00.000000Z"}'


def test_a_message_without_json_is_kept_with_the_reason() -> None:
    text = 'case = "id"\nactivity = "type"\ntimestamp = "timestamp"'
    events = mapping(text).events(lines({"value": "hello", "timestamp": 1}), messages=True)
    assert events["reason"].to_list() == ["no case: id is empty"]


STRUCTURED = {
    "value": {
        "specversion": "1.0", "id": "e1", "source": "/shop", "type": "order.paid",
        "time": "2026-01-31T10:00:00Z", "subject": "o17", "data": {"amount": 5},
    }
}  # fmt: skip
BINARY = {
    "value": {"amount": 5},
    "headers": {
        "ce_id": "e1", "ce_source": "/shop", "ce_type": "order.paid", "ce_subject": "o17",
        "ce_time": "2026-01-31T10:00:00Z",
    },
}  # fmt: skip


@pytest.mark.parametrize("message", [STRUCTURED, BINARY])
def test_cloud_events_mean_the_same_in_both_modes(message: dict[str, Any]) -> None:
    text = 'format = "cloudevents"\n[attributes]\namount = "data.amount"'
    events = mapping(text).events(lines(message), messages=True)
    names = ("case_id", "activity", "event_id", "timestamp", "attributes")
    assert events.select(names).row(0) == (
        "o17", "order.paid", "/shop#e1", datetime(2026, 1, 31, 10), '{"amount":5}',
    )  # fmt: skip


def test_cloud_events_may_stand_in_a_file_and_be_mapped_otherwise() -> None:
    text = 'format = "cloudevents"\ncase = "correlationid"'
    record = {**STRUCTURED["value"], "correlationid": "c9"}
    assert mapping(text).events(lines(record))["case_id"].to_list() == ["c9"]


@pytest.mark.parametrize("kind", [CsvFile, JsonLinesFile, ParquetFile])
def test_files_are_read_by_a_mapping_instead_of_guessing(
    kind: type[FileSource], tmp_path: Path
) -> None:
    frame = pl.DataFrame(
        {
            "Ref": ["o1", "o1", ""],
            "What": ["Create", "Pay", "Pay"],
            "End": ["2026-01-01 10:00", "2026-01-01 12:00", "2026-01-01 12:00"],
            "Begin": ["2026-01-01 09:00", None, None],
        }
    )
    (tmp_path / "m.toml").write_text(
        'case = "Ref"\nactivity = "upper(What)"\ntimestamp = "End"\nstart = "Begin"\n'
        'timezone = "Europe/Berlin"\n',
        encoding="utf-8",
    )
    path = tmp_path / "events"
    writers = {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}
    writers[kind.name](path)
    source = kind(path=str(path), mapping=MappingFile(tmp_path / "m.toml"))  # type: ignore[call-arg]
    events = pl.concat(source.read())
    assert events.filter(pl.col("reason").is_null()).select(
        "case_id", "activity", "lifecycle", "timestamp"
    ).sort("timestamp").rows() == [
        ("o1", "CREATE", "start", datetime(2026, 1, 1, 8)),
        ("o1", "CREATE", "complete", datetime(2026, 1, 1, 9)),
        ("o1", "PAY", "complete", datetime(2026, 1, 1, 11)),
    ]
    assert events["reason"].drop_nulls().to_list() == ["no case: Ref is empty"]


def test_a_mapping_and_a_column_are_not_both_given(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "e.csv").write_text("a,b,c\n1,2,3\n", encoding="utf-8")
    source = CsvFile(str(tmp_path / "e.csv"), case="a", mapping=MappingFile(tmp_path / "m.toml"))
    with pytest.raises(InputError, match="--case and --mapping"):
        list(source.read())


def test_a_mapping_with_another_content_is_another_option(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(ORDERS, encoding="utf-8")
    before = repr(MappingFile(path))
    path.write_text(DATES, encoding="utf-8")
    assert repr(MappingFile(path)) != before


def test_expressions_are_evaluated_where_nothing_can_be_reached(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n", encoding="utf-8")
    with hardened() as connection:
        for attack in (f"from read_csv('{secret}')", "set enable_external_access = true"):
            with pytest.raises(Exception, match=r"disabled|locked"):
                connection.sql(attack)
