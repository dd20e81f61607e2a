"""Changes of tables out of the logs of real databases: none is missed, none counts twice."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ingest.load import load
from ingest.source import Known, Secret
from ingest.sources.sql_changes import SqlChanges
from miner.errors import InputError, SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from tests.ingest.contract import keeps_the_contract
from tests.servers.install import free_port
from tests.servers.order_messages import events_in, killed_while_loading
from tests.servers.sql_places import ORDERS, Place, mapped, maria, on, place, postgresql

__all__ = ["maria", "place", "postgresql"]

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("sql")]

STATUS = """
case = "id"
activity = "'Status ' || status"
timestamp = "change.at"
lifecycle = "'complete'"
when = "change.kind <> 'delete' and status is distinct from previous.status"
[attributes]
customer = "customer"
"""


def orders(place: Place) -> None:
    place.execute(ORDERS.format(time=place.time))
    if place.quote == '"':
        place.execute("alter table orders replica identity full")


def changed(place: Place, number: int) -> None:
    """An order on its way: three states, one change of something else, one of two is deleted."""
    add = "insert into orders (id, customer, created_at, updated_at, status) values "
    now = "'2026-03-02 08:00:00'"
    place.execute(f"{add} ({number}, 'Ann''s \"x\" [a]:1 new-tuple: ü', {now}, {now}, 'open')")
    for change in ("status = 'paid'", "approver = 'ann'", "status = 'sent'"):
        place.execute(f"update orders set {change} where id = {number}")
    if number % 2:
        place.execute(f"delete from orders where id = {number}")


@pytest.mark.parametrize(
    ("place", "plugin"),
    [("postgresql", "wal2json"), ("postgresql", "test_decoding"), ("mariadb", "")],
    indirect=["place"],
)
def test_changes_are_followed_without_missing_one(
    place: Place, plugin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if plugin == "test_decoding":
        monkeypatch.setattr("ingest.change_streams.postgres.PLUGINS", (plugin,))
    orders(place)
    name = place.url.split("/")[-1]
    tables = f"{name}.orders" if place.quote == "`" else "public.orders"
    mapping = mapped(tmp_path, STATUS)
    source = SqlChanges(Secret(place.url), mapping, tables=tables, slot=f"s{name}", page=2)
    store = EventStore(tmp_path / "store")
    load(source, store, process="p")  # makes the slot, if there have to be any
    for number in (1, 2, 3):
        changed(place, number)
    assert load(source, store, process="p").counts.new == 9
    assert load(source, store, process="p").counts.read == 0
    changed(place, 4)
    assert load(source, store, process="p").counts.new == 3
    [(kinds,)] = (
        store.log("p")
        .query(
            "select list(distinct activity order by activity) as kinds from event",
            pl.Schema({"kinds": pl.List(pl.String)}),
        )
        .rows()
    )
    assert kinds == ["Status open", "Status paid", "Status sent"]


@on("postgresql", "mariadb")
def test_a_load_of_changes_that_is_killed_holds_the_same(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = place.url.split("/")[-1]
    mapping = mapped(tmp_path, STATUS)
    orders(place)
    sources = {
        each: SqlChanges(
            Secret(place.url), mapping, tables=f"{name}.orders,public.orders",
            slot=f"{each}{name}", page=100,
        )
        for each in ("calm", "killed")
    }  # fmt: skip
    calm, killed = EventStore(tmp_path / "calm"), EventStore(tmp_path / "killed")
    load(sources["calm"], calm, process="p")
    load(sources["killed"], killed, process="p")
    rows = ", ".join(f"({n}, 'open')" for n in range(1, 1001))
    place.execute(f"insert into orders (id, status) values {rows}")
    for n in range(0, 1000, 100):
        place.execute(f"update orders set status = 'paid' where id > {n} and id <= {n + 100}")
    for n in range(0, 1000, 50):
        place.execute(f"update orders set status = 'sent' where id > {n} and id <= {n + 50}")
    assert load(sources["calm"], calm, process="p").counts.new == 3000
    monkeypatch.setenv("PROCESSION_SQL_CHANGES_DATABASE", place.url)
    options = ("--tables", sources["killed"].tables, "--slot", sources["killed"].slot)
    more = ("--mapping", str(mapping), "--page", "100", "--process", "p")
    killed_while_loading(tmp_path / "killed", 5, "sql-changes", *options, *more)
    part = load(sources["killed"], killed, process="p")
    assert 0 < part.counts.new < 3000
    assert part.counts.corrected == 0
    assert events_in(killed, "p").equals(events_in(calm, "p"))


@on("postgresql", "mariadb")
def test_the_source_keeps_the_contract(place: Place, tmp_path: Path) -> None:
    name = place.url.split("/")[-1]
    tables = f"{name}.orders" if place.quote == "`" else "orders"
    source = SqlChanges(Secret(place.url), mapped(tmp_path, STATUS), tables=tables, slot=f"s{name}")
    assert not any(page.events.height for page in source.pages(Known()))
    orders(place)
    for number in (1, 2):
        changed(place, number)
    events = keeps_the_contract(source)
    assert events.height == 6
    assert events["attributes"].str.contains("new-tuple: ü").all()


@on("postgresql", "mariadb")
def test_what_is_wrong_is_a_refusal_or_an_absence(place: Place, tmp_path: Path) -> None:
    mapping = mapped(tmp_path, STATUS)
    head, tail = place.url.split("@")
    who, port = head.rsplit(":", 1)[0], tail.split(":")[1].split("/")[0]
    with pytest.raises(SourceRefusedError, match="did not let us in") as caught:
        list(SqlChanges(Secret(f"{who}:geheim@{tail}"), mapping).fetch(Known()))
    assert "geheim" not in str(caught.value)
    away = place.url.replace(port, str(free_port()))
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        list(SqlChanges(Secret(away), mapping).fetch(Known()))


def test_only_some_databases_tell_of_changes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sqlite"):
        list(SqlChanges(Secret("sqlite:///x.db"), mapped(tmp_path, STATUS)).fetch(Known()))


@on("mariadb")
def test_tables_without_transactions_are_followed_too(place: Place, tmp_path: Path) -> None:
    orders(place)
    place.execute("alter table orders engine = MyISAM")
    source = SqlChanges(Secret(place.url), mapped(tmp_path, STATUS))
    changed(place, 2)
    events = pl.concat(page.events for page in source.pages(Known()))
    assert events["activity"].to_list() == ["Status open", "Status paid", "Status sent"]


@on("mariadb")
def test_a_log_that_is_gone_is_said(place: Place, tmp_path: Path) -> None:
    source = SqlChanges(Secret(place.url), mapped(tmp_path, STATUS))
    known = Known(cursor={"file": "gone-bin.000001", "place": 4})
    with pytest.raises(SourceRefusedError, match=r"gone-bin\.000001.* is gone"):
        list(source.fetch(known))
