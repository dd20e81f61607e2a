"""How old the data is that the pages show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st

from dashboards.results import published
from dashboards.units import moment, spoken


def freshness() -> None:
    """Which version of the store the pages read, and its age; nothing when there is none."""
    state = published()
    if state is None:
        return
    snapshot = state.snapshot
    since = datetime.fromisoformat(snapshot.published_at)
    age = datetime.now(UTC) - since
    minutes = age // timedelta(minutes=1)
    ago = f"{spoken(timedelta(minutes=minutes))} ago" if minutes > 0 else "just now"
    st.caption(f"Data as of {moment(since.astimezone(UTC))} UTC")
    st.caption(f"{ago} · version {snapshot.version}")
    st.button("Reload", icon=":material/refresh:", type="tertiary", key="reload")
