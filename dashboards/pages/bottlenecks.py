"""What do cases wait for?"""

import streamlit as st

from dashboards.charts.bottlenecks import waiting_bars
from dashboards.components import definition, downloads, figure, page
from dashboards.components.headings import ACTIVITY_WAITS, HANDOVER_WAITS
from dashboards.components.waits import say_how_measured, split, wait_table
from dashboards.results import result_of
from miner import bottlenecks

selection = page("Bottlenecks", "What do cases wait for?")
found = result_of(bottlenecks, selection)
if found.is_empty():
    st.info("No case goes on from one activity to another, so nothing waits.")
    st.stop()
say_how_measured(found)
activities, handovers = split(found)
by_activity, by_handover = st.tabs(["Activities", "From one activity to the next"])
with by_activity:
    figure(waiting_bars(activities), "Waiting in all by activity", "activities")
    wait_table(activities, ACTIVITY_WAITS, key="activity waits")
with by_handover:
    figure(waiting_bars(handovers), "Waiting in all by pair of activities", "handovers")
    wait_table(handovers, HANDOVER_WAITS, key="handover waits")
downloads(selection.process, {"bottlenecks.csv": found})
definition(bottlenecks)
