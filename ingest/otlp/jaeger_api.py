"""Jaeger's HTTP API: services, and the traces of a window of time, by the new and the old paths."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingest.http import Client
from ingest.otlp.formats import spans_of
from miner.errors import InputError, SourceRefusedError
from miner.eventlog.definitions import Limitation

FIRST_WINDOW = timedelta(hours=1)
LONGEST_WINDOW = timedelta(hours=24)
SHORTEST_WINDOW = timedelta(milliseconds=1)
"""A window that is no longer than this is not halved any more."""

_TRACE_ID = re.compile(rb'"trace(?:Id|ID)"\s*:\s*"([^"]+)"')
_TRUNCATED = Limitation(
    "truncated",
    "Jaeger has more traces of one millisecond than it gives at once; cases are missing.",
    ("cases", "throughput_per_day"),
)


@dataclass(frozen=True)
class Answered:
    """What was answered about a window of time."""

    raw: bytes
    """One answer per line, one for each service that has traces in the window."""
    traces: int
    """Most traces in one of the answers."""
    end: datetime
    limitations: tuple[Limitation, ...] = ()


class Jaeger:
    """The API of one server; `api` is `v3`, `legacy`, or `auto` to use what the server has."""

    def __init__(self, client: Client, api: str) -> None:
        if api not in ("auto", "v3", "legacy"):
            raise InputError(f"Jaeger has no API {api!r}.", hint="It is one of: auto, v3, legacy.")
        self._client = client
        self._api = api

    def services(self) -> list[str]:
        """The names of the services that have traces, in alphabetical order."""
        if self._api != "legacy":
            try:
                answer = self._client.get("api/v3/services")
                self._api = "v3"
                return _names(answer, "services")
            except SourceRefusedError as error:
                if self._api == "v3" or not _says_404(error):
                    raise
                self._api = "legacy"
        return _names(self._client.get("api/services"), "data")

    def traces(
        self, services: Sequence[str], start: datetime, end: datetime, limit: int
    ) -> Answered:
        """The traces with spans of those services between two instants, at most `limit` of each."""
        answers, most = [], 0
        for service in services:
            answer = self._answer(service, start, end, limit)
            if answer:
                most = max(most, _traces(answer, limit))
                answers.append(answer)
        return Answered(b"\n".join(answers), most, end)

    def _answer(self, service: str, start: datetime, end: datetime, limit: int) -> bytes:
        if self._api == "legacy":
            asked = {"service": service, "start": _micros(start), "end": _micros(end)}
            return _one_line(self._client.get_bytes("api/traces", limit=limit, **asked))
        asked = {
            "query.service_name": service,
            "query.start_time_min": f"{start.isoformat()}Z",
            "query.start_time_max": f"{end.isoformat()}Z",
            "query.num_traces": limit,
            # As the services sent them: Jaeger would move spans to hide that clocks differ.
            "query.raw_traces": "true",
        }
        try:
            return _one_line(self._client.get_bytes("api/v3/traces", **asked))
        except SourceRefusedError as error:
            if _says_404(error):  # so it says that there are none
                return b""
            raise


def windows(
    start: datetime, end: datetime, limit: int, ask: Callable[[datetime, datetime], Answered]
) -> Iterator[Answered]:
    """Answers about the time from `start` to `end` in windows that have less than `limit` traces.

    A window with more is asked for again in halves; where few are found, windows grow.
    """
    length = FIRST_WINDOW
    while start < end:
        until = min(start + length, end)
        answered = ask(start, until)
        full = answered.traces >= limit
        if full and until - start > SHORTEST_WINDOW:
            length = max((until - start) / 2, SHORTEST_WINDOW)
            continue
        if full:
            answered = Answered(answered.raw, answered.traces, until, (_TRUNCATED,))
        yield answered
        start = until
        if answered.traces * 4 < limit:
            length = min(length * 2, LONGEST_WINDOW)


def _names(answer: object, key: str) -> list[str]:
    names = answer.get(key) if isinstance(answer, dict) else None
    if names is None and isinstance(answer, dict):
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SourceRefusedError(
            f"Jaeger answered without a list of services: {str(answer)[:80]!r}.",
            hint="Check that the address is that of Jaeger's query service.",
        )
    return sorted(names)


def _says_404(error: SourceRefusedError) -> bool:
    return " with 404 " in error.message


def _one_line(answer: bytes) -> bytes:
    """An answer without line ends; empty when it says that there are no traces."""
    answer = answer.strip()
    try:
        if any(mark in answer for mark in (b'"resourceSpans"', b'"traceID"')):
            return answer if b"\n" not in answer else _rewritten(answer)
        parsed = json.loads(answer)
        nothing = isinstance(parsed, dict) and not (parsed.get("data") or parsed.get("result"))
    except ValueError:
        nothing = False
    if nothing and ("data" in parsed or "result" in parsed):
        return b""
    raise SourceRefusedError(
        f"Jaeger answered with something that holds no traces: {answer[:60]!r}.",
        hint="Check that the address is that of Jaeger's query service; its API may have changed.",
    )


def _rewritten(answer: bytes) -> bytes:
    try:
        return json.dumps(json.loads(answer), ensure_ascii=False).encode()
    except ValueError:  # several documents, one per line
        return answer


def _traces(answer: bytes, limit: int) -> int:
    """How many traces are in an answer; ids in it are counted only where they may be too many."""
    ids = len(set(_TRACE_ID.findall(answer)))
    return ids if ids < limit else spans_of(answer)["trace_id"].n_unique()


def _micros(instant: datetime) -> int:
    return int(instant.replace(tzinfo=UTC).timestamp() * 1_000_000)
