"""Apache Airflow 3 as it runs: by its interface and by its database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from ingest.load import load
from ingest.source import Secret
from ingest.sources.airflow import Airflow as AirflowSource
from miner.errors import SourceRefusedError
from miner.eventlog.store import EventStore
from miner.settings import settings
from tests.commands import answer, run
from tests.conftest import ROOT
from tests.ingest.contract import keeps_the_contract
from tests.servers import airflow_postgres, postgres
from tests.servers.airflow import PASSWORDS, Airflow, serve
from tests.servers.airflow_orders import FIRST, SECOND, Orders, first_run
from tests.servers.conformance import judged, matrix
from tests.servers.killing import killed_after
from tests.servers.waiting import until

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("airflow")]

BEN = Secret(PASSWORDS["ben"])
FIRST_EVENTS = 25
"""Of run 1: two tries of check, two packings, the choice and what it leaves out, shipping, the
approval (when it was due is not known any more), the charge that fails, and what cannot follow."""


@pytest.fixture(scope="module")
def airflow() -> Iterator[Airflow]:
    with serve({"orders.py": FIRST}) as found:
        yield found


@pytest.fixture(scope="module")
def orders(airflow: Airflow) -> Orders:
    return Orders(airflow)


@pytest.fixture(scope="module")
def stores(orders: Orders, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What was loaded after the first run, by each way."""
    first_run(orders)
    found = {}
    for way, source in ways(orders.airflow).items():
        found[way] = tmp_path_factory.mktemp(way)
        loaded = load(source, EventStore(found[way] / "store"), process="airflow")
        assert (loaded.counts.new, loaded.counts.rejected, loaded.cases) == (FIRST_EVENTS, 0, 1)
    return found


def ways(airflow: Airflow) -> dict[str, AirflowSource]:
    return {
        "address": AirflowSource(airflow.address, "ben", BEN, errors=True),
        "database": AirflowSource(database=Secret(airflow.database)),
    }


@pytest.mark.parametrize("way", ["address", "database"])
def test_the_source_keeps_the_contract(way: str, airflow: Airflow, stores: dict[str, Path]) -> None:
    assert keeps_the_contract(ways(airflow)[way]).height == FIRST_EVENTS


@pytest.mark.parametrize("way", ["address", "database"])
def test_tries_failures_skips_and_people_are_exactly_those_that_were(
    way: str, stores: dict[str, Path]
) -> None:
    folder = stores[way]
    found = answer(folder, "summary", "orders")
    assert (found["cases"], found["open_cases"], found["failed_cases"]) == (1, 0, 1)
    rows = {row["activity"]: row for row in answer(folder, "failures", "orders")}
    columns = ("attempts", "failed_attempts", "retries", "recovered")
    assert {name: tuple(row[each] for each in columns) for name, row in rows.items()} == {
        "check": (2, 1, 1, 1),
        "pack": (2, 0, 0, 0),
        "choose": (1, 0, 0, 0),
        "ship": (1, 0, 0, 0),
        "store": (0, 0, 0, 0),
        "approve": (1, 0, 0, 0),
        "charge": (1, 1, 0, 0),
        "archive": (0, 0, 0, 0),
    }
    errors = {"check": "ValueError", "charge": "KeyError"} if way == "address" else {}
    assert {name: row["top_error"] for name, row in rows.items() if row["top_error"]} == errors
    people = events_of(folder).filter(pl.col("resource_kind") == "human")
    assert set(people.select("activity", "resource").rows()) == {("approve", "ada")}


def test_both_ways_give_the_same_events(airflow: Airflow, stores: dict[str, Path]) -> None:
    columns = ["process", "case_id", "event_id", "instance_id", "lifecycle", "timestamp", "attempt",
               "resource", "resource_kind", "process_version", "attributes", "case_status",
               "case_attributes"]  # fmt: skip
    found = [pl.concat(source.read(), how="diagonal") for source in ways(airflow).values()]
    assert found[0].select(columns).equals(found[1].select(columns))


def test_metadata_in_postgresql_give_the_same_events(
    airflow: Airflow, stores: dict[str, Path], tmp_path: Path
) -> None:
    with postgres.serve() as server:
        airflow_postgres.copy(airflow.database, server.url())
        source = AirflowSource(database=Secret(server.url()))
        loaded = load(source, EventStore(tmp_path / "store"), process="airflow")
        assert loaded.counts.new == FIRST_EVENTS
        assert events_of(tmp_path).equals(events_of(stores["database"]))
        again = load(source, EventStore(tmp_path / "store"), process="airflow")
        assert (again.counts.new, again.counts.corrected) == (0, 0)


