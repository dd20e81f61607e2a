"""Procession: what can be said about a process from its events.

    from miner import EventStore, directly_follows
    log = EventStore("procession-store").log("orders")
    directly_follows(log)

Names are imported when they are first used, so that starting a command stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from miner.discovery.activities import activities
    from miner.discovery.directly_follows import directly_follows, path_frequencies
    from miner.discovery.variants import variants
    from miner.eventlog.filters import Condition, LogFilter
    from miner.eventlog.honesty import limitations
    from miner.eventlog.log import EventLog
    from miner.eventlog.quality import log_quality
    from miner.eventlog.store import EventStore
    from miner.organization.handover import handovers
    from miner.performance.bottlenecks import bottlenecks
    from miner.performance.cases import case, cases
    from miner.performance.failures import error_types, failures
    from miner.performance.processes import processes
    from miner.performance.rework import rework
    from miner.performance.summary import summary
    from miner.performance.times import (
        activity_times,
        case_times,
        cycle_time_distribution,
        resource_idle_times,
        resource_times,
    )

_WHERE = {
    "Condition": "miner.eventlog.filters",
    "EventLog": "miner.eventlog.log",
    "EventStore": "miner.eventlog.store",
    "LogFilter": "miner.eventlog.filters",
    "activities": "miner.discovery.activities",
    "activity_times": "miner.performance.times",
    "bottlenecks": "miner.performance.bottlenecks",
    "case": "miner.performance.cases",
    "case_times": "miner.performance.times",
    "cases": "miner.performance.cases",
    "cycle_time_distribution": "miner.performance.times",
    "directly_follows": "miner.discovery.directly_follows",
    "error_types": "miner.performance.failures",
    "failures": "miner.performance.failures",
    "handovers": "miner.organization.handover",
    "limitations": "miner.eventlog.honesty",
    "log_quality": "miner.eventlog.quality",
    "path_frequencies": "miner.discovery.directly_follows",
    "processes": "miner.performance.processes",
    "resource_idle_times": "miner.performance.times",
    "resource_times": "miner.performance.times",
    "rework": "miner.performance.rework",
    "summary": "miner.performance.summary",
    "variants": "miner.discovery.variants",
}

__all__ = [
    "Condition",
    "EventLog",
    "EventStore",
    "LogFilter",
    "activities",
    "activity_times",
    "bottlenecks",
    "case",
    "case_times",
    "cases",
    "cycle_time_distribution",
    "directly_follows",
    "error_types",
    "failures",
    "handovers",
    "limitations",
    "log_quality",
    "path_frequencies",
    "processes",
    "resource_idle_times",
    "resource_times",
    "rework",
    "summary",
    "variants",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'miner' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
