"""What every source promises, whatever it reads from."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import duckdb
import polars as pl
import pytest

from ingest.registry import GROUP, source_class, source_names
from ingest.source import FileSource, Secret, Source, options_of
from miner.errors import InputError, UnknownNameError
from miner.eventlog.schema import BATCH, CASE_STATUS
from sample_logs.catalogue import catalogue
from tests.conftest import ROOT
from tests.ingest import ocel_logs, spans


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    """An example of every source."""
    found: dict[str, Source] = {}
    for sample in catalogue():
        kind = source_class(sample.source)
        found.setdefault(sample.source, kind(path=str(sample.path), **sample.options))  # type: ignore[call-arg]
    log = tmp_path_factory.mktemp("ocel") / "log.json"
    log.write_text(json.dumps(ocel_logs.log()), encoding="utf-8")
    found["ocel"] = source_class("ocel")(path=str(log), object_type="item")  # type: ignore[call-arg]
    history = ROOT / "tests" / "ingest" / "recorded" / "temporal_order.json"
    found["temporal-history"] = source_class("temporal-history")(path=str(history))  # type: ignore[call-arg]
    traces = tmp_path_factory.mktemp("otlp")
    made = [spans.span("order", 1, lasts=9), spans.span("charge", 2, 1, at=1, error="declined")]
    path = spans.written(traces, spans.request(made))
    found["otlp"] = source_class("otlp")(path=path)  # type: ignore[call-arg]
    records = ROOT / "tests" / "ingest" / "recorded" / "zeebe_orders.jsonl.gz"
    found["zeebe-records"] = source_class("zeebe-records")(path=str(records))  # type: ignore[call-arg]
    return found


SYSTEMS = {
    name: f"tests/servers/test_{name.replace('-', '_')}.py"
    for name in source_names()
    if not issubclass(source_class(name), FileSource)
}
"""Where each source that reads a system is held against the contract, with the real system."""


@pytest.fixture(params=[name for name in source_names() if name not in SYSTEMS])
def source(request: pytest.FixtureRequest, examples: dict[str, Source]) -> Source:
    return examples[request.param]


def read(source: Source) -> pl.DataFrame:
    return pl.concat(source.read())


def test_every_source_has_an_example(examples: dict[str, Source]) -> None:
    assert sorted([*examples, *SYSTEMS]) == source_names()


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_source_of_a_system_is_held_against_the_contract(name: str) -> None:
    assert "keeps_the_contract(" in (ROOT / SYSTEMS[name]).read_text(encoding="utf-8")


def test_the_sources_are_those_of_the_project(examples: dict[str, Source]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert source_names() == sorted(project["entry-points"][GROUP])
    assert source_names() == sorted(entry.name for entry in entry_points(group=GROUP))


@pytest.mark.parametrize("name", source_names())
def test_names_and_options_speak_for_themselves(name: str) -> None:
    kind = source_class(name)
    assert kind.name == name
    assert re.fullmatch(r"[a-z]+[0-9]*(-[a-z0-9]+)*", kind.name)
    assert kind.__doc__ and not kind.__doc__.startswith(kind.__name__)  # a dataclass writes its own
    for option in options_of(kind):
        assert option.help, option.name
        assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", option.name)


def test_events_have_the_columns_of_a_batch(source: Source) -> None:
    for batch in source.read():
        assert batch.schema == BATCH
        assert list(batch.schema) == list(BATCH)


def test_what_is_no_event_has_a_reason_and_every_event_has_what_it_needs(source: Source) -> None:
    rows = read(source)
    events = rows.filter(pl.col("reason").is_null())
    assert events.height > 0
    assert events["record"].null_count() == events.height
    needed = pl.col("case_id", "activity", "timestamp", "position")
    assert events.select(needed.null_count()).row(0) == (0,) * 4
    assert events.select((pl.col("case_id", "activity") == "").sum()).row(0) == (0, 0)
    statuses = set(events["case_status"].drop_nulls().str.to_lowercase())
    assert statuses <= set(CASE_STATUS)
    for name in ("attributes", "case_attributes"):
        for text in events[name].drop_nulls().unique().head(200):
            assert isinstance(json.loads(text), dict)


def test_reading_again_gives_the_same_events(source: Source) -> None:
    order = ["position", "case_id", "lifecycle"]
    assert read(source).sort(order).equals(read(source).sort(order))


def test_ids_stand_for_one_event_each(source: Source) -> None:
    ids = read(source).filter(pl.col("event_id").is_not_null())
    about = ("event_id", "case_id", "activity", "timestamp", "lifecycle")
    assert ids.select(about).unique().height == ids["event_id"].n_unique()


def test_since_leaves_out_nothing_later(source: Source) -> None:
    everything = read(source).filter(pl.col("reason").is_null())
    instants = sorted(everything["timestamp"].to_list())
    since = instants[len(instants) // 2]
    key = ["case_id", "activity", "timestamp", "position"]
    later = everything.filter(pl.col("timestamp") >= since).select(key)
    found = pl.concat(source.read(since)).select(key)
    assert later.join(found, on=key, how="anti").is_empty()


def test_opening_leaves_nothing_behind(source: Source, tmp_path: Path) -> None:
    assert isinstance(source, FileSource)
    with duckdb.connect() as connection:
        with source.scan(connection) as opened:
            connection.sql(opened.select).fetchall()
            for note in opened.notes:
                assert note.subject and note.text
            assert opened.given is None or opened.given <= set(BATCH)
        assert connection.sql("from duckdb_tables()").fetchall() == []
        assert connection.sql("select * from duckdb_views() where not internal").fetchall() == []


def test_columns_that_are_not_given_hold_nothing(source: Source) -> None:
    assert isinstance(source, FileSource)
    with duckdb.connect() as connection, source.scan(connection) as opened:
        if opened.given is None:
            pytest.skip("any of them may hold something")
        rows = connection.sql(opened.select).pl()
    for name in set(BATCH) - opened.given - {"reason", "record"}:
        if name != "position":
            assert rows[name].null_count() == rows.height, name


def test_the_session_does_not_change_what_is_read(source: Source) -> None:
    assert isinstance(source, FileSource)
    found = []
    for zone in ("UTC", "Asia/Tokyo", "America/St_Johns"):
        with duckdb.connect() as connection:
            connection.execute(f"set global TimeZone = '{zone}'")
            with source.scan(connection) as opened:
                rows = connection.sql(opened.select).pl()
                found.append(rows.sort("position", "case_id", "lifecycle"))
    assert found[0].equals(found[1]) and found[1].equals(found[2])


def test_a_file_that_is_no_such_log_is_an_input_error(source: Source, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"neither rows nor tags\n")
    with pytest.raises(InputError) as caught:
        read(type(source)(path=str(tmp_path / "log")))  # type: ignore[call-arg]
    assert caught.value.message and len(caught.value.message.splitlines()) == 1


def test_secrets_stay_hidden() -> None:
    secret = Secret("s3cret")
    assert "s3cret" not in repr(secret)
    assert "s3cret" not in str([secret, {"token": secret}])


def test_another_source_is_unknown() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'parquet'"):
        source_class("parket")
