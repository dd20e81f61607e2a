"""Camunda 7 by SQL: the tables of its history, as the REST interface would tell them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from ingest.camunda7.road import Instances, Road
from ingest.camunda7.rows import TIMES, first_line, frame_part, part
from ingest.camunda7.tables import (
    BULK_OPERATIONS,
    DEFINITIONS,
    INSTANCES,
    KINDS,
    MODEL,
    RESTARTED,
    WITHOUT_RESTARTED,
)
from ingest.camunda7.xml import elements
from ingest.databases import Database
from miner.eventlog.definitions import Definition

PAGE_CASES = 900
"""Not more than the shortest list of values that a database takes."""
FIRST = datetime(1970, 1, 1)
FLAGS = ("creationLog", "failureLog", "successLog", "deletionLog")
TABLES = {
    "process-instance": "ACT_HI_PROCINST",
    "activity-instance": "ACT_HI_ACTINST",
    "job-log": "ACT_HI_JOB_LOG",
    "external-task-log": "ACT_HI_EXT_TASK_LOG",
    "user-operation": "ACT_HI_OP_LOG",
}
"""What the REST interface calls the rows of a table."""
CANCELLED = 2
"""The state of an activity instance that was cancelled."""


class SqlRoad(Road):
    """The database of an engine; its times are those of the zone the engine runs in."""

    def __init__(self, database: Database, zone: ZoneInfo, definition: str | None) -> None:
        self._database = database
        self._zone = zone
        self._definition = definition
        self._elements: dict[str, list[dict[str, Any]]] = {}
        if database.kind in ("mysql", "mariadb"):
            # Its instants are to show as the engine wrote them: in the zone of the server, which
            # is that of its sessions, so that they are local times like all others.
            database.rows("set time_zone = @@global.time_zone")
        columns = [column.upper() for row in self._some_instance() for column in row.columns]
        self._restarted = RESTARTED.removeprefix("P.") in columns

    def started(self, after: datetime | None) -> Iterator[Instances]:
        """Instances that began at `after` (UTC) or later, the first to begin first."""
        place = {"after": self._local(after or FIRST), "id": ""}
        while True:
            # A time may be ambiguous where clocks are set back, so the place is the database's own.
            found = self._instances(
                "(P.START_TIME_ > :after or (P.START_TIME_ = :after and P.ID_ > :id))", place
            )
            if found.is_empty():
                return
            place = {"after": found["startTime"][-1], "id": found["id"][-1]}
            yield self._as_instances(found, ordered=True)
            if found.height < PAGE_CASES:
                return

    def begun_before(self, before: datetime, *, finished_after: datetime) -> Iterator[Instances]:
        """Instances that began earlier and ended since, in no order."""
        asked = {"before": self._local(before), "finished": self._local(finished_after)}
        yield from self._all("P.START_TIME_ < :before and P.END_TIME_ >= :finished", asked)

    def unfinished_before(self, before: datetime) -> Iterator[Instances]:
        """Instances that began earlier and still run, in no order."""
        asked = {"before": self._local(before)}
        yield from self._all("P.START_TIME_ < :before and P.END_TIME_ is null", asked)

    def known(self, ids: Sequence[str]) -> Iterator[Instances]:
        """The instances of these ids that the engine still knows."""
        for i in range(0, len(ids), PAGE_CASES):
            names, values = _listed(ids[i : i + PAGE_CASES])
            found = self._instances(f"P.ID_ in ({names})", values)
            if found.height:
                yield self._as_instances(found, ordered=False)

    def history(self, instances: Instances) -> bytes:
        """Lines with all that is recorded of these instances."""
        names, values = _listed(instances.ids)
        parts, with_jobs = [instances.raw], set()
        for kind, query in KINDS.items():
            for frame in self._database.frames(query.format(ids=names), parameters=values):
                parts.append(frame_part(kind, self._told(frame)))
                if kind == "job-log":
                    with_jobs |= set(frame["processDefinitionId"].drop_nulls())
        for each in sorted(with_jobs):
            parts.append(part("element", self._model(each)))
        # What is read next is to show what was committed meanwhile.
        self._database.commit()
        return b"".join(parts)

    def definitions(self) -> Iterator[Definition]:
        """The text of each version of each process."""
        for frame in self._database.frames(DEFINITIONS, batch=50):
            told = frame.with_columns(_utc(frame, "deploymentTime", self._zone))
            for row in told.iter_rows(named=True):
                if self._definition in (None, row["key"]) and row["text"] is not None:
                    yield Definition(
                        process=row["key"],
                        version=str(row["version"]),
                        format="bpmn",
                        text=bytes(row["text"]).decode(),
                        valid_from=row["deploymentTime"],
                        definition_id=row["id"],
                    )

    def _all(self, condition: str, asked: dict[str, Any]) -> Iterator[Instances]:
        last = ""
        while True:
            found = self._instances(
                f"{condition} and P.ID_ > :last", {**asked, "last": last}, order="P.ID_"
            )
            if found.height:
                yield self._as_instances(found, ordered=False)
                last = found["id"][-1]
            if found.height < PAGE_CASES:
                return

    def _instances(
        self, condition: str, asked: dict[str, Any], order: str = "P.START_TIME_, P.ID_"
    ) -> pl.DataFrame:
        """At most a page of instances, with the times of the database."""
        only = " and coalesce(P.PROC_DEF_KEY_, D.KEY_) = :definition" if self._definition else ""
        query = INSTANCES.format(
            restarted=RESTARTED if self._restarted else WITHOUT_RESTARTED,
            condition=condition + only,
            order=order,
            limit=_limit(self._database.kind, PAGE_CASES),
        )
        given = asked | ({"definition": self._definition} if self._definition else {})
        frames = list(self._database.frames(query, batch=PAGE_CASES, parameters=given))
        return pl.concat(frames) if frames else pl.DataFrame()

    def _as_instances(self, found: pl.DataFrame, *, ordered: bool) -> Instances:
        told = self._told(found)
        latest = found.select(_utc(found, "startTime", self._zone).alias("startTime"))["startTime"]
        return Instances(
            ids=tuple(found["id"].to_list()),
            raw=frame_part("instance", told),
            latest=latest[-1] if ordered else None,
            definitions=tuple(found["processDefinitionId"].to_list()),
        )

    def _told(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows as the REST interface tells them: times with their offset, states as flags."""
        times = [
            _utc(frame, name, self._zone).dt.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").alias(name)
            for name in TIMES
            if name in frame.columns
        ]
        told = frame.with_columns(times)
        if "logState" in frame.columns:
            flags = [
                pl.col("logState").cast(pl.Int32).eq(i).alias(name) for i, name in enumerate(FLAGS)
            ]
            told = told.with_columns(flags).drop("logState")
        if "trace" in frame.columns:
            exceptions = [first_line(trace) for trace in frame["trace"]]
            told = told.with_columns(pl.Series("exception", exceptions, pl.String)).drop("trace")
        if "activityState" in frame.columns:
            cancelled = pl.col("activityState").cast(pl.Int32).eq(CANCELLED).alias("canceled")
            told = told.with_columns(cancelled).drop("activityState")
        return told

    def _model(self, definition_id: str) -> list[dict[str, Any]]:
        if definition_id not in self._elements:
            rows = self._database.rows(MODEL, {"id": definition_id})
            text = bytes(rows[0][0]).decode() if rows and rows[0][0] is not None else ""
            self._elements[definition_id] = elements(definition_id, text)
        return self._elements[definition_id]

    def _shows(self, kind: str) -> bool:
        return self._has(TABLES[kind])

    def _removes(self) -> bool:
        return self._has("ACT_HI_PROCINST", "where REMOVAL_TIME_ is not null")

    def _bulk_operations(self, after: datetime | None) -> int:
        rows = self._database.rows(BULK_OPERATIONS, {"after": self._local(after or FIRST)})
        return int(rows[0][0] or 0)

    def _has(self, table: str, condition: str = "") -> bool:
        """Whether a table has rows."""
        limit = _limit(self._database.kind, 1)
        return bool(
            self._database.rows(f"select ID_ from {table} {condition} order by ID_ {limit}")
        )

    def _some_instance(self) -> list[pl.DataFrame]:
        """One instance with all columns that this version of the engine has; none without any."""
        query = f"select * from ACT_HI_PROCINST order by ID_ {_limit(self._database.kind, 1)}"
        return list(self._database.frames(query))

    def _local(self, at: datetime) -> datetime:
        """A UTC time as the database writes it."""
        return at.replace(tzinfo=UTC).astimezone(self._zone).replace(tzinfo=None)


def _utc(frame: pl.DataFrame, name: str, zone: ZoneInfo) -> pl.Expr:
    """A column of times of the database as naive UTC; of an hour that was twice, the first."""
    column, kind = pl.col(name), frame.schema[name]
    if kind == pl.String:
        column = column.str.to_datetime(time_unit="us", strict=False)
    elif kind == pl.Null:
        return column.cast(pl.Datetime("us"))
    written = column.dt.cast_time_unit("us").dt.replace_time_zone(None)
    local = written.dt.replace_time_zone(zone.key, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _listed(ids: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Names of parameters for a list of ids, and their values."""
    values = {f"id{i}": each for i, each in enumerate(ids)}
    return ", ".join(f":{name}" for name in values), values


def _limit(kind: str, rows: int) -> str:
    if kind in ("mssql", "oracle"):
        return f"offset 0 rows fetch next {rows} rows only"
    return f"limit {rows}"
