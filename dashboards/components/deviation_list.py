"""Deviations one by one, in sentences; a case beside its model."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards import address
from dashboards.components.aligned_case import aligned_case
from dashboards.components.downloads import downloads
from dashboards.components.headings import DEVIATIONS
from dashboards.components.holding import Against, held_result
from dashboards.components.paging import paging
from dashboards.components.tables import table
from dashboards.results import Selection
from dashboards.units import plural, short
from miner.conformance.deviations import deviations
from miner.conformance.held import Held
from miner.conformance.over_time import deviation_matrix
from miner.conformance.sentences import sentence

_OPENED = "deviating cases opened"
_MOST_IN_FILE = 100_000


def deviation_list(selection: Selection, against: Against) -> None:
    """Filters and a page of deviations; a chosen row opens its case move by move."""
    chosen = address.kept("case")
    if chosen is not None:
        aligned_case(selection, against, chosen)
        return
    known = held_result(deviation_matrix, selection, against)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = _choice("Kind", "kind", known, 130)
        activity = _choice("Activity", "activity", known, 210)
        version = _choice("Version", "version", known, 120)
        total = held_result(
            how_many, selection, against, kind=kind, activity=activity, version=version
        )
        offset, limit = paging(total, key="page of deviations")
        st.text_input(
            "Case", placeholder="Open a case by its id", key="wanted deviating", width=190,
            on_change=lambda: address.keep(
                "case", st.session_state["wanted deviating"].strip() or None
            ),
        )  # fmt: skip
    if not total:
        st.info("No deviation meets this choice.", icon=":material/filter_alt_off:")
        return
    shown = held_result(
        told_deviations, selection, against, kind=kind, activity=activity, version=version,
        limit=limit, offset=offset,
    )  # fmt: skip
    opened = st.session_state.setdefault(_OPENED, 0)
    row = table(shown, DEVIATIONS, key=f"deviations {opened}", choose=True, rows=14)
    st.caption(f"{plural(total, 'deviation')}, in the order of cases. Select one to open its case.")

    def everything() -> pl.DataFrame:
        return held_result(
            told_deviations, selection, against, kind=kind, activity=activity, version=version,
            limit=_MOST_IN_FILE, offset=0,
        )  # fmt: skip

    downloads(selection.process, {"deviations.csv": everything})
    if total > _MOST_IN_FILE:
        st.caption(f"The file has the first {_MOST_IN_FILE:,}; the evidence pack has all.")
    if row is not None:
        st.session_state[_OPENED] += 1
        address.keep("case", shown["case_id"][row])
        st.rerun()


def how_many(held: Held, *, kind: str | None, activity: str | None, version: str | None) -> int:
    """How many deviations there are of that kind, at that activity, in cases of that version."""
    given = {"kind": kind, "activity": activity, "version": version}
    return int(held.log.row(_COUNT, **given)["deviations"])


def told_deviations(
    held: Held, *, kind: str | None, activity: str | None, version: str | None, limit: int,
    offset: int,
) -> pl.DataFrame:  # fmt: skip
    """A page of `CASE_DEVIATIONS` with a sentence for each."""
    found = deviations(
        held, kind=kind, activity=activity, version=version, limit=limit, offset=offset
    )
    told = [sentence(row) for row in found.iter_rows(named=True)]
    return found.with_columns(pl.Series("sentence", told, dtype=pl.String()))


def _choice(label: str, column: str, known: pl.DataFrame, width: int) -> str | None:
    names = sorted(known[column].drop_nulls().unique().to_list())
    found: str | None = st.selectbox(
        label, names, index=None, placeholder="any", key=f"deviation {column}", width=width,
        format_func=lambda name: short(name, 50),
    )  # fmt: skip
    return found


_COUNT = """
with found as (
    select model, trace_key, count(*) as deviations
    from deviation_of_trace
    where ($kind is null or kind = $kind)
        and ($activity is null or activity = $activity)
    group by model, trace_key
)
select coalesce(sum(f.deviations), 0)::bigint as deviations
from judged_case as j
join found as f using (model, trace_key)
left join process_version as v using (version_key)
where $version is null or v.process_version = $version
"""
