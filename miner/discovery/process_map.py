"""The process map: activities and the paths between them, whole or simplified."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import accumulate, chain
from typing import NamedTuple

import polars as pl

MOST_PATHS = 250
"""Paths drawn at most: laying out more takes seconds, and nobody can follow them."""

_READABLE_ACTIVITIES, _READABLE_BACKBONE = 30, 45
_READABLE_PATHS_EACH, _READABLE_PATHS_LEAST = 2.2, 25

MAP_ACTIVITIES = pl.Schema(
    {
        "activity": pl.String(),
        "frequency": pl.Int64(),  # activity instances
        "cases": pl.Int64(),  # cases it occurs in; null when unknown
        "failed": pl.Int64(),  # instances that failed; null when the log does not say
        "median_service": pl.Duration("us"),  # start to completion; null when unknown
        "median_waiting": pl.Duration("us"),  # ready to start; null when unknown
    }
)
MAP_PATHS = pl.Schema(
    {
        "activity": pl.String(),  # null: the case starts
        "next_activity": pl.String(),  # null: the case ends
        "frequency": pl.Int64(),
        "cases": pl.Int64(),
        "median": pl.Duration("us"),
        "p95": pl.Duration("us"),
        "connecting": pl.Boolean(),  # kept only so that no activity hangs loose
    }
)


@dataclass(frozen=True, eq=False)
class ProcessMap:
    """What is drawn of a process, and how much there is in all.

    `activities` has the columns of `MAP_ACTIVITIES`, `paths` those of `MAP_PATHS`; both the most
    frequent first, then by name. Paths from null start a case, paths to null end one; they count
    as paths. Two maps are equal only when they are one; compare their frames.
    """

    activities: pl.DataFrame
    paths: pl.DataFrame
    activities_total: int
    paths_total: int

    @cached_property
    def _ranking(self) -> _Ranking:
        return _Ranking.of(self)


def process_map(directly_follows: pl.DataFrame, activities: pl.DataFrame) -> ProcessMap:
    """The whole map, from the two reductions of a log.

    `directly_follows` has the columns activity, next_activity, frequency, cases, median and p95
    (`DIRECTLY_FOLLOWS`), `activities` those of `MAP_ACTIVITIES`. An activity that has paths but no
    row of its own gets one: its frequency is what flows into it, the rest is null. No rows: an
    empty map.

    Raises polars.exceptions.ColumnNotFoundError when a column is missing.
    """
    paths = (
        directly_follows.with_columns(connecting=pl.lit(False))
        .select(list(MAP_PATHS))
        .cast(MAP_PATHS)
        .sort(
            "frequency",
            "activity",
            "next_activity",
            descending=[True, False, False],
            nulls_last=[True, False, False],
        )
    )
    own = activities.select(list(MAP_ACTIVITIES)).cast(MAP_ACTIVITIES)
    ends = pl.concat([paths["activity"], paths["next_activity"]]).drop_nulls().unique()
    inflow = paths.group_by(pl.col("next_activity").alias("activity")).agg(
        pl.col("frequency").sum()
    )
    nameless = (
        pl.DataFrame({"activity": ends})
        .join(own, on="activity", how="anti")
        .join(inflow, on="activity", how="left")
        .with_columns(pl.col("frequency").fill_null(0))
    )
    known = pl.concat([own, nameless], how="diagonal").select(list(MAP_ACTIVITIES))
    known = known.sort("frequency", "activity", descending=[True, False], nulls_last=True)
    return ProcessMap(known, paths, known.height, paths.height)


def simplify(
    process_map: ProcessMap,
    *,
    activities: float = 1.0,
    paths: float = 1.0,
    most_paths: int = MOST_PATHS,
) -> ProcessMap:
    """The share of the most frequent activities and paths, kept connected.

    `activities` and `paths` are shares from 0 to 1 of what `process_map` holds, counted by
    frequency, then by name; values outside are taken as the nearest. At least one activity stays.

    Every activity of the result lies on a way from start to end within the paths of the result, as
    far as there is one in `process_map`: beyond the shares, those paths and activities are kept
    that lead to each kept activity, and on from it, by the way whose least frequent path is most
    frequent. They are marked `connecting`. Nothing is ever made up.

    A higher share keeps all that a lower one kept. Share 1 keeps everything, up to `most_paths`:
    then the least frequent paths go first, and activities only when their connections alone are
    more than that. A single activity is connected even if that takes more.

    Returns a map with the totals of `process_map`; simplify the whole map, not a simplified one.
    """
    ranking = process_map._ranking
    kept = ranking.kept(activities, paths, most_paths)
    connecting = [path in kept.connecting for path in kept.paths]
    return ProcessMap(
        process_map.activities[kept.activities],
        process_map.paths[kept.paths].with_columns(
            connecting=pl.Series(connecting, dtype=pl.Boolean)
        ),
        process_map.activities_total,
        process_map.paths_total,
    )


def opening_view(process_map: ProcessMap) -> tuple[float, float]:
    """Shares of activities and paths to open the map with, so that it can be read at once.

    At most 30 activities, and about two paths for each of them, where that keeps the map
    connected; (1.0, 1.0) for a map that has no more than that, and for an empty one.
    """
    ranking = process_map._ranking
    all_activities, all_paths = process_map.activities.height, process_map.paths.height
    readable = _largest(
        min(all_activities, _READABLE_ACTIVITIES),
        lambda n: len(ranking.kept(n / all_activities, 0, MOST_PATHS).paths) <= _READABLE_BACKBONE,
    )
    share = max(readable, 1) / max(all_activities, 1)
    shown = len(ranking.kept(share, 0, MOST_PATHS).activities)
    most = max(_READABLE_PATHS_LEAST, round(_READABLE_PATHS_EACH * shown))
    drawn = _largest(
        all_paths,
        lambda n: len(ranking.kept(share, n / all_paths, MOST_PATHS).paths) <= most,
    )
    return min(share, 1.0), drawn / all_paths if all_paths else 1.0


def _largest(upper: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `upper` that fits, if all smaller ones fit too; 0 if none does."""
    low, high = 0, upper
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


