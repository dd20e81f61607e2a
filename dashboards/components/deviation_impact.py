"""What deviations cost, and what goes with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import streamlit as st

from dashboards.components.downloads import downloads
from dashboards.components.figures import key_figures
from dashboards.components.headings import CAUSES
from dashboards.components.holding import Against, held_result
from dashboards.components.tables import table
from dashboards.results import Selection
from dashboards.units import UNKNOWN, markdown, plural, short, spoken, whole
from miner.conformance.conform import found_deviations
from miner.conformance.impact import Impact, causes, impact

_ANY = "any deviation"


def deviation_impact(selection: Selection, against: Against) -> None:
    """Deviating cases against conforming ones that are alike, and likely causes."""
    found = held_result(found_deviations, selection, against)
    why = held_result(causes, selection, against)
    if found.is_empty():
        st.success("No judged case deviates, so there is nothing to compare.")
        return
    pairs: list[Any] = [
        None,
        *found.filter(pl.col("kind") != "replaced").select("kind", "activity").rows(),
    ]
    attributes = [n for n in why["attribute"].unique(maintain_order=True) if n not in _ALWAYS]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Cases with", range(len(pairs)), key="impact of", width=320,
            format_func=lambda n: _ANY if pairs[n] is None else short(" · ".join(pairs[n]), 60),
        )  # fmt: skip
        matched = attributes and st.multiselect(
            "Compare only cases with the same", attributes, key="matched on", width=380,
            placeholder="version alone",
        )  # fmt: skip
    kind, activity = pairs[chosen] or (None, None)
    _difference(
        held_result(
            impact, selection, against, matched_on=tuple(matched), kind=kind, activity=activity
        )
    )
    st.subheader("What goes with deviating", anchor=False)
    sure = why.filter(pl.col("adjusted_p_value") <= _SURE)
    if sure.is_empty():
        st.info(f"Nothing surely goes with deviating, of {plural(why.height, 'value')} looked at.")
    else:
        st.caption(
            f"{plural(sure.height, 'value')} of {why.height:,} looked at; at most {_SURE:.0%} of "
            "these are expected to be false. Going with is not causing."
        )
        table(_worded(sure), CAUSES, key="causes")
    downloads(selection.process, {"causes.csv": why})


_ALWAYS = ("version", "resource")
_SURE = 0.05


def _difference(found: Impact) -> None:
    compared = f"{whole(found.matched_cases)} of {whole(found.deviating_cases)} deviating cases"
    time = (found.added_cycle_time_low, found.added_cycle_time_high)
    rate = (found.added_failure_rate_low, found.added_failure_rate_high)
    key_figures(
        {
            "Cycle time": (
                _signed(found.added_cycle_time),
                "Mean of deviating cases minus that of conforming ones that are alike",
            ),
            "Failure rate": (
                _points(found.added_failure_rate),
                "Of deviating cases minus that of conforming ones, in percentage points",
            ),
            "Compared": (
                whole(found.matched_cases),
                f"{compared}: those that have conforming ones like them",
            ),
            "Conforming": (whole(found.conforming_cases), "Conforming cases in all"),
        }
    )
    if found.added_cycle_time is None:
        st.caption("Too few cases that are alike: nothing can be said.")
        return
    st.caption(
        "Deviating minus conforming cases. With 95 % confidence the difference lies between "
        f"{_signed(time[0])} and {_signed(time[1])} in cycle time, and between {_points(rate[0])} "
        f"and {_points(rate[1])} in the failure rate. Over {compared}, alike in "
        f"{', '.join(markdown(name, 30) for name in found.matched_on)}. A difference is no proof "
        "of a cause."
    )


def _worded(found: pl.DataFrame) -> pl.DataFrame:
    rows = found.select("lift", "lift_low", "lift_high").iter_rows()
    lifts = [f"{lift:.2f}×" for lift, _, _ in rows]
    ends = [
        UNKNOWN if low is None else f"{low:.2f}–{high:.2f}×"
        for low, high in found.select("lift_low", "lift_high").iter_rows()
    ]
    return found.with_columns(
        pl.Series("lift", lifts, dtype=pl.String()),
        pl.Series("interval", ends, dtype=pl.String()),
        pl.Series("adjusted_p_value", [_chance(p) for p in found["adjusted_p_value"]]),
    )


def _chance(p_value: float) -> str:
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _signed(time: timedelta | None) -> str:
    if time is None:
        return UNKNOWN
    return spoken(time) if time < timedelta() else f"+{spoken(time)}"


def _points(rate: float | None) -> str:
    return UNKNOWN if rate is None else f"{100 * rate:+.1f} pp".replace("-", "−")
