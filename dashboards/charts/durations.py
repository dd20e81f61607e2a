"""Charts of cycle, waiting and service time."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from dashboards.charts.style import BLUE, GREY, ORANGE, height_of, named_rows, styled
from dashboards.units import in_unit, plotly_text, spoken

_ROWS = 15


def cycle_time_histogram(distribution: pl.DataFrame) -> go.Figure:
    """How many cases took how long; `distribution` has the columns of `CYCLE_TIME_DISTRIBUTION`.

    The last bin also holds the longest cases; it is grey and says so.
    """
    width = distribution["high"][0] - distribution["low"][0]
    ends = pl.concat([distribution["low"], pl.Series([distribution["low"][-1] + width])])
    values, unit = in_unit(ends)
    longer = distribution["high"][-1] > distribution["low"][-1] + width
    rows = zip(distribution["low"], distribution["high"], strict=True)
    figure = go.Figure(
        go.Bar(
            x=((values[:-1] + values[1:]) / 2).to_list(),
            width=(values[1] - values[0]) * 0.94,
            y=distribution["cases"].to_list(),
            customdata=[f"{spoken(low)} to {spoken(high)}" for low, high in rows],
            hovertemplate="%{y:,} cases took %{customdata}<extra></extra>",
            marker_color=[BLUE] * (distribution.height - 1) + [GREY if longer else BLUE],
        )
    )
    if longer:
        figure.add_annotation(
            x=(values[-2] + values[-1]) / 2,
            y=distribution["cases"][-1],
            text=f"and longer,<br>up to {spoken(distribution['high'][-1])}",
            showarrow=False,
            yshift=20,
            xanchor="right",
        )
    return styled(figure, x=f"Cycle time ({unit})", y="Closed cases")


def activity_bars(times: pl.DataFrame) -> go.Figure:
    """Median waiting and service time of the activities that take longest; `ACTIVITY_TIMES`.

    Activities for which neither is known are left out.
    """
    both = pl.sum_horizontal("median_waiting", "median_service")
    known = times.filter(both > pl.duration()).sort(both, descending=True).head(_ROWS)
    stacked = pl.concat([known["median_waiting"], known["median_service"]])
    values, unit = in_unit(stacked)
    figure = go.Figure()
    for name, column, colour, part in (
        ("Waiting (median)", "median_waiting", ORANGE, values[: known.height]),
        ("Service (median)", "median_service", BLUE, values[known.height :]),
    ):
        figure.add_bar(
            x=part.to_list(),
            y=list(range(known.height)),
            orientation="h",
            name=name,
            marker_color=colour,
            customdata=[spoken(value) for value in known[column]],
            hovertemplate="%{customdata}<extra>" + name + "</extra>",
        )
    figure.update_layout(barmode="stack")
    named_rows(figure, [plotly_text(name) for name in known["activity"]])
    return styled(figure, height=height_of(known.height), x=f"Time ({unit})")
