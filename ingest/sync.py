"""Syncing: the configured sources, read again and again, each going on where it stopped."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from ingest.load import load
from ingest.registry import source_class
from ingest.secrets import secret_of, variable
from ingest.source import Option, Secret, Source, options_of
from miner.errors import (
    InputError,
    MinerError,
    SourceUnavailableError,
    StoreError,
    UnknownNameError,
)
from miner.eventlog.store import EventStore
from miner.eventlog.writer import Loaded

LONGEST_PAUSE = 300.0
"""Most seconds that a source which does not answer is left alone."""


@dataclass(frozen=True)
class Configured:
    """A source as `procession.toml` names it."""

    name: str
    process: str
    source: Source


@dataclass(frozen=True)
class Synced:
    """What one round did for one source: either it loaded, or it failed."""

    name: str
    loaded: Loaded | None
    error: MinerError | None


def configured(tables: Mapping[str, Mapping[str, Any]]) -> list[Configured]:
    """The sources in `[sources.NAME]` tables, in their order.

    Raises UnknownNameError for an unknown source or option, InputError for a value of the wrong
    type, an option that is missing, and a secret that stands in the file.
    """
    return [_configured(name, dict(table)) for name, table in tables.items()]


def rounds(
    sources: Sequence[Configured],
    store: EventStore,
    *,
    every: float | None = None,
    until: Callable[[], bool] = lambda: False,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Synced]:
    """Load each source, once or every so many seconds; yields what each time came of it.

    A source that does not answer is left alone for twice as long each time, up to
    `LONGEST_PAUSE`; the others go on. Interrupted at any moment, the next round goes on where this
    one stopped. Raises StoreError when the store cannot be written.
    """
    pauses = {each.name: _Pause() for each in sources}
    while True:
        started_at = time.monotonic()
        for each in sources:
            if pauses[each.name].over():
                synced = _sync(each, store)
                pauses[each.name].note(synced.error, every or 0.0)
                yield synced
        if every is None or until():
            return
        wait(max(0.0, every - (time.monotonic() - started_at)))
        if until():
            return


@dataclass
class _Pause:
    """How long a source is left alone."""

    failures: int = 0
    ends_at: float = -math.inf

    def over(self) -> bool:
        return time.monotonic() >= self.ends_at

    def note(self, error: MinerError | None, every: float) -> None:
        self.failures = self.failures + 1 if isinstance(error, SourceUnavailableError) else 0
        if self.failures:
            longest = min(LONGEST_PAUSE, max(every, 1.0) * 2.0**self.failures)
            self.ends_at = time.monotonic() + longest * random.uniform(0.5, 1.0)


def _sync(each: Configured, store: EventStore) -> Synced:
    try:
        return Synced(each.name, load(each.source, store, process=each.process), None)
    except StoreError:
        raise
    except MinerError as error:
        return Synced(each.name, None, error)


def _configured(name: str, table: dict[str, Any]) -> Configured:
    kind = table.pop("source", None)
    if not isinstance(kind, str):
        raise InputError(
            f"[sources.{name}] does not say which source it is.",
            hint='Write for example source = "temporal"; `procession sources` lists them.',
        )
    found = source_class(kind)
    process = str(table.pop("process", name))
    options = {option.name: option for option in options_of(found)}
    given = {key.replace("-", "_"): value for key, value in table.items()}
    for key in given:
        if key not in options:
            raise UnknownNameError(f"option of {kind} in [sources.{name}]", key, options)
    values = {key: _typed(name, options[key], value) for key, value in given.items()}
    for option in options.values():
        if issubclass(option.type, Secret):
            secret = secret_of(name, option.name) or secret_of(kind, option.name)
            if secret is not None:
                values[option.name] = secret
    missing = [
        each.name
        for each in fields(found)
        if each.name not in values and each.default is MISSING and each.default_factory is MISSING
    ]
    if missing:
        raise InputError(
            f"[sources.{name}] lacks {missing[0]!r}.", hint=_hint(name, options[missing[0]])
        )
    return Configured(name, process, found(**values))


def _typed(name: str, option: Option, value: Any) -> Any:
    if issubclass(option.type, Secret):
        raise InputError(
            f"{option.name!r} of [sources.{name}] is a secret and does not belong in a file.",
            hint=f"Take it out and set {variable(name, option.name)} in the environment.",
        )
    kind: Any = option.type
    text = issubclass(option.type, str)
    wanted = (int, float) if option.type is float else str if text else option.type
    if isinstance(value, bool) != (option.type is bool) or not isinstance(value, wanted):
        raise InputError(
            f"{option.name!r} of [sources.{name}] cannot be {value!r}.",
            hint=f"It is a {option.type.__name__}: {option.help}.",
        )
    return kind(value) if text else value


def _hint(name: str, option: Option) -> str:
    if issubclass(option.type, Secret):
        return f"Set {variable(name, option.name)} in the environment."
    return f"It says: {option.help}."
