"""Airflow 2 and 3 through their metadata database, whose schema differs between versions.

The schema is no public interface of Airflow; what is not there is left out, not guessed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from ingest.airflow.actions import CLEARS
from ingest.airflow.lines import KINDS, written
from ingest.airflow.traces import EVENTS, earlier_tries
from ingest.databases import Database
from ingest.source import OVERLAP, Fetched, Known
from miner.errors import SourceRefusedError
from miner.eventlog.definitions import Definition, Limitation

RUNS_PER_PIECE = 250
MOMENT = {
    "postgresql": "cast(:since || '+00:00' as timestamptz)",
    "mysql": "cast(:since as datetime(6))",
    "mariadb": "cast(:since as datetime(6))",
}
"""How a time in text is compared with a column; SQLite keeps times as text."""
_SCHEMA = "select column_name from information_schema.columns where table_name = :table"
COLUMNS = {
    "sqlite": "select name from pragma_table_info(:table)",
    "postgresql": f"{_SCHEMA} and table_schema = any(current_schemas(false))",
    "mysql": f"{_SCHEMA} and table_schema = database()",
    "mariadb": f"{_SCHEMA} and table_schema = database()",
}
LOST = (
    Limitation(
        "missing-attempts",
        "Only the last try of each task is kept; those before it are read off the log, if at all.",
        ("retry_rate", "failure_rate", "waiting_time"),
    ),
)
"""What cannot be known of Airflow before 2.10."""
RENAMED = {
    "run_id": "dag_run_id",
    "execution_date": "logical_date",
    "queued_dttm": "queued_when",
    "scheduled_dttm": "scheduled_when",
    "id": "event_log_id",
    "dttm": "when",
    "dag_hash": "version",
}


@dataclass
class DatabaseReading:
    """One pass over the runs that have changed, in order of their ids.

    The cursor holds `until`, the newest change that the last complete pass could see, and while a
    pass is not complete, the same for it (`mark`) and the last run that was stored (`after`).
    """

    database: Database
    known: Known
    dag: str

    def __post_init__(self) -> None:
        self.columns: dict[str, set[str]] = {}

    def fetch(self) -> Iterator[Fetched]:
        """All runs that changed since the last complete pass, and those that still run."""
        if not self._has("dag_run", "id") or not self._has("task_instance", "task_id"):
            raise SourceRefusedError(
                "This database is no Airflow's: it has no runs and tasks.",
                hint="Give the metadata database, and the right to read it.",
            )
        cursor = dict(self.known.cursor or {})
        until = cursor.get("until")
        since = _before(until) if until else None
        ((newest,),) = self.database.rows(f"select max({self._changed()}) from dag_run r")
        mark = cursor.get("mark") or str(newest)
        after, actions = int(cursor.get("after", 0)), self._actions()
        while True:
            runs = self._runs(after, since)
            if not runs.height:
                break
            last = int(runs["id"][-1])
            pieces = [written("run", runs)]
            tries = list(self._tries(after, last, since))
            pieces += [written("try", each) for each in (*tries, *self._lost(after, last, tries))]
            pieces += [written("human", each) for each in self._people(after, last)]
            keys = ["dag_id", "dag_run_id"]
            ours = actions.join(runs.select(keys), left_on=["dag_id", "run_id"], right_on=keys,
                                how="semi")  # fmt: skip
            after = last
            going_on = {"until": until, "mark": mark, "after": after}
            said = () if self._keeps_tries() else LOST
            yield Fetched(b"".join([*pieces, written("action", ours)]), going_on, said)
        yield Fetched(b"", {"until": mark})

    def definitions(self) -> Iterator[Definition]:
        """The serialized DAGs, each version that the database still has."""
        if not self._has("serialized_dag", "dag_id"):
            return
        versions = self._has("dag_version", "id") and self._has("serialized_dag", "dag_version_id")
        number = "v.version_number" if versions else "s.dag_hash"
        since = "v.created_at" if versions else "s.last_updated"
        packed = "s.data_compressed" if self._has("serialized_dag", "data_compressed") else "null"
        join = "left join dag_version v on v.id = s.dag_version_id" if versions else ""
        query = f"""
            select s.dag_id, {number} as version, {since} as since, s.data as data,
                {packed} as packed
            from serialized_dag s {join}
            where {self._only("s")}
            order by s.dag_id, since
        """
        for dag, version, since_, data, packed_ in self.database.rows(query, self._given()):
            text = zlib.decompress(packed_).decode() if data is None and packed_ else data
            if not isinstance(text, str):
                text = json.dumps(text)
            known = None if version is None else str(version)
            yield Definition(dag, known, "airflow", text, _naive(since_), None)

    def _runs(self, after: int, since: str | None) -> pl.DataFrame:
        version, join = self._version("r", "dag_run", "created_dag_version_id")
        wanted = self._wanted("dag_run", "run", alias="r")
        query = f"""
            select r.id as id, {", ".join(wanted)}{version}
            from dag_run r {join}
            where r.id > :after and {self._changed_since(since)} and {self._only("r")}
            order by r.id
            limit {RUNS_PER_PIECE}
        """
        return self._frame("run", query, after=after, **({"since": since} if since else {}))

    def _tries(self, after: int, last: int, since: str | None) -> Iterator[pl.DataFrame]:
        given: dict[str, Any] = {"after": after, "last": last}
        if since:
            given["since"] = since
        for table in ("task_instance_history", "task_instance"):
            if not self._has(table, "task_id"):
                continue
            version, join = self._version("t", table, "dag_version_id")
            wanted = self._wanted(table, "try", alias="t", but=("dag_id", "run_id"))
            query = f"""
                select r.dag_id as dag_id, r.run_id as run_id, {", ".join(wanted)}{version}
                from {table} t
                join dag_run r on {self._of_run(table, "t")}
                {join}
                where r.id > :after and r.id <= :last and {self._changed_since(since)}
                    and {self._only("r")}
                order by r.id
            """
            yield self._frame("try", query, **given)

    def _people(self, after: int, last: int) -> Iterator[pl.DataFrame]:
        pairs = (("hitl_detail_history", "ti_history_id", "task_instance_history",
                  "task_instance_id"), ("hitl_detail", "ti_id", "task_instance", "id"))  # fmt: skip
        for table, key, tries, try_key in pairs:
            if not self._has(table, key):
                continue
            wanted = self._wanted(table, "human", alias="h")
            query = f"""
                select t.dag_id as dag_id, t.run_id as run_id, t.task_id as task_id,
                    t.map_index as map_index, t.try_number as try_number, {", ".join(wanted)}
                from {table} h
                join {tries} t on t.{try_key} = h.{key}
                join dag_run r on r.dag_id = t.dag_id and r.run_id = t.run_id
                where r.id > :after and r.id <= :last and {self._only("r")}
            """
            found = self._frame("human", query, after=after, last=last)
            by = pl.col("responded_by")
            name = pl.coalesce(by.str.json_path_match("$.name"), by.str.json_path_match("$.id"))
            yield found.with_columns(name.alias("responded_by"))

    def _actions(self) -> pl.DataFrame:
        """What people had done again; there are few, so all are read each time."""
        empty = pl.DataFrame(schema=KINDS["action"])
        if not self._has("log", "event"):
            return empty
        run, join = "l.run_id", ""
        dated = "execution_date" if self._has("log", "execution_date") else "logical_date"
        if self._has("log", dated) and self._has("dag_run", dated):
            join = f"left join dag_run r on r.dag_id = l.dag_id and r.{dated} = l.{dated}"
            run = "coalesce(l.run_id, r.run_id)" if self._has("log", "run_id") else "r.run_id"
        elif not self._has("log", "run_id"):
            return empty
        wanted = self._wanted("log", "action", alias="l", but=("run_id",))
        events = ", ".join(f"'{name}'" for name in sorted(CLEARS))
        query = f"""
            select {run} as run_id, {", ".join(wanted)}
            from log l {join}
            where l.event in ({events}) and {self._only("l")}
            order by l.id
        """
        found = self._frame("action", query, renamed=RENAMED.keys() - {"run_id"})
        named = pl.col("extra").str.json_path_match("$.dag_run_id")
        return found.with_columns(pl.coalesce("run_id", named).alias("run_id"))

    def _lost(self, after: int, last: int, tries: list[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Tries that only the log remembers."""
        if self._keeps_tries() or not self._has("log", "event"):
            return
        wanted = [column for column in ("map_index", "task_id") if self._has("log", column)]
        events = ", ".join(f"'{name}'" for name in EVENTS)
        query = f"""
            select r.dag_id as dag_id, r.run_id as run_id, l.id as id, l.dttm as dttm,
                l.event as event, {", ".join(f"l.{name} as {name}" for name in wanted)}
            from log l
            join dag_run r on {self._of_run("log", "l")}
            where r.id > :after and r.id <= :last and l.event in ({events})
                and l.task_id is not null and {self._only("r")}
        """
        traces = self._frame("action", query, after=after, last=last)
        for each in tries:
            yield earlier_tries(traces, each)

    def _keeps_tries(self) -> bool:
        return self._has("task_instance_history", "task_id")

    def _frame(self, kind: str, query: str, *, renamed: Any = None, **given: Any) -> pl.DataFrame:
        """All rows of a query, with the names and types of recorded lines."""
        schema = KINDS[kind]
        frames = [
            _plain(frame) for frame in self.database.frames(query, parameters=given | self._given())
        ]
        if not frames:
            more = {"id": pl.Int64(), "dag_run_id": pl.String(), "map_index": pl.Int64()}
            return pl.DataFrame(schema=more | schema)
        found = pl.concat(frames, how="diagonal_relaxed")
        keys = RENAMED.keys() if renamed is None else renamed
        if kind != "action":
            keys = keys - {"id"}
        names = {old: RENAMED[old] for old in keys if old in found.columns}
        found = found.rename(names)
        return found.with_columns(
            (pl.col(name) if name in found.columns else pl.lit(None))
            .cast(kind_of, strict=False)
            .alias(name)
            for name, kind_of in schema.items()
        )

    def _wanted(self, table: str, kind: str, *, alias: str, but: tuple[str, ...] = ()) -> list[str]:
        """The columns of a table that lines of a kind have a place for."""
        names = {old: new for old, new in RENAMED.items() if new in KINDS[kind]}
        names |= {name: name for name in KINDS[kind] if name not in names.values()}
        names |= {name: name for name in KINDS[kind] if name in self._columns(table)}
        if kind != "action":
            names.pop("id", None)
        found = [name for name in names if name in self._columns(table) and name not in but]
        return [f"{alias}.{name} as {name}" for name in sorted(set(found))]

    def _version(self, alias: str, table: str, key: str) -> tuple[str, str]:
        if not (self._has(table, key) and self._has("dag_version", "id")):
            return "", ""
        join = f"left join dag_version v on v.id = {alias}.{key}"
        return ", v.version_number as version", join

    def _of_run(self, table: str, alias: str) -> str:
        """Before Airflow 2.2, tasks belong to the run of the same date."""
        key = "run_id" if self._has(table, "run_id") else "execution_date"
        return f"r.dag_id = {alias}.dag_id and r.{key} = {alias}.{key}"

    def _changed(self) -> str:
        if self._has("dag_run", "updated_at"):
            return "r.updated_at"
        return "coalesce(r.end_date, r.start_date)"

    def _changed_since(self, since: str | None) -> str:
        if since is None:
            return "1 = 1"
        moment = MOMENT.get(self.database.kind, ":since")
        return f"({self._changed()} >= {moment} or r.state in ('running', 'queued'))"

    def _only(self, alias: str) -> str:
        return f"{alias}.dag_id = :dag" if self.dag != "~" else "1 = 1"

    def _given(self) -> dict[str, str]:
        return {"dag": self.dag} if self.dag != "~" else {}

    def _has(self, table: str, column: str) -> bool:
        return column in self._columns(table)

    def _columns(self, table: str) -> set[str]:
        """The columns of a table; none when it is not there."""
        if table not in self.columns:
            query = COLUMNS.get(self.database.kind, COLUMNS["sqlite"])
            found = self.database.rows(query, {"table": table})
            self.columns[table] = {str(name) for (name,) in found}
        return self.columns[table]


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Times as text in UTC, whatever the database has for them."""
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    zoned = {name for name in times if frame.schema[name].time_zone}  # type: ignore[attr-defined]
    return frame.with_columns(
        (pl.col(name).dt.convert_time_zone("UTC") if name in zoned else pl.col(name)).dt.strftime(
            "%Y-%m-%d %H:%M:%S%.6f"
        )
        for name in times
    )


def _before(until: str) -> str:
    instant = _naive(until)
    assert instant is not None
    return (instant - OVERLAP).strftime("%Y-%m-%d %H:%M:%S.%f")


def _naive(value: Any) -> datetime | None:
    if value is None:
        return None
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if found.tzinfo is not None:
        from datetime import UTC

        found = found.astimezone(UTC).replace(tzinfo=None)
    return found
