"""Reading a Temporal namespace: what closed since the last time, then what runs now."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.source import Fetched
from ingest.temporal.client import Server
from ingest.temporal.protocol import Types, kinds, packed
from ingest.temporal.runs import hidden
from miner.eventlog.definitions import Limitation

PIECE_EVENTS = 25_000
"""Events of history after which a piece is handed on; one run is never divided."""
PIECE_RUNS = 1_000
MANY = 2_000
"""Closed runs in a span of time beyond which the span is halved."""
MOST_FIRSTS = 200_000
"""Runs whose chains are remembered; bounds memory."""
LONGEST = timedelta(days=30)

Run = tuple[str, str]
"""Workflow id and run id."""


@dataclass
class Position:
    """How far a namespace was read, kept between loads as JSON."""

    closed_until: datetime | None = None
    """All that closed before is read, but for what the server shows late."""
    read: dict[str, str] = field(default_factory=dict)
    """Runs that closed shortly before that and are read, with the time they closed."""
    open: dict[str, list[Any]] = field(default_factory=dict)
    """Runs that were open: the workflow's id and how often its state had changed."""

    @classmethod
    def of(cls, cursor: Any) -> Position:
        """The position in a cursor; a new one when there is none."""
        if not cursor:
            return cls()
        return cls(datetime.fromisoformat(cursor["closed_until"]), cursor["read"], cursor["open"])

    def cursor(self) -> dict[str, Any] | None:
        """As a JSON value."""
        if self.closed_until is None:
            return None
        return {
            "closed_until": self.closed_until.isoformat(),
            "read": self.read,
            "open": self.open,
        }

    def moved(self, until: datetime, overlap: timedelta) -> None:
        """All that closed before `until` is read."""
        self.closed_until = until
        since = (until - overlap).isoformat()
        self.read = {run: closed for run, closed in self.read.items() if closed >= since}


