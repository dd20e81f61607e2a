"""Tables of a pack as CSV: piece by piece, and harmless when a spreadsheet opens them."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from miner.conformance.evidence.archive import Sink
from miner.output import columns

_STARTS = r"^[=+\-@'\t\r\n]"


def write_csv(sink: Sink, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> int:
    """Write frames of one schema as one CSV table with a header; how many rows there were.

    Durations are seconds in columns that end in `_seconds`, instants ISO 8601 in UTC, unknown is
    empty. A text that begins with = + - @ ' or a control character gets an ' before it, so that no
    spreadsheet runs it; take one ' away from a text that begins with it to have it as it was.
    """
    sink.write(columns(guarded(schema.to_frame())).write_csv().encode())
    rows = 0
    for frame in frames:
        rows += frame.height
        shown = columns(guarded(frame.cast(schema)))
        sink.write(shown.write_csv(include_header=False).encode())
    return rows


def guarded(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with an ' before each text that a spreadsheet would take for a formula."""
    texts = pl.col(pl.String)
    return frame.with_columns(
        pl.when(texts.str.contains(_STARTS)).then("'" + texts).otherwise(texts).name.keep()
    )
