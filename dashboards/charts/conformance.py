"""Charts of conformance over time and by version."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from dashboards.charts.style import COLOURWAY, GREY, height_of, styled
from dashboards.units import UNKNOWN, moment, percent, plotly_text

_MOST_LINES = 8
_ROWS = 20
_MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "hexagon")
_HEAT = ((0.0, "#5f7183"), (1.0, "#b0413a"))
"""Dark enough for white text on light and on dark ground."""


def conformance_lines(weeks: pl.DataFrame, change: pl.DataFrame) -> go.Figure:
    """The rate of conforming cases per week, a line for each version; `WEEKS` and `CHANGE`.

    Versions with most cases have a line, at most eight. A dashed line marks the change.
    """
    most = weeks.group_by("version").agg(pl.col("cases").sum()).sort("cases", descending=True)
    drawn = set(most["version"].head(_MOST_LINES))
    versions = [v for v in weeks["version"].unique(maintain_order=True) if v in drawn]
    figure = go.Figure()
    for number, version in enumerate(versions):
        part = weeks.filter(pl.col("version").eq_missing(pl.lit(version)))
        figure.add_scatter(
            x=part["week"].to_list(),
            y=part["conformance_rate"].to_list(),
            name=_named(version),
            mode="lines+markers",
            line={"color": COLOURWAY[number % len(COLOURWAY)], "width": 2},
            marker={"symbol": _MARKERS[number % len(_MARKERS)], "size": 7},
            customdata=[
                f"{conforming:,} of {cases:,} cases begun that week"
                for cases, conforming in part.select("cases", "conforming_cases").iter_rows()
            ],
            hovertemplate="%{x|%-d %b %Y}: %{y:.1%}<br>%{customdata}",
        )
    for row in change.iter_rows(named=True):
        _mark_change(figure, row)
    figure.update_yaxes(range=[0, 1.04], tickformat=".0%")
    figure.update_xaxes(type="date")
    figure.update_layout(showlegend=len(versions) > 1)
    return styled(figure, height=340, x="Week in which the case began (UTC)", y="Conforming cases")


def deviation_heat(matrix: pl.DataFrame) -> go.Figure:
    """Which version deviates where: the share of its cases; `matrix` has the columns of `MATRIX`.

    The deviations with most cases have a row, at most 20; the share is written into each field, and
    what no case of a version does is left empty.
    """
    name = pl.format("{} · {}", pl.col("activity"), pl.col("kind")).alias("deviation")
    named = matrix.with_columns(name, pl.col("version").fill_null("unknown version"))
    totals = named.group_by("deviation").agg(pl.col("cases").sum())
    rows = totals.sort(["cases", "deviation"], descending=[True, False])["deviation"].head(_ROWS)
    versions = named["version"].unique(maintain_order=True).to_list()
    cells = {
        (row["deviation"], row["version"]): row
        for row in named.filter(pl.col("deviation").is_in(rows.implode())).iter_rows(named=True)
    }
    grid = [[cells.get((row, version)) for version in versions] for row in rows]
    figure = go.Figure(
        go.Heatmap(
            z=[[cell["share"] if cell else None for cell in line] for line in grid],
            x=list(range(len(versions))),
            y=list(range(len(rows))),
            text=[[percent(cell["share"]) if cell else "" for cell in line] for line in grid],
            texttemplate="%{text}",
            textfont={"color": "#ffffff"},
            hoverongaps=False,
            customdata=[[_told(cell) if cell else "" for cell in line] for line in grid],
            hovertemplate="%{customdata}<extra></extra>",
            colorscale=_HEAT,
            zmin=0,
            zmax=max((cell["share"] for cell in cells.values()), default=1),
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_yaxes(
        tickmode="array", tickvals=list(range(len(rows))),
        ticktext=[plotly_text(row, 44) for row in rows], autorange="reversed", showgrid=False,
    )  # fmt: skip
    figure.update_xaxes(
        tickmode="array", tickvals=list(range(len(versions))),
        ticktext=[plotly_text(version, 18) for version in versions], side="top", showgrid=False,
    )  # fmt: skip
    figure = styled(figure, height=height_of(len(rows)) + 10)
    figure.update_layout(margin={"t": 40})
    return figure


def _mark_change(figure: go.Figure, row: dict[str, object]) -> None:
    before, after = row["rate_before"], row["rate_after"]
    text = f"{_rate(before)} → {_rate(after)}"
    figure.add_shape(
        type="line", x0=row["at"], x1=row["at"], y0=0, y1=1, yref="paper",
        line={"color": GREY, "width": 2, "dash": "dash"},
    )  # fmt: skip
    figure.add_annotation(
        x=row["at"], y=1, yref="paper", text=f"Change: {text}", showarrow=False, xanchor="left",
        xshift=5, yanchor="bottom",
    )  # fmt: skip


def _rate(value: object) -> str:
    return percent(value) if isinstance(value, float) else UNKNOWN


def _named(version: str | None) -> str:
    return "unknown version" if version is None else f"version {plotly_text(version, 24)}"


def _told(cell: dict[str, object]) -> str:
    first, last = cell["first_seen"], cell["last_seen"]
    share = _rate(cell["share"])
    return (
        f"{cell['cases']:,} cases, {share} of the version<br>"
        f"cases begun {moment(first)} to {moment(last)}"  # type: ignore[arg-type]
    )
