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

from ingest.otlp.archive import Archive
from ingest.otlp.events import Reading, events_of
from ingest.otlp.json import spans_of_json
from ingest.otlp.limits import limitations_in
from ingest.otlp.protobuf import spans_of_protobuf
from ingest.otlp.spans import SPAN
from ingest.otlp.spool import PROTOBUF, Batch, Spool
from ingest.source import Known, Page, Source

MOST_SPANS = 100_000
"""Spans that are remembered at most, so that later ones of the same traces find their places."""
PATIENCE = 10.0
"""Seconds that a trace waits for its root and for parents; exporters send every five seconds."""
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
    """Traces of which something is missing, and since when."""
    fresh: bool = True
    cursor: int = 0
    patience: float = PATIENCE


@dataclass(frozen=True)
class Received(Source):
    """Spans that a receiver took in; has the name of their files, whose events are the same."""

    name: ClassVar[str] = "otlp"

    spool: Spool
    archive: Archive
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
        limit = time.time() - self.memory.patience
        due = any(since <= limit for since in self.memory.waiting.values())
        return self.memory.fresh or due or self.spool.last() > self.memory.cursor

    def hurry(self) -> None:
        """Wait for nothing any more: nothing will come."""
        self.memory.patience = 0.0

    def forget(self) -> None:
        """Know nothing but the spool, after a load that did not end well."""
        fresh = Memory(patience=self.memory.patience)
        for name, value in vars(fresh).items():
            setattr(self.memory, name, value)

    def pages(self, known: Known) -> Iterator[Page]:
        """The events of what came since, and of traces that it changed."""
        cursor = int(known.cursor or 0)
        if self.memory.fresh:
            self._recall(cursor)
        for batches in self.spool.batches(cursor, self.spool.last()):
            cursor = batches[-1].number
            yield self._page(_spans(batches), cursor)
        if self.memory.waiting:
            yield self._page(_NOTHING, cursor)

    def _recall(self, cursor: int) -> None:
        """Remember what was loaded before this process, and what waited then."""
        frames = [_spans(batches) for batches in self.spool.batches(0, cursor)]
        spans = pl.concat([_NOTHING, *frames]).filter(pl.col("reason").is_null())
        self.memory.fresh = False
        self.memory.cursor = cursor
        self.memory.waiting = dict.fromkeys(self.spool.waiting(), 0.0)
        self.memory.spans = spans

    def _page(self, new: pl.DataFrame, cursor: int) -> Page:
        memory = self.memory
        good = new.filter(pl.col("reason").is_null())
        known = pl.concat([memory.spans, good])
        ready = self._ready(known, set(good["trace_id"].unique()))
        events = self._events(known, ready)
        digests = events.select(
            event=pl.col("event_id").hash(seed=1), content=pl.struct(pl.all()).hash(seed=2)
        )
        is_new = digests.with_row_index().join(memory.said, on=["event", "content"], how="anti")
        events = events[is_new["index"].sort().to_list()]
        self._remember(known, digests)
        memory.cursor = cursor
        # Before the cursor moves: what waits must not count as loaded, whenever this ends.
        self.spool.wait(memory.waiting)

        def acknowledge() -> None:
            self.spool.wait(memory.waiting, only=True)
            self.archive.move(self.spool, cursor, time.time() - self.remember)

        refused = new.filter(pl.col("reason").is_not_null()).select("reason", "record")
        found = limitations_in(events)
        events = pl.concat([events, refused], how="diagonal") if refused.height else events
        return Page(events, cursor, found, acknowledge)

    def _ready(self, known: pl.DataFrame, touched: set[str]) -> set[str]:
        """The traces that are whole, and those that have waited long enough."""
        waiting = self.memory.waiting
        spans = known.filter(pl.col("trace_id").is_in([*touched, *waiting]))
        parents = spans.select("trace_id", parent_span_id="span_id")
        children = spans.drop_nulls("parent_span_id")
        orphans = children.join(parents, on=["trace_id", "parent_span_id"], how="anti")
        rooted = spans.filter(pl.col("parent_span_id").is_null())
        whole = set(rooted["trace_id"].unique()) - set(orphans["trace_id"].unique())
        since = dict(spans.group_by("trace_id").agg(pl.col("received").max()).iter_rows())
        limit = time.time() - self.memory.patience
        for trace in touched:
            waiting.setdefault(trace, since[trace])
        ready = {trace for trace in waiting if trace in whole or waiting[trace] <= limit}
        for trace in ready:
            del waiting[trace]
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
        """Keep the spans of the last minutes, and those of traces that wait."""
        number, total = pl.int_range(pl.len()), known.height
        recent = pl.col("received") >= time.time() - self.remember
        waits = pl.col("trace_id").is_in(list(self.memory.waiting))
        self.memory.spans = known.filter((recent & (number >= total - MOST_SPANS)) | waits)
        said = pl.concat([self.memory.said, digests])
        once = said.unique("event", keep="last", maintain_order=True)
        self.memory.said = once.tail(4 * MOST_SPANS)


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
