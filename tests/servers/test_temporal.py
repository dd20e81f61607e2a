"""Temporal: its development server, a real worker, and exactly what happened in the events."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy

from ingest.load import load
from ingest.source import Known, Secret
from ingest.sources.temporal import Temporal
from ingest.sources.temporal_history import TemporalHistory
from ingest.temporal_client import Access, _error
from miner.errors import SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from tests.commands import answer, run
from tests.conftest import ROOT
from tests.ingest.contract import keeps_the_contract
from tests.servers import temporal_work as work
from tests.servers.temporal import TemporalServer, serve

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("temporal")]

ENDPOINT = "rates"
QUIET = "WorkflowId STARTS_WITH 'shop-'"
"""The workflows of `_shop`, in which nothing happens any more."""


@pytest.fixture(scope="module")
def server() -> Iterator[TemporalServer]:
    with serve() as running:
        create = ["operator", "nexus", "endpoint", "create", "--name", ENDPOINT]
        running.operate(*create, "--target-namespace", "default", "--target-task-queue", work.QUEUE)
        asyncio.run(_shop(running))
        yield running


@pytest.fixture(scope="module")
def quiet(server: TemporalServer) -> Temporal:
    return Temporal(server.address, query=QUIET, overlap=1)


@pytest.fixture(scope="module")
def folder(quiet: Temporal, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that holds the shop."""
    folder = tmp_path_factory.mktemp("shop")
    load(quiet, EventStore(folder / "store"), process="temporal")
    return folder


async def _connected(server: TemporalServer, identity: str = "shop@desk") -> Client:
    return await Client.connect(server.address, identity=identity)


async def _shop(server: TemporalServer) -> None:
    """Two orders on each of two builds, and one workflow of each other kind."""
    client = await _connected(server)
    person = await _connected(server, "temporal-cli:anna@desk")
    async with work.working(client, "2026.1", older=True):
        await _orders(client, person, "shop-old-1", "shop-old-2")
    async with work.working(client, "2026.2"):
        await asyncio.gather(
            _orders(client, person, "shop-new-1", "shop-new-2", note=True),
            _fails(client, work.Payment.run, "shop-payment", "shop-payment"),
            _start(client, work.Slow.run, "shop-slow"),
            _start(client, work.Countdown.run, "shop-countdown", 3),
            _start(client, work.Exchange.run, "shop-exchange", ENDPOINT),
            client.execute_workflow(
                work.Restless.run,
                id="shop-restless",
                task_queue=work.QUEUE,
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50)),
            ),
        )
        first = await client.start_workflow(
            work.Countdown.run, 2, id="forgotten", task_queue=work.QUEUE
        )
        await first.result()
    await _listed(client, "shop-", 10)
    await _listed(client, "forgotten", 2)
    # Takes the server a while; what retention deletes is gone in the same way.
    which = ["--workflow-id", "forgotten", "--run-id", first.first_execution_run_id or ""]
    server.operate("workflow", "delete", *which)


async def _orders(client: Client, person: Client, *names: str, note: bool = False) -> None:
    async def one(name: str) -> None:
        handle = await client.start_workflow("Order", name, id=name, task_queue=work.QUEUE)
        if note:
            await handle.execute_update("note", "with care")
        await person.get_workflow_handle(name).signal("approve")
        await handle.result()

    await asyncio.gather(*(one(name) for name in names))


async def _start(client: Client, workflow: Any, name: str, *arguments: Any) -> None:
    await client.execute_workflow(workflow, args=arguments, id=name, task_queue=work.QUEUE)


async def _fails(client: Client, workflow: Any, name: str, *arguments: Any) -> None:
    with pytest.raises(WorkflowFailureError):
        await _start(client, workflow, name, *arguments)


async def _listed(client: Client, prefix: str, closed: int) -> None:
    """Wait until the server lists what closed."""
    query = f"WorkflowId STARTS_WITH '{prefix}' AND ExecutionStatus != 'Running'"
    await _until(lambda: _counted(client, query, closed))


async def _counted(client: Client, query: str, least: int) -> bool:
    return (await client.count_workflows(query)).count >= least


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(200):
        if await holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come to pass in 20 seconds")


