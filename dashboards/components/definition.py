"""What a figure means, in the words of the analysis that computes it."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getdoc
from typing import Any

import streamlit as st


def definition(*analyses: Callable[..., Any]) -> None:
    """A box that opens on the docstring of each analysis."""
    with st.expander("What these figures mean", icon=":material/menu_book:"):
        for analysis in analyses:
            if len(analyses) > 1:
                st.markdown(f"**{analysis.__name__.replace('_', ' ').capitalize()}**")
            st.markdown(getdoc(analysis) or "")
