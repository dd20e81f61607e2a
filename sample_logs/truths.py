"""Facts about a simulated log, counted while it is made, for tests to find again in the file."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from sample_logs.sample import Value
from sample_logs.simulation import SECOND, Execution

Truth = dict[str, Value]


def by_case(executions: Iterable[Execution]) -> dict[str, list[Execution]]:
    """The executions of each case in order of their start."""
    cases: dict[str, list[Execution]] = defaultdict(list)
    for done in sorted(executions, key=lambda each: (each.started_at, each.completed_at)):
        cases[done.case_id].append(done)
    return cases


def waiting(executions: Iterable[Execution]) -> Counter[str]:
    """Milliseconds waited for each activity: from the last completion before it to its start."""
    waited: Counter[str] = Counter()
    for case in by_case(executions).values():
        ends = sorted(done.completed_at for done in case)
        for done in case:
            before = bisect_right(ends, done.started_at)
            if before:
                waited[done.activity] += done.started_at - ends[before - 1]
    return waited


def bottleneck(waited: Counter[str], measure: str) -> Truth:
    """The activity that waited longest in all, `waited` being in milliseconds."""
    (activity, total), *_ = waited.most_common(1)
    return {
        "kind": "bottleneck",
        "activity": activity,
        "measure": measure,
        "total_waiting_seconds": total / SECOND,
        "share_of_waiting": round(total / waited.total(), 4),
    }


LAST_COMPLETION = "last completion before it in the case, to its start"


def bottleneck_of(executions: Sequence[Execution]) -> Truth:
    """The activity that waited longest in all."""
    return bottleneck(waiting(executions), LAST_COMPLETION)


def slow_resource(executions: Iterable[Execution], resource: str, activity: str) -> Truth:
    """How many times as long as the others `resource` takes for `activity`, by medians."""
    own: list[int] = []
    others: list[int] = []
    for done in executions:
        if done.activity == activity:
            mine = done.resource == resource
            (own if mine else others).append(done.completed_at - done.started_at)
    return {
        "kind": "bad_resource",
        "resource": resource,
        "activity": activity,
        "measure": "median service time",
        "value_seconds": median(own) / SECOND,
        "others_seconds": median(others) / SECOND,
        "factor": round(median(own) / median(others), 2),
    }


def failing_resource(outcomes: Iterable[tuple[str, bool]], resource: str, **more: Value) -> Truth:
    """How much more often attempts of `resource` fail; `outcomes` are (resource, failed)."""
    attempts: Counter[bool] = Counter()
    failures: Counter[bool] = Counter()
    for who, failed in outcomes:
        attempts[who == resource] += 1
        failures[who == resource] += failed
    own, others = failures[True] / attempts[True], failures[False] / attempts[False]
    return {
        "kind": "bad_resource",
        "resource": resource,
        **more,
        "measure": "failed attempts of all attempts",
        "value": round(own, 4),
        "others": round(others, 4),
        "factor": round(own / others, 2),
    }


def rework(cases: Mapping[str, Sequence[str]], activity: str) -> Truth:
    """Cases that did `activity` more than once, and how many executions that was too many."""
    times = [names.count(activity) for names in cases.values()]
    return {
        "kind": "rework",
        "activity": activity,
        "cases": sum(n > 1 for n in times),
        "repetitions": sum(n - 1 for n in times if n > 1),
    }
