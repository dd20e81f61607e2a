"""How does the work really flow?"""

import streamlit as st

from dashboards.components import definition, page
from dashboards.components.discovered import discovered_model
from dashboards.components.map_view import map_view
from miner import directly_follows
from miner.discovery.discover import discover

selection = page("Process map", "How does the work really flow?")
seen, modelled = st.tabs(
    ["As it ran", "Discovered model"], key="view", on_change="rerun", bind="query-params"
)
with seen:
    if seen.open:
        map_view(selection)
        definition(directly_follows)
with modelled:
    if modelled.open:
        discovered_model(selection)
        definition(discover)
