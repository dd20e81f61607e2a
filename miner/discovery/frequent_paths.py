"""The part of a directly-follows graph that is frequent, still connected."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping

Node = str | None
Paths = Mapping[tuple[Node, Node], int]
"""Frequency of each pair of activities that follow each other; null is the start, or the end."""


def frequent_paths(paths: Paths, noise: float) -> dict[tuple[Node, Node], int]:
    """The paths taken at least `noise` times as often as the strongest one from the same activity.

    Kept besides are the paths that join each activity to the start and the end of a case as
    strongly as possible (the path whose weakest part is strongest), so that no activity is lost and
    each lies on a way from start to end if it did before. The start and the end of a case count
    like activities. `noise` 0 keeps everything, 1 only the strongest.

    Source: the filter of Leemans, Fahland, van der Aalst, Discovering block-structured process
    models from event logs containing infrequent behaviour (2014), section 3.1.
    """
    strongest: dict[Node, int] = defaultdict(int)
    for (source, _), frequency in paths.items():
        strongest[source] = max(strongest[source], frequency)
    keep = {pair for pair, frequency in paths.items() if frequency >= noise * strongest[pair[0]]}
    keep |= _widest(paths)
    keep |= {(a, b) for b, a in _widest({(b, a): n for (a, b), n in paths.items()})}
    return {pair: frequency for pair, frequency in paths.items() if pair in keep}


def _widest(paths: Paths) -> set[tuple[Node, Node]]:
    """The pairs on the widest way from the start to each activity (Dijkstra on bottlenecks)."""
    ways: dict[Node, list[tuple[str, int]]] = defaultdict(list)
    for (source, target), frequency in paths.items():
        if target is not None:
            ways[source].append((target, frequency))
    used: dict[str, tuple[Node, Node]] = {}
    waiting: list[tuple[int, str, str, Node]] = [
        (-frequency, target, "", None) for target, frequency in ways[None]
    ]
    heapq.heapify(waiting)
    while waiting:
        width, activity, _, before = heapq.heappop(waiting)
        if activity in used:
            continue
        used[activity] = (before, activity)
        for target, frequency in ways[activity]:
            if target not in used:
                heapq.heappush(waiting, (max(width, -frequency), target, activity, activity))
    return set(used.values())
