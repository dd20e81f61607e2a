"""A plain layered placement, for when Graphviz is not to be had or takes too long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]

_BETWEEN_LAYERS, _BETWEEN_BOXES, _LANE = 56.0, 26.0, 14.0
_LOOP = 30.0
_SWEEPS = 4
# Long links get a lane beside the boxes they pass; this many lanes keep the work small.
_MOST_LANES = 20_000


@dataclass(frozen=True)
class Placed:
    """Centres of the boxes, and for each link its curve points and the place of its label."""

    width: float
    height: float
    centres: list[Point]
    courses: list[tuple[tuple[Point, ...], Point]]


def layered(
    sizes: Sequence[tuple[float, float]],
    ends: Sequence[tuple[int, int]],
    labels: Sequence[float],
    order: Sequence[int],
    *,
    upright: bool,
) -> Placed:
    """Boxes in layers along `order`, each below all that flow into it; layers side by side when
    not `upright`.

    `sizes` are widths and heights, `ends` the numbers of the boxes a link joins, `labels` the room
    beside each link. Takes time linear in boxes and lanes; the same input gives the same result.
    """
    if not upright:
        turned = [(high, wide) for wide, high in sizes]
        placed = layered(
            turned, ends, [16.0 if wide else 0 for wide in labels], order, upright=True
        )
        return _turned(placed)
    rows = _layers(len(sizes), ends, order)
    lanes = _lanes(ends, rows)
    columns = _columns(sizes, ends, rows, lanes, order)
    return _drawn(sizes, ends, labels, rows, lanes, columns)


def _turned(placed: Placed) -> Placed:
    def turn(point: Point) -> Point:
        return point[1], point[0]

    courses = [(tuple(map(turn, points)), turn(label)) for points, label in placed.courses]
    return Placed(placed.height, placed.width, [turn(c) for c in placed.centres], courses)


def _layers(nodes: int, ends: Sequence[tuple[int, int]], order: Sequence[int]) -> list[int]:
    """The layer of each box: one more than the deepest of those before it."""
    after = defaultdict(list)
    for source, target in ends:
        if source != target:
            first, second = sorted((source, target), key=order.__getitem__)
            after[first].append(second)
    rows = [0] * nodes
    for node in sorted(range(nodes), key=order.__getitem__):
        for other in after[node]:
            rows[other] = max(rows[other], rows[node] + 1)
    return rows


def _lanes(ends: Sequence[tuple[int, int]], rows: Sequence[int]) -> list[list[int]]:
    """For each link the layers strictly between its ends, from source to target."""
    lanes = []
    left = _MOST_LANES
    for source, target in ends:
        step = 1 if rows[target] > rows[source] else -1
        between = list(range(rows[source] + step, rows[target], step))
        left -= len(between)
        lanes.append(between if left >= 0 else [])
    return lanes


_Columns = dict[tuple[int, int], float]
"""Middle of each box (-1, box) and of each lane (link, layer) across the flow."""


def _columns(
    sizes: Sequence[tuple[float, float]],
    ends: Sequence[tuple[int, int]],
    rows: Sequence[int],
    lanes: Sequence[Sequence[int]],
    order: Sequence[int],
) -> _Columns:
    layers: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for node in sorted(range(len(sizes)), key=order.__getitem__):
        layers[rows[node]].append((-1, node))
    beside: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for link, (source, target) in enumerate(ends):
        chain = [(-1, source), *((link, row) for row in lanes[link]), (-1, target)]
        for row in lanes[link]:
            layers[row].append((link, row))
        for one, other in pairwise(chain):
            beside[one].append(other)
            beside[other].append(one)
    columns: _Columns = {}
    for row in sorted(layers):
        _spread(layers[row], sizes, columns)
    for sweep in range(_SWEEPS):
        for row in sorted(layers, reverse=sweep % 2 == 1):
            wanted = {
                slot: sum(columns[n] for n in beside[slot]) / len(beside[slot])
                if beside[slot]
                else columns[slot]
                for slot in layers[row]
            }
            layers[row].sort(key=lambda slot: (wanted[slot], slot))
            _spread(layers[row], sizes, columns)
    return columns


def _spread(
    slots: Sequence[tuple[int, int]], sizes: Sequence[tuple[float, float]], columns: _Columns
) -> None:
    """Put the slots of a layer side by side around zero."""
    widths = [sizes[number][0] + _BETWEEN_BOXES if link < 0 else _LANE for link, number in slots]
    left = -sum(widths) / 2
    for slot, wide in zip(slots, widths, strict=True):
        columns[slot] = left + wide / 2
        left += wide


def _drawn(
    sizes: Sequence[tuple[float, float]],
    ends: Sequence[tuple[int, int]],
    labels: Sequence[float],
    rows: Sequence[int],
    lanes: Sequence[Sequence[int]],
    columns: _Columns,
) -> Placed:
    tall: dict[int, float] = defaultdict(float)
    for node, (_, high) in enumerate(sizes):
        tall[rows[node]] = max(tall[rows[node]], high)
    middles: dict[int, float] = {}
    top = 0.0
    for row in sorted(tall):
        middles[row] = top + tall[row] / 2
        top += tall[row] + _BETWEEN_LAYERS
    left = min(c - _half(slot, sizes) for slot, c in columns.items())
    right = max(c + _half(slot, sizes) for slot, c in columns.items())
    loops = [
        label for label, (source, target) in zip(labels, ends, strict=True) if source == target
    ]
    room = _LOOP + max(loops) if loops else max(labels, default=0.0)
    centres = [(columns[-1, node] - left, middles[rows[node]]) for node in range(len(sizes))]
    courses = []
    shifts = _shifts(sizes, ends)
    for link, (source, target) in enumerate(ends):
        if source == target:
            courses.append(_loop(centres[source], sizes[source], labels[link]))
            continue
        down = 1 if rows[target] > rows[source] else -1
        stops = [(columns[link, row] - left, middles[row], tall[row] / 2) for row in lanes[link]]
        start = (centres[source][0] + shifts[link], centres[source][1], sizes[source][1] / 2)
        end = (centres[target][0] + shifts[link], centres[target][1], sizes[target][1] / 2)
        courses.append(_course(start, stops, end, down, labels[link]))
    return Placed(right - left + room, top - _BETWEEN_LAYERS, centres, courses)


def _shifts(sizes: Sequence[tuple[float, float]], ends: Sequence[tuple[int, int]]) -> list[float]:
    """How far aside each link runs, so that links between the same boxes do not cover each other;
    never beyond the narrower box."""
    seen: dict[tuple[int, int], int] = defaultdict(int)
    shifts = []
    for source, target in ends:
        pair = min(source, target), max(source, target)
        number = seen[pair]
        seen[pair] += 1
        most = min(sizes[source][0], sizes[target][0]) / 2 - 3
        aside = (number + 1) // 2 * _LANE * (-1 if number % 2 else 1)
        shifts.append(max(-most, min(most, aside)))
    return shifts


def _half(slot: tuple[int, int], sizes: Sequence[tuple[float, float]]) -> float:
    link, number = slot
    return sizes[number][0] / 2 if link < 0 else _LANE / 2


def _loop(
    centre: Point, size: tuple[float, float], label: float
) -> tuple[tuple[Point, ...], Point]:
    x, y = centre[0] + size[0] / 2, centre[1]
    reach, rise = x + _LOOP, size[1] / 4
    return ((x, y - rise), (reach, y - 2 * rise), (reach, y + 2 * rise), (x, y + rise)), (
        reach + label / 2,
        y,
    )


_Stop = tuple[float, float, float]
"""Place of a box or lane and half the depth it takes along the flow."""


def _course(
    start: _Stop, stops: Sequence[_Stop], end: _Stop, down: int, label: float
) -> tuple[tuple[Point, ...], Point]:
    """S-curves between the layers, straight lines beside the boxes that are passed."""
    points: list[Point] = [(start[0], start[1] + down * start[2])]
    for x, y, half in (*stops, end):
        x0, y0 = points[-1]
        y1 = y - down * half
        bend = (y0 + y1) / 2
        points += [(x0, bend), (x, bend), (x, y1)]
        if (x, y, half) != end:
            points += [(x, y1), (x, y + down * half), (x, y + down * half)]
    a, b, c, d = points[:4]
    label_at = (a[0] + 3 * b[0] + 3 * c[0] + d[0]) / 8 + label / 2, (a[1] + d[1]) / 2
    return tuple(points), label_at
