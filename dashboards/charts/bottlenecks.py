"""Charts of where cases wait."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from dashboards.charts.style import ORANGE, height_of, named_rows, styled
from dashboards.units import in_unit, percent, plotly_text, spoken

_ROWS = 12


def waiting_bars(found: pl.DataFrame) -> go.Figure:
    """The time that waiting adds in all, most first; `found` has the columns of `BOTTLENECKS`."""
    top = found.head(_ROWS)
    time = top.select(pl.coalesce("total_waiting", "total_sojourn")).to_series()
    values, unit = in_unit(time)
    shares = [percent(share) for share in top["share_of_cycle_time"]]
    figure = go.Figure(
        go.Bar(
            x=values.to_list(),
            y=list(range(top.height)),
            orientation="h",
            marker_color=ORANGE,
            text=shares,
            textposition="outside",
            cliponaxis=False,
            customdata=[
                f"{spoken(total)} in {cases:,} cases"
                for total, cases in zip(time, top["cases"], strict=True)
            ],
            hovertemplate="%{customdata}<br>%{text} of the cycle time<extra></extra>",
        )
    )
    names = top.select("previous_activity", "activity").iter_rows()
    named_rows(figure, [_name(before, name) for before, name in names])
    waited = top["measured"][0] == "waiting"
    title = f"{'Waiting' if waited else 'Time up to completion'} in all ({unit})"
    return styled(figure, height=height_of(top.height), x=title)


def _name(before: str | None, activity: str) -> str:
    if before is None:
        return plotly_text(activity)
    return f"{plotly_text(before, 24)} → {plotly_text(activity, 24)}"
