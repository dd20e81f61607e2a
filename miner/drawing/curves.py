"""Courses of cubic Bézier curves: cut, written as SVG, and tipped with an arrow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]

_SAMPLES = 24


def path_data(points: Sequence[Point]) -> str:
    """3n + 1 points of n joined curves as the data of an SVG path."""
    first, *rest = (f"{x:.1f},{y:.1f}" for x, y in points)
    curves = (" ".join(rest[at : at + 3]) for at in range(0, len(rest), 3))
    return f"M{first}" + "".join(f"C{curve}" for curve in curves)


def shortened(points: Sequence[Point], length: float) -> list[Point]:
    """The course without its last `length` pixels; its first curve keeps a third at least."""
    left = list(points)
    while len(left) > 4 and _length(left[-4:]) <= length:
        length -= _length(left[-4:])
        del left[-3:]
    return left[:-4] + _split(left[-4:], _where(left[-4:], length))


def arrow(tail: Point, tip: Point, half_width: float) -> str:
    """A triangle from `tail` to `tip` as the data of an SVG path."""
    length = math.dist(tail, tip) or 1.0
    across_x = -(tip[1] - tail[1]) / length * half_width
    across_y = (tip[0] - tail[0]) / length * half_width
    corners = (
        tip,
        (tail[0] + across_x, tail[1] + across_y),
        (tail[0] - across_x, tail[1] - across_y),
    )
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in corners) + "Z"


def _at(curve: Sequence[Point], t: float) -> Point:
    a, b, c, d = curve
    s = 1 - t
    weights = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)
    return (
        sum(w * p[0] for w, p in zip(weights, (a, b, c, d), strict=True)),
        sum(w * p[1] for w, p in zip(weights, (a, b, c, d), strict=True)),
    )


def _length(curve: Sequence[Point]) -> float:
    places = [_at(curve, step / _SAMPLES) for step in range(_SAMPLES + 1)]
    return sum(math.dist(one, other) for one, other in pairwise(places))


def _where(curve: Sequence[Point], length: float) -> float:
    """The parameter `length` pixels, as the crow flies, before the end of the curve."""
    end = curve[3]
    for step in range(_SAMPLES - 1, 0, -1):
        t = step / _SAMPLES
        far = math.dist(_at(curve, t), end)
        if far >= length:
            near = math.dist(_at(curve, t + 1 / _SAMPLES), end)
            return t + (far - length) / (far - near) / _SAMPLES if far > near else t
    return 1 / 3


def _split(curve: Sequence[Point], t: float) -> list[Point]:
    """The part of the curve up to parameter `t`, by de Casteljau's construction."""
    a, b, c, d = curve
    ab, bc, cd = _between(a, b, t), _between(b, c, t), _between(c, d, t)
    abc, bcd = _between(ab, bc, t), _between(bc, cd, t)
    return [a, ab, abc, _between(abc, bcd, t)]


def _between(one: Point, other: Point, t: float) -> Point:
    return one[0] + (other[0] - one[0]) * t, one[1] + (other[1] - one[1]) * t
