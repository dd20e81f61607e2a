"""Camunda 7, Operaton and CIB seven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar
from urllib.parse import urlsplit, urlunsplit

import polars as pl

from ingest.source import OVERLAP, Fetched, Known, Secret, SystemSource
from miner.errors import InputError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ingest.camunda7.road import Instances, Road
    from miner.eventlog.definitions import Definition

NOTHING = Secret("")


@dataclass(frozen=True)
class Camunda7(SystemSource):
    """Process instances of Camunda 7, Operaton or CIB seven, by REST or out of their database."""

    name: ClassVar[str] = "camunda7"

    address: Annotated[str, "address of the REST interface, as http://host:8080/engine-rest"] = ""
    user: Annotated[str, "user of the REST interface, if it asks for one"] = ""
    password: Annotated[Secret, "password of that user"] = NOTHING
    token: Annotated[Secret, "bearer token, where a proxy asks for one"] = NOTHING
    database: Annotated[
        Secret, "address of the database with user and password, to read it instead"
    ] = NOTHING
    timezone: Annotated[str, "time zone that the engine runs in, for the database"] = "UTC"
    definition: Annotated[str, "key of the only process to read; all if empty"] = ""
    gateways: Annotated[bool, "whether gateways are activities too"] = False

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """Yield whole cases: those that ran when last read, those that ended and began since."""
        from ingest.camunda7.road import vanished

        begun = datetime.fromisoformat(known.cursor["started"]) if known.cursor else known.since
        after = begun - OVERLAP if begun else None
        read: set[str] = set()
        with self._road() as road:
            yield Fetched(b"", limitations=tuple(road.limitations(after)))
            for instances in road.known(known.open_cases):
                read |= set(instances.ids)
                yield Fetched(road.history(instances))
            if gone := len(known.open_cases) - len(read):
                yield Fetched(b"", limitations=(vanished(gone),))
            for instances in self._overlooked(road, known, after, read):
                yield Fetched(road.history(instances))
            for instances in road.started(after):
                assert instances.latest is not None
                yield Fetched(
                    road.history(instances), cursor={"started": instances.latest.isoformat()}
                )

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events in lines of history; a pure function."""
        from ingest.camunda7.mapping import events_of

        return events_of(raw, gateways=self.gateways)

    def definitions(self) -> Iterator[Definition]:
        """Yield the BPMN of each version of each process, as it was deployed."""
        with self._road() as road:
            yield from road.definitions()

    def scope(self) -> str:
        """The engine and the process that is read of it, whoever reads it."""
        place = _without_password(self.address.rstrip("/") or self.database)
        return json.dumps({"engine": place, "definition": self.definition})

    def _overlooked(
        self, road: Road, known: Known, after: datetime | None, read: set[str]
    ) -> Iterator[Instances]:
        """Cases that began before reading goes on, and were not known to be running."""
        if after is None:
            return
        unseen = [road.begun_before(after, finished_after=after)]
        if not known.cursor:
            unseen.append(road.unfinished_before(after))
        for each in unseen:
            for instances in each:
                if not set(instances.ids) <= read:
                    yield instances

    @contextmanager
    def _road(self) -> Iterator[Road]:
        if bool(self.address) == bool(self.database):
            raise InputError(
                "Camunda 7 is read at an address or out of a database.",
                hint="Give either --address or the address of the database in "
                "PROCESSION_CAMUNDA7_DATABASE.",
            )
        if self.database:
            from ingest.camunda7.sql import SqlRoad
            from ingest.databases import connected

            zone = _zone(self.timezone)
            with connected(self.database) as database:
                yield SqlRoad(database, zone, self.definition or None)
            return
        from ingest import http
        from ingest.camunda7.rest import RestRoad

        basic = (self.user, self.password) if self.user else None
        with http.client(self.address, token=self.token or None, basic=basic) as api:
            name = _without_password(self.address)
            yield RestRoad(api, name, self.definition or None)


def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(
            f"There is no time zone {name!r}.", hint="Give one as Europe/Berlin or UTC."
        ) from error


def _without_password(url: str) -> str:
    parts = urlsplit(str.__str__(url))
    host = parts.netloc.rsplit("@", 1)[-1]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
