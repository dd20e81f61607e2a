"""A payment saga: services that undo what they did, on a stream that repeats itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from random import Random

from sample_logs import truths
from sample_logs.bpmn import Node, Workflow, tasks
from sample_logs.files import jsonl_bytes, utc
from sample_logs.sample import ModelledWorkflow, Sample, Value
from sample_logs.simulation import (
    HOUR,
    MINUTE,
    SECOND,
    Flow,
    Pool,
    Simulation,
    arrivals,
    days,
    instant,
    people,
    run,
)

SAGAS = 1_300
EXTRACTED = instant(datetime(2026, 6, 30, 20, tzinfo=UTC))
BAD_GATEWAY = "psp-2"
ATTEMPTS = 3
STUBBORN = 0.5
"""How likely a step fails again that has failed before."""
COMPENSATIONS = {
    "Reserve stock": "Release stock",
    "Charge card": "Refund payment",
    "Arrange shipment": "Cancel shipment",
}
LATE_SHARE, DUPLICATE_SHARE = 0.05, 0.02


@dataclass(frozen=True)
class Step:
    """A step of the saga: the services that do it, its usual time, how often it fails and why."""

    services: tuple[str, ...]
    median: int
    failure_rate: float = 0.0
    error: tuple[str, str] = ("", "")


STEPS = {
    "Place order": Step(("checkout",), 300),
    "Reserve stock": Step(
        ("stock-1", "stock-2"), 450, 0.01, ("StockLocked", "reservation lock not granted")
    ),
    "Charge card": Step(
        ("psp-1", BAD_GATEWAY, "psp-3"), 2_200, 0.05, ("GatewayError", "502 from card network")
    ),
    "Arrange shipment": Step(
        ("courier-api",), 1_800, 0.10, ("CourierRejected", "no pick-up slot for this address")
    ),
    "Ship parcel": Step(("warehouse",), 7 * HOUR, 0.015, ("ParcelLost", "parcel not scanned")),
    "Confirm order": Step(("mailer",), 900),
    "Release stock": Step(("stock-1", "stock-2"), 500),
    "Refund payment": Step(("psp-1", "psp-3"), 2_600),
    "Cancel shipment": Step(("courier-api",), 1_500),
    "Cancel order": Step(("checkout",), 350),
}


@dataclass(frozen=True)
class Event:
    """One event of the stream."""

    case_id: str
    activity: str
    at: int
    lifecycle: str
    resource: str
    resource_kind: str = "system"
    attempt: int | None = None
    error: tuple[str, str] | None = None


@dataclass
class Saga:
    """An order that several services carry out, and the verdict on it once there is one."""

    case_id: str
    placed_at: int
    amount: float
    country: str
    status: str = "running"
    ended_at: int = 0
    done: list[str] = field(default_factory=list)


@dataclass
class Services:
    """The services and the people who review payments, with the events they emit."""

    simulation: Simulation
    reviewers: Pool
    events: list[Event] = field(default_factory=list)

    def step(self, saga: Saga, activity: str, now: int) -> Flow:
        """Try a step up to three times; `saga.done` says afterwards whether it worked."""
        step, rng = STEPS[activity], self.simulation.rng
        for attempt in range(1, ATTEMPTS + 1):
            service = rng.choice(step.services)
            likely = step.failure_rate * (6 if service == BAD_GATEWAY else 1)
            failed = self.simulation.chance(max(likely, STUBBORN if attempt > 1 else 0.0))
            now += self.simulation.duration(step.median, 0.5)
            yield now
            self.events.append(
                Event(
                    saga.case_id,
                    activity,
                    now,
                    "fail" if failed else "complete",
                    service,
                    attempt=attempt if step.failure_rate else None,
                    error=step.error if failed else None,
                )
            )
            if not failed:
                saga.done.append(activity)
                break
            if attempt < ATTEMPTS:
                now += self.simulation.duration(8 * SECOND * 2**attempt, 0.2)
                yield now
        return now

    def steps(self, saga: Saga, activities: Iterable[str], now: int) -> Flow:
        """Do steps one after the other, until one of them is given up."""
        for activity in activities:
            now = yield from self.step(saga, activity, now)
            if activity not in saga.done:
                break
        return now

    def review(self, saga: Saga, now: int) -> Flow:
        """Let a person look at the payment, during working hours."""
        reviewer = self.reviewers.choose(now, self.simulation.rng)
        duration = self.simulation.duration(14 * MINUTE, 0.5)
        pieces = self.reviewers.occupy(reviewer, now, duration)
        for at, lifecycle in ((pieces[0][0], "start"), (pieces[-1][1], "complete")):
            self.events.append(
                Event(saga.case_id, "Review payment", at, lifecycle, reviewer.name, "human")
            )
        yield pieces[-1][1]
        return pieces[-1][1]


def build(rng: Random) -> Sample:
    """Simulate orders placed from January to June 2026, read from the stream on 30 June."""
    reviewers = people("Amira Saleh", "Jan de Vries", "Laura Rossi")
    services = Services(Simulation(rng, {}, grain=1), reviewers)
    sagas = _sagas(rng)
    run((saga.placed_at, _saga(services, saga)) for saga in sagas)
    for saga in sagas:
        saga.status = "running" if saga.ended_at > EXTRACTED else saga.status
    events = [event for event in services.events if event.at <= EXTRACTED]
    events.sort(key=lambda event: event.at)
    stream = Stream(events, *_disturb(rng, events))
    return Sample(
        file="payment_saga.jsonl",
        source="jsonl",
        process="payment-saga",
        title="Payment saga",
        description=(
            "Orders of a web shop carried out by several services that undo their part when a "
            "later one fails. Read from a stream that delivers some events late and some twice."
        ),
        owner="Payments",
        content=jsonl_bytes(_records(stream, sagas)),
        format={"timestamps": "ISO 8601 in UTC", "order": "as delivered"},
        models=(ModelledWorkflow(WORKFLOW),),
        counts=_counts(stream, sagas),
        truths=_truths(stream),
    )


def _sagas(rng: Random) -> list[Saga]:
    placed = arrivals(
        rng,
        SAGAS,
        days(date(2026, 1, 2), date(2026, 6, 30)),
        weight=lambda day: 1.3 if day.weekday() > 4 else 1.0,
        hours=(0.0, 20.0, 24.0),
    )
    return [
        Saga(
            case_id=f"PS-{number:05}",
            placed_at=at + rng.randrange(SECOND),
            amount=round(rng.lognormvariate(3.9, 0.8), 2),
            country=rng.choices(("AT", "CH", "DE", "NL"), (15, 15, 50, 20))[0],
        )
        for number, at in enumerate((at for at in placed if at < EXTRACTED), start=1)
    ]


def _saga(services: Services, saga: Saga) -> Flow:
    now = yield from services.steps(saga, ("Place order", "Reserve stock"), saga.placed_at)
    accepted = "Reserve stock" in saga.done
    if accepted and (saga.amount > 150 or services.simulation.chance(0.03)):
        now = yield from services.review(saga, now)
        accepted = not services.simulation.chance(0.2)
    if accepted:
        forward = ("Charge card", "Arrange shipment", "Ship parcel", "Confirm order")
        now = yield from services.steps(saga, forward, now)
    if "Confirm order" in saga.done:
        saga.status = "completed"
    else:
        undo = [COMPENSATIONS[name] for name in reversed(saga.done) if name in COMPENSATIONS]
        now = yield from services.steps(saga, (*undo, "Cancel order"), now)
        saga.status = "failed"
    saga.ended_at = now
    return now


@dataclass(frozen=True)
class Stream:
    """The events in order of time, and what the delivery did to them.

    `late` gives the instant at which a late event was delivered, `again` that of a second delivery,
    both by position in `events`.
    """

    events: Sequence[Event]
    late: Mapping[int, int]
    again: Mapping[int, int]

    def delivered(self) -> list[int]:
        """Positions of the events in the order of their delivery."""
        first = [(self.late.get(n, event.at), n) for n, event in enumerate(self.events)]
        return [n for _, n in sorted([*first, *((at, n) for n, at in self.again.items())])]


def _disturb(rng: Random, events: Sequence[Event]) -> tuple[dict[int, int], dict[int, int]]:
    """Choose at most one late event per saga, overtaken by its successor, and the duplicates."""
    sagas: dict[str, list[int]] = {}
    for n, event in enumerate(events):
        sagas.setdefault(event.case_id, []).append(n)
    late = {}
    for positions in sagas.values():
        if len(positions) > 2 and rng.random() < LATE_SHARE:
            chosen = rng.randrange(len(positions) - 1)
            overtaking = events[positions[chosen + 1]].at
            if overtaking > events[positions[chosen]].at:
                late[positions[chosen]] = overtaking + rng.randrange(1, 30 * SECOND)
    again = {
        n: late.get(n, event.at) + rng.randrange(1, 10 * MINUTE)
        for n, event in enumerate(events)
        if rng.random() < DUPLICATE_SHARE
    }
    return late, again


def _records(stream: Stream, sagas: Sequence[Saga]) -> Iterator[dict[str, object]]:
    """The lines of the file: a saga's amount and country come first, its status comes last."""
    known = {saga.case_id: saga for saga in sagas}
    firsts: dict[str, int] = {}
    lasts: dict[str, int] = {}
    for n, event in enumerate(stream.events):
        firsts.setdefault(event.case_id, n)
        lasts[event.case_id] = n
    for n in stream.delivered():
        event = stream.events[n]
        saga = known[event.case_id]
        first, last = firsts[event.case_id] == n, lasts[event.case_id] == n
        error_type, error_message = event.error or (None, None)
        yield {
            "event_id": f"e{n:06}",
            "case_id": event.case_id,
            "activity": event.activity,
            "timestamp": utc(event.at),
            "lifecycle": event.lifecycle,
            "resource": event.resource,
            "resource_kind": event.resource_kind,
            "attempt": event.attempt,
            "error_type": error_type,
            "error_message": error_message,
            "case:amount": saga.amount if first else None,
            "case:country": saga.country if first else None,
            "case:status": saga.status if last else None,
        }