class _Kept(NamedTuple):
    """Row numbers of the activities and paths to keep, ascending."""

    activities: list[int]
    paths: list[int]
    connecting: set[int]


@dataclass(frozen=True)
class _Ranking:
    """The rows of a map by rank, and for each activity the best way to it and on from it.

    Monotonicity rests on this: what an activity needs to be connected depends on the whole map
    only, never on what else is kept.
    """

    ends: list[tuple[int | None, int | None]]
    """For each path the activities it joins; None is the start or the end of a case."""
    new_activities: list[list[int]]
    """For each activity what it adds to the activities kept, given that all before it are kept."""
    new_paths: list[list[int]]
    """For each activity the paths that connect it, less those that connect one before it."""

    @classmethod
    def of(cls, process_map: ProcessMap) -> _Ranking:
        names = process_map.activities["activity"].to_list()
        number: dict[str | None, int | None] = {name: i for i, name in enumerate(names)}
        number[None] = None
        rows = process_map.paths.select("activity", "next_activity").iter_rows()
        ends = [(number[source], number[target]) for source, target in rows]
        into = _widest(ends)
        onward = _widest([(target, source) for source, target in ends])
        activities: set[int] = set()
        paths: set[int] = set()
        new_activities, new_paths = [], []
        for activity in range(len(names)):
            way = [*_way(activity, into, ends, 0), *_way(activity, onward, ends, 1)]
            on_way = dict.fromkeys([activity, *(a for path in way for a in ends[path])])
            fresh = [a for a in on_way if a is not None and a not in activities]
            fresh_paths = [path for path in dict.fromkeys(way) if path not in paths]
            activities.update(fresh)
            paths.update(fresh_paths)
            new_activities.append(fresh)
            new_paths.append(fresh_paths)
        return cls(ends, new_activities, new_paths)

    def kept(self, activities: float, paths: float, most_paths: int) -> _Kept:
        """The row numbers for these shares; see `simplify`."""
        room, limit = self._limits(most_paths)
        chosen = min(_count(activities, len(self.new_paths)) or 1, room)
        frequent = min(_count(paths, len(self.ends)), limit)
        kept = set(chain.from_iterable(self.new_activities[:chosen]))
        backbone = set(chain.from_iterable(self.new_paths[:chosen]))
        drawn = backbone | {path for path in range(frequent) if self._joins(path, kept)}
        return _Kept(sorted(kept), sorted(drawn), {path for path in backbone if path >= frequent})

    def _limits(self, most_paths: int) -> tuple[int, int]:
        """How many activities can be connected by `most_paths`, and how many paths, by rank, can
        be drawn then besides."""
        sizes = list(accumulate(len(paths) for paths in self.new_paths))
        room = max(bisect_right(sizes, most_paths), 1)
        kept = set(chain.from_iterable(self.new_activities[:room]))
        backbone = set(chain.from_iterable(self.new_paths[:room]))
        left = most_paths - len(backbone)
        for path in range(len(self.ends)):
            if path not in backbone and self._joins(path, kept):
                left -= 1
                if left < 0:
                    return room, path
        return room, len(self.ends)

    def _joins(self, path: int, kept: set[int]) -> bool:
        return all(end is None or end in kept for end in self.ends[path])


def _count(share: float, total: int) -> int:
    """`share` of `total`, rounded up; a share that was made by dividing comes back exactly."""
    return min(total, max(0, math.ceil(share * total - 1e-6)))


def _widest(ends: Sequence[tuple[int | None, int | None]]) -> dict[int, int]:
    """For each activity the last path of the widest way to it from None.

    `ends` are ordered by frequency. Always following the most frequent path that leads on from
    what was reached (as Prim's algorithm does) reaches everything by a way whose least frequent
    path is as frequent as can be.
    """
    leaving: dict[int | None, list[int]] = defaultdict(list)
    for path, (source, _) in enumerate(ends):
        leaving[source].append(path)
    found: dict[int, int] = {}
    open_paths = list(leaving[None])
    while open_paths:
        path = heappop(open_paths)
        target = ends[path][1]
        if target is not None and target not in found:
            found[target] = path
            for onward in leaving[target]:
                heappush(open_paths, onward)
    return found


def _way(
    activity: int,
    last: dict[int, int],
    ends: Sequence[tuple[int | None, int | None]],
    side: int,
) -> Iterator[int]:
    """The paths between `activity` and None, `side` 0 back to the start, 1 on to the end.

    Takes them out of `last`, so that each is given once: who meets an activity that was passed
    before has the rest of the way already.
    """
    at: int | None = activity
    while at is not None and at in last:
        path = last.pop(at)
        yield path
        at = ends[path][side]
