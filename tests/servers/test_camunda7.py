"""Camunda 7 and Operaton: real engines, read over REST and out of their database."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest import paging
from ingest.camunda7 import rest as camunda7_rest
from ingest.camunda7 import sql as camunda7_sql
from ingest.load import load
from ingest.source import Known, Secret
from ingest.sources.camunda7 import Camunda7
from miner.errors import SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from miner.settings import settings
from tests.commands import answer, run
from tests.conftest import ROOT
from tests.ingest.contract import keeps_the_contract
from tests.servers import mariadb, operaton, postgres
from tests.servers.camunda7_reading import Breaking, events_in, events_of, story
from tests.servers.killing import killed_after
from tests.servers.operaton_orders import CLERK, ORDER, READER, SECOND_ORDER, SHIPMENT, Orders
from tests.servers.waiting import until

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("camunda7")]

ZONE = "Europe/Berlin"
"""Where the engine runs; its database holds the time of that zone."""
EVENTS = 108
"""Of the orders and shipments of the known work."""


@pytest.fixture(scope="module")
def database() -> Iterator[postgres.Postgres]:
    with postgres.serve() as server:
        server.create("engine")
        yield server


@pytest.fixture(scope="module")
def orders(database: postgres.Postgres) -> Iterator[Orders]:
    """Somebody at work with Camunda on PostgreSQL, who did the known work already."""
    with operaton.serve(operaton.CAMUNDA, database=database.jdbc("engine")) as served:
        found = Orders(served)
        found.known_work()
        yield found
        found.close()


@pytest.fixture
def rest(orders: Orders) -> Camunda7:
    user, password = READER
    return Camunda7(address=orders.served.address, user=user, password=Secret(password))


@pytest.fixture
def sql(orders: Orders, database: postgres.Postgres) -> Camunda7:
    return Camunda7(database=Secret(database.url("engine")), timezone=ZONE)


@pytest.fixture(scope="module")
def folder(orders: Orders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that holds the known work, read by somebody with the least rights."""
    folder = tmp_path_factory.mktemp("orders")
    user, password = READER
    source = Camunda7(address=orders.served.address, user=user, password=Secret(password))
    loaded = load(source, EventStore(folder / "store"), process="camunda")
    assert (loaded.counts.read, loaded.counts.new, loaded.cases) == (EVENTS, EVENTS, 14)
    assert [each.kind for each in loaded.limitations] == ["retention"]
    return folder


def read(source: Camunda7, known: Known | None = None) -> pl.DataFrame:
    return pl.concat(page.events for page in source.pages(known or Known())).sort("event_id")


def query(folder: Path, sql: str, **schema: Any) -> list[tuple[Any, ...]]:
    return EventStore(folder / "store").log("order").query(sql, pl.Schema(schema)).rows()


def test_both_roads_keep_the_contract_and_give_the_same_events(
    rest: Camunda7, sql: Camunda7
) -> None:
    one, other = (keeps_the_contract(source).sort("event_id") for source in (rest, sql))
    assert one.height == EVENTS
    assert one.equals(other)


def test_attempts_failures_retries_and_interventions_are_exactly_those_that_were(
    folder: Path,
) -> None:
    rows = answer(folder, "failures", "order")
    names = ("attempts", "failed_attempts", "retries", "recovered", "top_error")
    found = {row["activity"]: tuple(row[name] for name in names) for row in rows}
    assert found["Check stock"] == (11, 2, 2, 1, "java.net.ConnectException")
    assert found["Charge card"] == (7, 3, 2, 1, "org.camunda.bpm.engine.ProcessEngineException")
    assert found["Approve order"][:3] == (5, 0, 0)
    assert found["Approve order twice ä"][:3] == (2, 0, 0)
    summary = answer(folder, "summary", "order")
    assert (summary["cases"], summary["open_cases"], summary["failed_cases"]) == (10, 3, 0)
    assert summary["interventions"] == 3
    assert summary["retry_rate"] == 0.2
    messages = query(
        folder, "select distinct error_message as m from event where lifecycle = 'fail' order by m",
        m=pl.String(),
    )  # fmt: skip
    assert [text[:21] for (text,) in messages] == [
        "Unknown property used",
        "no answer 1",
        "no answer 2",
    ]