def _counts(stream: Stream, sagas: Sequence[Saga]) -> dict[str, int]:
    verdicts = Counter(saga.status for saga in sagas)
    return {
        "rows": len(stream.events) + len(stream.again),
        "cases": len({event.case_id for event in stream.events}),
        "events": len(stream.events),
        "activities": len({event.activity for event in stream.events}),
        "duplicates": len(stream.again),
        "late_events": len(stream.late),
        "completed_cases": verdicts["completed"],
        "failed_cases": verdicts["failed"],
        "open_cases": verdicts["running"],
    }


def _truths(stream: Stream) -> list[dict[str, Value]]:
    waited: Counter[str] = Counter()
    last: dict[str, int] = {}
    for event in stream.events:
        if event.lifecycle == "start":
            waited[event.activity] += event.at - last[event.case_id]
        else:
            last[event.case_id] = event.at
    charges = [
        (event.resource, event.lifecycle == "fail")
        for event in stream.events
        if event.activity == "Charge card"
    ]
    undone = Counter(
        event.activity
        for event in stream.events
        if event.activity in COMPENSATIONS.values() and event.lifecycle == "complete"
    )
    return [
        truths.bottleneck(waited, truths.LAST_COMPLETION),
        truths.failing_resource(charges, BAD_GATEWAY, activity="Charge card"),
        {"kind": "duplicates", "count": len(stream.again)},
        {"kind": "late_events", "count": len(stream.late)},
        {"kind": "retries", "count": sum((e.attempt or 1) > 1 for e in stream.events)},
        {
            "kind": "compensations",
            "activities": sorted(undone),
            "count": undone.total(),
            "cases": len({e.case_id for e in stream.events if e.activity in undone}),
        },
    ]


