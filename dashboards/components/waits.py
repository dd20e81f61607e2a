"""What a page says about waiting."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import streamlit as st

from dashboards.components.tables import table
from dashboards.units import markdown, percent, spoken


def split(bottlenecks: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows about activities, and those about going from one to the next."""
    alone = pl.col("previous_activity").is_null()
    return bottlenecks.filter(alone), bottlenecks.filter(~alone)


def wait_table(waits: pl.DataFrame, headings: Mapping[str, str], *, key: str) -> None:
    """A table of waits; where only the time up to a completion is known, it says so."""
    shown = dict(headings)
    if waits["measured"].eq("sojourn").any():
        shown = {
            ("total_sojourn" if name == "total_waiting" else name): words
            for name, words in headings.items()
        } | {"total_sojourn": "Time up to completion in all"}
    table(waits, shown, key=key)


def say_how_measured(bottlenecks: pl.DataFrame) -> None:
    """The worst one in a sentence, and a warning where waiting is not known."""
    activities, _ = split(bottlenecks)
    if activities.height:
        worst = activities.row(0, named=True)
        waiting = worst["measured"] == "waiting"
        time = worst["total_waiting" if waiting else "total_sojourn"]
        name = markdown(worst["activity"])
        where = "waiting for" if waiting else "on the way to the completion of"
        st.markdown(
            f"Cases spend most time {where} **{name}**: {spoken(time)} in all, "
            f"{percent(worst['share_of_cycle_time'])} of all cycle time."
        )
    if bottlenecks["measured"][0] != "waiting":
        st.info(
            "This log records no starts: waiting and service cannot be told apart. "
            "Times run from one completion to the next.",
            icon=":material/help:",
        )
