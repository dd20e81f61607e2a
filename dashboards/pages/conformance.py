"""Does the work run as it was modelled?"""

from collections.abc import Callable

import streamlit as st

from dashboards.components import definition, page
from dashboards.components.against import against
from dashboards.components.allow_list import allow_list
from dashboards.components.conformance_figures import conformance_figures, nothing_judged
from dashboards.components.conformance_over_time import over_time
from dashboards.components.deviation_impact import deviation_impact
from dashboards.components.deviation_list import deviation_list
from dashboards.components.evidence_view import evidence_view
from dashboards.components.holding import hold_cases
from dashboards.components.model_deviations import model_deviations
from dashboards.components.rules_view import rules_view
from miner.conformance.conform import Conformance, conform
from miner.conformance.impact import Impact

selection = page("Conformance", "Does the work run as it was modelled?", counts="closed")
model = against(selection)
hold_cases(selection, model)
conformance_figures(selection, model)
if not nothing_judged(selection, model):
    parts: dict[str, Callable[[], None]] = {
        "Model": lambda: model_deviations(selection, model),
        "Over time": lambda: over_time(selection, model),
        "Deviations": lambda: deviation_list(selection, model),
        "Impact and causes": lambda: deviation_impact(selection, model),
        "Rules": lambda: rules_view(selection),
        "Allow-list": lambda: allow_list(selection, model),
        "Evidence": lambda: evidence_view(selection, model),
    }
    tabs = st.tabs(list(parts), key="conformance as", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab:
                show()
definition(conform, Conformance, Impact)
