"""The honesty report: what a load could not tell, and the measures that this touches."""

from __future__ import annotations

from datetime import datetime

import duckdb
import polars as pl

from miner.eventlog.definitions import Limitation
from miner.eventlog.log import EventLog

LIMITATIONS = pl.Schema(
    {
        "source": pl.String(),
        "kind": pl.String(),
        "text": pl.String(),
        "measures": pl.List(pl.String()),
        "events": pl.Int64(),
    }
)


def limitations(log: EventLog) -> pl.DataFrame:
    """What the loads of a process could not tell, and the measures to read with care.

    Returns `LIMITATIONS`, one row per source, kind and sentence, the one about most events first;
    `events` sums over loads and is null where the number is not known. No rows for a log whose
    loads told all. What is said of a load of several processes is said of each of them.
    """
    return log.query(
        """
        select
            l.source,
            n.kind,
            n.text,
            n.measures,
            sum(n.events)::bigint as events
        from limitation as n
        join load as l using (load_id)
        where n.load_id in (select distinct load_id from recorded_event)
        group by l.source, n.kind, n.text, n.measures
        order by events desc nulls last, l.source, n.kind, n.text
        """,
        LIMITATIONS,
    )


def of_load(
    connection: duckdb.DuckDBPyConnection, load_id: int, since: datetime | None
) -> list[Limitation]:
    """What can be seen in the events of one load; `since` is the latest event known before it."""
    duplicate, last_event, now = connection.execute(_COUNTED, [load_id]).fetchall()[0]
    found = []
    if duplicate:
        text = "Events were given again or were known already; each counts once."
        found.append(Limitation("duplicates", text, (), duplicate))
    if since:
        late = _number(connection, _LATE, {"load_id": load_id, "since": since})
        if late:
            text = "Events came later than newer ones; figures of their cases have changed."
            found.append(Limitation("late", text, ("cycle_time", "variants"), late))
    if last_event and last_event > now:
        ahead = _number(connection, _AHEAD, {"load_id": load_id, "now": now})
        text = "Events lie in the future: the clock of their source is wrong."
        found.append(Limitation("clock-skew", text, ("cycle_time", "throughput_per_day"), ahead))
    if _number(connection, _BACKWARDS_AT_ALL, {}):
        backwards = _number(connection, _BACKWARDS, {"load_id": load_id})
        if backwards:
            text = "Activities end before they start: clocks differ; they have no service time."
            measures = ("service_time", "waiting_time")
            found.append(Limitation("clock-skew", text, measures, backwards))
    return found


def found(connection: duckdb.DuckDBPyConnection, load_id: int) -> tuple[Limitation, ...]:
    """Everything that is known about what a load could not tell."""
    rows = connection.execute(_FOUND, [load_id]).fetchall()
    return tuple(Limitation(kind, text, tuple(on), events) for kind, text, on, events in rows)


def _number(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, object]) -> int:
    ((number,),) = connection.execute(sql, parameters).fetchall()
    return int(number)


_COUNTED = """
select duplicate, last_event, (now() at time zone 'UTC')::timestamp + interval 5 minutes
from load
where load_id = $1
"""

_LATE = """
select count(*)
from recorded_event
where load_id = $load_id and timestamp < $since::timestamp
"""

_AHEAD = """
select count(*)
from recorded_event
where load_id = $load_id and timestamp > $now::timestamp
"""

_BACKWARDS_AT_ALL = """
select count(*)
from (select 1 from activity_instance where completed_at < started_at limit 1)
"""

_BACKWARDS = """
select count(*)
from activity_instance
where completed_at < started_at
    and case_key in (select case_key from recorded_event where load_id = $load_id)
"""

_FOUND = """
select kind, text, measures, events
from limitation
where load_id = $1
order by events desc nulls last, kind, text
"""
