"""Cases held against models for a page: done once, kept, and asked many things."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

import streamlit as st
from duckdb import DuckDBPyConnection

from dashboards.results import Selection, connected, derived
from miner import EventLog, EventStore
from miner.conformance import workflows
from miner.conformance.held import Held, hold
from miner.conformance.workflows import Workflows
from miner.errors import ModelError, StoreError, StoreLockedError

_T = TypeVar("_T")

_AT_ONCE = 0.7
_TICK = 0.3
_LOADING = "Events are being loaded, so what was computed here is not kept."


@dataclass(frozen=True)
class Against:
    """What cases are held against: `own` and `newest` versions, one `version`, or a `file`."""

    kind: Literal["own", "newest", "version", "file"]
    version: str | None = None
    content: bytes = field(default=b"", repr=False)
    """The model itself, of a file."""
    name: str = ""
    """Of the file."""

    def workflows(self, log: EventLog) -> Workflows:
        """The models; raises InputError where there is none that can be used."""
        if self.kind == "own":
            return workflows.own_versions(log)
        if self.kind == "file":
            return self._of_file(log)
        return workflows.of_version(log, self.version if self.kind == "version" else None)

    def _of_file(self, log: EventLog) -> Workflows:
        with TemporaryDirectory() as folder:
            path = Path(folder) / (Path(self.name).name[-80:] or "model")
            path.write_bytes(self.content)
            try:
                return workflows.of_file(log, path)
            except ModelError as error:
                message = error.message.replace(str(path), self.name)
                raise ModelError(message, hint=error.hint) from error


class Holding:
    """A log held against models, in a thread of its own.

    The tables that are laid for it belong to one connection, which one thread may use.
    """

    def __init__(
        self, connection: DuckDBPyConnection, selection: Selection, against: Against
    ) -> None:
        self.share = 0.0
        self.unkept = ""
        """Why what was found is not kept; empty when it is, or nothing was new."""
        self._thread = ThreadPoolExecutor(1, "holding")
        self._held: Future[Held] = self._thread.submit(self._hold, connection, selection, against)

    @property
    def usable(self) -> bool:
        """Whether it is still at work, or came to its end; what failed may be tried again."""
        return not self._held.done() or self._held.exception() is None

    def wait(self, seconds: float) -> bool:
        """Whether the cases are held after at most so long; raises what went wrong."""
        try:
            self._held.result(seconds)
        except TimeoutError:
            if self._held.done():
                raise
            return False
        return True

    def ask(self, question: Callable[..., _T], **arguments: Any) -> _T:
        """What `question(held, **arguments)` says."""
        held = self._held.result()
        return self._thread.submit(question, held, **arguments).result()

    def close(self) -> None:
        """Let go of it; who still waits gets the answer."""
        self._thread.shutdown(wait=False)

    def _hold(self, connection: DuckDBPyConnection, selection: Selection, against: Against) -> Held:
        log = EventLog(connection, selection.process, selection.condition)
        models = against.workflows(log)
        store = EventStore(selection.published.folder)
        if against.kind == "file" or self._is_written(store):
            return hold(log, models, progress=self._told)
        try:
            return hold(log, models, store=store, progress=self._told)
        except StoreLockedError:
            self.unkept = _LOADING
        except StoreError as error:
            self.unkept = f"What was computed here is not kept: {error.message}"
        return hold(log, models, progress=self._told)

    def _is_written(self, store: EventStore) -> bool:
        """Whether somebody writes just now: a page does not wait for them."""
        try:
            with store.lock(wait=0.0):
                return False
        except StoreLockedError:
            self.unkept = _LOADING
        except OSError as error:
            self.unkept = f"What was computed here is not kept: {error.strerror or error}."
        return True

    def _told(self, share: float) -> None:
        self.share = share


def hold_cases(selection: Selection, against: Against) -> None:
    """Hold the cases now, with progress where it takes long; raises MinerError for bad models."""
    found = _holding_of(selection, against)
    if not found.wait(_AT_ONCE):
        place = st.empty()
        with place, st.status("Aligning the cases with the model", expanded=True):
            st.caption("It is done once, and kept: the next time only new cases are aligned.")
            bar = st.progress(0.0)
            while not found.wait(_TICK):
                bar.progress(min(1.0, found.share), text=f"{100 * found.share:.0f} % of the traces")
        place.empty()
    if found.unkept:
        st.caption(found.unkept)


def held_result(
    question: Callable[..., _T], selection: Selection, against: Against, **arguments: Any
) -> _T:
    """What `question(held, **arguments)` says of the cases held; computed at most once an hour."""

    def asked(chosen: Selection, *, against: Against, **given: Any) -> _T:
        return _holding_of(chosen, against).ask(question, **given)

    name = f"{question.__module__}.{question.__qualname__}"
    return derived(asked, selection, _name=name, against=against, **arguments)


def _holding_of(selection: Selection, against: Against) -> Holding:
    key = (selection.published.key, selection.process, selection.condition.to_json())
    found: Holding = _holding(key, against, selection)
    return found


@st.cache_resource(
    show_spinner=False,
    max_entries=4,
    ttl=3600,
    validate=lambda found: found.usable,
    on_release=lambda found: found.close(),
)
def _holding(key: tuple[str, ...], against: Against, _selection: Selection) -> Holding:
    return Holding(connected(_selection.published), _selection, against)
