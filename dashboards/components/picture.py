"""Process maps and models on screen."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Literal

import streamlit as st


def picture(
    stage: str,
    *,
    label: str,
    key: str,
    legend: str = "",
    height: int = 680,
    long: bool = False,
) -> None:
    """An SVG of this project to pan, zoom and search; `label` says in words what it shows.

    A `long` one that would be too small to read opens at its left end.
    """
    data = {
        "stage": stage,
        "legend": legend,
        "label": label,
        "height": height,
        "search": bool(legend),
        "long": long,
    }
    registered("picture")(data=data, key=key)


def theme() -> Literal["light", "dark"]:
    """What the reader chose."""
    return "dark" if st.context.theme.type == "dark" else "light"


@cache
def registered(name: str) -> Any:
    """The component whose parts lie beside this file; registered once per process."""
    here = files("dashboards.components")
    html, css, js = (
        here.joinpath(f"{name}.{kind}").read_text("utf-8") for kind in ("html", "css", "js")
    )
    return st.components.v2.component(f"procession_{name}", html=html, css=css, js=js)
