"""The process map with its sliders."""

from __future__ import annotations

import streamlit as st

from dashboards import address
from dashboards.components.downloads import downloads
from dashboards.components.picture import picture, theme
from dashboards.maps import Show, drawn_map, opening, shown_map, whole_map
from dashboards.results import Selection, derived, result_of
from dashboards.units import short
from miner import directly_follows
from miner.discovery.process_map import MOST_PATHS, ProcessMap
from miner.drawing.process_map import map_html, map_png, map_svg

_SHOWN: dict[Show, str] = {"frequency": "Frequency", "time": "Time", "failures": "Failures"}


def map_view(selection: Selection) -> None:
    """Choices, picture, and what it can be taken away as."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        show: Show = st.segmented_control(
            "Show", list(_SHOWN), default="frequency", required=True,
            format_func=lambda kind: _SHOWN[kind], key="show", bind="query-params",
        ) or "frequency"  # fmt: skip
        opens = opening(selection)
        activities = _slider("Activities", "activities", opens[0], selection)
        paths = _slider("Paths", "paths", opens[1], selection)
    with st.spinner("Laying out the map"):
        drawn = derived(
            drawn_map, selection, show=show, theme=theme(), activities=activities, paths=paths
        )
    st.caption(f"Showing **{drawn.extent}**; at most {MOST_PATHS} paths are drawn.")
    label = f"Process map of {short(selection.process)}: {drawn.extent}"
    picture(drawn.stage, legend=drawn.legend, label=label, key="map")

    def shown() -> ProcessMap:
        return shown_map(selection, activities, paths)

    downloads(
        selection.process,
        {
            "map.svg": lambda: map_svg(shown(), show=show),
            "map.png": lambda: map_png(map_svg(shown(), show=show)),
            "map.html": lambda: map_html(
                result_of(whole_map, selection), show=show, title=selection.process
            ),
            "directly_follows.csv": lambda: result_of(directly_follows, selection),
        },
    )


def _slider(label: str, name: str, opens: int, selection: Selection) -> int:
    """A share in percent, kept in the address; it opens where the map can be read at once."""
    key = f"{name} of {selection.process}"
    given = address.kept(name) or ""
    if key not in st.session_state:
        st.session_state[key] = min(100, int(given)) if given.isdecimal() else opens
    share: int = st.slider(
        f"{label} shown", 0, 100, step=1, format="%d %%", key=key, width=260,
        on_change=lambda: address.keep(name, str(st.session_state[key])),
    )  # fmt: skip
    return share
