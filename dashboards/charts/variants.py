"""Charts of variants."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from dashboards.charts.style import BLUE, styled


def coverage_curve(found: pl.DataFrame, variants: int) -> go.Figure:
    """Which share of the cases the most frequent variants cover.

    `found` has the columns of `VARIANTS` and may hold only the first of all `variants`; the last
    point is then the end of all, joined by a dotted line.
    """
    ranks, shares = found["variant"].to_list(), found["cumulative_share"].to_list()
    figure = go.Figure(
        go.Scatter(
            x=ranks,
            y=shares,
            mode="lines+markers" if len(ranks) < 30 else "lines",
            line={"color": BLUE, "width": 2.5, "shape": "linear"},
            fill="tozeroy",
            fillcolor="rgba(63,131,200,0.15)",
            hovertemplate="%{x:,} variants cover %{y:.1%} of the cases<extra></extra>",
        )
    )
    if ranks and variants > ranks[-1]:
        figure.add_scatter(
            x=[ranks[-1], variants],
            y=[shares[-1], 1],
            mode="lines",
            line={"color": BLUE, "width": 2, "dash": "dot"},
            hovertemplate="%{x:,} variants cover %{y:.1%} of the cases<extra></extra>",
        )
    figure.update_layout(showlegend=False)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    if variants > 50:
        ticks = [digit * 10**power for power in range(len(str(variants))) for digit in (1, 2, 5)]
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:,}" for tick in ticks])
    return styled(figure, height=280, x="Most frequent variants", y="Cases covered")
