"""What fails, how does it recover, and what is done again?"""

import streamlit as st

from dashboards.charts.failures import failure_bars
from dashboards.components import definition, downloads, figure, page, table
from dashboards.components.headings import ERRORS, FAILURES, REWORK
from dashboards.components.repetition import failure_figures, nothing_failed, repetition_figures
from dashboards.results import result_of
from miner import error_types, failures, rework, summary

selection = page(
    "Failures and rework",
    "What fails, how does it recover, and what is done again?",
    counts="closed",
)
figures = result_of(summary, selection)
failed, errors = result_of(failures, selection), result_of(error_types, selection)
again = result_of(rework, selection)
st.subheader("Failures and recovery", anchor=False)
failure_figures(figures, failed)
if not nothing_failed(failed):
    figure(failure_bars(failed), "Failed attempts by activity", "failures")
    by_activity, by_error = st.tabs(["Activities", "Errors"])
    with by_activity:
        table(failed, FAILURES, key="failure table")
    with by_error:
        table(errors, ERRORS, key="error table")
st.subheader("Done again: three different things", anchor=False)
repetition_figures(figures)
table(again, REWORK, key="rework table")
files = {"failures.csv": failed, "errors.csv": errors, "rework.csv": again}
downloads(selection.process, files)
definition(failures, error_types, rework, summary)
