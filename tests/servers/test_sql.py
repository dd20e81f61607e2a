"""SQL databases: rows and changes of real servers, with known numbers, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.databases import frames
from ingest.load import load
from ingest.restore import restore
from ingest.source import Known, Secret
from ingest.sources.sql import SqlDatabase
from miner.errors import InputError, SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from miner.settings import settings
from tests.commands import answer, run
from tests.conftest import ROOT
from tests.ingest.contract import keeps_the_contract
from tests.servers import postgres
from tests.servers.install import free_port
from tests.servers.order_messages import (
    EVENTS,
    MAPPING,
    events_in,
    example_on,
    holds_the_known_numbers,
    killed_while_loading,
    told,
)
from tests.servers.sql_places import (
    KINDS,
    ORDERS,
    SECRETS,
    Place,
    mapped,
    maria,
    on,
    place,
    postgresql,
)

__all__ = ["maria", "place", "postgresql"]

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("sql")]

TOLD = f'event_id = "id"\n{MAPPING}'


@on(*KINDS)
def test_rows_become_events_with_the_known_numbers(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.table(told())
    monkeypatch.setenv("PROCESSION_SQL_DATABASE", place.url)
    command = (
        *("load", "sql", "--table", "told", "--incremental", "id", "--process", "orders"),
        *("--mapping", str(mapped(tmp_path, TOLD))),
    )
    found = answer(tmp_path, *command)
    assert (found["read"], found["new"], found["cases"]) == (EVENTS, EVENTS, 20)
    holds_the_known_numbers(tmp_path, "orders")
    again = answer(tmp_path, *command)
    assert (again["new"], again["corrected"], again["rejected"]) == (0, 0, 0)
    later = list(told(20, 5))
    place.insert(later)
    found = answer(tmp_path, *command)
    assert (found["new"], found["corrected"], found["rejected"]) == (len(later), 0, 0)
    assert answer(tmp_path, "summary", "orders")["cases"] == 25
    short = answer(tmp_path, *command, "--overlap", "3")
    assert (short["read"], short["duplicate"]) == (4, 4)
    restored = EventStore(tmp_path / "restored")
    assert list(restore(tmp_path / "store", restored))
    kept = EventStore(tmp_path / "store")
    assert events_in(restored, "orders").equals(events_in(kept, "orders"))


@on(*KINDS)
def test_the_source_keeps_the_contract(place: Place, tmp_path: Path) -> None:
    place.table(told())
    query = f"select * from told where {place.named('attempt')} < 9"
    mapping = mapped(tmp_path, TOLD)
    source = SqlDatabase(Secret(place.url), mapping, query=query, incremental="at", page=40)
    assert keeps_the_contract(source).height == EVENTS
    assert place.url.split("@")[-1].split("/")[-1] in source.scope()
    assert not any(secret in source.scope() for secret in SECRETS)


@on("postgresql")
def test_a_load_that_is_killed_and_run_again_holds_the_same(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.table(told(0, 500))
    mapping = mapped(tmp_path, TOLD)
    source = SqlDatabase(Secret(place.url), mapping, table="told", incremental="id", page=500)
    calm, killed = EventStore(tmp_path / "calm"), EventStore(tmp_path / "killed")
    load(source, calm, process="orders")
    monkeypatch.setenv("PROCESSION_SQL_DATABASE", place.url)
    command = ("sql", "--table", "told", "--incremental", "id", "--mapping", str(mapping))
    more = ("--page", "500", "--overlap", "0", "--process", "orders")
    killed_while_loading(tmp_path / "killed", 6, *command, *more)
    part = load(source, killed, process="orders")
    assert 0 < part.counts.new < events_in(calm, "orders").height
    assert part.counts.corrected == 0
    assert events_in(killed, "orders").equals(events_in(calm, "orders"))


@on("postgresql")
def test_rows_that_are_committed_late_are_not_lost(place: Place, tmp_path: Path) -> None:
    import adbc_driver_postgresql.dbapi as dbapi

    place.table(told(0, 1))
    known = len(list(told(0, 1)))
    source = SqlDatabase(
        Secret(place.url), mapped(tmp_path, TOLD), table="told", incremental="id", overlap=0
    )
    store = EventStore(tmp_path / "store")
    insert = (
        "insert into told (\"order\", step, phase, at) values ('{0}', 'Create', 'complete', now())"
    )
    with dbapi.connect(place.url) as slow:
        with slow.cursor() as cursor:
            cursor.execute(insert.format("slow"))  # takes its number, but does not commit
            place.execute(insert.format("fast"))
            assert load(source, store, process="p").counts.new == known + 1
            place.execute(insert.format("faster"))
            assert load(source, store, process="p").counts.new == 1
        slow.commit()
    assert load(source, store, process="p").counts.new == 1
    assert load(source, store, process="p").counts.new == 0


@on("mariadb", "sqlite")
def test_a_load_says_when_late_rows_may_be_missed(place: Place, tmp_path: Path) -> None:
    place.table(told())
    source = SqlDatabase(Secret(place.url), mapped(tmp_path, TOLD), table="told", incremental="id")
    said = [limitation for page in source.pages(Known()) for limitation in page.limitations]
    assert [limitation.kind for limitation in said] == ["late"]


@on(*KINDS)
def test_what_is_wrong_is_said_without_the_password(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.table(told(0, 1))
    mapping = str(mapped(tmp_path, TOLD))

    def said(url: str = place.url, *options: str) -> str:
        monkeypatch.setenv("PROCESSION_SQL_DATABASE", url)
        given = options or ("--table", "told")
        command = ("load", "sql", *given, "--mapping", mapping, "--process", "p")
        done = run(tmp_path, *command)
        assert done.exit_code == 4, done.stderr
        assert "Traceback" not in done.stderr
        assert not any(secret in done.stderr for secret in SECRETS)
        return done.stderr

    assert "no such table" in said(place.url, "--table", "gone").lower()
    assert "column" in said(place.url, "--query", "select gone from told").lower()
    assert "understand" in said(place.url, "--query", "selct 1")
    assert said(place.url, "--query", "delete from told")
    if "@" in place.url:
        head, tail = place.url.split("@")
        who = head.rsplit(":", 1)[0]
        assert "did not let us in" in said(f"{who}:geheim@{tail}")
        port = tail.split(":")[1].split("/")[0]
        assert "cannot be reached" in said(place.url.replace(port, str(free_port())))
    else:
        assert "no SQLite database" in said(f"{place.url}x")


@on("postgresql", "sqlite")
def test_a_column_that_is_gone_or_misspelt_is_named(place: Place, tmp_path: Path) -> None:
    place.table(told(0, 1))
    source = SqlDatabase(
        Secret(place.url), mapped(tmp_path, TOLD.replace('"worker"', '"wrker"')), table="told"
    )
    with pytest.raises(InputError, match="no column named 'wrker'") as caught:
        list(source.pages(Known()))
    assert "'worker'" in caught.value.hint
    with pytest.raises(InputError, match="not both"):
        list(SqlDatabase(Secret(place.url), source.mapping).pages(Known()))


@on("postgresql", "mariadb")
def test_nothing_is_ever_changed(place: Place) -> None:
    place.execute("create table t (a integer)")
    for query in ("insert into t values (1)", "drop table t", "select 1; drop table t"):
        with pytest.raises(SourceRefusedError):
            list(frames(place.url, query))
    assert list(frames(place.url, "select a from t")) == []


@on(*KINDS)
def test_values_are_bound_and_types_are_kept(place: Place) -> None:
    place.execute(f"create table t (a integer, b varchar(30), c {place.time}, d decimal(38, 2))")
    place.execute("insert into t values (1, 'it''s', '2026-01-01 10:00:00', 12.50)")
    place.execute("insert into t values (2, ':a', null, null)")
    query = "select a, b, c, d from t where b = :text and ':a' <> b;"
    [frame] = frames(place.url, query, parameters={"text": "it's", "a": "unused"})
    a, b, c, d = frame.row(0)
    assert (a, b, float(d)) == (1, "it's", 12.5)
    if place.time != "text":
        assert c.isoformat() == "2026-01-01T10:00:00+00:00"


def test_a_server_that_does_not_exist_is_no_traceback() -> None:
    for kind in ("postgresql", "mariadb"):
        with pytest.raises(SourceUnavailableError, match="cannot be reached"):
            list(frames(f"{kind}://a:geheim@nowhere.invalid/work", "select 1"))


def test_the_page_of_the_source_says_how_to_configure_it(
    postgresql: postgres.Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.create("page")
    postgresql.execute(ORDERS.format(time="timestamptz"), "page")
    postgresql.execute("alter table orders replica identity full", "page")
    text = (ROOT / "docs" / "sources" / "sql.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```toml\n")[1:]]
    monkeypatch.chdir(tmp_path)
    for name, content in zip(
        ("procession.toml", "orders.toml", "changes.toml"), blocks, strict=True
    ):
        Path(name).write_text(content, encoding="utf-8")
    assert Path("procession.toml").read_text(encoding="utf-8") == example_on("sql.md")
    monkeypatch.setenv("PROCESSION_ORDERS_DATABASE", url)
    monkeypatch.setenv("PROCESSION_ORDER_CHANGES_DATABASE", url)
    settings.cache_clear()
    assert run(tmp_path, "sync").exit_code == 0
    postgresql.execute(
        "insert into orders values (1, 'ACME', 'ann', '2026-03-02 08:00Z', '2026-03-02 09:00Z', "
        "null, null, '2026-03-02 09:00Z', 'open'); "
        "update orders set status = 'sent', packed_at = '2026-03-02 10:00Z', "
        "shipped_at = '2026-03-02 12:00Z', updated_at = '2026-03-02 12:00Z'",
        "page",
    )
    done = run(tmp_path, "sync")
    assert done.exit_code == 0, done.stderr
    times = {row["activity"]: row for row in answer(tmp_path, "times", "orders")}
    assert times["Ship"]["median_service_seconds"] == 7200
    variants = answer(tmp_path, "variants", "order-changes")
    assert [row["activities"] for row in variants] == [["Status open", "Status sent"]]
    postgresql.execute("select pg_drop_replication_slot('procession')", "page")
