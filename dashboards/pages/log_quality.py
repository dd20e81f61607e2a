"""Can this data be trusted, and what can it not tell?"""

import streamlit as st

from dashboards.components import definition, downloads, page, table
from dashboards.components.findings import loads_of, notes_of, rejected_of, say_findings
from dashboards.components.headings import LOADS, QUALITY, REJECTED
from dashboards.results import result_of
from dashboards.units import markdown
from miner import log_quality

selection = page("Log quality", "Can this data be trusted, and what can it not tell?")
findings = result_of(log_quality, selection)
loads, refused = loads_of(selection), rejected_of(selection)
say_findings(findings)
found, loaded, quarantine = st.tabs(["Findings", "Loads", f"Rejected rows ({refused.height:,})"])
with found:
    table(findings, QUALITY, key="findings", rows=16)
with loaded:
    table(loads, LOADS, key="loads")
    for subject, text in notes_of(loads):
        st.caption(f"**{markdown(subject)}**: {markdown(text, 500)}")
with quarantine:
    if refused.is_empty():
        st.success("No row was rejected.", icon=":material/check_circle:")
    else:
        table(refused, REJECTED, key="rejected")
files = {"log_quality.csv": findings, "loads.csv": loads, "rejected.csv": refused}
downloads(selection.process, files)
definition(log_quality)
