"""How far a process ran as it was modelled."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from miner.conformance.allowances import accepted_cases
from miner.conformance.held import Held, Progress, hold
from miner.conformance.model_qualities import model_qualities
from miner.conformance.traces import INSTANCES
from miner.conformance.workflows import Workflows
from miner.eventlog.log import EventLog
from miner.eventlog.schema import DURATION
from miner.eventlog.store import EventStore

FOUND_DEVIATIONS = pl.Schema(
    {
        "activity": pl.String(),
        "kind": pl.String(),
        "cases": pl.Int64(),
        "events": pl.Int64(),
        "median_added": DURATION,
    }
)
HELD_VERSIONS = pl.Schema(
    {
        "model": pl.UInt64(),
        "version": pl.String(),
        "cases": pl.Int64(),
        "aligned_cases": pl.Int64(),
        "conforming_cases": pl.Int64(),
        "total_cost": pl.Int64(),
        "fitness": pl.Float64(),
        "log_fitness": pl.Float64(),
    }
)


@dataclass(frozen=True)
class Conformance:
    """Figures of the closed cases of a log against the model that each is held against.

    `cases` counts those that have a model, `unaligned_cases` those of them whose optimal alignment
    was not found in the time; all other figures are of the rest. A case conforms when its optimal
    alignment costs nothing. `total_cost` sums the costs over cases, 1 for an event that the model
    does not allow there and 1 for an activity that the model asks for and the trace lacks.
    `fitness` is the mean over cases of 1 - cost ÷ worst cost, the worst being to leave out the
    whole trace and run the model alone; `log_fitness` divides the sums of both. Shares are null
    without any case. `model` is null where cases were held against several versions.

    `precision`, `precision_covered`, `generalization` and `simplicity` are those of `Qualities`,
    weighted by the cases held against each model.

    `accepted_cases` are the conforming ones and those whose deviations are all on the allow-list.
    `open_cases` still run, `unmodelled_cases` ran on a version that nobody defined; neither is
    judged.

    Sources: Adriansyah, Aligning Observed and Modeled Behavior (2014); van der Aalst, Process
    Mining, 2nd ed. (2016), section 8.3.
    """

    model: str | None
    version: str | None
    cases: int
    conforming_cases: int
    conformance_rate: float | None
    total_cost: int
    fitness: float | None
    log_fitness: float | None
    precision: float | None
    precision_covered: float | None
    generalization: float | None
    simplicity: float | None
    unaligned_cases: int
    open_cases: int
    unmodelled_cases: int
    accepted_cases: int
    accepted_rate: float | None
    notes: tuple[str, ...]
    deviations: pl.DataFrame
    """`FOUND_DEVIATIONS`."""


def conform(
    log: EventLog,
    workflows: Workflows,
    *,
    store: EventStore | None = None,
    seconds: float = 300.0,
    progress: Progress | None = None,
) -> Conformance:
    """Hold the closed cases of `log` against models; see `Conformance`.

    Alignments found are kept in `store`, if it is given. Raises ModelError for a model that cannot
    come to its end.
    """
    return conformance(hold(log, workflows, store=store, seconds=seconds, progress=progress))


def conformance(held: Held) -> Conformance:
    """The figures of what was held."""
    workflows = held.workflows
    of_all = held.log.row(_ALL)
    aligned, cases = of_all["aligned_cases"], of_all["cases"]
    conforming = of_all["conforming_cases"]
    accepted = accepted_cases(held)
    found = model_qualities(held.log, workflows)
    single = workflows.workflows[0] if len(workflows.workflows) == 1 else None
    return Conformance(
        single.model.name if single else None,
        single.version if single else None,
        cases,
        conforming,
        conforming / aligned if aligned else None,
        of_all["total_cost"],
        of_all["fitness"],
        of_all["log_fitness"],
        found.precision,
        found.precision_covered,
        found.generalization,
        found.simplicity,
        cases - aligned,
        of_all["open_cases"],
        of_all["unmodelled_cases"],
        accepted,
        accepted / aligned if aligned else None,
        notes(held),
        found_deviations(held),
    )


def notes(held: Held) -> tuple[str, ...]:
    """What the figures leave out or take for granted, a sentence each."""
    found = list(held.workflows.unusable)
    for each in held.workflows.workflows:
        named = f"Version {each.version}: " if each.version else ""
        if each.unmatched:
            names = ", ".join(map(repr, each.unmatched[:5]))
            more = f" and {len(each.unmatched) - 5} more" if len(each.unmatched) > 5 else ""
            found.append(f"{named}No activity of the log is called {names}{more}.")
        if each.soundness.sound is False:
            found.append(f"{named}The model is not sound: {each.soundness.reason}")
        found += [f"{named}{remark.said}" for remark in each.remarks]
    return tuple(found)


def held_versions(held: Held) -> pl.DataFrame:
    """The figures of `Conformance` per version that cases ran on and model they are held against.

    Returns `HELD_VERSIONS` in order of version; `version` is null for cases
    that do not know theirs.
    """
    return held.log.query(_VERSIONS, HELD_VERSIONS)


def found_deviations(held: Held) -> pl.DataFrame:
    """What deviates, by activity and kind, most cases first.

    `kind` is `skipped`, `extra`, `swapped` or `repeated`; a replaced activity is an extra one and a
    skipped one. `median_added` is the median over events of the time since the completion before,
    null for what was not done and where no time is known. Returns `FOUND_DEVIATIONS`.
    """
    return held.log.query(_FOUND, FOUND_DEVIATIONS)


def median_fitness(held: Held) -> float | None:
    """The median over cases of alignment fitness; null without any case."""
    found = held.log.row(_MEDIAN)["fitness"]
    return None if found is None else float(found)


JUDGED = """
    select
        j.case_key,
        j.trace_key,
        j.model,
        j.version_key,
        a.cost,
        s.shortest + coalesce(len(v.activity_keys), len(t.activity_keys), len(n.activity_keys))
            as worst
    from judged_case as j
    join shortest as s using (model)
    left join aligned as a using (model, trace_key)
    left join variant as v on v.variant_key = j.trace_key
    left join trace as t on t.trace_key = j.trace_key
    left join new_trace as n on n.trace_key = j.trace_key
