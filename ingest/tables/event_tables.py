"""Tables whose rows are events, and the SELECT that makes a batch of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from ingest.source import Note
from ingest.sql import identifier, literal
from ingest.tables.columns import CASE_PREFIX, Column, Roles
from ingest.tables.event_times import EventTimes
from ingest.tables.timestamps import is_aware, utc_of
from ingest.workplace import Workplace
from miner.eventlog.schema import BATCH

TYPES = {"String": "varchar", "Int64": "bigint", "Int32": "integer", "Datetime": "timestamp"}
KINDS = {
    "human": "human user person people manual employee staff worker agent mensch manuell",
    "system": "system bot robot automatic automated auto service machine batch application",
}
VERDICTS = {
    "completed": "completed complete closed done finished success succeeded successful ok",
    "failed": "failed fail failure error faulted",
    "timed_out": "timed_out timedout timeout expired",
    "cancelled": "cancelled canceled cancel aborted abort terminated withdrawn",
    "running": "running open active pending in_progress inprogress started",
}
BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160)"
AS_TEXT = {
    "event_id", "activity_id", "instance", "lifecycle", "resource", "error_type", "error_message",
    "process_version", "parent_case_id", "root_case_id",
}  # fmt: skip


@dataclass(frozen=True)
class EventTable:
    """A table on a DuckDB connection whose rows are events, one or two of them each."""

    relation: str
    """What follows `from`; its columns are called `c0`, `c1`, …"""
    columns: tuple[Column, ...]
    position: str
    """SQL for the number of the row in the file."""
    record: str
    """SQL for the row as text, for those who look at what was rejected."""
    broken: str | None = None
    """SQL for why a row cannot be used at all, null where it can."""
    rejected: str | None = None
    """A SELECT of `reason` and `record` for what did not even become a row."""

    def prepared(self, workplace: Workplace, roles: Roles) -> tuple[EventTable, Roles]:
        """The table as it is best read once the roles of its columns are known."""
        return self, roles

    def attributes(self, used: Sequence[Column]) -> str | None:
        """SQL for the JSON object of an event's attributes: columns that are nothing else."""
        taken = {column.name for column in used}
        return json_object(
            (column.name, column)
            for column in self.columns
            if column.name not in taken and not column.name.startswith(CASE_PREFIX)
        )

    def case_attributes(self, used: Sequence[Column]) -> str | None:
        """SQL for the JSON object of a case's attributes: columns that begin with `case:`."""
        taken = {column.name for column in used}
        return json_object(
            (column.name.removeprefix(CASE_PREFIX), column)
            for column in self.columns
            if column.name not in taken and column.name.startswith(CASE_PREFIX)
        )


def select_events(
    connection: duckdb.DuckDBPyConnection, table: EventTable, roles: Roles, times: EventTimes
) -> tuple[str, frozenset[str], list[Note]]:
    """A SELECT with the columns of `BATCH` over the rows of `table`, and what there is to say.

    In between stand the names of the columns that may hold something.

    A row with a start and a completion is two events, the first with lifecycle `start`, that share
    an `instance_id` and the row's position. Attributes are on the last event of a row.
    """
    notes: list[Note] = []
    texts = _texts(connection, table, roles, notes)
    ids = _source_ids(connection, table, roles, notes)
    found = {role: column for role, column in roles.columns.items() if role != "event_id" or ids}
    used = [column for role, column in found.items() if role != "case_status"]
    values: dict[str, str | None] = {}
    values |= {role: as_text(found[role]) for role in AS_TEXT & found.keys()}
    values |= {
        "case_id": texts["case"],
        "activity": texts["activity"],
        "position": _position(table, roles),
    }
    objects = _objects(connection, table)
    used += objects.values()
    for name, members in (
        ("attributes", table.attributes([*used, *_verdict(found)])),
        ("case_attributes", table.case_attributes(used)),
    ):
        values[name] = _merged(objects.get(name), members)
    if "attempt" in found:
        values["attempt"] = f"try_cast({found['attempt'].sql} as integer)"
    for role, words in (("resource_kind", KINDS), ("case_status", VERDICTS)):
        if role in found:
            values[role] = one_of(as_text(found[role]), words)
    rows = _checked_rows(table, roles, times, values)
    choose = _transitions if times.pair else _plain
    columns, relation = choose(table, rows, values, times.pair)
    select = with_rejected(f"{batch_columns(columns)} from {relation}", table.rejected)
    given = frozenset(name for name, value in columns.items() if value)
    return select, given, notes


