"""What runs here, and how well?"""

import streamlit as st

from dashboards import address
from dashboards.components import definition, downloads, table
from dashboards.components.cards import cards
from dashboards.components.opening import heading
from dashboards.glance import MOST, glance
from miner import bottlenecks, summary

state = heading("Overview", "What runs here, and how well? All cases of each process, unfiltered.")
processes = glance(state)
cards(processes)
st.subheader("All processes", anchor=False)
chosen = table(
    processes,
    {
        "process": "Process",
        "cases": "Cases",
        "events": "Events",
        "variants": "Variants",
        "median_cycle_time": "Median cycle time",
        "p95_cycle_time": "P95 cycle time",
        "failure_rate": "Failure rate",
        "open_cases": "Open cases",
        "worst_bottleneck": "Worst bottleneck",
        "rejected_share": "Rejected rows",
        "last_event": "Last event (UTC)",
    },
    key="all processes",
    choose=True,
)
st.caption(f"Select a row to open its process map. At most {MOST} processes are shown.")
downloads("store", {"overview.csv": processes})
definition(summary, bottlenecks)
if chosen is not None:
    st.switch_page("pages/process_map.py", query_params=address.link(processes["process"][chosen]))