def _failures(folder: Path, process: str) -> dict[str, tuple[Any, ...]]:
    rows = answer(folder, "failures", process)
    return {
        row["activity"]: (row["attempts"], row["failed_attempts"], row["retries"], row["top_error"])
        for row in rows
        if not row["activity"].startswith("workflow ")
    }


def _query(folder: Path, process: str, sql: str, **schema: Any) -> list[tuple[Any, ...]]:
    return EventStore(folder / "store").log(process).query(sql, pl.Schema(schema)).rows()


def test_the_source_keeps_the_contract(quiet: Temporal) -> None:
    assert keeps_the_contract(quiet).height > 100


def test_attempts_failures_and_retries_are_exactly_those_that_were(folder: Path) -> None:
    assert _failures(folder, "Order") == {
        "reserve": (2 * 3 + 2, 2 * 2, 2 * 2, "OutOfStock"),
        "price": (2 * 2, 2, 2, None),  # no marker says why a local activity was tried again
        "signal approve": (4, 0, 0, None),
        "update note": (2, 0, 0, None),
        "timer cool down": (2, 0, 0, None),
        "Shipment": (2, 0, 0, None),
        "ship": (2, 0, 0, None),
    }
    assert _failures(folder, "Payment") == {"charge": (3, 3, 2, "CardDeclined")}
    slow = _failures(folder, "Slow")
    assert slow == {"dawdle": (2, 2, 1, "timeout: start to close"), "ship": (1, 0, 0, None)}
    statuses = "select status::varchar as status, attempt from activity_instance join activity using (activity_key) where activity = 'dawdle' order by attempt"  # noqa: E501
    found = _query(folder, "Slow", statuses, status=pl.String(), attempt=pl.Int64())
    assert found == [("timed_out", 1), ("timed_out", 2)]
    assert _failures(folder, "Exchange") == {"rates.rate": (1, 0, 0, None)}


def test_times_of_attempts_that_left_none_are_bounds_in_their_order(
    quiet: Temporal, folder: Path
) -> None:
    sql = """
        select started_at is null as unknown, completed_at, attempt
        from activity_instance
        join activity using (activity_key)
        where activity = 'reserve' and attempt is not null
        order by case_key, attempt
    """
    schema = {"unknown": pl.Boolean(), "completed_at": pl.Datetime("us"), "attempt": pl.Int64()}
    found = _query(folder, "Order", sql, **schema)
    retried = [row for row in found if row[2] < 3 and row[0]]
    assert [row[2] for row in retried] == [1, 2] * 2
    for first, second in zip(retried[::2], retried[1::2], strict=True):
        assert second[1] - first[1] == timedelta(seconds=work.PAUSE)
    said = [each for page in quiet.pages(Known()) for each in page.limitations]
    missing = [each.events for each in said if each.kind == "missing-attempts"]
    assert sum(number or 0 for number in missing) == 2 * 2 + 2 + 2 + 1


def test_a_workflow_is_one_case_however_many_runs_it_takes(folder: Path) -> None:
    (countdown,) = answer(folder, "variants", "Countdown")
    assert countdown["cases"] == 1
    continued = "workflow continued as new"
    steps = ["workflow started", "count", continued, "count", continued, "count"]
    assert countdown["activities"] == [*steps, "workflow completed"]
    summary = answer(folder, "summary", "Restless")
    assert (summary["cases"], summary["failed_cases"], summary["open_cases"]) == (1, 0, 0)
    (restless,) = answer(folder, "variants", "Restless")
    again = ["workflow failed", "workflow retried", "ship"]
    assert restless["activities"] == [
        "workflow started", "ship", *again, *again, "workflow completed",
    ]  # fmt: skip
    assert summary["retries"] == 2  # of the workflow; its activity is done again, not tried again


