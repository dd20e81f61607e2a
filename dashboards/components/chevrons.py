"""Variants as rows of chevrons, one for each activity."""

from __future__ import annotations

from itertools import count

import polars as pl

from dashboards.charts.style import COLOURWAY
from dashboards.components.picture import registered
from dashboards.units import percent, short, spoken, whole

_MOST_ACTIVITIES = 40


def chevrons(variants: pl.DataFrame, *, key: str) -> int | None:
    """Each row of `variants` (`VARIANTS`) with its way; the rank of the one a reader keeps, or null.

    An activity has the same colour wherever it occurs. Long ways end with how many follow.
    """
    numbers = count()
    place: dict[str, int] = {}
    most = max(variants["cases"].to_list(), default=1)
    rows = []
    for row in variants.iter_rows(named=True):
        names = row["activities"][:_MOST_ACTIVITIES]
        for name in names:
            if name not in place:
                place[name] = next(numbers)
        rows.append(
            {
                "variant": row["variant"],
                "title": f"#{row['variant']} · {whole(row['cases'])} cases · {percent(row['share'])}",
                "facts": _facts(row["median_cycle_time"], row["open_cases"], len(row["activities"])),
                "width": round(100 * row["cases"] / most, 1),
                "activities": [short(name, 80) for name in names],
                "colours": [COLOURWAY[place[name] % len(COLOURWAY)] for name in names],
                "more": _more(len(row["activities"]) - len(names)),
            }
        )
    found = registered("chevrons")(
        data={"variants": rows}, key=key, on_variant_change=lambda: None
    )
    chosen = found.variant
    return None if chosen is None else int(chosen)


def _facts(median: object, open_cases: int, steps: int) -> str:
    parts = [f"median {spoken(median)}", f"{steps:,} step{'s' * (steps != 1)}"]  # type: ignore[arg-type]
    if open_cases:
        parts.append(f"{whole(open_cases)} open")
    return " · ".join(parts)


def _more(left: int) -> str:
    return f"and {left:,} more" if left > 0 else ""
