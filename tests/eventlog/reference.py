"""Pairing, order and times of a case in plain Python: what the SQL must equal."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

Event = dict[str, Any]

ENDINGS = {
    "complete": "completed",
    "fail": "failed",
    "timeout": "timed_out",
    "cancel": "cancelled",
    "skip": "skipped",
}
PHASES = {"scheduled": 1, "assigned": 1, "start": 2, "suspend": 3, "resume": 3}
ZERO = timedelta()


@dataclass
class Instance:
    """One execution of an activity."""

    activity: str
    events: list[Event] = field(default_factory=list)
    suspended: timedelta = ZERO
    number: int = 0
    next_activity: str | None = None
    repetition: str | None = None
    rework: bool = False
    waiting_time: timedelta | None = None

    def at(self, phase: int) -> datetime | None:
        """When it entered a phase: first scheduled or started, last ended."""
        instants: list[datetime] = [e["timestamp"] for e in self.events if phase_of(e) == phase]
        if not instants:
            return None
        return max(instants) if phase == 4 else min(instants)

    @property
    def position(self) -> int:
        """Where its last event stands in the source."""
        return max(int(e["position"]) for e in self.events)

    @property
    def status(self) -> str:
        ends = [e for e in self.events if phase_of(e) == 4]
        if ends:
            return ENDINGS[ends[-1]["lifecycle"]]
        return "running" if self.at(2) else "scheduled"

    @property
    def attempt(self) -> int | None:
        return max((e["attempt"] for e in self.events if e["attempt"]), default=None)

    @property
    def resource(self) -> str | None:
        named = [e for e in self.events if e["resource"]]
        named.sort(key=lambda e: (phase_of(e), e["timestamp"]))
        return named[-1]["resource"] if named else None

    @property
    def service_time(self) -> timedelta | None:
        start, end = self.at(2), self.at(4)
        return end - start - self.suspended if start and end and start <= end else None


def phase_of(event: Event) -> int:
    """Scheduling before starting before suspending before ending, at the same instant."""
    return PHASES.get(event["lifecycle"], 4)


def instances_of(events: list[Event]) -> list[Instance]:
    """The activity instances of one case, in its order."""
    found: list[Instance] = []
    groups: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda e: (e["timestamp"], phase_of(e), e["position"])):
        if event["lifecycle"] != "retry":
            groups[event["activity"], event["instance_id"] or ""].append(event)
    for (activity, instance_id), group in groups.items():
        pair = _together if instance_id else _queued
        found += pair(activity, group)
    found.sort(key=_in_case)
    for number, instance in enumerate(found, start=1):
        instance.number = number
    for one, other in pairwise(found):
        one.next_activity = other.activity
    _wait(found)
    _repeat(found, events)
    return found


def _in_case(instance: Instance) -> tuple[Any, ...]:
    end = instance.at(4)
    if end:
        return (0, end, instance.position)
    began = instance.at(2) or instance.at(1)
    return (1, began or datetime.max, instance.position)


def _queued(activity: str, group: list[Event]) -> list[Instance]:
    """First in, first out: what is scheduled first starts first, what starts first ends first."""
    found: list[Instance] = []
    scheduled: list[Instance] = []
    running: list[Instance] = []
    started: list[Instance] = []
    early: list[tuple[Event, timedelta]] = []
    assigned: list[Event] = []

    def new(*events: Event) -> Instance:
        found.append(Instance(activity, list(events)))
        return found[-1]

    for event, later in zip(group, [*group[1:], None], strict=True):
        phase = phase_of(event)
        if event["lifecycle"] == "scheduled":
            scheduled.append(new(*assigned, event))
            assigned = []
        elif phase == 1:
            (scheduled[-1].events if scheduled else assigned).append(event)
        elif phase == 2:
            instance = scheduled.pop(0) if scheduled else new(*assigned)
            assigned = [] if instance.events[:1] == assigned[:1] else assigned
            instance.events.append(event)
            running.append(instance)
            started.append(instance)
        elif phase == 3:
            pause = later["timestamp"] - event["timestamp"] if later else ZERO
            pause = pause if event["lifecycle"] == "suspend" else ZERO
            if started:
                started[-1].events.append(event)
                started[-1].suspended += pause
            else:
                early.append((event, pause))
        else:
            if running:
                instance = running.pop(0)
            else:
                instance = scheduled.pop(0) if scheduled else new(*assigned)
                assigned = [] if instance.events[:1] == assigned[:1] else assigned
            instance.events.append(event)
    if assigned:
        new(*assigned)
    if early:
        first = started[0] if started else new()
        first.events += [event for event, _ in early]
        first.suspended += sum((pause for _, pause in early), ZERO)
    return found


def _together(activity: str, group: list[Event]) -> list[Instance]:
    """What shares an id: the n-th start, the n-th end and what is scheduled for the n-th start."""
    found: dict[int, Instance] = defaultdict(lambda: Instance(activity))
    schedules = starts = ends = 0
    for event, later in zip(group, [*group[1:], None], strict=True):
        phase = phase_of(event)
        schedules += event["lifecycle"] == "scheduled"
        starts += phase == 2
        ends += phase == 4
        nth = {1: max(schedules, starts + 1), 2: starts, 3: max(starts, 1), 4: ends}[phase]
        found[nth].events.append(event)
        if event["lifecycle"] == "suspend" and later:
            found[nth].suspended += later["timestamp"] - event["timestamp"]
    return list(found.values())


def _wait(found: list[Instance]) -> None:
    ends = [end for end in (instance.at(4) for instance in found) if end]
    for before, instance in pairwise(found):
        start, end = instance.at(2), before.at(4)
        if start is None:
            continue
        if end and end <= start:
            instance.waiting_time = start - end
        else:
            earlier = [moment for moment in ends if moment <= start]
            instance.waiting_time = start - max(earlier) if earlier else None


def _repeat(found: list[Instance], events: list[Event]) -> None:
    last: dict[str, Instance] = {}
    done: set[str] = set()
    ordered = {id(instance) for instance in _ordered_by_people(found, events)}
    for instance in found:
        before = last.get(instance.activity)
        if id(instance) in ordered:
            instance.repetition = "intervention"
        elif instance.attempt is not None:
            instance.repetition = "retry" if instance.attempt > 1 else None
        elif before is not None and before.status in ("failed", "timed_out"):
            instance.repetition = "retry"
        last[instance.activity] = instance
        if instance.status != "scheduled":
            instance.rework = instance.repetition is None and instance.activity in done
            done.add(instance.activity)


def _ordered_by_people(found: list[Instance], events: list[Event]) -> list[Instance]:
    """Of each activity the first instance that opens after a person ordered it, per order."""
    orders = [e for e in events if e["lifecycle"] == "retry" and e["resource_kind"] == "human"]
    first: dict[tuple[str, int], Instance] = {}
    for instance in sorted(found, key=lambda i: (_opened(i)[0], i.position)):
        before = sum(
            e["activity"] == instance.activity
            and (e["timestamp"], e["position"]) < _opened(instance)
            for e in orders
        )
        if before:
            first.setdefault((instance.activity, before), instance)
    return list(first.values())


def _opened(instance: Instance) -> tuple[datetime, int]:
    return min((e["timestamp"], e["position"]) for e in instance.events)


def active_time(found: list[Instance]) -> timedelta | None:
    """The time during which at least one instance ran; null when nothing has a start and an end."""
    spans = sorted(
        (start, end)
        for start, end in ((i.at(2), i.at(4)) for i in found)
        if start and end and start <= end
    )
    if not spans:
        return None
    total, reached = ZERO, spans[0][0]
    for start, end in spans:
        total += max(end - max(start, reached), ZERO)
        reached = max(reached, end)
    return total
