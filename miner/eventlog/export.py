"""Handing events on: as XES, CSV or Parquet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from miner.errors import InputError
from miner.eventlog.log import EventLog

ENDINGS = (".xes", ".xes.gz", ".csv", ".parquet")


def export(log: EventLog, path: Path) -> int:
    """Write the events of `log` to `path`, in the format of its ending; how many there were.

    Events are in the order of their cases, then of time. What was written can be loaded again and
    gives the same log. The file is whole or not there; memory does not grow with the log.

    Raises InputError for another ending or a place that cannot be written.
    """
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise InputError(
            f"{path.name!r} does not say which format to write.",
            hint=f"Let the name end in {', '.join(ENDINGS)}.",
        )
    count = 0

    def counted() -> Iterator[pl.DataFrame]:
        nonlocal count
        for frame in log.batches(_EVENTS):
            count += frame.height
            yield frame

    if name.endswith((".xes", ".xes.gz")):
        from miner.eventlog.xes_writer import write_xes

        write_xes(counted(), path, name=log.process)
    elif name.endswith(".csv"):
        _whole(path, lambda unfinished: _write_csv(counted(), unfinished))
    else:
        _whole(path, lambda unfinished: _write_parquet(counted(), unfinished))
    return count


def _whole(path: Path, write: Callable[[Path], None]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Choose another place with --out.",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _write_csv(frames: Iterator[pl.DataFrame], path: Path) -> None:
    with path.open("wb") as file:
        for number, frame in enumerate(frames):
            frame.write_csv(
                file, include_header=number == 0, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ"
            )


def _write_parquet(frames: Iterator[pl.DataFrame], path: Path) -> None:
    from pyarrow.parquet import ParquetWriter

    writer = None
    try:
        for frame in frames:
            aware = frame.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
            table = aware.to_arrow(compat_level=pl.CompatLevel.oldest())
            writer = writer or ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


_EVENTS = """
select
    c.case_id,
    a.activity,
    e.timestamp,
    coalesce(d.lifecycle_source, e.lifecycle::varchar) as lifecycle,
    r.resource,
    r.resource_kind,
    d.event_id,
    d.instance_id,
    e.attempt,
    x.error_type,
    d.error_message,
    v.process_version,
    d.attributes::json::varchar as attributes,
    c.status::varchar as case_status,
    c.attributes::json::varchar as case_attributes
from recorded_event as e
join case_identity as c using (case_key)
join activity as a using (activity_key)
left join event_detail as d using (event_key)
left join resource as r using (resource_key)
left join error as x using (error_key)
left join process_version as v using (version_key)
order by c.case_id, e.timestamp, e.position, e.event_key
"""
