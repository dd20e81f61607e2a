"""What was received and loaded, kept in the landing: nobody could send it again."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ingest.otlp.events import Reading
from ingest.otlp.spool import PROTOBUF, Spool
from miner.eventlog import landing

MOST_BYTES = 64 << 20
"""What is loaded stays in the spool until there is this much of it, or …"""
LONGEST = 3600.0
"""… until it is as many seconds old."""


@dataclass(frozen=True)
class Archive:
    """Moves batches from a spool to the landing of a store, as files that `otlp` can read."""

    store: Path
    process: str
    reading: Reading

    def move(self, spool: Spool, loaded: int, before: float) -> None:
        """Keep the batches up to `loaded` that came before an instant, when it is worth a file."""
        last, size, oldest = spool.settled(loaded, before)
        if size and (size >= MOST_BYTES or oldest < time.time() - LONGEST):
            self._keep(spool, last)
            spool.forget(last)
        spool.count(loaded)

    def _keep(self, spool: Spool, last: int) -> None:
        with tempfile.TemporaryDirectory(prefix="procession-") as folder:
            paths = {kind: Path(folder) / f"{kind}.otlp" for kind in ("protobuf", "json")}
            for batches in spool.batches(0, last):
                for batch in batches:
                    # Messages one after the other are one message, documents want lines.
                    end = b"" if batch.kind == PROTOBUF else b"\n"
                    with paths[batch.kind].open("ab") as file:
                        file.write(batch.body + end)
            for path in paths.values():
                if path.exists():
                    about = landing.Landed(
                        "", path.name, 0, "otlp", self.process, asdict(self.reading)
                    )
                    landing.keep(self.store, path, about)
