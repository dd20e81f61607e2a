"""The one mapping from Temporal's history to events, whichever way the history came."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from functools import cache

import duckdb
import polars as pl

from ingest.temporal.attempts import LATEST_POSSIBLE, RETRIED, TRIED
from ingest.temporal.fields import SPANS
from miner.eventlog.schema import EVENT, INSTANT

RUN = pl.Schema(
    {
        "unit": pl.Int32(),
        "process": pl.String(),
        "case_id": pl.String(),
        "run_id": pl.String(),
        "parent_case_id": pl.String(),
        "root_case_id": pl.String(),
        "case_attributes": pl.String(),
    }
)

PENDING = pl.Schema(
    {
        "unit": pl.Int32(),
        "detail": pl.String(),  # the activity's id
        "attempt": pl.Int32(),  # the one that runs or comes next
        "started_at": INSTANT,  # null: it does not run now
        "ended_at": INSTANT,  # of the attempt before
        "resource": pl.String(),
        "last_resource": pl.String(),
        "error_kind": pl.String(),
        "error_type": pl.String(),
        "error_message": pl.String(),
    }
)
"""Activities that have not ended, as the server describes them."""


def events_of(rows: pl.DataFrame, runs: pl.DataFrame, pending: pl.DataFrame) -> pl.DataFrame:
    """The events of runs: `rows` as `ROW`, `runs` as `RUN`, `pending` as `PENDING`.

    Returns columns of `EVENT`; an event id names the run that wrote the event first, so what a
    reset copied into another run has the id it had. Rows of types that show no step give none.
    """
    with closing(_engine().cursor()) as connection:
        connection.register("native", _native(rows, runs))
        connection.register("run", runs)
        connection.register("pending", pending)
        for statement in (_STEP, RETRIED, TRIED):
            connection.execute(statement)
        # A relation is planned twice, and planning this takes as long as computing it.
        connection.execute(f"create temp table event as {_EVENTS}")
        found: pl.DataFrame = connection.sql("from event").pl()
    return _timed(found.cast({name: EVENT[name] for name in found.columns}))


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """One for all pieces, which are small: opening another takes as long as a quarter of one."""
    engine = duckdb.connect(config={"threads": 1})
    engine.execute("set global TimeZone = 'UTC'")
    return engine


def _timed(events: pl.DataFrame) -> pl.DataFrame:
    """Events whose time cannot be read are rejected with what they tell."""
    if not events["timestamp"].null_count():
        return events
    untimed = pl.col("timestamp").is_null()
    told = pl.struct("case_id", "event_id", "activity", "lifecycle").struct.json_encode()
    return events.with_columns(
        pl.when(untimed).then(pl.lit("its time is missing or is no time")).alias("reason"),
        pl.when(untimed).then(told).alias("record"),
    )


def _native(rows: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Rows with what they are about, the run that wrote them first and the version they ran on.

    A reset copies what was before it: an event belongs to the run that the first reset after it
    left. A version, and a patch, hold from the event that tells them on.
    """
    resets = (pl.col("type") == "WORKFLOW_TASK_FAILED") & pl.col("other_run").is_not_null()
    left = pl.when(resets).then("other_run").shift(-1).over("unit")
    about, ending = ({kind: span[at] for kind, span in SPANS.items()} for at in (0, 1))
    patches = pl.Series("patches", _patches(rows), pl.String())
    versions = [pl.col(name).forward_fill().over("unit") for name in ("version", "patches")]
    found = rows.join(runs.select("unit", "run_id"), on="unit", how="left", maintain_order="left")
    return (
        found.with_columns(patches)
        .with_columns(
            pl.coalesce(left.backward_fill().over("unit"), "run_id").alias("origin"),
            pl.concat_str(versions, separator="+", ignore_nulls=True)
            .replace("", None)
            .alias("process_version"),
            pl.col("type")
            .replace_strict(about, default=None, return_dtype=pl.String())
            .alias("about"),
            pl.col("type")
            .replace_strict(ending, default=None, return_dtype=pl.String())
            .alias("ending"),
        )
        .filter(pl.col("about").is_not_null())
    )


def _patches(rows: pl.DataFrame) -> list[str | None]:
    """At each patch all patches of the run so far, in one text; null elsewhere."""
    sofar: dict[int, set[str]] = defaultdict(set)
    found: list[str | None] = [None] * rows.height
    patched = rows.with_row_index("row").filter(pl.col("patch").is_not_null())
    for row, unit, patch in patched.select("row", "unit", "patch").iter_rows():
        sofar[unit].add(patch)
        found[row] = "+".join(sorted(sofar[unit]))
    return found


