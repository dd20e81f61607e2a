"""The SELECT that makes events of records, as a mapping says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from ingest.mapping.fields import Fields, JsonFields, json_column_for
from ingest.mapping.times import Years, mapped_time
from ingest.mapping.values import Path, Settings, Value, column_for
from ingest.sql import literal
from ingest.tables.columns import Column
from ingest.tables.event_tables import (
    BLANKS,
    KINDS,
    VERDICTS,
    as_text,
    batch_columns,
    json_object,
    one_of,
)
from ingest.tables.timestamps import TYPED, utc_of
from miner.errors import InputError
from miner.eventlog.schema import BATCH

if TYPE_CHECKING:
    from ingest.mapping import EventRule

INTEGERS = ("attempt", "position", "version")
LONGEST_RECORD = 65_536
"""Characters of a record that are kept in quarantine."""


@dataclass(frozen=True)
class Bound:
    """A value of a mapping as a column where events are made."""

    value: Value
    column: Column
    """Its SQL is the name of that column."""
    sql: str
    """What the column is computed as."""


class Plan:
    """How events are made of the records of a relation.

    InputError, with the line in the file `name`, for fields that do not exist and for expressions
    that do not fit the types of their fields.
    """

    def __init__(
        self,
        rules: Sequence[EventRule],
        settings: Settings,
        name: str,
        fields: Fields,
        relation: str,
        *,
        position: str | None,
        broken: str | None,
    ) -> None:
        place = f"{position or 'null'}::bigint as record_position"
        self._records = f"(select *, {place}, {broken or 'null'} as broken from {relation})"
        paths = _paths(rules, fields)
        typed = _attribute_paths(rules, fields) if _is_json(fields) else []
        types = fields.types(list(paths), paths)
        self._source = fields.relation(list(paths), typed, self._records)
        self._broken = broken
        self._fields = fields
        self._zone = settings.timezone
        self._rules = [
            _Rule(rule, i, len(rules), settings, name, fields, types)
            for i, rule in enumerate(rules)
        ]

    def survey(self) -> str | None:
        """A SELECT of the first and last year of local times; null if their zone is not needed."""
        if self._zone is None:
            return None
        found = "\nunion all\n".join(rule.local_times() for rule in self._rules)
        return f"""
            {self._mapped()}
            select year(min(local_at)), year(max(local_at))
            from ({found}) as local_time
            where isfinite(local_at)
        """

    def select(self, years: Years) -> str:
        """A SELECT of the columns of `BATCH`; see `survey` for the years."""
        made = "\nunion all\n".join(rule.select(years) for rule in self._rules)
        select = f"{self._mapped()}\n{made}"
        if self._broken:
            columns = {
                "reason": "broken",
                "record": f"left({self._fields.record()}, {LONGEST_RECORD})",
            }
            select += f"\nunion all\n{batch_columns(columns)} from {self._records}"
            select += " where broken is not null"
        return select

    def _mapped(self) -> str:
        # A record is read once, however many events it becomes.
        kind = "materialized" if len(self._rules) > 1 else ""
        return f"with mapped_record as {kind} {self._source}"


def _is_json(fields: Fields) -> bool:
    return isinstance(fields, JsonFields)


def _values(rule: EventRule) -> list[Value]:
    named = (*rule.values, *rule.attributes, *rule.case_attributes)
    return [value for _, value in named] + ([rule.when] if rule.when else [])


def _paths(rules: Sequence[EventRule], fields: Fields) -> dict[Path, Value]:
    """All fields that are needed, each with a value that needs it."""
    found: dict[Path, Value] = {}
    for rule in rules:
        for value in _values(rule):
            path = fields.path_of(value)
            for each in value.fields if path is None else (path,):
                found.setdefault(each, value)
    return found


def _attribute_paths(rules: Sequence[EventRule], fields: Fields) -> list[Path]:
    """Fields that are attributes as they are: these keep their type in JSON."""
    found = {
        path: None
        for rule in rules
        for _, value in (*rule.attributes, *rule.case_attributes)
        if (path := fields.path_of(value)) is not None
    }
    return list(found)


class _Rule:
    """One `[[event]]` on its way to SQL."""

    def __init__(
        self,
        rule: EventRule,
        number: int,
        count: int,
        settings: Settings,
        name: str,
        fields: Fields,
        types: dict[Path, str],
    ) -> None:
        self.rule = rule
        self.number = number
        self.count = count
        self.settings = settings
        self.name = name
        self.fields = fields
        bound = _bound(rule, fields, types, name)
        self.computed = bound
        self.values = {key: bound[value].column for key, value in rule.values}
        self.events = {key: bound[value].column for key, value in rule.attributes}
        self.cases = {key: bound[value].column for key, value in rule.case_attributes}
        self.when = bound[rule.when].column if rule.when else None

    def local_times(self) -> str:
        """A SELECT of the local times, as `local_at`."""
        texts, _, _ = self._times((2000, 2000))
        both = "unnest([completed_local, started_local]) as local_at"
        return f"select {both} from (select {texts} from {self._rows()})"

    def select(self, years: Years) -> str:
        """A SELECT of the columns of `BATCH` from `mapped_record`."""
        texts, instants, reasons = self._times(years)
        checked = f"""(
            select *, {self._reason(reasons)} as reason
            from (
                select *, {instants}
                from (select *, {texts} from {self._rows()}) as read
                where {self._applies()}
            ) as timed
            )"""
        columns = self._columns()
        columns["reason"] = "reason"
        shown = f"left({self.fields.record()}, {LONGEST_RECORD})"
        columns["record"] = f"case when reason is not null then {shown} end"
        if "start" in self.values:
            checked = self._transitions(columns, checked)
        return f"{batch_columns(columns)} from {checked} as checked"

    def _rows(self) -> str:
        computed = [f"{each.sql} as {each.column.sql}" for each in self.computed.values()]
        return f"(select *, {', '.join(computed)} from mapped_record)"

    def _applies(self) -> str:
        """Which records become this event, rightly or wrongly."""
        conditions = []
        if self.when:
            conditions.append(f"coalesce({self.when.sql}, 'failed') in ('true', 'failed')")
        if self.count > 1:  # a time that is not there yet: it has not happened
            there = "completed_text is not null or started_text is not null"
            conditions.append(there)
        return " and ".join(f"({each})" for each in conditions) or "true"

    def _times(self, years: Years) -> tuple[str, str, list[str]]:
        """Columns with the times as written, then as instants; and what may be wrong with them."""
        texts, instants, reasons = [], [], []
        for key, name in (("timestamp", "completed"), ("start", "started")):
            if key in self.values:
                time = mapped_time(self.values[key], key, name, self.settings, years)
                texts.append(time.columns)
                instants.append(time.instant)
                reasons.append(time.reason)
            else:
                texts.append(f"null::varchar as {name}_text, null::timestamp as {name}_local")
                instants.append(f"null::timestamp as {name}_at")
        return ", ".join(texts), ", ".join(instants), reasons

    def _reason(self, times: Sequence[str]) -> str:
        """SQL for why a record cannot become an event, null if it can."""
        reasons = []
        if self.when:
            fails = literal(f"the condition of line {self._when_line()} fails")
            reasons.append(f"case when {self.when.sql} is null then {fails} end")
        for key, name in (("case", "case"), ("activity", "activity")):
            sql = self._text(key)
            shown = literal(f"no {name}: {self._written(key)} is empty")
            reasons.append(f"case when {sql} is null or {sql} = '' then {shown} end")
        missing = literal(f"no timestamp: {self._written('timestamp')} is empty")
        order = "'end ' || completed_text || ' is before start ' || started_text"
        reasons += [
            *times,
            f"case when completed_at is null and started_at is null then {missing} end",
            f"case when completed_at < started_at then {order} end",
        ]
        return f"coalesce({', '.join(reasons)})"

    def _when_line(self) -> int:
        return self.rule.when.line if self.rule.when else 0

    def _written(self, key: str) -> str:
        return next(value.text for name, value in self.rule.values if name == key)

    def _text(self, key: str) -> str:
        return f"trim({as_text(self.values[key])}, {BLANKS})"

    def _columns(self) -> dict[str, str | None]:
        """SQL for the columns of an event."""
        found: dict[str, str | None] = {
            key: as_text(column) for key, column in self.values.items() if key in BATCH
        }
        found |= {key: _integer(self.values[key]) for key in INTEGERS if key in self.values}
        found["case_id"] = self._text("case")
        found["activity"] = self._text("activity")
        found["timestamp"] = "completed_at"
        for key, words in (("resource_kind", KINDS), ("case_status", VERDICTS)):
            if key in self.values:
                found[key] = one_of(as_text(self.values[key]), words)
        if "event_id_shared" in self.values:
            parts = [as_text(self.values["event_id_shared"]), f"':' || {found['activity']}"]
            if "lifecycle" in self.values:
                parts.append(f"coalesce(':' || {as_text(self.values['lifecycle'])}, '')")
            found["event_id"] = " || ".join(parts)
        found["position"] = self._position(found.get("position"))
        found["attributes"] = _object(self.events)
        found["case_attributes"] = _object(self.cases)
        return found

    def _position(self, given: str | None) -> str:
        """Several events of one record are in the order of the mapping."""
        base = f"coalesce({given}, record_position)" if given else "record_position"
        if self.count == 1:
            return base
        return f"coalesce({base} * {self.count}, 0) + {self.number}"

    def _transitions(self, columns: dict[str, str | None], checked: str) -> str:
        """A start and a completion; `columns` are changed to say which is which."""
        both = "reason is null and started_at is not null and completed_at is not null"
        alone = "started_at is not null and completed_at is null"
        begins = "transition = 'start'"
        event_id = columns.get("event_id")
        if event_id:
            columns["event_id"] = (
                f"case when {begins} then {event_id} || ':start' else {event_id} end"
            )
        # Without an id the start alone ties both together, also while the end is not known.
        tie = event_id or "case when started_at is not null then started_text end"
        columns["instance_id"] = f"coalesce({columns.get('instance_id') or 'null'}, {tie})"
        columns["lifecycle"] = (
            f"case when {begins} then 'start' "
            f"else coalesce({columns.get('lifecycle') or 'null'}, 'complete') end"
        )
        columns["timestamp"] = f"case when {begins} then started_at else completed_at end"
        for key in ("attributes", "error_type", "error_message"):
            if columns.get(key):
                columns[key] = f"case when not (({both}) and {begins}) then {columns[key]} end"
        return f"""(
            select *, unnest(
                case when {both} then ['start', 'last'] when {alone} then ['start']
                else ['last'] end
            ) as transition
            from {checked} as known
            )"""


def _integer(column: Column) -> str:
    """SQL for a whole number; an instant counts in microseconds."""
    if column.type.startswith(TYPED):
        at = utc_of(column.sql, column.type)
        return f"epoch_us({at})"
    return f"try_cast({as_text(column)} as bigint)"


def _object(members: dict[str, Column]) -> str | None:
    return json_object((name, _plain_number(column)) for name, column in members.items())


def _plain_number(column: Column) -> Column:
    """Whole numbers are written alike, whether other rows made the column one of fractions."""
    if column.type not in ("FLOAT", "DOUBLE"):
        return column
    value = column.sql
    written = (
        f"case when {value} = trunc({value}) and abs({value}) < 1e15 then to_json({value}::bigint) "
        f"when isfinite({value}) then to_json({value}) end"
    )
    return Column(column.name, f"({written})", "JSON")


def _bound(
    rule: EventRule, fields: Fields, types: dict[Path, str], name: str
) -> dict[Value, Bound]:
    """Each value as a column, with the type that DuckDB gives it."""
    attributes = {value for _, value in (*rule.attributes, *rule.case_attributes)}
    found: dict[Value, Bound] = {}
    expressions: list[tuple[Value, str]] = []
    for value in _values(rule):
        path = fields.path_of(value)
        column = f"value_{len(found) + len(expressions)}"
        if path is None or value is rule.when:
            expressions.append((value, column))
            continue
        as_json = value in attributes and _is_json(fields)
        source = json_column_for(path) if as_json else column_for(path)
        kind = "JSON" if as_json else types[path]
        found[value] = Bound(value, Column(value.key, column, kind), source)
    return found | _with_types(expressions, rule.when, types, fields, name)


def _with_types(
    expressions: Sequence[tuple[Value, str]],
    when: Value | None,
    types: dict[Path, str],
    fields: Fields,
    name: str,
) -> dict[Value, Bound]:
    """Expressions, tried out on no records where nothing can be reached."""
    from ingest.mapping import hardened

    found = {}
    columns = [f"{column_for(path)} {kind}" for path, kind in types.items()] or ["nothing integer"]
    with hardened() as connection:
        connection.execute(f"create temp table mapped_record ({', '.join(columns)})")
        for value, column in expressions:
            path = fields.path_of(value)
            sql = column_for(path) if path is not None else str(value.sql)
            if value is when:  # null is no match, an error is null
                sql = f"coalesce(({sql})::boolean, false)::varchar"
            try:
                described = connection.sql(f"select {sql} as it from mapped_record")
            except duckdb.Error as error:
                raise _misfit(value, error, name) from None
            found[value] = Bound(value, Column(value.key, column, str(described.types[0])),
                                 f"try({sql})")  # fmt: skip
    return found


def _misfit(value: Value, error: duckdb.Error, name: str) -> InputError:
    said = str(error).splitlines()[0].split(": ", 1)[-1]
    for path in value.fields:
        said = said.replace(column_for(path), ".".join(path))
    said = said.replace("(VARCHAR, ", "(text, ").rstrip(". ")
    return InputError(
        f"{name}, line {value.line}: {value.key} cannot be computed: {said}: {value.text!r}.",
        hint="Fields of JSON and CSV are texts: cast them, as in amount::double.",
    )
