"""Any API that answers with JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from time import monotonic
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import polars as pl

from ingest.databases.cursor import Position
from ingest.mapping import MappingFile
from ingest.mapping.file import read_document
from ingest.rest.request import Request, request_of
from ingest.source import Fetched, Known, Secret, SystemSource
from miner.errors import InputError, SourceError
from miner.eventlog.definitions import Limitation

NO_SECRET = Secret("")
GATHERED = 2_000
GATHERED_SECONDS = 10.0
"""Records, and seconds, after which what was read is taken over."""
MILLISECOND_DIGITS = 12
"""Numbers of so many digits count milliseconds since 1970."""


@dataclass(frozen=True)
class RestApi(SystemSource):
    """Any JSON API: a file says what to ask, how it pages, and what the answers mean."""

    name: ClassVar[str] = "rest"

    mapping: Annotated[MappingFile, "mapping file with a [request]"]
    secret: Annotated[Secret, "token, password, key or client secret"] = NO_SECRET
    address: Annotated[str, "scheme, host and port of the API, if not as in the file"] = ""
    timeout: Annotated[float, "seconds to wait for an answer"] = 30.0

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """Yield the records of each page as JSON lines; the cursor moves when all were read."""
        from ingest.rest.client import pages

        request = self._request()
        MappingFile(self.mapping).mapping("request")
        position = Position.from_json(known.cursor)
        params = self._since(request, position)
        for records in _gathered(pages(request, self.secret, params, self.timeout)):
            position = _after(records, request.field, position)
            lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
            yield Fetched(lines.encode())
        if request.field:
            yield Fetched(b"", position and position.to_json(), self._said(request))

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events in records, one JSON object per line."""
        return MappingFile(self.mapping).mapping("request").events(raw)

    def scope(self) -> str:
        """The address, and the file that says what is asked there."""
        return json.dumps({"address": self._request().url, "mapping": str(self.mapping)})

    def _request(self) -> Request:
        document = read_document(self.mapping)
        document.refuse_tables(besides=("request",))
        request = request_of(document)
        if not self.address:
            return request
        authentication = dict(request.authentication)
        if "token_url" in authentication:
            authentication["token_url"] = self._moved(authentication["token_url"])
        url = self._moved(request.url)
        return replace(request, url=url, authentication=authentication)

    def _moved(self, url: str) -> str:
        new = urlsplit(self.address)
        if new.scheme not in ("http", "https") or not new.netloc:
            raise InputError(
                f"--address {self.address!r} is no address.", hint="Write https://host:port."
            )
        return urlunsplit((new.scheme, new.netloc, *urlsplit(url)[2:]))

    def _since(self, request: Request, position: Position | None) -> dict[str, Any]:
        """The parameter that asks for what is new."""
        if position is None or not request.incremental:
            return {}
        overlap = request.incremental["overlap"]
        if position.kind == "number" and len(position.value) >= MILLISECOND_DIGITS:
            overlap *= 1000
        start = position.start(overlap)
        return {request.incremental["param"]: _written(start, request.incremental["format"])}

    def _said(self, request: Request) -> tuple[Limitation, ...]:
        text = (
            f"Records that got their {request.incremental['field']} more than "
            f"{request.incremental['overlap']:g} seconds before they could be seen are missing."
        )
        return (Limitation("late", text, ("cycle_time", "waiting_time")),)


def _gathered(pages: Iterator[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """Small pages together; also what came before a failure."""
    held: list[dict[str, Any]] = []
    begun = monotonic()
    try:
        for page in pages:
            held += page
            if len(held) >= GATHERED or monotonic() - begun > GATHERED_SECONDS:
                yield held
                held, begun = [], monotonic()
    except SourceError:
        if held:
            yield held
        raise
    if held:
        yield held


def _after(
    records: list[dict[str, Any]], field: tuple[str, ...], before: Position | None
) -> Position | None:
    """The position after these records."""
    if not field:
        return None
    values = [_inside(record, field) for record in records]
    known = [value for value in values if isinstance(value, str | int | float)]
    if not known:
        return before
    if all(isinstance(value, str) for value in known):
        instants = [_instant(str(value)) for value in known]
        if all(instants):
            return Position.after(pl.Series(".".join(field), instants), before, None)
    return Position.after(pl.Series(".".join(field), known), before, None)


def _inside(record: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        record = record.get(step) if isinstance(record, dict) else None
    return record


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _written(value: Any, form: str) -> Any:
    """A value as the API wants it."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(), UTC)
    if not isinstance(value, datetime):
        return value
    if form == "iso":
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if form in ("seconds", "milliseconds"):
        return int(value.timestamp() * (1000 if form == "milliseconds" else 1))
    return value.strftime(form)
