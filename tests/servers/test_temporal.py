"""Temporal: its development server, a real worker, and exactly what happened in the events."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from ingest.load import load
from ingest.source import Known
from ingest.sources.temporal import Temporal
from ingest.sources.temporal_history import TemporalHistory
from miner.eventlog.store import EventStore
from tests.commands import answer, run
from tests.ingest.contract import keeps_the_contract
from tests.servers import temporal_work as work
from tests.servers.temporal import TemporalServer, finished
from tests.servers.temporal_shop import (
    QUIET,
    connected,
    everything,
    fails,
    failures,
    listed,
    query,
)
from tests.servers.waiting import until_true

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("temporal")]


def test_the_source_keeps_the_contract(quiet: Temporal) -> None:
    assert keeps_the_contract(quiet).height > 100


def test_attempts_failures_and_retries_are_exactly_those_that_were(shop_folder: Path) -> None:
    assert failures(shop_folder, "Order") == {
        "reserve": (2 * 3 + 2, 2 * 2, 2 * 2, "OutOfStock"),
        "price": (2 * 2, 2, 2, None),  # no marker says why a local activity was tried again
        "signal approve": (4, 0, 0, None),
        "update note": (2, 0, 0, None),
        "timer cool down": (2, 0, 0, None),
        "Shipment": (2, 0, 0, None),
        "ship": (2, 0, 0, None),
    }
    assert failures(shop_folder, "Payment") == {"charge": (3, 3, 2, "CardDeclined")}
    slow = failures(shop_folder, "Slow")
    assert slow == {"dawdle": (2, 2, 1, "timeout: start to close"), "ship": (1, 0, 0, None)}
    statuses = "select status::varchar as status, attempt from activity_instance join activity using (activity_key) where activity = 'dawdle' order by attempt"  # noqa: E501
    found = query(shop_folder, "Slow", statuses, status=pl.String(), attempt=pl.Int64())
    assert found == [("timed_out", 1), ("timed_out", 2)]
    assert failures(shop_folder, "Exchange") == {"rates.rate": (1, 0, 0, None)}


def test_times_of_attempts_that_left_none_are_bounds_in_their_order(
    quiet: Temporal, shop_folder: Path
) -> None:
    sql = """
        select started_at is null as unknown, completed_at, attempt
        from activity_instance
        join activity using (activity_key)
        where activity = 'reserve' and attempt is not null
        order by case_key, attempt
    """
    schema = {"unknown": pl.Boolean(), "completed_at": pl.Datetime("us"), "attempt": pl.Int64()}
    found = query(shop_folder, "Order", sql, **schema)
    retried = [row for row in found if row[2] < 3 and row[0]]
    assert [row[2] for row in retried] == [1, 2] * 2
    for first, second in zip(retried[::2], retried[1::2], strict=True):
        assert second[1] - first[1] == timedelta(seconds=work.PAUSE)
    said = [each for page in quiet.pages(Known()) for each in page.limitations]
    missing = [each.events for each in said if each.kind == "missing-attempts"]
    assert sum(number or 0 for number in missing) == 2 * 2 + 2 + 2 + 1


def test_a_workflow_is_one_case_however_many_runs_it_takes(shop_folder: Path) -> None:
    (countdown,) = answer(shop_folder, "variants", "Countdown")
    assert countdown["cases"] == 1
    continued = "workflow continued as new"
    steps = ["workflow started", "count", continued, "count", continued, "count"]
    assert countdown["activities"] == [*steps, "workflow completed"]
    summary = answer(shop_folder, "summary", "Restless")
    assert (summary["cases"], summary["failed_cases"], summary["open_cases"]) == (1, 0, 0)
    (restless,) = answer(shop_folder, "variants", "Restless")
    again = ["workflow failed", "workflow retried", "ship"]
    assert restless["activities"] == [
        "workflow started", "ship", *again, *again, "workflow completed",
    ]  # fmt: skip
    assert summary["retries"] == 2  # of the workflow; its activity is done again, not tried again


def test_verdicts_people_parents_and_versions_come_through(shop_folder: Path) -> None:
    verdicts = {
        process: answer(shop_folder, "summary", process)["failed_cases"]
        for process in ("Order", "Payment", "Slow", "Shipment")
    }
    assert verdicts == {"Order": 0, "Payment": 1, "Slow": 0, "Shipment": 0}
    sql = "select distinct resource from event where resource_kind = 'human'"
    assert query(shop_folder, "Order", sql, resource=pl.String()) == [("temporal-cli:anna@desk",)]
    sql = "select case_id, parent_case_id from case_identity order by case_id"
    both = {"case_id": pl.String(), "parent_case_id": pl.String()}
    orders = {row[0] for row in query(shop_folder, "Order", sql, **both)}
    parents = {row[1] for row in query(shop_folder, "Shipment", sql, **both)}
    assert len(orders) == 4
    assert parents == {case for case in orders if "shop-new" in case}
    sql = """
        select process_version, count(*) as cases
        from "case"
        join process_version using (version_key)
        group by process_version
        order by process_version
    """
    found = query(shop_folder, "Order", sql, process_version=pl.String(), cases=pl.Int64())
    assert found == [("2026.1", 2), ("2026.2+cool-down", 2)]


def test_loading_again_adds_nothing(quiet: Temporal, shop_folder: Path) -> None:
    before = everything(shop_folder)
    again = load(quiet, EventStore(shop_folder / "store"), process="temporal")
    assert (again.counts.read, again.counts.new, again.counts.corrected) == (0, 0, 0)
    assert everything(shop_folder).equals(before)


def test_the_landing_makes_the_same_store_again(shop_folder: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "restore", str(shop_folder / "store"))
    assert done.exit_code == 0, done.stderr
    for process in ("Order", "Payment", "Countdown"):
        assert everything(tmp_path, process).equals(everything(shop_folder, process))


def test_the_files_of_the_command_line_give_the_same_events(
    shop: TemporalServer, quiet: Temporal, tmp_path: Path
) -> None:
    live = pl.concat(quiet.read())
    files = []
    for run_id, workflow_id in _runs(shop, QUIET):
        path = tmp_path / f"{run_id}.json"
        path.write_text(shop.history(workflow_id, run_id), encoding="utf-8")
        files += list(TemporalHistory(str(path)).frames())
    shown = pl.concat(files)
    # Only the server knows the first run of a parent that continued as new; none of these did.
    assert shown.sort("event_id").equals(live.select(shown.columns).sort("event_id"))


def test_an_operators_reset_is_an_intervention_and_doubles_nothing(
    shop: TemporalServer, tmp_path: Path
) -> None:
    source = Temporal(shop.address, query="WorkflowId = 'mended'", overlap=1)
    store = EventStore(tmp_path / "store")

    async def failing() -> str:
        client = await connected(shop)
        async with work.working(client, "2026.2"):
            await fails(client, work.Payment.run, "mended", "x")
        await listed(client, "mended", 1)
        return (await client.get_workflow_handle("mended").describe()).run_id or ""

    first = finished(failing())
    load(source, store, process="temporal")
    assert answer(tmp_path, "summary", "Payment")["failed_cases"] == 1
    reset = ["workflow", "reset", "--workflow-id", "mended", "--run-id", first]
    shop.operate(*reset, "--type", "FirstWorkflowTask", "--reason", "card was replaced")
    load(source, store, process="temporal")
    assert answer(tmp_path, "summary", "Payment")["open_cases"] == 1

    async def finishing() -> None:
        client = await connected(shop)
        async with work.working(client, "2026.2"):
            with pytest.raises(WorkflowFailureError):
                await client.get_workflow_handle("mended").result()
        await listed(client, "mended", 2)

    finished(finishing())
    load(source, store, process="temporal")
    summary = answer(tmp_path, "summary", "Payment")
    assert (summary["cases"], summary["open_cases"], summary["failed_cases"]) == (1, 0, 1)
    assert failures(tmp_path, "Payment") == {"charge": (6, 6, 4, "CardDeclined")}
    sql = 'select interventions from "case"'
    assert query(tmp_path, "Payment", sql, interventions=pl.Int64()) == [(1,)]
    sql = "select activity, resource, resource_kind from event where lifecycle = 'retry'"
    three = dict.fromkeys(("activity", "resource", "resource_kind"), pl.String())
    assert query(tmp_path, "Payment", sql, **three) == [("charge", None, "human")]
    fresh = tmp_path / "fresh"
    load(source, EventStore(fresh / "store"), process="temporal")
    assert everything(fresh, "Payment").equals(everything(tmp_path, "Payment"))


def test_attempts_of_open_workflows_are_read_while_they_happen(
    shop: TemporalServer, tmp_path: Path
) -> None:
    source = Temporal(shop.address, query="WorkflowId = 'stuck'", overlap=1)
    store = EventStore(tmp_path / "store")

    async def until_attempt(number: int) -> None:
        client = await connected(shop)
        handle = client.get_workflow_handle("stuck")
        async with work.working(client, "2026.2"):
            if number == 3:
                await client.start_workflow(work.Stuck.run, id="stuck", task_queue=work.QUEUE)
            await until_true(lambda: _attempted(handle, number))

    for attempts in (3, 6):
        finished(until_attempt(attempts))
        loaded = load(source, store, process="temporal")
        (found,) = failures(tmp_path, "Stuck").values()
        assert found == (attempts, attempts, attempts - 1, "OutOfStock")
        assert answer(tmp_path, "summary", "Stuck")["open_cases"] == 1
    assert loaded.counts.new == 3
    sql = """
        select attempt, resource is not null as seen
        from event
        where activity = 'reserve' and lifecycle = 'fail'
        order by attempt
    """
    found = query(tmp_path, "Stuck", sql, attempt=pl.Int64(), seen=pl.Boolean())
    seen = {attempt for attempt, was_seen in found if was_seen}
    assert seen == {3, 6}  # the one before the load was described, with its time and worker
    again = load(source, store, process="temporal")
    assert again.counts.read == 0  # nothing changed, so the history was not fetched
    shop.operate("workflow", "terminate", "--workflow-id", "stuck", "--reason", "enough")
    finished(_closed(shop, "stuck"))
    load(source, store, process="temporal")
    assert answer(tmp_path, "summary", "Stuck")["cancelled_cases"] == 1
    (found,) = failures(tmp_path, "Stuck").values()
    assert found[0] == 6


async def _attempted(handle: WorkflowHandle[Any, Any], number: int) -> bool:
    """Whether so many attempts were made and the next has not begun."""
    described = await handle.describe()
    pending = described.raw_description.pending_activities
    return bool(pending) and pending[0].attempt == number + 1 and pending[0].state == 1


def test_what_happens_later_is_exactly_what_comes(shop: TemporalServer, tmp_path: Path) -> None:
    source = Temporal(shop.address, query="WorkflowId STARTS_WITH 'later-'", overlap=1)
    store = EventStore(tmp_path / "store")

    async def begin(name: str) -> None:
        client = await connected(shop)
        async with work.working(client, "2026.1", older=True):
            await client.start_workflow("Order", name, id=name, task_queue=work.QUEUE)
            await until_true(lambda: _grown(client, name, 10))

    async def end(name: str) -> None:
        client = await connected(shop)
        async with work.working(client, "2026.1", older=True):
            await client.get_workflow_handle(name).signal("approve")
            await client.get_workflow_handle(name).result()
        await listed(client, name, 1)

    finished(begin("later-1"))
    assert load(source, store, process="temporal").counts.new == 1 + 3  # started, reserve
    finished(end("later-1"))
    finished(begin("later-2"))
    counts = load(source, store, process="temporal").counts
    assert (counts.new, counts.corrected) == (1 + 3 + 1 + 4, 0)  # signal, ship, completed; later-2
    finished(end("later-2"))
    assert load(source, store, process="temporal").counts.new == 1 + 3 + 1
    assert answer(tmp_path, "summary", "Order")["open_cases"] == 0


async def _closed(server: TemporalServer, name: str) -> None:
    await listed(await connected(server), name, 1)


async def _grown(client: Client, name: str, events: int) -> bool:
    described = await client.get_workflow_handle(name).describe()
    return described.history_length >= events


def _runs(server: TemporalServer, query: str) -> list[tuple[str, str]]:
    async def listed() -> list[tuple[str, str]]:
        client = await connected(server)
        return [(each.run_id, each.id) async for each in client.list_workflows(query)]

    run_now: Coroutine[Any, Any, list[tuple[str, str]]] = listed()
    return finished(run_now)
