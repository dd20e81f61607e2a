"""What must be true of every store, as SQL that returns what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from miner.errors import StoreCorruptError
from miner.eventlog import prepare


@dataclass(frozen=True)
class Finding:
    """One statement about the store and whether it holds."""

    statement: str
    holds: bool
    detail: str = ""


QUICK = {
    "every event read by a load is accounted for": """
        select count(*), 0
        from load
        where read <> "new" + duplicate + corrected + unchanged + rejected
    """,
    "the store holds the events that its loads brought": """
        select (select coalesce(sum("new"), 0) from load), (select count(*) from recorded_event)
    """,
    "what corrections replaced is kept": """
        select (select coalesce(sum(corrected), 0) from load), (select count(*) from event_history)
    """,
    "what could not be used is in quarantine": """
        select (select coalesce(sum(rejected), 0) from load), (select count(*) from rejected)
    """,
    "the cases add up to the events": """
        select (select coalesce(sum(events), 0) from "case"), (select count(*) from recorded_event)
    """,
    "the cases add up to the activity instances": """
        select
            (select coalesce(sum(instances), 0) from "case"),
            (select count(*) from activity_instance)
    """,
    "every case has a variant": """
        select
            (select count(*) from "case"),
            (select count(*) from "case" join variant using (process_key, variant_key))
    """,
}

THOROUGH = {
    "every event belongs to a known case and activity": """
        select
            (select count(*) from recorded_event),
            (select count(*)
            from recorded_event
            join case_identity using (process_key, case_key)
            join activity using (process_key, activity_key))
    """,
    "a case has one key": """
        select count(*), count(distinct (process_key, case_id)) from case_identity
    """,
    "an activity has one key": """
        select count(*), count(distinct (process_key, activity)) from activity
    """,
    "an event with an id is there once": """
        select count(*), count(distinct (d.process_key, l.source, d.event_id))
        from event_detail as d
        join recorded_event as e using (event_key)
        join load as l using (load_id)
        where d.event_id is not null
    """,
    "a variant is there once and has a case": """
        select
            (select count(*) from variant),
            (select count(distinct (process_key, activity_keys)) from variant
            where variant_key in (select variant_key from "case"))
    """,
}

_INSTANCES = """
select
    i.case_key, i.number, i.activity_key, i.next_activity_key, i.scheduled_at, i.started_at,
    i.completed_at, i.status, i.attempt, i.repetition, i.resource_key, i.next_resource_key,
    i.error_key, i.waiting_time, i.service_time, i.next_time
from {schema}.activity_instance as i
"""

_CASES = """
select
    c.case_key, v.activity_keys, c.started_at, c.completed_at, c.status, c.version_key,
    c.first_activity_key, c.last_activity_key, c.cycle_time, c.processing_time, c.active_time,
    c.events, c.instances, c.failed_instances, c.retries, c.rework, c.interventions,
    c.tied_events, c.late_events
from {schema}."case" as c
join {schema}.variant as v using (variant_key)
"""

_PATHS = """
select v.activity_keys, p.activity_key, p.next_activity_key, p.times
from {schema}.repeated_path as p
join {schema}.variant as v using (variant_key)
"""


_ACTIVITIES = """
select v.activity_keys, a.activity_key, a.times
from {schema}.repeated_activity as a
join {schema}.variant as v using (variant_key)
"""


def check_quickly(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise StoreCorruptError at the first of `QUICK` that does not hold."""
    for finding in findings(connection, QUICK):
        if not finding.holds:
            raise StoreCorruptError(
                f"The store contradicts itself: {finding.statement}, but {finding.detail}.",
                hint="Run `procession verify --repair`.",
            )


def check_readable(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise StoreCorruptError when some value of some table cannot be read."""
    if not is_readable(connection):
        raise StoreCorruptError(
            "Some bytes of the store are not what was written.",
            hint="Run `procession verify --repair`.",
        )


def findings(connection: duckdb.DuckDBPyConnection, statements: dict[str, str]) -> list[Finding]:
    """Each statement with whether it holds and, if not, the two numbers that differ."""
    found = []
    for statement, sql in statements.items():
        ((left, right),) = connection.execute(sql).fetchall()
        detail = "" if left == right else f"{left} is not {right}"
        found.append(Finding(statement, left == right, detail))
    return found


def is_readable(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether every value of every table can be read: the engine keeps a checksum of each block."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = current_database()"
    ).fetchall()
    try:
        for (table,) in tables:
            connection.execute(f'select bit_xor(hash(columns(*))) from "{table}"').fetchall()
    except duckdb.Error:
        return False
    return True


def rebuilt_equals(connection: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Whether the derived tables equal those of a full rebuild; leaves the rebuilt ones behind."""
    connection.execute("attach ':memory:' as kept")
    for table in ("activity_instance", '"case"', "variant", "repeated_activity", "repeated_path"):
        connection.execute(f"create table kept.{table} as from {table}")
    prepare.rebuild(connection)
    found = []
    names = {
        "activity instances": _INSTANCES,
        "cases": _CASES,
        "repeated paths of variants": _PATHS,
        "repeated activities of variants": _ACTIVITIES,
    }
    for name, sql in names.items():
        kept, fresh = sql.format(schema="kept"), sql.format(schema="main")
        row = connection.execute(
            f"select (select count(*) from ({kept} except all {fresh})), "
            f"(select count(*) from ({fresh} except all {kept}))"
        ).fetchone()
        assert row is not None
        detail = "" if row == (0, 0) else f"{row[0]} rows are stale and {row[1]} are missing"
        found.append(Finding(f"the {name} equal a full rebuild", row == (0, 0), detail))
    connection.execute("detach kept")
    return found
