"""What the search interface of Camunda 8 cannot tell."""

from __future__ import annotations

import polars as pl

from miner.eventlog.definitions import Limitation

_OF_ATTEMPTS = ("failure_rate", "retry_rate", "first_pass_yield", "service_time")


def limitations(events: pl.DataFrame) -> tuple[Limitation, ...]:
    """What the last state of jobs does not tell; counted in the events that `decode` gave."""
    jobs = events.filter(pl.col("attributes").str.contains('"job_type"', literal=True))
    if jobs.is_empty():
        return ()
    ended = jobs.filter(pl.col("lifecycle").is_in(["complete", "fail", "timeout", "cancel"]))
    told = ended.group_by("instance_id").agg(pl.len(), pl.col("attempt").max())
    missing = int(told.select((pl.col("attempt") - pl.col("len")).clip(0).sum()).item() or 0)
    started = ended.filter(pl.col("resource_kind") == "system").height
    found = []
    if missing:
        text = (
            "Camunda keeps the last state of a job only: by the retries that were used up, this "
            "many attempts failed of which nothing else is told. Exported records have them."
        )
        found.append(Limitation("missing-attempts", text, _OF_ATTEMPTS, missing))
    if started:
        text = (
            "Camunda does not tell when a worker took a job: its waiting and its service time "
            "are one. Exported records tell it."
        )
        found.append(Limitation("hidden", text, ("waiting_time", "service_time"), started))
    return tuple(found)


def unaudited() -> Limitation:
    """What is hidden before there was an audit log."""
    text = (
        "Camunda keeps an audit log from 8.9 on; here nobody can say who assigned tasks, resolved "
        "incidents or changed running processes, and when."
    )
    return Limitation("hidden", text, ("retry_rate", "waiting_time"))


def gone(cases: int) -> tuple[Limitation, ...]:
    """What it means that so many cases that ran are no longer there."""
    if not cases:
        return ()
    text = (
        "Cases that were still running are no longer in the cluster, so how they ended is unknown "
        "(the number counts cases)."
    )
    return (Limitation("retention", text, ("cycle_time", "failure_rate"), cases),)
