"""Events for benchmarks: a seeded Markov process with loops, so that variants are many.

python -m benchmarks.generate 10_000_000 --out events.parquet
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import polars as pl

ACTIVITIES = 26
RESOURCES = 400
CHUNK = 250_000
"""Cases simulated together; bounds the memory of a run of any length."""


def transitions(rng: np.random.Generator) -> np.ndarray:
    """Cumulative probabilities of the next activity; the last column ends the case."""
    odds = rng.dirichlet(np.full(ACTIVITIES + 1, 0.08), size=ACTIVITIES)
    forward = np.zeros_like(odds)
    for activity in range(ACTIVITIES):
        forward[activity, min(activity + 1, ACTIVITIES)] = 0.62
        forward[activity, min(activity + 2, ACTIVITIES)] += 0.2
        forward[activity, max(activity - 2, 0)] += 0.06
        forward[activity, activity] += 0.03
        forward[activity, ACTIVITIES] += 0.02
    mixed = 0.93 * forward / forward.sum(axis=1, keepdims=True) + 0.07 * odds
    return np.cumsum(mixed, axis=1)


def chunks(events: int, seed: int) -> Iterator[pl.DataFrame]:
    """Frames of `case_id`, `activity`, `timestamp`, `resource`, in time order within each frame."""
    rng = np.random.default_rng(seed)
    cumulative = transitions(rng)
    names = pl.Series("activity", [f"Activity {number:02}" for number in range(ACTIVITIES)])
    people = pl.Series("resource", [f"user-{number:03}" for number in range(RESOURCES)])
    first, size = 0, min(CHUNK, events // 13 + 1)
    while events > 0:
        case = np.arange(first, first + size)
        clock = 1_700_000_000_000_000 + case * 60_000_000 // 16
        activity = np.zeros(size, dtype=np.int64)
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        while case.size and sum(part[0].size for part in parts) < events:
            parts.append((case, activity, clock))
            draw = rng.random(case.size)
            activity = (cumulative[activity] < draw[:, None]).sum(axis=1)
            clock = clock + (rng.lognormal(7.5, 1.4, case.size) * 1_000_000).astype(np.int64)
            alive = activity < ACTIVITIES
            case, activity, clock = case[alive], activity[alive], clock[alive]
        cases, activities, clocks = (np.concatenate(column)[:events] for column in zip(*parts))
        order = np.argsort(clocks, kind="stable")
        yield pl.DataFrame(
            {
                "case_id": pl.Series(cases[order]).cast(pl.String).str.zfill(9),
                "activity": names[activities[order]],
                "timestamp": pl.Series(clocks[order]).cast(pl.Datetime("us", "UTC")),
                "resource": people[rng.integers(0, RESOURCES, cases.size)],
            }
        )
        events -= cases.size
        first += size


@click.command()
@click.argument("events", type=int)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--seed", default=7)
def main(events: int, out: Path, seed: int) -> None:
    """Write EVENTS events to a Parquet or CSV file."""
    import pyarrow.csv
    import pyarrow.parquet

    writer = None
    for frame in chunks(events, seed):
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if writer is None:
            kind = pyarrow.csv.CSVWriter if out.suffix == ".csv" else pyarrow.parquet.ParquetWriter
            writer = kind(out, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    main()