def test_verdicts_people_parents_and_versions_come_through(folder: Path) -> None:
    verdicts = {
        process: answer(folder, "summary", process)["failed_cases"]
        for process in ("Order", "Payment", "Slow", "Shipment")
    }
    assert verdicts == {"Order": 0, "Payment": 1, "Slow": 0, "Shipment": 0}
    sql = "select distinct resource from event where resource_kind = 'human'"
    assert _query(folder, "Order", sql, resource=pl.String()) == [("temporal-cli:anna@desk",)]
    sql = "select case_id, parent_case_id from case_identity order by case_id"
    both = {"case_id": pl.String(), "parent_case_id": pl.String()}
    orders = {row[0] for row in _query(folder, "Order", sql, **both)}
    parents = {row[1] for row in _query(folder, "Shipment", sql, **both)}
    assert len(orders) == 4
    assert parents == {case for case in orders if "shop-new" in case}
    sql = """
        select process_version, count(*) as cases
        from "case"
        join process_version using (version_key)
        group by process_version
        order by process_version
    """
    found = _query(folder, "Order", sql, process_version=pl.String(), cases=pl.Int64())
    assert found == [("2026.1", 2), ("2026.2+cool-down", 2)]


def test_loading_again_adds_nothing(quiet: Temporal, folder: Path) -> None:
    before = _everything(folder)
    again = load(quiet, EventStore(folder / "store"), process="temporal")
    assert (again.counts.read, again.counts.new, again.counts.corrected) == (0, 0, 0)
    assert _everything(folder).equals(before)


def test_the_files_of_the_command_line_give_the_same_events(
    server: TemporalServer, quiet: Temporal, tmp_path: Path
) -> None:
    live = pl.concat(quiet.read())
    files = []
    for run_id, workflow_id in _runs(server, QUIET):
        path = tmp_path / f"{run_id}.json"
        path.write_text(server.history(workflow_id, run_id), encoding="utf-8")
        files += list(TemporalHistory(str(path)).frames())
    shown = pl.concat(files)
    # Only the server knows the first run of a parent that continued as new; none of these did.
    assert shown.sort("event_id").equals(live.select(shown.columns).sort("event_id"))


def test_an_operators_reset_is_an_intervention_and_doubles_nothing(
    server: TemporalServer, tmp_path: Path
) -> None:
    source = Temporal(server.address, query="WorkflowId = 'mended'", overlap=1)
    store = EventStore(tmp_path / "store")

    async def failing() -> str:
        client = await _connected(server)
        async with work.working(client, "2026.2"):
            await _fails(client, work.Payment.run, "mended", "x")
        await _listed(client, "mended", 1)
        return (await client.get_workflow_handle("mended").describe()).run_id or ""

    first = asyncio.run(failing())
    load(source, store, process="temporal")
    assert answer(tmp_path, "summary", "Payment")["failed_cases"] == 1
    reset = ["workflow", "reset", "--workflow-id", "mended", "--run-id", first]
    server.operate(*reset, "--type", "FirstWorkflowTask", "--reason", "card was replaced")
    load(source, store, process="temporal")
    assert answer(tmp_path, "summary", "Payment")["open_cases"] == 1

    async def finishing() -> None:
        client = await _connected(server)
        async with work.working(client, "2026.2"):
            with pytest.raises(WorkflowFailureError):
                await client.get_workflow_handle("mended").result()
        await _listed(client, "mended", 2)

    asyncio.run(finishing())
    load(source, store, process="temporal")
    summary = answer(tmp_path, "summary", "Payment")
    assert (summary["cases"], summary["open_cases"], summary["failed_cases"]) == (1, 0, 1)
    assert _failures(tmp_path, "Payment") == {"charge": (6, 6, 4, "CardDeclined")}
    sql = 'select interventions from "case"'
    assert _query(tmp_path, "Payment", sql, interventions=pl.Int64()) == [(1,)]
    sql = "select activity, resource, resource_kind from event where lifecycle = 'retry'"
    three = dict.fromkeys(("activity", "resource", "resource_kind"), pl.String())
    assert _query(tmp_path, "Payment", sql, **three) == [("charge", None, "human")]
    fresh = tmp_path / "fresh"
    load(source, EventStore(fresh / "store"), process="temporal")
    assert _everything(fresh, "Payment").equals(_everything(tmp_path, "Payment"))


