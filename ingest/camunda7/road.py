"""Camunda 7: the two roads to its history, the REST interface and the database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from miner.eventlog.definitions import Definition, Limitation


@dataclass(frozen=True)
class Instances:
    """Some process instances, as they were when they were read."""

    ids: tuple[str, ...]
    raw: bytes
    """A line with what is known of each."""
    latest: datetime | None = None
    """UTC: when the last of them began; null where they are in no order of time."""
    definitions: tuple[str, ...] = ()
    """Ids of the definitions they ran on, one per instance."""


class Road(ABC):
    """A way to read the history of an engine; nothing is changed there."""

    @abstractmethod
    def started(self, after: datetime | None) -> Iterator[Instances]:
        """Instances that began at `after` (UTC) or later, the first to begin first."""

    @abstractmethod
    def begun_before(self, before: datetime, *, finished_after: datetime) -> Iterator[Instances]:
        """Instances that began earlier and ended since, in no order."""

    @abstractmethod
    def unfinished_before(self, before: datetime) -> Iterator[Instances]:
        """Instances that began earlier and still run, in no order."""

    @abstractmethod
    def known(self, ids: Sequence[str]) -> Iterator[Instances]:
        """The instances of these ids that the engine still knows."""

    @abstractmethod
    def history(self, instances: Instances) -> bytes:
        """Lines with all that is recorded of these instances."""

    @abstractmethod
    def definitions(self) -> Iterator[Definition]:
        """The text of each version of each process."""

    def limitations(self, after: datetime | None) -> Iterator[Limitation]:
        """What this engine does not tell, as far as it shows; of operations since then."""
        if not self._shows("process-instance"):
            yield NOTHING
            return
        if not self._shows("activity-instance"):
            yield NO_ACTIVITIES
        if not self._shows("job-log") and not self._shows("external-task-log"):
            yield NO_JOB_LOG
        if not self._shows("user-operation"):
            yield NO_OPERATIONS
        if number := self._bulk_operations(after):
            yield bulk_retries(number)
        if self._removes():
            yield REMOVAL

    @abstractmethod
    def _shows(self, kind: str) -> bool:
        """Whether there is any row of this kind of history."""

    @abstractmethod
    def _bulk_operations(self, after: datetime | None) -> int:
        """How many operations on many cases at once there were since then."""

    @abstractmethod
    def _removes(self) -> bool:
        """Whether the history of some case has a time at which it is removed."""


NO_JOB_LOG = Limitation(
    "missing-attempts",
    "The engine shows no log of jobs or external tasks: its history level is below FULL, or this "
    "user may not read them. Failed attempts are then known only where an incident tells of one.",
    ("retry_rate", "failure_rate", "first_pass_yield"),
)
NO_OPERATIONS = Limitation(
    "hidden",
    "The engine shows no operations of people: its history level is below FULL, this user may not "
    "read them, or it does not ask who people are. What a person mended cannot be told from what "
    "the engine tried again.",
    ("interventions", "rework_rate"),
)
NOTHING = Limitation(
    "hidden",
    "The engine shows no cases: none ran, its history level is NONE, or this user may not read "
    "them; it does not say which.",
    (),
)
NO_ACTIVITIES = Limitation(
    "hidden",
    "The engine shows cases but no activities, or this user may not read them.",
    ("cycle_time", "waiting_time", "service_time"),
)
REMOVAL = Limitation(
    "retention",
    "The engine removes the history of cases some time after they end; those removed before the "
    "first load are missing.",
    ("throughput", "cycle_time"),
)


def bulk_retries(number: int) -> Limitation:
    """What is said about operations on many cases at once."""
    return Limitation(
        "hidden",
        "Operations of people on many cases at once do not say which cases they changed; they are "
        "no interventions here.",
        ("interventions",),
        number,
    )


def vanished(number: int) -> Limitation:
    """What is said about cases that were running and that the engine no longer knows."""
    return Limitation(
        "retention",
        f"{number:,} cases were running when last read, and the engine knows them no longer; how "
        "they ended is not known.",
        ("cycle_time", "throughput"),
        number,
    )