def with_rejected(select: str, rejected: str | None) -> str:
    """A SELECT of events, and of what `rejected` selects as `reason` and `record`."""
    if rejected is None:
        return select
    reasons = batch_columns({"reason": "reason", "record": "record"})
    return f"{select}\nunion all\n{reasons}\nfrom ({rejected})"


def as_text(column: Column) -> str:
    """SQL for a value as text; whole numbers have no fraction, whatever their type."""
    if column.type in ("FLOAT", "DOUBLE"):
        whole = f"{column.sql} = trunc({column.sql}) and abs({column.sql}) < 1e15"
        return (
            f"case when {whole} then {column.sql}::bigint::varchar else {column.sql}::varchar end"
        )
    return column.sql if column.type == "VARCHAR" else f"{column.sql}::varchar"


def as_json(column: Column) -> str:
    """SQL for a value as JSON; null for null and for numbers that JSON does not have."""
    if column.type in ("FLOAT", "DOUBLE"):
        return f"case when isfinite({column.sql}) then to_json({column.sql}) end"
    if is_aware(column.type):  # as JSON it would depend on the session's zone
        return f"to_json(strftime({utc_of(column.sql, column.type)}, '%Y-%m-%dT%H:%M:%S.%fZ'))"
    if column.type == "JSON":
        return f"nullif({column.sql}::varchar, 'null')"
    return f"to_json({column.sql})"


def json_object(members: Iterable[tuple[str, Column]]) -> str | None:
    """SQL for a JSON object without the members that are null; null if none is left."""
    pairs = [
        f"{literal(json.dumps(name, ensure_ascii=False) + ':')} || {as_json(column)}::varchar"
        for name, column in members
    ]
    if not pairs:
        return None
    joined = f"concat_ws(',', {', '.join(pairs)})"
    return f"'{{' || nullif({joined}, '') || '}}'"


def _verdict(found: Mapping[str, Column]) -> list[Column]:
    """The verdict's column, unless it belongs to the case: words it does not know must stay."""
    status = found.get("case_status")
    return [status] if status and not status.name.startswith(CASE_PREFIX) else []


def _texts(
    connection: duckdb.DuckDBPyConnection, table: EventTable, roles: Roles, notes: list[Note]
) -> dict[str, str]:
    """SQL for case and activity, without blanks around them where there are some."""
    found = {role: as_text(roles.columns[role]) for role in ("case", "activity")}
    texts = {role: sql for role, sql in found.items() if roles.columns[role].type == "VARCHAR"}
    if not texts:
        return found
    trimmed = {role: f"trim({sql}, {BLANKS})" for role, sql in texts.items()}
    counts = ", ".join(f"count(*) filter ({texts[r]} <> {trimmed[r]})" for r in texts)
    # The first and last characters tell, and sooner than trimming all.
    blank = " or ".join(
        f"{sql}[1] <= ' ' or {sql}[-1] <= ' ' or chr(160) in ({sql}[1], {sql}[-1])"
        for sql in texts.values()
    )
    [changed] = connection.sql(f"select {counts} from {table.relation} where {blank}").fetchall()
    for role, count in zip(texts, changed, strict=True):
        if count:
            found[role] = trimmed[role]
            notes.append(Note(role, f"blanks around {count:,} values are removed"))
    return found


def _objects(connection: duckdb.DuckDBPyConnection, table: EventTable) -> dict[str, Column]:
    """The columns `attributes` and `case_attributes`, where they hold JSON objects, as exported."""
    found = {}
    for column in table.columns:
        if column.name in ("attributes", "case_attributes") and column.type in ("VARCHAR", "JSON"):
            is_object = f"coalesce(json_type(try_cast({column.sql} as json)) = 'OBJECT', false)"
            [(some, others)] = connection.sql(
                f"select count({column.sql}), count(*) filter (where {column.sql} is not null "
                f"and {column.sql}::varchar <> 'null' and not {is_object}) from {table.relation}"
            ).fetchall()
            if some and not others:
                found[column.name] = column
    return found


def _merged(whole: Column | None, members: str | None) -> str | None:
    """SQL for a JSON object from a column that holds one, and one of other columns."""
    if whole is None:
        return members
    text = f"nullif(nullif({whole.sql}::varchar, 'null'), '')"
    if members is None:
        return text
    return (
        f"case when {text} is null then ({members}) when ({members}) is null then {text} "
        f"else json_merge_patch({text}::json, ({members})::json)::varchar end"
    )


