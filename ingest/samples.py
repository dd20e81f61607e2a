"""The sample logs, brought into a store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, time

from ingest.load import load
from ingest.registry import source_class
from miner.eventlog.definitions import Definition
from miner.eventlog.store import EventStore
from miner.eventlog.writer import Loaded, Progress
from sample_logs.catalogue import SampleLog, catalogue


def load_samples(
    store: EventStore,
    progress: Callable[[str], AbstractContextManager[Progress]],
    tell: Callable[[str], None],
) -> list[str]:
    """Load every sample log and the workflows it was modelled as.

    Returns the names of their processes, in the order of the catalogue. `progress` makes a progress
    bar for a name, `tell` gets a sentence per log. Loading them again adds nothing.
    """
    for sample in catalogue():
        with progress(sample.process) as bar:
            tell(_sentence(sample, _load(sample, store, bar)))
        with store.write() as writer:
            writer.define(_definitions(sample), source=sample.source, process=sample.process)
    return [sample.process for sample in catalogue()]


def _load(sample: SampleLog, store: EventStore, bar: Progress) -> Loaded:
    source = source_class(sample.source)(path=sample.path, **sample.options)  # type: ignore[call-arg]
    return load(source, store, process=sample.process, tell=bar)


def _definitions(sample: SampleLog) -> list[Definition]:
    return [
        Definition(
            sample.process,
            model.version,
            "bpmn",
            model.path.read_text(encoding="utf-8"),
            datetime.combine(model.valid_from, time()) if model.valid_from else None,
            model.path.stem,
        )
        for model in sample.models
    ]


def _sentence(sample: SampleLog, loaded: Loaded) -> str:
    counts = loaded.counts
    return (
        f"{sample.process}: {counts.read:,} events read, {counts.new:,} new, "
        f"{counts.duplicate:,} known, {counts.rejected:,} rejected"
    )
