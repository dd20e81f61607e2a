"""Insurance claims: assessed by adjusters, with days that end in the middle of the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random

from sample_logs import truths
from sample_logs.bpmn import Node, Workflow, tasks
from sample_logs.files import Attributes, xes_bytes
from sample_logs.sample import ModelledWorkflow, Sample, Value
from sample_logs.simulation import (
    BERLIN,
    MINUTE,
    SECOND,
    Execution,
    Flow,
    Job,
    Simulation,
    arrivals,
    days,
    instant,
    machines,
    moment,
    parallel,
    people,
    run,
)

CASES = 1_500
EXTRACTED = instant(datetime(2026, 6, 30, 12, tzinfo=BERLIN))
SLOW_ADJUSTER = "Rainer Scholz"
ENDS = ("Close claim",)


@dataclass(frozen=True)
class Claim:
    """What is known of a claim when it is reported."""

    case_id: str
    reported_at: int
    kind: str
    amount: float
    injury: bool
    region: str


@dataclass
class Office:
    """The simulation, and the claims that reached their end."""

    simulation: Simulation
    closed_at: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """One lifecycle transition of an execution, at an instant."""

    at: int
    transition: str
    execution: Execution
    number: int


def build(rng: Random) -> Sample:
    """Simulate claims reported from January to June 2026, extracted at noon of 30 June."""
    office = Office(Simulation(rng, _jobs()))
    claims = _claims(rng)
    run((claim.reported_at, _claim(office, claim)) for claim in claims)
    events = _events(office.simulation.executions)
    known = [claim for claim in claims if claim.case_id in events]
    still_open = {c.case_id for c in known if office.closed_at[c.case_id] > EXTRACTED}
    return Sample(
        file="insurance_claims.xes.gz",
        source="xes",
        process="insurance-claims",
        title="Insurance claims",
        description=(
            "Claims of a motor and household insurer with scheduled, started, suspended, resumed "
            "and completed work. Extracted at noon of 30 June 2026 with claims still open."
        ),
        owner="Claims department",
        content=xes_bytes(_traces(known, events, still_open), "insurance claims"),
        format={"compression": "gzip", "timestamps": "ISO 8601 with the offset of Berlin"},
        models=(ModelledWorkflow(WORKFLOW),),
        counts=_counts(events, still_open),
        truths=_truths(events),
    )


def _jobs() -> dict[str, Job]:
    desk = people("Eva Lindner", "Gökhan Aydin", "Maria Santos", "Paul Richter")
    adjusters = people(
        "Heike Baumann",
        "Luca Ferrari",
        SLOW_ADJUSTER,
        "Nadine Roth",
        "Samir Haddad",
        "Theo Wagner",
        Rainer={"Assess claim": 3.0},
    )
    experts = people("Dora Engel", "Kurt Seidel", "Milan Horvat", "Ruth Falk", "Yusuf Polat")
    leads = people("Britta Hansen", "Oskar Meyer")
    return {
        "Register claim": Job(desk, 14 * MINUTE),
        "Check policy": Job(machines("policy-service"), 4 * SECOND, 0.5),
        "Request documents": Job(desk, 9 * MINUTE),
        "Inspect damage": Job(experts, 80 * MINUTE, 0.5),
        "Assess claim": Job(adjusters, 150 * MINUTE, 0.7),
        "Decide claim": Job(leads, 12 * MINUTE),
        "Pay claim": Job(machines("payment-service"), 6 * SECOND, 0.5),
        "Reject claim": Job(desk, 16 * MINUTE),
        "Close claim": Job(machines("claims-system"), 2 * SECOND, 0.3),
    }


def _claims(rng: Random) -> list[Claim]:
    reported = arrivals(
        rng,
        CASES,
        days(date(2026, 1, 7), date(2026, 6, 30)),
        weight=lambda day: 0.2 if day.weekday() > 4 else 1.0,
        hours=(7.0, 9.5, 20.0),
    )
    return [
        Claim(
            case_id=f"CL-2026-{number:04}",
            reported_at=at,
            kind=rng.choices(("motor", "household", "liability"), (60, 25, 15))[0],
            amount=round(rng.lognormvariate(7.4, 0.9), 2),
            injury=rng.random() < 0.07,
            region=rng.choice(("Bayern", "Hessen", "Nordrhein-Westfalen", "Sachsen")),
        )
        for number, at in enumerate(reported, start=1)
    ]


def _claim(office: Office, claim: Claim) -> Flow:
    simulation, case_id = office.simulation, claim.case_id
    first = ("Register claim", "Check policy")
    now = yield from simulation.perform_all(case_id, first, claim.reported_at)
    if claim.amount > 2_500:
        now = yield from parallel(
            now,
            simulation.perform(case_id, "Request documents", now),
            simulation.perform(case_id, "Inspect damage", now),
        )
    while True:
        now = yield from simulation.perform_all(case_id, ("Assess claim", "Decide claim"), now)
        if not simulation.chance(0.09):  # the lead sends the claim back to the adjusters
            break
    outcome = "Reject claim" if simulation.chance(0.18) else "Pay claim"
    now = yield from simulation.perform_all(case_id, (outcome, "Close claim"), now)
    office.closed_at[case_id] = now
    return now


def _transitions(done: Execution) -> Iterator[tuple[int, str]]:
    if done.resource_kind == "human":
        yield done.ready_at, "schedule"
    for number, (start, end) in enumerate(done.pieces, start=1):
        yield start, "start" if number == 1 else "resume"
        yield end, "complete" if number == len(done.pieces) else "suspend"


def _events(executions: Iterable[Execution]) -> dict[str, list[Event]]:
    """The events of each case until the log was extracted, in order."""
    found: dict[str, list[Event]] = {}
    for case_id, case in truths.by_case(executions).items():
        events = [
            Event(at, transition, done, number)
            for number, done in enumerate(case, start=1)
            for at, transition in _transitions(done)
            if at <= EXTRACTED
        ]
        if events:
            found[case_id] = sorted(events, key=lambda event: event.at)
    return found


def _traces(
    claims: Sequence[Claim], events: dict[str, list[Event]], still_open: set[str]
) -> Iterator[tuple[Attributes, Sequence[Attributes]]]:
    for claim in claims:
        about: Attributes = {
            "concept:name": claim.case_id,
            "claim type": claim.kind,
            "amount": claim.amount,
            "injury": claim.injury,
            "region": claim.region,
            "reported": moment(claim.reported_at, BERLIN),
            "status": "running" if claim.case_id in still_open else "completed",
        }
        yield about, [_event(event) for event in events[claim.case_id]]


def _event(event: Event) -> Attributes:
    done = event.execution
    about: dict[str, str | datetime] = {
        "concept:name": done.activity,
        "concept:instance": str(event.number),
        "lifecycle:transition": event.transition,
        "time:timestamp": moment(event.at, BERLIN),
    }
    if event.transition != "schedule":
        about |= {"org:resource": done.resource, "resource_kind": done.resource_kind}
    return about


def _counts(events: dict[str, list[Event]], still_open: set[str]) -> dict[str, int]:
    every = [event for case in events.values() for event in case]
    transitions = Counter(event.transition for event in every)
    return {
        "cases": len(events),
        "events": len(every),
        "activity_instances": sum(len({e.number for e in case}) for case in events.values()),
        "activities": len({event.execution.activity for event in every}),
        "duplicates": 0,
        "late_events": 0,
        "open_cases": len(still_open),
        "suspensions": transitions["suspend"],
        "resumptions": transitions["resume"],
    }


def _truths(events: dict[str, list[Event]]) -> list[dict[str, Value]]:
    waited: Counter[str] = Counter()
    completed: list[Execution] = []
    for case in events.values():
        for event in case:
            done = event.execution
            if event.transition == "start":
                waited[done.activity] += done.started_at - done.ready_at
            if event.transition == "complete":
                completed.append(done)
    names = {
        case_id: [e.execution.activity for e in case if e.transition == "start"]
        for case_id, case in events.items()
    }
    return [
        truths.bottleneck(waited, "schedule to start"),
        _slow_adjuster(completed),
        truths.rework(names, "Assess claim"),
    ]


def _slow_adjuster(completed: Sequence[Execution]) -> dict[str, Value]:
    # Nights and weekends would hide the person, so only time at work counts.
    at_work = [
        Execution(
            done.case_id,
            done.activity,
            0,
            ((0, sum(end - start for start, end in done.pieces)),),
            done.resource,
            done.resource_kind,
        )
        for done in completed
    ]
    truth = truths.slow_resource(at_work, SLOW_ADJUSTER, "Assess claim")
    return truth | {"measure": "median time at work, suspensions left out"}


WORKFLOW = Workflow(
    "insurance-claims",
    "v1",
    [
        Node("start", "start", "Damage reported", 0, 1),
        *tasks(
            1,
            ("register", "user", "Register claim", 1),
            ("policy", "service", "Check policy", 2),
        ),
        Node("large", "exclusive", "Over 2,500 euro?", 3, 1),
        Node("split", "parallel", "", 3, 2),
        *tasks(2, ("documents", "user", "Request documents", 4.5)),
        *tasks(3, ("inspect", "user", "Inspect damage", 4.5)),
        Node("join", "parallel", "", 6, 2),
        Node("merge", "exclusive", "", 7, 1),
        *tasks(1, ("assess", "user", "Assess claim", 8), ("decide", "user", "Decide claim", 9)),
        Node("decision", "exclusive", "Decision?", 10, 1),
        *tasks(1, ("pay", "service", "Pay claim", 11)),
        *tasks(0, ("reject", "user", "Reject claim", 11)),
        Node("decided", "exclusive", "", 12, 1),
        *tasks(1, ("close", "service", "Close claim", 13)),
        Node("end", "end", "Claim closed", 14, 1),
    ],
    (
        "start > register > policy > large",
        "large > merge : no",
        "large > split : yes",
        "split > documents > join > merge",
        "split > inspect > join",
        "merge > assess > decide > decision",
        "decision > merge : assess again",
        "decision > pay : pay",
        "decision > reject : reject",
        "pay > decided > close > end",
        "reject > decided",
    ),
)
