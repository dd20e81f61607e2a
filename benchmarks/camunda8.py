"""Camunda 8: recorded orders, as records of the exporter and as answers of the searches."""

from __future__ import annotations

import gzip
import re
import tempfile
from pathlib import Path

from benchmarks.decoding import Recorded
from ingest.camunda8 import events as camunda8_events
from ingest.zeebe import decoding as zeebe_decoding

RECORDING = Path(__file__).parent.parent / "tests" / "ingest" / "recorded" / "zeebe_orders.jsonl.gz"
_KEY = re.compile(rb"\b(?:2251799813|4503599627)\d{6}\b")
_DEFINITION = re.compile(rb'"processDefinitionKey":\s*"?(\d+)')


def recorded_records(events: int) -> Recorded:
    """Records of the exporter; what was deployed stands in front of the runs, once."""
    lines = gzip.decompress(RECORDING.read_bytes()).splitlines(keepends=True)
    deployed = [line for line in lines if b'"valueType":"PROCESS"' in line]
    others = b"".join(
        line for line in lines if b'"valueType"' in line and b'"DEPLOYMENT"' not in line
        and line not in deployed
    )  # fmt: skip
    raw = b"".join(deployed) + _copies(others, events, zeebe_decoding.decode(others).height)
    return Recorded(raw, zeebe_decoding.decode)


def recorded(events: int) -> Recorded:
    """Items as the live source pulls them, runs and what belongs to them together."""
    from ingest.source import Known
    from ingest.sources.camunda8 import Camunda8
    from tests.servers.camunda8_search import searchable

    with tempfile.NamedTemporaryFile() as file:
        file.write(gzip.decompress(RECORDING.read_bytes()))
        file.flush()
        with searchable(Path(file.name)) as search:
            pulled = [each.raw for each in Camunda8(search.address).fetch(Known())]
    lines = b"\n".join(raw for raw in pulled if raw).splitlines(keepends=True)
    models = [line for line in lines if b'"kind": "element"' in line]
    others = b"".join(line for line in lines if line not in models).rstrip() + b"\n"
    of_one = camunda8_events.decode(b"".join(lines)).height
    raw = b"".join(line.rstrip() + b"\n" for line in models) + _copies(others, events, of_one)
    return Recorded(raw, camunda8_events.decode)


def _copies(raw: bytes, events: int, of_one: int) -> bytes:
    """The same runs again under keys of their own."""
    kept = set(_DEFINITION.findall(raw))

    def moved(found: re.Match[bytes], by: int) -> bytes:
        return found[0] if found[0] in kept else b"%d" % (int(found[0]) + by)

    return b"".join(
        _KEY.sub(lambda found, by=copy * 1_000_000: moved(found, by), raw)  # type: ignore[misc]
        for copy in range(events // of_one + 1)
    )
