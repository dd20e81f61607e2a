"""Exported records of Zeebe: forms of files, pieces of streams, and what is bad in them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.load import load
from ingest.sources.zeebe_records import ZeebeRecords
from ingest.zeebe import decoding as zeebe_decoding
from ingest.zeebe import lines as zeebe_lines
from ingest.zeebe.models import models_in
from miner.errors import InputError, LogFormatError
from miner.eventlog.frames import with_all_columns
from miner.eventlog.store import EventStore
from tests.conftest import ROOT

RECORDING = ROOT / "tests" / "ingest" / "recorded" / "zeebe_orders.jsonl.gz"
EVENTS = 94

Record = dict[str, Any]


@pytest.fixture(scope="module")
def raw() -> bytes:
    """Bulk requests as a broker sent them: lines of action and record in turn."""
    return gzip.decompress(RECORDING.read_bytes())


@pytest.fixture(scope="module")
def records(raw: bytes) -> list[Record]:
    """The records alone, in the order of each partition."""
    found = [json.loads(line) for line in raw.splitlines() if b'"valueType"' in line]
    return sorted(found, key=lambda record: (record["partitionId"], record["position"]))


def lines(records: list[Record], **options: Any) -> bytes:
    return "\n".join(json.dumps(record, **options) for record in records).encode()


def decode(raw: bytes) -> pl.DataFrame:
    return zeebe_decoding.decode(raw, models_in(zeebe_lines.lines(raw)))


def read(path: Path) -> pl.DataFrame:
    return pl.concat(map(with_all_columns, ZeebeRecords(str(path)).frames()))


def same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return one.sort("event_id").equals(other.sort("event_id"))


def test_actions_records_and_documents_are_the_same_events(
    raw: bytes, records: list[Record]
) -> None:
    events = decode(raw)
    assert events.height == EVENTS
    assert events["event_id"].is_unique().all()
    assert same(events, decode(lines(records)))
    assert same(events, decode(lines(records, separators=(",", ":"))))
    documents = [{"_index": "zeebe-record", "_source": record} for record in records]
    assert same(events, decode(lines(documents)))
    assert same(events, decode(lines([*records[:200], *documents[200:]])))


def test_files_may_be_packed(raw: bytes, tmp_path: Path) -> None:
    plain = tmp_path / "records.jsonl"
    plain.write_bytes(raw)
    assert same(read(plain), decode(raw))
    assert same(read(RECORDING), decode(raw))


@pytest.mark.parametrize("size", [2_000, 20_011, 100_000])
def test_pieces_of_any_size_give_the_events_of_the_whole(
    size: int, raw: bytes, records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = decode(raw)
    monkeypatch.setattr(zeebe_lines, "PIECE", size)
    monkeypatch.setattr(zeebe_decoding, "BATCH_ROWS", 7)
    file = tmp_path / "records.jsonl"
    file.write_bytes(raw)
    assert sum(1 for _ in zeebe_lines.pieces(file)) > 1
    assert same(read(file), expected)
    file.write_bytes(lines(records[::-1] + records))  # later ones first, and twice
    assert same(read(file), expected)
    assert [each.text for each in ZeebeRecords(str(file)).definitions()]


def test_what_was_exported_twice_or_out_of_order_counts_once(records: list[Record]) -> None:
    expected = decode(lines(records))
    assert same(decode(lines(records + records)), expected)
    assert same(decode(lines(records[::-1])), expected)


def test_pieces_of_a_stream_give_the_same_attempts_as_the_whole(
    records: list[Record], tmp_path: Path
) -> None:
    whole, parts = EventStore(tmp_path / "whole"), EventStore(tmp_path / "parts")
    for store, size in ((whole, len(records)), (parts, 61)):
        with store.write() as writer:
            for first in range(0, len(records), size):
                events = zeebe_decoding.decode(lines(records[first : first + size]))
                writer.append(events, source="stream", process="camunda")
    sql = """
        select c.case_id, a.activity_id, i.status::varchar as status, count(*) as n
        from activity_instance as i
        join activity as a using (activity_key)
        join case_identity as c using (case_key)
        group by all
        order by all
    """
    names = ("case_id", "activity_id", "status")
    schema = pl.Schema({**dict.fromkeys(names, pl.String()), "n": pl.Int64()})
    found = [store.log("order").query(sql, schema) for store in (whole, parts)]
    assert found[0].equals(found[1])
    assert found[0]["n"].sum() == 30


def test_a_file_that_grew_adds_what_is_new(records: list[Record], tmp_path: Path) -> None:
    store, path = EventStore(tmp_path / "store"), tmp_path / "records.jsonl"
    path.write_bytes(lines(records[:200]))
    first = load(ZeebeRecords(str(path)), store, process="camunda").counts
    path.write_bytes(lines(records))
    second = load(ZeebeRecords(str(path)), store, process="camunda").counts
    assert first.new + second.new == EVENTS
    assert second.duplicate + second.corrected + second.unchanged == first.new
    again = load(ZeebeRecords(str(path)), store, process="camunda").counts
    assert again.new == 0


def test_without_deployments_the_ids_are_the_names(records: list[Record], tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(lines([record for record in records if record["valueType"] != "PROCESS"]))
    events = read(path)
    assert events.height == EVENTS
    assert events["activity"].equals(events["activity_id"].alias("activity"))
    assert list(ZeebeRecords(str(path)).definitions()) == []
    assert events.filter(pl.col("process_version").is_null()).is_empty()


def test_without_job_batches_starts_are_unknown_and_attempts_stay(records: list[Record]) -> None:
    events = decode(lines([record for record in records if record["valueType"] != "JOB_BATCH"]))
    jobs = events.filter(pl.col("attributes").str.contains("job_type"))
    assert "start" not in set(jobs["lifecycle"])
    ended = jobs.filter(pl.col("lifecycle").is_in(["fail", "timeout"]))
    assert sorted(ended["attempt"].to_list()) == [1, 1, 1, 1, 2]


def test_a_job_whose_creation_is_not_there_has_attempts_of_unknown_number(
    records: list[Record],
) -> None:
    late = [
        record
        for record in records
        if not (record["valueType"] == "JOB" and record["intent"] == "CREATED")
    ]
    failed = decode(lines(late)).filter(pl.col("lifecycle") == "fail")
    assert failed.height == 4
    assert failed["attempt"].null_count() == 4


def changed(record: Record, **value: Any) -> Record:
    return {**record, "value": {**record["value"], **value}}


def of(records: list[Record], kind: str, intent: str) -> Record:
    return next(r for r in records if (r["valueType"], r["intent"]) == (kind, intent))


def test_who_acted_is_named_where_people_sign_in(records: list[Record]) -> None:
    def signed_in(record: Record) -> Record:
        name = {"authorized_username": "olga", "authorized_tenants": ["<default>"]}
        client = {"authorized_client_id": "script"}
        modified = record["valueType"] == "PROCESS_INSTANCE_MODIFICATION"
        return {**record, "authorizations": client if modified else name}

    events = decode(lines([signed_in(record) for record in records]))
    orders = events.filter(pl.col("lifecycle") == "retry")
    told = orders.select("attributes", "resource", "resource_kind").sort("attributes").rows()
    assert [(json.loads(text)["operation"], *who) for text, *who in told] == [
        ("MIGRATE", "olga", "human"),
        ("MODIFY", "script", "system"),
        ("RESOLVE", "olga", "human"),
    ]


def test_a_worker_that_fails_a_job_it_lost_ends_no_attempt(records: list[Record]) -> None:
    timed_out = of(records, "JOB", "TIMED_OUT")
    late = changed(
        {**timed_out, "intent": "FAILED", "position": timed_out["position"] + 1}, retries=2
    )
    assert same(decode(lines([*records, late])), decode(lines(records)))


def test_incidents_without_a_job_are_failures_of_their_element(records: list[Record]) -> None:
    incident = of(records, "INCIDENT", "CREATED")
    broken = changed(
        {**incident, "key": 1, "position": 10**6},
        jobKey=-1, elementId="known", errorType="EXTRACT_VALUE_ERROR", errorMessage="no such name",
    )  # fmt: skip
    more = decode(lines([*records, broken])).join(decode(lines(records)), on="event_id", how="anti")
    columns = ("activity", "lifecycle", "error_type", "error_message", "attempt")
    assert more.select(columns).rows() == [
        ("Known customer?", "fail", "EXTRACT_VALUE_ERROR", "no such name", None)
    ]


def test_a_resolution_that_comes_with_the_end_of_the_element_is_no_intervention(
    records: list[Record],
) -> None:
    ended = next(
        r for r in records
        if (r["valueType"], r["intent"]) == ("PROCESS_INSTANCE", "ELEMENT_TERMINATED")
        and r["value"]["elementId"] == "approve"
    )  # fmt: skip
    resolved = of(records, "INCIDENT", "RESOLVED")
    closed = changed(
        {**resolved, "key": 2, "position": 10**6, "partitionId": ended["partitionId"],
         "sourceRecordPosition": ended["sourceRecordPosition"]},
        elementInstanceKey=ended["key"], elementId="approve", jobKey=-1,
    )  # fmt: skip
    assert same(decode(lines([*records, closed])), decode(lines(records)))


BROKEN = {
    "text": lambda _: b"not a record",
    "cut": lambda record: json.dumps(record).encode()[:-40],
    "other": lambda _: b'{"event": "order placed"}',
    "keys as text": lambda record: json.dumps({**record, "key": "soon"}).encode(),
    "a list": lambda record: json.dumps([record]).encode(),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_lines_that_are_no_records_go_to_quarantine(
    fault: str, records: list[Record], tmp_path: Path
) -> None:
    spoil: Callable[[Record], bytes] = BROKEN[fault]
    bad = spoil(of(records, "JOB", "FAILED"))
    path = tmp_path / "records.jsonl"
    path.write_bytes(lines(records) + b"\n\n" + bad + b"\n  \n")
    loaded = load(ZeebeRecords(str(path)), EventStore(tmp_path / "store"), process="camunda")
    assert (loaded.counts.new, loaded.counts.rejected) == (EVENTS, 1)
    rejected = read(path).filter(pl.col("reason").is_not_null())
    assert rejected["record"].to_list() == [bad.decode()]


def test_files_without_records_and_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(b'{"event": "order placed"}\n')
    with pytest.raises(LogFormatError, match=r"No line of .* is a record of Zeebe"):
        read(path)
    path.write_bytes(RECORDING.read_bytes()[:9_000])
    with pytest.raises(InputError, match="cannot be read"):
        read(path)
    assert decode(b"").is_empty()


def test_models_are_the_deployed_texts(raw: bytes) -> None:
    found = list(ZeebeRecords(str(RECORDING)).definitions())
    assert sorted((each.process, each.version, each.format) for each in found) == [
        ("order", "1", "bpmn"),
        ("order", "2", "bpmn"),
        ("shipping", "1", "bpmn"),
    ]
    assert all(each.text.startswith("<?xml") and each.valid_from for each in found)
