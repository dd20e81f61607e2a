"""What happened in this case?"""

import streamlit as st

from dashboards import address
from dashboards.components import definition, downloads, page, table
from dashboards.components.case_view import case_view
from dashboards.components.headings import CASES
from dashboards.components.paging import paging
from dashboards.results import result_of
from miner import case, cases, summary
from miner.performance.cases import ORDERS

selection = page("Cases", "Which cases are there, and what happened in one of them?")
chosen = address.kept("case")
if chosen is not None:
    case_view(selection, chosen)
    definition(case)
    st.stop()
with st.container(horizontal=True, vertical_alignment="bottom"):
    order = st.segmented_control(
        "Order", list(ORDERS), default="longest", required=True, key="order", bind="query-params"
    )
    total = result_of(summary, selection).cases
    offset, limit = paging(total, key="page of cases")
    st.text_input(
        "Case", placeholder="Open a case by its id", key="wanted", width=260,
        on_change=lambda: address.keep("case", st.session_state["wanted"].strip() or None),
    )  # fmt: skip
shown = result_of(cases, selection, limit=limit, offset=offset, order=order)
row = table(shown, CASES, key="case list", choose=True, rows=20)
st.caption("Select a row to open the case.")
downloads(
    selection.process,
    {"cases.csv": lambda: result_of(cases, selection, limit=total, order=order)},
)
definition(cases)
if row is not None:
    address.keep("case", shown["case_id"][row])
    st.rerun()
