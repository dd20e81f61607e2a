"""Databases of every kind for tests: empty ones, and tables of what is told about orders."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest.mapping import MappingFile
from ingest.sql import literal
from tests.servers import mariadb, postgres
from tests.servers.install import apt

SECRETS = (*(mariadb.PASSWORD, postgres.PASSWORD), "pro%26", "geheim")
KINDS = ("postgresql", "mariadb", "sqlite")
COLUMNS = {
    "order": "varchar(20)", "step": "varchar(20)", "phase": "varchar(20)", "at": "{time}",
    "attempt": "integer", "worker": "varchar(20)", "error": "varchar(20)",
    "release": "varchar(20)", "verdict": "varchar(20)", "amount": "decimal(12, 2)",
}  # fmt: skip
ORDERS = """
create table orders (
    id integer primary key, customer varchar(60), approver varchar(20), created_at {time},
    approved_at {time} null, packed_at {time} null, shipped_at {time} null, updated_at {time},
    status varchar(20)
)
"""


@dataclass(frozen=True)
class Place:
    """An empty database, whatever its kind."""

    url: str
    execute: Callable[..., Any]
    time: str
    quote: str = '"'

    def table(self, rows: Iterable[dict[str, Any]], name: str = "told") -> None:
        """A table of what was told, with a number for each row."""
        numbered = {
            "postgresql": "id bigserial primary key",
            "mariadb": "id bigint auto_increment primary key",
            "sqlite": "id integer primary key",
        }[self.url.split(":")[0]]
        columns = [f"{self.named(key)} {kind}" for key, kind in COLUMNS.items()]
        made = ", ".join([numbered, *columns]).format(time=self.time)
        self.execute(f"create table {name} ({made})")
        self.insert(rows, name)

    def insert(self, rows: Iterable[dict[str, Any]], name: str = "told") -> None:
        """More rows of it."""
        names = ", ".join(self.named(key) for key in COLUMNS)
        values = [", ".join(self._value(row[key]) for key in COLUMNS) for row in rows]
        for first in range(0, len(values), 1000):
            some = "), (".join(values[first : first + 1000])
            self.execute(f"insert into {name} ({names}) values ({some})")

    def named(self, name: str) -> str:
        return f"{self.quote}{name}{self.quote}"

    def _value(self, value: Any) -> str:
        if isinstance(value, str) and self.quote == "`":
            value = value.removesuffix("+00:00")  # the sessions of this server are in UTC
        return "null" if value is None else literal(value) if isinstance(value, str) else str(value)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[postgres.Postgres]:
    with postgres.serve() as server:
        apt(f"postgresql-{server.folder.parent.name}-wal2json")
        yield server


@pytest.fixture(scope="module")
def maria() -> Iterator[mariadb.MariaDb]:
    with mariadb.serve("--default-time-zone=+00:00") as server:
        yield server


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database of the kind that the test asks for."""
    name = f"t{abs(hash(request.node.nodeid)) % 10**12}"
    kind = request.param
    if kind == "postgresql":
        server: postgres.Postgres = request.getfixturevalue("postgresql")
        url = server.create(name)
        return Place(url, lambda sql: server.execute(sql, name), "timestamptz")
    if kind == "mariadb":
        other: mariadb.MariaDb = request.getfixturevalue("maria")
        other.execute(f"create database {name}")
        url = other.url.removesuffix(other.database) + name
        return Place(
            url, lambda *sql: other.execute(f"use {name}", *sql), "timestamp(6)", quote="`"
        )
    file = tmp_path / "work.db"

    def execute(sql: str) -> None:
        with sqlite3.connect(file) as connection:
            connection.execute(sql)
        connection.close()

    return Place(f"sqlite:///{file}", execute, "text")


def on(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("place", kinds, indirect=True)


def mapped(folder: Path, text: str, name: str = "mapping.toml") -> MappingFile:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return MappingFile(path)
