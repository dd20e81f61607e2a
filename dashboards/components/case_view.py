"""One case: its story, its timeline, its events and attributes."""

from __future__ import annotations

import json

import polars as pl
import streamlit as st

from dashboards import address
from dashboards.charts.timeline import MOST, case_timeline
from dashboards.components.downloads import downloads
from dashboards.components.figures import figure, key_figures
from dashboards.components.headings import EVENTS, TIMELINE
from dashboards.components.tables import table
from dashboards.results import Selection, result_of
from dashboards.story import story
from dashboards.units import markdown, moment, short, spoken, whole
from miner import case
from miner.performance.cases import Case


def case_view(selection: Selection, case_id: str) -> None:
    """Everything that is known of a case; raises InputError when the selection does not hold it."""
    st.button("All cases", icon=":material/arrow_back:", on_click=address.keep, args=("case", None))
    found = result_of(case, selection, case_id=case_id)
    st.subheader(markdown(found.case_id), anchor=False)
    _figures(found)
    st.markdown(" ".join(markdown(sentence, 400) for sentence in story(found)))
    if found.timeline.height:
        chart = case_timeline(found.timeline, found.completed_at)
        figure(chart, f"Timeline of case {short(found.case_id)}", "timeline")
    if found.timeline.height > MOST:
        st.caption(f"The first {MOST} of {found.timeline.height:,} activity instances are drawn.")
    instances, events, attributes = st.tabs(["Activity instances", "Events", "Attributes"])
    with instances:
        table(found.timeline, TIMELINE, key="instances")
    with events:
        table(found.events, EVENTS, key="events")
    with attributes:
        _attributes(found)
    downloads(selection.process, {"instances.csv": found.timeline, "events.csv": found.events})


def _figures(found: Case) -> None:
    key_figures(
        {
            "Status": found.status.replace("_", " "),
            "Cycle time": spoken(found.cycle_time),
            "Started (UTC)": moment(found.started_at),
            "Events": whole(found.events.height),
            "Same variant": (whole(found.variant_cases), "Cases that ran the same variant"),
        }
    )


def _attributes(found: Case) -> None:
    known = {
        "parent case": found.parent_case_id,
        "root case": found.root_case_id,
        "process version": found.process_version,
        **found.attributes,
    }
    rows = [(name, _text(value)) for name, value in known.items() if value is not None]
    if not rows:
        st.caption("The log has no attributes of this case.")
        return
    frame = pl.DataFrame(rows, schema={"name": pl.String, "value": pl.String}, orient="row")
    table(frame, {"name": "Attribute", "value": "Value"}, key="attributes")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
