"""The deviations of cases from the model that each is held against, one by one."""

from __future__ import annotations

import polars as pl

from miner.conformance.allowances import ALLOWED
from miner.conformance.deviation import DEVIATION
from miner.conformance.held import Held
from miner.conformance.traces import INSTANCES

CASE_DEVIATIONS = pl.Schema(
    {**DEVIATION, "instead": pl.String(), "element_id": pl.String(), "allowed": pl.Boolean()}
)


def deviations(
    held: Held,
    *,
    kind: str | None = None,
    activity: str | None = None,
    version: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pl.DataFrame:
    """Each deviation of each judged case.

    `number` is that of the activity instance in its case, null for what was not done. `instead` is
    what the model has in the place of a `replaced` activity. `added_time` is the time from the
    completion before to that of the instance, null where one is unknown and for what was not done.
    `allowed` says whether the deviation is on the allow-list now.

    Returns `CASE_DEVIATIONS` in order of the case's first event, the case and the place in it.
    """
    return held.log.query(
        _DEVIATIONS, CASE_DEVIATIONS, kind=kind, activity=activity, version=version, limit=limit,
        offset=offset,
    )  # fmt: skip


_DEVIATIONS = f"""
with found as (
    select
        j.case_key,
        c.started_at,
        v.process_version as version,
        columns(d.* exclude (model, trace_key)),
        {ALLOWED} as allowed
    from judged_case as j
    join deviation_of_trace as d using (model, trace_key)
    join "case" as c using (case_key)
    left join process_version as v on v.version_key = c.version_key
    where ($kind is null or d.kind = $kind)
        and ($activity is null or d.activity = $activity)
        and ($version is null or v.process_version = $version)
    order by c.started_at, j.case_key, d.number, d.kind, d.activity
    limit coalesce($limit, 9000000000000000000)
    offset $offset
),
instance as (
    select columns(i.*)
    from ({INSTANCES}) as i
    semi join found using (case_key)
),
before_it as (
    select case_key, number, next_time
    from activity_instance
    semi join found using (case_key)
)
select
    n.case_id,
    i.number,
    f.kind,
    f.activity,
    f.expected_after,
    null::varchar as rule,
    r.resource,
    coalesce(i.completed_at, i.started_at) as timestamp,
    f.version,
    if(i.number is null, null, b.next_time) as added_time,
    f.instead,
    f.element_id,
    f.allowed
from found as f
join case_identity as n using (case_key)
left join instance as i
    on i.case_key = f.case_key and i.position = f.number and f.kind <> 'skipped'
left join before_it as b on b.case_key = i.case_key and b.number = i.number - 1
left join resource as r on r.resource_key = i.resource_key
order by f.started_at, f.case_key, f.number, f.kind, f.activity
"""
