"""Figures of time."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards.components.figures import key_figures
from dashboards.results import Selection, result_of
from dashboards.units import UNKNOWN, spoken, whole
from miner import summary


def cycle_time_figures(selection: Selection) -> None:
    """Percentiles of the cycle time and throughput, over closed cases."""
    found = result_of(summary, selection)
    counted = f"Exact, over {whole(found.closed_cases)} closed cases"
    rate = found.throughput_per_day
    everything = spoken(found.median_cycle_time_of_all)
    key_figures(
        {
            "Cycle time, median": (
                spoken(found.median_cycle_time),
                f"{counted}. With open cases as they stand: {everything}",
            ),
            "Cycle time, P95": (spoken(found.p95_cycle_time), counted),
            "Cycle time, P99": (spoken(found.p99_cycle_time), counted),
            "Throughput": (
                UNKNOWN if rate is None else f"{rate:,.1f} a day",
                "Closed cases ÷ days from the first event to the last",
            ),
        }
    )


def nothing_timed(times: pl.DataFrame) -> bool:
    """Whether no activity has a known waiting or service time; says so if that is so."""
    columns = ("median_waiting", "median_service")
    known = any(times[column].null_count() < times.height for column in columns)
    if not known:
        st.info(
            "This log records no starts: waiting and service time are unknown, not zero.",
            icon=":material/help:",
        )
    return not known


def say_known(times: pl.DataFrame) -> None:
    """How many instances the times are about, where that is not all of them."""
    known, instances = times["timed_instances"].sum(), times["instances"].sum()
    if known < instances:
        st.caption(
            f"Service time is known for {known:,} of {instances:,} instances; "
            "the others record no start, so theirs is unknown, not zero."
        )
