"""Charts of what fails."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from dashboards.charts.style import RED, height_of, named_rows, styled
from dashboards.units import percent, plotly_text

_ROWS = 12


def failure_bars(found: pl.DataFrame) -> go.Figure:
    """Failed attempts of the activities that fail most; `found` has the columns of `FAILURES`."""
    top = found.filter(pl.col("failed_attempts") > 0).head(_ROWS)
    rates = zip(top["failure_rate"], top["attempts"], strict=True)
    figure = go.Figure(
        go.Bar(
            x=top["failed_attempts"].to_list(),
            y=list(range(top.height)),
            orientation="h",
            marker_color=RED,
            text=[percent(rate) for rate in top["failure_rate"]],
            textposition="outside",
            cliponaxis=False,
            customdata=[f"{percent(rate)} of {attempts:,} attempts" for rate, attempts in rates],
            hovertemplate="%{x:,} failed attempts<br>%{customdata}<extra></extra>",
        )
    )
    named_rows(figure, [plotly_text(name) for name in top["activity"]])
    figure.update_xaxes(tickformat=",d", nticks=min(10, 1 + max(top["failed_attempts"].to_list())))
    return styled(figure, height=height_of(top.height), x="Failed attempts (share of attempts)")