def test_people_claims_and_operations_are_told_apart_from_the_engine(folder: Path) -> None:
    found = query(
        folder,
        """
        select activity, lifecycle::varchar as lifecycle, resource, count(*) as n
        from event
        where resource_kind = 'human'
        group by all
        order by activity, 2 desc
        """,
        activity=pl.String(), lifecycle=pl.String(), resource=pl.String(), n=pl.Int64(),
    )  # fmt: skip
    clerk = CLERK[0]
    assert found == [
        ("Approve order", "start", clerk, 3),
        ("Approve order", "complete", clerk, 3),
        ("Approve order twice ä", "start", clerk, 1),
        ("Approve order twice ä", "complete", clerk, 1),
        ("Charge card", "retry", clerk, 1),
        ("Modify process instance", "retry", clerk, 1),
        ("Restart process instance", "retry", clerk, 1),
    ]
    # A person waited for is a wait; the work begins with the claim.
    (times,) = [
        row for row in answer(folder, "times", "order") if row["activity"] == "Approve order"
    ]
    assert times["median_service_seconds"] is not None


def test_verdicts_parents_versions_and_keys_are_told(folder: Path, orders: Orders) -> None:
    rows = query(
        folder,
        """
        select i.case_id, c.status::varchar as status, i.attributes::json->>'business_key' as key,
            v.process_version as version, i.root_case_id
        from "case" as c
        join case_identity as i using (case_key)
        join process_version as v using (version_key)
        """,
        case_id=pl.String(), status=pl.String(), key=pl.String(), version=pl.String(),
        root_case_id=pl.String(),
    )  # fmt: skip
    assert Counter((key, status, version) for _, status, key, version, _ in rows) == {
        ("happy", "completed", "1"): 1,
        ("flaky", "completed", "1"): 1,
        ("broke", "completed", "1"): 1,
        ("late", "completed", "1"): 1,
        ("gone", "completed", "1"): 1,
        ("dropped", "cancelled", "1"): 1,
        ("dropped", "running", "1"): 1,
        ("open", "running", "1"): 1,
        ("second", "completed", "2"): 1,
        ("moved", "running", "2"): 1,
    }
    assert all(case_id == root for case_id, *_, root in rows)
    log = EventStore(folder / "store").log("shipment")
    parents = log.query(
        """
        select parent_case_id as parent, root_case_id as root
        from case_identity
        join "case" using (case_key)
        """,
        pl.Schema({"parent": pl.String(), "root": pl.String()}),
    )
    expected = {orders.cases[key] for key in ("happy", "flaky", "broke", "second")}
    assert set(parents["parent"]) == set(parents["root"]) == expected


def test_what_was_cancelled_by_a_timer_an_error_or_a_person_is_no_completion(folder: Path) -> None:
    found = query(
        folder,
        """
        select activity, count(*) as n
        from event
        where lifecycle = 'cancel'
        group by activity
        order by activity
        """,
        activity=pl.String(), n=pl.Int64(),
    )  # fmt: skip
    assert found == [("Approve order", 2), ("Approve order twice ä", 1), ("Check stock", 1)]
    variants = answer(folder, "variants", "order")
    ends = Counter(row["activities"][-1] for row in variants for _ in range(row["cases"]))
    assert (ends["Order done"], ends["Order expired"], ends["Sold out"]) == (4, 1, 1)