@dataclass
class Reading:
    """One pass over a namespace."""

    server: Server
    namespace: str
    query: str
    overlap: timedelta
    position: Position
    firsts: dict[str, str | None] = field(default_factory=dict)
    """The first run of the chain that a run belongs to; null: the run is gone."""
    seen: set[str] = field(default_factory=set)
    """Runs that were open the last time and were read now."""
    types: Types = field(default_factory=Types)

    def pieces(self, since: datetime | None) -> Iterator[Fetched]:
        """Everything that the position does not have; the last piece moves it to now."""
        now = datetime.now(UTC)
        before = dict(self.position.open)
        retention = self.server.retention()
        said = tuple(self._forgotten(now, retention))
        if said:
            yield Fetched(b"", limitations=said)
        start = self.position.closed_until
        begin = start - self.overlap if start else self._oldest(now, since, retention)
        yield from self._closed(begin, now)
        self.position.moved(now, self.overlap)
        yield from self._running()
        yield Fetched(b"", self.position.cursor(), tuple(_gone(self._vanished(before))))

    def _vanished(self, before: dict[str, list[Any]]) -> int:
        """How many runs that were open are neither open nor closed now."""
        missing = sorted(set(before) - set(self.position.open) - self.seen)
        runs = [(str(before[run][0]), run) for run in missing]
        return sum(told is None for told in self.server.descriptions(runs))

    def _oldest(
        self, now: datetime, since: datetime | None, retention: timedelta | None
    ) -> datetime:
        if since:
            return since.replace(tzinfo=UTC) - self.overlap
        kept = min(retention or timedelta(days=3650), timedelta(days=3650))
        return now - kept - timedelta(days=1)

    def _forgotten(self, now: datetime, retention: timedelta | None) -> Iterator[Limitation]:
        """What the namespace no longer keeps."""
        if retention is None:
            return
        until = self.position.closed_until
        days = f"{retention.total_seconds() / 86400:g} days"
        measures = ("cases", "throughput_per_day", "failure_rate")
        if until is None:
            text = f"The namespace keeps closed workflows for {days}; earlier ones cannot be read."
            yield Limitation("retention", text, measures)
        elif until < now - retention:
            text = (
                f"The last load was before what the namespace keeps, {days}: "
                f"workflows that closed in between are lost."
            )
            yield Limitation("retention", text, measures)

    def _closed(self, begin: datetime, end: datetime) -> Iterator[Fetched]:
        """Runs by the time they closed, so that a later run of a case comes after an earlier."""
        step = timedelta(hours=1)
        while begin < end:
            until = min(begin + step, end)
            within = f"CloseTime >= '{_written(begin)}' AND CloseTime < '{_written(until)}'"
            found = list(self.server.executions(self._query(within), MANY + 1))
            if len(found) > MANY and step > timedelta(milliseconds=10):
                step /= 2
                continue
            found = [run for run in found if run.execution.run_id not in self.position.read]
            found.sort(key=lambda run: (run.close_time.ToNanoseconds(), run.execution.run_id))
            for piece in _pieces(found):
                yield self._closed_piece(piece)
            begin = until
            if len(found) < MANY // 4:
                step = min(step * 2, LONGEST)

    def _closed_piece(self, infos: Sequence[Any]) -> Fetched:
        raw, limitations = self._raw([_run(info) for info in infos], {})
        for info in infos:
            closed = info.close_time.ToDatetime(UTC)
            self.position.read[info.execution.run_id] = closed.isoformat()
            if self.position.open.pop(info.execution.run_id, None):
                self.seen.add(info.execution.run_id)
        self.position.moved(infos[-1].close_time.ToDatetime(UTC), self.overlap)
        return Fetched(raw, self.position.cursor(), limitations)

    def _running(self) -> Iterator[Fetched]:
        """Runs that are open, but for those in which nothing happened since the last time."""
        infos = self.server.executions(self._query("ExecutionStatus = 'Running'"))
        still: dict[str, list[Any]] = {}
        for piece in _pieces(infos):
            runs = [_run(info) for info in piece]
            told = dict(zip(runs, self.server.descriptions(runs), strict=True))
            changed = []
            for run, description in told.items():
                if description is None:
                    continue
                state = description.workflow_execution_info.state_transition_count
                if self.position.open.get(run[1], [None, None])[1] != state:
                    changed.append(run)
                still[run[1]] = [run[0], state]
            for runs in _parts(changed, told):
                raw, limitations = self._raw(runs, told)
                yield Fetched(raw, None, limitations)
        self.position.open = still

    def _raw(
        self, runs: Sequence[Run], described: dict[Run, Any]
    ) -> tuple[bytes, tuple[Limitation, ...]]:
        """Lines for `decode`, one a run, and what was not told."""
        lines, counts, gone = [], Counter[str](), 0
        histories = self.server.histories(runs)
        self._find_firsts([history for history in histories if history])
        for run, history in zip(runs, histories, strict=True):
            events = [event for page in history or () for event in page.history.events]
            if not history or not events:
                gone += 1
                continue
            counts.update(kinds(events, self.types))
            began = events[0].workflow_execution_started_event_attributes
            line: dict[str, Any] = {
                "namespace": self.namespace,
                "workflow_id": run[0],
                "run_id": run[1],
                "first_runs": {
                    execution.run_id: self.firsts.get(execution.run_id) or execution.run_id
                    for execution in _relatives(began)
                },
                "history": [packed(page) for page in history],
            }
            if run in described:
                line["pending"] = packed(described[run])
            lines.append(json.dumps(line).encode())
        # Open histories are read again and again: their bookkeeping counts when they are closed.
        told = () if described else hidden(counts)
        return b"\n".join(lines), (*told, *_gone(gone), *self._cut_off(histories))

    def _find_firsts(self, histories: Iterable[Sequence[Any]]) -> None:
        """Ask for the first run of the parents and roots whose chain is not known yet."""
        asked: set[Run] = set()
        if len(self.firsts) > MOST_FIRSTS:
            self.firsts.clear()
        for history in histories:
            began = history[0].history.events[0].workflow_execution_started_event_attributes
            first = began.first_execution_run_id
            own = began.original_execution_run_id
            self.firsts[own] = first
            for execution in _relatives(began):
                asked.add((execution.workflow_id, execution.run_id))
            if first != own:
                parts = began.workflow_id
                asked.add((parts, first))
        wanted = sorted(run for run in asked if run[1] not in self.firsts)
        for run, told in zip(wanted, self.server.descriptions(wanted), strict=True):
            info = told.workflow_execution_info if told else None
            self.firsts[run[1]] = (info.first_run_id or run[1]) if info else None

    def _cut_off(self, histories: Iterable[Sequence[Any] | None]) -> Iterator[Limitation]:
        """Runs whose chain began with one that the server no longer has."""
        cut = 0
        for history in histories:
            if history:
                began = history[0].history.events[0].workflow_execution_started_event_attributes
                first = began.first_execution_run_id
                cut += bool(first and self.firsts.get(first, first) is None)
        if cut:
            text = "Workflows whose first run is no longer kept lack what happened in it."
            yield Limitation("retention", text, ("cycle_time", "attempts", "variants"), cut)

    def _query(self, condition: str) -> str:
        return f"({self.query}) AND {condition}" if self.query else condition


def _gone(runs: int) -> Iterator[Limitation]:
    if runs:
        text = "Workflows that ran at the last load, or were listed, are gone from the server."
        yield Limitation("retention", text, ("cases", "cycle_time"), runs)


def _relatives(began: Any) -> Iterator[Any]:
    for execution in (began.parent_workflow_execution, began.root_workflow_execution):
        if execution.run_id:
            yield execution


def _run(info: Any) -> Run:
    return info.execution.workflow_id, info.execution.run_id


def _pieces(infos: Iterable[Any]) -> Iterator[list[Any]]:
    piece: list[Any] = []
    events = 0
    for info in infos:
        piece.append(info)
        events += info.history_length
        if events >= PIECE_EVENTS or len(piece) >= PIECE_RUNS:
            yield piece
            piece, events = [], 0
    if piece:
        yield piece


def _parts(runs: Sequence[Run], told: dict[Run, Any]) -> Iterator[list[Run]]:
    """Open runs in parts: how long their histories are is only in their descriptions."""
    part: list[Run] = []
    events = 0
    for run in runs:
        part.append(run)
        events += told[run].workflow_execution_info.history_length
        if events >= PIECE_EVENTS:
            yield part
            part, events = [], 0
    if part:
        yield part


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
