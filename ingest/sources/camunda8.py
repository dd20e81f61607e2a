"""Camunda 8."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import polars as pl

from ingest import http
from ingest.camunda8 import events as camunda8_events
from ingest.camunda8 import limits as camunda8_limits
from ingest.camunda8 import login as camunda8_login
from ingest.camunda8.pages import AUDITED, RUNS, Cluster
from ingest.source import OVERLAP, Fetched, Known, Secret, SystemSource
from miner.eventlog.definitions import Definition, Limitation


@dataclass(frozen=True)
class Camunda8(SystemSource):
    """Camunda 8: process instances with their tasks, jobs, incidents and who stepped in."""

    name: ClassVar[str] = "camunda8"

    address: Annotated[str, "address of the Orchestration Cluster, as http://localhost:8080"]
    processes: Annotated[str, "ids of processes to read, joined by commas; all if empty"] = ""
    user: Annotated[str, "user name, where the cluster asks for one"] = ""
    password: Annotated[Secret | None, "password of the user"] = None
    token: Annotated[Secret | None, "access token, instead of a user"] = None
    client_id: Annotated[str, "id of a client that gets its tokens by itself (OAuth)"] = ""
    client_secret: Annotated[Secret | None, "secret of that client"] = None
    token_address: Annotated[str, "where that client gets its tokens"] = ""
    audience: Annotated[str, "audience of these tokens, where one is asked for"] = ""

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """What runs, started or ended since the cursor, then what of the known cases is left."""
        with self._client() as api:
            cluster = Cluster(api, self._processes())
            until, left = _until(known), dict.fromkeys(known.open_cases)
            if cluster.version < AUDITED:
                yield Fetched(b"", None, (camunda8_limits.unaudited(),))
            latest = until
            for runs in cluster.runs(_written(until - OVERLAP) if until else None):
                for run in runs:
                    left.pop(str(run.get("processInstanceKey")), None)
                latest = _latest(latest, runs, "startDate", "endDate")
                until = _latest(until, runs, "startDate")
                yield Fetched(cluster.raw(runs), _cursor(until))
            yield from self._ended_unseen(cluster, list(left))
            if latest:
                yield Fetched(b"", _cursor(latest))

    def _ended_unseen(self, cluster: Cluster, keys: list[str]) -> Iterator[Fetched]:
        """What ended while a long reading was going on, and how many cases are gone."""
        for first in range(0, len(keys), RUNS):
            some = keys[first : first + RUNS]
            runs = cluster.runs_of(some)
            yield Fetched(cluster.raw(runs), None, camunda8_limits.gone(len(some) - len(runs)))

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events in lines that `fetch` gave."""
        return camunda8_events.decode(raw)

    def limitations(self, events: pl.DataFrame, raw: bytes) -> tuple[Limitation, ...]:
        """What the last state of a job does not tell."""
        return camunda8_limits.limitations(events)

    def definitions(self) -> Iterator[Definition]:
        """The BPMN of each deployed version."""
        with self._client() as api:
            for model in Cluster(api, self._processes()).models():
                yield model.definition()

    def _processes(self) -> list[str]:
        return [name.strip() for name in self.processes.split(",") if name.strip()]

    def _client(self) -> AbstractContextManager[http.Client]:
        if self.client_id:
            renew = camunda8_login.tokens(
                self.token_address, self.client_id, self.client_secret or Secret(), self.audience
            )
            return http.client(self.address, token=Secret(renew()), renew=renew)
        basic = (self.user, self.password or Secret()) if self.user else None
        return http.client(self.address, token=self.token, basic=basic)


def _until(known: Known) -> datetime | None:
    told = known.cursor.get("until") if isinstance(known.cursor, dict) else None
    return _instant(told) or known.since


def _cursor(until: datetime | None) -> dict[str, Any] | None:
    return {"until": _written(until)} if until else None


def _latest(before: datetime | None, runs: list[dict[str, Any]], *columns: str) -> datetime | None:
    told = (_instant(run.get(column)) for run in runs for column in columns)
    return max(
        [*(instant for instant in told if instant), *([before] if before else [])], default=None
    )


def _instant(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (found.astimezone(UTC) if found.tzinfo else found).replace(tzinfo=None)


def _written(instant: datetime) -> str:
    return instant.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
