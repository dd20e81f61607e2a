"""What Temporal's own interceptor traces, from a real server and a real worker, at the receiver."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.worker import Worker

from tests.commands import answer
from tests.servers.receiver import receiving, tracer
from tests.servers.temporal import TemporalServer, finished

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("temporal")]

ORDERS, FAILURES = 3, 2


@activity.defn
async def charge(order: str) -> str:
    attempt = activity.info().attempt
    if attempt <= FAILURES:
        raise ValueError(f"declined {order}, attempt {attempt}")
    return order


@workflow.defn(name="Ship", sandboxed=False)
class Ship:
    @workflow.run
    async def run(self, order: str) -> str:
        return order


@workflow.defn(name="Order", sandboxed=False)
class Order:
    @workflow.run
    async def run(self, order: str) -> str:
        again = RetryPolicy(initial_interval=timedelta(milliseconds=20))
        limit = timedelta(seconds=20)
        await workflow.execute_activity(
            charge, order, start_to_close_timeout=limit, retry_policy=again
        )
        shipped: str = await workflow.execute_child_workflow(Ship.run, order, id=f"ship-{order}")
        return shipped


async def work(address: str, interceptor: TracingInterceptor) -> None:
    """Run the orders on a worker, with the interceptor on both sides."""
    client = await Client.connect(address, interceptors=[interceptor])
    worker = Worker(client, task_queue="orders", workflows=[Order, Ship], activities=[charge])
    async with worker:
        for number in range(ORDERS):
            await client.execute_workflow(
                Order.run, f"{number}", id=f"order-{number}", task_queue="orders"
            )


def test_workflows_are_cases_and_attempts_are_counted(
    temporal: TemporalServer, tmp_path: Path
) -> None:
    with receiving(tmp_path, "--workflow", "root") as receiver:
        with tracer(receiver, "orders") as spans:
            finished(work(temporal.address, TracingInterceptor(tracer=spans)))
        assert receiver.end() == 0
    processes = {row["process"]: row for row in answer(tmp_path, "processes")}
    assert set(processes) == {"Order", "Ship"}
    assert processes["Order"]["cases"] == processes["Ship"]["cases"] == ORDERS
    cases = {row["case_id"] for row in answer(tmp_path, "cases", "Order")}
    assert cases == {f"order-{number}" for number in range(ORDERS)}
    failures = {row["activity"]: row for row in answer(tmp_path, "failures", "Order")}
    charged = failures["RunActivity:charge"]
    assert charged["attempts"] == ORDERS * (FAILURES + 1)
    assert charged["failed_attempts"] == charged["retries"] == ORDERS * FAILURES
    assert charged["recovered"] == ORDERS and charged["top_error"] == "ValueError"
    assert failures["StartWorkflow:Order"]["attempts"] == ORDERS
    assert answer(tmp_path, "summary", "Order")["failed_cases"] == 0