def test_attempts_of_open_workflows_are_read_while_they_happen(
    server: TemporalServer, tmp_path: Path
) -> None:
    source = Temporal(server.address, query="WorkflowId = 'stuck'", overlap=1)
    store = EventStore(tmp_path / "store")

    async def until_attempt(number: int) -> None:
        client = await _connected(server)
        handle = client.get_workflow_handle("stuck")
        async with work.working(client, "2026.2"):
            if number == 3:
                await client.start_workflow(work.Stuck.run, id="stuck", task_queue=work.QUEUE)
            await _until(lambda: _attempted(handle, number))

    for attempts in (3, 6):
        asyncio.run(until_attempt(attempts))
        loaded = load(source, store, process="temporal")
        (found,) = _failures(tmp_path, "Stuck").values()
        assert found == (attempts, attempts, attempts - 1, "OutOfStock")
        assert answer(tmp_path, "summary", "Stuck")["open_cases"] == 1
    assert loaded.counts.new == 3
    sql = """
        select attempt, resource is not null as seen
        from event
        where activity = 'reserve' and lifecycle = 'fail'
        order by attempt
    """
    found = _query(tmp_path, "Stuck", sql, attempt=pl.Int64(), seen=pl.Boolean())
    seen = {attempt for attempt, was_seen in found if was_seen}
    assert seen == {3, 6}  # the one before the load was described, with its time and worker
    again = load(source, store, process="temporal")
    assert again.counts.read == 0  # nothing changed, so the history was not fetched
    server.operate("workflow", "terminate", "--workflow-id", "stuck", "--reason", "enough")
    time.sleep(1.5)
    load(source, store, process="temporal")
    assert answer(tmp_path, "summary", "Stuck")["cancelled_cases"] == 1
    (found,) = _failures(tmp_path, "Stuck").values()
    assert found[0] == 6


async def _attempted(handle: WorkflowHandle[Any, Any], number: int) -> bool:
    """Whether so many attempts were made and the next has not begun."""
    described = await handle.describe()
    pending = described.raw_description.pending_activities
    return bool(pending) and pending[0].attempt == number + 1 and pending[0].state == 1


def test_what_happens_later_is_exactly_what_comes(server: TemporalServer, tmp_path: Path) -> None:
    source = Temporal(server.address, query="WorkflowId STARTS_WITH 'later-'", overlap=1)
    store = EventStore(tmp_path / "store")

    async def begin(name: str) -> None:
        client = await _connected(server)
        async with work.working(client, "2026.1", older=True):
            await client.start_workflow("Order", name, id=name, task_queue=work.QUEUE)
            await _until(lambda: _grown(client, name, 10))

    async def end(name: str) -> None:
        client = await _connected(server)
        async with work.working(client, "2026.1", older=True):
            await client.get_workflow_handle(name).signal("approve")
            await client.get_workflow_handle(name).result()
        await _listed(client, name, 1)

    asyncio.run(begin("later-1"))
    assert load(source, store, process="temporal").counts.new == 1 + 3  # started, reserve
    asyncio.run(end("later-1"))
    asyncio.run(begin("later-2"))
    counts = load(source, store, process="temporal").counts
    assert (counts.new, counts.corrected) == (1 + 3 + 1 + 4, 0)  # signal, ship, completed; later-2
    asyncio.run(end("later-2"))
    assert load(source, store, process="temporal").counts.new == 1 + 3 + 1
    assert answer(tmp_path, "summary", "Order")["open_cases"] == 0


async def _grown(client: Client, name: str, events: int) -> bool:
    described = await client.get_workflow_handle(name).describe()
    return described.history_length >= events


def test_what_was_killed_while_loading_ends_up_the_same(
    server: TemporalServer, folder: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "miner", "load", "temporal", "--address", server.address]
    command += ["--query", QUIET, "--overlap", "1", "--process", "temporal"]
    command += ["--store", str(tmp_path / "store")]
    for seconds in (0.8, 1.2, 1.6):
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        process.kill()
        process.wait(10)
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for process_name in ("Order", "Payment", "Countdown"):
        assert _everything(tmp_path, process_name).equals(_everything(folder, process_name))


