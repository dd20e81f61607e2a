"""How long do cases take, and where does the time go?"""

import streamlit as st

from dashboards.charts.durations import activity_bars, cycle_time_histogram
from dashboards.components import definition, downloads, figure, page, table
from dashboards.components.headings import ACTIVITY_TIMES, HANDOVERS, RESOURCE_TIMES
from dashboards.components.times import cycle_time_figures, nothing_timed, say_known
from dashboards.results import files_of, result_of
from miner import activity_times, case_times, cycle_time_distribution, handovers, resource_times

selection = page(
    "Performance", "How long do cases take, and where does the time go?", counts="closed"
)
cycle_time_figures(selection)
distribution = result_of(cycle_time_distribution, selection)
if distribution.height:
    figure(cycle_time_histogram(distribution), "Distribution of cycle times", "distribution")
activities = result_of(activity_times, selection)
by_activity, by_resource, by_handover = st.tabs(
    ["Activities", "Resources", "Hand-overs"], key="times of", on_change="rerun"
)
with by_activity:
    if not nothing_timed(activities):
        figure(activity_bars(activities), "Waiting and service time by activity", "activities")
        say_known(activities)
    table(activities, ACTIVITY_TIMES, key="activity times")
with by_resource:
    if by_resource.open:
        table(result_of(resource_times, selection), RESOURCE_TIMES, key="resource times")
with by_handover:
    if by_handover.open:
        table(result_of(handovers, selection), HANDOVERS, key="handovers")
asked = (case_times, activity_times, resource_times, handovers)
downloads(selection.process, files_of(selection, *asked))
definition(case_times, cycle_time_distribution, activity_times, resource_times, handovers)
