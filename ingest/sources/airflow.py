"""Apache Airflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl

from ingest import http
from ingest.airflow.history import decode
from ingest.airflow.metadata import DatabaseReading
from ingest.airflow.rest import RestReading, token
from ingest.databases import connected
from ingest.databases.errors import shown_address
from ingest.source import Fetched, Known, Secret, SystemSource, options_given
from miner.errors import InputError
from miner.eventlog.definitions import Definition, Limitation

NONE = Secret("")


@dataclass(frozen=True)
class Airflow(SystemSource):
    """Apache Airflow: a case for each run of a DAG, an activity instance for each try of a task.

    Airflow 3 is read by its address or by its metadata database, Airflow 2 by its database.
    """

    name: ClassVar[str] = "airflow"

    address: Annotated[str | None, "address of Airflow 3, like https://airflow.example.com"] = None
    user: Annotated[str | None, "who reads; with a password"] = None
    password: Annotated[Secret, "password of that user"] = NONE
    token: Annotated[Secret, "access token, instead of user and password"] = NONE
    database: Annotated[Secret, "metadata database, like postgresql://user:password@host/db"] = NONE
    dag: Annotated[str | None, "id of the only DAG to read [all]"] = None
    errors: Annotated[bool, "look up in task logs why tries failed; needs the address"] = False

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """Runs that changed since the last time, each with all tries of its tasks."""
        with self._reading(known) as reading:
            yield from reading.fetch()

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events of whole runs."""
        return decode(raw)

    def limitations(self, events: pl.DataFrame, raw: bytes) -> tuple[Limitation, ...]:
        """Reasons of failures stand in task logs only; mapped tasks repeat their activity."""
        if not events.height:
            return ()
        failed = events.filter((pl.col("lifecycle") == "fail") & pl.col("error_type").is_null())
        mapped = events.filter(pl.col("attributes").str.contains('"map_index":', literal=True))
        found = []
        if failed.height:
            text = "Why tries failed stands in task logs only, and was not looked up or found."
            found.append(Limitation("missing-errors", text, ("top_error",), failed.height))
        if mapped.height:
            text = "Mapped tasks are the same activity again in the same run."
            found.append(Limitation("iterations", text, ("rework_rate", "variants"), mapped.height))
        return tuple(found)

    def definitions(self) -> Iterator[Definition]:
        """DAGs per version: serialized ones from the database, sources and tasks by address."""
        with self._reading(Known()) as reading:
            yield from reading.definitions()

    def scope(self) -> str:
        """The address or the database without its password, and what is read from there."""
        shown = options_given(self)
        for each in ("user", "errors"):
            del shown[each]
        if self.database:
            shown["database"] = shown_address(str.__str__(self.database))
        return json.dumps(shown, sort_keys=True)

    @contextmanager
    def _reading(self, known: Known) -> Iterator[RestReading | DatabaseReading]:
        dag = self.dag or "~"
        if bool(self.address) == bool(self.database):
            raise InputError(
                "Either the address of Airflow or its database has to be given.",
                hint="--address https://airflow.example.com, or PROCESSION_AIRFLOW_DATABASE.",
            )
        if self.database:
            if self.errors:
                raise InputError(
                    "Reasons of failures are not in the database.", hint="Give --address."
                )
            with connected(self.database) as database:
                yield DatabaseReading(database, known, dag)
            return
        assert self.address
        renew = self._renewed if self.user else None
        given = Secret(self._renewed()) if renew and not self.token else self.token
        with http.client(f"{self.address.rstrip('/')}/api/v2", token=given, renew=renew) as api:
            yield RestReading(api, known, dag, self.errors)

    def _renewed(self) -> str:
        assert self.address and self.user
        return token(self.address, self.user, self.password)