def test_what_retention_took_away_is_told(server: TemporalServer) -> None:
    async def forgotten() -> None:
        client = await _connected(server)

        async def one_is_left() -> bool:
            return (await client.count_workflows("WorkflowId = 'forgotten'")).count == 1

        await _until(one_is_left)

    asyncio.run(forgotten())
    source = Temporal(server.address, query="WorkflowId = 'forgotten'", overlap=1)
    said = [each for page in source.pages(Known()) for each in page.limitations]
    told = {each.text: each.events for each in said if each.kind == "retention"}
    assert told == {
        "The namespace keeps closed workflows for 1 days; earlier ones cannot be read.": None,
        "Workflows whose first run is no longer kept lack what happened in it.": 1,
    }
    (events,) = (frame for frame in source.read() if frame.height)
    (case,) = events["case_id"].unique()
    assert events["activity"].to_list()[0] == "workflow continued as new"
    assert case.startswith("default/forgotten/")
    past = "2020-01-01T00:00:00+00:00"
    lost = Known({"closed_until": past, "read": {}, "open": {"gone": ["gone", 1]}})
    texts = [each.text for page in source.pages(lost) for each in page.limitations]
    assert any("closed in between are lost" in text for text in texts)
    assert any("are gone from the server" in text for text in texts)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"namespace": "nowhere"}, SourceRefusedError, "name of the namespace"),
        ({"query": "NoSuchField = 1"}, SourceRefusedError, "Check the query"),
        ({"api_key": Secret("s3cret")}, SourceUnavailableError, "Check the address"),
        ({"address": "127.0.0.1:9"}, SourceUnavailableError, "Check the address"),
    ],
)
def test_a_server_that_refuses_or_is_away_is_an_error_of_ours(
    server: TemporalServer, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    source = Temporal(**{"address": server.address, **options})
    with pytest.raises(error) as caught:
        list(source.fetch(Known()))
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_wrong_credentials_are_told_from_a_server_that_is_busy() -> None:
    access = Access("host:7233", "default", Secret("s3cret"), True, "", "", "")
    for status in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        assert isinstance(_error(access, status, "no"), SourceRefusedError)
    for status in ("RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED"):
        assert isinstance(_error(access, status, "later"), SourceUnavailableError)


def test_a_server_that_is_away_ends_a_load_with_exit_code_4(tmp_path: Path) -> None:
    result = run(tmp_path, "load", "temporal", "--address", "127.0.0.1:9", "--process", "p")
    assert result.exit_code == 4
    assert "does not answer" in result.stderr


def test_a_server_that_ends_while_it_is_read_leaves_what_was_good(tmp_path: Path) -> None:
    with serve() as mortal:
        asyncio.run(_countdowns(mortal))
        source = Temporal(mortal.address, overlap=1)
        pages = source.pages(Known())
        read = [next(pages) for _ in range(2)]
    with pytest.raises(SourceUnavailableError):
        read += list(pages)
    assert sum(page.events.height for page in read) > 0


async def _countdowns(server: TemporalServer) -> None:
    client = await _connected(server)
    async with work.working(client, "2026.2"):
        await _start(client, work.Countdown.run, "one", 1)
        await client.start_workflow(work.Stuck.run, id="open", task_queue=work.QUEUE)
    await _listed(client, "one", 1)


def test_the_page_of_the_source_says_how_to_configure_it(
    server: TemporalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from miner.settings import settings

    page = (ROOT / "docs" / "sources" / "temporal.md").read_text(encoding="utf-8")
    block = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)
    replaced = block.replace("temporal.example.org:7233", server.address)
    replaced = replaced.replace("tls = true\n", "")
    replaced = replaced.replace('namespace = "orders"', 'namespace = "default"')
    Path("procession.toml").write_text(replaced, encoding="utf-8")
    settings.cache_clear()
    try:
        done = run(tmp_path, "sync")
    finally:
        settings.cache_clear()
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["new"] > 100


def _runs(server: TemporalServer, query: str) -> list[tuple[str, str]]:
    async def listed() -> list[tuple[str, str]]:
        client = await _connected(server)
        return [(each.run_id, each.id) async for each in client.list_workflows(query)]

    run_now: Coroutine[Any, Any, list[tuple[str, str]]] = listed()
    return asyncio.run(run_now)


def _everything(folder: Path, process: str = "Order") -> pl.DataFrame:
    """All events of a process, without what differs between two stores by design."""
    texts = ("case_id", "event_id", "activity", "instance_id", "lifecycle", "resource")
    schema = {name: pl.String() for name in (*texts, "process_version", "error_type")}
    numbers = {"timestamp": pl.Datetime("us"), "position": pl.Int64(), "attempt": pl.Int32()}
    columns = ", ".join([*schema, *numbers])
    return (
        EventStore(folder / "store")
        .log(process)
        .query(f"select {columns} from event order by event_id", pl.Schema(schema | numbers))
    )
