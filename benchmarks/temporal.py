"""Histories of Temporal: a recorded order, repeated as workflows of their own."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import polars as pl

from benchmarks.decoding import Recorded
from ingest.sources.temporal import Temporal
from ingest.sources.temporal_history import TemporalHistory

RECORDING = Path(__file__).parent.parent / "tests" / "ingest" / "recorded" / "temporal_order.json"
PIECE = 700
"""Runs of this length that the live source pulls before it hands them on."""


def recorded(events: int) -> Recorded:
    """Lines as the live source pulls them, in messages of the protocol."""
    from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryResponse
    from temporalio.client import WorkflowHistory

    from ingest.temporal.protocol import packed

    def line(text: str, run: str) -> bytes:
        history = WorkflowHistory.from_json(run, text)
        answer = GetWorkflowExecutionHistoryResponse()
        answer.history.events.extend(history.events)
        said = {"namespace": "default", "workflow_id": run, "run_id": run, "first_runs": {}}
        return json.dumps({**said, "history": [packed(answer)]}).encode()

    return Recorded(_copies(events, line), _in_pieces(Temporal().decode))


def recorded_files(events: int) -> Recorded:
    """Histories in JSON, one in each line, as a file of them holds."""

    def decode(raw: bytes) -> pl.DataFrame:
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
            file.write(raw)
            file.flush()
            return pl.concat(TemporalHistory(file.name).frames())

    return Recorded(
        _copies(events, lambda text, _run: json.dumps(json.loads(text)).encode()), decode
    )


def _copies(events: int, line: Callable[[str, str], bytes]) -> bytes:
    text = RECORDING.read_text(encoding="utf-8")
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    of_one = _events(text)
    runs = (str(uuid.UUID(int=number + 1)) for number in range(events // of_one + 1))
    run = started["originalExecutionRunId"]
    return b"\n".join(line(text.replace(run, other), other) for other in runs)


def _events(text: str) -> int:
    from ingest.temporal.runs import decode_objects

    return decode_objects([json.loads(text)["events"]], "default").events.height


def _in_pieces(decode: Callable[[bytes], pl.DataFrame]) -> Callable[[bytes], pl.DataFrame]:
    def decoded(raw: bytes) -> pl.DataFrame:
        lines = raw.splitlines()
        pieces = range(0, len(lines), PIECE)
        return pl.concat(decode(b"\n".join(lines[at : at + PIECE])) for at in pieces)

    return decoded