# Each event with what began it: the name stands there, and the number of the attempt.
_STEP = """
create temp table step as
with tried as (
    select unit, ref, max(greatest(attempt, 1)) as attempt
    from native
    where type = 'ACTIVITY_TASK_STARTED'
    group by unit, ref
),
named_update as (
    select unit, detail, max(name) as name
    from native
    where about = 'update' and name is not null
    group by unit, detail
)
select
    e.* exclude (name, attempt, label, initial, coefficient, maximum),
    coalesce(e.name, o.name, w.name) as name,
    coalesce(e.label, o.label) as label,
    coalesce(e.ref, e.event_id) as opened_by,
    o.occurred as opened_at,
    o.detail as operation,
    o.initial,
    o.coefficient,
    o.maximum,
    case
        when e.about = 'activity' and e.ending = 'scheduled' then 1
        when e.about = 'activity' then coalesce(t.attempt, case
            when e.error_type not in ('timeout: schedule to start', 'timeout: schedule to close')
                then 2
            else 1
        end)
        when e.about = 'local' or e.ending = 'begin' then greatest(e.attempt, 1)
    end as attempt,
    t.attempt is null and e.about = 'activity' as is_untried
from native as e
left join native as o on o.unit = e.unit and o.event_id = e.ref
left join tried as t on t.unit = e.unit and t.ref = e.ref
left join named_update as w on e.about = 'update' and w.unit = e.unit and w.detail = e.detail
"""

