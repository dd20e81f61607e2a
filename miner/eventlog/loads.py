"""The table of loads: what each brought in, and how far an interrupted one got."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import duckdb

from miner.eventlog.merge import Counts
from miner.eventlog.staging import Staged


@dataclass(frozen=True)
class Started:
    """A load that begins or goes on: what it did so far."""

    load_id: int
    batches_done: int
    counts: Counts


def code_version() -> str:
    """The version of this package, recorded with every load."""
    try:
        return version("procession")
    except PackageNotFoundError:
        return "unknown"


def start(
    connection: duckdb.DuckDBPyConnection,
    *,
    source: str,
    process: str,
    origin: str,
    fingerprint: str | None,
    notes: Sequence[tuple[str, str]],
) -> Started:
    """A new load, or the interrupted one of the same bytes with the same options."""
    row = connection.execute(_INTERRUPTED, [fingerprint, process]).fetchone()
    if row:
        # Another version may cut batches elsewhere: then nothing is skipped, only known.
        done = row[2] if row[1] == code_version() else 0
        return Started(row[0], done, Counts(*row[3:]))
    parameters = {
        "source": source,
        "process": process,
        "origin": origin,
        "fingerprint": fingerprint,
        "notes": json.dumps(list(notes), ensure_ascii=False),
        "code_version": code_version(),
    }
    ((load_id,),) = connection.execute(_NEW_LOAD, parameters).fetchall()
    return Started(load_id, 0, Counts())


def going_on(connection: duckdb.DuckDBPyConnection, load_id: int) -> Started:
    """A load that is read in pages, before its next page."""
    ((*counts,),) = connection.execute(_COUNTS, [load_id]).fetchall()
    return Started(load_id, 0, Counts(*counts))


def counted_before(
    connection: duckdb.DuckDBPyConnection, fingerprint: str, process: str
) -> Counts | None:
    """What the finished load of the same bytes with the same options counted, if any."""
    row = connection.execute(_FINISHED, [fingerprint, process]).fetchone()
    return Counts(*row) if row else None


def reject(
    connection: duckdb.DuckDBPyConnection, staged: Staged, source: str, load_id: int
) -> Counts:
    """Keep the rows that became no event; counts them, and repeats that staging removed.

    A row that an earlier load kept for the same reason is a duplicate.
    """
    ((new,),) = connection.execute(_REJECT, {"load_id": load_id, "source": source}).fetchall()
    extra = staged.duplicate + staged.rejected
    return Counts(read=extra, duplicate=extra - new, rejected=new)


def record(
    connection: duckdb.DuckDBPyConnection, load_id: int, batches_done: int, counts: Counts
) -> None:
    """How far a load got; in the transaction of the batch."""
    connection.execute(
        _RECORD,
        [batches_done, counts.read, counts.new, counts.duplicate, counts.corrected,
         counts.unchanged, counts.rejected, load_id],
    )  # fmt: skip


def finish(connection: duckdb.DuckDBPyConnection, load_id: int, seconds: float) -> None:
    """A load, or a page of one, is over."""
    connection.execute(_FINISH, [seconds, load_id])


def processes_of(connection: duckdb.DuckDBPyConnection, load_id: int) -> tuple[str, ...]:
    """The processes that got new events by a load, in alphabetical order."""
    rows = connection.execute(_PROCESSES, [load_id]).fetchall()
    return tuple(process for (process,) in rows)


_INTERRUPTED = """
select
    load_id, code_version, batches_done, read, "new", duplicate, corrected, unchanged, rejected
from load
where fingerprint = $1 and process = $2 and not finished
"""

_COUNTS = """
select read, "new", duplicate, corrected, unchanged, rejected
from load
where load_id = $1
"""

_FINISHED = """
select read, "new", duplicate, corrected, unchanged, rejected
from load
where fingerprint = $1 and process = $2 and finished
order by load_id
limit 1
"""

_NEW_LOAD = """
insert into load (
    load_id, source, process, origin, fingerprint, finished, batches_done,
    read, "new", duplicate, corrected, unchanged, rejected, notes, started_at, code_version
)
select
    (select coalesce(max(load_id), 0) + 1 from load), $source, $process, $origin, $fingerprint,
    false, 0, 0, 0, 0, 0, 0, 0, $notes, (now() at time zone 'UTC')::timestamp, $code_version
returning load_id
"""

_REJECT = """
insert into rejected
select $load_id, coalesce(r.process, l.process) as process, $source, r.reason, r.record
from staged_rejected as r
cross join load as l
where l.load_id = $load_id
    and not exists (
        select 1
        from rejected as k
        where k.load_id <> $load_id
            and k.source = $source
            and k.process = coalesce(r.process, l.process)
            and k.reason = r.reason
            and k.record is not distinct from r.record
    )
"""

_RECORD = """
update load
set
    batches_done = $1, read = $2, "new" = $3, duplicate = $4, corrected = $5, unchanged = $6,
    rejected = $7
where load_id = $8
"""

_FINISH = """
update load
set
    finished = true,
    seconds = coalesce(seconds, 0) + $1,
    cases = coalesce(cases, 0) + (select count(*) from staged_case),
    first_event = least(first_event, (select min(timestamp) from staged)),
    last_event = greatest(last_event, (select max(timestamp) from staged))
where load_id = $2
"""

_PROCESSES = """
select process
from process
where process_key in (select process_key from recorded_event where load_id = $1)
order by process
"""
