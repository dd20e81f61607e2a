"""Camunda 8: a real broker, read through its exported records and through searches over them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.load import load
from ingest.source import Source
from ingest.sources.camunda8 import Camunda8
from ingest.sources.zeebe_records import ZeebeRecords
from miner.eventlog.store import EventStore
from miner.settings import settings
from tests.commands import answer, run
from tests.conftest import ROOT
from tests.ingest.contract import keeps_the_contract
from tests.servers import camunda8
from tests.servers.camunda8_orders import ORDER, SECOND_ORDER, SHIPPING, Orders
from tests.servers.camunda8_search import Search, searchable
from tests.servers.install import venv
from tests.servers.killing import killed_after
from tests.servers.waiting import LIMIT

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("camunda8")]

RECORDED = 94
"""Events of the known work in the records."""
SEARCHED = 65
"""Events of the known work in the searches."""
CLIENT = "camunda-orchestration-sdk==10.0.1"
"""Camunda's own client; it knows the interface of 8.9."""


@pytest.fixture(scope="module")
def orders() -> Iterator[Orders]:
    """Somebody at work with a broker, who did the known work already."""
    with camunda8.serve() as camunda:
        found = Orders(camunda)
        found.known_work()
        yield found
        found.api.close()


@pytest.fixture(scope="module")
def recorded(orders: Orders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was exported when the known work was done."""
    copied = tmp_path_factory.mktemp("recorded") / "records.jsonl"
    copied.write_bytes(orders.camunda.exported.read_bytes())
    return copied


@pytest.fixture(scope="module")
def search(recorded: Path) -> Iterator[Search]:
    """Searches over the known work."""
    with searchable(recorded) as found:
        yield found


@pytest.fixture(scope="module")
def live(orders: Orders, recorded: Path) -> Iterator[Search]:
    """Searches over everything there is by now."""
    with searchable(orders.camunda.exported) as found:
        yield found


@pytest.fixture(scope="module")
def folder(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of the known work, from its records."""
    folder = tmp_path_factory.mktemp("records")
    row = answer(folder, "load", "zeebe-records", str(recorded), "--process", "camunda")
    assert (row["read"], row["new"], row["rejected"], row["cases"]) == (RECORDED, RECORDED, 0, 9)
    return folder


@pytest.fixture(scope="module")
def searched(search: Search, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of the known work, from the searches."""
    folder = tmp_path_factory.mktemp("searches")
    row = answer(folder, "load", "camunda8", "--address", search.address, "--process", "camunda")
    assert (row["read"], row["new"], row["rejected"], row["cases"]) == (SEARCHED, SEARCHED, 0, 9)
    missing = {each["kind"]: each["events"] for each in row["limitations"]}
    # The two declined cards of the first order; jobs whose start nobody tells.
    assert missing == {"missing-attempts": 2, "hidden": 20}
    return folder


def read(source: Source) -> pl.DataFrame:
    return pl.concat(source.read(), how="diagonal_relaxed").sort("event_id")


def query(folder: Path, process: str, sql: str, **schema: Any) -> list[tuple[Any, ...]]:
    return EventStore(folder / "store").log(process).query(sql, pl.Schema(schema)).rows()


def failures(folder: Path) -> dict[str, tuple[Any, ...]]:
    names = ("attempts", "failed_attempts", "retries", "recovered", "top_error")
    rows = answer(folder, "failures", "order")
    return {row["activity"]: tuple(row[name] for name in names) for row in rows}


def test_both_sources_keep_the_contract(search: Search, recorded: Path) -> None:
    assert keeps_the_contract(Camunda8(search.address)).height == SEARCHED
    assert keeps_the_contract(ZeebeRecords(str(recorded))).height == RECORDED
    lines = [json.loads(line) for line in recorded.read_text(encoding="utf-8").splitlines()]
    assert {line["partitionId"] for line in lines if "key" in line} == {1, 2}


def test_records_tell_every_attempt_failure_retry_and_intervention(folder: Path) -> None:
    assert failures(folder) == {
        "Charge card": (11, 4, 3, 3, "JOB_FAILED"),
        "Check order": (7, 1, 0, 0, "REFUSED"),
        "Approve order": (5, 0, 0, 0, None),
        "Ship order": (3, 0, 0, 0, None),
        "Order refused": (1, 0, 0, 0, None),
        "Refund": (1, 0, 0, 0, None),
        "Thank customer": (1, 0, 0, 0, None),
    }
    summary = answer(folder, "summary", "order")
    found = {name: summary[name] for name in ("cases", "open_cases", "failed_cases")}
    assert found == {"cases": 6, "open_cases": 1, "failed_cases": 0}
    # An incident resolved, an order sent back, an order moved to another version.
    assert summary["interventions"] == 3
    attempts = query(
        folder, "order",
        """
        select a.activity, i.status::varchar as status, i.attempt
        from activity_instance as i
        join activity as a using (activity_key)
        where i.status in ('failed', 'timed_out')
        order by a.activity, i.completed_at
        """,
        activity=pl.String(), status=pl.String(), attempt=pl.Int64(),
    )  # fmt: skip
    assert attempts == [
        ("Charge card", "failed", 1),
        ("Charge card", "failed", 2),
        ("Charge card", "failed", 1),
        ("Charge card", "timed_out", 1),
        ("Check order", "failed", 1),
    ]


def test_searches_tell_the_last_attempts_and_say_which_are_missing(searched: Path) -> None:
    found = failures(searched)
    # Of four failed attempts one left an incident; the one that timed out is not even counted.
    assert found["Charge card"] == (8, 1, 1, 1, "JOB_FAILED")
    assert found["Check order"] == (7, 1, 0, 0, "REFUSED")
    assert found["Approve order"] == (5, 0, 0, 0, None)
    assert answer(searched, "summary", "order")["interventions"] == 3


def test_searches_and_records_agree_on_what_both_know(search: Search, recorded: Path) -> None:
    some, every = read(Camunda8(search.address)), read(ZeebeRecords(str(recorded)))
    both = ["process", "case_id", "activity", "activity_id", "instance_id", "lifecycle",
            "timestamp", "resource_kind", "process_version"]  # fmt: skip
    assert some.join(every, on=both, how="anti", nulls_equal=True).is_empty()
    ends = ["activity", "event_id", "resource", "error_type"]
    chosen = pl.col("lifecycle").is_in(["complete", "cancel"])
    assert some.filter(chosen).select(ends).equals(every.filter(chosen).select(ends))
    more = every.join(some, on=both, how="anti", nulls_equal=True)
    assert dict(more.group_by("lifecycle").len().iter_rows()) == {
        "start": 23, "scheduled": 3, "fail": 2, "timeout": 1,
    }  # fmt: skip
    case = ["case_id", "parent_case_id", "root_case_id", "case_status"]
    told = [
        frame.drop_nulls("case_status").select(case).unique().sort("case_id")
        for frame in (some, every)
    ]
    assert told[0].drop("root_case_id").equals(told[1].drop("root_case_id"))
    assert told[1]["case_status"].value_counts().sort("count", "case_status").rows() == [
        ("cancelled", 1),
        ("running", 1),
        ("completed", 7),
    ]


def test_people_are_told_apart_from_workers(folder: Path) -> None:
    found = query(
        folder, "order",
        """
        select activity, lifecycle::varchar as lifecycle, resource, count(*) as n
        from event
        where resource_kind = 'human' and lifecycle <> 'scheduled'
        group by all
        order by all
        """,
        activity=pl.String(), lifecycle=pl.String(), resource=pl.String(), n=pl.Int64(),
    )  # fmt: skip
    assert found == [
        ("Approve order", "assigned", "ada", 2),
        ("Approve order", "assigned", "bob", 1),
        ("Approve order", "cancel", None, 2),
        ("Approve order", "complete", "ada", 2),
        ("Approve order", "complete", "bob", 1),
        ("Approve order", "retry", None, 1),
        ("Charge card", "retry", None, 2),
    ]
    workers = query(
        folder, "order", "select distinct resource from event where resource_kind = 'system'",
        resource=pl.String(),
    )  # fmt: skip
    assert {name for (name,) in workers} == {
        f"{kind}-worker" for kind in ("charge", "check", "refund", "thank")
    }


@pytest.mark.parametrize("source", ["folder", "searched"])
def test_models_and_versions_are_those_that_were_deployed(
    source: str, orders: Orders, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(source)
    stored = EventStore(folder / "store").read().sql(
        "select process, version, format, text from definition order by process, version"
    )  # fmt: skip
    assert stored.fetchall() == [
        ("order", "1", "bpmn", ORDER),
        ("order", "2", "bpmn", SECOND_ORDER),
        ("shipping", "1", "bpmn", SHIPPING),
    ]
    found = query(
        folder, "order",
        "select case_id, string_agg(distinct process_version, ' ' order by process_version) as v "
        "from event group by case_id",
        case_id=pl.String(), v=pl.String(),
    )  # fmt: skip
    names = {str(key): name for name, key in orders.cases.items()}
    versions = {names[case]: version for case, version in found}
    assert versions == {
        "one": "1", "two": "1", "three": "1", "four": "1", "five": "2", "six": "1 2",
    }  # fmt: skip


def test_called_processes_are_cases_of_their_own(folder: Path, orders: Orders) -> None:
    stored = EventStore(folder / "store").read()
    found = stored.sql(
        "select parent_case_id, root_case_id from case_identity join process using (process_key) "
        "where process = 'shipping'"
    ).fetchall()
    expected = sorted(str(orders.cases[name]) for name in ("one", "five", "six"))
    assert sorted(parent for parent, _ in found) == expected
    assert all(parent == root for parent, root in found)


@pytest.mark.parametrize("name", ["camunda8", "zeebe-records"])
def test_what_was_killed_while_loading_ends_up_the_same(
    name: str, search: Search, recorded: Path, tmp_path: Path
) -> None:
    source: Source = Camunda8(search.address) if name == "camunda8" else ZeebeRecords(str(recorded))
    load(source, EventStore(tmp_path / "calm" / "store"), process="camunda")
    what = ["--address", search.address] if name == "camunda8" else [str(recorded)]
    store = tmp_path / "killed" / "store"
    killed_after((0.8, 1.3, 1.8), name, *what, "--process", "camunda", store=store)
    load(source, EventStore(store), process="camunda")
    sql = "select event_id, activity, lifecycle::varchar as l, attempt from event order by event_id"
    schema = {"event_id": pl.String(), "activity": pl.String(), "l": pl.String(), "a": pl.Int64()}
    sql = sql.replace("attempt from", "attempt as a from")
    calm, killed = (query(tmp_path / each, "order", sql, **schema) for each in ("calm", "killed"))
    assert calm == killed
    assert calm


def test_camundas_own_client_knows_the_requests_and_the_answers(search: Search) -> None:
    source = Camunda8(search.address, processes="order, shipping")
    list(source.read())
    list(source.definitions())
    python = venv("camunda-client-10.0.1", CLIENT) / "bin" / "python"
    script = ROOT / "tests" / "servers" / "camunda8_contract.py"
    said = "\n".join(json.dumps(each) for each in search.asked)
    done = subprocess.run(
        [python, script], input=said, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [
        "audit-logs", "element-instances", "incidents", "jobs", "process-definitions",
        "process-instances", "user-tasks",
    ]  # fmt: skip


def test_what_happens_later_is_exactly_what_comes(
    orders: Orders, live: Search, tmp_path: Path
) -> None:
    searched, records = EventStore(tmp_path / "searched"), EventStore(tmp_path / "records")

    def news() -> tuple[int, int]:
        orders.camunda.settled()
        came = load(Camunda8(live.address), searched, process="camunda")
        more = load(ZeebeRecords(str(orders.camunda.exported)), records, process="camunda")
        for each in (came, more):
            assert (each.counts.corrected, each.counts.rejected) == (0, 0)
        return came.counts.new, more.counts.new

    assert news() == (SEARCHED, RECORDED)
    assert news() == (0, 0)
    orders.approve("four", "ada", nth=2)
    orders.work("pack")
    # Assigned, completed; Ship started and completed; Pack scheduled, (started,) completed.
    assert news() == (6, 7)
    orders.start("seven")
    orders.fail("charge", 2)
    # Scheduled, (started,) failed, scheduled again.
    assert news() == (3, 4)
    orders.work("charge")
    # (Started,) completed; Check scheduled. The failed attempt stays.
    assert news() == (2, 3)
    for store in (searched, records):
        sql = "select lifecycle::varchar as l, attempt as a from event where case_id = $case"
        found = store.log("order").query(
            f"{sql} and activity = 'Charge card' and l in ('fail', 'complete') order by a",
            pl.Schema({"l": pl.String(), "a": pl.Int64()}), case=str(orders.cases["seven"]),
        )  # fmt: skip
        assert found.rows() == [("fail", 1), ("complete", 2)]


def test_the_page_of_the_source_says_how_to_configure_it(
    live: Search, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "sources" / "camunda8.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    text = "".join(blocks).replace("https://camunda.example.org", live.address)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROCESSION_ORDERS_PASSWORD", "s3cret")
    Path("procession.toml").write_text(text, encoding="utf-8")
    shutil.copy(recorded, "records.jsonl")
    settings.cache_clear()
    done = run(tmp_path, "sync")
    settings.cache_clear()
    assert done.exit_code == 0, done.stderr
    assert "s3cret" not in done.output
    searched, records = json.loads(done.stdout)
    assert searched["new"] >= SEARCHED
    assert records["new"] == RECORDED
