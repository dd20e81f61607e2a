"""Can this data be trusted, and what can it not tell?"""

import streamlit as st

from dashboards.components import definition, downloads, page, table
from dashboards.components.findings import (
    loads_of,
    notes_of,
    rejected_of,
    say_findings,
    say_limitations,
)
from dashboards.components.headings import LOADS, QUALITY, REJECTED
from dashboards.results import result_of
from dashboards.units import markdown
from miner import limitations, log_quality

selection = page("Log quality", "Can this data be trusted, and what can it not tell?")
findings = result_of(log_quality, selection)
loads = loads_of(selection)
say_findings(findings)
found, loaded, quarantine = st.tabs(
    ["Findings", "Loads", "Rejected rows"], key="quality", on_change="rerun"
)
with found:
    say_limitations(result_of(limitations, selection))
    table(findings, QUALITY, key="findings", rows=16)
with loaded:
    table(loads, LOADS, key="loads")
    for subject, text in notes_of(loads):
        st.caption(f"**{markdown(subject)}**: {markdown(text, 500)}")
with quarantine:
    if loads["rejected"].sum() == 0:
        st.success("No row was rejected.", icon=":material/check_circle:")
    elif quarantine.open:
        table(rejected_of(selection), REJECTED, key="rejected")
files = {"log_quality.csv": findings, "loads.csv": loads}
downloads(selection.process, {**files, "rejected.csv": lambda: rejected_of(selection)})
definition(log_quality, limitations)
