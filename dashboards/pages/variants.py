"""In which ways do cases run, and how many take each?"""

import streamlit as st

from dashboards import address
from dashboards.charts.variants import coverage_curve
from dashboards.components import definition, downloads, figure, key_figures, page, table
from dashboards.components.chevrons import chevrons
from dashboards.components.headings import VARIANTS
from dashboards.results import result_of
from dashboards.units import percent, whole
from miner import Condition, summary, variants

selection = page("Variants", "In which ways do cases run, and how many take each?")
known = result_of(summary, selection).variants
top = result_of(variants, selection, top=1_000)
covered = top["cumulative_share"].to_list()
key_figures(
    {
        "Variants": whole(known),
        "Most frequent one": (percent(covered[0]), "Share of the cases that take it"),
        "Ten most frequent": (percent(covered[min(9, len(covered) - 1)]), "Share of the cases"),
    }
)
ways, curve, rows = st.tabs(["Ways", "Coverage", "Table"], key="variants as", on_change="rerun")
with ways:
    number = st.select_slider("Variants shown", range(5, 51, 5), 10, key="shown", width=300)
    kept = chevrons(top.head(number), key="ways")
    if kept is not None:
        only = (*selection.condition.conditions, Condition("variant", str(kept)))
        address.go_to(selection.process, type(selection.condition)(only))
        st.rerun()
with curve:
    figure(coverage_curve(top, known), "Share of cases the most frequent variants cover", "cover")
with rows:
    if rows.open:
        table(top, VARIANTS, key="variants")
downloads(selection.process, {"variants.csv": lambda: result_of(variants, selection)})
definition(variants)
