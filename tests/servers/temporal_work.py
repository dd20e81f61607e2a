"""Workflows with a known number of everything, for the tests of Temporal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from nexusrpc.handler import StartOperationContext, service_handler, sync_operation
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "work"
SOON = timedelta(seconds=10)
PAUSE = 0.4
"""Seconds between two attempts of `reserve`."""

logging.getLogger("temporalio").setLevel(logging.CRITICAL)


def _again(seconds: float = 0.05, attempts: int = 0) -> RetryPolicy:
    pause = timedelta(seconds=seconds)
    return RetryPolicy(initial_interval=pause, backoff_coefficient=1.0, maximum_attempts=attempts)


def _fail(kind: str, because: str) -> None:
    try:
        raise ApplicationError(f"{because} of order", type=because)
    except ApplicationError as cause:
        raise ApplicationError("it did not work", type=kind) from cause


@activity.defn
async def reserve(succeeds_at: int) -> None:
    if activity.info().attempt < succeeds_at:
        _fail("NotReserved", "OutOfStock")


@activity.defn
async def charge(order: str) -> None:
    _fail("NotCharged", "CardDeclined")


@activity.defn
async def price(order: str) -> int:
    if activity.info().attempt == 1:
        raise ApplicationError("no price yet", type="NoPrice")
    return 3


@activity.defn
async def count(number: int) -> int:
    return number - 1


@activity.defn
async def dawdle() -> None:
    await asyncio.sleep(20)


@activity.defn
async def ship(order: str) -> None:
    return None


@workflow.defn
class Shipment:
    @workflow.run
    async def run(self, order: str) -> None:
        await workflow.execute_activity(ship, order, start_to_close_timeout=SOON)


@workflow.defn
class Order:
    """Reserve (3 attempts), price (local, 2 attempts), wait for a person, ship by a child."""

    def __init__(self) -> None:
        self.approved = False

    @workflow.signal
    def approve(self) -> None:
        self.approved = True

    @workflow.update
    async def note(self, text: str) -> str:
        return text

    @workflow.run
    async def run(self, order: str) -> None:
        await workflow.execute_activity(
            reserve, 3, start_to_close_timeout=SOON, retry_policy=_again(PAUSE)
        )
        await workflow.execute_local_activity(
            price, order, start_to_close_timeout=SOON, retry_policy=_again()
        )
        await workflow.wait_condition(lambda: self.approved)
        if workflow.patched("cool-down"):
            await workflow.sleep(timedelta(milliseconds=20), summary="cool down")
        await workflow.execute_child_workflow(Shipment.run, order, id=f"{order}-shipment")


@workflow.defn(name="Order")
class OlderOrder:
    """The order before there was a child and a pause."""

    def __init__(self) -> None:
        self.approved = False

    @workflow.signal
    def approve(self) -> None:
        self.approved = True

    @workflow.run
    async def run(self, order: str) -> None:
        await workflow.execute_activity(
            reserve, 1, start_to_close_timeout=SOON, retry_policy=_again(PAUSE)
        )
        await workflow.wait_condition(lambda: self.approved)
        await workflow.execute_activity(ship, order, start_to_close_timeout=SOON)


@workflow.defn
class Payment:
    """Charge fails three times, for good."""

    @workflow.run
    async def run(self, order: str) -> None:
        await workflow.execute_activity(
            charge, order, start_to_close_timeout=SOON, retry_policy=_again(attempts=3)
        )


@workflow.defn
class Slow:
    """Two attempts run out of time; the workflow goes on without."""

    @workflow.run
    async def run(self) -> None:
        try:
            await workflow.execute_activity(
                dawdle,
                start_to_close_timeout=timedelta(milliseconds=300),
                retry_policy=_again(attempts=2),
            )
        except ActivityError:
            await workflow.execute_activity(ship, "late", start_to_close_timeout=SOON)


@workflow.defn
class Countdown:
    """One case however often it continues as new."""

    @workflow.run
    async def run(self, number: int) -> None:
        left = await workflow.execute_activity(count, number, start_to_close_timeout=SOON)
        if left:
            workflow.continue_as_new(left)


@workflow.defn
class Restless:
    """The whole workflow fails twice and is retried by the engine."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(ship, "x", start_to_close_timeout=SOON)
        if workflow.info().attempt < 3:
            raise ApplicationError("not yet", type="NotYet")


@workflow.defn
class Stuck:
    """Reserve is tried again until somebody ends the workflow."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            reserve, 1_000_000, start_to_close_timeout=SOON, retry_policy=_again(PAUSE)
        )


@service_handler(name="rates")
class Rates:
    @sync_operation
    async def rate(self, context: StartOperationContext, currency: str) -> str:
        return currency


@workflow.defn
class Exchange:
    """Ask another team's service."""

    @workflow.run
    async def run(self, endpoint: str) -> None:
        client = workflow.create_nexus_client(service=Rates, endpoint=endpoint)
        await client.execute_operation(Rates.rate, "EUR")


@asynccontextmanager
async def working(client: Client, build: str, *, older: bool = False) -> AsyncIterator[Worker]:
    """A worker of the build `build`, the older of the two versions of the code or the newer."""
    orders = [OlderOrder] if older else [Order]
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[*orders, Shipment, Payment, Slow, Countdown, Restless, Stuck, Exchange],
        activities=[reserve, charge, price, count, dawdle, ship],
        nexus_service_handlers=[Rates()],
        build_id=build,
        workflow_runner=UnsandboxedWorkflowRunner(),
        graceful_shutdown_timeout=timedelta(0),
    ) as worker:
        yield worker