_EVENTS = f"""
with told as (
    select
        unit,
        case
            when about = 'activity' and ending = 'scheduled'
                then origin || ':' || opened_by || ':scheduled'
            when about = 'activity' then origin || ':' || opened_by || ':' || attempt || ':'
                || case when ending = 'start' then 'start' else 'end' end
            else origin || ':' || event_id
        end as event_id,
        case about
            when 'timer' then concat_ws(' ', 'timer', label)
            when 'signal' then 'signal ' || name
            when 'send' then 'send signal ' || name
            when 'stop' then 'cancel another workflow'
            when 'update' then concat_ws(' ', 'update', name)
            when 'nexus' then concat_ws('.', name, coalesce(operation, detail))
            when 'task' then 'workflow task ' || ending
            when 'order' then case when ending = 'cancel requested' then ending
                else 'workflow ' || ending end
            when 'workflow' then case
                when resource = 'history-resetter' then 'workflow terminated by reset'
                when ending <> 'begin' then 'workflow ' || ending
                when other_run is null then 'workflow started'
                when cause = 'RETRY' then 'workflow retried'
                when cause = 'CRON_SCHEDULE' then 'workflow begun by cron'
                else 'workflow continued as new'
            end
            else name
        end as activity,
        case when about <> 'workflow' or ending = 'begin' then about end as kind,
        case
            when about in ('workflow', 'task', 'order', 'signal') then null
            when about = 'activity' then origin || '/' || opened_by || '/' || attempt
            when about = 'update' then origin || '/update/' || detail
            when about = 'local' then origin || '/' || event_id || '/' || attempt
            else origin || '/' || opened_by
        end as instance_id,
        case
            when about in ('workflow', 'task', 'order') then 'complete'
            when about in ('local', 'update') and ending = 'complete' and error_kind is not null
                then 'fail'
            else ending
        end as lifecycle,
        occurred,
        event_id as "order",
        attempt,
        coalesce(principal, resource, case when about in ('signal', 'order') then
            'workflow ' || other end) as resource,
        case
            when about = 'activity' and resource is not null then 'system'
            when about = 'signal' and other is not null then 'system'
            when starts_with(resource, 'temporal-cli:') then 'human'
        end as resource_kind,
        case when type <> 'ACTIVITY_TASK_STARTED' then
            coalesce(error_type, case when ending in ('fail', 'failed', 'timed out') then cause end)
        end as error_type,
        case when type <> 'ACTIVITY_TASK_STARTED' then error_message end as error_message,
        process_version,
        '{{' || concat_ws(',',
            '"run_id":' || to_json(run_id),
            '"id":' || to_json(coalesce(operation, detail)),
            '"task_queue":' || to_json(queue),
            case when about in ('child', 'send', 'stop', 'signal')
                then '"workflow":' || to_json(other) end,
            case when about = 'nexus' then '"endpoint":' || to_json(other) end,
            case when about = 'local' then '"local":true' end,
            '"reason":' || to_json(text)
        ) || '}}' as attributes,
        1 as version,
        case
            when origin <> run_id or about <> 'workflow' then null
            when ending = 'begin' or other_run is not null then 'running'
            when resource = 'history-resetter' then 'running'
            when ending in ('cancelled', 'terminated') then 'cancelled'
            when ending = 'timed out' then 'timed_out'
            else ending
        end as case_status,
        about = 'workflow' and ending = 'begin' as begins
    from step
    where not (type = 'WORKFLOW_TASK_FAILED' and other_run is not null)
),
failed_before as (
    select
        unit,
        case about
            when 'local' then origin || ':' || opened_by || ':' || attempt
            else origin || ':' || opened_by || ':' || attempt || ':end'
        end as event_id,
        name as activity,
        about as kind,
        origin || '/' || opened_by || '/' || attempt as instance_id,
        case when attempt = last and error_kind = 'timeout' then 'timeout' else 'fail' end
            as lifecycle,
        occurred,
        least(attempt, 999) as "order",
        attempt,
        case when attempt = last then resource end as resource,
        case when attempt = last and resource is not null then 'system' end as resource_kind,
        case when attempt = last then error_type end as error_type,
        case when attempt = last then error_message end as error_message,
        process_version,
        case
            when is_exact and attempt = last then json_object('run_id', run_id)::varchar
            else '{{"run_id":"' || run_id || '",{LATEST_POSSIBLE}}}'
        end as attributes,
        (is_exact and attempt = last)::integer as version,
        null as case_status,
        false as begins
    from tried
),
running as (
    select
        s.unit,
        s.origin || ':' || s.opened_by || ':' || p.attempt || ':start' as event_id,
        s.name as activity,
        'activity' as kind,
        s.origin || '/' || s.opened_by || '/' || p.attempt as instance_id,
        'start' as lifecycle,
        p.started_at as occurred,
        s.event_id as "order",
        p.attempt,
        p.resource,
        case when p.resource is not null then 'system' end as resource_kind,
        null as error_type,
        null as error_message,
        s.process_version,
        json_object('run_id', s.run_id)::varchar as attributes,
        1 as version,
        null as case_status,
        false as begins
    from pending as p
    join step as s on s.unit = p.unit and s.detail = p.detail
        and s.type = 'ACTIVITY_TASK_SCHEDULED'
    where p.started_at is not null
    qualify row_number() over (partition by s.unit, s.detail order by s.event_id desc) = 1
),
ordered as (
    select
        r.unit,
        r.origin || ':' || r.event_id as event_id,
        coalesce(n.name, 'workflow') as activity,
        case when n.name is not null then 'activity' end as kind,
        null as instance_id,
        'retry' as lifecycle,
        r.occurred,
        r.event_id as "order",
        null as attempt,
        coalesce(
            r.principal,
            nullif(nullif(trim(regexp_extract(r.error_message, '^([^:]+):', 1)), ''),
                '<unknown-user>')
        ) as resource,
        'human' as resource_kind,
        null as error_type,
        null as error_message,
        r.process_version,
        json_object('run_id', r.run_id, 'reset_from', r.other_run, 'reason', r.error_message)
            ::varchar as attributes,
        case when n.name is null then 1 else 2 end as version,
        case when r.origin = r.run_id then 'running' end as case_status,
        false as begins
    from native as r
    asof left join (
        select unit, event_id, name
        from native
        where type = 'ACTIVITY_TASK_SCHEDULED'
    ) as n on n.unit = r.unit and r.event_id < n.event_id
    where r.type = 'WORKFLOW_TASK_FAILED' and r.other_run is not null
),
event as (
    select columns(*) from told
    union all by name
    select columns(*) from failed_before
    union all by name
    select columns(*) from running
    union all by name
    select columns(*) from ordered
)
select
    u.process,
    u.case_id,
    e.event_id,
    e.activity,
    e.kind || ':' || e.activity as activity_id,
    e.instance_id,
    e.lifecycle,
    e.occurred as timestamp,
    epoch_us(e.occurred) * 1000 + e."order" % 1000 as position,
    e.attempt,
    e.resource,
    e.resource_kind,
    e.error_type,
    e.error_message,
    e.process_version,
    e.attributes,
    e.version,
    case when e.begins then u.parent_case_id end as parent_case_id,
    case when e.begins then u.root_case_id end as root_case_id,
    e.case_status,
    case when e.begins then u.case_attributes end as case_attributes
from event as e
join run as u using (unit)
order by e.unit, position, e.event_id
"""
