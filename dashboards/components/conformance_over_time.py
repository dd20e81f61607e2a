"""When conformance changed, and which version deviates where."""

from __future__ import annotations

import streamlit as st

from dashboards.charts.conformance import conformance_lines, deviation_heat
from dashboards.components.downloads import downloads
from dashboards.components.figures import figure
from dashboards.components.headings import HELD_VERSIONS, MATRIX
from dashboards.components.holding import Against, held_result
from dashboards.components.tables import table
from dashboards.results import Selection
from dashboards.units import moment, percent
from miner.conformance.conform import held_versions
from miner.conformance.over_time import (
    change_of_conformance,
    conformance_over_time,
    deviation_matrix,
)


def over_time(selection: Selection, against: Against) -> None:
    """Conformance per week and version with its change, and the matrix of deviations."""
    weeks = held_result(conformance_over_time, selection, against)
    change = held_result(change_of_conformance, selection, against)
    matrix = held_result(deviation_matrix, selection, against)
    versions = held_result(held_versions, selection, against)
    st.subheader("Per week", anchor=False)
    _say_change(change.row(0, named=True) if change.height else None)
    figure(conformance_lines(weeks, change), "Share of conforming cases per week", "weeks")
    st.subheader("Per version", anchor=False)
    table(versions, HELD_VERSIONS, key="held versions")
    if matrix.height:
        st.caption("Share of the cases of a version with each deviation; empty: none of them.")
        figure(deviation_heat(matrix), "Deviations by version", "matrix")
        with st.expander("The same as a table"):
            table(matrix, MATRIX, key="matrix table")
    files = {"conformance_by_week.csv": weeks, "versions_by_deviation.csv": matrix}
    downloads(selection.process, {**files, "held_versions.csv": versions.drop("model")})


def _say_change(change: dict[str, object] | None) -> None:
    if change is None:
        st.caption("No change of the rate that chance would not make, or too few cases to tell.")
        return
    before, after, at = change["rate_before"], change["rate_after"], change["at"]
    way = "fell" if before > after else "rose"  # type: ignore[operator]
    st.markdown(
        f"The share of conforming cases **{way}** from {percent(before)} "  # type: ignore[arg-type]
        f"to {percent(after)} with the case begun on **{moment(at)} UTC**."  # type: ignore[arg-type]
    )