def _source_ids(
    connection: duckdb.DuckDBPyConnection, table: EventTable, roles: Roles, notes: list[Note]
) -> bool:
    """Whether the event ids may be used: guessed ones may not stand for different events.

    The same event under the same id is one that was delivered twice.
    """
    column = roles["event_id"]
    if column is None or "event_id" in roles.given:
        return column is not None
    [(repeated,)] = connection.sql(
        f"select count({column.sql}) - count(distinct {column.sql}) from {table.relation}"
    ).fetchall()
    if not repeated:
        return True
    event = [roles[role] for role in ("case", "activity", "timestamp", "start", "lifecycle")]
    parts = ", ".join(part.sql for part in (column, *event) if part)
    [(shared,)] = connection.sql(
        f"select count(distinct ({parts})) - count(distinct {column.sql}) "
        f"from {table.relation} where {column.sql} is not null"
    ).fetchall()
    if shared:
        text = f"column {column.name!r} is an attribute: {shared:,} values repeat for other events"
    else:
        text = f"{repeated:,} events of column {column.name!r} are there again"
    notes.append(Note("event_id", text))
    return not shared


def _position(table: EventTable, roles: Roles) -> str:
    column = roles["position"]
    if column is None:
        return table.position
    return f"coalesce(try_cast({column.sql} as bigint), {table.position})"


def one_of(sql: str, words: Mapping[str, str]) -> str:
    """SQL for the name whose words, divided by blanks, hold the text; null if none does."""
    cases = " ".join(
        f"when lower(trim({sql})) in ({', '.join(literal(word) for word in text.split())}) "
        f"then {literal(name)}"
        for name, text in words.items()
    )
    return f"case {cases} end"


def _checked_rows(
    table: EventTable, roles: Roles, times: EventTimes, values: Mapping[str, str | None]
) -> str:
    """A SELECT of the rows with their instants and the reason why one cannot be used."""
    reasons = [f"when {table.broken} is not null then {table.broken}"] if table.broken else []
    for role, name in (("case", "case_id"), ("activity", "activity")):
        text = literal(f"no {role}: column {roles.columns[role].name!r} is empty")
        reasons.append(f"when {values[name]} is null or {values[name]} = '' then {text}")
    reasons += times.reasons
    return f"""(
        select *, case {" ".join(reasons)} end as reason
        from (select *, {times.instants} from {table.relation}) as instant
        )"""


def batch_columns(columns: Mapping[str, str | None]) -> str:
    """The select clause of a batch: exactly its columns, null where there is nothing to say."""
    typed = [
        f"({columns.get(name) or 'null'})::{TYPES[str(kind.base_type())]} as {identifier(name)}"
        for name, kind in BATCH.items()
    ]
    return "select " + ", ".join(typed)


def _plain(
    table: EventTable, rows: str, values: Mapping[str, str | None], pair: str | None
) -> tuple[dict[str, str | None], str]:
    """One event per row: the columns and the relation they are of."""
    columns = {
        **values,
        "instance_id": values.get("instance"),
        "timestamp": "completed_at",
        "reason": "reason",
        "record": f"case when reason is not null then {table.record} end",
    }
    return columns, f"{rows} as checked"


def _transitions(
    table: EventTable, rows: str, values: Mapping[str, str | None], shared: str | None
) -> tuple[dict[str, str | None], str]:
    """A start and a completion per row; one event where the other is missing or all is wrong."""
    given = values.get("instance") or "null"
    pair = "reason is null and started_at is not null and completed_at is not null"
    lone = "case when started_at is not null and completed_at is null then 'start' else 'last' end"
    begins = "transition = 'start'"
    both = f"case when {pair} then {shared} end"
    event_id = values.get("event_id")
    columns = {
        **values,
        "event_id": event_id
        and f"case when {begins} then {event_id} || ':start' else {event_id} end",
        "instance_id": f"coalesce({given}, {both})",
        "lifecycle": f"case when {begins} then 'start' "
        f"else coalesce({values.get('lifecycle') or 'null'}, 'complete') end",
        "timestamp": f"case when {begins} then started_at else completed_at end",
        "reason": "reason",
        "record": f"case when reason is not null then {table.record} end",
    }
    for name in ("attributes", "error_type", "error_message"):
        if columns.get(name):
            columns[name] = f"case when not ({pair} and {begins}) then {columns[name]} end"
    return (
        columns,
        f"""(
        select *, unnest(case when {pair} then ['start', 'last'] else [{lone}] end) as transition
        from {rows} as checked
        ) as transition""",
    )
