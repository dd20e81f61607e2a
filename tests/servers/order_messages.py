"""What messages tell of orders, with known numbers of attempts, failures, people and versions."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from ingest.source import Known, Source
from miner.eventlog.store import EventStore
from tests.commands import answer
from tests.conftest import ROOT
from tests.servers.waiting import LIMIT

MAPPING = """\
case = "order"
activity = "step"
timestamp = "at"
lifecycle = "phase"
instance_id = "order || '/' || step || '/' || attempt"
attempt = "attempt"
resource = "worker"
resource_kind = "case when worker = 'ann' then 'human' else 'system' end"
error_type = "error"
process_version = "release"
case_status = "verdict"

[attributes]
amount = "amount"
"""

ORDERS, EVENTS = 20, 150
"""What the tests begin with: ten of each twenty orders are odd in some way."""
_BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)


def told(first: int = 0, count: int = ORDERS) -> Iterator[dict[str, Any]]:
    """What is said about orders, in the order of time within each.

    Ann creates each. The charge of each fifth fails twice and then succeeds; the charge of each
    last of ten fails twice, and with it the order. From the twelfth on, release v2 packs as well.
    """
    for number in range(first, first + count):
        at = _BEGIN + timedelta(minutes=number)
        fails = 2 if number % 5 == 0 or number % 10 == 9 else 0
        lost = number % 10 == 9
        tries = [("Charge", n, n <= fails) for n in range(1, fails + (1 if lost else 2))]
        after = ["Ship"] if number < 12 else ["Pack", "Ship"]
        steps = [
            ("Create", 1, False),
            *tries,
            *(() if lost else ((name, 1, False) for name in after)),
        ]
        for i, (step, attempt, failed) in enumerate(steps):
            for phase in ("start", "fail" if failed else "complete"):
                at += timedelta(seconds=10)
                last = i == len(steps) - 1 and phase != "start"
                yield {
                    "order": f"o{number}",
                    "step": step,
                    "phase": phase,
                    "at": at.isoformat(timespec="milliseconds"),
                    "attempt": attempt,
                    "worker": "ann" if step == "Create" else "bot",
                    "error": "CardDeclined" if phase == "fail" else None,
                    "release": "v1" if number < 12 else "v2",
                    "verdict": ("failed" if lost else "completed") if last else "running",
                    "amount": number / 4,
                }


def holds_the_known_numbers(folder: Path, process: str) -> None:
    """What the command line says about the first orders is what was told about them."""
    found = answer(folder, "summary", process)
    assert (found["cases"], found["events"], found["failed_cases"]) == (ORDERS, EVENTS, 2)
    failures = {row["activity"]: row for row in answer(folder, "failures", process)}
    columns = ("attempts", "failed_attempts", "retries", "recovered", "top_error")
    assert {name: tuple(row[each] for each in columns) for name, row in failures.items()} == {
        "Create": (20, 0, 0, 0, None),
        "Charge": (30, 12, 10, 4, "CardDeclined"),
        "Pack": (7, 0, 0, 0, None),
        "Ship": (18, 0, 0, 0, None),
    }
    variants = {
        " ".join(row["activities"]): row["cases"] for row in answer(folder, "variants", process)
    }
    assert variants == {
        "Create Charge Ship": 8,
        "Create Charge Charge Charge Ship": 3,
        "Create Charge Charge": 2,
        "Create Charge Pack Ship": 6,
        "Create Charge Charge Charge Pack Ship": 1,
    }
    assert answer(folder, "summary", process, "--version", "v2")["cases"] == 8
    people = events_in(EventStore(folder / "store"), process).filter(pl.col("kind") == "human")
    assert people.select(pl.col("activity").unique(), pl.len()).rows() == [("Create", 40)]


def events_in(store: EventStore, process: str) -> pl.DataFrame:
    """All events of a process, in an order that does not depend on how they were loaded."""
    return store.log(process).query(
        """
        select
            event_id, case_id, activity, lifecycle, timestamp, attempt, error_type,
            resource_kind as kind
        from event
        order by all
        """,
        pl.Schema(
            {
                "event_id": pl.String(), "case_id": pl.String(), "activity": pl.String(),
                "lifecycle": pl.String(), "timestamp": pl.Datetime("us"), "attempt": pl.Int32(),
                "error_type": pl.String(), "kind": pl.String(),
            }
        ),
    )  # fmt: skip


def rows(source: Source, cursor: Any = None) -> list[dict[str, Any]]:
    """What is read after a cursor, rejected rows too."""
    return [row for page in source.pages(Known(cursor)) for row in page.events.to_dicts()]


def kinds(source: Source, cursor: Any = None) -> dict[str, int | None]:
    """What reading says about what is missing, and how much that is."""
    return {
        each.kind: each.events for page in source.pages(Known(cursor)) for each in page.limitations
    }


def cursor_after(source: Source) -> Any:
    """The cursor when everything was read."""
    return list(source.pages(Known()))[-1].cursor


def killed_while_loading(store: Path, after: int, *command: str) -> None:
    """Run `procession load` with small transactions, and kill it when `after` of them are done.

    It may be done before it is killed if there is not that much to load; that is an error.
    """
    code = (
        "from ingest import paging; from ingest.rabbitmq import reading as rabbitmq_reading\n"
        "paging.PAGE_EVENTS, paging.MOST_HELD, rabbitmq_reading.PAGE = 500, 1, 300\n"
        "from miner.__main__ import main; main()"
    )
    environment = [sys.executable, "-c", code, "load", *command, "--store", str(store)]
    process = subprocess.Popen(
        environment, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        limit = time.monotonic() + LIMIT
        landed = store / "landing"
        while len(list(landed.glob("**/*"))) < after:
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < limit
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL


def example_on(page: str) -> str:
    """The example configuration on the page of a source."""
    text = (ROOT / "docs" / "sources" / page).read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(\[sources\..*?)```", text, re.DOTALL)
    return str(block)
