"""The cases of a selection, page by page."""

from __future__ import annotations

import streamlit as st

from dashboards import address
from dashboards.components.downloads import downloads
from dashboards.components.headings import CASES
from dashboards.components.paging import paging
from dashboards.components.tables import table
from dashboards.results import Selection, result_of
from miner import cases, summary
from miner.performance.cases import ORDERS

_OPENED = "cases opened from the list"


def case_list(selection: Selection) -> None:
    """Order, page and list; a chosen row, or an id that is typed in, opens the case."""
    total = result_of(summary, selection).cases
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = st.segmented_control(
            "Order", list(ORDERS), default="longest", required=True, key="order",
            bind="query-params",
        )  # fmt: skip
        offset, limit = paging(total, key="page of cases")
        st.text_input(
            "Case", placeholder="Open a case by its id", key="wanted", width=260,
            on_change=lambda: address.keep("case", st.session_state["wanted"].strip() or None),
        )  # fmt: skip
    shown = result_of(cases, selection, limit=limit, offset=offset, order=order)
    opened = st.session_state.setdefault(_OPENED, 0)
    row = table(shown, CASES, key=f"case list {opened}", choose=True, rows=20)
    st.caption("Select a row to open the case.")
    downloads(
        selection.process,
        {"cases.csv": lambda: result_of(cases, selection, limit=total, order=order)},
    )
    if row is not None:
        st.session_state[_OPENED] += 1  # a new list next time, or its choice would still stand
        address.keep("case", shown["case_id"][row])
        st.rerun()
