"""Failures, and the three ways in which something is done again."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards.components.figures import key_figures
from dashboards.units import percent, share, spoken, whole
from miner.performance.summary import Summary


def failure_figures(found: Summary, failures: pl.DataFrame) -> None:
    """Failed cases and attempts, first-pass yield, recovery; unknown if nothing is recorded."""
    closed = f"of {whole(found.closed_cases)} closed cases; cancelled ones are not failed"
    attempts = _sum(failures["attempts"])
    failed = _sum(failures["failed_attempts"])
    episodes, recovered = _sum(failures["episodes"]), _sum(failures["recovered"])
    slowest = max(failures["median_recovery"].drop_nulls().to_list(), default=None)
    key_figures(
        {
            "Failed cases": (percent(found.failure_rate), f"{whole(found.failed_cases)} {closed}"),
            "Failed attempts": (
                share(failed, attempts),
                f"{whole(failed)} of {whole(attempts)} attempts, open cases included",
            ),
            "First-pass yield": (
                percent(found.first_pass_yield),
                "Closed cases without failure, retry, rework or intervention",
            ),
            "Recovered": (
                share(recovered, episodes),
                f"{whole(recovered)} of {whole(episodes)} failure episodes reached a success",
            ),
            "Slowest recovery": (
                spoken(slowest),
                "Highest median over activities, first failure to first success",
            ),
        }
    )


def nothing_failed(failures: pl.DataFrame) -> bool:
    """Whether there is no failure to show; says why."""
    failed = _sum(failures["failed_attempts"])
    if failed is None:
        text = "This log records no failures: what depends on them is unknown, not zero."
        st.info(text, icon=":material/help:")
    elif failed == 0:
        st.success("No attempt failed in these cases.", icon=":material/check_circle:")
    return not failed


def repetition_figures(found: Summary) -> None:
    """Retries, rework and interventions side by side, each with what it is."""
    retry, rework, intervention = st.columns(3)
    for column, name, count, rate, what in (
        (retry, "Retries", found.retries, found.retry_rate,
         "The engine tries the same work again after an attempt that did not succeed."),
        (rework, "Rework", found.rework, found.rework_rate,
         "Work that was done is done again later in the case, by whoever."),
        (intervention, "Interventions", found.interventions, None,
         "A person resets, clears or starts something again by hand."),
    ):  # fmt: skip
        with column.container(border=True, height="stretch"):
            st.metric(name, whole(count))
            if rate is not None:
                st.caption(f"in {percent(rate)} of {whole(found.cases)} cases")
            st.caption(what)


def _sum(values: pl.Series) -> int | None:
    """The sum of what is known; null when nothing is."""
    return None if values.null_count() == len(values) else int(values.sum())