def test_what_was_killed_while_loading_ends_up_the_same(
    airflow: Airflow, stores: dict[str, Path], tmp_path: Path
) -> None:
    command = ("airflow", "--address", airflow.address, "--user", "ben", "--errors")
    killed_after(
        (1.2, 1.8), *command, "--process", "airflow", store=tmp_path / "store",
        PROCESSION_AIRFLOW_PASSWORD=PASSWORDS["ben"],
    )  # fmt: skip
    load(ways(airflow)["address"], EventStore(tmp_path / "store"), process="airflow")
    assert events_of(tmp_path).equals(events_of(stores["address"]))


def test_wrong_passwords_and_addresses_are_said(airflow: Airflow, stores: dict[str, Path]) -> None:
    wrong = AirflowSource(airflow.address, "ben", Secret("s3cret-of-nobody"))
    with pytest.raises(SourceRefusedError) as caught:
        list(wrong.read())
    assert "s3cret" not in str(caught.value)
    with pytest.raises(SourceRefusedError, match="403"):
        list(AirflowSource(airflow.address, token=Secret("s3cret")).read())


def test_the_page_of_the_source_says_how_to_configure_it(
    airflow: Airflow, stores: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "sources" / "airflow.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("procession.toml").write_text(
        block.replace("https://airflow.example.com", airflow.address), encoding="utf-8"
    )
    monkeypatch.setenv("PROCESSION_FLOWS_PASSWORD", PASSWORDS["ben"])
    settings.cache_clear()
    done = run(tmp_path, "sync")
    settings.cache_clear()
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["new"], row["rejected"]) == (FIRST_EVENTS, 0)


def test_a_clear_is_an_intervention_and_a_second_version_is_told_apart(
    airflow: Airflow, orders: Orders, stores: dict[str, Path]
) -> None:
    orders.pay()
    orders.clear("run-1")
    until(lambda: orders.state("run-1") == "success")
    for way, source in ways(airflow).items():
        store = EventStore(stores[way] / "store")
        later = load(source, store, process="airflow")
        # Ada's order, the second try of the charge, and the filing that could not follow before.
        assert (later.counts.new, later.counts.corrected) == (1 + 3 + 3, 0), way
        rows = {row["activity"]: row for row in answer(stores[way], "failures", "orders")}
        charge = rows["charge"]
        assert (charge["attempts"], charge["failed_attempts"], charge["recovered"]) == (2, 1, 1)
        assert charge["retries"] == 0  # a person ordered it, not the engine
        ordered = events_of(stores[way]).filter(pl.col("lifecycle") == "retry")
        assert ordered.select("activity", "resource", "resource_kind").rows() == [
            ("charge", "ada", "human")
        ]
        case = store.log("orders").row(
            'select interventions, status::varchar as status from "case"'
        )
        assert case == {"interventions": 1, "status": "completed"}
        again = load(source, store, process="airflow")
        assert (again.counts.new, again.counts.corrected) == (0, 0)
    orders.deploy(SECOND)
    orders.start("run-2")
    orders.approve("run-2")
    orders.wait("run-2", "success", "failed")
    for way, source in ways(airflow).items():
        load(source, EventStore(stores[way] / "store"), process="airflow")
        versions = events_of(stores[way]).select("case_id", "process_version").unique()
        assert sorted(versions.rows()) == [("run-1", "1"), ("run-2", "2")]
        found = answer(stores[way], "summary", "orders")
        assert (found["cases"], found["failed_cases"]) == (2, 0)
        # The second try of the check was the engine's; that of the charge was ordered by Ada.
        assert matrix(stores[way], "orders") == [("1", "charge", "repeated", 1)], way
        told = judged(stores[way], "orders")
        assert (told["cases"], told["conforming_cases"]) == (2, 1), way
        (row,) = answer(stores[way], "deviations", "orders")
        assert row["case_id"] == "run-1"
    assert orders.versions() == [1, 2]
    texts = {(e.version, e.format): e.text for e in ways(airflow)["address"].definitions()}
    assert texts["1", "airflow-source"] == FIRST and texts["2", "airflow-source"] == SECOND
    assert "thank" in texts["2", "airflow-tasks"]
    serialized = {e.version: json.loads(e.text) for e in ways(airflow)["database"].definitions()}
    tasks = {
        version: {task["__var"]["task_id"] for task in text["dag"]["tasks"]}
        for version, text in serialized.items()
    }
    assert tasks["2"] - tasks["1"] == {"thank"}


def events_of(folder: Path) -> pl.DataFrame:
    """All events, without what differs between two stores by design."""
    columns = {
        "case_id": pl.String(),
        "event_id": pl.String(),
        "activity": pl.String(),
        "instance_id": pl.String(),
        "lifecycle": pl.String(),
        "timestamp": pl.Datetime("us"),
        "attempt": pl.Int32(),
        "resource": pl.String(),
        "resource_kind": pl.String(),
        "process_version": pl.String(),
    }
    return EventStore(folder / "store").log("orders").query(
        f"select {', '.join(columns)} from event order by case_id, event_id", pl.Schema(columns)
    )  # fmt: skip
