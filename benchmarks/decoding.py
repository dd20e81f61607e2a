"""How many events a second each mapping makes of recorded bytes, on one core.

    python -m benchmarks.decoding [SYSTEM ...]

Each system decodes recorded bytes of at least `EVENTS` events; the best of three runs counts, in
seconds of one core. The table goes to stdout as Markdown.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

EVENTS = 200_000
TARGET = 50_000
RUNS = 3


@dataclass(frozen=True)
class Recorded:
    """Recorded bytes and what makes events of them."""

    raw: bytes
    decode: Callable[[bytes], pl.DataFrame]


SYSTEMS: dict[str, str] = {
    "airflow": "benchmarks.airflow:recorded",
    "otlp-json": "benchmarks.opentelemetry:recorded",
    "otlp-protobuf": "benchmarks.opentelemetry:recorded_protobuf",
    "jaeger-legacy": "benchmarks.opentelemetry:recorded_jaeger",
    "temporal": "benchmarks.temporal:recorded",
    "temporal-history": "benchmarks.temporal:recorded_files",
    "step-functions": "benchmarks.step_functions:recorded",
    "camunda7": "benchmarks.camunda7:recorded",
    "camunda8": "benchmarks.camunda8:recorded",
    "zeebe-records": "benchmarks.camunda8:recorded_records",
    "kafka": "benchmarks.recorded_messages:kafka",
    "kafka-avro": "benchmarks.recorded_messages:kafka_avro",
    "rabbitmq": "benchmarks.recorded_messages:rabbitmq",
    "csv with a mapping": "benchmarks.mapping:csv",
    "rest": "benchmarks.mapping:rest",
    "sql": "benchmarks.mapping:sql",
    "sql-changes": "benchmarks.mapping:sql_changes",
}
"""Module and function that record a system: `recorded(events: int) -> Recorded`."""


def main(names: list[str]) -> None:
    # One core: the engines look at it when they start.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("| mapping | MB | events | seconds of one core | events a second | target |")
    print("|---|---|---|---|---|---|")
    for name, place in SYSTEMS.items():
        if not names or name in names:
            module, function = place.split(":")
            recorded = getattr(importlib.import_module(module), function)(EVENTS)
            print(_row(name, recorded), flush=True)


def _row(name: str, recorded: Recorded) -> str:
    best, events = float("inf"), 0
    for _ in range(RUNS):
        started = time.process_time()
        events = recorded.decode(recorded.raw).height
        best = min(best, time.process_time() - started)
    rate = events / best
    reached = "reached" if rate >= TARGET else "**not reached**"
    size = len(recorded.raw) / 1e6
    return f"| {name} | {size:.1f} | {events:,} | {best:.2f} | {rate:,.0f} | {TARGET:,} {reached} |"


if __name__ == "__main__":
    main(sys.argv[1:])
