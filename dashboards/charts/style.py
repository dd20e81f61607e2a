"""What all charts share."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

BLUE, ORANGE, GREEN, PURPLE, VIOLET, RED, GREY, OLIVE = (
    "#3f83c8", "#c8741d", "#2f9e77", "#a85ba8", "#8577d4", "#cb5a52", "#6f8295", "#8a8224",
)  # fmt: skip
COLOURWAY = (BLUE, ORANGE, GREEN, PURPLE, VIOLET, RED, GREY, OLIVE)
"""Readable on light and on dark ground; a theme's colours do not reach figures made by hand."""

_BAR = 30


def styled(figure: go.Figure, *, height: int = 320, x: str = "", y: str = "") -> go.Figure:
    """The same figure with the colours, margins and axis titles of this project."""
    figure.update_layout(
        colorway=list(COLOURWAY),
        height=height,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": None},
        hovermode="closest",
        bargap=0.25,
    )
    figure.update_xaxes(title=x or None, automargin=True)
    figure.update_yaxes(title=y or None, automargin=True)
    return figure


def named_rows(figure: go.Figure, names: Sequence[str]) -> go.Figure:
    """Names down the left side, the first on top; rows are numbers, so equal names stay apart."""
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=list(names),
        autorange="reversed",
        showgrid=False,
        zeroline=False,
    )
    return figure


def height_of(rows: int) -> int:
    """The height of a chart with that many rows of bars."""
    return 90 + _BAR * max(rows, 2)
