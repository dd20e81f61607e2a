"""The cases that a load touched: their events in order, and what had been derived from them."""

from __future__ import annotations

import duckdb

OF_VARIANTS = ("variant", "variant_activity", "variant_path")


def gather(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `touched_event` with all events of the cases in `touched`, in the order of the cases."""
    connection.execute(_TOUCHED_EVENTS)


def forget(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove what was derived from the cases in `touched`, and variants that no case has now."""
    row = connection.execute(
        'select exists (select 1 from "case" semi join touched using (case_key))'
    ).fetchone()
    if not row or not row[0]:
        return
    connection.execute(
        'create or replace temp table orphaned as select distinct variant_key from "case" '
        "semi join touched using (case_key)"
    )
    for table in ("activity_instance", '"case"'):
        connection.execute(f"delete from {table} where case_key in (select case_key from touched)")
    connection.execute('delete from orphaned where variant_key in (select variant_key from "case")')
    for table in OF_VARIANTS:
        connection.execute(
            f"delete from {table} where variant_key in (select variant_key from orphaned)"
        )
    connection.execute("drop table orphaned")
    connection.execute(_WITHOUT_EMPTIED)


# A case whose only events a correction moved to another one is no case any more.
_WITHOUT_EMPTIED = """
delete from touched
where case_key not in (
    select case_key
    from recorded_event
    where case_key between (select min(case_key) from touched)
        and (select max(case_key) from touched)
)
"""

_TOUCHED_EVENTS = """
create or replace temp table touched_event as
select
    process_key,
    case_key,
    event_key,
    activity_key,
    lifecycle,
    timestamp,
    position,
    attempt,
    resource_key,
    error_key,
    version_key,
    load_id
from recorded_event
where case_key between (select min(case_key) from touched) and (select max(case_key) from touched)
    and case_key in (select case_key from touched)
order by case_key, timestamp, position, event_key
"""
