"""Counts, shares and durations as people say them."""

from __future__ import annotations

from datetime import timedelta

UNKNOWN = "–"

MICROSECOND, MILLISECOND, SECOND = 1, 1_000, 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND


def spoken(duration: timedelta | None) -> str:
    """A duration in at most two units: "2 d 3 h", "45 min", "850 ms"; an en dash for null.

    Rounded half up to the smaller unit shown, so that 59.6 minutes never read "60 min" but "1 h".
    Negative durations keep their sign. Zero is "0 s".
    """
    if duration is None:
        return UNKNOWN
    microseconds = duration // timedelta(microseconds=1)
    sign = "−" if microseconds < 0 else ""
    return sign + _spoken(abs(microseconds))


def _spoken(value: int) -> str:
    if value == 0:
        return "0 s"
    if value < MILLISECOND:
        return f"{value} µs"
    if value < SECOND - MILLISECOND // 2:
        return f"{_rounded(value, MILLISECOND)} ms"
    if value < 10 * SECOND - SECOND // 20:
        return f"{_rounded(value, SECOND // 10) / 10:g} s"
    if value < MINUTE - SECOND // 2:
        return f"{_rounded(value, SECOND)} s"
    if value < 10 * MINUTE - SECOND // 2:
        return _pair(_rounded(value, SECOND), 60, "min", "s")
    if value < HOUR - MINUTE // 2:
        return f"{_rounded(value, MINUTE)} min"
    if value < DAY - MINUTE // 2:
        return _pair(_rounded(value, MINUTE), 60, "h", "min")
    if value < 100 * DAY - HOUR // 2:
        return _pair(_rounded(value, HOUR), 24, "d", "h")
    return f"{_rounded(value, DAY):,} d"


def _rounded(value: int, unit: int) -> int:
    return (value + unit // 2) // unit


def _pair(value: int, size: int, larger: str, smaller: str) -> str:
    whole, rest = divmod(value, size)
    return f"{whole} {larger} {rest} {smaller}" if rest else f"{whole} {larger}"


def counted(count: int | None) -> str:
    """A count with thousands separators, shortened from 100,000 on: "24,163", "262k", "1.3M"."""
    if count is None:
        return UNKNOWN
    if count < 100_000:
        return f"{count:,}"
    if count < 999_500:
        return f"{(count + 500) // 1_000}k"
    if count < 999_500_000:
        return f"{count / 1e6:.3g}M"
    return f"{count / 1e9:.3g}B"


def share(part: int | None, whole: int | None) -> str:
    """`part` of `whole` in percent: "3.2 %"; an en dash when either is null or `whole` is zero.

    A share that is not quite nothing or not quite all never reads "0 %" or "100 %".
    """
    if part is None or not whole:
        return UNKNOWN
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.1f}".removesuffix(".0") + " %"
