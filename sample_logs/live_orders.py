"""Orders as workflows of Temporal: services that fail, people who approve, two versions."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

SOON = timedelta(seconds=20)
FRAUD_CHECK = "fraud-check"
"""The change that the newer version brings."""

chance = random.Random(7)


def _again(attempts: int = 0) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(milliseconds=300),
        backoff_coefficient=1.5,
        maximum_attempts=attempts,
    )


async def _worked(least: float, most: float) -> None:
    await asyncio.sleep(chance.uniform(least, most))


@activity.defn(name="Check stock")
async def check_stock(order: str) -> None:
    """Asks a warehouse that often does not answer."""
    await _worked(0.05, 0.3)
    if chance.random() < 0.25:
        raise ApplicationError("the warehouse does not answer", type="WarehouseAway")


@activity.defn(name="Check for fraud")
async def check_for_fraud(order: str) -> None:
    """Takes a moment and always passes."""
    await _worked(0.2, 0.8)


@activity.defn(name="Charge card")
async def charge_card(order: str) -> None:
    """Through a gateway that times out; some cards are declined for good."""
    await _worked(0.1, 0.5)
    if chance.random() < 0.15:
        raise ApplicationError("the gateway timed out", type="GatewayTimeout")
    if chance.random() < 0.08:
        raise ApplicationError("declined", type="CardDeclined", non_retryable=True)


@activity.defn(name="Pack")
async def pack(order: str) -> None:
    """Takes the longest."""
    await _worked(0.3, 1.2)


@activity.defn(name="Hand to carrier")
async def hand_to_carrier(order: str) -> None:
    """Carriers are rarely free."""
    await _worked(0.1, 0.4)
    if chance.random() < 0.3:
        raise ApplicationError("no carrier is free", type="NoCarrier")


@activity.defn(name="Tell customer")
async def tell_customer(order: str) -> None:
    """Quick enough to be a local activity."""
    await _worked(0.01, 0.05)


@workflow.defn(name="Shipment")
class Shipment:
    """Pack an order and hand it to a carrier, whatever it takes."""

    @workflow.run
    async def run(self, order: str) -> None:
        """Ends when a carrier has it."""
        await workflow.execute_activity(pack, order, start_to_close_timeout=SOON)
        await workflow.execute_activity(
            hand_to_carrier, order, start_to_close_timeout=SOON, retry_policy=_again()
        )


@workflow.defn(name="Order fulfilment")
class OrderFulfilment:
    """From the order to the parcel; large orders wait for a person."""

    def __init__(self) -> None:
        self.approved = False

    @workflow.signal
    def approve(self) -> None:
        """A person says that a large order is fine."""
        self.approved = True

    @workflow.run
    async def run(self, order: str, large: bool, checked: bool) -> None:
        """Fails when the card is declined."""
        await workflow.execute_activity(
            check_stock, order, start_to_close_timeout=SOON, retry_policy=_again()
        )
        if checked and workflow.patched(FRAUD_CHECK):
            await workflow.execute_activity(check_for_fraud, order, start_to_close_timeout=SOON)
        if large:
            try:
                await workflow.wait_condition(
                    lambda: self.approved,
                    timeout=timedelta(seconds=30),
                    timeout_summary="until it is too late",
                )
            except TimeoutError:
                raise ApplicationError("nobody approved", type="NotApproved") from None
        try:
            await workflow.execute_activity(
                charge_card, order, start_to_close_timeout=SOON, retry_policy=_again(4)
            )
        except ActivityError as error:
            await self._tell(order)
            raise ApplicationError("not paid", type="NotPaid") from error
        await workflow.execute_child_workflow(Shipment.run, order, id=f"{order}-shipment")
        await self._tell(order)

    async def _tell(self, order: str) -> None:
        await workflow.execute_local_activity(tell_customer, order, start_to_close_timeout=SOON)


WORKFLOWS = (OrderFulfilment, Shipment)
ACTIVITIES = (check_stock, check_for_fraud, charge_card, pack, hand_to_carrier, tell_customer)
