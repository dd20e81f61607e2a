"""Going through a long list page by page."""

from __future__ import annotations

import streamlit as st

from dashboards.units import whole

ROWS = 50


def paging(total: int, *, key: str) -> tuple[int, int]:
    """Where the chosen page begins and how many rows it has."""
    pages = max(1, -(-total // ROWS))
    if st.session_state.get(key, 1) > pages:
        st.session_state[key] = 1
    chosen = int(st.number_input(f"Page of {whole(pages)}", 1, pages, key=key, width=150) or 1)
    return (chosen - 1) * ROWS, ROWS
