"""Which cases a pack is about, which it leaves out and why, and which of them are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from miner.conformance.conform import JUDGED
from miner.conformance.held import Held
from miner.eventlog.schema import INSTANT

POPULATION = pl.Schema(
    {
        "case_id": pl.String(),
        "version": pl.String(),
        "started_at": INSTANT,
        "completed_at": INSTANT,
        "model": pl.String(),
        "trace": pl.Int64(),
        "cost": pl.Int32(),
        "fitness": pl.Float64(),
        "conforming": pl.Boolean(),
        "sampled": pl.Boolean(),
    }
)
LEFT_OUT = pl.Schema({"case_id": pl.String(), "version": pl.String(), "reason": pl.String()})
SAMPLE = pl.Schema(
    {
        "draw": pl.Int64(),
        "case_id": pl.String(),
        "version": pl.String(),
        "fitness": pl.Float64(),
        "conforming": pl.Boolean(),
        "deviations": pl.Int64(),
    }
)
SAMPLE_EVENTS = pl.Schema(
    {
        "case_id": pl.String(),
        "number": pl.Int64(),
        "activity": pl.String(),
        "status": pl.String(),
        "started_at": INSTANT,
        "completed_at": INSTANT,
        "resource": pl.String(),
        "attempt": pl.Int64(),
    }
)


@dataclass(frozen=True)
class Population:
    """How many cases meet the filter, and what became of them."""

    selected: int
    """Cases that meet the filter."""
    open: int
    """They still run; what they lack may yet come."""
    unmodelled: int
    """They ran on a version that nobody defined."""
    unaligned: int
    """No optimal alignment was found in the time."""
    cases: int
    """The rest: every one of them was judged."""
    sampled: int


def draw(held: Held, size: int, seed: int) -> Population:
    """Lay the table `drawn` of the log: a simple random sample of the population.

    Without replacement: the first `size` cases in the order of the SHA-256 of seed, unit separator
    (U+001F) and case id, so that anybody can draw it again. All cases where there are fewer.
    """
    held.log.lay("drawn", _DRAWN, seed=str(seed), size=size)
    return Population(**held.log.row(_COUNTED))


def population(held: Held) -> Iterator[pl.DataFrame]:
    """The judged cases, piece by piece; `POPULATION` in order of case id. Needs `draw`."""
    return held.log.batches(_POPULATION)


def left_out(held: Held) -> Iterator[pl.DataFrame]:
    """The cases that meet the filter and are not judged; `LEFT_OUT` in order of case id."""
    return held.log.batches(_LEFT_OUT)


def sample(held: Held) -> pl.DataFrame:
    """The drawn cases; `SAMPLE` in the order of drawing."""
    return held.log.query(_SAMPLE, SAMPLE)


def sample_events(held: Held) -> Iterator[pl.DataFrame]:
    """The activity instances of the drawn cases, whole; `SAMPLE_EVENTS` by draw and number."""
    return held.log.batches(_SAMPLE_EVENTS)


_FOUND = f"""
found as (
    select
        j.case_key,
        n.case_id,
        v.process_version as version,
        j.model,
        j.trace_key,
        j.cost,
        if(j.worst > 0, 1 - j.cost / j.worst, 1) as fitness
    from ({JUDGED}) as j
    join case_identity as n using (case_key)
    left join process_version as v on v.version_key = j.version_key
    where j.cost is not null
)
"""

_DRAWN = f"""
with {_FOUND}
select
    case_key,
    row_number() over (order by sha256(concat($seed, chr(31), case_id)), case_id) as draw
from found
qualify draw <= $size
"""

_COUNTED = """
select
    (select count(*) from "case") as selected,
    (select count(*) from "case" where status = 'running') as open,
    count(*) filter (where j.model is null) as unmodelled,
    count(*) filter (where j.model is not null and a.cost is null) as unaligned,
    count(a.cost) as cases,
    (select count(*) from drawn) as sampled
from judged_case as j
left join aligned as a using (model, trace_key)
"""

_POPULATION = f"""
with {_FOUND}
select
    f.case_id,
    f.version,
    c.started_at,
    c.completed_at,
    lpad(lower(hex(f.model)), 16, '0') as model,
    f.trace_key as trace,
    f.cost,
    f.fitness,
    f.cost = 0 as conforming,
    d.draw is not null as sampled
from found as f
join "case" as c using (case_key)
left join drawn as d using (case_key)
order by f.case_id
"""

_LEFT_OUT = """
select
    n.case_id,
    v.process_version as version,
    case
        when c.status = 'running' then 'open'
        when j.model is null then 'unmodelled'
        else 'unaligned'
    end as reason
from "case" as c
join case_identity as n using (case_key)
left join process_version as v using (version_key)
left join judged_case as j using (case_key)
left join aligned as a on a.model = j.model and a.trace_key = j.trace_key
where a.cost is null
order by n.case_id
"""

_SAMPLE = f"""
with {_FOUND},
counted as (
    select model, trace_key, count(*) as deviations
    from deviation_of_trace
    group by model, trace_key
)
select
    d.draw,
    f.case_id,
    f.version,
    f.fitness,
    f.cost = 0 as conforming,
    coalesce(c.deviations, 0) as deviations
from drawn as d
join found as f using (case_key)
left join counted as c using (model, trace_key)
order by d.draw
"""

_SAMPLE_EVENTS = """
select
    n.case_id,
    i.number,
    a.activity,
    i.status::varchar as status,
    i.started_at,
    i.completed_at,
    r.resource,
    i.attempt
from drawn as d
join case_identity as n using (case_key)
join activity_instance as i using (case_key)
join activity as a using (activity_key)
left join resource as r on r.resource_key = i.resource_key
order by d.draw, i.number
"""
