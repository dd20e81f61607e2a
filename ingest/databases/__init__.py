"""SQL databases: rows of a query as frames, in bounded memory, read-only.

PostgreSQL is read through its ADBC driver and a cursor on the server, all others through
SQLAlchemy with a driver that streams. A query has named parameters, `:since`; values are bound,
never pasted into the text.
"""

from __future__ import annotations

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl

from ingest.databases.errors import failure, translated
from ingest.databases.frames import distinct, from_arrow, from_rows, is_known
from ingest.databases.queries import PARAMETER, numbered, one_statement, only_known
from ingest.sql import identifier
from miner.errors import InputError, MissingPackageError, SourceRefusedError, SourceUnavailableError

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection
    from sqlalchemy.engine import URL, Connection, CursorResult

    from ingest.source import Secret

BATCH_ROWS = 100_000
CONNECT_SECONDS = 15
TRIES = 3
"""How often a connection is tried before a database counts as away."""

DRIVERS = {
    "mysql": ("mysql+pymysql", "pymysql", "sql"),
    "mariadb": ("mariadb+pymysql", "pymysql", "sql"),
    "sqlite": ("sqlite+pysqlite", "sqlite3", "sql"),
    "mssql": ("mssql+pymssql", "pymssql", "mssql"),
    "oracle": ("oracle+oracledb", "oracledb", "oracle"),
}
"""For each kind of database: SQLAlchemy's name of the driver, its package, and our extra."""

MYSQL_TIMESTAMP = 7
"""Type code of columns that hold instants, which the session's zone makes UTC."""


