"""The timeline of one case."""

from __future__ import annotations

from datetime import datetime, timedelta

import plotly.graph_objects as go
import polars as pl

from dashboards.charts.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    VIOLET,
    height_of,
    named_rows,
    styled,
)
from dashboards.units import moment, plotly_text, spoken

MOST = 150
"""Instances drawn; more bars than these cannot be told apart."""

_COLOURS = {
    "completed": BLUE,
    "failed": RED,
    "timed_out": ORANGE,
    "cancelled": GREY,
    "skipped": "#aab4c0",
    "running": GREEN,
    "scheduled": VIOLET,
}
_QUEUE = "rgba(111,130,149,0.35)"


def case_timeline(timeline: pl.DataFrame, until: datetime) -> go.Figure:
    """A bar for each activity instance from its start to its end; `timeline` is a `TIMELINE`.

    Pale bars show the time from being scheduled to the start, diamonds what has no known duration.
    What still runs or waits is drawn up to `until`. The first `MOST` instances are shown.
    """
    rows = list(timeline.head(MOST).iter_rows(named=True))
    figure = go.Figure()
    queued = [(n, r["scheduled_at"], r["started_at"] or until) for n, r in enumerate(rows)
              if r["scheduled_at"]]  # fmt: skip
    if queued:
        _bars(figure, queued, "queued", _QUEUE, [spoken(end - start) for _, start, end in queued])
    for status in dict.fromkeys(row["status"] for row in rows):
        chosen = [(number, row) for number, row in enumerate(rows) if row["status"] == status]
        _status(figure, status, chosen, until)
    figure.update_layout(barmode="overlay")
    named_rows(figure, [_label(row) for row in rows])
    figure.update_xaxes(type="date", title="UTC")
    figure = styled(figure, height=height_of(len(rows)), x="UTC")
    figure.update_layout(bargap=0.35)
    return figure


def _status(
    figure: go.Figure, status: str, rows: list[tuple[int, dict[str, object]]], until: datetime
) -> None:
    colour, words = _COLOURS[status], status.replace("_", " ")
    bars, texts = [], []
    for number, row in rows:
        start, end = row["started_at"], row["completed_at"] or until
        if isinstance(start, datetime) and isinstance(end, datetime) and start < end:
            bars.append((number, start, end))
            texts.append(_told(row))
    _bars(figure, bars, words, colour, texts)
    points = [
        (number, row) for number, row in rows if row["started_at"] is None or not row["service"]
    ]
    figure.add_scatter(
        x=[_when(row, until) for _, row in points],
        y=[number for number, _ in points],
        mode="markers",
        marker={"symbol": "diamond", "size": 9, "color": colour},
        name=words,
        legendgroup=words,
        showlegend=not bars and bool(points),
        text=[_told(row) for _, row in points],
        hovertemplate="%{text}<extra>" + words + "</extra>",
    )


def _bars(
    figure: go.Figure,
    bars: list[tuple[int, datetime, datetime]],
    words: str,
    colour: str,
    texts: list[str],
) -> None:
    if bars:
        figure.add_bar(
            base=[start for _, start, _ in bars],
            x=[(end - start) / timedelta(milliseconds=1) for _, start, end in bars],
            y=[number for number, _, _ in bars],
            orientation="h",
            marker_color=colour,
            name=words,
            legendgroup=words,
            text=texts,
            textposition="none",
            hovertemplate="%{text}<extra>" + words + "</extra>",
        )


def _when(row: dict[str, object], until: datetime) -> object:
    return row["completed_at"] or row["started_at"] or row["scheduled_at"] or until


def _label(row: dict[str, object]) -> str:
    attempt = row["attempt"]
    tries = f" · attempt {attempt}" if isinstance(attempt, int) and attempt > 1 else ""
    tries += " · intervention" if row["intervention"] else ""
    status = str(row["status"])
    end = "" if status == "completed" else f" · {status.replace('_', ' ')}"
    return f"{row['number']} {plotly_text(str(row['activity']), 34)}{tries}{end}"


def _told(row: dict[str, object]) -> str:
    started, completed, service = row["started_at"], row["completed_at"], row["service"]
    parts = [
        f"start {moment(started) if isinstance(started, datetime) else 'unknown'}",
        f"end {moment(completed) if isinstance(completed, datetime) else 'unknown'}",
    ]
    if isinstance(service, timedelta):
        parts.append(f"service {spoken(service)}")
    if row["resource"]:
        parts.append(plotly_text(str(row["resource"])))
    if row["error_type"]:
        parts.append(plotly_text(str(row["error_type"])))
    return "<br>".join(parts)
