"""A reader's connection reaches nothing but its snapshot, and cannot be talked out of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from miner.errors import StoreError
from miner.eventlog import engine
from miner.eventlog.store import EventStore
from miner.settings import Settings
from tests.logs import events_of

FORBIDDEN = (
    "select content from read_text('{file}')",
    "select content from read_blob('{file}')",
    "from read_csv('{file}')",
    "from read_json('{file}')",
    "from read_parquet('{file}')",
    "from '{file}'",
    "from glob('{folder}/*')",
    "copy \"case\" to '{folder}/out.csv'",
    "copy (select 1) to '{folder}/out.parquet' (format parquet)",
    "copy process from '{file}'",
    "attach '{folder}/other.duckdb' as other",
    "attach ':memory:' as other; create table other.t as select 1",
    "export database '{folder}/export'",
    "import database '{folder}/export'",
    "install httpfs",
    "load httpfs",
    "load '{folder}/evil.duckdb_extension'",
    "from read_csv('https://example.org/a.csv')",
    "set enable_external_access = true",
    "set global memory_limit = '100GB'",
    "set threads = 64",
    "set max_execution_time = 0",
    "set lock_configuration = false",
    "reset temp_directory",
    "pragma temp_directory = '{folder}'",
    "pragma enable_profiling; pragma profile_output = '{folder}/profile'",
    "create persistent secret s (type http, bearer_token 'x')",
    "create table t as select 1",
    "insert into process values (9, 'evil')",
    "update process set process = 'evil'",
    "delete from recorded_event",
    "drop table recorded_event",
    "from secret_frame",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hardening")
    with EventStore(folder / "store").write() as writer:
        writer.append(events_of({"c1": "A@0-5"}), source="test", process="p")
    (folder / "secret.csv").write_text("a,b\n1,2\n")
    duckdb.connect(folder / "other.duckdb").close()
    return folder


@pytest.fixture
def reader(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = EventStore(folder / "store").read()
    yield connection
    connection.close()


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_a_reader_can_neither_change_nor_reach_anything(
    reader: duckdb.DuckDBPyConnection, folder: Path, statement: str
) -> None:
    secret_frame = pl.DataFrame({"secret": [1]})
    before = sorted(path for path in folder.rglob("*"))
    text = statement.format(file=folder / "secret.csv", folder=folder)
    with pytest.raises(duckdb.Error):
        reader.execute(text).fetchall()
    assert sorted(path for path in folder.rglob("*")) == before
    assert reader.execute("select process from process").fetchall() == [("p",)]
    assert secret_frame.height == 1


@pytest.mark.parametrize("statement", ["set enable_external_access = true", "from '{file}'"])
def test_a_cursor_is_as_hardened_as_its_connection(
    reader: duckdb.DuckDBPyConnection, folder: Path, statement: str
) -> None:
    with pytest.raises(duckdb.Error):
        reader.cursor().execute(statement.format(file=folder / "secret.csv")).fetchall()


def test_a_second_reader_of_the_same_snapshot_is_as_hardened_as_the_first(folder: Path) -> None:
    store = EventStore(folder / "store")
    first, second = store.read(), store.read()
    with pytest.raises(duckdb.Error):
        second.execute(f"from '{folder / 'secret.csv'}'").fetchall()
    first.close()
    assert second.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]
    second.close()


def test_the_bytes_of_a_snapshot_do_not_change_by_reading(
    reader: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    store = EventStore(folder / "store")
    path = store.snapshot().path(store.folder)
    before = path.read_bytes()
    reader.execute("create temp table mine as select 1")
    reader.execute('select count(*) from "case"').fetchall()
    assert path.read_bytes() == before
    assert not path.with_name(path.name + ".wal").exists()


def test_a_query_that_runs_too_long_is_stopped(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "settings", lambda: Settings(query_seconds=1))
    store = EventStore(tmp_path / "store")
    with store.write() as writer:
        writer.append(events_of({"c1": "A@0-5"}), source="test", process="p")
    log = store.log("p")
    started = time.monotonic()
    with pytest.raises(StoreError, match="stopped after 1 s"):
        log.row(
            "select count(*) as n from range(100000000) as a "
            "join range(1000000) as b on a.range % 7 = b.range % 11"
        )
    assert time.monotonic() - started < 10
