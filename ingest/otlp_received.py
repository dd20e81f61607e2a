"""What was received as a source: traces are read again as long as more of them comes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import ClassVar

import polars as pl

from ingest.otlp_events import Reading, events_of
from ingest.otlp_json import spans_of_json
from ingest.otlp_limits import limitations_in
from ingest.otlp_protobuf import spans_of_protobuf
from ingest.otlp_spans import SPAN
from ingest.otlp_spool import PROTOBUF, Batch, Spool
from ingest.source import Known, Page, Source

MOST_SPANS = 100_000
"""Spans that are remembered at most, so that later ones of the same traces find their places."""
PATIENCE = 30.0
"""Seconds that a trace waits for its root where the root says which process it is."""
PLACES = 30 * 86400.0
"""Seconds for which it is known where a trace belongs."""

TRACE, CASE = "trace ", "case "
"""What is remembered of traces, which is their case, and of cases, which is their process."""

_NOTHING = pl.DataFrame(schema={**SPAN, "received": pl.Float64()})
_SAID = pl.DataFrame(schema={"event": pl.UInt64(), "content": pl.UInt64()})


@dataclass
class Memory:
    """The spans of the last minutes, what was said of them, and which traces wait."""

    spans: pl.DataFrame = field(default_factory=lambda: _NOTHING)
    said: pl.DataFrame = field(default_factory=lambda: _SAID)
    """Digests of the events that were given, so that nothing is given again without need."""
    waiting: dict[str, float] = field(default_factory=dict)
    """Traces without a root, and since when."""
    fresh: bool = True
    cursor: int = 0


@dataclass(frozen=True)
class Received(Source):
    """Spans that a receiver took in; has the name of their files, whose events are the same."""

    name: ClassVar[str] = "otlp"

    spool: Spool
    reading: Reading
    remember: float
    """Seconds for which spans stay at hand."""
    memory: Memory = field(default_factory=Memory)

    def scope(self) -> str:
        """The spool: a new one starts anew."""
        return json.dumps(["spool", self.spool.name])

    def read(self, since: datetime | None = None) -> Iterator[pl.DataFrame]:
        """All that is in the spool."""
        for page in self.pages(Known()):
            yield page.events

    def pending(self) -> bool:
        """Whether there is anything to load; also once after the start, whatever there is."""
        limit = time.time() - PATIENCE
        due = any(since < limit for since in self.memory.waiting.values())
        return self.memory.fresh or due or self.spool.last() > self.memory.cursor

    def forget(self) -> None:
        """Know nothing but the spool, after a load that did not end well."""
        fresh = Memory()
        for name in ("spans", "said", "waiting", "fresh", "cursor"):
            setattr(self.memory, name, getattr(fresh, name))

    def pages(self, known: Known) -> Iterator[Page]:
        """The events of what came since, and of traces that it changed."""
        cursor = int(known.cursor or 0)
        new = _NOTHING
        if self.memory.fresh:
            self.memory.fresh = False
            for batches in self.spool.batches(0, cursor):
                new = pl.concat([new, _spans(batches)])
        for batches in self.spool.batches(cursor, self.spool.last()):
            new = pl.concat([new, _spans(batches)])
            cursor = batches[-1].number
            yield self._page(new, cursor)
            new = _NOTHING
        if new.height or self.memory.waiting:
            yield self._page(new, cursor)

    def _page(self, new: pl.DataFrame, cursor: int) -> Page:
        memory = self.memory
        bad = new.filter(pl.col("reason").is_not_null())
        known = pl.concat([memory.spans, new.filter(pl.col("reason").is_null())])
        touched = set(new["trace_id"].drop_nulls().unique())
        if self.reading.workflow:
            touched = self._ready(known, touched)
        events = self._events(known, touched)
        digests = events.select(
            event=pl.col("event_id").hash(seed=1), content=pl.struct(pl.all()).hash(seed=2)
        )
        is_new = digests.with_row_index().join(memory.said, on=["event", "content"], how="anti")
        events = events[is_new["index"].sort().to_list()]
        self._remember(known, digests)
        memory.cursor = cursor
        if bad.height:
            refused = bad.select("reason", "record")
            events = pl.concat([events, refused], how="diagonal")
        return Page(
            events,
            cursor,
            limitations_in(events),
            lambda: self.spool.forget(cursor, time.time() - self.remember),
        )

    def _ready(self, known: pl.DataFrame, touched: set[str]) -> set[str]:
        """The traces whose root has come, and those that have waited for it long enough."""
        now, waiting = time.time(), self.memory.waiting
        candidates = touched | set(waiting)
        is_root = pl.col("parent_span_id").is_null() & pl.col("trace_id").is_in(list(candidates))
        ready = set(known.filter(is_root)["trace_id"].unique())
        ready |= {
            key.removeprefix(TRACE) for key in self.spool.places([TRACE + t for t in candidates])
        }
        for trace in candidates - ready:
            if waiting.setdefault(trace, now) < now - PATIENCE:
                ready.add(trace)
        for trace in ready:
            waiting.pop(trace, None)
        return ready

    def _events(self, known: pl.DataFrame, touched: set[str]) -> pl.DataFrame:
        """The events of some traces and of those that belong to the same cases."""
        events = self._read(known, touched)
        cases = events.filter(pl.col("case_id") != pl.col("instance_id").str.slice(0, 32))
        if cases.height:
            keys = self.spool.keys(cases["case_id"].unique().to_list())
            others = {key.removeprefix(TRACE) for key in keys} - touched
            if others and known["trace_id"].is_in(list(others)).any():
                events = self._read(known, touched | others)
        return self._placed(events)

    def _read(self, known: pl.DataFrame, traces: set[str]) -> pl.DataFrame:
        spans = known.filter(pl.col("trace_id").is_in(list(traces)))
        return events_of(spans.drop("received"), self.reading)

    def _placed(self, events: pl.DataFrame) -> pl.DataFrame:
        """The same events in the cases and processes that their traces were in before.

        Spans that do not say their case come when those that do may be forgotten already.
        """
        trace = pl.col("instance_id").str.slice(0, 32)
        traces = events.select(trace.unique())["instance_id"].to_list()
        cases = self.spool.places([TRACE + each for each in traces])
        known_case = (TRACE + trace).replace_strict(cases, default=None, return_dtype=pl.String())
        alone = pl.col("case_id") == trace
        events = events.with_columns(
            case_id=pl.when(alone).then(pl.coalesce(known_case, "case_id")).otherwise("case_id")
        )
        found = events.filter(pl.col("case_id") != trace).select(key=TRACE + trace, value="case_id")
        if self.reading.workflow:
            ids = events["case_id"].unique().to_list()
            processes = self.spool.places([CASE + each for each in ids])
            known_process = (CASE + pl.col("case_id")).replace_strict(
                processes, default=None, return_dtype=pl.String()
            )
            events = events.with_columns(process=pl.coalesce(known_process, "process"))
            named = events.drop_nulls("process")
            found = pl.concat(
                [found, named.select(key=CASE + pl.col("case_id"), value="process"),
                 events.select(key=TRACE + trace, value="case_id")]
            )  # fmt: skip
        if found.height:
            once = found.unique("key", keep="first", maintain_order=True)
            self.spool.place(dict(once.iter_rows()), before=time.time() - PLACES)
        return events

    def _remember(self, known: pl.DataFrame, digests: pl.DataFrame) -> None:
        limit = time.time() - self.remember
        kept = known.filter(pl.col("received") >= limit)
        if self.memory.waiting:
            waits = pl.col("trace_id").is_in(list(self.memory.waiting))
            kept = known.filter((pl.col("received") >= limit) | waits)
        self.memory.spans = kept.tail(MOST_SPANS)
        said = pl.concat([self.memory.said, digests]).unique(
            "event", keep="last", maintain_order=True
        )
        self.memory.said = said.tail(4 * MOST_SPANS)


def _spans(batches: list[Batch]) -> pl.DataFrame:
    """The spans in batches, with the instant at which each was received."""
    frames = [_NOTHING]
    for (kind, received), same in groupby(batches, key=lambda each: (each.kind, each.received)):
        bodies = [each.body for each in same]
        if kind == PROTOBUF:
            # Messages one after the other are one message with all that is in them.
            spans = spans_of_protobuf(b"".join(bodies))
        else:
            lines = [body.decode("utf-8", errors="replace") for body in bodies]
            spans = spans_of_json(pl.Series("line", lines, dtype=pl.String))
        frames.append(spans.with_columns(received=pl.lit(received)))
    return pl.concat(frames)
