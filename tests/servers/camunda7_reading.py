"""Reading Camunda 7 in tests: what is compared, and an engine that goes away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import polars as pl

from ingest.source import Fetched, Known
from ingest.sources.camunda7 import Camunda7
from miner.errors import SourceUnavailableError
from miner.eventlog.store import EventStore


class Breaking(Camunda7):
    """The engine goes away after some pages."""

    def __init__(self, pages_given: int, **options: Any) -> None:
        super().__init__(**options)
        object.__setattr__(self, "left", pages_given)

    def fetch(self, known: Known) -> Iterator[Fetched]:
        for number, fetched in enumerate(super().fetch(known)):
            if number == getattr(self, "left", 0):
                raise SourceUnavailableError("the engine went away")
            yield fetched


def story(events: pl.DataFrame) -> Counter[tuple[Any, ...]]:
    """What happened, without times and ids."""
    columns = ("activity", "lifecycle", "attempt", "resource", "process_version", "error_message")
    return Counter(events.select(columns).iter_rows())


def events_in(store: EventStore) -> pl.DataFrame:
    """All events, without what differs between two stores by design."""
    names = "process, case_id, event_id, activity, instance_id, lifecycle, timestamp, position, "
    return events_of(store, names + "attempt, resource, process_version, error_message")


def events_of(store: EventStore, names: str) -> pl.DataFrame:
    """Some columns of all events."""
    found = store.read().sql(f"select {names} from event order by event_id").pl()
    return found.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))
