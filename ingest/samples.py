"""The sample logs, brought into a store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from ingest.load import load
from ingest.registry import source_class
from miner.eventlog.store import EventStore
from miner.eventlog.writer import Loaded, Progress
from sample_logs.catalogue import SampleLog, catalogue


def load_samples(
    store: EventStore,
    progress: Callable[[str], AbstractContextManager[Progress]],
    tell: Callable[[str], None],
) -> list[str]:
    """Load every sample log; the names of their processes, in the order of the catalogue.

    `progress` makes a progress bar for a name, `tell` gets a sentence per log. Loading them again
    adds nothing.
    """
    for sample in catalogue():
        with progress(sample.process) as bar:
            tell(_sentence(sample, _load(sample, store, bar)))
    return [sample.process for sample in catalogue()]


def _load(sample: SampleLog, store: EventStore, bar: Progress) -> Loaded:
    source = source_class(sample.source)(path=sample.path, **sample.options)  # type: ignore[call-arg]
    return load(source, store, process=sample.process, tell=bar)


def _sentence(sample: SampleLog, loaded: Loaded) -> str:
    counts = loaded.counts
    return (
        f"{sample.process}: {counts.read:,} events read, {counts.new:,} new, "
        f"{counts.duplicate:,} known, {counts.rejected:,} rejected"
    )
