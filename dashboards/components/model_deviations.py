"""The model drawn with what deviates from it."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from dashboards.components.downloads import downloads
from dashboards.components.headings import FOUND_DEVIATIONS
from dashboards.components.holding import Against, held_result
from dashboards.components.picture import picture, theme
from dashboards.components.tables import table
from dashboards.results import Selection, derived
from dashboards.units import short
from miner.conformance.conform import found_deviations
from miner.conformance.held import Held
from miner.model.bpmn_diagram import BpmnDiagram, bpmn_diagram, of_diagram, renamed
from miner.model.deviation_picture import PLACED_DEVIATIONS, DeviationPicture, deviation_picture
from miner.model.model_diagram import model_diagram


def model_deviations(selection: Selection, against: Against) -> None:
    """The model with badges, one version at a time, and the same as a table."""
    versions = held_result(drawn_versions, selection, against)
    number = 0
    if len(versions) > 1:
        number = st.selectbox(
            "Version drawn", range(len(versions)), index=len(versions) - 1,
            format_func=lambda n: short(versions[n], 60), key="version drawn", width=260,
        )  # fmt: skip
    with st.spinner("Drawing the model"):
        drawn = derived(
            _picture, selection, against=against, number=number, theme=theme(),
            name=versions[number],
        )  # fmt: skip
    label = f"Model of {short(selection.process)}: {drawn.extent}"
    picture(drawn.stage, legend=drawn.legend, label=label, key="model", height=560, long=True)
    st.caption("Drag to see the rest of a long model; **Fit** shows all of it.")
    found = held_result(found_deviations, selection, against)
    if found.is_empty():
        st.success("No judged case deviates from its model.", icon=":material/check_circle:")
    else:
        table(found, FOUND_DEVIATIONS, key="found deviations")
    files: dict[str, Any] = {"model_deviations.svg": drawn.stage, "deviations_found.csv": found}
    downloads(selection.process, files)


def drawn_versions(held: Held) -> list[str]:
    """What each of the models is called, in their order."""
    return [
        f"Version {each.version}" if each.version else each.model.name
        for each in held.workflows.workflows
    ]


def drawn_model(held: Held, *, number: int) -> BpmnDiagram:
    """The model of that number as its file draws it, in the names of the log."""
    workflow = held.workflows.workflows[number]
    if workflow.model.source_format != "bpmn":
        return of_diagram(model_diagram(workflow.model))
    names = dict(workflow.names.drop_nulls("activity").select("label", "activity").iter_rows())
    return renamed(bpmn_diagram(workflow.model.source_text), names)


def placed_deviations(held: Held, *, number: int) -> pl.DataFrame:
    """Where deviations from the model of that number show; `PLACED_DEVIATIONS`, most cases first.

    What came extra shows behind the nearest activity before it that the model has.
    """
    workflow = held.workflows.workflows[number]
    labels = sorted({t.label for t in workflow.model.net.transitions if t.label is not None})
    return held.log.query(_PLACED, PLACED_DEVIATIONS, model=workflow.key, labels=labels)


def _picture(
    selection: Selection, *, against: Against, number: int, theme: Any, name: str
) -> DeviationPicture:
    drawn = held_result(drawn_model, selection, against, number=number)
    placed = held_result(placed_deviations, selection, against, number=number)
    return deviation_picture(drawn, placed, theme=theme, name=name)


_PLACED = """
with counted as (
    select trace_key, count(*) as cases
    from judged_case
    where model = $model
    group by trace_key
),
modelled as (
    select list(activity_key) as activity_keys
    from activity
    where list_contains($labels::varchar[], activity)
),
found as (
    select
        d.trace_key,
        d.number,
        d.kind,
        d.activity,
        d.element_id,
        if(d.kind = 'replaced', d.instead, d.activity) as done_at
    from deviation_of_trace as d
    semi join counted using (trace_key)
    where d.model = $model
),
before_it as (
    select
        f.trace_key,
        f.number,
        list_filter(
            list_slice(
                coalesce(v.activity_keys, t.activity_keys, n.activity_keys), 1, f.number - 1
            ),
            lambda key: list_contains(m.activity_keys, key)
        )[-1] as activity_key
    from (select distinct trace_key, number from found where kind = 'extra') as f
    cross join modelled as m
    left join variant as v on v.variant_key = f.trace_key
    left join trace as t on t.trace_key = f.trace_key
    left join new_trace as n on n.trace_key = f.trace_key
),
placed as (
    select distinct
        f.trace_key,
        f.kind,
        f.activity,
        f.element_id,
        if(f.kind = 'extra', a.activity, f.done_at) as place
    from found as f
    left join before_it as b on b.trace_key = f.trace_key and b.number = f.number
    left join activity as a on a.activity_key = b.activity_key
)
select p.kind, p.activity, p.element_id, p.place, sum(c.cases)::bigint as cases
from placed as p
join counted as c using (trace_key)
group by p.kind, p.activity, p.element_id, p.place
order by cases desc, p.kind, p.activity, p.element_id, p.place
"""
