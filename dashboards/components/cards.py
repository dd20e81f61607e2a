"""A card for each process."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from dashboards import address
from dashboards.units import UNKNOWN, markdown, percent, plural, spoken, whole

_MOST = 9
_WIDTH = 312


def cards(processes: pl.DataFrame) -> None:
    """The largest processes as cards that lead to their maps; `processes` is a `GLANCE`."""
    with st.container(horizontal=True, gap="small"):
        for row in processes.head(_MOST).iter_rows(named=True):
            with st.container(border=True, width=_WIDTH, height="stretch"):
                _card(row)


def _card(row: dict[str, Any]) -> None:
    st.page_link(
        "pages/process_map.py",
        label=f"**{markdown(row['process'], 60)}**",
        icon=":material/account_tree:",
        query_params=address.link(row["process"]),
        help="Open the process map",
    )
    st.caption(
        f"{plural(row['cases'], 'case')} · {plural(row['events'], 'event')} · "
        f"{plural(row['variants'], 'variant')}"
    )
    with st.container(horizontal=True, gap="xsmall"):
        st.metric("Median cycle time", spoken(row["median_cycle_time"]), width=106)
        st.metric("P95 cycle time", spoken(row["p95_cycle_time"]), width=100)
        st.metric("Failed", percent(row["failure_rate"]), width="content")
    st.markdown(_bottleneck(row))
    st.caption(f"{whole(row['open_cases'])} open · {_rejected(row)}")


def _bottleneck(row: dict[str, Any]) -> str:
    if row["worst_bottleneck"] is None:
        return f"Worst bottleneck: {UNKNOWN}"
    what = "waiting" if row["measured"] == "waiting" else "up to its completion"
    return (
        f"Worst bottleneck: **{markdown(row['worst_bottleneck'], 50)}**, "
        f"{spoken(row['total_waiting'])} {what} in all"
    )


def _rejected(row: dict[str, Any]) -> str:
    if not row["rejected"]:
        return "no rows rejected"
    return f"{plural(row['rejected'], 'row')} rejected ({percent(row['rejected_share'])})"
