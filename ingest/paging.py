"""Loading from systems that are read in pages: events, cursors and acknowledgements together."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from ingest.source import Known, Page, Source, options_given
from miner.errors import SourceError
from miner.eventlog import cursors, landing
from miner.eventlog.definitions import Limitation
from miner.eventlog.merge import Counts
from miner.eventlog.store import EventStore
from miner.eventlog.writer import Loaded, Progress

PAGE_EVENTS = 100_000
"""Events gathered before they are stored; bounds memory whatever the size of pages."""
PAGE_BYTES = 128 << 20
"""The same for what was pulled, so that large records do not fill the memory."""
PAGE_SECONDS = 20.0
"""Seconds after which what was gathered is stored, so that slow systems show early."""
MOST_PAGES = 1000
"""Pages gathered before they are stored, for systems that answer with little."""
MOST_HELD = 10
"""The same for systems that wait for acknowledgements before they go on."""


@dataclass
class _Load:
    """One load in progress: what is gathered and what was stored."""

    source: Source
    store: EventStore
    process: str
    on_wait: Callable[[float], None] | None
    on_repair: Callable[[str], None] | None
    pages: list[Page] = field(default_factory=list)
    events: int = 0
    size: int = 0
    since: float = field(default_factory=time.monotonic)
    loaded: Loaded | None = None
    idle: Counts = field(default_factory=Counts)
    unkept: list[Limitation] = field(default_factory=list)
    seen: np.ndarray[tuple[int], np.dtype[np.uint64]] = field(
        default_factory=lambda: np.empty(0, np.uint64)
    )

    def add(self, page: Page) -> None:
        """Gather a page; store what was gathered when it is enough."""
        self.pages.append(page)
        self.events += page.events.height
        self.size += len(page.raw or b"")
        most = MOST_HELD if page.acknowledge else MOST_PAGES
        full = self.events >= PAGE_EVENTS or self.size >= PAGE_BYTES or len(self.pages) >= most
        if full or time.monotonic() - self.since > PAGE_SECONDS:
            self.flush(publish=time.monotonic() - self.since > PAGE_SECONDS)

    def flush(self, *, publish: bool) -> None:
        """Store what was gathered, in one transaction with the last cursor, and acknowledge it."""
        pages, self.pages, self.events, self.size = self.pages, [], 0, 0
        self.since = time.monotonic()
        frames = [page.events for page in pages if page.events.width]
        said = [page.cursor for page in pages if page.cursor is not None]
        found = [*self.unkept, *(each for page in pages for each in page.limitations)]
        begun = self.loaded is not None and self.loaded.load_id is not None
        if not any(frame.height for frame in frames) and not said and not (found and begun):
            self.unkept = _summed(found)
            self._acknowledge(pages)
            return
        events = _with_last_status(frames)
        kept = self._keep(pages)
        with self.store.write(
            on_wait=self.on_wait, on_repair=self.on_repair, publish=publish
        ) as writer:
            loaded = writer.append(
                events,
                source=self.source.name,
                process=self.process,
                scope=scope_of(self.source, self.process),
                load_id=self.loaded.load_id if self.loaded else None,
                cursor=json.dumps(said[-1]) if said else None,
                limitations=found,
            )
        if kept and not loaded.touched and not loaded.counts.rejected:
            landing.drop(self.store.folder, kept)
        if loaded.load_id is None:
            self.idle += loaded.counts
        # There is no load yet to keep them with: the next pages may begin one.
        self.unkept = _summed(found) if loaded.load_id is None else []
        self._see(events)
        self.loaded = replace(
            loaded,
            cases=len(self.seen),
            transitions=(self.loaded.transitions if self.loaded else {}) | loaded.transitions,
        )
        self._acknowledge(pages)

    def total(self) -> Loaded:
        """What the load did, pages that brought nothing new included."""
        told = tuple(self.unkept)
        if self.loaded is None:
            nothing = Loaded(self.source.name, self.process, Counts(), 0, 0.0, None, {})
            return replace(nothing, limitations=told)
        if self.loaded.load_id is None:
            return replace(self.loaded, counts=self.idle, limitations=told)
        return replace(self.loaded, counts=self.loaded.counts + self.idle)

    def _keep(self, pages: Sequence[Page]) -> landing.Landed | None:
        raw = [page.raw for page in pages if page.raw]
        if not raw:
            return None
        about = landing.Landed(
            "", f"{self.source.name}.pages", 0, source=self.source.name,
            process=self.process, options=options_given(self.source),
        )  # fmt: skip
        return landing.keep_pages(self.store.folder, raw, about)

    def _see(self, events: pl.DataFrame) -> None:
        """Remember which cases there were, as digests: cases are counted once over all pages."""
        if "case_id" in events.columns:
            key = ["process", "case_id"] if "process" in events.columns else ["case_id"]
            cases = events.drop_nulls("case_id").select(pl.struct(key).hash()).to_series()
            self.seen = np.union1d(self.seen, cases.to_numpy())

    def _acknowledge(self, pages: Sequence[Page]) -> None:
        for page in pages:
            if page.acknowledge:
                page.acknowledge()


def _with_last_status(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """One frame in which a case has the status that was read last."""
    events = pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()
    if "case_status" not in events.columns or "case_id" not in events.columns:
        return events
    key = [name for name in ("process", "case_id") if name in events.columns]
    return events.with_columns(pl.col("case_status").drop_nulls().last().over(key))


def _summed(found: Sequence[Limitation]) -> list[Limitation]:
    """Each statement once, with the events of all its like; unknown when one of them is."""
    first: dict[tuple[str, str], Limitation] = {}
    for each in found:
        key = each.kind, each.text
        known = first.get(key, replace(each, events=0)).events
        both = None if known is None or each.events is None else known + each.events
        first[key] = replace(each, events=both)
    return list(first.values())


def scope_of(source: Source, process: str) -> str:
    """What a cursor is kept for: the system, and the process that its events are loaded into."""
    return json.dumps({"process": process, "system": source.scope()})


def load_pages(
    source: Source,
    store: EventStore,
    process: str,
    *,
    tell: Progress | None = None,
    on_wait: Callable[[float], None] | None = None,
    on_repair: Callable[[str], None] | None = None,
) -> Loaded:
    """Read what is not known yet of a system and keep it; what was read before an error stays."""
    started_at = time.monotonic()
    scope = scope_of(source, process)
    with store.write(on_wait=on_wait, on_repair=on_repair) as writer:
        before = cursors.progress(writer.connection, source.name, scope)
    cursor = json.loads(before.cursor) if before.cursor else None
    known = Known(cursor, before.latest, before.open_cases)
    load = _Load(source, store, process, on_wait, on_repair)
    read = 0
    try:
        for page in source.pages(known):
            read += page.events.height
            load.add(page)
            if tell:
                tell(f"Reading, {read:,} events", 0.0)
        load.flush(publish=False)
        loaded = load.total()
        # Only when there is news: asking for every model in every round would burden the system.
        definitions = [] if loaded.load_id is None else list(source.definitions())
    except SourceError as error:
        load.flush(publish=True)
        with store.write(on_wait=on_wait, on_repair=on_repair):
            pass  # publishes what was stored before the error and not shown yet
        raise _with_kept(error, load.total()) from error
    if loaded.load_id is not None:
        with store.write(on_wait=on_wait, on_repair=on_repair) as writer:
            if definitions:
                writer.define(definitions, source=source.name, process=process)
            loaded = writer.settle(loaded, before.latest)
    return replace(loaded, seconds=time.monotonic() - started_at)


def _with_kept(error: SourceError, loaded: Loaded) -> SourceError:
    """The same error, saying also what was stored before it."""
    if not loaded.counts.read:
        return error
    said = f"{loaded.counts.read:,} events read before that were kept."
    return type(error)(error.message, hint=f"{error.hint} {said}".strip())
