"""Recorded runs of Airflow: a retry, mapped tasks, a skip, an approval and a clear in each."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from benchmarks.decoding import Recorded
from ingest.sources.airflow import Airflow

START = datetime(2026, 3, 2)
# Task, map index, try, state, second of its beginning.
TRIES: tuple[tuple[str, int, int, str, int], ...] = (
    ("check", -1, 1, "failed", 0),
    ("check", -1, 2, "success", 10),
    ("pack", 0, 1, "success", 20),
    ("pack", 1, 1, "success", 20),
    ("pack", 2, 1, "success", 20),
    ("choose", -1, 1, "success", 30),
    ("ship", -1, 1, "success", 40),
    ("store", -1, 0, "skipped", 40),
    ("approve", -1, 1, "success", 50),
    ("charge", -1, 1, "failed", 60),
    ("charge", -1, 2, "success", 80),
    ("archive", -1, 1, "success", 90),
)


def recorded(events: int) -> Recorded:
    """Runs with at least so many events after decoding."""
    lines: list[str] = []
    for number in range(events // 35 + 1):
        run, begun = f"run-{number}", START + timedelta(minutes=number)
        of = {"dag_id": "orders", "dag_run_id": run}
        lines.append(_line("run", of | {"state": "success", "run_type": "manual", "version": "2"}))
        for task, index, attempt, state, second in TRIES:
            at = begun + timedelta(seconds=second)
            told = {"task_id": task, "map_index": index, "try_number": attempt, "state": state}
            work = {"hostname": "worker-1", "operator": "PythonOperator", "pool": "default_pool",
                    "queue": "default", "version": "2"}  # fmt: skip
            moments = {
                "scheduled_when": _instant(at),
                "queued_when": _instant(at + timedelta(milliseconds=100)),
                "start_date": _instant(at + timedelta(milliseconds=500)),
                "end_date": _instant(at + timedelta(seconds=4)),
            }
            lines.append(_line("try", of | told | moments | work))
        answered = {"task_id": "approve", "map_index": -1, "try_number": 1, "responded_by": "ada",
                    "created_at": _instant(begun), "responded_at": _instant(begun)}  # fmt: skip
        lines.append(_line("human", of | answered))
        body = json.dumps({"dag_run_id": run, "task_ids": ["charge"], "dry_run": False})
        when = _instant(begun + timedelta(seconds=70))
        clear = {"event_log_id": number, "event": "post_clear_task_instances", "owner": "ada",
                 "dag_id": "orders", "run_id": run, "when": when, "extra": body}  # fmt: skip
        lines.append(_line("action", clear))
    return Recorded("\n".join(lines).encode(), Airflow().decode)


def _line(kind: str, told: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, kind: told})


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="microseconds") + "Z"
