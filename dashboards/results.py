"""Results of analyses, computed once per snapshot, process and filter."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import streamlit as st
from duckdb import DuckDBPyConnection

from miner import EventLog, EventStore, LogFilter
from miner.eventlog import snapshots
from miner.eventlog.snapshots import Snapshot
from miner.settings import settings

_T = TypeVar("_T")

_SECONDS_KEPT = 3600
_RESULTS_KEPT = 500
_BYTES_KEPT = "300MB"

_here = threading.local()


@dataclass(frozen=True)
class Published:
    """The state of a store that one run of a page looks at."""

    folder: Path
    snapshot: Snapshot

    @property
    def key(self) -> str:
        """What tells this state from all others."""
        return str(self.snapshot.path(self.folder))


@dataclass(frozen=True)
class Selection:
    """The cases that a page shows: those of a process that meet a filter, in one snapshot."""

    published: Published
    process: str
    condition: LogFilter = field(default_factory=LogFilter)


def published() -> Published | None:
    """The newest state of the store, null when nothing was published yet.

    Raises StoreCorruptError when it cannot be found.
    """
    folder = Path(settings().store).absolute()
    snapshot = snapshots.current(folder)
    return None if snapshot is None else Published(folder, snapshot)


def result_of(analysis: Callable[..., _T], selection: Selection, **arguments: Any) -> _T:
    """What `analysis` says about the selected cases; a copy, computed at most once an hour."""

    def asked(chosen: Selection, **given: Any) -> _T:
        return analysis(_log(chosen), **given)

    return derived(asked, selection, _name=_name_of(analysis), **arguments)


def files_of(
    selection: Selection, *analyses: Callable[[EventLog], pl.DataFrame]
) -> dict[str, Callable[[], pl.DataFrame]]:
    """For each analysis its CSV file, computed when somebody asks for it."""
    return {
        f"{analysis.__name__}.csv": partial(result_of, analysis, selection) for analysis in analyses
    }


def derived(
    function: Callable[..., _T], selection: Selection, *, _name: str = "", **arguments: Any
) -> _T:
    """`function(selection, **arguments)`, computed at most once an hour.

    For what is made of several results or takes long to draw.
    """
    condition = selection.condition.to_json()
    found: _T = _cached(
        _name or _name_of(function),
        (selection.published.key, selection.process, condition),
        tuple(sorted(arguments.items())),
        _compute=lambda: function(selection, **arguments),
    )
    return found


def of_store(
    question: Callable[[DuckDBPyConnection], _T], state: Published, **arguments: Any
) -> _T:
    """What `question` says about the whole store."""
    found: _T = _cached(
        _name_of(question),
        (state.key,),
        tuple(sorted(arguments.items())),
        _compute=lambda: question(_connection(state.key, state).cursor(), **arguments),
    )
    return found


def connected(state: Published) -> DuckDBPyConnection:
    """A connection to that state, for who makes a cursor of it in a thread of their own."""
    return _connection(state.key, state)


@st.cache_data(
    show_spinner=False, ttl=_SECONDS_KEPT, max_entries=_RESULTS_KEPT, max_size=_BYTES_KEPT
)
def _cached(
    name: str, where: tuple[str, ...], arguments: tuple[Any, ...], _compute: Callable[[], Any]
) -> Any:
    return _compute()


@st.cache_resource(show_spinner=False, max_entries=2)
def _connection(key: str, _state: Published) -> DuckDBPyConnection:
    return EventStore(_state.folder).read(_state.snapshot)


def _log(selection: Selection) -> EventLog:
    """The log of the selection, made once per thread: one run asks several things of it."""
    if getattr(_here, "selection", None) != selection:
        state = selection.published
        connection = _connection(state.key, state)
        _here.log = EventLog(connection, selection.process, selection.condition)
        _here.selection = selection
    log: EventLog = _here.log
    return log


def _name_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
