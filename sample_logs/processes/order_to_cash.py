"""Order to cash: from the order of a customer to its payment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from random import Random

from sample_logs import truths
from sample_logs.bpmn import Node, Workflow, tasks
from sample_logs.files import csv_bytes, utc
from sample_logs.sample import ModelledWorkflow, Sample, Value
from sample_logs.simulation import (
    BERLIN,
    HOUR,
    MINUTE,
    SECOND,
    Flow,
    Job,
    Simulation,
    WorkingHours,
    arrivals,
    days,
    instant,
    machines,
    people,
    run,
)

CASES = 2_350
DRIFT = date(2026, 4, 13)
SLOW_CLERK = "Jonas Pohl"
HEADER = (
    "case_id",
    "activity",
    "start_time",
    "end_time",
    "resource",
    "resource_kind",
    "process_version",
    "case:region",
    "case:channel",
    "case:amount",
)


@dataclass(frozen=True)
class Order:
    """What is known of an order when it comes in."""

    case_id: str
    received_at: int
    version: str
    region: str
    channel: str
    amount: float


def build(rng: Random) -> Sample:
    """Simulate the orders of January to May 2026."""
    simulation = Simulation(rng, _jobs())
    orders = _orders(rng)
    run((order.received_at, _order(simulation, order)) for order in orders)
    return Sample(
        file="order_to_cash.csv",
        source="csv",
        process="order-to-cash",
        title="Order to cash",
        description=(
            "Orders of a wholesaler, from receipt to payment. Managers approve on Tuesdays and "
            "Thursdays only; since 13 April stock is checked before credit."
        ),
        owner="Sales operations",
        content=_csv(simulation, orders),
        options={
            "case": "case_id",
            "activity": "activity",
            "start": "start_time",
            "timestamp": "end_time",
            "resource": "resource",
        },
        format={"delimiter": ",", "encoding": "utf-8", "timestamps": "ISO 8601 in UTC"},
        models=(
            ModelledWorkflow(WORKFLOW_V1, None, date(2026, 4, 12)),
            ModelledWorkflow(WORKFLOW_V2, DRIFT, None),
        ),
        counts=_counts(simulation),
        truths=_truths(simulation, orders),
    )


def _jobs() -> dict[str, Job]:
    shop = machines("web-shop", "edi-gateway")
    erp = machines("erp-batch")
    credit = people("Anke Vogt", "Birgit Sommer", "Deniz Kaya", "Piotr Zielinski")
    twice_a_week = WorkingHours(weekdays=(1, 3))
    managers = people("Ute Brandt", "Helge Lorenz", "Sabine Kurz", hours=twice_a_week)
    warehouse = people("Ali Demir", "Franz Huber", "Ivana Novak", "Marek Duda", "Tim Krause")
    clerks = people(
        "Clara Jung", SLOW_CLERK, "Lena Busch", "Nils Arndt", Jonas={"Create invoice": 3.5}
    )
    return {
        "Receive order": Job(shop, 2 * SECOND, 0.6),
        "Check stock": Job(erp, 5 * SECOND, 0.5),
        "Check credit": Job(credit, 18 * MINUTE),
        "Approve order": Job(managers, 12 * MINUTE),
        "Reject order": Job(credit, 6 * MINUTE),
        "Call customer": Job(clerks, 9 * MINUTE, 0.7),
        "Pick goods": Job(warehouse, 22 * MINUTE, 0.6),
        "Pack goods": Job(warehouse, 15 * MINUTE),
        "Ship goods": Job(warehouse, 8 * MINUTE, 0.3),
        "Create invoice": Job(clerks, 11 * MINUTE, 0.4),
        "Correct invoice": Job(clerks, 17 * MINUTE, 0.5),
        "Collect payment": Job(machines("bank-run"), 3 * SECOND, 0.4),
        "Close order": Job(erp, 1 * SECOND, 0.2),
    }


def _orders(rng: Random) -> list[Order]:
    received = arrivals(
        rng,
        CASES,
        days(date(2026, 1, 5), date(2026, 5, 29)),
        weight=lambda day: (0.15 if day.weekday() > 4 else 1.0) * (1.25 if day.month == 3 else 1.0),
        hours=(6.0, 10.5, 22.0),
    )
    changed = instant(datetime(DRIFT.year, DRIFT.month, DRIFT.day, tzinfo=BERLIN))
    return [
        Order(
            case_id=f"O-{number:05}",
            received_at=at,
            version="v1" if at < changed else "v2",
            region=rng.choices(("North", "South", "East", "West"), (30, 25, 15, 30))[0],
            channel=rng.choices(("web", "edi", "phone"), (55, 30, 15))[0],
            amount=round(rng.lognormvariate(6.2, 1.0), 2),
        )
        for number, at in enumerate(received, start=1)
    ]


def _order(simulation: Simulation, order: Order) -> Flow:
    case_id = order.case_id
    # The deviation in v2: now and then somebody checks the stock late, as it was done before.
    stock_first = order.version == "v2" and not simulation.chance(0.03)
    first = ("Receive order", "Check stock") if stock_first else ("Receive order",)
    now = yield from simulation.perform_all(case_id, first, order.received_at)
    while True:
        now = yield from simulation.perform(case_id, "Check credit", now)
        if simulation.chance(0.04):
            return (yield from simulation.perform(case_id, "Reject order", now))
        if simulation.chance(0.02):  # the deviation: shipped without anybody's approval
            break
        now = yield from simulation.perform(case_id, "Approve order", now)
        if not simulation.chance(0.11):
            break
    if simulation.chance(0.015):
        now = yield from simulation.perform(case_id, "Call customer", now)
    if not stock_first:
        now = yield from simulation.perform(case_id, "Check stock", now)
    shipping = ("Pick goods", "Pack goods", "Ship goods", "Create invoice")
    now = yield from simulation.perform_all(case_id, shipping, now)
    by_slow_clerk = simulation.executions[-1].resource == SLOW_CLERK
    while simulation.chance(0.30 if by_slow_clerk else 0.05):
        now = yield from simulation.perform(case_id, "Correct invoice", now)
    hourly = -(-now // HOUR) * HOUR  # direct debits leave on the full hour
    yield hourly
    return (yield from simulation.perform_all(case_id, ("Collect payment", "Close order"), hourly))


def _csv(simulation: Simulation, orders: Sequence[Order]) -> bytes:
    known = {order.case_id: order for order in orders}
    rows = []
    for done in sorted(simulation.executions, key=lambda each: (each.completed_at, each.case_id)):
        order = known[done.case_id]
        rows.append(
            (
                order.case_id,
                done.activity,
                utc(done.started_at),
                utc(done.completed_at),
                done.resource,
                done.resource_kind,
                order.version,
                order.region,
                order.channel,
                f"{order.amount:.2f}",
            )
        )
    return csv_bytes(HEADER, rows)


def _counts(simulation: Simulation) -> dict[str, int]:
    executions = simulation.executions
    return {
        "rows": len(executions),
        "cases": len({done.case_id for done in executions}),
        "events": 2 * len(executions),
        "activity_instances": len(executions),
        "activities": len({done.activity for done in executions}),
        "duplicates": 0,
        "late_events": 0,
        "open_cases": 0,
    }


def _truths(simulation: Simulation, orders: Sequence[Order]) -> list[dict[str, Value]]:
    executions = simulation.executions
    cases = {
        case_id: [done.activity for done in sorted(case, key=lambda each: each.completed_at)]
        for case_id, case in truths.by_case(executions).items()
    }
    unapproved = sum(
        names.count("Check credit") > names.count("Approve order") + names.count("Reject order")
        for names in cases.values()
    )
    called = sum("Call customer" in names for names in cases.values())
    new = [cases[order.case_id] for order in orders if order.version == "v2"]
    late = sum("Check stock" in names[2:] for names in new)
    unchecked = sum("Check stock" not in names for names in new)
    deviation: dict[str, Value] = {"kind": "deviation"}
    return [
        truths.bottleneck_of(executions),
        _drift(cases, orders),
        truths.slow_resource(executions, SLOW_CLERK, "Create invoice"),
        truths.rework(cases, "Check credit"),
        truths.rework(cases, "Correct invoice"),
        deviation | {"what": "skipped", "activity": "Approve order", "cases": unapproved},
        deviation | {"what": "extra", "activity": "Call customer", "cases": called},
        deviation | {"what": "swapped", "activity": "Check stock", "version": "v2", "cases": late},
        deviation
        | {"what": "skipped", "activity": "Check stock", "version": "v2", "cases": unchecked},
        {
            "kind": "working_hours",
            "timezone": "Europe/Berlin",
            "weekdays": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
            "opens": 9,
            "closes": 17,
        },
    ]


def _drift(cases: dict[str, list[str]], orders: Sequence[Order]) -> dict[str, Value]:
    first, then = "Receive order", "Check stock"
    shares = []
    for after in (False, True):
        group = [o.case_id for o in orders if (o.version == "v2") is after]
        held = sum((first, then) in zip(cases[c], cases[c][1:], strict=False) for c in group)
        shares.append(round(held / len(group), 4))
    return {
        "kind": "drift",
        "day": DRIFT,
        "timezone": "Europe/Berlin",
        "what": "stock is checked right after receipt instead of after approval",
        "activity": first,
        "next_activity": then,
        "share_before": shares[0],
        "share_after": shares[1],
    }


_MIDDLE = [
    Node("start", "start", "Order placed", 0, 1),
    Node("again", "exclusive", "", 3, 1),
    *tasks(1, ("credit", "user", "Check credit", 4)),
    Node("worthy", "exclusive", "Credit granted?", 5, 1),
    *tasks(1, ("approve", "user", "Approve order", 6)),
    Node("approved", "exclusive", "Approved?", 7, 1),
    *tasks(0, ("reject", "user", "Reject order", 6)),
    Node("rejected", "end", "Order rejected", 7, 0),
]
_END = [
    *tasks(
        1,
        ("pick", "user", "Pick goods", 9),
        ("pack", "user", "Pack goods", 10),
        ("ship", "user", "Ship goods", 11),
        ("invoice", "user", "Create invoice", 12),
    ),
    Node("merge", "exclusive", "", 13, 1),
    Node("correct", "exclusive", "Invoice correct?", 14, 1),
    *tasks(2, ("correction", "user", "Correct invoice", 13.5)),
    *tasks(
        1,
        ("collect", "service", "Collect payment", 15),
        ("close", "service", "Close order", 16),
    ),
    Node("end", "end", "Order closed", 17, 1),
]
_PATHS = (
    "again > credit > worthy",
    "worthy > approve : yes",
    "worthy > reject : no",
    "reject > rejected",
    "approve > approved",
    "approved > again : check credit again",
    "pick > pack > ship > invoice > merge > correct",
    "correct > correction : no",
    "correction > merge",
    "correct > collect : yes",
    "collect > close > end",
)
_RECEIVE = Node("receive", "service", "Receive order", 1, 1)
WORKFLOW_V1 = Workflow(
    "order-to-cash",
    "v1",
    [*_MIDDLE, _RECEIVE, Node("stock", "service", "Check stock", 8, 1), *_END],
    ("start > receive > again", *_PATHS, "approved > stock : yes", "stock > pick"),
)
WORKFLOW_V2 = Workflow(
    "order-to-cash",
    "v2",
    [*_MIDDLE, _RECEIVE, Node("stock", "service", "Check stock", 2, 1), *_END],
    ("start > receive > stock > again", *_PATHS, "approved > pick : yes"),
)