_UNDER = 1 / 6
"""How far right of a task, in columns, its boundary event is: what undoes it stands below."""

WORKFLOW = Workflow(
    "payment-saga",
    "v1",
    [
        Node("start", "start", "Order placed", 0, 0),
        *tasks(
            0, ("place", "service", "Place order", 1), ("reserve", "service", "Reserve stock", 2)
        ),
        Node("out_of_stock", "error", "No stock", on="reserve"),
        Node("suspicious", "exclusive", "Suspicious?", 3, 0),
        *tasks(1, ("review", "user", "Review payment", 4)),
        Node("reviewed", "exclusive", "Accepted?", 5, 1),
        Node("charging", "exclusive", "", 5, 0),
        *tasks(0, ("charge", "service", "Charge card", 6)),
        Node("not_charged", "error", "Not charged", on="charge"),
        *tasks(0, ("arrange", "service", "Arrange shipment", 8)),
        Node("not_arranged", "error", "No courier", on="arrange"),
        *tasks(0, ("ship", "service", "Ship parcel", 10)),
        Node("not_shipped", "error", "Not shipped", on="ship"),
        *tasks(0, ("confirm", "service", "Confirm order", 11)),
        Node("end", "end", "Order confirmed", 12, 0),
        *tasks(2, ("cancel_shipment", "service", "Cancel shipment", 10 + _UNDER)),
        Node("refunding", "exclusive", "", 8 + _UNDER, 2),
        *tasks(2, ("refund", "service", "Refund payment", 7 + _UNDER)),
        Node("releasing", "exclusive", "", 6 + _UNDER, 2),
        *tasks(2, ("release", "service", "Release stock", 5 + _UNDER)),
        Node("cancelling", "exclusive", "", 2 + _UNDER, 2),
        *tasks(2, ("cancel", "service", "Cancel order", 1 + _UNDER)),
        Node("failed", "error_end", "Order cancelled", _UNDER, 2),
    ],
    (
        "start > place > reserve > suspicious",
        "suspicious > charging : no",
        "suspicious > review : yes",
        "review > reviewed",
        "reviewed > charging : yes",
        "reviewed > releasing : no",
        "charging > charge > arrange > ship > confirm > end",
        "not_charged > releasing",
        "not_arranged > refunding",
        "not_shipped > cancel_shipment > refunding > refund > releasing > release > cancelling",
        "out_of_stock > cancelling",
        "cancelling > cancel > failed",
    ),
)
