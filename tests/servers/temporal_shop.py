"""The shop whose workflows the tests of Temporal read, and how they ask for what was read."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy

from miner.eventlog.store import EventStore
from tests.commands import answer
from tests.servers import temporal_work as work
from tests.servers.temporal import TemporalServer
from tests.servers.waiting import until_true

ENDPOINT = "rates"
QUIET = "WorkflowId STARTS_WITH 'shop-'"
"""The workflows of `shop`, in which nothing happens any more."""


async def connected(server: TemporalServer, identity: str = "shop@desk") -> Client:
    return await Client.connect(server.address, identity=identity)


async def shop(server: TemporalServer) -> None:
    """Two orders on each of two builds, and one workflow of each other kind."""
    client = await connected(server)
    person = await connected(server, "temporal-cli:anna@desk")
    async with work.working(client, "2026.1", older=True):
        await orders(client, person, "shop-old-1", "shop-old-2")
    async with work.working(client, "2026.2"):
        await asyncio.gather(
            orders(client, person, "shop-new-1", "shop-new-2", note=True),
            fails(client, work.Payment.run, "shop-payment", "shop-payment"),
            start(client, work.Slow.run, "shop-slow"),
            start(client, work.Countdown.run, "shop-countdown", 3),
            start(client, work.Exchange.run, "shop-exchange", ENDPOINT),
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
    await listed(client, "shop-", 10)
    await listed(client, "forgotten", 2)
    # Takes the server a while; what retention deletes is gone in the same way.
    which = ["--workflow-id", "forgotten", "--run-id", first.first_execution_run_id or ""]
    server.operate("workflow", "delete", *which)


async def orders(client: Client, person: Client, *names: str, note: bool = False) -> None:
    async def one(name: str) -> None:
        handle = await client.start_workflow("Order", name, id=name, task_queue=work.QUEUE)
        if note:
            await handle.execute_update("note", "with care")
        await person.get_workflow_handle(name).signal("approve")
        await handle.result()

    await asyncio.gather(*(one(name) for name in names))


async def start(client: Client, workflow: Any, name: str, *arguments: Any) -> None:
    await client.execute_workflow(workflow, args=arguments, id=name, task_queue=work.QUEUE)


async def fails(client: Client, workflow: Any, name: str, *arguments: Any) -> None:
    with pytest.raises(WorkflowFailureError):
        await start(client, workflow, name, *arguments)


async def listed(client: Client, prefix: str, closed: int) -> None:
    """Wait until the server lists what closed."""
    query = f"WorkflowId STARTS_WITH '{prefix}' AND ExecutionStatus != 'Running'"
    await until_true(lambda: counted(client, query, closed))


async def counted(client: Client, query: str, least: int) -> bool:
    return (await client.count_workflows(query)).count >= least


def failures(folder: Path, process: str) -> dict[str, tuple[Any, ...]]:
    rows = answer(folder, "failures", process)
    return {
        row["activity"]: (row["attempts"], row["failed_attempts"], row["retries"], row["top_error"])
        for row in rows
        if not row["activity"].startswith("workflow ")
    }


def query(folder: Path, process: str, sql: str, **schema: Any) -> list[tuple[Any, ...]]:
    return EventStore(folder / "store").log(process).query(sql, pl.Schema(schema)).rows()


def everything(folder: Path, process: str = "Order") -> pl.DataFrame:
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
