"""Recorded history of Camunda 7: two orders, one mended by a person, as REST gave it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.decoding import Recorded
from ingest.camunda7.rows import part
from ingest.sources.camunda7 import Camunda7

RECORDING = Path(__file__).with_name("camunda7.jsonl")
NODE = "02fc00000001"
"""The end of each id that the engine made in the recording."""


def recorded(events: int) -> Recorded:
    """The recording again and again, with other ids, until it is at least so many events."""
    rows: dict[str, list[str]] = {}
    for text in RECORDING.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        rows.setdefault(line["kind"], []).append(json.dumps(line["row"]))
    source = Camunda7(address="http://recorded/engine-rest")
    once = source.decode(_repeated(rows, 1)).height
    return Recorded(_repeated(rows, -(-events // once)), source.decode)


def _repeated(rows: dict[str, list[str]], times: int) -> bytes:
    parts = []
    for kind, texts in rows.items():
        numbers = range(1 if kind == "element" else times)
        items = [json.loads(_renumbered(text, n)) for n in numbers for text in texts]
        parts.append(part(kind, items))
    return b"".join(parts)


def _renumbered(text: str, number: int) -> str:
    """Other ids for everything but definitions, of which there is one of each."""
    return re.sub(rf"(:1:[0-9a-f-]{{24}})?{NODE}", lambda m: _node(m, number), text)


def _node(found: re.Match[str], number: int) -> str:
    return found[0] if found[1] else f"{number:012d}"
