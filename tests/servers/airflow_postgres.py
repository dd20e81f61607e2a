"""The metadata of an Airflow on SQLite, copied to PostgreSQL as Airflow would have it there."""

from __future__ import annotations

import sqlite3
from contextlib import closing

TABLES = ("dag_run", "task_instance", "task_instance_history", "log", "hitl_detail",
          "hitl_detail_history", "dag_version", "serialized_dag")  # fmt: skip
TIMES = ("_date", "_dttm", "_at", "dttm", "last_updated", "run_after")
NUMBERS = ("clear_number", "map_index", "try_number", "max_tries", "version_number")
DOCUMENTS = ("data", "responded_by", "chosen_options")
LEFT_OUT = ("executor_config", "data_compressed")


def copy(sqlite_url: str, postgres_url: str) -> None:
    """Make the tables that are read, with the types of PostgreSQL, and fill them."""
    import adbc_driver_postgresql.dbapi as driver

    with (
        closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as old,
        driver.connect(postgres_url) as new,
        new.cursor() as cursor,
    ):
        for table in TABLES:
            described = old.execute(f"pragma table_info({table})").fetchall()
            columns = {row[1]: _type(row[1], row[2]) for row in described if row[1] not in LEFT_OUT}
            made = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            cursor.execute(f"create table {table} ({made})")
            for row in old.execute(f"select {', '.join(columns)} from {table}"):
                values = ", ".join(map(_literal, row, columns.values()))
                cursor.execute(f"insert into {table} values ({values})")
        new.commit()


def _type(name: str, old: str) -> str:
    if name.endswith(TIMES):
        return "timestamptz"
    if name in NUMBERS or (name == "id" and "INT" in old.upper()):
        return "bigint"
    return "json" if name in DOCUMENTS else "text"


def _literal(value: object, kind: str) -> str:
    if value is None:
        return "null"
    zone = "+00" if kind == "timestamptz" else ""
    return "'" + str(value).replace("'", "''") + f"{zone}'"
