"""A nightly data pipeline: an engine that retries, workers that fail, people who step in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from random import Random

import polars as pl

from sample_logs import truths
from sample_logs.bpmn import Node, Workflow, tasks
from sample_logs.files import parquet_bytes
from sample_logs.sample import ModelledWorkflow, Sample, Value
from sample_logs.simulation import (
    MINUTE,
    SECOND,
    Flow,
    Pool,
    Simulation,
    WorkingHours,
    days,
    instant,
    machines,
    moment,
    parallel,
    run,
)

EXTRACTED = instant(datetime(2026, 6, 30, 1, 25, tzinfo=UTC))
WITH_STOCK = date(2026, 3, 2)
WITH_CHECK = date(2026, 5, 4)
BAD_WORKER = "worker-3"
ATTEMPTS = 3
BACKOFF = 30 * SECOND
HINDRANCES = (0.989, 0.007, 0.004)
"""Shares of tasks that nothing, a lasting error or a lasting slowness keeps from succeeding."""
ON_CALL = ("Priya Nair", "Tobias Klein", "Wanda Kowalska")
ERRORS = {
    "ConnectionError": "connection to source refused after 10 s",
    "DeadlockDetected": "deadlock detected, transaction rolled back",
    "OutOfMemoryError": "worker ran out of memory (limit 8 GiB)",
    "SchemaMismatch": 'column "unit_price" is of type text, expected numeric',
}
LASTING_ERROR = "SchemaMismatch"
PASSING_ERRORS = tuple(name for name in ERRORS if name != LASTING_ERROR)
TIMEOUT = "no result within the time limit of the task"
SCHEMA = pl.Schema(
    {
        "case_id": pl.String(),
        "activity": pl.String(),
        "timestamp": pl.Datetime("ms", "UTC"),
        "lifecycle": pl.String(),
        "attempt": pl.Int32(),
        "resource": pl.String(),
        "resource_kind": pl.String(),
        "error_type": pl.String(),
        "error_message": pl.String(),
        "process_version": pl.String(),
        "position": pl.Int64(),
        "rows_processed": pl.Int64(),
        "case:tenant": pl.String(),
        "case:status": pl.String(),
    }
)


@dataclass(frozen=True)
class Task:
    """A task of the pipeline: who runs it, its usual time, how often it fails, its time limit."""

    pool: Pool
    median: int
    failure_rate: float
    limit: int = 45 * MINUTE


@dataclass(frozen=True)
class Event:
    """One lifecycle transition, as the engine writes it down."""

    case_id: str
    activity: str
    at: int
    lifecycle: str
    attempt: int | None = None
    resource: str | None = None
    resource_kind: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    rows: int | None = None


@dataclass
class Run:
    """A run of the pipeline for one tenant in one night, and the verdict of the engine on it."""

    case_id: str
    tenant: str
    scheduled_at: int
    version: str
    status: str = "completed"
    ended_at: int = 0


@dataclass
class Engine:
    """Runs tasks, retries them, and writes down events."""

    simulation: Simulation
    tasks: Mapping[str, Task]
    on_call: WorkingHours = field(default_factory=lambda: WorkingHours(opens=8))
    events: list[Event] = field(default_factory=list)

    def task(self, run_: Run, activity: str, now: int) -> Flow:
        """Run a task until it succeeds or nobody tries any more; then the run has failed."""
        hindrance = self.simulation.rng.choices(("", "fail", "timeout"), HINDRANCES)[0]
        for helped in (False, True):
            for attempt in range(1, ATTEMPTS + 1):
                now, lifecycle = yield from self._attempt(run_, activity, attempt, now, hindrance)
                if lifecycle == "complete":
                    return now
                if attempt < ATTEMPTS:
                    now += self.simulation.duration(BACKOFF * 2**attempt, 0.1)
                    yield now
            if helped or not self.simulation.chance(0.6):
                break
            now = yield from self._intervene(run_, activity, now)
            hindrance = ""
        run_.status = "timed_out" if lifecycle == "timeout" else "failed"
        return now

    def tasks_in_parallel(self, run_: Run, activities: Iterable[str], now: int) -> Flow:
        """Run tasks side by side; a failing one does not stop the others."""
        return (yield from parallel(now, *(self.task(run_, name, now) for name in activities)))

    def _attempt(
        self, run_: Run, activity: str, attempt: int, now: int, hindrance: str
    ) -> Generator[int, None, tuple[int, str]]:
        task, rng = self.tasks[activity], self.simulation.rng
        worker = task.pool.choose(now, rng)
        likely = task.failure_rate * (9 if worker.name == BAD_WORKER else 1)
        unlucky = self.simulation.chance(likely)
        duration = self.simulation.duration(task.median, 0.35)
        lifecycle, error, message = "complete", None, None
        if hindrance == "timeout" or duration > task.limit:
            duration = task.limit
            lifecycle, error, message = "timeout", "TaskTimeout", TIMEOUT
        elif unlucky or hindrance:
            duration = max(SECOND // 10, round(duration * rng.uniform(0.05, 0.9)))
            error = LASTING_ERROR if hindrance else rng.choice(PASSING_ERRORS)
            lifecycle, message = "fail", ERRORS[error]
        ((start, end),) = task.pool.occupy(worker, now, duration)
        done = (attempt, worker.name, "system")
        rows = round(rng.lognormvariate(11.0, 0.8)) if lifecycle == "complete" else None
        self.events += [
            Event(run_.case_id, activity, now, "scheduled", attempt),
            Event(run_.case_id, activity, start, "start", *done),
            Event(run_.case_id, activity, end, lifecycle, *done, error, message, rows),
        ]
        yield end
        return end, lifecycle

    def _intervene(self, run_: Run, activity: str, now: int) -> Flow:
        rng = self.simulation.rng
        reaction = self.simulation.duration(9 * MINUTE, 0.6)
        ((_, at),) = self.on_call.pieces(now, reaction)
        person = rng.choice(ON_CALL)
        self.events.append(
            Event(run_.case_id, activity, at, "retry", None, person, "human"),
        )
        yield at
        return at


def build(rng: Random) -> Sample:
    """Simulate the nights from 5 January to 30 June 2026, extracted during the last one."""
    engine = Engine(Simulation(rng, {}, grain=1), _tasks())
    runs = _runs(rng)
    run((each.scheduled_at, _pipeline(engine, each)) for each in runs)
    for each in runs:
        each.status = "running" if each.ended_at > EXTRACTED else each.status
    seen = sorted((e for e in engine.events if e.at <= EXTRACTED), key=lambda event: event.at)
    return Sample(
        file="nightly_pipeline.parquet",
        source="parquet",
        process="nightly-pipeline",
        title="Nightly data pipeline",
        description=(
            "Runs of a data pipeline for four tenants each night, as the engine wrote them down: "
            "attempts with backoff, time-outs, and people who start a failed task again."
        ),
        owner="Data platform",
        content=parquet_bytes(_rows(seen, runs), SCHEMA),
        format={"timestamps": "timestamp of milliseconds in UTC"},
        models=(
            ModelledWorkflow(WORKFLOW_V1, None, date(2026, 3, 1)),
            ModelledWorkflow(WORKFLOW_V2, WITH_STOCK, date(2026, 5, 3)),
            ModelledWorkflow(WORKFLOW_V3, WITH_CHECK, None),
        ),
        counts=_counts(seen, runs),
        truths=_truths(seen, runs),
    )


def _tasks() -> dict[str, Task]:
    workers = machines("worker-1", "worker-2", BAD_WORKER, "worker-4", "worker-5", "worker-6")
    heavy = machines("heavy-1")
    return {
        "Extract orders": Task(workers, 4 * MINUTE, 0.016),
        "Extract customers": Task(workers, 2 * MINUTE, 0.012),
        "Extract stock": Task(workers, 3 * MINUTE, 0.016),
        "Load staging": Task(workers, 5 * MINUTE, 0.010),
        "Build facts": Task(heavy, 18 * MINUTE, 0.020),
        "Build dimensions": Task(workers, 6 * MINUTE, 0.010),
        "Check quality": Task(workers, 90 * SECOND, 0.020),
        "Publish marts": Task(workers, 3 * MINUTE, 0.070, limit=6 * MINUTE),
    }


def _runs(rng: Random) -> list[Run]:
    found = []
    for day in days(date(2026, 1, 5), date(2026, 6, 30)):
        version = "v1" if day < WITH_STOCK else "v2" if day < WITH_CHECK else "v3"
        for tenant in ("apac", "emea", "latam", "noram"):
            delay = rng.randrange(200, 4_000)
            at = instant(datetime.combine(day, time(1), UTC)) + delay
            found.append(Run(f"{day}-{tenant}", tenant, at, version))
    return found


def _pipeline(engine: Engine, each: Run) -> Flow:
    extracts = ["Extract orders", "Extract customers"]
    if each.version != "v1":
        extracts.append("Extract stock")
    last = ["Check quality", "Publish marts"] if each.version == "v3" else ["Publish marts"]
    stages = [extracts, ["Load staging"], ["Build facts", "Build dimensions"]]
    now = each.scheduled_at
    for stage in [*stages, *([name] for name in last)]:
        now = yield from engine.tasks_in_parallel(each, stage, now)
        if each.status != "completed":
            break
    each.ended_at = now
    return now


def _rows(events: Sequence[Event], runs: Sequence[Run]) -> list[tuple[object, ...]]:
    known = {each.case_id: each for each in runs}
    return [
        (
            event.case_id,
            event.activity,
            moment(event.at),
            event.lifecycle,
            event.attempt,
            event.resource,
            event.resource_kind,
            event.error_type,
            event.error_message,
            known[event.case_id].version,
            position,
            event.rows,
            known[event.case_id].tenant,
            known[event.case_id].status,
        )
        for position, event in enumerate(events, start=1)
    ]


def _counts(events: Sequence[Event], runs: Sequence[Run]) -> dict[str, int]:
    verdicts = Counter(each.status for each in runs)
    return {
        "rows": len(events),
        "cases": len(runs),
        "events": len(events),
        "activities": len({event.activity for event in events}),
        "duplicates": 0,
        "late_events": 0,
        "completed_cases": verdicts["completed"],
        "failed_cases": verdicts["failed"],
        "timed_out_cases": verdicts["timed_out"],
        "open_cases": verdicts["running"],
        "failed_attempts": sum(event.lifecycle in ("fail", "timeout") for event in events),
    }


def _truths(events: Sequence[Event], runs: Sequence[Run]) -> list[dict[str, Value]]:
    waited: Counter[str] = Counter()
    scheduled: dict[tuple[str, str], int] = {}
    for event in events:
        if event.lifecycle == "scheduled":
            scheduled[event.case_id, event.activity] = event.at
        elif event.lifecycle == "start":
            waited[event.activity] += event.at - scheduled[event.case_id, event.activity]
    ended = [e for e in events if e.lifecycle in ("complete", "fail", "timeout")]
    outcomes = [
        (str(e.resource), e.lifecycle != "complete") for e in ended if e.resource != "heavy-1"
    ]
    retried = sum(e.lifecycle == "start" and (e.attempt or 1) > 1 for e in events)
    people = sum(e.lifecycle == "retry" and e.resource_kind == "human" for e in events)
    return [
        truths.bottleneck(waited, "scheduled to start"),
        _drift(events, runs, WITH_STOCK, WITH_CHECK, "Extract stock"),
        _drift(events, runs, WITH_CHECK, date(2026, 7, 1), "Check quality"),
        truths.failing_resource(outcomes, BAD_WORKER, others_named="worker-"),
        {"kind": "retries", "count": retried},
        {"kind": "interventions", "count": people},
    ]


def _drift(
    events: Sequence[Event], runs: Sequence[Run], day: date, until: date, activity: str
) -> dict[str, Value]:
    """The share of the runs with `activity`, before `day` and from then until the next change."""
    having = {event.case_id for event in events if event.activity == activity}
    before: list[bool] = []
    after: list[bool] = []
    for each in runs:
        started = moment(each.scheduled_at).date()
        if started < until:
            (before if started < day else after).append(each.case_id in having)
    return {
        "kind": "drift",
        "day": day,
        "until": until,
        "timezone": "UTC",
        "what": f"the activity {activity} is new",
        "activity": activity,
        "share_before": round(sum(before) / len(before), 4),
        "share_after": round(sum(after) / len(after), 4),
    }


def _workflow(version: str) -> Workflow:
    extracts = [
        ("orders", "service", "Extract orders", 2.0),
        ("customers", "service", "Extract customers", 2.0),
        ("stock", "service", "Extract stock", 2.0),
    ][: 2 if version == "v1" else 3]
    checked = version == "v3"
    nodes = [
        Node("start", "start", "Every night at 01:00", 0, 1),
        Node("split", "parallel", "", 1, 1),
        *(tasks(row, task)[0] for row, task in enumerate(extracts)),
        Node("join", "parallel", "", 3, 1),
        *tasks(1, ("staging", "service", "Load staging", 4)),
        Node("staging_failed", "error", "No attempt left", on="staging"),
        Node("split_build", "parallel", "", 5, 1),
        *tasks(1, ("facts", "service", "Build facts", 6)),
        *tasks(0, ("dimensions", "service", "Build dimensions", 6)),
        Node("join_build", "parallel", "", 7, 1),
        *(tasks(1, ("quality", "service", "Check quality", 8)) if checked else ()),
        *tasks(1, ("publish", "service", "Publish marts", 9)),
        Node("publish_late", "timer", "Over the time limit", on="publish"),
        Node("end", "end", "Marts published", 10, 1),
        Node("failed", "error_end", "Run failed", 10, 2.3),
        Node("late", "error_end", "Run timed out", 10, 1.75),
    ]
    before_publish = "join_build > quality > publish" if checked else "join_build > publish"
    return Workflow(
        "nightly-pipeline",
        version,
        nodes,
        (
            "start > split",
            *(f"split > {task[0]} > join" for task in extracts),
            "join > staging > split_build",
            "split_build > facts > join_build",
            "split_build > dimensions > join_build",
            f"{before_publish} > end",
            "staging_failed > failed",
            "publish_late > late",
        ),
    )


WORKFLOW_V1, WORKFLOW_V2, WORKFLOW_V3 = (_workflow(version) for version in ("v1", "v2", "v3"))
