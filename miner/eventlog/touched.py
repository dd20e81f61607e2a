"""The cases that a load touched: their events in order, and what had been derived from them."""

from __future__ import annotations

import duckdb

from miner.eventlog.staging import KEYED, Staged

OF_CASES = ("completed_instance", "detailed_instance", '"case"')
OF_VARIANTS = ("variant", "repeated_activity", "repeated_path")
OF_TRACES = ("alignment", "trace_deviation")
"""What was found out about a variant; its key may be another one's once no case has it."""


def gather(connection: duckdb.DuckDBPyConnection) -> None:
    """Lay `touched_event` over all events of the cases in `touched`, in the order of the cases."""
    connection.execute(_TOUCHED_EVENTS)
    connection.execute("create or replace temp view touched_event as from sorted_event")


def arrive(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    *,
    low: int,
    high: int,
    last_key: int,
    load_id: int,
) -> None:
    """The same of the staged events of a range of cases that are all new.

    Only what differs from event to event is sorted and kept; the view adds the rest.
    """
    constants = {key: "null::integer" for key in KEYED if key not in staged.keyed}
    constants |= staged.constants | {"load_id": f"{load_id:d}::integer"}
    varying = [name for name in _COLUMNS if name not in constants]
    connection.execute(
        _ARRIVED.format(
            columns=", ".join(varying),
            position="" if staged.in_order else "position, ",
        ),
        {"low": low, "high": high, "last_key": last_key},
    )
    spelled = ", ".join(f"{constants.get(name, name)} as {name}" for name in _COLUMNS)
    connection.execute(
        f"create or replace temp view touched_event as select {spelled} from sorted_event"
    )


def let_go(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove `touched_event` and what it lies over."""
    connection.execute("drop view touched_event")
    connection.execute("drop table sorted_event")


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
    for table in OF_CASES:
        connection.execute(f"delete from {table} where case_key in (select case_key from touched)")
    connection.execute('delete from orphaned where variant_key in (select variant_key from "case")')
    for table in OF_VARIANTS:
        connection.execute(
            f"delete from {table} where variant_key in (select variant_key from orphaned)"
        )
    for table in OF_TRACES:
        connection.execute(
            f"delete from {table} where trace_key in (select variant_key from orphaned)"
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

_COLUMNS = (
    "process_key", "case_key", "event_key", "activity_key", "lifecycle", "timestamp", "position",
    "attempt", "resource_key", "error_key", "version_key", "load_id",
)  # fmt: skip

_ARRIVED = """
create or replace temp table sorted_event as
select {columns}
from (
    select columns(*), staged.rowid + 1 + $last_key as event_key
    from staged
    where case_key between $low and $high
    order by case_key, timestamp, {position}staged.rowid
)
"""

_TOUCHED_EVENTS = """
create or replace temp table sorted_event as
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