"""
"""Cost and worst cost of each case that has a model."""

_VERSIONS = f"""
with judged as ({JUDGED}),
counted as (
    select
        model,
        version_key,
        count(*) as cases,
        count(cost) as aligned_cases,
        count(*) filter (where cost = 0) as conforming_cases,
        coalesce(sum(cost), 0) as total_cost,
        sum(if(cost is null, null, if(worst > 0, 1 - cost / worst, 1))) / count(cost) as fitness,
        1 - sum(cost) / nullif(sum(worst) filter (where cost is not null), 0) as log_fitness
    from judged
    group by model, version_key
)
select
    c.model,
    v.process_version as version,
    c.cases,
    c.aligned_cases,
    c.conforming_cases,
    c.total_cost,
    c.fitness,
    if(c.aligned_cases > 0, coalesce(c.log_fitness, 1), null) as log_fitness
from counted as c
left join process_version as v using (version_key)
order by length(v.process_version), v.process_version, c.model
"""

_ALL = f"""
with judged as ({JUDGED})
select
    count(j.model) as cases,
    count(j.cost) as aligned_cases,
    count(*) filter (where j.cost = 0) as conforming_cases,
    coalesce(sum(j.cost), 0)::bigint as total_cost,
    avg(if(j.cost is null, null, if(j.worst > 0, 1 - j.cost / j.worst, 1))) as fitness,
    if(
        count(j.cost) = 0,
        null,
        coalesce(1 - sum(j.cost) / nullif(sum(j.worst) filter (where j.cost is not null), 0), 1)
    ) as log_fitness,
    (select count(*) from "case" where status = 'running') as open_cases,
    (select count(*) from judged_case where model is null) as unmodelled_cases
from judged as j
"""

_MEDIAN = f"""
select quantile_cont(if(worst > 0, 1 - cost / worst, 1), 0.5) as fitness
from ({JUDGED})
where cost is not null
"""

# Of most cases the place is the number, and no join is needed to find what came before.
_ADDED = f"""
    select case_key, number + 1 as number, next_time as added
    from activity_instance
    anti join traced using (case_key)
    union all
    select i.case_key, i.position as number, b.next_time as added
    from ({INSTANCES}) as i
    semi join traced using (case_key)
    join activity_instance as b on b.case_key = i.case_key and b.number = i.number - 1
"""

_FOUND = f"""
with counted as (
    select model, trace_key, count(*) as cases
    from judged_case
    group by model, trace_key
),
named as (
    select model, trace_key, number, if(kind = 'replaced', 'extra', kind) as kind, activity
    from deviation_of_trace
    union all
    select model, trace_key, number + 1, 'skipped', instead
    from deviation_of_trace
    where kind = 'replaced'
),
per_trace as (
    select n.activity, n.kind, n.model, n.trace_key, count(*) as times
    from named as n
    semi join counted using (model, trace_key)
    group by n.activity, n.kind, n.model, n.trace_key
),
summed as (
    select p.activity, p.kind, sum(c.cases) as cases, sum(c.cases * p.times) as events
    from per_trace as p
    join counted as c using (model, trace_key)
    group by p.activity, p.kind
),
added as (
    select n.activity, n.kind, quantile_cont(a.added, 0.5) as median
    from named as n
    join judged_case as j using (model, trace_key)
    join ({_ADDED}) as a on a.case_key = j.case_key and a.number = n.number
    where n.kind <> 'skipped'
    group by n.activity, n.kind
)
select s.activity, s.kind, s.cases, s.events, round(a.median)::bigint as median_added
from summed as s
left join added as a using (activity, kind)
order by s.cases desc, s.events desc, s.activity, s.kind
"""
