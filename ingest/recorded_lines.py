"""JSON lines as sources of systems record them: read as one frame, and those that are none."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import polars as pl

from miner.errors import SourceRefusedError

REJECTED = {"reason": pl.String(), "record": pl.String()}


def numbered(raw: bytes, shape: Mapping[str, pl.DataType], *, system: str) -> pl.DataFrame:
    """The lines as the columns of `shape`, null where they say nothing of it, with their `line`.

    Empty lines do not count. Raises SourceRefusedError when these are no JSON lines of `system`.
    """
    try:
        found = pl.read_ndjson(io.BytesIO(raw or b"\n"), schema=shape, ignore_errors=True)
    except pl.exceptions.PolarsError as error:
        raise SourceRefusedError(
            f"The answer of {system} is no history: it is not JSON.",
            hint="Check where it is read from; something else may answer there.",
        ) from error
    return found.with_row_index("line")


def rejected(raw: bytes, numbers: Sequence[int], reason: str) -> pl.DataFrame:
    """The lines with these numbers as they are, each with the `reason` why it cannot be used."""
    lines = [line for line in raw.splitlines() if line.strip()] if numbers else []
    records = [lines[number].decode("utf-8", "replace") for number in numbers]
    return pl.DataFrame({"reason": [reason] * len(records), "record": records}, schema=REJECTED)
