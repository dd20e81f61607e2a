"""Key figures and charts."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go
import streamlit as st

_QUIET = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


def key_figures(figures: Mapping[str, str | tuple[str, str]]) -> None:
    """Figures side by side by name; a pair is the figure and what it counts or means."""
    with st.container(horizontal=True, gap="small"):
        for name, value in figures.items():
            shown, meaning = value if isinstance(value, tuple) else (value, "")
            st.metric(name, shown, help=meaning or None, border=True, width=178)


def figure(chart: go.Figure, what: str, key: str) -> None:
    """A chart; `what` says in words what it shows, for who cannot see it."""
    st.plotly_chart(chart, key=key, config=_QUIET, alt=what)