def test_models_are_exactly_the_deployed_texts_per_version(
    rest: Camunda7, sql: Camunda7, folder: Path
) -> None:
    told = [sorted(each.definitions(), key=lambda d: d.definition_id or "") for each in (rest, sql)]
    assert told[0] == told[1]
    assert {(d.process, d.version): d.text for d in told[0]} == {
        ("order", "1"): ORDER,
        ("order", "2"): SECOND_ORDER,
        ("shipment", "1"): SHIPMENT,
    }
    assert all(each.valid_from for each in told[0])
    stored = EventStore(folder / "store").read().sql("select version, text from definition")
    assert {version: text for version, text in stored.fetchall() if text != SHIPMENT} == {
        "1": ORDER,
        "2": SECOND_ORDER,
    }


def test_loading_again_by_either_road_adds_nothing(
    rest: Camunda7, sql: Camunda7, folder: Path
) -> None:
    for source in (rest, sql):
        loaded = load(source, EventStore(folder / "store"), process="camunda")
        counts = loaded.counts
        assert (counts.new, counts.corrected, counts.rejected) == (0, 0, 0)
        assert counts.duplicate == counts.read


def test_reading_since_an_instant_leaves_out_nothing_later(rest: Camunda7, sql: Camunda7) -> None:
    for source in (rest, sql):
        everything = read(source)
        instants = sorted(everything["timestamp"])
        since = instants[len(instants) // 2]
        later = everything.filter(pl.col("timestamp") >= since)["event_id"]
        assert set(later) <= set(pl.concat(source.read(since))["event_id"])


@pytest.mark.parametrize("road", ["rest", "sql"])
def test_what_is_cut_off_after_any_page_ends_up_the_same(
    road: str,
    request: pytest.FixtureRequest,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paging, "PAGE_EVENTS", 1)
    monkeypatch.setattr(camunda7_rest, "PAGE_CASES", 4)
    monkeypatch.setattr(camunda7_rest, "PAGE_ROWS", 5)
    monkeypatch.setattr(camunda7_sql, "PAGE_CASES", 4)
    source: Camunda7 = request.getfixturevalue(road)
    store = EventStore(tmp_path / "store")
    for pages in (2, 3):
        with pytest.raises(SourceUnavailableError):
            load(Breaking(**vars(source), pages_given=pages), store, process="camunda")
    load(source, store, process="camunda")
    assert events_in(store).equals(events_in(EventStore(folder / "store")))


def test_what_is_killed_while_loading_ends_up_the_same(
    rest: Camunda7, orders: Orders, folder: Path, tmp_path: Path
) -> None:
    command = ("camunda7", "--address", orders.served.address, "--user", READER[0])
    killed_after(
        (0.8, 1.3, 1.8), *command, "--process", "camunda", store=tmp_path / "store",
        PROCESSION_CAMUNDA7_PASSWORD=READER[1],
    )  # fmt: skip
    load(rest, EventStore(tmp_path / "store"), process="camunda")
    assert events_in(EventStore(tmp_path / "store")).equals(events_in(EventStore(folder / "store")))


def test_the_page_of_the_source_says_how_to_configure_it(
    orders: Orders, database: postgres.Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "sources" / "camunda7.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    block = block.replace("https://camunda.example.org/engine-rest", orders.served.address)
    Path("procession.toml").write_text(block, encoding="utf-8")
    monkeypatch.setenv("PROCESSION_ORDERS_PASSWORD", READER[1])
    monkeypatch.setenv("PROCESSION_TABLES_DATABASE", database.url("engine"))
    settings.cache_clear()
    done = run(tmp_path, "sync")
    settings.cache_clear()
    assert done.exit_code == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert first["new"] >= EVENTS - 20  # the shipments are another process
    assert second["new"] + second["duplicate"] == second["read"] == EVENTS


def test_a_wrong_password_is_refused_and_shown_nowhere(orders: Orders, tmp_path: Path) -> None:
    command = ["load", "camunda7", "--address", orders.served.address, "--user", READER[0]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROCESSION_CAMUNDA7_PASSWORD", "wr0ng secret")
        done = run(tmp_path, *command)
    assert done.exit_code == 4
    assert "401" in done.stderr
    assert "wr0ng" not in done.output


def test_a_wrong_password_of_the_database_is_refused(database: postgres.Postgres) -> None:
    url = database.url("engine").replace("pro%26cess", "wr0ng")
    with pytest.raises(SourceRefusedError) as refusal:
        read(Camunda7(database=Secret(url)))
    assert "wr0ng" not in str(refusal.value)


def test_a_database_without_an_engine_is_refused(database: postgres.Postgres) -> None:
    with pytest.raises(SourceRefusedError, match=r"(?i)act_hi_procinst"):
        read(Camunda7(database=Secret(database.url())))


def test_who_may_read_nothing_is_told_so(orders: Orders) -> None:
    profile = {"id": "nobody", "firstName": "no", "lastName": "body"}
    orders.post("/user/create", {"profile": profile, "credentials": {"password": "nothing"}})
    address = orders.served.address
    (page,) = Camunda7(address, "nobody", Secret("nothing")).pages(Known())
    assert page.events.is_empty()
    assert [each.text[:25] for each in page.limitations] == ["The engine shows no cases"]


def test_operaton_tells_the_same_story_on_mariadb_in_small_pages(folder: Path) -> None:
    with mariadb.serve() as database:
        settings = (
            "--operaton.bpm.generic-properties.properties.queryMaxResultsLimit=7",
            "--spring.datasource.hikari.transaction-isolation=TRANSACTION_READ_COMMITTED",
            f"--spring.datasource.username={database.user}",
            f"--spring.datasource.password={database.password}",
        )
        jdbc = f"jdbc:mariadb://127.0.0.1:{database.port}/{database.database}"
        with operaton.serve(operaton.OPERATON, database=jdbc, settings=settings) as served:
            orders = Orders(served)
            orders.known_work()
            orders.close()
            user, password = READER
            rest = Camunda7(address=served.address, user=user, password=Secret(password))
            sql = Camunda7(database=Secret(database.url), timezone=ZONE)
            events = read(rest)
            assert events.equals(read(sql))
            assert list(rest.definitions()) == list(sql.definitions())
    assert events.height == EVENTS
    assert story(events) == story(events_in(EventStore(folder / "store")))


def test_what_happens_later_is_exactly_what_comes_and_no_attempt_is_lost(
    rest: Camunda7, sql: Camunda7, orders: Orders, folder: Path
) -> None:
    store = EventStore(folder / "store")
    load(sql, store, process="camunda")
    orders.approve("open")
    orders.ended("open")
    counts = load(rest, store, process="camunda").counts
    # Claim and completion, start of handling, three of the charge, paid, two of the call, done;
    # and four of the shipment.
    assert (counts.new, counts.corrected) == (2 + 1 + 3 + 1 + 2 + 1 + 4, 0)
    orders.order("later", paying=False)
    orders.check_stock("later")
    orders.approve("later")
    asked = {"processInstanceId": orders.cases["later"], "noRetriesLeft": True, "maxResults": 5}
    until(lambda: orders.get("/job", **asked))
    until(lambda: orders.get("/incident", processInstanceId=asked["processInstanceId"]))
    counts = load(rest, store, process="camunda").counts
    assert (counts.new, counts.corrected) == (11, 0)
    before = {row["activity"]: row for row in answer(folder, "failures", "order")}["Charge card"]
    assert (before["failed_attempts"], before["recovered"]) == (6, 1)
    orders.mend("later")
    orders.ended("later")
    for source, corrected in ((sql, 1), (rest, 0)):
        counts = load(source, store, process="camunda").counts
        # The failure that opened an incident now says when that was closed.
        assert counts.corrected == corrected
    after = {row["activity"]: row for row in answer(folder, "failures", "order")}["Charge card"]
    assert (after["failed_attempts"], after["recovered"]) == (6, 2)
    assert answer(folder, "summary", "order")["interventions"] == 4
    assert events_of(store, "event_id").equals(read(rest).select("event_id").sort("event_id"))