def frames(
    url: str | Secret,
    query: str,
    *,
    batch: int = BATCH_ROWS,
    parameters: Mapping[str, Any] | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield the rows of `query` in frames of at most `batch` rows; none if there are no rows.

    `url` is like `postgresql://user:password@host/database`, `mysql://`, `mariadb://`,
    `sqlite:///file`, `mssql://`, `oracle://` or any that SQLAlchemy has a driver for. `parameters`
    are the values of `:name` in the query; a value keeps its type, so a text that stands for a time
    needs a cast. Columns are in the order of the query with the types of the database: instants are
    UTC with a zone, times without one stay as they are, numbers of more digits than a double keeps
    are text, and so is whatever Polars has no type for. Types may differ between frames where the
    database has none (SQLite).

    Raises SourceRefusedError when the database says no, SourceUnavailableError when it is away,
    InputError when a package is missing. No message has the password in it.
    """
    with connected(url) as database:
        yield from database.frames(query, batch=batch, parameters=parameters)


@contextmanager
def connected(url: str | Secret, *, read_only: bool = True) -> Iterator[Database]:
    """A connection to a database with one transaction, which is rolled back if it is read-only."""
    given = str.__str__(url)
    kind = given.split(":")[0].split("+")[0].lower()
    opened: Database
    if kind in ("postgresql", "postgres"):
        opened = PostgresDatabase(given, read_only)
    else:
        opened = AlchemyDatabase(given, kind, read_only)
    try:
        yield opened
    finally:
        opened.close()


class Database(ABC):
    """An open connection; use it through `connected`."""

    kind: str
    """`postgresql`, `mysql`, `mariadb`, `sqlite`, …"""

    @abstractmethod
    def frames(
        self, query: str, *, batch: int = BATCH_ROWS, parameters: Mapping[str, Any] | None = None
    ) -> Iterator[pl.DataFrame]:
        """The rows of a query, as the function `frames` describes."""

    @abstractmethod
    def quoted(self, name: str) -> str:
        """The name of a table or column as it stands in a query."""

    @abstractmethod
    def commit(self) -> None:
        """Make what was done last; the next query begins another transaction."""

    @abstractmethod
    def close(self) -> None:
        """End the connection."""

    def rows(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        """All rows of a small answer, as tuples."""
        found = self.frames(query, parameters=parameters)
        return [row for frame in found for row in frame.iter_rows()]


class PostgresDatabase(Database):
    """PostgreSQL through ADBC, and a cursor on the server that gives some rows at a time."""

    kind = "postgresql"

    def __init__(self, url: str, read_only: bool) -> None:
        dbapi = _imported("adbc_driver_postgresql.dbapi", "adbc-driver-postgresql", "sql")
        address = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)
        if "connect_timeout=" not in address:
            joint = "&" if "?" in address else "?"
            address += f"{joint}connect_timeout={CONNECT_SECONDS}"
        self._url = url
        self._read_only = read_only
        self._connection: AdbcConnection = _connected(lambda: dbapi.connect(address), url)
        self._begun = False

    def frames(
        self, query: str, *, batch: int = BATCH_ROWS, parameters: Mapping[str, Any] | None = None
    ) -> Iterator[pl.DataFrame]:
        """The rows of a query, as the function `frames` describes."""
        text, values = numbered(one_statement(query), parameters or {})
        with translated(self._url):
            self._begin()
            wanted = self._with_known_types(text)
            self._execute(f"declare rows_read no scroll cursor for {wanted}", values)
        try:
            while True:
                with translated(self._url):
                    found = from_arrow(self._fetch(f"fetch {int(batch)} from rows_read"))
                if found.height:
                    yield found
                if found.height < batch:
                    break
        finally:
            self._closed_cursor()

    def quoted(self, name: str) -> str:
        """The name of a table or column as it stands in a query."""
        return identifier(name)

    def commit(self) -> None:
        """Make what was done last; the next query begins another transaction."""
        with translated(self._url):
            self._connection.commit()
        self._begun = False

    def close(self) -> None:
        """End the connection."""
        with translated(self._url):
            if self._read_only:
                self._connection.rollback()
            self._connection.close()

    def _begin(self) -> None:
        if self._begun:
            return
        if self._read_only:
            self._execute("set transaction isolation level repeatable read, read only")
        self._execute("set local time zone 'UTC'")
        self._begun = True

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, tuple(values) or None)

    def _fetch(self, statement: str) -> Any:
        plain = {"adbc.postgresql.use_copy": False}
        with self._connection.cursor(adbc_stmt_kwargs=plain) as cursor:
            cursor.execute(statement)
            return cursor.fetch_arrow_table()

    def _closed_cursor(self) -> None:
        """Free the name for the next query; a transaction that failed has freed it already."""
        import adbc_driver_manager as adbc

        try:
            self._execute("close rows_read")
        except adbc.Error:
            self._connection.rollback()
            self._begun = False

    def _with_known_types(self, query: str) -> str:
        """The query with what the driver has no type for as text."""
        with self._connection.cursor() as cursor:
            schema = cursor.adbc_execute_schema(query)
        if all(is_known(field.type) for field in schema):
            return query
        if len(set(schema.names)) < len(schema.names):
            raise SourceRefusedError(
                "The query has two columns of the same name.", hint="Give them names with AS."
            )
        names = [identifier(field.name) for field in schema]
        chosen = [
            name if is_known(field.type) else f"{name}::text as {name}"
            for name, field in zip(names, schema, strict=True)
        ]
        return f"select {', '.join(chosen)} from ({query}\n) as asked"


class AlchemyDatabase(Database):
    """Any database that SQLAlchemy has a driver for."""

    def __init__(self, url: str, kind: str, read_only: bool) -> None:
        alchemy = _imported("sqlalchemy", "sqlalchemy", "sql")
        address = self._address(alchemy, url, kind)
        self.kind = address.get_backend_name()
        self._url = url
        self._read_only = read_only
        self._text = alchemy.text
        timeouts = {"mysql": "connect_timeout", "mariadb": "connect_timeout", "mssql": "timeout"}
        engine = alchemy.create_engine(
            address,
            poolclass=importlib.import_module("sqlalchemy.pool").NullPool,
            hide_parameters=True,
            connect_args={timeouts[kind]: CONNECT_SECONDS} if kind in timeouts else {},
        )
        self._connection: Connection = _connected(engine.connect, url)
        try:
            with translated(url):
                self._settle()
        except BaseException:
            self.close()
            raise

    def frames(
        self, query: str, *, batch: int = BATCH_ROWS, parameters: Mapping[str, Any] | None = None
    ) -> Iterator[pl.DataFrame]:
        """The rows of a query, as the function `frames` describes."""
        named = {match["name"] for match in PARAMETER.finditer(query)}
        values = {key: value for key, value in (parameters or {}).items() if key in named}
        statement = self._text(only_known(one_statement(query), values))
        streaming = self._connection.execution_options(stream_results=True, max_row_buffer=batch)
        with translated(self._url):
            result = streaming.execute(statement, values)
        try:
            zoned = self._instants(result)
            names = distinct(list(result.keys())) if result.returns_rows else []
            while names:
                with translated(self._url):
                    found = result.fetchmany(batch)
                if not found:
                    break
                yield from_rows(found, names, zoned)
        finally:
            with translated(self._url):
                result.close()

    def quoted(self, name: str) -> str:
        """The name of a table or column as it stands in a query."""
        return self._connection.dialect.identifier_preparer.quote_identifier(name)

    def commit(self) -> None:
        """Make what was done last; the next query begins another transaction."""
        with translated(self._url):
            self._connection.commit()

    def close(self) -> None:
        """End the connection."""
        with translated(self._url):
            if self._read_only:
                self._connection.rollback()
            self._connection.close()

    def _address(self, alchemy: Any, url: str, kind: str) -> URL:
        try:
            address: URL = alchemy.make_url(url)
        except (alchemy.exc.ArgumentError, ValueError) as error:
            raise SourceRefusedError(
                "The address of the database cannot be read.",
                hint="Write it like postgresql://user:password@host:5432/database; characters with "
                "a meaning in addresses have to be encoded, @ as %40.",
            ) from error
        if kind in DRIVERS:
            driver, package, extra = DRIVERS[kind]
            if "+" not in address.drivername:
                address = address.set(drivername=driver)
                _imported(package, package, extra)
        if kind == "sqlite":
            return _sqlite(address)
        try:
            address.get_dialect().import_dbapi()
        except alchemy.exc.NoSuchModuleError as error:
            raise SourceRefusedError(
                f"There is no driver for addresses that begin with {address.drivername}://.",
                hint=f"Known without more: postgresql, {', '.join(DRIVERS)}.",
            ) from error
        except ImportError as error:
            raise InputError(
                f"{address.drivername}:// needs a package that is not there: {error.name}.",
                hint=f"Install it: pip install {error.name}",
            ) from error
        return address

    def _settle(self) -> None:
        """UTC, and read-only where the database knows that."""
        if self.kind in ("mysql", "mariadb"):
            self._connection.execute(self._text("set time_zone = '+00:00'"))
            if self._read_only:
                self._connection.execute(self._text("set session transaction read only"))
                self._connection.rollback()  # what comes next begins a new one
        elif self.kind == "oracle":
            self._connection.execute(self._text("alter session set time_zone = 'UTC'"))
            if self._read_only:
                self._connection.rollback()
                self._connection.execute(self._text("set transaction read only"))

    def _instants(self, result: CursorResult[Any]) -> set[int]:
        """The columns of naive times that are UTC because the session is."""
        described = result.cursor.description if result.cursor is not None else None
        if self.kind not in ("mysql", "mariadb") or not described:
            return set()
        return {i for i, column in enumerate(described) if column[1] == MYSQL_TIMESTAMP}


def _imported(module: str, package: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError("Reading this database", package, extra) from error


def _connected(connect: Any, url: str) -> Any:
    """An open connection; one that is refused is not tried again."""
    import tenacity

    def once() -> Any:
        try:
            return connect()
        except Exception as error:  # each driver has errors of its own
            raise failure(error, url) from None

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(SourceUnavailableError),
        stop=tenacity.stop_after_attempt(TRIES),
        wait=tenacity.wait_exponential(multiplier=0.3, max=5),
        reraise=True,
    )(once)


def _sqlite(address: URL) -> URL:
    path = Path(address.database or "")
    if not path.is_file():
        raise SourceRefusedError(
            f"There is no SQLite database {str(path)!r}.",
            hint="Write sqlite:///relative/path or sqlite:////absolute/path.",
        )
    quoted = quote(str(path.resolve()))
    return address.set(database=f"file:{quoted}").update_query_dict({"mode": "ro", "uri": "true"})
