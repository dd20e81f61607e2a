"""Variants as rows of chevrons, one for each activity."""

from __future__ import annotations

from itertools import count
from typing import Any

import polars as pl

from dashboards.charts.style import COLOURWAY
from dashboards.components.picture import registered
from dashboards.units import percent, short, spoken, whole

_MOST_ACTIVITIES = 40


def chevrons(variants: pl.DataFrame, *, key: str) -> int | None:
    """Each row of `variants` (`VARIANTS`) with its way; the rank of one a reader keeps, or null.

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
                "title": _title(row),
                "facts": _facts(row),
                "width": round(100 * row["cases"] / most, 1),
                "activities": [short(name, 80) for name in names],
                "colours": [COLOURWAY[place[name] % len(COLOURWAY)] for name in names],
                "more": _more(len(row["activities"]) - len(names)),
            }
        )
    found = registered("chevrons")(data={"variants": rows}, key=key, on_variant_change=lambda: None)
    chosen = found.variant
    return None if chosen is None else int(chosen)


def _title(row: dict[str, Any]) -> str:
    return f"#{row['variant']} · {whole(row['cases'])} cases · {percent(row['share'])}"


def _facts(row: dict[str, Any]) -> str:
    steps = len(row["activities"])
    parts = [f"median {spoken(row['median_cycle_time'])}", f"{steps:,} step{'s' * (steps != 1)}"]
    if row["open_cases"]:
        parts.append(f"{whole(row['open_cases'])} open")
    return " · ".join(parts)


def _more(left: int) -> str:
    return f"and {left:,} more" if left > 0 else ""
